"""Killed at any instant and started again: each result comes once."""

import json
import random
import shutil
import signal
import subprocess
import time

import pytest

from fake_model import FakeModel, input_text, last_output


def two_steps(turn, request):
    if turn < 2:
        return [("call", "exec_command", {"cmd": f"echo step {turn}"})]
    return [("text", f"{input_text(request)}: {last_output(request)}")]


def results_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.limit(400)
@pytest.mark.parametrize("ordered", [[], ["--ordered"]])
def test_twenty_kills_in_one_batch(skep, agent, tasks, ordered):
    """200 tasks, 20 kill -9 at random moments, 200 results, each once."""
    dice = random.Random(7)
    out = skep.home / "out.jsonl"
    names = [f"t{i}" for i in range(200)]
    path = tasks([{"custom_id": n, "input": n} for n in names])
    with FakeModel(two_steps, delay=0.06) as model:
        words = ("batch", agent(model.url), path, "-j", "16", "-o", out,
                 "--state", skep.state, *ordered)
        kills = 0
        while kills < 20:
            p = skep.start(*words)
            time.sleep(dice.uniform(0.02, 0.4))
            if p.poll() is not None:
                # It was done before all kills: begin another batch's worth.
                assert p.returncode == 0, p.stderr.read()
                break
            p.send_signal(signal.SIGKILL)
            p.wait()
            kills += 1
            check_so_far(out)
        done = skep.run(*words)
    assert done.status == 0, done.err
    assert kills == 20
    results = results_of(out)
    assert sorted(r["custom_id"] for r in results) == sorted(names)
    assert all(r["status"] == "finished" for r in results)
    if ordered:
        assert [r["custom_id"] for r in results] == names


def check_so_far(out):
    """Whole lines are results, each once; only the last may be torn."""
    if not out.exists():
        return
    *whole, last = out.read_text().split("\n")
    seen = [json.loads(line)["custom_id"] for line in whole]
    assert len(seen) == len(set(seen))
    assert last == "" or last.startswith('{"custom_id"'[:len(last)])


def test_killed_between_the_store_and_the_file(skep, agent, tasks):
    """A result that only the store has is written at the next start."""
    out = skep.home / "out.jsonl"
    with FakeModel(two_steps) as model:
        words = ("batch", agent(model.url),
                 tasks([{"custom_id": f"t{i}", "input": "x"}
                        for i in range(6)]), "-o", out)
        assert skep.run(*words).status == 0
        before = len(model.requests)
        whole = out.read_text().splitlines(keepends=True)
        out.write_text("".join(whole[:3]) + whole[3][:40])
        done = skep.run(*words)
        assert done.status == 0
        assert len(model.requests) == before
    assert sorted(out.read_text().splitlines()) == \
        sorted(line.rstrip("\n") for line in whole)
    assert "torn" in done.err


@pytest.mark.limit(300)
@pytest.mark.parametrize("calls", ["pwrite64", "write", "fdatasync"])
def test_killed_at_each_write(skep, agent, tasks, calls):
    """Not at random: at the first, second, third ... write of a batch."""
    assert shutil.which("strace"), "strace is missing; make deps"
    out, names = skep.home / "out.jsonl", ["t0", "t1", "t2"]
    with FakeModel(lambda t, r: [("text", "x")]) as model:
        words = ("batch", agent(model.url, tools=[]),
                 tasks([{"custom_id": n, "input": n} for n in names]),
                 "-o", out, "--state", skep.state)
        for n in range(1, 400):
            killed = subprocess.run(
                ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={calls}",
                 "-e", f"inject={calls}:signal=KILL:when={n}",
                 *skep.words(words)], env=skep.env, cwd=skep.home,
                capture_output=True)
            if killed.returncode == 0:
                break
            done = skep.run(*words)
            assert done.status == 0, done.err
            assert sorted(r["custom_id"] for r in results_of(out)) == names
            shutil.rmtree(skep.state)
            out.unlink()
        assert killed.returncode == 0 and n > 1


def test_no_process_survives_a_kill(skep, agent, tasks):
    def slow(turn, request):
        return [("call", "exec_command", {"cmd": "sleep 4242"})]

    with FakeModel(slow) as model:
        p = skep.start("batch", agent(model.url),
                       tasks([{"custom_id": "a", "input": "x"}]))
        deadline = time.monotonic() + 10
        while not sleeping("4242") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert sleeping("4242")
        p.send_signal(signal.SIGKILL)
        p.wait()
        deadline = time.monotonic() + 3
        while sleeping("4242") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not sleeping("4242")
        # The next start removes what the dead left.
        skep.run("batch", agent("http://127.0.0.1:9/v1",
                                model={"retry": {"attempts": 1}}),
                 tasks([{"custom_id": "b", "input": "x"}], "other.jsonl"))


def sleeping(seconds):
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True,
                           text=True)
    return any(line == f"sleep {seconds}"
               for line in found.stdout.splitlines())
