"""The debug build counts its own allocations: none after start-up."""

import re

import pytest

from conftest import REPO, say, script, tool

DEBUG = REPO / "build/debug/skep"


@pytest.mark.parametrize("tls", [False, True])
def test_nothing_is_allocated_after_start_up(skep, mock, agent, tasks, tls):
    """Libraries aside; the count is taken in the debug build."""
    if not DEBUG.exists():
        pytest.fail(f"{DEBUG} does not exist; make blackbox builds it")
    server = mock(script(
        tool("exec_command", 0, cmd="seq 1 30000; echo e >&2"),
        tool("shell", 1, commands=["echo a", "exit 3"]),
        tool("exec_command", 2, cmd="sleep 0.4", yield_time_ms=250),
        say("Done ${input}.")), *(["--tls"] if tls else []))
    file = agent(server, tools=["exec_command", "shell"], manifest={
        "entries": {"in.txt": {"type": "file", "content": "x"},
                    "output": {"type": "dir"}}})
    skep.path = str(DEBUG)
    done = skep.run(
        "batch", file, tasks([{"custom_id": f"t{i}", "input": f"{i}"}
                              for i in range(40)]),
        "--state", skep.state, "-j", "8", env={"SKEP_ALLOC_GUARD": "1"})
    assert done.status == 0, done.err
    found = re.search(r"allocations after start-up: (-?\d+).*", done.err)
    assert found, done.err
    assert found[1] == "0", found[0]


def test_agents_and_programs_allocate_nothing_either(skep, mock, agent,
                                                     tasks):
    if not DEBUG.exists():
        pytest.fail(f"{DEBUG} does not exist; make blackbox builds it")

    def rule(model, turn, *reply):
        return {"when": {"model": model, "turn": turn}, "reply": list(reply)}

    child = {"tool": "child", "arguments": {"input": "x"}}
    server = mock({"rules": [
        rule("scripted", 0, child, child, {
            "tool": "spawn_agent", "arguments": {"agent": "child",
                                                 "input": "y"}}),
        rule("scripted", 1, {"tool": "wait_agent", "arguments": {}}),
        rule("scripted", 2, {"tool": "exec_command", "arguments": {
            "cmd": "for i in 1 2 3; do skep-tool list_agents; done; "
                   "skep-tool child '{\"input\": \"z\"}'",
            "yield_time_ms": 30000}}),
        rule("scripted", 3, {"tool": "transfer_to_next", "arguments": {}}),
        {"when": {"model": "m-next"}, "reply": [{"text": "Done."}]},
        rule("m-child", 0, {"tool": "exec_command",
                            "arguments": {"cmd": "echo hi"}}),
        rule("m-child", 1, {"text": "hi"})]})
    file = agent(
        server, code_mode=True,
        tools=["exec_command", "spawn_agent", "child"],
        handoffs=[{"agent": "next", "nest_history": True}],
        agents={"child": {"model": {"name": "m-child"},
                          "tools": ["exec_command"]},
                "next": {"model": {"name": "m-next"}}})
    skep.path = str(DEBUG)
    done = skep.run(
        "batch", file, tasks([{"custom_id": f"t{i}", "input": f"{i}"}
                              for i in range(10)]),
        "--state", skep.state, "-j", "4", env={"SKEP_ALLOC_GUARD": "1"})
    assert done.status == 0, done.err
    found = re.search(r"allocations after start-up: (-?\d+).*", done.err)
    assert found and found[1] == "0", done.err
