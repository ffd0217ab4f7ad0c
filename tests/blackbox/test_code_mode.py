"""Programs in the sandbox that call the agent's tools: code mode."""

import json
import re

import pytest

from conftest import wait_until
from fake_model import FakeModel, input_text, last_output


def runs(program, after=None, **arguments):
    """A model that runs a Python program and says what it printed."""
    def answer(turn, request):
        if request["model"] == "m-child":
            return [("text", "child: " + input_text(request))]
        if turn == 0:
            return [("call", "exec_command", {
                "cmd": program if program.startswith("sh:")
                else f"cat > p.py <<'END'\n{program}\nEND\npython3 p.py",
                "yield_time_ms": 30000} | arguments)]
        if after:
            return after(turn, request)
        return [("text", last_output(request))]
    return answer


@pytest.fixture
def code(skep, agent):
    """Run one program: what it printed, and the result line."""
    def run(program, after=None, arguments=None, keys=None, options=()):
        if program.startswith("sh:"):
            plan = runs("", after, **(arguments or {}),
                        cmd=program[3:])
        else:
            plan = runs(program, after, **(arguments or {}))
        with FakeModel(plan) as model:
            path = agent(model.url, **({
                "code_mode": True,
                "tools": ["exec_command", "apply_patch", "list_agents",
                          "child"],
                "agents": {"child": {"model": {"name": "m-child"}}}} |
                (keys or {})))
            done = skep.run("run", path, "go", "--json", "--state",
                            skep.state, *options)
            run.requests = model.requests
        assert "run.finished" in done.out, (done.status, done.err, done.out[-500:])
        result = json.loads(done.out.splitlines()[-1])["result"]
        assert result["status"] == "finished", result
        text = result["response"]["output_text"]
        return text.partition("Output:\n")[2], result
    return run


def test_a_program_calls_tools_in_python(code, skep):
    out, result = code("""
from skep_tools import tools, call, call_all, ToolError
print(tools.exec_command(cmd="echo $((6*7))").split("Output:")[1].strip())
print(tools.child(input="hello"))
print(call("apply_patch", input="*** Begin Patch\\n*** Add File: made\\n+x\\n"
                                "*** End Patch"))
print(open("made").read())
for text in call_all([("child", {"input": str(i)}) for i in range(5)]):
    print(text)
try:
    tools.no_such(a=1)
except ToolError as e:
    print("failed:", e)
try:
    tools.exec_command(command="x")
except ToolError as e:
    print("failed:", str(e)[:60])
""")
    lines = out.splitlines()
    assert lines[0] == "42" and lines[1] == "child: hello"
    assert "x" in lines
    assert [line for line in lines if re.match(r"child: \d", line)] == [
        f"child: {i}" for i in range(5)]
    assert any("failed: " in line and "there is no tool no_such" in line
               for line in lines)
    # 1 of the model's, 10 of the program's
    assert result["usage"]["tool_calls"] == 11
    shown = skep.run("show", result["run_id"], "--state", skep.state).out
    assert len(re.findall(r"^call .*program \w+: answered", shown, re.M)) == 10


def test_the_model_is_told(code):
    code("print(1)")
    assert "skep_tools" in code.requests[0]["instructions"]


def test_a_shell_calls_tools(code):
    out, _ = code(r"""sh:
skep-tool child '{"input": "two\nlines"}'; echo " $?"
skep-tool no_such; echo " $?"
skep-tool child 'no json'; echo " $?"
echo '{"input":
"from stdin"}' | skep-tool child -; echo " $?"
skep-tool 'bad name' 2>/dev/null; echo "$?"
""")
    assert "child: two\nlines 0\n" in out
    assert "there is no tool no_such" in out and " 1\n" in out
    assert '"ok":false' in out and " 2\n" in out
    assert "child: from stdin 0\n" in out
    assert out.endswith("2\n")


