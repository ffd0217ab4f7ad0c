"""What the debug and the sanitizer builds say of whole batches."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import REPO
from fake_model import FakeModel, last_output


def steps(turn, request):
    if turn == 0:
        return [("call", "exec_command", {"cmd": "echo a > out/a; cat out/a"}),
                ("call", "no_such_tool", {}),
                ("call", "exec_command", {"cmd": "exit 3"})]
    if turn == 1:
        return [("call", "exec_command", {"cmd": "seq 100000"})]
    return [("text", last_output(request)[-2000:])]


def build(mode):
    path = REPO / f"build/{mode}/skep"
    if not path.exists():
        pytest.fail(f"{path} does not exist; make MODE={mode}")
    return str(path)


@pytest.fixture
def fifty(skep, agent, tasks):
    with FakeModel(steps) as model:
        yield ("batch", agent(
            model.url, outputs=["out/"],
            manifest={"entries": {"out": {"type": "dir"}}}),
            tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(50)]
                  + ["{bad", '{"custom_id":"t0","input":"y"}x']),
            "-j", "16")


def test_nothing_is_allocated_after_start_up(skep, fifty):
    skep.path = build("debug")
    done = skep.run(*fifty, env={"SKEP_ALLOC_GUARD": "1"})
    assert done.status == 1, done.err
    assert len(done.out.splitlines()) == 52
    assert "allocations after start-up: 0\n" in done.err


def test_a_batch_under_the_sanitizers(skep, fifty):
    skep.path = build("asan")
    done = skep.run(*fifty)
    assert done.status == 1, done.err
    assert "Sanitizer" not in done.err and "runtime error" not in done.err
    statuses = [json.loads(x)["status"] for x in done.out.splitlines()]
    assert sorted(set(statuses)) == ["failed", "finished"]
    assert statuses.count("finished") == 50


def test_a_batch_under_valgrind(skep, agent, tasks):
    """Without sandboxes: valgrind knows no pidfd_open."""
    assert shutil.which("valgrind"), "valgrind is missing; make deps"

    def talk(turn, request):
        if turn < 2:
            return [("call", "no_such_tool", {"n": turn})]
        return [("text", "hello " * 500)]

    with FakeModel(talk) as model:
        path = agent(model.url, tools=[])
        words = skep.words((
            "batch", path,
            tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(50)]),
            "-j", "16"))
        words[0] = build("debug")
        done = subprocess.run(
            ["valgrind", "-q", "--leak-check=full", "--error-exitcode=9",
             "--show-leak-kinds=definite,indirect",
             "--errors-for-leak-kinds=definite,indirect",
             "--child-silent-after-fork=yes", *words],
            env=skep.env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 50
