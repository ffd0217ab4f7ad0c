"""Many agents: handoffs, agents as tools, agents that the model starts."""

import json
import os
import re
import signal

import pytest

from conftest import wait_until
from fake_model import FakeModel, input_text, last_output

APIS = ["responses", "chat", "messages"]


def call(name, **arguments):
    return {"tool": name, "arguments": arguments}


def rule(model, turn, *reply, **when):
    return {"when": {"model": model, **({} if turn is None else
                                        {"turn": turn}), **when},
            "reply": [{"text": part} if isinstance(part, str) else part
                      for part in reply],
            "usage": {"input_tokens": 10, "output_tokens": 5}}


def script(*rules):
    return {"rules": list(rules)}


def member(name, **keys):
    return {"model": {"name": name}, "instructions": f"You are {name}."} | keys


def outputs_of(request):
    return [item["output"] for item in request["input"]
            if item.get("type") == "function_call_output"]


@pytest.fixture
def result(skep):
    """Run one agent on "go": the whole result line."""
    def run(agent_file, *options, prompt="go"):
        done = skep.run("run", agent_file, prompt, "--json", "--state",
                        skep.state, *options)
        last = json.loads(done.out.splitlines()[-1])
        return last["result"]
    return run


@pytest.fixture
def show(skep):
    def run(name, *options):
        done = skep.run("show", name, "--state", skep.state, *options)
        assert done.status == 0, done.err
        return done.out
    return run


# --- handoffs ---


@pytest.mark.parametrize("api", APIS)
def test_another_agent_takes_the_run_over(mock, agent, result, show, api):
    server = mock(script(
        rule("m-triage", 0, call("transfer_to_billing")),
        rule("m-billing", 1, "Paid. ${last_output}")))
    done = result(agent(server, model={"api": api, "name": "m-triage"},
                        tools=[], handoffs=["billing"],
                        agents={"billing": member("m-billing")}))
    assert done["status"] == "finished", done
    assert done["response"]["output_text"] == 'Paid. {"assistant": "billing"}'
    assert done["usage"]["turns"] == 2
    assert done["evidence"]["agent"] == "test"
    assert done["evidence"]["handed_to"] == "billing"
    assert re.search("^handed to +billing$", show(done["run_id"]), re.M)


def hands_over(turn, request):
    if request["model"] == "m-first":
        return [("call", "transfer_to_second", {}),
                ("call", "transfer_to_third", {})]
    return [("text", "done")]


def test_the_first_handoff_of_a_turn_wins(agent, result):
    with FakeModel(hands_over) as model:
        done = result(agent(
            model.url, model={"name": "m-first"}, tools=[],
            handoffs=["second", "third"],
            agents={"second": member("m-second", tools=["exec_command"]),
                    "third": member("m-third")}))
        first, second = model.requests
    assert done["response"]["output_text"] == "done"
    assert second["model"] == "m-second"
    assert "You are m-second." in second["instructions"]
    assert {t["name"] for t in first["tools"]} == {
        "transfer_to_second", "transfer_to_third"}
    assert {t["name"] for t in second["tools"]} == {
        "exec_command", "write_stdin"}
    assert outputs_of(second) == [
        '{"assistant": "second"}',
        "Multiple handoffs detected, ignoring this one."]


def test_a_handoff_is_described_as_models_know_it(agent, result):
    with FakeModel(hands_over) as model:
        result(agent(
            model.url, model={"name": "m-first"}, tools=[],
            handoffs=["second", {"agent": "third", "input": {
                "type": "object", "properties": {"why": {"type": "string"}},
                "required": ["why"]}},
                {"agent": "fourth", "description": "Only on Mondays."}],
            agents={"second": member("m-second", description="Sends bills."),
                    "third": member("m-third"),
                    "fourth": member("m-fourth", description="Idle.")}))
        tools = {t["name"]: t for t in model.requests[0]["tools"]}
    second, third = tools["transfer_to_second"], tools["transfer_to_third"]
    assert tools["transfer_to_fourth"]["description"] == "Only on Mondays."
    assert third["description"] == \
        "Handoff to the third agent to handle the request."
    assert second["description"] == "Handoff to the second agent to handle " \
        "the request. Sends bills."
    assert second["parameters"]["properties"] == {}
    assert third["parameters"]["required"] == ["why"]


