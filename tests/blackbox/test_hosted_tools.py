"""Tools that the model's server runs."""

import json

import pytest

from fake_model import FakeModel

SEARCH = {"type": "web_search", "search_context_size": "low"}


def test_they_are_passed_on_and_what_they_did_is_kept(skep, agent):
    """Their items go back to the server as they came."""
    call = {"type": "web_search_call", "id": "ws_1", "status": "completed",
            "action": {"type": "search", "query": "q"}, "unknown": [1, {}]}

    def answer(turn, request):
        if call in request["input"]:
            return [("text", "found")]
        return [call, ("call", "exec_command", {"cmd": "echo x"})]

    with FakeModel(answer) as model:
        done = skep.run("run", agent(model.url, hosted_tools=[SEARCH]), "go")
    assert (done.status, done.out) == (0, "found\n"), done.err
    for request in model.requests:
        assert request["tools"][-1] == SEARCH
        assert len(request["tools"]) > 1


@pytest.mark.parametrize("hosted, model, words", [
    ([{"name": "x"}], {}, "hosted_tools[0]: give an object with a type"),
    (["web_search"], {}, "hosted_tools[0]: give an object with a type"),
    ({}, {}, "hosted_tools: this is an object; give a list of tools"),
    ([{"type": "function", "name": "f"}], {}, "are served by MCP servers"),
    ([{"type": "mcp", "authorization": "Bearer x"}], {},
     "hosted_tools[0].authorization: a secret would stand here in clear"),
    ([SEARCH], {"api": "chat"}, "Chat Completions has no hosted tools")])
def test_bad_ones_are_named(skep, agent, hosted, model, words):
    path = agent("http://127.0.0.1:1", hosted_tools=hosted, model=model)
    done = skep.run("check", path)
    assert done.status == 65
    assert words in done.out + done.err
    assert skep.run("run", path, "go").status == 78


@pytest.mark.parametrize("value", ['{"type": "x"}', '["x"]', "3", "{"])
def test_a_bad_override_is_an_error(skep, agent, value):
    done = skep.run("run", agent("http://127.0.0.1:1"), "go", "-c",
                    f"hosted_tools={value}")
    assert done.status == 78 and "hosted_tools" in done.err


def test_they_are_part_of_what_an_agent_is(skep, agent):
    def digest(path):
        return json.loads(skep.run("check", "--effective", "--json",
                                   path).out)["digest"]
    url = "http://127.0.0.1:1"
    assert digest(agent(url)) != digest(agent(url, hosted_tools=[SEARCH]))
