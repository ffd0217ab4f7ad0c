"""Agents that name other agents: what `skep check` and a start refuse."""

import json

import pytest

MODEL = {"name": "m", "base_url": "http://127.0.0.1:1/v1",
         "api_key": {"env": "SOME_KEY"}}


@pytest.fixture
def check(skep):
    def run(first, *options, **others):
        for name, content in (("first", first), *others.items()):
            (skep.home / f"{name}.json").write_text(json.dumps(content))
        return skep.run("check", "--kind", "agent", "--effective", *options,
                        skep.home / "first.json")
    return run


def agent(**keys):
    return {"name": "first", "model": MODEL} | keys


def effective(done):
    assert done.status == 0, done.out + done.err
    return json.loads(done.out)["effective"]


def test_what_an_agent_leaves_out_it_has_from_the_first(check):
    first = agent(agents={"second": {"instructions": "x"},
                          "third": {"model": {"name": "other"}}},
                  prices={"input": 2, "output": 3})
    told = effective(check(first))["agents"]
    assert told["second"]["name"] == "second"
    assert told["second"]["model"]["name"] == "m"
    assert told["second"]["model"]["api_key"] == {"env": "SOME_KEY"}
    assert told["second"]["prices"]["input"] == 2
    assert told["third"]["model"]["name"] == "other"
    assert told["third"]["model"]["base_url"] == MODEL["base_url"]


def test_no_key_goes_to_an_address_that_it_is_not_for(check):
    first = agent(agents={"second": {"model": {
        "name": "m", "base_url": "http://127.0.0.2:1/v1"}}})
    model = effective(check(first))["agents"]["second"]["model"]
    assert "api_key" not in model


def test_files_may_name_each_other_in_circles(check):
    first = agent(agents={"second": "second.json"}, handoffs=["second"])
    second = {"name": "second", "agents": {"back": "first.json"},
              "handoffs": ["back"]}
    done = check(first, second=second)
    assert effective(done)["agents"]["second"].endswith("second.json")


def digest(done):
    assert done.status == 0, done.out + done.err
    return json.loads(done.out)["digest"]


def test_the_digest_stands_for_all_that_it_names(check):
    first = agent(agents={"second": "second.json"})
    one = digest(check(first, second={"name": "s", "instructions": "a"}))
    same = digest(check(first, second={"name": "s", "instructions": "a"}))
    other = digest(check(first, second={"name": "s", "instructions": "b"}))
    assert one == same != other


def test_an_override_reaches_an_agent_by_its_name(check):
    first = agent(agents={"second": {"instructions": "x"}})
    done = check(first, "-c", "agents.second.model.name=new")
    assert effective(done)["agents"]["second"]["model"]["name"] == "new"
    done = check(first, "-c", "agents.third.model.name=new")
    assert done.status == 65 and "agents.third.model.name" in done.err


@pytest.mark.parametrize("keys, named", [
    ({"agents": {"a b": {}}}, "a b"),
    ({"agents": {"x": "missing.json"}}, "missing.json"),
    ({"agents": {"x": 1}}, "agents.x"),
    ({"agents": {"shell": {}}}, "agents.shell"),
    ({"agents": {"x": {"tolls": []}}}, "tools"),
    ({"agents": {"x": {"tools": ["no_such"]}}}, "no_such"),
    ({"handoffs": ["x"]}, "no name in"),
    ({"agents": {"x": {}}, "handoffs": ["x", "x"]}, "twice"),
    ({"agents": {"x": {}}, "handoffs": [{"agent": "x", "input": {
        "not": {}}}]}, "input"),
    ({"agents": {"x": {"sandbox": {"profile": "bare"}}}}, "wider"),
    ({"agents": {"x": {"sandbox": {"profile": {
        "limits": {"memory": "2G"}}}}}}, "limits.memory"),
    ({"agents": {"x": {"agents": {"y": {"sandbox": {"profile": "bare"}}}}}},
     "agents.y"),
    ({"agents": {"x": {"sandbox": {"share": True}, "manifest": {
        "entries": {}}}}}, "share"),
    ({"tools": ["shell"], "agents": {"x": {"manifest": {"entries": {}}}},
      "handoffs": ["x"]}, "manifest"),
    ({"tools": ["shell"], "agents": {"x": {"sandbox": {"profile": {
        "extends": "draft", "limits": {"memory": "1M"}}}}},
      "handoffs": ["x"]}, "profile"),
    ({"subagents": {"depth": 9}}, "depth"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_what_cannot_work_is_named(check, keys, named):
    done = check(agent(**keys))
    assert done.status == 65 and named in done.out + done.err
    assert "first.json:" in done.out + done.err


def test_a_hundred_agents_are_too_many(check):
    done = check(agent(agents={f"a{i}": {} for i in range(100)}))
    assert done.status == 65 and "64" in done.out + done.err
