"""Answers whose events, JSON or meaning are hostile: what the run says.

Each server plays over a real socket; a run beside it, on a good server, is not
touched (test_batch_model.py).  Memory is held down by a limit on the address
space that skep's own ceilings stay far below.
"""

import json
import resource

import pytest

QUICK = {"retry": {"attempts": 2, "base_ms": 1, "max_ms": 10},
         "first_byte_seconds": 10, "idle_seconds": 10}
TASK = [{"custom_id": "a", "input": "x"}]


@pytest.fixture
def ask(batch, agent, tasks):
    def run(url, **keys):
        model = QUICK | keys.pop("model", {})
        done = batch(agent(url, model=model, **keys), tasks(TASK))
        return done.of("a")
    return run


def code(result):
    return result["error"]["code"] if result["error"] else result["status"]


def play_once(script):
    """A play() that reads a request and plays; the client may leave first."""
    def play(conn):
        if conn.read_request():
            try:
                script(conn)
            except OSError:
                pass  # it had seen enough
    return play


def completed(**members):
    return {"type": "response.completed", "response": {
        "id": "r", "status": "completed", "output": [],
        "usage": {"input_tokens": 1, "output_tokens": 1}} | members}


def message(text):
    return {"type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text}]}


def call(call_id, arguments="{}", name="exec_command"):
    return {"type": "function_call", "call_id": call_id, "name": name,
            "arguments": arguments, "status": "completed"}


# --- events ---

def a_line_without_end(conn):
    conn.stream_head()
    conn.chunk("data: {\"type\":\"response.output_text.delta\",\"delta\":\"")
    for _ in range(100):
        conn.chunk(b"x" * (1 << 20))


def data_lines_without_end(conn):
    conn.stream_head()
    for _ in range(100):
        conn.chunk((b"data: " + b"x" * 1000 + b"\n") * 1000)


def an_answer_without_end(conn):
    conn.stream_head()
    delta = json.dumps({"type": "response.output_text.delta",
                        "delta": "y" * 60000})
    for _ in range(2000):
        conn.chunk(f"data: {delta}\n\n")


def no_blank_line_at_the_end(conn):
    conn.stream_head()
    conn.event(type="response.output_item.done", output_index=0,
               item=message("lost"))
    conn.chunk("data: " + json.dumps(completed()) + "\n")
    conn.end()


def nul_in_an_event(conn):
    conn.stream_head()
    conn.chunk(b"data: {\"type\":\"response.created\0\"}\n\n")
    conn.end()


def text_that_is_not_utf8(conn):
    conn.stream_head()
    conn.chunk(b"data: {\"type\":\"response.output_text.delta\","
               b"\"delta\":\"\xff\xfe\"}\n\n")
    conn.end()


def deep_json(conn):
    conn.stream_head()
    conn.chunk("data: " + "[" * 100000 + "\n\n")
    conn.end()


def an_array_as_event(conn):
    conn.stream_head()
    conn.chunk("data: [1, 2, 3]\n\n")
    conn.end()


# --- meaning ---

def a_thousand_calls(conn):
    conn.stream_head()
    for i in range(1000):
        conn.event(type="response.output_item.done", output_index=i,
                   item=call(f"c{i}"))
    conn.event(**completed())
    conn.end()


def the_same_id_twice(conn):
    conn.stream_head()
    for i in range(2):
        conn.event(type="response.output_item.done", output_index=i,
                   item=call("c"))
    conn.event(**completed())
    conn.end()


def ten_megabytes_of_arguments(conn):
    conn.stream_head()
    for _ in range(160):
        conn.event(type="response.function_call_arguments.delta",
                   item_id="f", output_index=0, delta="z" * 65536)
    conn.end()


def a_call_without_its_id(conn):
    item = call("c")
    del item["call_id"]
    conn.stream_head()
    conn.event(type="response.output_item.done", output_index=0, item=item)
    conn.event(**completed())
    conn.end()


def a_closing_event_without_response(conn):
    conn.stream_head()
    conn.event(type="response.completed")
    conn.end()


def an_error_body(conn):
    conn.answer(200, json.dumps({"error": {
        "message": "no capacity", "type": "server_error"}}))


def a_quota_body(conn):
    conn.answer(200, json.dumps({"error": {
        "message": "pay first", "type": "insufficient_quota",
        "code": "insufficient_quota"}}))


def json_that_breaks_early(conn):
    """And then would go on for ever: nobody waits for the rest."""
    conn.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
              "content-length: 50000000\r\n\r\n{\"id\": nonsense")
    conn.wait_for_end()


