"""A transcript that outgrows its model."""

import json

import pytest

from conftest import say, script, tool
from fake_model import FakeModel, input_text

NOTES = "the notes: step one is done"
SHORT = {"threshold_tokens": 1000, "keep_tokens": 0}


def is_summary(request):
    return request["instructions"].startswith("You write the working notes")


def long_output(i):
    return ("call", "exec_command",
            {"cmd": f"echo begin-{i}; seq 3000 4000; echo end-{i}"})


def texts(request):
    return json.dumps(request["input"])


def run(skep, model, agent, *options, **keys):
    keys.setdefault("compaction", SHORT)
    done = skep.run("run", agent(model.url, **keys), "the task is T-17",
                    "--state", skep.state, *options)
    return done


def log(skep, *options):
    run_id = json.loads(skep.run("ps", "--json", "--state",
                                 skep.state).out)["run_id"]
    return skep.run("log", run_id, *options, "--state", skep.state).out


def items(skep):
    return [json.loads(line) for line in log(skep, "--raw").splitlines()]


def test_the_older_part_becomes_a_summary(skep, agent):
    def answer(turn, request):
        if is_summary(request):
            return [("text", NOTES)]
        if NOTES in input_text(request):
            return [("text", "done")]
        return [("text", "I begin"), long_output(turn)]

    with FakeModel(answer) as model:
        done = run(skep, model, agent)
    assert (done.status, done.out) == (0, "done\n"), done.err
    first, summary, last = model.requests
    assert "tools" in first and "tools" not in summary
    told = input_text(summary)
    assert "<conversation>" in told and "[call of exec_command]" in told
    assert "begin-0" in told and "end-0" in told and "I begin" in told
    assert "the task is T-17" not in told  # it stays as it is
    assert summary["max_output_tokens"] == 4000
    # What is sent then: the task, the notes, and the agent's own words.
    assert [item["type"] for item in last["input"]] == ["message"] * 2
    assert "T-17" in texts(last) and "I begin" not in texts(last)
    assert last["instructions"] == first["instructions"]
    kept = items(skep)
    assert [item["type"] for item in kept] == [
        "message", "message", "function_call", "function_call_output",
        "compaction", "message"]
    assert kept[4]["summary"] == NOTES and kept[4]["items"] == 3
    assert NOTES in log(skep)


def test_the_last_turns_stay_whole(skep, agent):
    """A call and its result are kept, or summarised, together."""
    def answer(turn, request):
        if is_summary(request):
            return [("text", NOTES)]
        if NOTES in input_text(request):
            return [("text", "done")]
        if turn == 1:
            return [("call", "exec_command", {"cmd": "echo small"}),
                    ("call", "exec_command", {"cmd": "echo other"})]
        return [long_output(turn)]

    usage = (100, 10, 0)
    with FakeModel(answer, usage=usage) as model:
        done = run(skep, model, agent, compaction={
            "threshold_tokens": 1000, "keep_tokens": 300})
        assert done.status == 0, done.err
        sent = model.requests[-1]["input"]
        # Half of a turn is never there.
        calls = {i["call_id"] for i in sent if i["type"] == "function_call"}
        outputs = {i["call_id"] for i in sent
                   if i["type"] == "function_call_output"}
        assert calls == outputs


def test_it_is_done_as_often_as_it_takes(skep, agent):
    """Twelve long turns, none of them sent for long."""
    def answer(turn, request):
        if is_summary(request):
            n = input_text(request).count("[call of")
            before = [line for line in input_text(request).splitlines()
                      if line.startswith("turns so far: ")]
            return [("text", "turns so far: "
                     f"{n + sum(int(b.split()[-1]) for b in before)}")]
        so_far = [line for line in input_text(request).splitlines()
                  if line.startswith("turns so far: ")]
        n = turn + sum(int(line.split()[-1]) for line in so_far)
        return [long_output(n)] if n < 12 else [("text", f"{n} turns")]

    with FakeModel(answer) as model:
        done = run(skep, model, agent)
    assert (done.status, done.out) == (0, "12 turns\n"), done.err
    assert sum(map(is_summary, model.requests)) >= 5
    assert max(len(texts(r)) for r in model.requests) < 40000
    assert [i["type"] for i in items(skep)].count("function_call") == 12


