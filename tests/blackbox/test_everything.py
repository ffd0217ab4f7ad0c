"""One agent with every capability, over all three APIs: the same transcript,
and requests that begin with the same bytes."""

import base64
import hashlib
import http.server
import json
import re
import shutil
import threading
import urllib.request

import pytest

from conftest import REPO, say, script

APIS = ["responses", "chat", "messages"]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAC"
    "hwGA60e6kgAAAABJRU5ErkJggg==")
PATCH = ("*** Begin Patch\n*** Update File: notes.txt\n@@\n-one\n+two\n"
         "*** End Patch\n")
SKILL = "---\nname: bee\ndescription: Hums.\n---\nHum twice.\n"


class Recorder:
    """Passes requests on to a server and keeps their bodies."""

    def __init__(self, url):
        self.bodies, base = [], url.removesuffix("/v1")
        bodies = self.bodies

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                bodies.append(body)
                request = urllib.request.Request(
                    base + self.path, body,
                    {"content-type": "application/json"})
                with urllib.request.urlopen(request) as answer:
                    data = answer.read()
                    kind = answer.headers["content-type"]
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def rule(turn, *reply, model="m-first"):
    return {"when": {"model": model, "turn": turn}, "reply": list(reply)}


def call(tool, **arguments):
    return {"tool": tool, "arguments": arguments}


def command(cmd):
    return call("exec_command", cmd=cmd, login=False, yield_time_ms=30000)


MODEL = script(
    rule(0, {"text": "I look first."}, command("cat notes.txt; ls memories")),
    rule(1, {"tool": "apply_patch", "input": PATCH}),
    rule(2, call("view_image", path="pixel.png")),
    rule(3, call("load_skill", skill_name="bee")),
    rule(4, call("peer__say", text="from a server"),
         call("expert", input="what is it?")),
    rule(5, call("spawn_agent", agent="expert", input="and that?")),
    rule(6, call("wait_agent")),
    rule(7, command("skep-tool expert '{\"input\": \"a program asks\"}'")),
    rule(8, call("no_such_tool", x=1)),
    rule(9, call("transfer_to_second")),
    rule(None, {"text": "expert on ${input}"}, model="m-expert"),
    rule(None, {"text": '{"done": true}'}, model="m-second"),
    say("unexpected"))
for one in MODEL["rules"]:
    if one["when"].get("turn", 0) is None:
        del one["when"]["turn"]


@pytest.fixture
def everything(skep, agent, place):
    peer = place / "peer"
    peer.mkdir()
    peer.chmod(0o755)
    shutil.copy(REPO / "tests/blackbox/mcp_peer.py", peer)
    skills = skep.home / "skills/bee"
    skills.mkdir(parents=True)
    (skills / "SKILL.md").write_text(SKILL)
    (skep.home / "pixel.png").write_bytes(PIXEL)

    def write(url, api):
        return agent(
            url, model={"api": api, "name": "m-first"}, name=f"all-{api}",
            tools=["exec_command", "apply_patch", "view_image", "spawn_agent",
                   "wait_agent", "expert"],
            manifest={"entries": {
                "notes.txt": {"type": "file", "content": "one\n"},
                "AGENTS.md": {"type": "file", "content": "Be brief.\n"},
                "pixel.png": {"type": "local_file", "src": "pixel.png"}}},
            skills={"lazy_from": "skills"}, memory={"generate": False},
            code_mode=True, compaction={"threshold_tokens": 100000},
            mcp_servers={"peer": {
                "command": "python3",
                "args": ["-u", "/opt/peer/mcp_peer.py", "plain"],
                "profile": {"name": "peer", "mounts": [
                    {"source": str(peer), "destination": "/opt/peer"}]}}},
            agents={"expert": {"model": {"name": "m-expert"}, "tools": [],
                               "instructions": "Know it."},
                    "second": {"model": {"name": "m-second"},
                               "instructions": "End it.",
                               "answer_schema": {
                                   "type": "object", "required": ["done"],
                                   "properties": {
                                       "done": {"type": "boolean"}},
                                   "additionalProperties": False}}},
            handoffs=["second"])
    return write


def plain(text):
    """Without what is new each time."""
    text = re.sub(r"Chunk ID: \w+", "Chunk ID: x", text)
    text = re.sub(r"Wall time: [\d.]+", "Wall time: 0", text)
    return re.sub(r"\b[0-9a-f]{16}\b|agent_\w+", "ID", text)


def transcript(skep, run_id):
    """(what, name, content) of every item, however its API put it."""
    raw = skep.run("log", "--raw", run_id, "--state", skep.state).out
    for line in raw.splitlines():
        item = json.loads(line)
        kind = item["type"]
        if kind == "message":
            content = item["content"]
            text = content if isinstance(content, str) else \
                "".join(part["text"] for part in content)
            yield "message", item["role"], text
        elif kind == "custom_tool_call":
            yield "call", item["name"], item["input"]
        elif kind == "function_call":
            arguments = json.loads(item["arguments"])
            yield "call", item["name"], arguments["input"] \
                if item["name"] == "apply_patch" else arguments
        else:
            output = item["output"]
            yield "output", None, plain(
                output if isinstance(output, str) else json.dumps(output))


def conversation(body):
    """Of a request: what comes before the conversation, and the items."""
    request = json.loads(body)
    key = "input" if "input" in request else "messages"
    # Marks of where a server's cache may end move along.
    text = re.sub(r',"cache_control":\{[^}]*\}', "", body.decode())
    head = text[:text.index(f'"{key}":[')]
    items = json.loads(text)[key]
    return head, items


@pytest.mark.limit(180)
def test_the_transcript_is_the_same_over_every_api(
        skep, mock, everything, tasks, batch):
    server = mock(MODEL)
    said = {}
    for api in APIS:
        recorder = Recorder(server.url)
        done = batch(everything(recorder.url, api), tasks(
            [{"custom_id": f"{api}-{i}", "input": "go"} for i in range(2)]),
            "-j", "1")
        recorder.close()
        assert done.status == 0, (done.err, done.results)
        for result in done.results:
            assert result["response"]["output_text"] == '{"done": true}'
        said[api] = [list(transcript(skep, r["run_id"]))
                     for r in done.results]
        assert said[api][0] == said[api][1]

        first = [conversation(b) for b in recorder.bodies
                 if json.loads(b)["model"] == "m-first"]
        assert len(first) == 20
        heads = {hashlib.sha256(head.encode()).hexdigest()
                 for head, _ in first}
        assert len(heads) == 1, "the prefix moved"
        assert len({json.dumps(items[0]) for _, items in first}) == 1
        for (_, before), (_, after) in zip(first, first[1:]):
            if len(after) > len(before):  # else the second run begins
                assert after[:len(before)] == before
    assert said["chat"] == said["responses"]
    assert said["messages"] == said["responses"]

    outputs = [text for what, _, text in said["responses"][0]
               if what == "output"]
    assert "Output:\none\n" in outputs[0]
    assert outputs[1] == "Updated notes.txt"
    assert "data:image/png;base64," in outputs[2]
    assert json.loads(outputs[3])["status"] == "loaded"
    assert outputs[4:6] == ["from a server", "expert on what is it?"]
    assert "expert on and that?" in outputs[7]
    assert "expert on a program asks" in outputs[8]
    assert "no_such_tool" in outputs[9]
    assert json.loads(outputs[10]) == {"assistant": "second"}