@pytest.mark.parametrize("script, expected", [
    (a_line_without_end, "model_protocol"),
    (data_lines_without_end, "model_protocol"),
    (an_answer_without_end, "model_protocol"),
    (no_blank_line_at_the_end, "model_unavailable"),
    (nul_in_an_event, "model_protocol"),
    (text_that_is_not_utf8, "model_protocol"),
    (deep_json, "model_protocol"),
    (an_array_as_event, "model_protocol"),
    (a_thousand_calls, "model_protocol"),
    (the_same_id_twice, "model_protocol"),
    (ten_megabytes_of_arguments, "model_protocol"),
    (a_call_without_its_id, "model_protocol"),
    (a_closing_event_without_response, "model_protocol"),
    (an_error_body, "model_unavailable"),
    (a_quota_body, "model_rate_limited"),
    (json_that_breaks_early, "model_protocol"),
], ids=lambda x: getattr(x, "__name__", x))
def test_the_run_names_the_cause(ask, hostile, script, expected):
    server = hostile(play_once(script))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    result = ask(server.url)
    assert code(result) == expected
    assert result["error"]["message"]
    assert server.connections == (1 if script is a_quota_body else 2)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= max(before, 200 * 1024)  # KiB


# --- what looks bad and is not ---

def test_odd_numbers_keys_and_events_do_no_harm(ask, hostile):
    def script(conn):
        conn.stream_head()
        conn.chunk(":" + " comment" * 1000 + "\n\n")
        conn.chunk("event: response.future\ndata: {\"type\":"
                   "\"response.future\",\"n\":1e400,\"n\":-0.0}\n\n")
        conn.chunk("data: {\"type\":\"response.output_text.delta\","
                   "\"delta\":\"\\ud83d\"}\n\n")
        conn.event(type="response.output_item.done", output_index=0,
                   item=message("fine"))
        conn.chunk("data: " + json.dumps(completed()).replace(
            '"input_tokens": 1', '"input_tokens": 1e400, "input_tokens": -5')
            + "\n\n")
        conn.end()

    result = ask(hostile(play_once(script)).url)
    assert code(result) == "finished"
    assert result["response"]["output_text"] == "fine"
    assert result["usage"]["input_tokens"] == 0


def test_a_flood_of_comments_is_no_answer_and_no_memory(ask, hostile):
    def script(conn):
        conn.stream_head()
        for _ in range(2000):
            conn.chunk(b": keep-alive\n\n" * 1000)
        conn.end()

    result = ask(hostile(play_once(script)).url)
    assert code(result) == "model_unavailable"


@pytest.mark.parametrize("arguments", [
    "[1, 2]", "7", "\"text\"", "null", "", "{\"cmd\":", "{\"cmd\": 7}",
    "{\"cmd\": \"true\", \"cmd\": \"false\"}", "{}"])
def test_arguments_of_any_form_get_an_answer(ask, hostile, arguments):
    asked = []

    def play(conn):
        while request := conn.read_request():
            asked.append(json.loads(request[1]))
            if len(asked) == 1:
                conn.stream_head()
                conn.event(type="response.output_item.done", output_index=0,
                           item=call("c", arguments))
                conn.event(**completed())
                conn.end()
            else:
                conn.say("done")

    result = ask(hostile(play).url)
    assert code(result) == "finished"
    outputs = [item for item in asked[1]["input"]
               if item.get("type") == "function_call_output"]
    assert len(outputs) == 1
    assert outputs[0]["call_id"] == "c" and outputs[0]["output"]


def test_items_nobody_knows_go_back_as_they_came(ask, hostile):
    strange = ('{"type":"hologram", "shape" : {"deep":[1,2,{"x":null}]},'
               '"n":1.0e+2,"s":"\\u00e9\\/"}')
    asked = []

    def play(conn):
        while request := conn.read_request():
            asked.append(request[1].decode())
            if len(asked) == 1:
                conn.stream_head()
                conn.chunk("data: {\"type\":\"response.output_item.done\","
                           "\"output_index\":0,\"item\":" + strange
                           + "}\n\n")
                conn.event(type="response.output_item.done", output_index=1,
                           item=call("c", '{"cmd":"true"}'))
                conn.event(**completed())
                conn.end()
            else:
                conn.say("done")

    result = ask(hostile(play).url)
    assert code(result) == "finished"
    assert strange in asked[1]
    # Earlier bytes never change: the first request is the second's prefix.
    assert asked[1].startswith(asked[0][:-2])
