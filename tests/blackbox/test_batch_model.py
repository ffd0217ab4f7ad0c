"""A model's server that misbehaves: what the run's result says."""

import json
import socket
import time

import pytest

import hostile as h
from conftest import say, script, tool

TASK = [{"custom_id": "a", "input": "x"}]
QUICK = {"retry": {"attempts": 2, "base_ms": 1, "max_ms": 10,
                   "retry_after_max_seconds": 5},
         "first_byte_seconds": 1, "idle_seconds": 1}


@pytest.fixture
def ask(batch, agent, tasks):
    """ask(url, **model settings): the result of one task."""
    def run(url, **model):
        done = batch(agent(url, model=QUICK | model), tasks(TASK))
        return done.of("a")
    return run


def code(result):
    return result["error"]["code"] if result["error"] else result["status"]


def test_nobody_listens(ask):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        result = ask(f"http://127.0.0.1:{port}/v1")
    assert code(result) == "model_unreachable"
    assert str(port) in result["error"]["message"]


@pytest.mark.parametrize("status, expected", [
    (400, "model_rejected"), (401, "model_auth"), (403, "model_auth"),
    (404, "model_rejected"), (422, "model_rejected"),
    (429, "model_rate_limited"), (500, "model_unavailable"),
    (502, "model_unavailable"), (503, "model_unavailable"),
    (529, "model_unavailable"), (501, "model_rejected"),
    (302, "model_rejected"),
])
def test_statuses(ask, hostile, status, expected):
    seen = []

    def play(conn):
        while request := conn.read_request():
            seen.append(request[0])
            conn.answer(status, json.dumps(
                {"error": {"message": "so it is", "code": "x"}}))

    result = ask(hostile(play).url)
    assert code(result) == expected
    assert str(status) in result["error"]["message"]
    retried = status in (429, 500, 502, 503, 529)
    assert len(seen) == (2 if retried else 1)
    assert status == 302 or "so it is" in result["error"]["message"]


def test_the_number_of_the_attempt_is_told(ask, hostile):
    seen = []

    def play(conn):
        while request := conn.read_request():
            seen.append(next(
                (line.split(":")[1].strip()
                 for line in request[0].lower().split("\r\n")
                 if line.startswith("x-stainless-retry-count")), None))
            if len(seen) < 3:
                conn.answer(500)
            else:
                conn.say("At last.")

    result = ask(hostile(play).url, retry={"attempts": 5, "base_ms": 1})
    assert result["response"]["output_text"] == "At last."
    assert seen[1:] == ["1", "2"] and seen[0] in ("0", None)


def test_retry_after_is_honoured(ask, hostile):
    at = []

    def play(conn):
        while conn.read_request():
            at.append(time.monotonic())
            if len(at) == 1:
                conn.answer(429, retry_after="1")
            else:
                conn.say("Thanks.")

    assert code(ask(hostile(play).url)) == "finished"
    assert at[1] - at[0] >= 0.9


@pytest.mark.parametrize("after", ["1000000000", "99999999999999999999"])
def test_a_retry_after_beyond_reason_gives_up_at_once(ask, hostile, after):
    def play(conn):
        while conn.read_request():
            conn.answer(429, retry_after=after)

    assert code(ask(hostile(play).url)) == "model_rate_limited"


def garbage(conn):
    conn.send(b"\x00\xff\x16\x03\r\n\r\n")


def no_answer(conn):
    conn.wait_for_end()


def closes(conn):
    pass


def resets(conn):
    conn.reset()


def cut_in_the_middle(conn):
    conn.stream_head()
    conn.event(type="response.created", response={"id": "r"})


def stalls_in_the_middle(conn):
    cut_in_the_middle(conn)
    conn.wait_for_end()


def bad_json(conn):
    conn.stream_head()
    conn.chunk("data: {\"type\": \"response.created\", oops\n\n")
    conn.end()


def html(conn):
    conn.answer(200, "<html>Log in first</html>", kind="text/html")


def bad_chunk(conn):
    conn.stream_head()
    conn.send("zz\r\n")


def wrong_length(conn):
    conn.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
              "content-length: 5000\r\n\r\n{}")


def huge_head(conn):
    conn.send("HTTP/1.1 200 OK\r\n")
    for i in range(20000):
        conn.send(f"x-{i}: {'y' * 100}\r\n")


