"""Outputs that a hostile run made: they concern that run only."""

import json

import pytest

from fake_model import FakeModel, input_text


def models(make):
    """A model that runs make in "bad" and makes one good file elsewhere."""
    def answer(turn, request):
        if turn > 0:
            return [("text", "done")]
        good = "mkdir o; echo fine > o/f"
        return [("call", "exec_command", {
            "cmd": make if input_text(request) == "bad" else good,
            "yield_time_ms": 30000})]
    return answer


DEEP = """
mkdir o; cd o; python3 -c "
import os
for i in range(500):
    os.mkdir('q' * 10)
    os.chdir('q' * 10)
open('deep', 'w').write('x')
"
"""
# What the copy is called until it is whole.
TAKEN = "mkdir -p o/.skep-part; echo x > o/.skep-part/x; echo y > o/y"
LINKS = """
mkdir o; head -c 1000000 /dev/zero > o/f
for i in $(seq 300); do ln o/f o/f$i; done
"""
HOLES = "mkdir o; for i in $(seq 300); do truncate -s 1000000 o/f$i; done"


@pytest.mark.parametrize("outputs", [
    ["o/"], [{"path": "o", "archive": "tar"}]], ids=["folder", "archive"])
@pytest.mark.parametrize("make", [DEEP, TAKEN], ids=["deep", "taken"])
def test_no_name_stops_the_others(skep, agent, tasks, make, outputs):
    with FakeModel(models(make)) as model:
        path = agent(model.url, outputs=outputs)
        done = skep.run("batch", path, tasks(
            [{"custom_id": "bad", "input": "bad"}] +
            [{"custom_id": f"r{i}", "input": "good"} for i in range(3)]),
            "-j", "1", "--state", skep.state)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert len(lines) == 4, (done.status, done.err)
    assert all(r["status"] == "finished" for r in lines
               if r["custom_id"] != "bad")


@pytest.mark.parametrize("outputs", [
    ["o/"], [{"path": "o", "archive": "tar"}]], ids=["folder", "archive"])
@pytest.mark.parametrize("make", [LINKS, HOLES], ids=["links", "holes"])
def test_the_disk_limit_holds_for_what_is_collected(
        skep, agent, tasks, make, outputs):
    profile = skep.home / "small.json"
    profile.write_text(json.dumps({
        "extends": "draft", "limits": {"disk": "4M", "inodes": 1000}}))
    with FakeModel(models(make)) as model:
        path = agent(model.url, outputs=outputs,
                     sandbox={"profile": "small.json"})
        done = skep.run("batch", path, tasks(
            [{"custom_id": "bad", "input": "bad"},
             {"custom_id": "good", "input": "good"}]),
            "-j", "1", "--state", skep.state)
    bad, good = [json.loads(line) for line in done.out.splitlines()]
    assert (bad["status"], good["status"]) == ("failed", "finished"), done.err
    assert "too big" in bad["error"]["message"], bad["error"]
    held = sum(f.stat().st_size for f in skep.state.rglob("*") if f.is_file())
    assert held < 100e6