def test_side_by_side_processes_do_not_mix_answers(code):
    out, _ = code("""
import os, subprocess
from skep_tools import tools
for i in range(6):
    if os.fork() == 0:
        for k in range(5):
            assert tools.child(input=f"{i}.{k}") == f"child: {i}.{k}"
        subprocess.run(["skep-tool", "child", '{"input": "%d"}' % i],
                       pass_fds=[3])
        os._exit(0)
for i in range(6):
    assert os.wait()[1] == 0
""")
    assert sorted(re.findall(r"child: (\d)(?!\.)", out)) == list("012345")


def test_without_code_mode_there_is_no_descriptor(code):
    out, _ = code("sh:ls -l /proc/self/fd/3; ls -a .skep; true",
                  keys={"code_mode": False})
    assert "No such file" in out and "bin" not in out


def test_a_command_of_a_program_is_no_program(code):
    out, _ = code("""
from skep_tools import tools
print(tools.exec_command(cmd="skep-tool child '{}' ; echo status $?"))
""")
    assert "status 2" in out and "descriptor 3 is closed" in out


def test_a_program_cannot_hand_the_run_on(code):
    out, _ = code("""
from skep_tools import tools, ToolError
try:
    tools.transfer_to_child()
except ToolError as e:
    print(e)
""", keys={"handoffs": ["child"]})
    assert "cannot hand the run" in out


def test_calls_in_a_loop_end_at_the_limit(code):
    out, result = code("""
from skep_tools import tools, ToolError
n = 0
try:
    while True:
        tools.list_agents()
        n += 1
except ToolError as e:
    print(n, e)
""", keys={"code_mode": {"calls": 300},
           "tools": ["exec_command", "spawn_agent"], "agents": {}})
    assert out.startswith("300 programs of this run have called tools 300")
    assert result["usage"]["tool_calls"] == 301


def test_garbage_is_answered_and_then_hung_up_on(code):
    out, _ = code(r"""
import socket
s = socket.socket(fileno=3)
def ask(line):
    s.sendall(line)
    return s.makefile("rb").readline().decode().strip()
print(ask(b"\x00\xff\xfe\n"))
print(ask(b"[1, 2]\n"))
print(ask(b'{"tool": 7}\n'))
print(ask(b'{"id": 1, "tool": "list_agents", "arguments": []}\n'))
print(ask(b'{"id": {"a": [1]}, "tool": "list_agents"}\n'))
print(ask(b'{"id": "' + b"x" * 300 + b'", "tool": "list_agents"}\n'))
for i in range(20):
    try:
        s.sendall(b"garbage\n")
        if not s.recv(1 << 16):
            break
    except OSError:
        break
print("hung up after", i)
""", keys={"tools": ["exec_command", "spawn_agent"], "agents": {}})
    lines = out.splitlines()
    answers = [json.loads(line) for line in lines[:6]]
    assert [a["ok"] for a in answers] == [False] * 4 + [True, False]
    assert answers[4]["id"] == {"a": [1]}
    assert re.match(r"hung up after \d+$", lines[6])


def test_a_line_without_end_is_hung_up_on(code):
    out, _ = code(r"""
import socket
s = socket.socket(fileno=3)
sent = 0
try:
    while sent < 64 << 20:
        sent += s.send(b"x" * 65536)
except OSError:
    pass
print("hung up" if sent < 8 << 20 else sent)
""")
    assert out.startswith("hung up")


def test_a_program_that_does_not_read_holds_nobody_up(code):
    """Answers of 1 MiB that nobody reads: it is not even asked on."""
    out, result = code(r"""
import json, socket, time
s = socket.socket(fileno=3)
s.setblocking(False)
sent = 0
end = time.time() + 3
while time.time() < end:
    try:
        s.send(json.dumps({"id": sent, "tool": "exec_command", "arguments": {
            "cmd": "head -c 400000 /dev/zero | tr '\\0' x",
            "max_output_tokens": 100000}}).encode() + b"\n")
        sent += 1
    except BlockingIOError:
        time.sleep(0.05)
print("sent", sent)
""")
    assert out.startswith("sent ")
    assert result["usage"]["tool_calls"] < 20


