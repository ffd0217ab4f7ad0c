"""INT and TERM: the first drains, the second stops; nothing survives."""

import json
import os
import signal
import time

import pytest

from conftest import wait_until
from fake_model import FakeModel, last_output


def some(n):
    return [{"custom_id": f"t{i}", "input": f"task {i}"} for i in range(n)]


def slow_steps(turn, request):
    if turn < 3:
        return [("call", "exec_command",
                 {"cmd": f"sleep 0.4; echo {turn}"})]
    return [("text", last_output(request))]


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains(skep, agent, tasks, signo):
    out = skep.home / "out.jsonl"
    with FakeModel(slow_steps) as model:
        words = ("batch", agent(model.url), tasks(some(6)), "-j", "2",
                 "-o", out, "--state", skep.state)
        p = skep.start(*words)
        assert wait_until(lambda: len(model.requests) >= 2)
        p.send_signal(signo)
        err = p.communicate(timeout=20)[1].decode()
        assert p.returncode == 128 + signo
        assert "unfinished" in err
        asked = len(model.requests)
        assert asked <= 4  # no run went beyond the step it was in
        done = skep.run(*words)
        assert done.status == 0, done.err
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(r["custom_id"] for r in results) == \
        [f"t{i}" for i in range(6)]


def test_a_terminals_ctrl_c_reaches_all_and_only_drains(
        skep, agent, tasks):
    """INT goes to the whole process group, to the sandboxes' parents too."""
    with FakeModel(slow_steps) as model:
        words = ("batch", agent(model.url), tasks(some(2)), "--state",
                 skep.state)
        p = skep.start(*words, start_new_session=True)
        assert wait_until(lambda: len(model.requests) >= 2)
        time.sleep(0.2)
        os.killpg(p.pid, signal.SIGINT)
        p.communicate(timeout=20)
        assert p.returncode == 128 + signal.SIGINT
    rows = skep.run("ps", "--json", "--state", skep.state).out.splitlines()
    for row in map(json.loads, rows):
        assert row["status"] == "unfinished"
        assert row["usage"]["tool_calls"] == row["usage"]["turns"] - 1 == 1


def test_what_was_finished_is_written_while_draining(skep, agent, tasks):
    def answer(turn, request):
        time.sleep(0.3)
        return [("text", "x")]

    with FakeModel(answer) as model:
        p = skep.start("batch", agent(model.url), tasks(some(8)), "-j", "2")
        first = p.stdout.readline()
        p.send_signal(signal.SIGTERM)
        rest = p.stdout.read().splitlines()
    assert p.wait(20) == 128 + signal.SIGTERM
    results = [json.loads(line) for line in [first, *rest]]
    assert 1 <= len(results) < 8
    assert all(r["status"] == "finished" for r in results)


def test_the_second_signal_stops_at_once(skep, agent, tasks):
    def answer(turn, request):
        return [("call", "exec_command", {"cmd": "sleep 60"})]

    with FakeModel(answer) as model:
        p = skep.start("batch", agent(model.url), tasks(some(2)))
        assert wait_until(lambda: len(model.requests) >= 2)
        time.sleep(0.3)
        p.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert p.poll() is None
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=5)
    assert p.returncode == 128 + signal.SIGINT


def test_an_interrupted_run_says_by_what(skep, agent):
    def answer(turn, request):
        time.sleep(1)
        return [("call", "exec_command", {"cmd": "true"})]

    with FakeModel(answer) as model:
        p = skep.start("run", agent(model.url), "go")
        assert wait_until(lambda: model.requests)
        p.send_signal(signal.SIGTERM)
        p.communicate(timeout=10)
        assert p.returncode == 128 + signal.SIGTERM
        assert len(model.requests) == 1
