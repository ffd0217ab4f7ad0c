"""The scripted model server: skep mock."""

import http.client
import json
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse

import pytest

from conftest import say, script, tool, wait_until


class Client:
    """Requests to a mock, one connection each unless kept."""

    def __init__(self, server):
        url = urllib.parse.urlsplit(server.url)
        self.host, self.port, self.ca = url.hostname, url.port, server.ca_file

    def connect(self):
        if self.ca:
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=20,
                context=ssl.create_default_context(cafile=self.ca))
        return http.client.HTTPConnection(self.host, self.port, timeout=20)

    def post(self, path, body, headers=None, connection=None):
        c = connection or self.connect()
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        c.request("POST", path, body, headers or {})
        answer = c.getresponse()
        answer.content = answer.read()
        if connection is None:
            c.close()
        return answer

    def ask(self, input="hello", headers=None, **more):
        body = {"model": "scripted", "input": input} | more
        answer = self.post("/v1/responses", body, headers)
        return answer.status, json.loads(answer.content)

    def text(self, *args, **more):
        status, body = self.ask(*args, **more)
        assert status == 200, body
        return "".join(part["text"] for item in body["output"]
                       if item["type"] == "message"
                       for part in item["content"])


def events(content):
    """[(event, data)] of a stream of server-sent events."""
    found = []
    for block in content.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "data" in fields:
            data = fields["data"]
            found.append((fields.get("event"),
                          data if data == "[DONE]" else json.loads(data)))
    return found


def user(text):
    return {"role": "user", "content": text}


def call(n):
    return {"type": "function_call", "call_id": f"c{n}", "name": "t",
            "arguments": "{}"}


def output(n, text):
    return {"type": "function_call_output", "call_id": f"c{n}",
            "output": text}


@pytest.fixture
def client(mock):
    def start(*rules, options=(), **more):
        return Client(mock(script(*rules) | more, *options))
    return start


# --- rules ---

def test_the_first_rule_that_holds_answers(client):
    c = client(say("one", when={"input": "*first*"}),
               say("two", when={"input": "*"}), say("never"))
    assert c.text("the first of all") == "one"
    assert c.text("another") == "two"


def test_all_members_of_when_must_hold(client):
    c = client(say("both", when={"model": "big-*", "input": "*x*"}),
               say("neither"))
    assert c.text("x", model="big-1") == "both"
    assert c.text("x", model="small-1") == "neither"
    assert c.text("y", model="big-1") == "neither"


def test_no_rule_is_a_404_that_says_so(client):
    status, body = client(say("x", when={"input": "x"})).ask(
        "y\n" + 30 * "\u20ac", model="big")
    assert status == 404
    message = body["error"]["message"]
    assert message.startswith(
        'no rule of the script matches this request: turn 0, model "big", '
        'input "y \u20ac')
    assert message.endswith('..."' + ', last_output ""')


def test_turns_are_counted_in_the_request(client):
    c = client(say("turn zero", when={"turn": 0}),
               say("turn one", when={"turn": 1}),
               say("turn two", when={"turn": 2}))
    history = [user("go")]
    assert c.text(history) == "turn zero"
    # Reasoning, a message and two parallel calls are one turn.
    history += [{"type": "reasoning", "id": "r", "summary": []},
                {"role": "assistant", "content": "hm"}, call(1), call(2),
                output(1, "a"), output(2, "b")]
    assert c.text(history) == "turn one"
    history += [call(3), output(3, "c")]
    assert c.text(history) == "turn two"


def test_the_last_output_of_any_kind_of_tool_counts(client):
    c = client(say("bad", when={"last_output": "*error*"}), say("good"))
    assert c.text([user("x"), call(1), output(1, "an error here")]) == "bad"
    assert c.text([user("x"), call(1), output(1, "error"),
                   call(2), output(2, "fine")]) == "good"
    shell = {"type": "shell_call_output", "call_id": "s", "output": [
        {"stdout": "fine\n", "stderr": "", "outcome": {"type": "timeout"}},
        {"stdout": "", "stderr": "error", "outcome": {
            "type": "exit", "exit_code": 1}}]}
    assert c.text([user("x"), shell]) == "bad"
    echo = client(say("${last_output}"))
    assert echo.text([user("x"), shell]) == (
        "fine\n\nstatus: timeout\n\nstderr:\nerror\nexit code: 1")
    parts = [{"type": "input_text", "text": "an "},
             {"type": "input_text", "text": "error"}]
    assert c.text([user("x"), call(1), output(1, parts)]) == "bad"