def test_two_agents_may_hand_on_for_ever_within_the_budget(agent, result,
                                                           skep):
    def answer(turn, request):
        other = "b" if request["model"] == "m-a" else "a"
        return [("call", f"transfer_to_{other}", {})]

    with FakeModel(answer) as model:
        (skep.home / "b.json").write_text(json.dumps(
            member("m-b", agents={"a": "agent-0.json"}, handoffs=["a"])))
        done = result(agent(model.url, model={"name": "m-a"}, tools=[],
                            agents={"b": "b.json"}, handoffs=["b"],
                            budget={"turns": 7}))
        assert [r["model"] for r in model.requests] == \
            ["m-a", "m-b"] * 3 + ["m-a"]
    assert done["error"]["code"] == "budget_turns"


def shown(request):
    """What the request says of each item: its type, or who said it."""
    return [item.get("role") or item["type"] for item in request["input"]]


def works_then_hands_over(turn, request):
    if request["model"] == "m-second":
        return [("text", "done")]
    if turn == 0:
        return [{"type": "reasoning", "id": "rs_1", "summary": []},
                ("call", "exec_command", {"cmd": "echo worked"})]
    return [("text", "Now the other."), ("call", "transfer_to_second", {})]


@pytest.mark.parametrize("handoff, expected", [
    ("second", ["user", "function_call", "function_call_output", "assistant",
                "function_call", "function_call_output"]),
    ({"agent": "second", "input_filter": "remove_all_tools"},
     ["user", "assistant"]),
    ({"agent": "second", "nest_history": True}, ["assistant"]),
], ids=["all", "no-tools", "nested"])
def test_what_the_next_agent_is_shown(agent, result, skep, handoff, expected):
    with FakeModel(works_then_hands_over) as model:
        done = result(agent(model.url, model={"name": "m-first"},
                            handoffs=[handoff],
                            agents={"second": member("m-second")}))
        last = model.requests[-1]
    assert done["response"]["output_text"] == "done"
    assert shown(last) == expected
    # The store keeps it all, reasoning of the other model included.
    log = skep.run("log", done["run_id"], "--raw", "--state", skep.state).out
    assert '"reasoning"' in log and "worked" in log


def test_nested_history_is_told_as_models_know_it(agent, result):
    with FakeModel(works_then_hands_over) as model:
        result(agent(model.url, model={"name": "m-first"},
                     handoffs=[{"agent": "second", "nest_history": True}],
                     agents={"second": member("m-second")}))
        text = model.requests[-1]["input"][0]["content"][0]["text"]
    lines = text.split("\n")
    assert lines[:3] == [
        "For context, here is the conversation so far between the user and "
        "the previous agent:", "<CONVERSATION HISTORY>", "1. user: go"]
    assert lines[-1] == "</CONVERSATION HISTORY>"
    assert any(re.match(r"\d+\. assistant: Now the other\.$", line)
               for line in lines)
    assert "function_call_output" in text and "worked" in text


def test_the_workspace_stays_when_another_agent_takes_over(agent, result):
    def answer(turn, request):
        if turn == 0:
            return [("call", "exec_command", {"cmd": "echo one > file"})]
        if request["model"] == "m-first":
            return [("call", "transfer_to_second", {})]
        if turn == 2:
            return [("call", "exec_command", {"cmd": "cat file"})]
        return [("text", last_output(request))]

    with FakeModel(answer) as model:
        done = result(agent(model.url, model={"name": "m-first"},
                            handoffs=["second"],
                            agents={"second": member(
                                "m-second", tools=["exec_command"])}))
    assert done["response"]["output_text"].endswith("one\n")


def test_other_calls_of_the_turn_are_done_before_the_handoff(agent, result):
    def answer(turn, request):
        if request["model"] == "m-second":
            return [("text", " ".join(outputs_of(request)))]
        return [("call", "transfer_to_second", {}),
                ("call", "exec_command", {"cmd": "echo worked"}),
                ("call", "no_such_tool", {})]

    with FakeModel(answer) as model:
        done = result(agent(model.url, model={"name": "m-first"},
                            handoffs=["second"],
                            agents={"second": member("m-second")}))
    said = done["response"]["output_text"]
    assert said.startswith('{"assistant": "second"} ')
    assert "worked" in said and "there is no tool no_such_tool" in said


