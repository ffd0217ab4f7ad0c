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
