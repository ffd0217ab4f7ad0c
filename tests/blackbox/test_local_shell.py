"""local_shell: one program by its arguments, native or as a function."""

import json

import pytest

from conftest import say, script
from fake_model import FakeModel

APIS = pytest.mark.parametrize("api", ["responses", "chat", "messages"])


def call(**arguments):
    return {"when": {"turn": 0}, "reply": [
        {"tool": "local_shell", "arguments": arguments}]}


@pytest.fixture
def told(mock, agent, batch, tasks):
    runs = []

    def run(api="responses", more=None, env=None, **arguments):
        runs.append(f"r{len(runs)}")
        server = mock(script(call(**arguments), say("${last_output}")))
        file = agent(server, model={"api": api}, tools=["local_shell"],
                     **(more or {}))
        result = batch(file, tasks([{"custom_id": runs[-1], "input": "x"}]),
                       env=env).of(runs[-1])
        assert result["status"] == "finished", result["error"]
        return result["response"]["output_text"]
    return run


@APIS
def test_a_program_runs_with_its_arguments(told, api):
    assert told(api, command=["printf", "%s|", "a b", "$HOME", "*"]) \
        == "a b|$HOME|*|\n"


@APIS
def test_ends_are_told(told, api):
    assert told(api, command=["true"]) == "(no output)"
    assert told(api, command=["sh", "-c", "echo out; echo err >&2; exit 3"]) \
        == "out\nerr\nexit code: 3"
    assert told(api, command=["sh", "-c", "kill -9 $$"]) == "exit code: -9"
    assert told(api, command=["sleep", "60"], timeout_ms=200) \
        == "status: timeout"
    assert "it was not started" in told(api, command=["no-such-program"])


def test_variables_of_the_model_go_over_the_manifests(mock, agent, batch,
                                                      tasks):
    server = mock(script({"when": {"turn": 0}, "reply": [{
        "tool": "local_shell", "arguments": {
            "command": ["sh", "-c", "pwd; echo $A $B $C"],
            "working_directory": "d", "env": {"B": "x", "C": "y"}}}]},
        say("${last_output}")))
    file = agent(server, tools=["local_shell"], manifest={
        "entries": {"d": {"type": "dir"}},
        "environment": {"A": "1", "B": "2"}})
    result = batch(file, tasks([{"custom_id": "a", "input": "x"}])).of("a")
    assert result["response"]["output_text"] == "/workspace/d\n1 x y\n"


def test_a_secret_is_for_a_plain_line_without_other_variables(
        mock, agent, batch, tasks):
    manifest = {"environment": {"T": {
        "type": "secret", "value": {"env": "TOKEN"},
        "commands": ["printenv T"]}}}
    for n, (more, said) in enumerate((
            ({}, "***\n"), ({"env": {"PATH": "/workspace:/usr/bin"}},
                            "exit code: 1"))):
        server = mock(script({"when": {"turn": 0}, "reply": [{
            "tool": "local_shell",
            "arguments": {"command": ["printenv", "T"]} | more}]},
            say("${last_output}")))
        file = agent(server, tools=["local_shell"], manifest=manifest)
        result = batch(file, tasks([{"custom_id": str(n), "input": "x"}]),
                       env={"TOKEN": "very-secret-value"}).of(str(n))
        assert result["response"]["output_text"] == said


def test_nobody_else_can_be_chosen(told):
    said = told(command=["id"], user="root")
    assert "user" in said and "uid=" not in said


def test_the_native_tool_is_declared(skep, agent):
    with FakeModel(lambda turn, request: [("text", "Done.")]) as model:
        done = skep.run("run", agent(model.url, tools=["local_shell"]), "go")
        assert done.status == 0, done.err
        assert model.requests[0]["tools"] == [{"type": "local_shell"}]


def test_the_native_item_is_answered(skep, mock, agent, batch, tasks):
    item = {"type": "local_shell_call", "id": "ls_1", "call_id": "call_7",
            "status": "completed", "action": {
                "type": "exec", "command": ["echo", "native"], "env": {},
                "timeout_ms": 5000}}
    file = agent(mock(script({"when": {"turn": 0}, "reply": [{"item": item}]},
                             say("Done."))), tools=["local_shell"])
    batch(file, tasks([{"custom_id": "a", "input": "x"}])).of("a")
    done = skep.run("log", "a", "--raw", "--state", skep.state)
    items = [json.loads(line) for line in done.out.splitlines()]
    items = [i.get("item", i) for i in items]
    assert {"type": "local_shell_call_output", "call_id": "call_7",
            "output": "native\n"} in items, items