def test_headers_and_attempts_choose_rules(client):
    c = client(say("case a", when={"header": {"x-case": "a*"}}),
               say("again", when={"attempt": 1}), say("first"))
    assert c.text("x", headers={"X-Case": "abc"}) == "case a"
    assert c.text("x", headers={"X-Case": "b"}) == "first"
    assert c.text("x", headers={"x-stainless-retry-count": "1"}) == "again"
    assert c.text("x") == "first"


def test_input_is_all_user_messages_joined_by_newlines(client):
    c = client(say("[${input}]"))
    parts = [{"type": "input_text", "text": "b"}]
    assert c.text([{"role": "system", "content": "s"}, user("a"),
                   {"role": "assistant", "content": "m"},
                   {"type": "message", "role": "user", "content": parts}]) \
        == "[a\nb]"


# --- templates ---

def test_names_are_set_by_regular_expressions(client):
    c = client(say("${path}+${out}+${case}+${none}|${turn}|$${path}|${HOME}",
                   set={"path": {"from": "input", "match": "file=([^ ]+)"},
                        "out": {"from": "last_output", "match": "^n=[0-9]+"},
                        "case": {"from": "header:x-case", "match": "(.*)"},
                        "none": {"from": "input", "match": "zzz"}}))
    assert c.text([user("do file=a.txt now"), call(1), output(1, "n=42 x")],
                  headers={"x-case": "C"}) \
        == "a.txt+n=42+C+|1|${path}|${HOME}"


def test_values_are_escaped_where_they_stand_inside_json(client):
    c = client({"reply": [{"tool": "t", "arguments": {
        "cmd": "cat \"${input}\""}}]})
    nasty = "a\"b\\c\n\u0001é${turn}"
    item = c.ask(nasty)[1]["output"][0]
    assert json.loads(item["arguments"])["cmd"] == f'cat "{nasty}"'


def test_the_same_request_gets_the_same_answer(client):
    c = client(tool("t", a=1))
    first, again = c.ask("x")[1], c.ask("x")[1]
    assert first["output"] == again["output"]
    assert first["id"] == again["id"]
    assert c.ask("y")[1]["id"] != first["id"]


# --- the three dialects ---

PARTS = {"reply": [{"reasoning": "Let me think."}, {"text": "Grüße, 世界!"},
                   {"tool": "run", "arguments": {"cmd": "ls"}},
                   {"tool": "patch", "input": "*** Begin"}],
         "usage": {"input_tokens": 120, "output_tokens": 15,
                   "cached_tokens": 100, "reasoning_tokens": 5},
         "timing": {"chunk_chars": 3}}


def test_a_streamed_response_adds_up_to_the_whole_one(client):
    c = client(PARTS)
    whole = c.ask("x", stream=False)[1]
    answer = c.post("/v1/responses",
                    {"model": "scripted", "input": "x", "stream": True})
    assert answer.getheader("content-type").startswith("text/event-stream")
    stream = events(answer.content)
    assert [data["sequence_number"] for _, data in stream] \
        == list(range(len(stream)))
    assert all(name == data["type"] for name, data in stream)
    assert stream[0][0] == "response.created"
    final = stream[-1][1]
    assert final["type"] == "response.completed"
    assert [i["type"] for i in whole["output"]] == [
        "reasoning", "message", "function_call", "custom_tool_call"]
    done = [data["item"] for name, data in stream
            if name == "response.output_item.done"]
    assert done == final["response"]["output"]

    def pieces(kind):
        return [d["delta"] for n, d in stream if n == f"response.{kind}.delta"]
    assert "".join(pieces("output_text")) == "Grüße, 世界!"
    assert max(map(len, pieces("output_text"))) == 3
    assert "".join(pieces("function_call_arguments")) == '{"cmd":"ls"}'
    assert "".join(pieces("custom_tool_call_input")) == "*** Begin"
    assert "".join(pieces("reasoning_summary_text")) == "Let me think."
    for response in (whole, final["response"]):
        assert response["usage"] == {
            "input_tokens": 120, "output_tokens": 15, "total_tokens": 135,
            "input_tokens_details": {
                "cached_tokens": 100, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 5}}


