"""Tool servers on standard streams, those that misbehave included."""

import json
import shutil

import pytest

from conftest import REPO, say, script, tool

pytestmark = pytest.mark.limit(120)


@pytest.fixture
def peer(place):
    """peer("manner", ...) is the entry of a server in an agent file."""
    folder = place / "peer"
    folder.mkdir()
    folder.chmod(0o755)
    shutil.copy(REPO / "tests/blackbox/mcp_peer.py", folder)

    def entry(manner, *args, **keys):
        return {"command": "python3",
                "args": ["-u", "/opt/peer/mcp_peer.py", manner, *args],
                "profile": {"name": "peer", "mounts": [
                    {"source": str(folder), "destination": "/opt/peer"}]},
                } | keys
    entry.folder = folder
    return entry


def events(done):
    return [json.loads(line) for line in done.out.splitlines()]


def outputs(done):
    """What the model was told, in the order in which it asked."""
    order, found = [], {}
    for event in events(done):
        if event.get("event") == "tool.called":
            order.append(event["call_id"])
        elif event.get("event") == "tool.output":
            found[event["item"]["call_id"]] = event["item"]["output"]
    return [found[i] for i in order]


def calls(*made):
    """A script that makes these calls in one turn and then ends."""
    return script({"when": {"turn": 0}, "reply": [
        {"tool": name, "arguments": arguments} for name, arguments in made]},
        say("done"))


@pytest.fixture
def ask(skep, mock, agent):
    """ask(servers, (tool, arguments)...): the outputs of a run's calls."""
    def run(servers, *made, status=0, **keys):
        path = agent(mock(calls(*made)), tools=[], mcp_servers=servers, **keys)
        done = skep.run("run", path, "go", "--json")
        assert done.status == status, done
        run.done = done
        return outputs(done)
    return run


def test_a_server_of_each_kind_answers(ask, peer):
    told = ask({"old": peer("plain"), "new": peer("modern")},
               ("old__say", {"text": "from the old"}),
               ("new__say", {"text": "from the new"}))
    assert told == ["from the old", "from the new"]


@pytest.mark.parametrize("manner", ["silent-probe", "shy-probe"])
def test_a_server_that_does_not_know_the_probe_is_greeted(ask, peer, manner):
    assert ask({"s": peer(manner, connect_seconds=2)},
               ("s__say", {"text": "hello"})) == ["hello"]


@pytest.mark.parametrize("manner, words", [
    ("logs", "worked in spite of it"),
    ("only-logs", "too many lines that are no JSON"),
    ("long-line", "a line longer than 16 MiB"),
    ("exits", "it ended with exit status 3; it said: the database is gone"),
    ("never", "no answer within 1 seconds"),
    ("twice", "first"),
    ("wrong-id", "answered a request that was never sent"),
    ("asks", "was told -32601"),
    ("garbage", "neither a method nor one result or error"),
    ("inputs", "asked for more input 8 times"),
    ("forks", "forked"),
    ("deaf", "nothing wrong"),
])
def test_misbehaviour_concerns_that_server_only(ask, peer, manner, words):
    told = ask({"bad": peer(manner, call_seconds=1 if manner == "never"
                            else 20), "good": peer("plain")},
               ("bad__misbehave", {}), ("good__say", {"text": "I am well"}))
    assert words in told[0]
    assert told[1] == "I am well"


def test_it_is_not_said_that_an_unanswered_call_did_nothing(ask, peer):
    told = ask({"bad": peer("exits")}, ("bad__misbehave", {}))
    assert "whether the call was carried out is not known" in told[0]


def test_a_server_that_ended_is_started_again(skep, mock, agent, peer):
    path = agent(mock(script(
        tool("s__misbehave", 0), tool("s__say", 1, text="back again"),
        say("${last_output}"))), tools=[], mcp_servers={"s": peer("exits")})
    done = skep.run("run", path, "go")
    assert done.out == "back again\n", done


def test_a_remote_reference_in_a_schema_is_not_fetched(
        ask, peer, hostile):
    seen = []

    def play(conn):
        seen.append(conn.read_request())

    server = hostile(play)
    assert ask({"s": peer("ref", server.url + "/schema.json")},
               ("s__say", {"text": "unharmed"})) == ["unharmed"]
    assert not seen


