"""Sandboxes made ahead of time: nobody sees them but by the clock."""

import json

from fake_model import FakeModel


def script(turn, request):
    if turn == 0:
        return [("call", "exec_command", {
            "cmd": "ls -A /tmp /workspace; echo x > /tmp/x; echo x > x"})]
    return [("text", "done")]


def test_a_batch_with_warm_sandboxes(skep, agent, tasks):
    with FakeModel(script) as model:
        batch = tasks([{"custom_id": f"r{i}", "input": "x"}
                       for i in range(30)])
        done = skep.run("batch", agent(model.url), batch, "-j", "4", "-c",
                        "engine.warm=6")
        assert done.status == 0, done.err
        results = [json.loads(line) for line in done.out.splitlines()]
        assert len(results) == 30
        for r in results:
            assert r["status"] == "finished"
            assert [c["path"] for c in r["changes"]] == ["x"]
        said = [str(r) for r in model.requests]
        assert not any("/tmp:\\nx" in s for s in said)


def test_a_pool_beyond_its_ceiling_is_refused(skep, agent, tasks):
    with FakeModel(script) as model:
        batch = tasks([{"custom_id": "r", "input": "x"}])
        done = skep.run("batch", agent(model.url), batch, "-c",
                        "engine.warm=65")
        assert done.status in (64, 78) and "warm" in done.err
