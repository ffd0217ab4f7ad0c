"""What commands do inside a run, and what the model is told of it."""

import re

import pytest

from conftest import say, script, tool

TASK = [{"custom_id": "a", "input": "x"}]


@pytest.fixture
def tell(batch, agent, mock, tasks):
    """tell(cmd, ...): what the model is told after one exec_command."""
    def run(cmd, **arguments):
        server = mock(script(
            tool("exec_command", 0, cmd=cmd, **arguments),
            say("${last_output}")))
        task = [{"custom_id": "a", "input": cmd}]
        result = batch(agent(server), tasks(task)).of("a")
        assert result["status"] == "finished", result
        return result["response"]["output_text"]
    return run


def output(text):
    return text.split("\nOutput:\n", 1)[1]


def exit_code(text):
    found = re.search(r"Process exited with code (-?\d+)", text)
    return int(found[1]) if found else None


def test_the_shape_of_a_result(tell):
    assert re.fullmatch(
        r"Chunk ID: [0-9a-f]{6}\nWall time: \d+\.\d{4} seconds\n"
        r"Process exited with code 3\nOutput:\nhi\nerr\n",
        tell("echo hi; echo err >&2; exit 3"))


def test_not_found_and_not_executable(tell):
    assert exit_code(tell("no-such-program")) == 127
    assert exit_code(tell("touch x; ./x")) == 126


def test_killed_by_a_signal(tell):
    assert exit_code(tell("kill -9 $$")) == -9


def test_ten_megabytes_of_output_are_cut_in_the_middle(tell):
    text = tell("head -c 5000000 /dev/zero | tr '\\0' a; "
                "head -c 5000000 /dev/zero | tr '\\0' b")
    assert exit_code(text) == 0
    assert len(text) < 2_000_000
    assert output(text).rstrip("\n").endswith("b")
    assert "aaa" in text and "truncated" in text


def test_a_limit_on_output_tokens_is_kept(tell):
    text = tell("seq 100000", max_output_tokens=50)
    assert len(output(text).encode()) <= 200
    assert "tokens truncated" in text
    assert "Original token count: " in text


def test_invalid_utf8_is_replaced(tell):
    assert output(tell("printf 'a\\377b'")) == "a\ufffdb"


def test_a_background_child_does_not_delay_the_result(tell):
    text = tell("sleep 40 & echo started")
    assert (exit_code(text), output(text)) == (0, "started\n")
    seconds = float(re.search(r"Wall time: ([\d.]+)", text)[1])
    assert seconds < 20


def test_a_fork_bomb_ends_and_its_neighbours_do_not_notice(
        batch, agent, mock, tasks):
    server = mock(script(
        {"when": {"turn": 0, "input": "bomb"}, "reply": [
            {"tool": "exec_command", "arguments": {
                "cmd": "f() { f | f & }; f; sleep 1",
                "yield_time_ms": 3000}}]},
        {"when": {"turn": 0}, "reply": [
            {"tool": "exec_command", "arguments": {"cmd": "echo fine"}}]},
        {"when": {"turn": 1, "input": "bomb"}, "reply": [{"text": "over"}]},
        {"when": {"turn": 1, "last_output": "*fine*"},
         "reply": [{"text": "fine"}]},
        say("${last_output}")))
    done = batch(agent(server), tasks(
        [{"custom_id": "bomb", "input": "bomb"}] +
        [{"custom_id": f"t{i}", "input": "x"} for i in range(20)]))
    assert done.of("bomb")["status"] == "finished"
    assert [done.of(f"t{i}")["response"]["output_text"]
            for i in range(20)] == ["fine"] * 20


def test_a_command_that_ignores_term_dies_with_its_run(
        batch, agent, mock, tasks, leaks):
    server = mock(script(
        tool("exec_command", 0, cmd="trap '' TERM INT HUP; "
             "while :; do sleep 1; done", yield_time_ms=300),
        say("I leave it running.")))
    before = len(leaks.now())
    done = batch(agent(server), tasks(TASK))
    assert done.codes() == {"a": "finished"}
    assert len(leaks.now()) <= before


def test_a_running_process_can_be_polled(batch, agent, mock, tasks):
    server = mock(script(
        tool("exec_command", 0, cmd="echo one; sleep 1; echo two",
             yield_time_ms=300),
        {"when": {"turn": 1, "last_output":
                  "*Process running with session ID *"},
         "set": {"id": {"from": "last_output",
                        "match": "session ID ([0-9]+)"}},
         "reply": [{"item": {
             "type": "function_call", "id": "fc", "call_id": "c2",
             "name": "write_stdin", "status": "completed",
             "arguments": "{\"session_id\": ${id}, \"chars\": \"\", "
                          "\"yield_time_ms\": 20000}"}}]},
        {"when": {"turn": 2, "last_output": "*exited with code 0*two*"},
         "reply": [{"text": "Both."}]},
        say("${last_output}")))
    result = batch(agent(server), tasks(TASK)).of("a")
    assert result["response"]["output_text"] == "Both."


def test_the_workspace_lasts_from_call_to_call(batch, agent, mock, tasks):
    server = mock(script(
        *(tool("exec_command", k, cmd=f"echo {k} >> n; cat n")
          for k in range(4)),
        {"when": {"last_output": "*0\n1\n2\n3*"},
         "reply": [{"text": "Four."}]},
        say("${last_output}")))
    result = batch(agent(server), tasks(TASK)).of("a")
    assert result["response"]["output_text"] == "Four."


def test_several_calls_in_one_turn(batch, agent, mock, tasks):
    server = mock(script(
        {"when": {"turn": 0}, "reply": [
            {"text": "Both at once."},
            {"tool": "exec_command", "arguments": {"cmd": "echo a > a"}},
            {"tool": "exec_command", "arguments": {"cmd": "echo b > b"}}]},
        tool("exec_command", 1, cmd="sleep 0.2; cat a b"),
        {"when": {"last_output": "*a\nb*"}, "reply": [{"text": "Yes."}]},
        say("${last_output}")))
    result = batch(agent(server), tasks(TASK)).of("a")
    assert result["response"]["output_text"] == "Yes."


def test_no_secret_of_the_engine_is_inside(batch, agent, mock, tasks):
    server = mock(script(
        tool("exec_command", 0, cmd="env; cat /proc/*/environ /proc/1/maps "
             "2>/dev/null | tr '\\0' '\\n'; ls -l /proc/self/fd"),
        say("${last_output}")))
    file = agent(server, model={"api_key": {"env": "THE_KEY"}})
    result = batch(file, tasks(TASK), env={
        "THE_KEY": "sk-very-secret", "OTHER": "also-not-yours"}).of("a")
    text = result["response"]["output_text"]
    assert "sk-very-secret" not in text and "also-not-yours" not in text
    assert "PATH=" in text


def test_the_native_shell_tool(batch, agent, mock, tasks):
    server = mock(script(
        {"when": {"turn": 0}, "reply": [{"item": {
            "type": "shell_call", "id": "sh_1", "call_id": "call_1",
            "status": "completed", "action": {
                "commands": ["echo out; echo err >&2", "exit 4"],
                "timeout_ms": 5000}}}]},
        {"when": {"turn": 1, "last_output": "*out*err*"},
         "reply": [{"text": "Native."}]},
        say("${last_output}")))
    result = batch(agent(server, tools=["shell"]), tasks(TASK)).of("a")
    assert result["response"]["output_text"] == "Native."