def many_interim(conn):
    for _ in range(1000):
        conn.send("HTTP/1.1 103 Early Hints\r\n\r\n")
    conn.wait_for_end()


def failed_event(conn):
    conn.stream_head()
    conn.event(type="response.failed", response={
        "id": "r", "status": "failed", "error": {
            "code": "server_error", "message": "the engine room is on fire"}})
    conn.end()


def incomplete(conn):
    conn.stream_head()
    conn.event(type="response.incomplete", response={
        "id": "r", "status": "incomplete", "output": [],
        "incomplete_details": {"reason": "max_output_tokens"}})
    conn.end()


@pytest.mark.parametrize("play, expected", [
    (garbage, "model_protocol"), (no_answer, "model_unavailable"),
    (closes, "model_unreachable"), (resets, "model_unreachable"),
    (cut_in_the_middle, "model_unavailable"),
    (stalls_in_the_middle, "model_unavailable"),
    (bad_json, "model_protocol"), (html, "model_protocol"),
    (bad_chunk, "model_protocol"), (wrong_length, "model_unavailable"),
    (huge_head, "model_protocol"), (many_interim, "model_protocol"),
    (failed_event, "model_unavailable"), (incomplete, "model_incomplete"),
], ids=lambda x: getattr(x, "__name__", x))
def test_answers_that_are_none(ask, hostile, play, expected):
    def serve(conn):
        if conn.read_request():
            play(conn)

    result = ask(hostile(serve).url)
    assert code(result) == expected
    assert result["error"]["message"]


def test_nothing_of_a_cut_answer_is_kept(ask, hostile):
    def play(conn):
        if not conn.read_request():
            return
        if conn.number == 0:
            conn.stream_head()
            conn.event(type="response.output_text.delta", output_index=0,
                       content_index=0, item_id="m", delta="half of ")
            return
        conn.say("the whole")

    result = ask(hostile(play).url)
    assert result["response"]["output_text"] == "the whole"


class Certificates:
    def __init__(self, place):
        self.place = place

    def server(self, **options):
        cert, key = h.certificate(self.place, **options)
        return cert, h.tls_server(cert, key)


def answer(conn):
    while conn.read_request():
        conn.say("Hello over TLS.")


def test_tls_with_the_right_certificate(ask, hostile, place):
    cert, tls = Certificates(place).server()
    result = ask(hostile(answer, tls).url, ca_file=str(cert))
    assert result["response"]["output_text"] == "Hello over TLS."


@pytest.mark.parametrize("options", [
    {"san": "DNS:example.org"}, {"san": "IP:127.0.0.2"}, {"san": None},
], ids=["other-name", "other-address", "no-san"])
def test_tls_with_a_wrong_certificate(ask, hostile, place, options):
    cert, tls = Certificates(place).server(**options)
    result = ask(hostile(answer, tls).url, ca_file=str(cert))
    assert code(result) == "model_tls"


def test_tls_with_an_unknown_authority(ask, hostile, place):
    certificates = Certificates(place)
    _, tls = certificates.server()
    other, _ = certificates.server(name="other")
    result = ask(hostile(answer, tls).url, ca_file=str(other))
    assert code(result) == "model_tls"


def test_a_plain_server_where_tls_is_expected(ask, hostile):
    url = hostile(answer).url.replace("http:", "https:")
    assert code(ask(url)) == "model_tls"


def test_an_old_tls_version_is_refused(ask, hostile, place):
    import ssl
    cert, key = h.certificate(place)
    tls = h.tls_server(cert, key, maximum=ssl.TLSVersion.TLSv1_1)
    assert code(ask(hostile(answer, tls).url, ca_file=str(cert))) \
        == "model_tls"


def test_the_key_reaches_the_server_and_nothing_else(
        batch, agent, tasks, hostile, skep):
    seen = []

    def play(conn):
        while request := conn.read_request():
            seen.append(request[0])
            conn.answer(401, '{"error": {"message": "bad key sk-very-secret"}}')

    file = agent(hostile(play).url,
                 model=QUICK | {"api_key": {"env": "THE_KEY"}})
    done = batch(file, tasks(TASK), "-v", "-v",
                 env={"THE_KEY": "sk-very-secret"})
    assert "authorization: bearer sk-very-secret" in seen[0].lower()
    assert done.codes() == {"a": "model_auth"}
    assert "sk-very-secret" not in done.err + json.dumps(done.results)
    for path in skep.state.rglob("*"):
        if path.is_file():
            assert b"sk-very-secret" not in path.read_bytes()