def test_a_handoff_that_cannot_work_is_told_to_the_model(agent, result):
    """Only the second step shows that a workspace is there already."""
    def answer(turn, request):
        if request["model"] == "m-second":
            return [("call", "transfer_to_third", {})] if turn < 3 else \
                [("text", last_output(request))]
        return [("call", "exec_command", {"cmd": "true"})] if turn == 0 \
            else [("call", "transfer_to_second", {})]

    with FakeModel(answer) as model:
        done = result(agent(
            model.url, model={"name": "m-first"}, handoffs=["second"],
            agents={"second": member(
                "m-second", handoffs=["third"], agents={"third": member(
                    "m-third", tools=["exec_command"],
                    manifest={"entries": {}})})}))
        assert {r["model"] for r in model.requests} == {"m-first", "m-second"}
    assert "third cannot take over: it needs a workspace of its own" in \
        done["response"]["output_text"]


@pytest.mark.parametrize("api", APIS)
def test_nested_history_over_every_api(mock, agent, result, api):
    server = mock(script(
        rule("m-first", 0, "First I think.", call("transfer_to_second")),
        rule("m-second", None, "done")))
    done = result(agent(
        server, model={"api": api, "name": "m-first"}, tools=[],
        handoffs=[{"agent": "second", "nest_history": True}],
        agents={"second": member("m-second")}))
    assert done["status"] == "finished", done
    assert done["response"]["output_text"] == "done"


# --- agents as tools ---


@pytest.mark.parametrize("api", APIS)
def test_an_agent_is_asked_as_a_tool(mock, agent, result, show, api):
    server = mock(script(
        rule("m-top", 0, call("expert", input="what is 6 * 7")),
        rule("m-top", 1, "It says: ${last_output}"),
        rule("m-expert", 0, call("exec_command", cmd="echo $((6 * 7))")),
        rule("m-expert", 1, "42, of ${input}")))
    done = result(agent(
        server, model={"api": api, "name": "m-top"}, tools=["expert"],
        agents={"expert": member("m-expert", tools=["exec_command"])}))
    assert done["status"] == "finished", done
    assert done["response"]["output_text"] == "It says: 42, of what is 6 * 7"
    # What it spent is in the account, but its turns are its own.
    assert done["usage"]["turns"] == 2
    assert done["usage"]["model_calls"] == 4
    assert done["usage"]["tool_calls"] == 2
    assert done["usage"]["input_tokens"] == 40
    tree = re.search(r"^agent +([0-9a-f]{16}) expert: finished, 2 turns",
                     show(done["run_id"]), re.M)
    child = json.loads(show(tree[1], "--json"))
    assert child["run"]["parent"] == done["run_id"]
    assert child["result"]["response"]["output_text"].startswith("42")


def test_an_agent_that_fails_is_told_to_the_model(agent, result):
    def answer(turn, request):
        if request["model"] == "m-expert":
            return [("call", "no_such_tool", {})]
        if turn == 0:
            return [("call", "expert", {"input": "x"}),
                    ("call", "expert", {"inputt": "x"}),
                    ("call", "expert", "no json")]
        return [("text", "done")]

    with FakeModel(answer) as model:
        done = result(agent(
            model.url, model={"name": "m-top"}, tools=["expert"],
            agents={"expert": member("m-expert", budget={"turns": 2})}))
        failed, misspelt, no_json = outputs_of(model.requests[-1])
    assert done["status"] == "finished"
    assert "An error occurred while running the tool." in failed
    assert "budget_turns" in failed
    assert "inputt" in misspelt or "input" in misspelt
    assert "no JSON" in no_json