def test_each_run_has_a_server_of_its_own(skep, mock, agent, peer):
    path = agent(mock(script(tool("s__pid", 0), tool("s__pid", 1),
                             say("${last_output}"))),
                 tools=[], mcp_servers={"s": peer("plain")})
    tasks = skep.home / "tasks.jsonl"
    tasks.write_text("".join(json.dumps(
        {"custom_id": f"t{i}", "input": "x"}) + "\n" for i in range(4)))

    def born():
        done = skep.run("batch", path, tasks, "-j", "4", "--state",
                        skep.place / f"state-{born.n}")
        born.n += 1
        assert done.status == 0, done
        return [json.loads(line)["response"]["output_text"]
                for line in done.out.splitlines()]
    born.n = 0
    assert len(set(born())) == 4
    content = json.loads(path.read_text())
    content["mcp_servers"]["s"]["shared"] = True
    path.write_text(json.dumps(content))
    assert len(set(born())) == 1


@pytest.mark.parametrize("manner", ["plain", "modern"])
def test_calls_carry_the_trace_of_their_run(ask, peer, manner):
    told = ask({"s": peer(manner)}, ("s__trace", {}), ("s__trace", {}))
    one, other = (t.split("-") for t in told)
    assert one[0] == "00" and len(one[1]) == 32 and len(one[2]) == 16
    assert one[1] == other[1] and one[2] != other[2]


def test_servers_that_will_not_go_hold_nobody_up(skep, mock, agent, peer):
    path = agent(mock(calls(("s__say", {"text": "x"}))), tools=[],
                 mcp_servers={"s": peer("deaf")})
    lines = skep.home / "tasks.jsonl"
    lines.write_text("".join(json.dumps(
        {"custom_id": f"t{i}", "input": "x"}) + "\n" for i in range(60)))
    done = skep.run("batch", path, lines, "-j", "4")
    assert done.status == 0, done
    assert "failed" not in skep.run("log", "t59").out


def test_a_long_result_is_cut_and_spilled(skep, mock, agent, peer):
    path = agent(mock(script(
        tool("s__big", 0),
        tool("exec_command", 1, cmd="tail -n 1 .skep/outputs/*"),
        say("${last_output}"))), mcp_servers={"s": peer("plain")})
    done = skep.run("run", path, "go", "--json")
    told = outputs(done)
    assert "[cut; full result: .skep/outputs/" in told[0]
    assert len(told[0]) < 50000
    assert "line 19999" in told[1]


def test_secrets_reach_the_server_and_nobody_else(skep, mock, agent, peer):
    path = agent(mock(calls(("s__env", {}), ("exec_command", {
        "cmd": "env; cat /proc/*/environ | tr '\\0' '\\n'"}))),
        mcp_servers={"s": peer("plain", env={
            "TOKEN": {"env": "MY_TOKEN"}, "PLAIN": "words"})})
    done = skep.run("run", path, "go", "--json",
                    env={"MY_TOKEN": "s3cr3t-t0k3n"})
    seen, other = outputs(done)
    environment = json.loads(seen)
    assert environment["TOKEN"] == "s3cr3t-t0k3n"
    assert environment["PLAIN"] == "words"
    assert "s3cr3t" not in other
    assert "s3cr3t" not in path.read_text()


def test_lists_of_tools_allow_and_block(skep, mock, agent, peer):
    asked = script({"reply": [{"tool": "s__big", "arguments": {}}],
                    "when": {"turn": 0}},
                   {"reply": [{"text": "${last_output}"}]})
    path = agent(mock(asked), tools=[], mcp_servers={
        "s": peer("plain", allow_tools=["s*", "b*"], block_tools=["big"])})
    done = skep.run("run", path, "go")
    assert "there is no tool s__big; the tools are: s__say" in done.out


def test_a_changed_tool_is_refused_until_it_is_accepted(
        skep, mock, agent, peer):
    asked = script({"reply": [{"tool": "s__say", "arguments": {
        "text": "said"}}], "when": {"turn": 0}},
        {"reply": [{"text": "${last_output}"}]})
    path = agent(mock(asked), tools=[],
                 mcp_servers={"s": peer("plain")})
    assert skep.run("run", path, "go").out == "said\n"
    (peer.folder / "changed").touch()
    done = skep.run("run", path, "go")
    assert "there is no tool s__say" in done.out
    assert "s__say is not what was accepted" in done.err
    listed = json.loads(skep.run("servers", path, "--json").out)
    assert {t["name"]: t["state"] for t in listed["tools"]} == {
        "say": "changed", "misbehave": "accepted", "pid": "accepted",
        "trace": "accepted", "big": "accepted", "env": "accepted"}
    assert skep.run("servers", path, "accept", "s", "say").status == 0
    assert skep.run("run", path, "go").out == "said\n"


