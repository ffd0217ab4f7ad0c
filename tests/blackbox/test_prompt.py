"""What the model is told before the conversation begins."""

import hashlib

import pytest

from conftest import say, script, tool
from fake_model import FakeModel


def prompts(model):
    return [request["instructions"] for request in model.requests]


def steps(turn, request):
    if turn < 2:
        return [("call", "exec_command", {"cmd": f"echo {turn} > file"})]
    return [("text", "done")]


def test_the_prompt_is_the_same_bytes_over_turns_and_runs(
        batch, agent, tasks):
    lines = [{"custom_id": f"t{i}", "input": f"task {i}"} for i in range(8)]
    with FakeModel(steps) as model:
        done = batch(agent(model.url), tasks(lines), "-j", "4")
    assert done.status == 0, done.err
    told = prompts(model)
    assert len(told) == 24
    assert len({hashlib.sha256(p.encode()).digest() for p in told}) == 1
    assert told[0].startswith("You are an agent that works on a task")
    assert "\n\n# Agent instructions\n\nDo as the task says.\n\n" in told[0]
    assert told[0].endswith("layout is:\n\n/workspace")


@pytest.mark.parametrize("base, head", [
    ("Obey.", "Obey.\n\n# Agent instructions\n\nDo as"),
    ({"file": "base.md"}, "From a file.\n\n# Agent instructions\n\nDo as"),
    (None, "# Agent instructions\n\nDo as")])
def test_the_base_prompt_can_be_replaced(skep, agent, base, head):
    (skep.home / "base.md").write_text("From a file.\n")
    with FakeModel(steps) as model:
        path = agent(model.url, base_instructions=base)
        assert skep.run("run", path, "go").status == 0
    assert all(p.startswith(head) for p in prompts(model))