def overflow(body=None):
    """Says that it does not fit until it has been summarised."""
    body = body or {"error": {
        "code": "context_length_exceeded", "type": "invalid_request_error",
        "message": "This model's maximum context length is 9 tokens."}}
    return [say(NOTES, when={"input": "*<conversation>*"}),
            say("done", when={"input": f"*{NOTES}*"}),
            tool("exec_command", 0, cmd="seq 1 2000"),
            {"when": {"turn": 1}, "reply": [],
             "fault": {"status": 400, "body": body}}]


@pytest.mark.parametrize("api", ["responses", "chat", "messages"])
def test_a_model_that_finds_it_too_long_is_asked_once_more(
        skep, mock, agent, api):
    server = mock(script(*overflow()))
    path = agent(server, model={"api": api})
    done = skep.run("run", path, "go", "--state", skep.state)
    assert (done.status, done.out) == (0, "done\n"), done.err


def test_words_for_too_long_are_understood(skep, mock, agent):
    server = mock(script(*overflow({"type": "error", "error": {
        "type": "invalid_request_error",
        "message": "prompt is too long: 9 tokens > 8 maximum"}})))
    done = skep.run("run", agent(server, model={"api": "messages"}), "go")
    assert (done.status, done.out) == (0, "done\n"), done.err


@pytest.mark.parametrize("rules, compaction", [
    ([say(NOTES, when={"input": "*<conversation>*"})], {}),  # still too long
    ([], {}),  # no summary can be had
    ([say(NOTES, when={"input": "*<conversation>*"})], {"enabled": False})])
def test_what_stays_too_long_is_an_error(skep, mock, agent, rules, compaction):
    refuse = overflow()[3] | {"when": {}}
    still = refuse | {"when": {"input": f"*{NOTES}*"}}
    server = mock(script(*rules, still, overflow()[2], refuse))
    done = skep.run("run", agent(server, compaction=compaction), "go",
                    "--json")
    last = json.loads(done.out.splitlines()[-1])["result"]
    assert done.status == 1
    assert last["error"]["code"] == "model_rejected"
    assert "maximum context length" in last["error"]["message"]


def test_a_run_without_a_summary_goes_on_while_it_can(skep, mock, agent):
    answers = script(
        {"when": {"input": "*<conversation>*"}, "reply": [],
         "fault": {"status": 400, "body": {}}},
        tool("exec_command", 0, cmd="seq 1 2000"),
        tool("exec_command", 1, cmd="seq 1 2000"), say("done"))
    server = mock(answers)
    done = skep.run("run", agent(server, compaction=SHORT), "go")
    assert (done.status, done.out) == (0, "done\n"), done.err
    # It is not tried again with every turn.
    assert server.stats()["requests"] == 4


def test_what_the_server_compacted_is_not_sent_again(skep, agent):
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "c2Vj"}

    def answer(turn, request):
        if item in request["input"]:
            return [("text", "done")]
        if turn == 1:
            return [item, ("call", "exec_command", {"cmd": "echo later"})]
        return [("call", "exec_command", {"cmd": "echo sooner"})]

    with FakeModel(answer) as model:
        done = run(skep, model, agent, compaction={"threshold_tokens": 5000})
    assert (done.status, done.out) == (0, "done\n"), done.err
    assert [r["context_management"] for r in model.requests] == [
        [{"type": "compaction", "compact_threshold": 5000}]] * 3
    sent = model.requests[-1]["input"]
    assert sent[0] == item and "sooner" not in json.dumps(sent)
    assert [i["type"] for i in sent] == [
        "compaction", "function_call", "function_call_output"]
    assert len(items(skep)) == 7
