"""Every hostile peer that we know of, against a real batch.

Of twenty runs one meets the peer at its worst, over a real socket and beside
the others on the same server; where the whole server is bad (its certificate,
its name), all do.  Each case says how the victim's result must be called and
what its message must say; the other runs must have finished, and the memory
of the engine must have stayed below a bound.

PEERS is the list; a test holds that each has a case, here or elsewhere.
"""

import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

import hostile as h
import hostile_h2 as h2
import test_hostile_answers as answers
from conftest import REPO
from hostile_dns import (HostileDns, NOERROR, NXDOMAIN, SERVFAIL, Reply,
                         address, alias)

PEERS = """
accepts and never answers
one byte per second
stalls mid-body
RST at each stage
FIN early with Content-Length
bad chunk sizes
64 KiB headers
1xx flood
redirect loop
redirect to http
redirect to file
redirect to another origin with Authorization
gzip bomb
certificate expired
certificate self-signed
certificate for another host
certificate without SAN
chain of 100
TLS 1.0 only
renegotiation
no close_notify
1-byte records
h2 rapid reset
h2 CONTINUATION flood
h2 HPACK bomb
h2 settings flood
h2 window stall
h2 PUSH_PROMISE
SSE line of 64 MiB
SSE comment flood
SSE with NUL
SSE missing terminator
JSON with 1e400
JSON with lone surrogates
JSON string of 100 MiB
JSON duplicate keys
1,000 parallel tool calls
duplicate call ids
10 MiB of arguments
arguments not an object
401
403
408
409
429 with Retry-After 0
429 with Retry-After 5
429 with Retry-After 1e9
429 with Retry-After date
429 with Retry-After garbage
500
502
503
529
200 with an error body
DNS NXDOMAIN
DNS SERVFAIL
DNS 10 s delay
DNS 1,000 answers
DNS CNAME loop
DNS AAAA black hole
server restart in the middle of 500 streams
""".split("\n")[1:-1]

RUNS = 20
MIB = 1 << 20
PEAK = 16 * MIB  # of the engine; most cases need six
QUICK = {"retry": {"attempts": 2, "base_ms": 1, "max_ms": 10,
                   "retry_after_max_seconds": 8},
         "first_byte_seconds": 1, "idle_seconds": 1}

CASES = {}  # name -> (peer, script, expected, words, options)


def case(peer, expected, *words, **options):
    """Register a script of one answer: script(conn) after a request."""
    def register(script):
        name = f"{peer}: {script.__name__}"
        assert peer in PEERS and name not in CASES, name
        CASES[name] = (peer, script, expected, words, options)
        return script
    return register


class Outcome:
    def __init__(self, status, results, err, peak):
        self.status, self.err, self.peak = status, err, peak
        self.results = {r["custom_id"]: r for r in results}

    def code(self, name):
        r = self.results[name]
        return r["error"]["code"] if r["error"] else r["status"]

    def message(self, name):
        return (self.results[name]["error"] or {}).get("message", "")