def test_a_tool_that_says_too_much_of_itself_is_not_offered(ask, peer):
    told = ask({"s": peer("talks")}, ("s__misbehave", {}),
               ("s__say", {"text": "brief"}))
    assert "there is no tool s__misbehave" in told[0]
    assert told[1] == "brief"
    assert "it says more of itself than 16 KiB" in ask.done.err


def test_a_server_that_cannot_be_had_stops_everything(ask, peer):
    assert ask({"s": peer("plain") | {"command": "/no/such/program"}},
               ("s__say", {}), status=69) == []
    assert "/no/such/program cannot be started" in ask.done.err + ask.done.out


def test_unless_it_need_not_be_there(ask, peer):
    told = ask({"s": peer("plain", required=False)
                | {"command": "/no/such/program"}, "t": peer("plain")},
               ("s__say", {}), ("t__say", {"text": "here"}))
    assert "there is no tool s__say" in told[0]
    assert told[1] == "here"
    assert "runs go on without it" in ask.done.err


@pytest.mark.parametrize("api", ["chat", "messages"])
def test_tools_of_servers_work_on_every_api(skep, mock, agent, peer, api):
    path = agent(mock(script(tool("s__say", 0, text="over " + api),
                             say("${last_output}"))),
                 model={"api": api}, tools=[],
                 mcp_servers={"s": peer("plain")})
    done = skep.run("run", path, "go")
    assert done.out == f"over {api}\n", done


# --- servers by HTTP ---

class Http:
    """An HTTP server of a legacy revision, but for what `calls` does."""

    def __init__(self, hostile, call, session=None, listed=None):
        self.call, self.session, self.heads = call, session, []
        self.listed = listed or TOOLS
        self.url = hostile(self.play).url + "/mcp"

    def play(self, conn):
        while (asked := conn.read_request()) is not None:
            head, body = asked
            self.heads.append(head)
            if not head.startswith("POST"):
                conn.answer(405)
                continue
            message = json.loads(body)
            self.handle(conn, message, head)

    def result(self, conn, message, result, **fields):
        conn.answer(200, json.dumps({"jsonrpc": "2.0", "id": message["id"],
                                     "result": result}), **fields)

    def handle(self, conn, message, head):
        if message["method"] == "initialize":
            self.result(conn, message, {
                "protocolVersion": "2025-06-18", "capabilities": {
                    "tools": {}}, "serverInfo": {"name": "h", "version": "1"}},
                **({"mcp_session_id": self.session} if self.session else {}))
        elif message["method"] == "tools/list":
            self.result(conn, message, {"tools": self.listed})
        elif message["method"] == "tools/call":
            self.call(self, conn, message)
        elif "id" in message:
            conn.answer(400, "what?", "text/plain")
        else:
            conn.answer(202)


TOOLS = [{"name": "do", "inputSchema": {"type": "object"}}]


def http_text(server, conn, message, words="done"):
    server.result(conn, message, {"content": [
        {"type": "text", "text": words}]})


def wrong_id(server, conn, message):
    http_text(server, conn, message | {"id": 4711})


def not_json(server, conn, message):
    conn.answer(200, "<html>", "text/html")


def too_long(server, conn, message):
    conn.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
              "content-length: 104857600\r\n\r\n")
    try:
        for _ in range(100):
            conn.send(b"x" * (1 << 20))
    except OSError:
        pass


def cut_stream(server, conn, message):
    conn.stream_head()
    conn.chunk(": nothing\n\n")
    conn.chunk("")


def cut_connection(server, conn, message):
    conn.sock.close()


def redirected(server, conn, message):
    conn.answer(307, "", location="http://127.0.0.1:1/mcp")


