"""A sandbox or the zygote dies under its runs: each says so, none hangs."""

import json
import os
import pathlib
import signal

import pytest

from conftest import wait_until
from fake_model import FakeModel, input_text


def children(pid):
    try:
        threads = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for t in threads
                for child in (t / "children").read_text().split()]
    except OSError:
        return []


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def named(pid, name):
    def comm(p):
        try:
            return pathlib.Path(f"/proc/{p}/comm").read_text().strip()
        except OSError:
            return ""
    return [p for p in descendants(pid) if comm(p) == name]


def sleepy(turn, request):
    if input_text(request) == "quick":
        return [("text", "x")]
    if turn == 0:
        return [("call", "exec_command",
                 {"cmd": "sleep 60", "yield_time_ms": 30000})]
    return [("text", "x")]


@pytest.fixture
def running(skep, agent, tasks):
    """A batch of two runs whose commands sleep."""
    with FakeModel(sleepy) as model:
        p = skep.start("batch", agent(model.url), tasks(
            [{"custom_id": n, "input": n} for n in ("a", "b", "quick")]),
            "--state", skep.state, "-j", "2")
        assert wait_until(lambda: len(named(p.pid, "sleep")) == 2)
        yield p


def results(p):
    out = p.stdout.read()  # a line may have been read before
    assert p.wait(20) == 1, p.stderr.read()
    return {r["custom_id"]: r for r in map(json.loads, out.splitlines())}


def test_a_sandbox_that_dies_fails_its_run_only(running):
    asleep = named(running.pid, "sleep")
    inits = named(running.pid, "skep-init")
    assert len(inits) >= 2
    victim = next(i for i in inits if asleep[0] in descendants(i))
    os.kill(victim, signal.SIGKILL)
    other = next(i for i in named(running.pid, "skep-init")
                 if asleep[1] in descendants(i))
    first = json.loads(running.stdout.readline())
    assert first["status"] == "failed"
    assert first["error"]["code"] == "sandbox_lost"
    os.kill(other, signal.SIGKILL)
    left = results(running)
    assert left["quick"]["status"] == "finished"
    assert {r["error"]["code"] for r in left.values() if r["error"]} == \
        {"sandbox_lost"}


def test_a_dead_zygote_fails_runs_and_does_not_hang(running):
    zygote = children(running.pid)[0]
    os.kill(zygote, signal.SIGKILL)
    done = results(running)
    assert set(done) == {"a", "b", "quick"}
    for name in ("a", "b"):
        assert done[name]["error"]["code"] in (
            "sandbox_lost", "sandbox_unavailable")