def watch_memory(p):
    """Wait for its end; the most memory that it had.

    Not ru_maxrss, which begins with what the process was forked from.
    """
    peak = 0
    while p.poll() is None:
        with open(f"/proc/{p.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    peak = int(line.split()[1]) * 1024
        time.sleep(0.01)
    return peak


@pytest.fixture
def run_batch(skep, tasks):
    """run_batch(agent file, lines, *options): an Outcome, memory counted."""
    def run(file, lines, *options):
        out, err = skep.home / "out.jsonl", skep.home / "err.txt"
        with open(out, "wb") as o, open(err, "wb") as e:
            p = skep.start("batch", file, tasks(lines), "--state",
                           skep.state, *options, stdout=o, stderr=e)
            peak = watch_memory(p)
        with open(out, encoding="utf-8") as o:
            results = [json.loads(line) for line in o]
        assert len(results) == len(lines), err.read_text()
        return Outcome(p.returncode, results, err.read_text(), peak)
    return run


def lines_of(victims=1, text="victim", runs=RUNS):
    return [{"custom_id": f"t{i}",
             "input": text if i < victims else f"good case {i}"}
            for i in range(runs)]


def check(outcome, expected, words, peak, victims=("t0",)):
    allowed = expected if isinstance(expected, tuple) else (expected,)
    for name in outcome.results:
        if name not in victims:
            assert outcome.code(name) == "finished", outcome.message(name)
            continue
        assert outcome.code(name) in allowed, outcome.message(name)
        for word in words:
            assert word in outcome.message(name)
    # 128 + a signal would be a crash.
    assert outcome.status == (0 if set(allowed) == {"finished"} else 1) or \
        (len(allowed) > 1 and outcome.status in (0, 1)), outcome.err
    assert outcome.peak <= peak, outcome.peak / MIB


# --- TCP and HTTP/1.1 ---

@case("accepts and never answers", "model_unavailable", "no answer after")
def silent(conn):
    conn.wait_for_end()


def drip(conn, data, seconds):
    for i in range(len(data)):
        conn.send(data[i:i + 1])
        time.sleep(seconds)


@case("one byte per second", "model_unavailable", "no answer after")
def dripping_head(conn):
    drip(conn, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", 0.2)


@case("one byte per second", "budget_wall", budget={"wall_seconds": 3})
def dripping_body(conn):
    """Never idle, never done: the run's own time ends it."""
    conn.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    drip(conn, b": x" * 1000, 0.2)


@case("stalls mid-body", "model_unavailable", "stalled")
def stalls(conn):
    conn.stream_head()
    conn.event(type="response.created", response={"id": "r"})
    conn.wait_for_end()


@case("RST at each stage", "model_unreachable")
def resets_before_an_answer(conn):
    conn.reset()


@case("RST at each stage", "model_unavailable", "cut")
def resets_in_the_head(conn):
    conn.send("HTTP/1.1 200 OK\r\ncontent-ty")
    time.sleep(0.1)
    conn.reset()


@case("RST at each stage", "model_unavailable")
def resets_in_the_body(conn):
    conn.stream_head()
    conn.event(type="response.created", response={"id": "r"})
    time.sleep(0.1)
    conn.reset()


@case("RST at each stage", "model_unavailable", "closing event")
def resets_behind_the_last_but_one_event(conn):
    conn.stream_head()
    conn.event(type="response.output_item.done", output_index=0,
               item=answers.message("lost"))
    conn.end()


@case("FIN early with Content-Length", "model_unavailable", "cut its answer")
def shorter_than_promised(conn):
    conn.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
              "content-length: 5000\r\n\r\n{\"id\": \"r\"")


def register_chunks():
    bad = ["zz", "-5", "0x5", "5 5", "", " 5", "5;\0", "fffffffffffffffff",
           "7fffffffffffffff\r\n" + "x" * 99 + "\r\n0", "5\r\nabcdefgh",
           "5\nabcde", "+5"]
    for i, line in enumerate(bad):
        def play(conn, line=line):
            conn.stream_head()
            conn.send(line + "\r\n\r\n")
            conn.wait_for_end()
        play.__name__ = f"chunk_{i}"
        case("bad chunk sizes", "model_protocol", "chunk")(play)


register_chunks()


@case("64 KiB headers", "model_protocol", "of more than")
def one_field_of_64_kib(conn):
    conn.send(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 65536 + b"\r\n\r\n")
    conn.wait_for_end()


@case("64 KiB headers", "model_protocol", "of more than")
def many_fields(conn):
    conn.send("HTTP/1.1 200 OK\r\n")
    for i in range(20000):
        conn.send(f"x-{i}: {'y' * 100}\r\n")


@case("1xx flood", "model_protocol", "interim")
def early_hints_for_ever(conn):
    for _ in range(100000):
        conn.send("HTTP/1.1 103 Early Hints\r\n\r\n")


@case("redirect loop", "model_rejected", "redirect", goes_on=True)
def to_itself(conn):
    conn.answer(307, location="/v1/responses")


@case("redirect to http", "model_rejected", "http://")
def to_plain_http(conn):
    conn.answer(308, location="http://127.0.0.1:9/v1/responses")


@case("redirect to file", "model_rejected", "file:///etc/passwd")
def to_a_file(conn):
    conn.answer(307, location="file:///etc/passwd")


@case("gzip bomb", "model_protocol", "gzip")
def compressed_unasked(conn):
    conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
              "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(1000):
        conn.chunk(b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + bytes(65536))


# --- events, JSON, meaning: the scripts of test_hostile_answers.py ---

for peer, script, expected in [
        ("SSE line of 64 MiB", answers.a_line_without_end, "model_protocol"),
        ("SSE line of 64 MiB", answers.data_lines_without_end,
         "model_protocol"),
        ("SSE with NUL", answers.nul_in_an_event, "model_protocol"),
        ("SSE missing terminator", answers.no_blank_line_at_the_end,
         "model_unavailable"),
        ("JSON string of 100 MiB", answers.an_answer_without_end,
         "model_protocol"),
        ("1,000 parallel tool calls", answers.a_thousand_calls,
         "model_protocol"),
        ("duplicate call ids", answers.the_same_id_twice, "model_protocol"),
        ("10 MiB of arguments", answers.ten_megabytes_of_arguments,
         "model_protocol"),
        ("200 with an error body", answers.an_error_body,
         "model_unavailable"),
        ("200 with an error body", answers.a_quota_body,
         "model_rate_limited")]:
    case(peer, expected, peak=96 * MIB)(script)


@case("SSE comment flood", "model_unavailable", peak=32 * MIB)
def nothing_but_comments(conn):
    conn.stream_head()
    for _ in range(2000):
        conn.chunk(b": keep-alive\n\n" * 1000)
    conn.end()


@case("JSON string of 100 MiB", "model_protocol", peak=96 * MIB)
def one_string(conn):
    conn.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
              "transfer-encoding: chunked\r\n\r\n")
    conn.chunk('{"id":"')
    for _ in range(100):
        conn.chunk(b"x" * MIB)
    conn.chunk('"}')
    conn.end()


