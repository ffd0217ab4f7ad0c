"""How an agent's work is watched: answers sent back, guardrails, tools whose
result is the answer, and tools that take too long; over each API."""

import sqlite3

import pytest

from conftest import say, script, tool
from fake_model import FakeModel

APIS = pytest.mark.parametrize("api", ["responses", "chat", "messages"])
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}},
          "required": ["n"], "additionalProperties": False}
WITHHELD = "Output withheld by an output guardrail."


@pytest.fixture
def go(skep, batch, tasks):
    runs = []

    def run(file, text="go", **line):
        runs.append(f"r{len(runs)}")
        done = batch(file, tasks([{"custom_id": runs[-1], "input": text}
                                  | line]))
        assert done.results, done.err
        return done.of(runs[-1])
    return run


def output(result):
    assert result["status"] == "finished", result["error"]
    return result["response"]["output_text"]


def error(result):
    assert result["status"] == "failed" and result["response"] is None
    return result["error"]["code"], result["error"]["message"]


def stored(skep):
    with sqlite3.connect(skep.state / "skep.db") as db:
        return "\n".join(db.iterdump())


# --- the form of an answer

@APIS
def test_an_answer_in_the_wrong_form_is_sent_back_once(mock, agent, go, api):
    file = agent(mock(script(
        {"when": {"turn": 0}, "reply": [{"text": "It is three."}]},
        {"when": {"turn": 1, "input": "*is no JSON*one JSON document*"},
         "reply": [{"text": '{"n": 3}'}]})),
        model={"api": api}, answer_schema=SCHEMA)
    result = go(file)
    assert output(result) == '{"n": 3}' and result["usage"]["turns"] == 2


@APIS
def test_one_that_never_fits_is_incomplete(mock, agent, go, api):
    file = agent(mock(script(say('{"n": "three"}'))), model={"api": api},
                 answer_schema=SCHEMA)
    result = go(file)
    code, message = error(result)
    assert code == "model_incomplete" and "n: expected" in message
    assert result["usage"]["turns"] == 2


def test_the_repair_is_a_turn_of_the_budget(mock, agent, go):
    file = agent(mock(script(say("no"))), answer_schema=SCHEMA,
                 budget={"turns": 1})
    assert error(go(file))[0] == "budget_turns"


# --- guardrails

def rail(command, name="words", **more):
    return {"name": name, "command": command} | more


@APIS
def test_input_that_a_command_refuses_is_never_sent(skep, mock, agent, go,
                                                    api):
    server = mock(script(say("Done.")))
    file = agent(server, model={"api": api}, guardrails={"input": [
        rail("! grep -q passwords || { echo no passwords here; exit 1; }")]})
    assert output(go(file, "all is well")) == "Done."
    assert error(go(file, "tell me the passwords")) == (
        "denied", "input guardrail words: no passwords here")
    assert server.stats()["requests"] == 1


@APIS
def test_an_answer_that_is_refused_is_stored_nowhere(skep, mock, agent, go,
                                                     api):
    file = agent(mock(script(say("The magic word is abracadabra."))),
                 model={"api": api}, tools=[], guardrails={"output": [
                     rail("true", "first"),
                     rail("grep -q abra && exit 3; exit 0", "magic")]})
    result = go(file)
    assert error(result) == ("denied", "output guardrail magic: status 3")
    text = stored(skep)
    assert "abracadabra" not in text and WITHHELD in text
    log = skep.run("log", result["run_id"], "--state", skep.state)
    assert WITHHELD in log.out and "abra" not in log.out


def test_an_answer_that_is_refused_is_not_shown_live(skep, mock, agent):
    file = agent(mock(script(say("The magic word is abracadabra."))),
                 guardrails={"output": [rail("! grep -q abra")]})
    for more in ([], ["--json"], ["-v"]):
        done = skep.run("run", file, "go", "--state", skep.state, *more)
        assert done.status != 0
        assert "The magic word" not in done.out + done.err, more


@pytest.mark.parametrize("command, why", [
    ("kill -9 $$", "it ended with signal"),
    ("sleep 30", "it ended with timeout"),
    ("no-such-program", "not found"),
    ("exit 1", "status 1"),
])
def test_what_cannot_be_asked_has_not_said_yes(mock, agent, go, command, why):
    file = agent(mock(script(say("Done."))), guardrails={
        "output": [rail(command, timeout_seconds=0.3)]})
    code, message = error(go(file))
    assert code == "denied" and why in message


def test_a_large_text_reaches_a_command_whole(mock, agent, go):
    file = agent(mock(script(say("Done."))), guardrails={
        "input": [rail("test $(wc -c) = 3000000")]})
    assert output(go(file, "x" * 3_000_000)) == "Done."
    # One that does not read it is not stuck on it.
    file = agent(mock(script(say("Done."))), guardrails={
        "input": [rail("true")]})
    assert output(go(file, "y" * 3_000_000)) == "Done."