def test_a_child_that_keeps_the_descriptor_is_no_program_any_more(code):
    """The command ends, its child holds on: for that one it is over."""
    def after(turn, request):
        if turn == 1:
            return [("call", "exec_command", {"cmd": "sleep 1; cat left"})]
        return [("text", last_output(request))]

    out, _ = code("""sh:
(sleep 0.5; skep-tool child '{"input": "x"}'; echo "status $?") \\
    > left 2>&1 & echo started""", after)
    assert "status 2" in out and "child" not in out.replace("hung up", "")


def test_a_program_in_the_background_is_served_while_the_model_waits(code):
    """It outlives its call; its calls wait for a turn with tools."""
    def after(turn, request):
        outputs = [i["output"] for i in request["input"]
                   if i["type"] == "function_call_output"]
        session = re.search(r"session ID (\d+)", outputs[0])
        if turn < 6 and "all done" not in outputs[-1]:
            return [("call", "write_stdin", {
                "session_id": int(session[1]), "chars": "",
                "yield_time_ms": 5000})]
        return [("text", outputs[-1])]

    out, _ = code("""
import time
from skep_tools import tools
for i in range(4):
    time.sleep(0.3)
    tools.child(input=str(i))
print("all done")
""", after, arguments={"yield_time_ms": 250})
    assert "all done" in out


def test_a_program_that_is_killed_in_a_call_leaves_nothing(code, skep):
    out, result = code("""sh:
timeout -s KILL 0.5 python3 -c '
from skep_tools import tools
tools.exec_command(cmd="sleep 1000", yield_time_ms=30000)'
echo "status $?"
skep-tool child '{"input": "after"}'
""")
    assert "status 137" in out and out.endswith("child: after")


def test_cancel_ends_a_program_and_its_calls(skep, agent):
    with FakeModel(runs("""
from skep_tools import tools
tools.exec_command(cmd="sleep 1000", yield_time_ms=30000)
""")) as model:
        run = skep.start("run", agent(model.url, code_mode=True), "go",
                         "--state", skep.state)

        def rows():
            listed = skep.run("ps", "--json", "--state", skep.state)
            return [json.loads(line) for line in listed.out.splitlines()
                    if listed.status == 0]
        assert wait_until(lambda: "tools" in [r["status"] for r in rows()])
        assert wait_until(lambda: "program exec_command" in skep.run(
            "show", rows()[0]["run_id"], "--state", skep.state).out)
        name = rows()[0]["run_id"]
        assert skep.run("cancel", name, "--state", skep.state).status == 0
        assert run.wait(20) == 1
    shown = skep.run("show", name, "--state", skep.state).out
    assert "program exec_command: cut" in shown


def test_the_client_cannot_be_changed_from_inside(code):
    out, _ = code("sh:echo x >> .skep/lib/skep_tools.py; "
                  "rm -f .skep/bin/skep-tool; ls .skep/bin")
    assert "ead-only" in out and out.rstrip().endswith("skep-tool")


@pytest.mark.parametrize("keys, named", [
    ({"code_mode": "yes"}, "code_mode"), ({"code_mode": {"calls": 0}}, "calls"),
    ({"code_mode": {"cals": 1}}, "calls")])
def test_check_says_what_code_mode_is(skep, agent, keys, named):
    done = skep.run("check", agent("http://127.0.0.1:1/v1", **keys))
    assert done.status == 65 and named in done.out + done.err


def test_an_agent_that_a_program_asks_needs_no_place_of_the_program(
        agent, batch, tasks):
    """One place for commands, held by the program: the child has its own."""
    def answer(turn, request):
        if request["model"] == "m-child":
            if turn == 0:
                return [("call", "exec_command", {"cmd": "echo inside"})]
            return [("text", last_output(request))]
        if turn == 0:
            return [("call", "exec_command", {
                "cmd": "skep-tool child '{\"input\": \"x\"}'",
                "yield_time_ms": 30000})]
        return [("text", last_output(request))]

    with FakeModel(answer) as model:
        done = batch(agent(
            model.url, code_mode=True, tools=["exec_command", "child"],
            agents={"child": {"model": {"name": "m-child"},
                              "tools": ["exec_command"]}}),
            tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(2)]),
            "-j", 1)
    assert done.status == 0, done.err
    for r in done.results:
        text = r["response"]["output_text"]
        assert "Process exited with code 0" in text  # it did not have to yield
        assert "inside" in text