@case("JSON with 1e400", "finished")
def numbers_without_end(conn):
    conn.stream_head()
    conn.event(type="response.output_item.done", output_index=0,
               item=answers.message("fine"))
    conn.chunk("data: " + json.dumps(answers.completed()).replace(
        '"input_tokens": 1', '"input_tokens": 1e400') + "\n\n")
    conn.end()


@case("JSON with lone surrogates", "finished")
def half_a_pair(conn):
    conn.stream_head()
    conn.chunk('data: {"type":"response.output_item.done","output_index":0,'
               '"item":{"type":"message","role":"assistant","content":[{"type"'
               ':"output_text","text":"a \\ud83d b \\udc00\\ud800"}]}}\n\n')
    conn.event(**answers.completed())
    conn.end()


@case("JSON duplicate keys", "finished")
def the_last_wins(conn):
    conn.stream_head()
    conn.event(type="response.output_item.done", output_index=0,
               item=answers.message("fine"))
    conn.chunk("data: " + json.dumps(answers.completed()).replace(
        '"input_tokens": 1', '"input_tokens": 7, "input_tokens": -5')
        + "\n\n")
    conn.end()


@case("arguments not an object", "finished", goes_on=True)
def an_array(conn):
    """The model is told, and may try again."""
    request = json.loads(conn.request[1])
    outputs = [item["output"] for item in request["input"]
               if item.get("type") == "function_call_output"]
    if outputs:
        assert len(outputs) == 5 and all(outputs)
        conn.say("fine")
        return
    conn.stream_head()
    for i, arguments in enumerate(["[1]", "7", "", "null", "{"]):
        conn.event(type="response.output_item.done", output_index=i,
                   item=answers.call(f"c{i}", arguments))
    conn.event(**answers.completed())
    conn.end()


# --- statuses ---

def register_statuses():
    said = json.dumps({"error": {"message": "so it is", "code": "x"}})

    def add(peer, expected, status, words=(), **fields):
        def play(conn):
            conn.answer(status, said, **fields)
        play.__name__ = f"status_{status}"
        case(peer, expected, str(status), "so it is", *words,
             goes_on=True)(play)

    for status, expected in [
            (401, "model_auth"), (403, "model_auth"),
            (408, "model_unavailable"), (409, "model_unavailable"),
            (500, "model_unavailable"), (502, "model_unavailable"),
            (503, "model_unavailable"), (529, "model_unavailable")]:
        add(str(status), expected, status)
    add("429 with Retry-After 0", "model_rate_limited", 429, retry_after="0")
    add("429 with Retry-After 1e9", "model_rate_limited", 429,
        retry_after="1000000000")
    add("429 with Retry-After garbage", "model_rate_limited", 429,
        retry_after="soon, I hope")
    add("429 with Retry-After date", "model_rate_limited", 429,
        retry_after="Fri, 31 Dec 2099 23:59:59 GMT")