def test_encrypted_reasoning_only_when_asked_for(client):
    c = client(PARTS)
    assert "encrypted_content" not in c.ask("x")[1]["output"][0]
    assert c.ask("x", include=["reasoning.encrypted_content"])[1][
        "output"][0]["encrypted_content"]


def test_native_tools_are_called_natively(client):
    c = client({"reply": [{"tool": "shell", "arguments": {
        "commands": ["ls"]}}]})
    assert c.ask("x")[1]["output"][0]["type"] == "function_call"
    item = c.ask("x", tools=[{"type": "shell"}])[1]["output"][0]
    assert item["type"] == "shell_call"
    assert item["action"] == {"commands": ["ls"]}


def test_a_verbatim_item_and_a_refusal(client):
    c = client({"reply": [{"item": {"type": "web_search_call", "id": "w"}},
                          {"refusal": "No."}]})
    output = c.ask("x")[1]["output"]
    assert output[0] == {"type": "web_search_call", "id": "w"}
    assert output[1]["content"][0] == {"type": "refusal", "refusal": "No."}
    body = {"model": "m", "input": "x", "stream": True}
    names = [n for n, _ in events(c.post("/v1/responses", body).content)]
    assert "response.refusal.delta" in names


def test_arguments_that_are_no_json_are_sent_as_they_are(client):
    c = client({"reply": [{"tool": "t", "arguments": "{broken"}]})
    assert c.ask("x")[1]["output"][0]["arguments"] == "{broken"


def test_chat_completions(client):
    c = client(say("again", when={"last_output": "42", "turn": 1}), PARTS)
    ask = {"model": "m", "messages": [
        {"role": "system", "content": "s"}, user("x")]}
    whole = json.loads(c.post("/v1/chat/completions", ask).content)
    message = whole["choices"][0]["message"]
    assert message["content"] == "Grüße, 世界!"
    assert [t["function"]["name"] for t in message["tool_calls"]] \
        == ["run", "patch"]
    assert json.loads(message["tool_calls"][1]["function"]["arguments"]) \
        == {"input": "*** Begin"}
    assert whole["choices"][0]["finish_reason"] == "tool_calls"
    assert whole["usage"]["total_tokens"] == 135

    chunks = [d for _, d in events(c.post("/v1/chat/completions", ask | {
        "stream": True, "stream_options": {"include_usage": True}}).content)]
    assert chunks.pop() == "[DONE]"
    assert chunks.pop()["usage"] == whole["usage"]
    deltas = [d["choices"][0]["delta"] for d in chunks]
    assert "".join(d.get("content") or "" for d in deltas) == "Grüße, 世界!"
    calls = {}
    for d in deltas:
        for t in d.get("tool_calls", []):
            calls[t["index"]] = calls.get(t["index"], "") \
                + t["function"]["arguments"]
    assert calls == {0: '{"cmd":"ls"}', 1: '{"input":"*** Begin"}'}

    ask["messages"] += [{"role": "assistant", "tool_calls": []},
                        {"role": "tool", "tool_call_id": "c",
                         "content": "42"}]
    again = json.loads(c.post("/v1/chat/completions", ask).content)
    assert again["choices"][0]["message"]["content"] == "again"
    assert again["choices"][0]["finish_reason"] == "stop"