def test_more_calls_than_may_work_at_once_take_turns(agent, result):
    def answer(turn, request):
        if request["model"] == "m-expert":
            return [("text", "yes " + input_text(request))]
        if turn == 0:
            return [("call", "expert", {"input": str(i)}) for i in range(20)]
        return [("text", "done")]

    with FakeModel(answer, delay=0.02) as model:
        done = result(agent(
            model.url, model={"name": "m-top"}, tools=["expert"],
            subagents={"at_once": 3}, agents={"expert": member("m-expert")}))
        assert outputs_of(model.requests[-1]) == [
            f"yes {i}" for i in range(20)]
        assert model.in_flight_max <= 3
    assert done["usage"]["model_calls"] == 22


# --- agents that the model starts ---


def spawns(children, wait=None):
    """A model that starts children, waits for them and says what they said."""
    def answer(turn, request):
        if request["model"] != "m-top":
            return [("text", f"{request['model']}: {input_text(request)}")]
        if turn == 0:
            return [("call", "spawn_agent", child) for child in children]
        if turn == 1:
            ids = [json.loads(o)["agent_id"] for o in outputs_of(request)]
            return [("call", "wait_agent", (wait or (lambda ids: {
                "agent_ids": ids}))(ids))]
        return [("text", last_output(request))]
    return answer


def test_agents_are_started_and_waited_for(agent, result, skep):
    plan = spawns([{"agent": "a", "input": "1"}, {"agent": "b", "input": "2"},
                   {"input": "3"}])

    def answer(turn, request):  # a copy of the top has its model
        if input_text(request) == "3":
            return [("text", "copy")]
        return plan(turn, request)

    with FakeModel(answer) as model:
        done = result(agent(
            model.url, model={"name": "m-top"}, tools=["spawn_agent"],
            agents={"a": member("m-a"), "b": member("m-b")}))
        tools = {t["name"]: t for t in model.requests[0]["tools"]}
    assert set(tools) == {"spawn_agent", "wait_agent", "list_agents",
                          "cancel_agent"}
    assert "- a\n- b" in tools["spawn_agent"]["description"]
    told = json.loads(done["response"]["output_text"])
    assert told["timed_out"] is False
    assert [(a["agent"], a["status"], a["output"]) for a in told["agents"]] \
        == [("a", "finished", "m-a: 1"), ("b", "finished", "m-b: 2"),
            ("test", "finished", "copy")]
    rows = [json.loads(line) for line in skep.run(
        "ps", "--json", "--state", skep.state).out.splitlines()]
    assert len(rows) == 4
    assert [r.get("parent") for r in rows].count(done["run_id"]) == 3
    assert "of " + done["run_id"] in skep.run(
        "ps", "--state", skep.state).out


@pytest.mark.parametrize("api", APIS)
def test_agents_are_started_over_every_api(mock, agent, result, api):
    server = mock(script(
        rule("m-top", 0, call("spawn_agent", agent="a", input="1"),
             call("spawn_agent", agent="a", input="2")),
        rule("m-top", 1, call("wait_agent")),
        rule("m-top", 2, "${last_output}"),
        rule("m-a", 0, "answer to ${input}")))
    done = result(agent(
        server, model={"api": api, "name": "m-top"}, tools=["spawn_agent"],
        agents={"a": member("m-a")}))
    assert done["status"] == "finished", done
    told = json.loads(done["response"]["output_text"])
    assert [a["output"] for a in told["agents"]] == [
        "answer to 1", "answer to 2"]


@pytest.mark.parametrize("share, seen", [(False, "none"), (True, "mine")])
def test_a_sandbox_of_its_own_or_its_parents(agent, result, share, seen):
    def answer(turn, request):
        if request["model"] == "m-child":
            if turn == 0:
                return [("call", "exec_command", {
                    "cmd": "cat file || echo none; echo child > left"})]
            return [("text", last_output(request).split("\n")[-2])]
        return [
            lambda: [("call", "exec_command", {"cmd": "echo mine > file"})],
            lambda: [("call", "child", {"input": "look"})],
            lambda: [("call", "exec_command", {
                "cmd": "cat left || echo none"})],
            lambda: [("text", "done")]][turn]()

    with FakeModel(answer) as model:
        done = result(agent(
            model.url, model={"name": "m-top"},
            tools=["exec_command", "child"],
            agents={"child": member("m-child", tools=["exec_command"],
                                    sandbox={"share": share})}))
        outputs = outputs_of(model.requests[-1])
    assert done["status"] == "finished"
    assert outputs[1] == seen
    assert outputs[2].endswith("child\n" if share else "none\n")