register_statuses()


def is_again(conn):
    return "x-stainless-retry-count: 1" in conn.request[0].lower()


@case("429 with Retry-After 5", "finished", goes_on=True)
def once_and_then_an_answer(conn):
    if is_again(conn):
        assert time.time() - conn.server.refused_at >= 4.5
        conn.say("fine")
    else:
        conn.server.refused_at = time.time()
        conn.answer(429, retry_after="5")


@case("429 with Retry-After date", "finished", goes_on=True)
def a_date_that_is_past(conn):
    if is_again(conn):
        conn.say("fine")
    else:
        conn.answer(429, retry_after="Sun, 06 Nov 1994 08:49:37 GMT")


# --- over plain HTTP/1.1, one victim among twenty ---

@pytest.mark.parametrize("name", [
    name for name, found in CASES.items() if not found[4].get("everyone")])
def test_the_victim_is_told_and_the_others_finish(hostile, agent, run_batch,
                                                  name):
    _, script, expected, words, options = CASES[name]

    def play(conn):
        while request := conn.read_request():
            if b"victim" not in request[1]:
                conn.say("fine")
                continue
            conn.request, conn.server = request, server
            try:
                script(conn)
            except OSError:
                return  # the client had seen enough
            if not options.get("goes_on", False):
                return

    server = hostile(play)
    file = agent(server.url, model=QUICK,
                 **{k: v for k, v in options.items() if k == "budget"})
    check(run_batch(file, lines_of()), expected, words,
          options.get("peak", PEAK))


def test_a_redirect_takes_no_key_elsewhere(hostile, agent, run_batch, skep):
    other_heard = []

    def other(conn):
        if request := conn.read_request():
            other_heard.append(request)
            conn.say("stolen")

    elsewhere = hostile(other)
    seen = []

    def play(conn):
        while request := conn.read_request():
            seen.append(request[0].lower())
            if b"victim" in request[1]:
                conn.answer(307, location=elsewhere.url + "/responses")
            else:
                conn.say("fine")

    skep.env["THE_KEY"] = "sk-very-secret"
    file = agent(hostile(play).url, model=QUICK | {
        "api_key": {"env": "THE_KEY"}})
    outcome = run_batch(file, lines_of())
    check(outcome, "model_rejected", ("redirect", elsewhere.url), PEAK)
    assert all("sk-very-secret" in head for head in seen)
    assert not other_heard and elsewhere.connections == 0


# --- TLS: the whole server is bad, so every run must say so ---

def fine(conn):
    while conn.read_request():
        conn.say("fine")


def everyone(outcome, expected, *words, runs=RUNS):
    check(outcome, expected, words, PEAK,
          victims=tuple(f"t{i}" for i in range(runs)))


@pytest.mark.parametrize("san", [
    "DNS:example.org", "IP:127.0.0.2", "DNS:127.0.0.1", None])
def test_a_certificate_for_somebody_else(hostile, agent, run_batch, place,
                                         san):
    cert, key = h.certificate(place, san=san)
    server = hostile(fine, h.tls_server(cert, key))
    file = agent(server.url, model=QUICK | {"ca_file": str(cert)})
    everyone(run_batch(file, lines_of()), "model_tls", "not for this host")


@pytest.mark.parametrize("start, end, word", [
    ("20200101000000Z", "20210101000000Z", "expired"),
    ("20900101000000Z", "20910101000000Z", "not valid yet")])
def test_a_certificate_of_another_time(hostile, agent, run_batch, place,
                                       start, end, word):
    cert, key = h.dated_certificate(place, start, end)
    server = hostile(fine, h.tls_server(cert, key))
    file = agent(server.url, model=QUICK | {"ca_file": str(cert)})
    everyone(run_batch(file, lines_of()), "model_tls", word)


def test_a_self_signed_certificate(hostile, agent, run_batch, place):
    cert, key = h.certificate(place)
    other, _ = h.certificate(place, name="other")
    server = hostile(fine, h.tls_server(cert, key))
    file = agent(server.url, model=QUICK | {"ca_file": str(other)})
    everyone(run_batch(file, lines_of()), "model_tls", "no trusted authority")