def test_messages(client):
    c = client(say("again", when={"last_output": "42", "turn": 1,
                                  "input": "x"}), PARTS)
    ask = {"model": "m", "max_tokens": 10, "messages": [user("x")]}
    whole = json.loads(c.post("/v1/messages", ask).content)
    assert [b["type"] for b in whole["content"]] \
        == ["thinking", "text", "tool_use", "tool_use"]
    assert whole["content"][2]["input"] == {"cmd": "ls"}
    assert whole["stop_reason"] == "tool_use"
    assert whole["usage"]["input_tokens"] == 20
    assert whole["usage"]["cache_read_input_tokens"] == 100

    stream = events(c.post("/v1/messages", ask | {"stream": True}).content)
    assert all(name == data["type"] for name, data in stream)
    assert stream[0][0] == "message_start"
    assert [n for n, _ in stream[-2:]] == ["message_delta", "message_stop"]
    inputs = [d["delta"]["partial_json"] for n, d in stream
              if n == "content_block_delta" and d["index"] == 2]
    assert json.loads("".join(inputs)) == {"cmd": "ls"}

    ask["messages"] += [
        {"role": "assistant", "content": whole["content"]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c", "content": [
                {"type": "text", "text": "42"}]}]}]
    again = json.loads(c.post("/v1/messages", ask).content)
    assert again["content"] == [{"type": "text", "text": "again"}]
    assert again["stop_reason"] == "end_turn"


# --- timing and faults ---

def test_chunks_come_apart(client):
    c = client(say("abcdefgh", timing={
        "first_byte_ms": 20, "chunk_ms": 20, "chunk_chars": 2}))
    k = c.connect()
    k.request("POST", "/v1/responses", json.dumps(
        {"model": "m", "input": "x", "stream": True}))
    answer = k.getresponse()
    reads = []
    while piece := answer.read1():
        reads.append(piece)
    k.close()
    deltas = [d["delta"] for n, d in events(b"".join(reads))
              if n == "response.output_text.delta"]
    assert deltas == ["ab", "cd", "ef", "gh"]
    assert len(reads) >= 4


def test_a_scripted_status_with_headers_and_body(client):
    c = client({"fault": {"status": 429, "headers": {"retry-after": "7"},
                          "body": {"error": {"code": "slow_down"}}}})
    answer = c.post("/v1/responses", {"model": "m", "input": "x"})
    assert answer.status == 429
    assert answer.getheader("retry-after") == "7"
    assert json.loads(answer.content) == {"error": {"code": "slow_down"}}
    c = client({"fault": {"status": 529}})
    assert c.ask("x")[0] == 529


def raw(client, stream=True):
    """What comes back on a socket, and how it ends."""
    body = json.dumps({"model": "m", "input": "x", "stream": stream})
    s = socket.create_connection((client.host, client.port), 20)
    s.sendall(f"POST /v1/responses HTTP/1.1\r\nHost: h\r\nContent-Length: "
              f"{len(body)}\r\n\r\n{body}".encode())
    received = b""
    try:
        while piece := s.recv(65536):
            received += piece
        end = "end"
    except ConnectionResetError:
        end = "reset"
    except TimeoutError:
        end = "silence"
    s.close()
    return received, end


@pytest.mark.parametrize("then,end", [("reset", "reset"), ("close", "end")])
def test_an_answer_cut_in_the_middle(client, then, end):
    c = client(say("x" * 1000, fault={"after_bytes": 500, "then": then}))
    received, how = raw(c)
    assert how == end
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"event: response.created" in received
    assert not received.endswith(b"0\r\n\r\n")
    body = received.split(b"\r\n\r\n", 1)[1]
    assert 500 <= len(body) < 600


def test_nothing_at_all_before_a_reset(client):
    c = client(say("x", fault={"after_bytes": 0, "then": "reset"}))
    assert raw(c) == (b"", "reset")


def test_garbage_in_the_middle(client):
    c = client(say("x" * 1000, fault={"after_bytes": 100, "then": "garbage"}))
    received, _ = raw(c)
    assert b"garbage \xff\xfe" in received