def test_an_agent_that_starts_itself_for_ever_is_stopped(agent, result,
                                                         skep):
    def answer(turn, request):
        if turn == 0:
            return [("call", "spawn_agent", {"input": "again"})] * 1
        if turn == 1 and "agent_id" in last_output(request):
            return [("call", "wait_agent", {})]
        return [("text", "end: " + last_output(request))]

    with FakeModel(answer) as model:
        done = result(agent(model.url, tools=["spawn_agent"],
                            subagents={"depth": 3}))
        deepest = [r for r in model.requests
                   if "deep" in (last_output(r) or "")]
    assert done["status"] == "finished"
    assert "agents may be started 3 deep" in last_output(deepest[0])
    rows = skep.run("ps", "--json", "--state", skep.state).out.splitlines()
    assert sorted(json.loads(r).get("depth", 0) for r in rows) == [0, 1, 2, 3]


def test_a_whole_tree_has_room(agent, result):
    """What depth and at_once allow is there, also with one job."""
    def answer(turn, request):
        said = input_text(request)
        if len(said) < 4 and turn == 0:  # "go", then "go0", then "go00"
            return [("call", "spawn_agent", {"input": f"{said}{i}"})
                    for i in range(4)]
        if len(said) < 4 and turn == 1:
            return [("call", "wait_agent", {})]
        return [("text", " ".join(outputs_of(request)) or "leaf")]

    with FakeModel(answer, delay=0.05) as model:
        done = result(agent(model.url, tools=["spawn_agent"], subagents={
            "depth": 2, "at_once": 4, "total": 20}))
    assert done["status"] == "finished"
    assert "too many" not in done["response"]["output_text"]
    assert done["usage"]["model_calls"] == 3 + 4 * 3 + 16


def test_an_agent_that_starts_others_for_ever_is_stopped(agent, result,
                                                         skep):
    def answer(turn, request):
        if request["model"] == "m-child":
            return [("text", "ok")]
        if turn < 12:
            return [("call", "child", {"input": "x"})] * 2
        return [("text", "done")]

    with FakeModel(answer) as model:
        done = result(agent(
            model.url, model={"name": "m-top"}, tools=["child"],
            subagents={"total": 9}, agents={"child": member("m-child")}))
        outputs = outputs_of(model.requests[-1])
    assert outputs.count("ok") == 9
    assert "9 agents have been started" in outputs[-1]
    assert done["usage"]["model_calls"] == 13 + 9


def test_a_budget_holds_for_all_that_is_started(agent, result):
    def answer(turn, request):
        if request["model"] == "m-child":
            return [("call", "no_such_tool", {})]
        return [("call", "child", {"input": "x"})]

    with FakeModel(answer) as model:
        done = result(agent(
            model.url, model={"name": "m-top"}, tools=["child"],
            budget={"tokens": 1000}, agents={"child": member(
                "m-child", budget={"tokens": 1000000})}))
        assert len(model.requests) == 9  # of 110 tokens each
    assert done["error"]["code"] == "budget_tokens"
    assert done["usage"]["total_tokens"] == 990