@pytest.mark.parametrize("depth, expected", [
    (5, "finished"), (20, "model_tls"), (100, "model_tls")])
def test_a_chain_of_certificates(hostile, agent, run_batch, place, depth,
                                 expected):
    root, chain, key = h.chained_certificate(place, depth)
    server = hostile(fine, h.tls_server(chain, key))
    file = agent(server.url, model=QUICK | {"ca_file": str(root)})
    everyone(run_batch(file, lines_of()), expected)


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_an_old_version(hostile, agent, run_batch, place, version):
    cert, key = h.certificate(place)
    server = hostile(fine, h.tls_server(
        cert, key, maximum=getattr(ssl.TLSVersion, version)))
    file = agent(server.url, model=QUICK | {"ca_file": str(cert)})
    everyone(run_batch(file, lines_of()), "model_tls")


def test_renegotiation(agent, run_batch, place):
    """openssl's server asks for it in the middle of an answer."""
    cert, key = h.certificate(place)
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert,
         "-key", key, "-tls1_2"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)

    def play():
        for line in server.stdout:
            if line != b"\r\n":
                continue
            server.stdin.write(b"HTTP/1.1 200 OK\r\nContent-Type: ")
            server.stdin.flush()
            time.sleep(0.2)
            server.stdin.write(b"R\n")  # the command, between two writes
            server.stdin.flush()
            asked.append(1)

    asked = []
    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        time.sleep(0.5)
        file = agent(f"https://127.0.0.1:{port}/v1", model=QUICK | {
            "ca_file": str(cert)})
        outcome = run_batch(file, lines_of(runs=1))
    finally:
        server.terminate()
        server.wait()
        thread.join()
        server.stdin.close()
        server.stdout.close()
    assert len(asked) == 2
    everyone(outcome, "model_unavailable", "alert", runs=1)


def test_no_close_notify(hostile, agent, run_batch, place):
    """A body until the end of the connection, whose end proves nothing."""
    cert, key = h.certificate(place)

    def play(conn):
        if not conn.read_request():
            return
        body = json.dumps({"id": "r", "object": "response", "status":
                           "completed", "output": [answers.message("cut?")]})
        conn.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
                  + body)
        conn.sock.detach()  # the descriptor is shut by nobody ...
        time.sleep(0.1)

    server = hostile(play, h.tls_server(cert, key))
    real = server._serve

    def serve(sock, number):
        fd = os.dup(sock.fileno())
        real(sock, number)
        with socket.socket(fileno=fd) as left:  # ... but here, by FIN alone
            left.shutdown(socket.SHUT_RDWR)

    server._serve = serve
    file = agent(server.url, model=QUICK | {"ca_file": str(cert)})
    everyone(run_batch(file, lines_of()), "model_unavailable")


def test_records_of_one_byte(hostile, agent, run_batch, place):
    cert, key = h.certificate(place)

    def play(conn):
        send = conn.send
        conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send_bytes(data):
            data = data.encode() if isinstance(data, str) else data
            for i in range(len(data)):
                send(data[i:i + 1])

        while conn.read_request():
            conn.send = send_bytes
            conn.say("fine")
            conn.send = send

    server = hostile(play, h.tls_server(cert, key))
    file = agent(server.url, model=QUICK | {"ca_file": str(cert),
                                            "idle_seconds": 20,
                                            "first_byte_seconds": 20})
    everyone(run_batch(file, lines_of(runs=5)), "finished", runs=5)


# --- HTTP/2: one victim's stream among twenty on one connection ---

def rapid_reset(c, stream):
    for _ in range(20000):
        c.send(h2.frame(h2.RST_STREAM, 0, stream, b"\0\0\0\x08"))


def continuation_flood(c, stream):
    c.send(h2.frame(h2.HEADERS, 0, stream, h2.SSE_HEAD))
    for _ in range(20000):
        c.send(h2.frame(h2.CONTINUATION, 0, stream, b""))


def continuation_of_fields(c, stream):
    c.send(h2.frame(h2.HEADERS, 0, stream, h2.SSE_HEAD))
    for i in range(3000):
        c.send(h2.frame(h2.CONTINUATION, 0, stream,
                        h2.field(b"x%d" % i, b"y" * 100) * 20))


