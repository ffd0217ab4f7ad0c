"""A model server whose answers are Python: for what a script cannot say.

    with FakeModel(answer) as model:
        ... model.url ...

answer(turn, request) gives a list of parts: ("text", "..."), ("call", name,
arguments) or a dict taken as an item; or an int, an HTTP status.  turn is the
number of model turns that the request already holds.
"""

import http.server
import json
import threading
import time


def turn_of(request):
    """Model turns in the request: groups of the model's own items."""
    turns, inside = 0, False
    for item in request["input"]:
        mine = item.get("type") in ("function_call", "shell_call",
                                    "reasoning") \
            or item.get("role") == "assistant"
        if mine and not inside:
            turns += 1
        inside = mine
    return turns


def input_text(request):
    """What the user said."""
    said = []
    for item in request["input"]:
        if item.get("role") == "user":
            content = item["content"]
            if isinstance(content, str):
                said.append(content)
            else:
                said += [part["text"] for part in content]
    return "\n".join(said)


def last_output(request):
    """The text of the last tool result."""
    for item in reversed(request["input"]):
        if item.get("type", "").endswith("_output"):
            return item["output"]
    return None


class FakeModel:
    def __init__(self, answer, delay=0.0, usage=(100, 10, 0), deltas=True):
        self.answer, self.delay, self.usage = answer, delay, usage
        self.deltas = deltas
        self.requests, self.lock = [], threading.Lock()
        self.in_flight = self.in_flight_max = 0
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                fake.serve(self, json.loads(body))

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 512
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # a client that was killed is no news

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever,
                         args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler, request):
        with self.lock:
            self.requests.append(request)
            self.in_flight += 1
            self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            time.sleep(self.delay)
            parts = self.answer(turn_of(request), request)
            if isinstance(parts, int):
                self.refuse(handler, parts)
            else:
                self.stream(handler, request, parts)
        finally:
            with self.lock:
                self.in_flight -= 1

    @staticmethod
    def refuse(handler, status):
        body = json.dumps({"error": {"message": f"status {status}",
                                     "type": "x", "code": "x"}}).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    @staticmethod
    def items(request, parts):
        turn = turn_of(request)
        for i, part in enumerate(parts):
            ident = f"{turn}_{i}"
            if isinstance(part, dict):
                yield part
            elif part[0] == "text":
                yield {"type": "message", "id": f"msg_{ident}",
                       "status": "completed", "role": "assistant",
                       "content": [{"type": "output_text", "text": part[1],
                                    "annotations": []}]}
            else:
                arguments = part[2] if isinstance(part[2], str) \
                    else json.dumps(part[2])
                yield {"type": "function_call", "id": f"fc_{ident}",
                       "call_id": f"call_{ident}", "name": part[1],
                       "arguments": arguments, "status": "completed"}

    def stream(self, handler, request, parts):
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()

        def send(kind, **fields):
            event = f"event: {kind}\ndata: " \
                f"{json.dumps({'type': kind} | fields)}\n\n"
            raw = event.encode()
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))

        answer = {"id": "resp_1", "object": "response",
                  "model": request["model"], "status": "in_progress",
                  "output": []}
        send("response.created", response=answer)
        items = list(self.items(request, parts))
        for i, item in enumerate(items):
            send("response.output_item.added", output_index=i, item=item)
            if item["type"] == "message" and self.deltas:
                text = item["content"][0]["text"]
                for at in range(0, len(text), 16):
                    send("response.output_text.delta", output_index=i,
                         item_id=item["id"], content_index=0,
                         delta=text[at:at + 16])
            send("response.output_item.done", output_index=i, item=item)
        spent, said, cached = self.usage
        send("response.completed", response=answer | {
            "status": "completed", "output": items,
            "usage": {"input_tokens": spent, "output_tokens": said,
                      "total_tokens": spent + said,
                      "input_tokens_details": {"cached_tokens": cached},
                      "output_tokens_details": {"reasoning_tokens": 0}}})
        handler.wfile.write(b"0\r\n\r\n")


def echo(turn, request):
    """One command, then its task's text as the answer."""
    if turn == 0:
        return [("call", "exec_command", {"cmd": "echo hello"})]
    return [("text", f"done: {input_text(request)}")]