def test_waiting_for_any_and_for_a_time(agent, result):
    def answer(turn, request):
        if request["model"] == "m-fast":
            return [("text", "fast")]
        if request["model"] == "m-slow":
            if turn == 0:
                return [("call", "exec_command", {
                    "cmd": "sleep 60", "yield_time_ms": 30000})]
            return [("text", "slow")]
        ids = [json.loads(o)["agent_id"] for o in outputs_of(request)[:2]]
        return [
            [("call", "spawn_agent", {"agent": "slow", "input": "x"}),
             ("call", "spawn_agent", {"agent": "fast", "input": "x"})],
            [("call", "wait_agent", {"agent_ids": ids, "wait_for": "any"})],
            [("call", "wait_agent", {"agent_ids": ids, "timeout_ms": 0})],
            [("call", "wait_agent", {"agent_ids": ["nobody"]}),
             ("call", "list_agents", {})],
            [("call", "cancel_agent", {"agent_id": (ids + [0])[0]})],
            [("text", "done")]][turn]

    with FakeModel(answer) as model:
        done = result(agent(
            model.url, model={"name": "m-top"}, tools=["spawn_agent"],
            agents={"slow": member("m-slow", tools=["exec_command"]),
                    "fast": member("m-fast")}))
        any_of, for_a_time, nobody, listed, cancelled = \
            outputs_of([r for r in model.requests
                        if r["model"] == "m-top"][-1])[2:]
    assert done["status"] == "finished"

    def statuses(text):
        return [a["status"] for a in json.loads(text)["agents"]]
    assert statuses(any_of) == ["running", "finished"]
    assert statuses(for_a_time) == ["running", "finished"]
    assert json.loads(for_a_time)["timed_out"] is True
    assert "no agent with the id" in nobody
    assert statuses(listed) == ["running", "finished"]
    assert json.loads(cancelled)["status"] == "cancelled"


def test_what_agents_do_is_told_as_it_happens(agent, skep):
    def answer(turn, request):
        if request["model"] == "m-child":
            return [("text", "ok")]
        if request["model"] == "m-top":
            return [("call", "child", {"input": "x"})] if turn == 0 else \
                [("call", "transfer_to_next", {})]
        return [("text", "done")]

    with FakeModel(answer) as model:
        done = skep.run("run", agent(
            model.url, model={"name": "m-top"}, tools=["child"],
            handoffs=["next"], agents={"child": member("m-child"),
                                       "next": member("m-next")}),
            "go", "--json", "--state", skep.state)
    events = [json.loads(line) for line in done.out.splitlines()]
    assert len({e["run_id"] for e in events}) == 1
    told = [e for e in events if e["event"].startswith("agent.")]
    assert [e["event"] for e in told] == [
        "agent.started", "agent.finished", "agent.updated"]
    started, finished, updated = told
    assert started["agent_run_id"] == finished["agent_run_id"]
    assert started["parent"] == events[0]["run_id"]
    assert finished["status"] == "finished"
    assert finished["usage"]["model_calls"] == 1
    assert (started["agent"], updated["agent"]) == ("child", "next")


# --- ends ---


def sleeps_below(turn, request):
    """m-top starts m-mid, which asks m-low, which sleeps."""
    if request["model"] == "m-low":
        return [("call", "exec_command", {"cmd": "sleep 1000",
                                          "yield_time_ms": 30000})]
    if request["model"] == "m-mid":
        return [("call", "low", {"input": "sleep"})]
    if turn == 0:
        return [("call", "spawn_agent", {"agent": "mid", "input": "x"})]
    if turn == 1 and "finish" in input_text(request):
        return [("call", "exec_command", {"cmd": "sleep 1"})]
    if turn == 2:
        return [("text", "I am done.")]
    return [("call", "wait_agent", {})]


def three_levels(agent, model):
    return agent(
        model.url, model={"name": "m-top"},
        tools=["spawn_agent", "exec_command"],
        agents={"mid": member("m-mid", tools=["low"], agents={
            "low": member("m-low", tools=["exec_command"])})})


def statuses(skep):
    rows = skep.run("ps", "--json", "--state", skep.state).out.splitlines()
    return {r["agent"]: r["status"] for r in map(json.loads, rows)}


def test_cancel_goes_down_the_tree(skep, agent):
    with FakeModel(sleeps_below) as model:
        run = skep.start("run", three_levels(agent, model), "go", "--state",
                         skep.state)
        assert wait_until(lambda: len(model.requests) == 4)
        assert wait_until(lambda: statuses(skep).get("low") == "tools")
        rows = skep.run("ps", "--json", "--state", skep.state).out
        top = next(r["run_id"] for r in map(json.loads, rows.splitlines())
                   if r["agent"] == "test")
        assert skep.run("cancel", top, "--state", skep.state).status == 0
        assert run.wait(20) == 1
    assert statuses(skep) == {"test": "cancelled", "mid": "cancelled",
                              "low": "cancelled"}