def hpack_bomb(c, stream):
    """One field of 3,000 bytes goes into the table, then an octet each."""
    entry = b"\x40\x01a\x7f" + bytes([0x80 | (2873 & 0x7f), 2873 >> 7]) + \
        b"x" * 3000
    c.send(h2.frame(h2.HEADERS, h2.END_HEADERS, stream,
                    h2.STATUS_200 + entry + b"\xbe" * 12000))


def settings_flood(c, stream):
    for _ in range(20000):
        c.send(h2.frame(h2.SETTINGS))


def ping_flood(c, stream):
    for _ in range(20000):
        c.send(h2.frame(h2.PING, 0, 0, bytes(8)))


def push_promise(c, stream):
    c.send(h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, stream,
                    b"\0\0\0\2\x82\x86\x84"))
    c.say(stream, "fine")


def goaway_at_once(c, stream):
    c.send(h2.frame(h2.GOAWAY, 0, 0, struct.pack(">II", 0, 0)))


def data_on_no_stream(c, stream):
    c.send(h2.frame(h2.DATA, 0, 0, b"abc"))


def frame_too_large(c, stream):
    c.send(b"\xff\xff\xff" + bytes([h2.DATA, 0]) + struct.pack(">I", stream))


H2_CASES = [
    ("h2 rapid reset", rapid_reset, "model_unreachable"),
    ("h2 CONTINUATION flood", continuation_flood, "model_protocol"),
    ("h2 CONTINUATION flood", continuation_of_fields, "model_protocol"),
    ("h2 HPACK bomb", hpack_bomb, "model_protocol"),
    ("h2 settings flood", settings_flood, "model_protocol"),
    ("h2 settings flood", ping_flood, "model_protocol"),
    ("h2 PUSH_PROMISE", push_promise, "model_protocol"),
    ("h2 rapid reset", goaway_at_once, "model_unreachable"),
    ("h2 rapid reset", data_on_no_stream, "model_protocol"),
    ("h2 rapid reset", frame_too_large, "model_protocol"),
]


@pytest.fixture
def h2_server(hostile, place):
    """h2_server(script): others wait on the first connection, which may be
    lost under them, and are answered at once on later ones."""
    def start(script):
        cert, key = h.certificate(place)
        server = hostile(lambda conn: play_http2(conn, script),
                         h.tls_server(cert, key, alpn=["h2"]))
        return server, {
            "ca_file": str(cert), "first_byte_seconds": 5,
            "retry": {"attempts": 3, "base_ms": 1, "max_ms": 10}}
    return start


def play_http2(conn, script):
    c, waiting, victim = h2.H2(conn), [], None
    requests = c.requests()
    conn.sock.settimeout(0.4)
    while True:
        try:
            stream, body = next(requests)
        except TimeoutError:  # all that will come is there
            requests = c.requests()
            if victim is not None:
                script(c, victim)
                victim = None
            for other in waiting:
                c.say(other, "fine")
            waiting = []
            continue
        if b"victim" in body:
            victim = stream
        elif conn.number > 0:
            c.say(stream, "fine")
        else:
            waiting.append(stream)


@pytest.mark.parametrize("peer, script, expected", H2_CASES,
                         ids=lambda x: getattr(x, "__name__", ""))
def test_http2_at_its_worst(h2_server, agent, run_batch, peer, script,
                            expected):
    server, model = h2_server(script)
    check(run_batch(agent(server.url, model=QUICK | model), lines_of()),
          expected, (), PEAK)


def test_one_among_five_hundred(h2_server, agent, run_batch):
    """On one connection, which the victim breaks twice."""
    server, model = h2_server(continuation_flood)
    outcome = run_batch(agent(server.url, model=QUICK | model),
                        lines_of(runs=500), "-j", "500")
    check(outcome, "model_protocol", ("CONTINUATION",), 2 * PEAK)
    assert server.connections <= 4


def test_a_window_that_never_opens(hostile, agent, run_batch, place):
    cert, key = h.certificate(place)

    def play(conn):
        c = h2.H2(conn)
        for stream, body in c.requests():
            if body is not None and b"victim" not in body:
                c.say(stream, "fine")

    server = hostile(play, h.tls_server(cert, key, alpn=["h2"]))
    file = agent(server.url, model=QUICK | {"ca_file": str(cert)})
    outcome = run_batch(file, lines_of(text="victim " + "x" * 200000))
    check(outcome, "model_unavailable", ("no answer after",), PEAK)