def test_garbage_over_http2_breaks_the_connection(skep, batch, agent, mock,
                                                 tasks):
    """Other streams of it are lost as well, and all are tried again."""
    server = mock(script(
        say("x" * 1000, when={"input": "*bad*", "attempt": 0},
            timing={"first_byte_ms": 100},
            fault={"after_bytes": 100, "then": "garbage"}),
        say("no", when={"input": "*early*", "attempt": 0},
            fault={"after_bytes": 0, "then": "garbage"}),
        say("Done.", timing={"first_byte_ms": 300})), "--tls")
    file = agent(server, model={"retry": {"attempts": 5, "base_ms": 1}})
    done = batch(file, tasks(
        [{"custom_id": "bad", "input": "bad"}] +
        [{"custom_id": f"t{i}", "input": "good"} for i in range(20)]),
        "-j", "21")
    assert set(done.codes().values()) == {"finished"}, done.err
    assert server.stats()["requests"] >= 22
    done = batch(file, tasks([{"custom_id": "e", "input": "early"}],
                             "e.jsonl"))
    assert done.codes() == {"e": "finished"}
    once = agent(server, model={"retry": {"attempts": 1}})
    done = batch(once, tasks([{"custom_id": "o", "input": "bad"}], "o.jsonl"))
    assert done.codes() == {"o": "model_protocol"}
    assert "HTTP/2" in done.of("o")["error"]["message"]


def test_the_limit_changes_with_the_requests_let_in(batch, agent, mock,
                                                    tasks):
    server = mock(script(say("Done.", timing={"first_byte_ms": 50})) | {
        "in_flight_max": 20, "in_flight_steps": [
            {"after": 100, "max": 10}, {"after": 200, "max": 40},
            {"after": 380, "max": 0}]}, "--tls")
    done = batch(agent(server), tasks(
        [{"custom_id": f"t{i}", "input": "x"} for i in range(400)]),
        "-j", "200")
    assert set(done.codes().values()) == {"finished"}
    steps = server.stats()["steps"]
    assert [s["max"] for s in steps] == [20, 10, 40, 0]
    assert [s["let_in"] for s in steps] == [100, 100, 180, 20]
    assert steps[0]["refused"] > 0 and steps[3]["refused"] == 0


def test_steps_must_come_one_after_the_other(skep, place):
    file = place / "m.json"
    file.write_text(json.dumps(script(say("x")) | {"in_flight_steps": [
        {"after": 5, "max": 1}, {"after": 5, "max": 2}]}))
    done = skep.run("check", "--kind", "mock", file)
    assert done.status == 65 and "after the one before" in done.out + done.err


@pytest.mark.parametrize("certificate, expected, said", [
    ("good", "finished", ""), ("expired", "model_tls", "expired"),
    ("future", "model_tls", "not valid yet"),
    ("other_host", "model_tls", "not for this host"),
    ("unknown", "model_tls", "no trusted authority")])
def test_certificates_that_are_bad_in_one_way(batch, agent, mock, tasks,
                                              certificate, expected, said):
    server = mock(script(say("Done.")) | {"certificate": certificate},
                  "--tls")
    done = batch(agent(server), tasks([{"custom_id": "a", "input": "x"}]))
    assert done.codes() == {"a": expected}
    if said:
        assert said in done.of("a")["error"]["message"]


def test_goaway_ends_a_connection_in_order(batch, agent, mock, tasks):
    """Every fifth answer says it, before its head or behind some bytes."""
    server = mock(script(
        say("Last.", when={"input": "*case 0*"}, timing={"first_byte_ms": 40},
            fault={"after_bytes": 0, "then": "goaway"}),
        say("Last." * 20, when={"input": "*case 5*"},
            fault={"after_bytes": 300, "then": "goaway"}),
        say("Done.", timing={"first_byte_ms": 60})), "--tls")
    once = agent(server, model={"retry": {"attempts": 1}})
    done = batch(once, tasks([
        {"custom_id": f"t{i}", "input": f"case {i % 10}"}
        for i in range(200)]), "-j", "20")
    # None is tried again: what was refused had not been looked at.
    assert set(done.codes().values()) == {"finished"}, done.results
    assert done.of("t5")["response"]["output_text"] == "Last." * 20
    stats = server.stats()
    assert stats["connections"]["accepted"] >= 5
    assert stats["answers"] == {"200": 200}