@pytest.mark.parametrize("api", ["responses", "chat", "messages"])
def test_programs_call_tools_over_every_api(mock, agent, skep, api):
    def rule(turn, *reply, model="scripted"):
        return {"when": {"model": model, "turn": turn}, "reply": list(reply)}

    server = mock({"rules": [
        rule(0, {"tool": "exec_command", "arguments": {
            "yield_time_ms": 30000,
            "cmd": "skep-tool child '{\"input\": \"x\"}'"}}),
        rule(1, {"text": "${last_output}"}),
        rule(0, {"text": "child says ${input}"}, model="m-child")]})
    done = skep.run("run", agent(
        server, model={"api": api}, code_mode=True,
        tools=["exec_command", "child"],
        agents={"child": {"model": {"name": "m-child"}}}), "go",
        "--state", skep.state)
    assert done.status == 0, done.err
    assert done.out.rstrip().endswith("child says x")


SECRET = "s3cr3t-value-0123456789"
GIVEN = {"environment": {"TOKEN": {
    "type": "secret", "value": {"env": "THE_TOKEN"},
    "commands": ["sh tell.sh *"]}},
    "entries": {"tell.sh": {"type": "file", "content":
                            'printf %s "$TOKEN" > kept\n'
                            'skep-tool child "{\\"input\\": \\"$TOKEN\\"}"\n'
                            'echo "status $?"\n'}}}


def test_a_secret_goes_to_no_model_through_a_program(skep, agent):
    """A command that has one is no program; what it left is hidden."""
    def answer(turn, request):
        if request["model"] == "m-child":
            return [("text", "thanks for " + input_text(request))]
        commands = ["sh tell.sh x", 'skep-tool child "{\\"input\\": '
                    '\\"it is $(cat kept)\\"}"']
        if turn < 2:
            return [("call", "exec_command", {"cmd": commands[turn]})]
        return [("text", "\n".join(
            i["output"] for i in request["input"]
            if i["type"] == "function_call_output"))]

    with FakeModel(answer) as model:
        done = skep.run("run", agent(
            model.url, code_mode=True, tools=["exec_command", "child"],
            manifest=GIVEN, agents={"child": {"model": {"name": "m-child"}}}),
            "go", "--state", skep.state, env={"THE_TOKEN": SECRET})
        assert SECRET not in json.dumps(model.requests)
    assert "descriptor 3 is closed" in done.out and "status 2" in done.out
    assert "thanks for it is ***" in done.out


def test_a_child_in_the_same_sandbox_is_not_given_its_parents_secrets(
        skep, agent):
    def answer(turn, request):
        if request["model"] == "m-child":
            if turn == 0:
                return [("call", "exec_command", {"cmd": "sh show.sh x"})]
            return [("text", last_output(request))]
        if turn == 0:
            return [("call", "exec_command", {"cmd": "sh show.sh x"})]
        if turn == 1:
            return [("call", "child", {"input": "x"})]
        return [("text", "\n".join(
            i["output"] for i in request["input"]
            if i["type"] == "function_call_output"))]

    given = {"environment": GIVEN["environment"] | {"PLAIN": "seen"},
             "entries": {"show.sh": {"type": "file", "content":
                                     'echo "[$PLAIN $${#TOKEN}]"'}}}
    given["environment"]["TOKEN"]["commands"] = ["sh show.sh *"]
    with FakeModel(answer) as model:
        done = skep.run("run", agent(
            model.url, tools=["exec_command", "child"], manifest=given,
            agents={"child": {"model": {"name": "m-child"},
                              "tools": ["exec_command"],
                              "sandbox": {"share": True}}}),
            "go", "--state", skep.state, env={"THE_TOKEN": SECRET})
    assert f"[seen {len(SECRET)}]" in done.out
    assert "[seen 0]" in done.out