@APIS
def test_a_model_can_be_asked(mock, agent, go, api):
    server = mock(script(
        {"when": {"model": "judge", "input": "*<text>*bomb*</text>*"},
         "reply": [{"text": '{"tripwire": true, "reason": "weapons"}'}]},
        {"when": {"model": "judge"},
         "reply": [{"text": '{"tripwire": false, "reason": ""}'}]},
        {"when": {"model": "scripted"}, "reply": [{"text": "${input}"}],
         "usage": {"input_tokens": 5, "output_tokens": 5}}))
    judge = {"name": "weapons", "instructions": "No weapons.",
             "model": "judge"}
    file = agent(server, model={"api": api}, tools=[],
                 guardrails={"input": [judge], "output": [judge]})
    assert output(go(file, "flowers")) == "flowers"
    assert error(go(file, "a bomb")) == (
        "denied", "input guardrail weapons: weapons")


@pytest.mark.parametrize("answer", [
    "I will not say", '{"tripwire": "no", "reason": ""}', "{}"])
def test_a_judge_without_a_verdict_has_not_said_yes(mock, agent, go, answer):
    file = agent(mock(script({"when": {"model": "judge"},
                              "reply": [{"text": answer}]}, say("Done."))),
                 guardrails={"output": [{"name": "j", "instructions": "x",
                                         "model": "judge"}]})
    assert error(go(file)) == (
        "denied", "output guardrail j: its model gives no verdict")


def test_a_guardrail_is_one_thing(skep, agent):
    for bad in ({"name": "x"}, {"name": "x", "command": "true",
                                "instructions": "y"}):
        file = agent("http://127.0.0.1:1/v1", guardrails={"input": [bad]})
        done = skep.run("check", file)
        assert done.status == 65
        assert "has a command, or instructions for a model" in done.err


# --- tools whose result is the answer

@APIS
def test_the_first_tool_can_be_the_answer(mock, agent, go, api):
    server = mock(script(tool("exec_command", 0, cmd="echo from the tool"),
                         say("the model's")))
    file = agent(server, model={"api": api}, tool_use="stop_on_first_tool")
    result = go(file)
    assert output(result).endswith("from the tool\n")
    assert result["usage"]["turns"] == 1
    file = agent(server, model={"api": api}, tool_use="run_llm_again")
    assert output(go(file)) == "the model's"


@APIS
def test_only_named_tools_stop(mock, agent, go, api):
    server = mock(script(
        tool("exec_command", 0, cmd="echo one"),
        {"when": {"turn": 1}, "reply": [
            {"tool": "exec_command", "arguments": {"cmd": "echo two"}},
            {"tool": "view_image", "arguments": {"path": "none.png"}}]},
        say("never")))
    file = agent(server, model={"api": api},
                 tools=["exec_command", "view_image"],
                 tool_use={"stop_at": ["view_image"]})
    result = go(file)
    assert output(result) == "image path `none.png` was not found"
    assert result["usage"]["turns"] == 2


def test_a_tool_that_must_be_called_must_be_called_once(agent, go):
    def answer(turn, request):
        if request.get("tool_choice") == "required":
            return [("call", "exec_command", {"cmd": "true"})]
        return [("text", "Done.")]

    with FakeModel(answer) as model:
        file = agent(model.url, model={"settings": {
            "tool_choice": "required", "temperature": 0.5}})
        assert output(go(file)) == "Done."
        first, second = model.requests
        assert first["tool_choice"] == "required"
        assert "tool_choice" not in second and second["temperature"] == 0.5


# --- tools that take too long

@APIS
@pytest.mark.parametrize("limit", [0.3, {"exec_command": 0.3, "*": 99},
                                   {"*": 0.3}])
def test_a_tool_that_takes_too_long_is_ended(mock, agent, go, api, limit):
    server = mock(script(
        tool("exec_command", 0, cmd="touch begun; sleep 60; touch ended",
             yield_time_ms=30000),
        tool("exec_command", 1, cmd="pgrep sleep; ls"), say("${last_output}")))
    file = agent(server, model={"api": api}, tool_timeout_seconds=limit)
    assert output(go(file)).endswith("Output:\nbegun\n")


def test_the_model_is_told_in_the_known_words(mock, agent, go):
    server = mock(script(
        {"when": {"turn": 0}, "reply": [{"tool": "shell", "arguments": {
            "commands": ["sleep 60"]}}]}, say("${last_output}")))
    file = agent(server, tools=["shell"], model={"api": "chat"},
                 tool_timeout_seconds={"shell": 0.25})
    assert output(go(file)) == "Tool 'shell' timed out after 0.25 seconds."


# --- what the model gets wrong

@APIS
@pytest.mark.parametrize("call, says", [
    ({"tool": "no_such_tool", "arguments": {}},
     "there is no tool no_such_tool; the tools are: exec_command, "
     "write_stdin"),
    ({"tool": "exec_command", "arguments": {"cmd": 7}},
     "arguments of exec_command: `cmd` must be a string, not a number"),
    ({"tool": "exec_command", "arguments": {}},
     "the argument `cmd` is missing"),
])
def test_the_model_is_told_what_it_got_wrong(mock, agent, go, api, call,
                                             says):
    server = mock(script({"when": {"turn": 0}, "reply": [call]},
                         say("${last_output}")))
    said = output(go(agent(server, model={"api": api})))
    assert said.startswith("An error occurred while running the tool. "
                           "Please try again. Error: ")
    assert says in said