def test_goaway_over_http1_closes(client):
    c = client(say("x", fault={"after_bytes": 0, "then": "goaway"}))
    received, how = raw(c)
    assert how == "end" and received.endswith(b"0\r\n\r\n")
    assert b"Connection: close" in received


def test_a_stall_lasts_until_the_client_leaves(client, mock):
    server = mock(script(say("x" * 100, fault={
        "after_bytes": 200, "then": "stall"})))
    c = Client(server)
    k = socket.create_connection((c.host, c.port), 0.3)
    body = b'{"model":"m","input":"x","stream":true}'
    k.sendall(b"POST /v1/responses HTTP/1.1\r\nHost: h\r\nContent-Length: "
              b"%d\r\n\r\n%s" % (len(body), body))
    received = b""
    with pytest.raises(TimeoutError):
        while True:
            received += k.recv(65536)
    assert b"response.created" in received
    assert server.stats()["in_flight"]["now"] == 1
    k.close()
    assert wait_until(lambda: server.stats()["in_flight"]["now"] == 0)


def test_slow_bytes_are_all_there_in_the_end(client):
    c = client(say("x" * 50, fault={"bytes_per_second": 100000}))
    received, _ = raw_until_done(c)
    assert events(received)[-1][0] == "response.completed"


def raw_until_done(c):
    answer = c.post("/v1/responses",
                    {"model": "m", "input": "x", "stream": True})
    return answer.content, answer.status


def test_more_than_in_flight_max_is_429_with_retry_after(client):
    c = client(say("slow", timing={"first_byte_ms": 700}), in_flight_max=2)
    held = [c.connect() for _ in range(2)]
    body = json.dumps({"model": "m", "input": "x"})
    for k in held:
        k.request("POST", "/v1/responses", body)
    time.sleep(0.2)
    answer = c.post("/v1/responses", body)
    assert answer.status == 429
    assert answer.getheader("retry-after") == "1"
    assert [k.getresponse().status for k in held] == [200, 200]
    for k in held:
        k.close()
    assert c.ask("x")[0] == 200


# --- the server ---

def test_stats_count_what_happened(mock):
    server = mock(script(say("x", when={"input": "yes"})))
    c = Client(server)
    k = c.connect()
    for text in ("yes", "yes", "no"):
        c.post("/v1/responses", {"model": "m", "input": text}, connection=k)
    k.close()
    stats = server.stats()
    assert stats["requests"] == 3
    assert stats["answers"] == {"200": 2, "404": 1}
    assert stats["in_flight"] == {"now": 0, "peak": 1}
    assert stats["connections"]["accepted"] == 2
    assert stats["handshakes"]["full"] == 0