def test_what_is_left_ends_with_the_one_who_started_it(skep, agent, result):
    with FakeModel(sleeps_below) as model:
        done = result(three_levels(agent, model), prompt="finish")
    assert done["response"]["output_text"] == "I am done."
    assert statuses(skep) == {"test": "finished", "mid": "cancelled",
                              "low": "cancelled"}


def test_a_deadline_of_the_first_ends_all(skep, agent, result):
    with FakeModel(sleeps_below) as model:
        path = three_levels(agent, model)
        done = result(path, "-c", "budget.wall_seconds=1.5")
    assert done["error"]["code"] == "budget_wall"
    assert statuses(skep) == {"test": "failed", "mid": "cancelled",
                              "low": "cancelled"}


def parent_of_three(turn, request):
    if request["model"] == "m-child":
        if turn == 0:
            return [("call", "exec_command", {"cmd": "echo $((6 * 7))"})]
        return [("text", input_text(request) + " is done")]
    if turn == 0:
        return [("call", "child", {"input": f"{input_text(request)}.{i}"})
                for i in range(3)]
    return [("text", " ".join(outputs_of(request)))]


def family_of_three(agent, model, **keys):
    return agent(model.url, model={"name": "m-top"},
                 tools=["exec_command", "child"],
                 agents={"child": member("m-child", tools=["exec_command"],
                                         **keys)})


@pytest.mark.parametrize("jobs, keys", [
    (1, {}), (4, {}), (4, {"sandbox": {"share": True}})],
    ids=["one", "four", "shared"])
def test_parents_never_wait_for_each_others_places(batch, agent, tasks, jobs,
                                                   keys):
    """Children of -j parents need no place that a parent holds."""
    with FakeModel(parent_of_three) as model:
        done = batch(family_of_three(agent, model, **keys), tasks(
            [{"custom_id": f"t{i}", "input": f"t{i}"} for i in range(12)]),
            "-j", jobs)
    assert done.status == 0, done.err
    for r in done.results:
        t = r["custom_id"]
        assert r["response"]["output_text"] == \
            f"{t}.0 is done {t}.1 is done {t}.2 is done"


def test_one_place_is_enough_for_three_levels(batch, agent, tasks):
    """Each level holds its sandbox while it waits for the next."""
    def answer(turn, request):
        below = {"m-top": "mid", "m-mid": "low"}.get(request["model"])
        if turn == 0:
            return [("call", "exec_command", {"cmd": "echo up > here"})]
        if turn == 1 and below:
            return [("call", below, {"input": "x"})] * 2
        return [("text", f"{request['model']}")]

    with FakeModel(answer) as model:
        done = batch(agent(
            model.url, model={"name": "m-top"}, tools=["exec_command", "mid"],
            agents={"mid": member(
                "m-mid", tools=["exec_command", "low"], agents={
                    "low": member("m-low", tools=["exec_command"])})}),
            tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(3)]),
            "-j", 1)
    assert done.status == 0, done.err
    assert [r["response"]["output_text"] for r in done.results] == \
        ["m-top"] * 3
    assert all(r["usage"]["model_calls"] == 3 + 2 * 3 + 4 * 2
               for r in done.results)


@pytest.mark.limit(300)
def test_two_hundred_parents_with_three_children_each(batch, agent, tasks,
                                                      skep, mock):
    server = mock(script(
        rule("m-top", 0, *[call("child", input="${input}." + str(i))
                           for i in range(3)]),
        rule("m-top", 1, "all done"),
        rule("m-child", 0, call("exec_command", cmd="echo ${input}")),
        rule("m-child", 1, "${input} is done")))
    done = batch(agent(
        server, model={"name": "m-top"}, tools=["child"],
        agents={"child": member("m-child", tools=["exec_command"])}),
        tasks([{"custom_id": f"t{i}", "input": f"t{i}"}
               for i in range(200)]), "-j", 16, timeout=250)
    assert done.status == 0, done.err
    assert len(done.results) == 200
    assert all(r["usage"]["model_calls"] == 8 for r in done.results)
    rows = [json.loads(line) for line in skep.run(
        "ps", "--json", "--state", skep.state).out.splitlines()]
    assert len(rows) == 800
    assert all(r["status"] == "finished" for r in rows)


