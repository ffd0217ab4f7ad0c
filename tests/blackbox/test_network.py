"""Many runs, few connections: what a batch costs a server, and survives."""

import json
import signal
import socket
import time

from conftest import Mock, say, script, tool, wait_until


def lines(n):
    return [{"custom_id": f"t{i}", "input": f"case {i}"} for i in range(n)]


def all_finished(done, n):
    assert len(done.results) == n, done.err
    assert set(done.codes().values()) == {"finished"}, done.err


def test_five_hundred_runs_share_one_connection(batch, agent, mock, tasks):
    server = mock(script(say("Done.", timing={"first_byte_ms": 300})),
                  "--tls")
    all_finished(batch(agent(server), tasks(lines(500)), "-j", "500"), 500)
    stats = server.stats()
    # One is the batch's; /stats itself is asked over another.
    assert stats["connections"]["accepted"] <= 3
    assert stats["handshakes"]["full"] <= 3
    assert stats["in_flight"]["peak"] > 100


def test_the_limit_of_a_server_is_found(batch, agent, mock, tasks):
    limited = script(say("Done.", timing={"first_byte_ms": 50}))
    server = mock(limited | {"in_flight_max": 25}, "--tls")
    done = batch(agent(server), tasks(lines(1000)), "-j", "300", "-v")
    all_finished(done, 1000)
    # And told: how many at once, how often it was met, over how many ways.
    told = [line for line in done.err.splitlines()
            if server.url.removesuffix("/v1") in line][-1]
    assert int(told.split(" requests")[0].split()[-1]) >= 1000
    limit = int(told.split("limit ")[1].split()[0])
    assert 10 <= limit <= 40, told
    assert "connections 1 (full handshakes 1," in told
    answers = server.stats()["answers"]
    # The first burst finds the limit; later ones only touch it.
    assert answers["429"] <= 64 + 1000 * 0.05


def test_the_last_event_tells_of_the_network(skep, agent, mock):
    server = mock(script(tool("exec_command", 0, cmd="true"), say("Done.")),
                  "--tls")
    done = skep.run("run", agent(server), "go", "--json", "--state",
                    skep.state)
    last = json.loads(done.out.splitlines()[-1])
    assert last["event"] == "run.finished"
    network, = last["network"]
    assert network["origin"] == server.url.removesuffix("/v1")
    assert network["agent"] == "test"
    assert network["requests"] == network["answers"] == 2
    assert network["connects"] == network["handshakes_full"] == 1
    assert network["reused"] == 1 and network["limited"] == 0
    assert network["bytes_in"] > 0 and network["bytes_out"] > 0
    assert network["in_flight"] == network["waiting"] == 0


def test_a_server_that_restarts_loses_no_run(skep, agent, tasks):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{s.getsockname()[1]}"
    slow = script(say("Done.", timing={"first_byte_ms": 700}))
    model = {"retry": {"attempts": 30, "base_ms": 50, "max_ms": 500}}
    server = Mock(skep, slow, "--listen", listen)
    running = skep.start("batch", agent(server, model=model),
                         tasks(lines(500)), "-j", "500",
                         "--state", skep.state)
    assert wait_until(
        lambda: server.stats()["in_flight"]["now"] >= 400, 20)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    time.sleep(0.3)
    Mock(skep, slow, "--listen", listen)
    out, err = running.communicate(timeout=60)
    results = [json.loads(line) for line in out.splitlines()]
    assert running.returncode == 0, err
    assert len(results) == 500
    assert {r["status"] for r in results} == {"finished"}


def status_of(pid, *names):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        found = dict(line.split(":", 1) for line in f)
    return [int(found[name].split()[0]) for name in names]


def test_a_waiting_run_is_small_and_sleeps(skep, agent, mock):
    server = mock(script(say("Done.", timing={"first_byte_ms": 6000})),
                  "--tls")
    waiting = skep.start("run", agent(server), "hi", "--state", skep.state)
    assert wait_until(lambda: server.stats()["in_flight"]["now"] == 1)
    time.sleep(0.5)
    rss, before = status_of(
        waiting.pid, "VmRSS", "voluntary_ctxt_switches")
    time.sleep(4)
    after, = status_of(waiting.pid, "voluntary_ctxt_switches")
    assert rss <= 8 * 1024
    assert after - before <= 4
    out, err = waiting.communicate(timeout=20)
    assert out == b"Done.\n", err


def test_a_thousand_waiting_runs_are_small_too(skep, agent, mock, tasks):
    server = mock(script(say("Done.", timing={"first_byte_ms": 8000})),
                  "--tls")

    def rss(n):
        running = skep.start(
            "batch", agent(server), tasks(lines(n), f"{n}.jsonl"), "-j",
            str(n), "--state", skep.home / f"state-{n}")
        assert wait_until(
            lambda: server.stats()["in_flight"]["now"] >= n, 7)
        size, = status_of(running.pid, "VmRSS")
        for _ in range(2):  # the second stops at once
            running.terminate()
            time.sleep(0.2)
        running.wait(10)
        wait_until(lambda: server.stats()["in_flight"]["now"] == 0)
        return size

    few, many = rss(10), rss(1000)
    assert (many - few) / 990 <= 16


# --- answers that only a network can give ---

GZIP = bytes.fromhex("1f8b08000000000000034b4c4a06000000ffff")


def test_compression_nobody_asked_for_is_refused(
        batch, agent, hostile, tasks):
    def play(conn):
        while conn.read_request():
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream"
                      b"\r\nContent-Encoding: gzip\r\nContent-Length: %d"
                      b"\r\n\r\n%s" % (len(GZIP), GZIP))

    model = {"retry": {"attempts": 2, "base_ms": 1}}
    done = batch(agent(hostile(play).url, model=model), tasks(lines(1)))
    assert done.codes() == {"t0": "model_protocol"}
    assert "gzip" in done.of("t0")["error"]["message"]


def test_slow_drips_and_silence_do_not_hold_up_others(
        batch, agent, mock, tasks):
    server = mock(script(
        say("no", when={"input": "*case 7*", "attempt": 0},
            fault={"after_bytes": 40, "then": "stall"}),
        say("Dripped.", when={"input": "*case 3*"},
            fault={"bytes_per_second": 20000}),
        say("Done.")), "--tls")
    quick = {"retry": {"attempts": 2, "base_ms": 1}, "idle_seconds": 1,
             "first_byte_seconds": 1}
    done = batch(agent(server, model=quick), tasks(lines(100)), "-j", "100")
    all_finished(done, 100)
    # Results come as they finish: the stalled one is not among the first.
    assert "t7" not in [r["custom_id"] for r in done.results[:50]]
