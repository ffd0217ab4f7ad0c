"""skep run: one run, shown live; the final answer on standard output."""

import json
import os
import pty
import subprocess

import pytest

from fake_model import FakeModel, echo, input_text, last_output


@pytest.fixture
def model():
    with FakeModel(echo) as server:
        yield server


def test_the_answer_is_all_of_standard_output(skep, model, agent):
    done = skep.run("run", agent(model.url), "say something")
    assert done.status == 0, done.err
    assert done.out == "done: say something\n"
    assert done.err == ""


def test_a_prompt_from_standard_input(skep, model, agent):
    done = skep.run("run", agent(model.url), "-", input="two\nlines\n")
    assert done.out == "done: two\nlines\n"
    done = skep.run("run", agent(model.url), "-", input="")
    assert done.status == 64
    done = skep.run("run", agent(model.url), "-", input=b"\xff")
    assert done.status == 65


def test_events_and_the_whole_result(skep, model, agent):
    done = skep.run("run", agent(model.url), "go", "--json")
    assert done.status == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    kinds = [e["event"] for e in events]
    assert kinds[0] == "run.started" and kinds[-1] == "run.finished"
    assert kinds.count("turn.started") == kinds.count("turn.finished") == 2
    assert kinds.count("tool.called") == kinds.count("tool.output") == 1
    assert len({e["run_id"] for e in events}) == 1
    assert all("at" in e for e in events)
    text = "".join(e["text"] for e in events if e["event"] == "text.delta")
    assert text == "done: go"
    called = next(e for e in events if e["event"] == "tool.called")
    assert called["name"] == "exec_command"
    assert json.loads(called["arguments"]) == {"cmd": "echo hello"}
    result = events[-1]["result"]
    assert result["status"] == "finished"
    assert result["custom_id"] is None
    assert result["response"]["output_text"] == "done: go"
    assert result["usage"]["turns"] == 2


def test_a_failure_is_said_and_is_1(skep, agent):
    with FakeModel(lambda t, r: 401) as model:
        done = skep.run("run", agent(model.url), "go")
        assert done.status == 1 and done.out == ""
        assert "model_auth" in done.err
        done = skep.run("run", agent(model.url), "go", "--json")
        assert done.status == 1 and done.err == ""
        last = json.loads(done.out.splitlines()[-1])
        assert last["result"]["error"]["code"] == "model_auth"


def test_a_bad_agent_is_78_also_in_json(skep):
    path = skep.home / "agent.json"
    path.write_text("{}")
    done = skep.run("run", path, "go")
    assert done.status == 78 and done.out == ""
    done = skep.run("run", path, "go", "--json")
    assert done.status == 78
    for line in done.out.splitlines():
        assert "error" in json.loads(line)
    assert skep.run("run", skep.home / "none.json", "go").status == 66


def test_what_no_run_could_have_refuses_them_all(skep, model, agent, tasks):
    batch = tasks([{"custom_id": "a", "input": "x"}])
    path = agent(model.url, sandbox={"rootfs": "dir:/nonexistent"})
    for words in (("run", path, "go"), ("batch", path, batch)):
        done = skep.run(*words)
        assert done.status == 69 and done.out == "", done
        assert "/nonexistent" in done.err
    (skep.home / "bad.pem").write_text("no certificate\n")
    path = agent(model.url, model={"ca_file": "bad.pem",
                                   "base_url": "https://127.0.0.1:9/v1"})
    for words in (("run", path, "go"), ("batch", path, batch)):
        done = skep.run(*words)
        assert done.status == 78 and "bad.pem" in done.err
    assert model.requests == []


def test_overrides_and_typos_in_them(skep, model, agent):
    path = agent("http://127.0.0.1:9/v1")
    done = skep.run("run", path, "go", "-c", f"model.base_url={model.url}")
    assert done.status == 0, done.err
    done = skep.run("run", path, "go", "-c", "model.bass_url=x")
    assert done.status in (64, 78) and "bass_url" in done.err


def test_outputs_go_where_they_should(skep, agent):
    def write(turn, request):
        if turn == 0:
            return [("call", "exec_command", {"cmd": "echo hi > out.txt"})]
        return [("text", "x")]

    with FakeModel(write) as model:
        path = agent(model.url, outputs=["out.txt"])
        done = skep.run("run", path, "go", "--outputs", skep.home / "here")
    assert done.status == 0, done.err
    assert (skep.home / "here/out.txt").read_text() == "hi\n"


def test_variables_from_the_command_line(skep, agent):
    with FakeModel(lambda t, r: [("text", r["instructions"])]) as model:
        path = agent(model.url, instructions="Be ${variables.tone}.",
                     tools=[], variables={"tone": "kind"})
        assert skep.run("run", path, "go").out == "Be kind.\n"
        done = skep.run("run", path, "go", "--var", "tone=terse")
        assert done.out == "Be terse.\n"
        assert skep.run("run", path, "go", "--var", "x").status == 64


def test_a_workspace_lives_as_long_as_its_run(skep, agent):
    def steps(turn, request):
        commands = ["echo kept > file", "cat file"]
        if turn < 2:
            return [("call", "exec_command", {"cmd": commands[turn]})]
        return [("text", last_output(request).splitlines()[-1])]

    with FakeModel(steps) as model:
        assert skep.run("run", agent(model.url), "go").out == "kept\n"


def test_a_run_without_tools_needs_no_sandbox(skep, agent):
    with FakeModel(lambda t, r: [("text", "plain")]) as model:
        done = skep.run("run", agent(model.url, tools=[]), "go", "--json")
    assert done.status == 0, done.err
    result = json.loads(done.out.splitlines()[-1])["result"]
    assert result["evidence"]["sandbox"] is None


def read_terminal(skep, words):
    """Run with a terminal for standard output and error; what it shows."""
    ours, theirs = pty.openpty()
    p = subprocess.Popen(skep.words(words), env=skep.env |
                         {"TERM": "xterm"}, cwd=skep.home,
                         stdin=subprocess.DEVNULL, stdout=theirs,
                         stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert p.wait(30) == 0, shown
    return shown.decode()


def test_a_terminal_shows_it_live_and_neutralised(skep, agent):
    def nasty(turn, request):
        if turn == 0:
            return [("call", "exec_command",
                     {"cmd": "printf 'a\\033]0;title\\007b'"})]
        return [("text", "end \x1b[31mred\x07")]

    with FakeModel(nasty) as model:
        shown = read_terminal(skep, ["run", agent(model.url), "go"])
    assert "end ␛[31mred␇" in shown
    assert "\x1b]0;" not in shown and "\x1b[31m" not in shown
    assert "exec_command" in shown


def test_an_answer_in_one_piece_is_shown_once(skep, agent):
    for deltas in (False, True):
        with FakeModel(lambda t, r: [("text", "all of it")],
                       deltas=deltas) as model:
            shown = read_terminal(skep, ["run", agent(model.url), "go"])
        assert shown.count("all of it") == 1, deltas
        assert shown.endswith("\r\n")


def test_no_colour_where_none_is_wanted(skep, agent):
    skep.env["NO_COLOR"] = "1"
    with FakeModel(echo) as model:
        shown = read_terminal(skep, ["run", agent(model.url), "go"])
    assert "\x1b" not in shown