def notified(server, conn, message):
    conn.stream_head()
    for _ in range(3):
        conn.chunk('data: {"jsonrpc":"2.0","method":"notifications/progress",'
                   '"params":{}}\n\n')
    conn.chunk("data: " + json.dumps({
        "jsonrpc": "2.0", "id": message["id"], "result": {
            "content": [{"type": "text", "text": "after all that"}]}})
        + "\n\n")
    conn.chunk("")


@pytest.mark.parametrize("call, words", [
    (http_text, "done"), (notified, "after all that"),
    (wrong_id, "answered a request that was never sent"),
    (not_json, "the server's answer"), (too_long, "longer than 16 MiB"),
    (cut_stream, "whether the call was carried out is not known"),
    (cut_connection, "whether the call was carried out is not known"),
    (redirected, "HTTP status 307"),
], ids=lambda x: getattr(x, "__name__", None))
def test_misbehaviour_over_http(ask, peer, hostile, call, words):
    seen = []

    def counted(server, conn, message):
        seen.append(message)
        call(server, conn, message)

    server = Http(hostile, counted)
    told = ask({"h": {"url": server.url}, "good": peer("plain")},
               ("h__do", {}), ("good__say", {"text": "I am well"}))
    assert words in told[0]
    assert told[1] == "I am well"
    assert len(seen) == 1, "a call is sent once"


def test_a_session_that_ended_is_begun_anew(skep, mock, agent, hostile):
    made = []

    def call(server, conn, message):
        made.append(message)
        if len(made) == 1:
            conn.answer(404)
        else:
            http_text(server, conn, message, "in the second session")

    server = Http(hostile, call, session="abc")
    path = agent(mock(script(tool("h__do", 0), tool("h__do", 1),
                             say("${last_output}"))), tools=[],
                 mcp_servers={"h": {"url": server.url}})
    done = skep.run("run", path, "go", "--json")
    told = outputs(done)
    assert "the call was not carried out" in told[0]
    assert told[1] == "in the second session"
    assert any(h.startswith("DELETE") for h in server.heads)


def test_credentials_go_to_the_server_and_stay_out_of_sight(
        skep, mock, agent, hostile):
    server = Http(hostile, http_text)
    path = agent(mock(calls(("h__do", {}))), tools=[], mcp_servers={
        "h": {"url": server.url, "headers": {
            "X-Api-Key": {"env": "MY_KEY"}, "X-Team": "blue"}}})
    done = skep.run("run", path, "go", "--json", env={"MY_KEY": "k3y-k3y"})
    assert outputs(done) == ["done"]
    assert all("x-api-key: k3y-k3y" in h.lower() for h in server.heads)
    found = [p for p in skep.home.rglob("*") if p.is_file()
             and b"k3y-k3y" in p.read_bytes()]
    assert not found and "k3y-k3y" not in done.out + done.err
    done = skep.run("check", agent(mock(calls()), mcp_servers={
        "h": {"url": server.url, "headers": {"Authorization": "Bearer x"}}}))
    assert done.status == 65 and "must not stand here in clear" in done.err \
        + done.out


def test_a_server_that_wants_a_login_says_how(skep, mock, agent, hostile):
    def play(conn):
        while conn.read_request() is not None:
            conn.answer(401, "", www_authenticate="Bearer")

    path = agent(mock(calls()), tools=[],
                 mcp_servers={"h": {"url": hostile(play).url}})
    done = skep.run("run", path, "go")
    assert done.status != 0
    assert "skep servers AGENT login h" in done.err


def test_nothing_is_allocated_after_start_up(skep, mock, agent, peer, hostile):
    """Counted in the debug build, libraries aside."""
    debug = REPO / "build/debug/skep"
    if not debug.exists():
        pytest.fail(f"{debug} does not exist; make blackbox builds it")
    skep.path = str(debug)
    server = Http(hostile, http_text)
    path = agent(mock(calls(("s__say", {"text": "x"}), ("s__big", {}),
                            ("s__misbehave", {}), ("h__do", {}))), tools=[],
                 mcp_servers={"s": peer("exits"), "h": {"url": server.url}})
    lines = skep.home / "tasks.jsonl"
    lines.write_text("".join(json.dumps(
        {"custom_id": f"t{i}", "input": "x"}) + "\n" for i in range(8)))
    done = skep.run("batch", path, lines, "-j", "4",
                    env={"SKEP_ALLOC_GUARD": "1"})
    assert done.status == 0, done
    assert "allocations after start-up: 0" in done.err, done.err