def test_kill_and_start_again_gives_every_result_once(skep, batch, agent,
                                                      tasks):
    with FakeModel(parent_of_three, delay=0.05) as model:
        path = family_of_three(agent, model)
        lines = tasks([{"custom_id": f"t{i}", "input": f"t{i}"}
                       for i in range(12)])
        out = skep.home / "results.jsonl"
        for kill in range(3):
            run = skep.start("batch", path, lines, "--state", skep.state,
                             "-o", out, "-j", 3)
            asked = len(model.requests)
            assert wait_until(
                lambda: len(model.requests) >= asked + 9 or
                run.poll() is not None)
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        done = skep.run("batch", path, lines, "--state", skep.state,
                        "-o", out, "-j", 3)
    assert done.status == 0, done.err
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(r["custom_id"] for r in results) == sorted(
        f"t{i}" for i in range(12))
    assert all(r["status"] == "finished" for r in results)
    rows = [json.loads(line) for line in skep.run(
        "ps", "--json", "--state", skep.state).out.splitlines()]
    assert len(rows) == 48  # nothing is left of what was interrupted
    assert all(r["status"] == "finished" for r in rows)


def test_draining_lets_children_finish_their_parents_step(skep, agent,
                                                          tasks):
    with FakeModel(parent_of_three, delay=0.2) as model:
        path = family_of_three(agent, model)
        lines = tasks([{"custom_id": "t", "input": "t"}])
        run = skep.start("batch", path, lines, "--state", skep.state)
        assert wait_until(lambda: len(model.requests) >= 3)
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        asked = len(model.requests)
        assert asked == 7  # the children's six, not the parent's second
        again = skep.run("batch", path, lines, "--state", skep.state)
    assert again.status == 0, again.err
    assert json.loads(again.out)["response"]["output_text"].count("done") == 3


# --- rights ---


def test_a_child_is_in_no_wider_sandbox(agent, result, skep):
    """Its profile is its parent's when it asks for none."""
    def answer(turn, request):
        if request["model"] == "m-child":
            if turn == 0:
                return [("call", "exec_command", {
                    "cmd": "head -c 3M /dev/zero > big; wc -c < big"})]
            return [("text", last_output(request))]
        if turn == 0:
            return [("call", "child", {"input": "x"})]
        return [("text", last_output(request))]

    with FakeModel(answer) as model:
        done = result(agent(
            model.url, model={"name": "m-top"}, tools=["child"],
            sandbox={"profile": {"extends": "draft",
                                 "limits": {"file_size": "1M"}}},
            agents={"child": member("m-child", tools=["exec_command"])}))
    assert "1048576" in done["response"]["output_text"]


def test_names_in_what_a_model_says_are_not_replaced(agent, result):
    def answer(turn, request):
        if request["model"] == "m-child":
            return [("text", input_text(request))]
        if turn == 0:
            return [("call", "child", {
                "input": "${variables.secret} ${nope} $${x}"})]
        return [("text", last_output(request))]

    with FakeModel(answer) as model:
        done = result(agent(
            model.url, model={"name": "m-top"}, tools=["child"],
            variables={"secret": "s3"}, agents={"child": member("m-child")}))
    assert done["response"]["output_text"] == \
        "${variables.secret} ${nope} $${x}"


def test_a_child_knows_the_variables_of_its_task(batch, agent, tasks):
    def answer(turn, request):
        if request["model"] == "m-child":
            return [("text", re.search(r"region: \S+ \S+",
                                       request["instructions"])[0])]
        if turn == 0:
            return [("call", "child", {"input": "x"})]
        return [("text", last_output(request))]

    with FakeModel(answer) as model:
        done = batch(agent(
            model.url, model={"name": "m-top"}, tools=["child"],
            variables={"region": "here"},
            agents={"child": member("m-child", instructions="region: "
                                    "${variables.region} ${custom_id}")}),
            tasks([{"custom_id": "a", "input": "x"},
                   {"custom_id": "b", "input": "x",
                    "variables": {"region": "there"}}]))
    said = {r["custom_id"]: r["response"]["output_text"]
            for r in done.results}
    assert said == {"a": "region: here a", "b": "region: there b"}