def test_an_unknown_tool_is_told_to_the_model(batch, agent, mock, tasks):
    server = mock(script(
        tool("make_coffee", 0, cups=2),
        {"when": {"last_output": "*make_coffee*"},
         "reply": [{"text": "Understood."}]},
        say("${last_output}")))
    done = batch(agent(server), tasks(TASK))
    assert done.of("a")["response"]["output_text"] == "Understood."


@pytest.mark.parametrize("arguments", [
    "{", "[]", "7", "", '{"cmd": 7}', '{"command": "ls"}', "{}",
])
def test_malformed_arguments_are_told_to_the_model(
        batch, agent, mock, tasks, arguments):
    server = mock(script(
        {"when": {"turn": 0}, "reply": [{"item": {
            "type": "function_call", "id": "fc_1", "call_id": "call_1",
            "name": "exec_command", "arguments": arguments,
            "status": "completed"}}]},
        {"when": {"turn": 1}, "reply": [{"text": "${last_output}"}]}))
    result = batch(agent(server), tasks(TASK)).of("a")
    assert result["status"] == "finished"
    assert result["response"]["output_text"]


def test_endless_tool_calls_end_with_the_budget(batch, agent, mock, tasks):
    server = mock(script(tool("exec_command", cmd="true")))
    done = batch(agent(server, budget={"turns": 4}), tasks(TASK))
    assert done.codes() == {"a": "budget_turns"}
    assert server.stats()["requests"] in (4, 5)  # /stats may count itself


def test_the_wall_budget_ends_a_run(batch, agent, mock, tasks):
    server = mock(script(tool("exec_command", cmd="sleep 50",
                              yield_time_ms=30000)))
    done = batch(agent(server, budget={"wall_seconds": 1}), tasks(TASK))
    assert done.codes() == {"a": "budget_wall"}


def test_the_token_budget_ends_a_run(batch, agent, mock, tasks):
    server = mock(script(tool("exec_command", cmd="true") |
                         {"usage": {"input_tokens": 500,
                                    "output_tokens": 100}}))
    done = batch(agent(server, budget={"tokens": 1000}), tasks(TASK))
    assert done.codes() == {"a": "budget_tokens"}


def test_usage_is_added_up(batch, agent, mock, tasks):
    usage = {"usage": {"input_tokens": 100, "output_tokens": 10,
                       "cached_tokens": 40}}
    server = mock(script(tool("exec_command", 0, cmd="true") | usage,
                         say("Done.") | usage))
    result = batch(agent(server), tasks(TASK)).of("a")
    assert result["usage"]["input_tokens"] == 200
    assert result["usage"]["output_tokens"] == 20


def test_a_refusal_is_its_own_error(batch, agent, mock, tasks):
    server = mock(script({"when": {}, "reply": [{"refusal": "I will not."}]}))
    done = batch(agent(server), tasks(TASK))
    assert done.codes() == {"a": "model_refused"}
    said = done.results[0]["error"]["message"]
    assert "the model refused: I will not." in said
    assert "waiting" not in said


def test_one_bad_server_does_not_hurt_the_others(
        batch, agent, mock, tasks):
    """Every third request is reset, stalled or answered with 500."""
    server = mock(script(
        *({"when": {"input": f"*case {k}*", "attempt": 0},
           "reply": [{"text": "no"}], "fault": fault}
          for k, fault in enumerate([
              {"status": 500}, {"after_bytes": 100, "then": "reset"},
              {"after_bytes": 50, "then": "close"}])),
        say("Done.")))
    lines = [{"custom_id": f"t{i}", "input": f"case {i % 9}"}
             for i in range(90)]
    done = batch(agent(server, model={"retry": {"attempts": 3,
                                                "base_ms": 1}}),
                 tasks(lines), "-j", "30")
    assert set(done.codes().values()) == {"finished"}
    assert len(done.results) == 90