def test_tls_with_a_certificate_made_at_start(mock):
    server = mock(script(say("hi")), "--tls")
    c = Client(server)
    assert server.url.startswith("https://127.0.0.1:")
    assert c.text("x") == "hi"
    trust = ssl.create_default_context(cafile=server.ca_file)
    with socket.create_connection((c.host, c.port), 20) as s:
        trust.wrap_socket(s, server_hostname="localhost").close()
    assert server.stats()["handshakes"]["full"] >= 2
    stranger = http.client.HTTPSConnection(
        c.host, c.port, timeout=20, context=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.request("GET", "/v1/models")


def test_http2_is_spoken_over_tls(mock):
    server = mock(script(say("hi")), "--tls")
    c = Client(server)
    trust = ssl.create_default_context(cafile=server.ca_file)
    trust.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((c.host, c.port), 20) as s:
        with trust.wrap_socket(s, server_hostname="localhost") as t:
            assert t.selected_alpn_protocol() == "h2"


def test_models_are_listed(mock):
    server = mock({"models": ["a", "b"], "rules": []})
    assert [m["id"] for m in server.get("/v1/models")["data"]] == ["a", "b"]


def test_requests_that_make_no_sense_are_told_so(client):
    c = client(say("x"))
    assert c.post("/v1/responses", "{").status == 400
    assert c.post("/v1/responses", "[]").status == 400
    assert c.post("/v1/responses", {"input": "x"}).status == 400
    assert c.post("/v1/responses", {"model": "m", "input": 7}).status == 400
    assert c.post("/v1/chat/completions", {"model": "m"}).status == 400
    assert c.post("/v1/nothing", {}).status == 404
    assert c.post("/v1/models", {}).status == 405
    assert "error" in json.loads(c.post("/v1/responses", "{").content)


def test_a_megabyte_in_and_out(client):
    c = client(say("${input}"))
    text = "0123456789abcdef" * 65536
    assert c.text(text) == text


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_on_signals_and_leaves_nothing(mock, signo):
    server = mock(script(say("x")), "--tls")
    assert server.stats()["requests"] == 0
    server.process.send_signal(signo)
    assert server.process.wait(10) == 0


def test_it_ends_with_its_standard_input(mock):
    server = mock(script(say("x")))
    assert server.stop() == 0


def test_without_until_eof_the_end_of_input_is_nothing(skep, place):
    path = place / "s.json"
    path.write_text(json.dumps(script(say("x"))))
    p = skep.start("mock", path, stdin=subprocess.DEVNULL)
    assert json.loads(p.stdout.readline())["pid"] == p.pid
    time.sleep(0.2)
    assert p.poll() is None


def test_it_listens_where_it_is_told(skep, place):
    path = place / "s.json"
    path.write_text(json.dumps(script(say("x"))))
    p = skep.start("mock", path, "--listen", "[::1]:0")
    assert json.loads(p.stdout.readline())["url"].startswith("http://[::1]:")
    port = socket.create_server(("127.0.0.1", 0))
    done = skep.run("mock", path, "--listen",
                    f"127.0.0.1:{port.getsockname()[1]}")
    assert done.status != 0
    assert "in use" in done.err
    port.close()
    assert skep.run("mock", path, "--listen", "nowhere").status != 0


# --- bad scripts ---

@pytest.mark.parametrize("bad,said", [
    ({}, "rules"),
    ({"rules": [{"wen": {}}]}, "wen"),
    ({"rules": [{"when": {"turn": "0"}}]}, "turn"),
    ({"rules": [{"reply": [{}]}]}, "exactly one"),
    ({"rules": [{"reply": [{"text": "a", "refusal": "b"}]}]}, "exactly one"),
    ({"rules": [{"reply": [{"text": "a", "arguments": {}}]}]}, "belong"),
    ({"rules": [{"set": {"a": {"from": "input", "match": "("}}}]}, "regular"),
    ({"rules": [{"set": {"a": {"from": "nowhere", "match": "x"}}}]},
     "header:NAME"),
    ({"rules": [{"fault": {"then": "reset"}}]}, "after_bytes"),
    ({"rules": [{"fault": {"after_bytes": 1, "then": "explode"}}]},
     "explode"),
])
def test_a_bad_script_is_refused_with_its_place(skep, place, bad, said):
    path = place / "bad.json"
    path.write_text(json.dumps(bad))
    done = skep.run("mock", path)
    assert done.status == 78
    assert done.out == ""
    assert f"{path}:1:" in done.err and said in done.err


def test_a_missing_script_is_66(skep):
    assert skep.run("mock", "/nonexistent.json").status == 66


@pytest.mark.parametrize("where", ["here", "127.0.0.1", "127.0.0.1:x", ""])
def test_a_place_that_is_none_is_a_mistake_of_the_line(skep, place, where):
    path = place / "script.json"
    path.write_text(json.dumps(script(say("Hello."))))
    done = skep.run("mock", path, "--listen", where)
    assert done.status == 64
    assert done.out == "" and "--listen" in done.err