# --- DNS: the name is bad for every run ---

def dns_silent_aaaa(name, kind, number):
    return None if kind == "AAAA" else Reply([address("127.0.0.1")])


def dns_nxdomain(name, kind, number):
    return Reply(code=NXDOMAIN)


def dns_servfail(name, kind, number):
    return Reply(code=SERVFAIL)


def dns_slow(name, kind, number):
    return Reply([address("127.0.0.1")] if kind == "A" else [],
                 NOERROR, 10)


def dns_many(name, kind, number):
    if kind == "AAAA":
        return Reply()
    return Reply([address("127.0.0.1")] +
                 [address(f"127.1.{i >> 8}.{i & 255}") for i in range(999)])


def dns_loop(name, kind, number):
    return Reply([alias(name, "b.test"), alias("b.test", name)])


def dns_black_hole(name, kind, number):
    """An address that swallows all: documentation's, routed nowhere."""
    return Reply([address("2001:db8::1" if kind == "AAAA" else "127.0.0.1")])


DNS_CASES = [
    ("DNS NXDOMAIN", dns_nxdomain, "model_unreachable", 1),
    ("DNS SERVFAIL", dns_servfail, "model_unreachable", 1),
    ("DNS 10 s delay", dns_slow, "finished", 1),
    ("DNS 1,000 answers", dns_many, "finished", 2),
    ("DNS CNAME loop", dns_loop, "model_unreachable", 1),
    ("DNS AAAA black hole", dns_black_hole, "finished", 2),
    ("DNS AAAA black hole", dns_silent_aaaa, "finished", 2),
]


@pytest.mark.parametrize("peer, script, expected, attempts", DNS_CASES,
                         ids=lambda x: getattr(x, "__name__", ""))
def test_names_at_their_worst(hostile, agent, run_batch, place, peer, script,
                              expected, attempts):
    cert, key = h.certificate(place, san="DNS:model.test")
    server = hostile(fine, h.tls_server(cert, key))
    with HostileDns(script) as dns:
        file = agent(f"https://model.test:{server.port}/v1", model=QUICK | {
            "ca_file": str(cert), "retry": {"attempts": attempts,
                                            "base_ms": 1}})
        outcome = run_batch(file, lines_of(), "-c",
                            f"engine.dns_servers={dns.address}")
        assert dns.asked["A"] >= 1
        # Twenty runs, but not twenty questions.
        assert dns.asked["A"] + dns.asked["AAAA"] <= 16
    everyone(outcome, expected)
    if expected == "model_unreachable":
        assert "model.test" in outcome.message("t0")


# --- the list is complete ---

ELSEWHERE = {
    "redirect to another origin with Authorization":
        ("test_hostile_peers.py", "test_a_redirect_takes_no_key_elsewhere"),
    "certificate expired":
        ("test_hostile_peers.py", "test_a_certificate_of_another_time"),
    "certificate self-signed":
        ("test_hostile_peers.py", "test_a_self_signed_certificate"),
    "certificate for another host":
        ("test_hostile_peers.py", "test_a_certificate_for_somebody_else"),
    "certificate without SAN":
        ("test_hostile_peers.py", "test_a_certificate_for_somebody_else"),
    "chain of 100":
        ("test_hostile_peers.py", "test_a_chain_of_certificates"),
    "TLS 1.0 only": ("test_hostile_peers.py", "test_an_old_version"),
    "renegotiation": ("test_hostile_peers.py", "test_renegotiation"),
    "no close_notify": ("test_hostile_peers.py", "test_no_close_notify"),
    "1-byte records": ("test_hostile_peers.py", "test_records_of_one_byte"),
    "h2 window stall":
        ("test_hostile_peers.py", "test_a_window_that_never_opens"),
    "server restart in the middle of 500 streams":
        ("test_network.py", "test_a_server_that_restarts_loses_no_run"),
}


def test_every_peer_of_the_list_has_a_case():
    tried = {found[0] for found in CASES.values()}
    tried |= {row[0] for row in H2_CASES} | {row[0] for row in DNS_CASES}
    for peer, (file, name) in ELSEWHERE.items():
        text = (REPO / "tests/blackbox" / file).read_text(encoding="utf-8")
        assert f"def {name}(" in text
        tried.add(peer)
    assert tried == set(PEERS)
