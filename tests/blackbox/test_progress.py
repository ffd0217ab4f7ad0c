"""What a batch tells while it works: a live block, lines, or nothing."""

import json
import os
import pty
import re
import subprocess
import time

import pytest

from fake_model import FakeModel, input_text


def some(n):
    return [{"custom_id": f"t{i}", "input": f"task {i}"} for i in range(n)]


def on_terminal(skep, words, **env):
    """Standard error is a terminal of 60 columns; (status, what it got)."""
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", "60"], stdin=theirs, check=True)
    p = subprocess.Popen(skep.words(words), env=skep.env | {
        "TERM": "xterm"} | env, cwd=skep.home, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    got = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        got += piece
    os.close(ours)
    return p.wait(30), got.decode()


@pytest.fixture
def slow(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "x")], delay=0.3) as model:
        yield ["batch", agent(model.url), tasks(some(8)), "-j", "2"]


def test_a_live_block_on_a_terminal(skep, slow):
    status, got = on_terminal(skep, slow)
    assert status == 0
    assert "\x1b[" in got
    assert re.search(r"\d/8 done, 2 running, 0 failed", got)
    for line in re.sub(r"\x1b\[\d*[A-Z]", "", got).splitlines():
        line = line.strip("\r")
        assert len(line) <= 60 or line.startswith("skep: "), line
    # When it is over, only the account is left.
    assert got.rstrip().splitlines()[-1].lstrip("\r\x1b[12KA").startswith(
        "skep: 8 done, 0 failed, 0 skipped")


def test_a_dumb_terminal_gets_no_codes(skep, slow):
    status, got = on_terminal(skep, slow, TERM="dumb")
    assert status == 0 and "\x1b" not in got
    assert "8 done" in got


def test_no_codes_where_there_is_no_terminal(skep, slow):
    skep.env["TERM"] = "xterm"
    done = skep.run(*slow)
    assert done.status == 0
    assert "\x1b" not in done.err and "\x1b" not in done.out
    assert done.err.startswith("skep: 8 done")


def test_quiet_is_quiet(skep, slow):
    status, got = on_terminal(skep, slow + ["-q"])
    assert status == 0 and got == ""


@pytest.mark.limit(60)
def test_a_line_every_ten_seconds_elsewhere(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "x")], delay=10.6) as model:
        done = skep.run("batch", agent(model.url), tasks(some(1)))
    assert done.status == 0
    first, *rest = done.err.splitlines()
    assert first.startswith("skep: 0/1 done, 1 running, 0 failed")
    assert len(rest) == 1


def test_an_endless_custom_id_does_not_reach_the_terminal(
        skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "x")]) as model:
        path = agent(model.url)
        task = {"custom_id": "a\x1b[2J", "input": "x"}
        assert skep.run("batch", path, tasks([task])).status == 0
        task["input"] = "y"
        done = skep.run("batch", path, tasks([task]))
    assert "has changed" in done.err and "\x1b" not in done.err


def test_result_lines_on_a_terminal_are_only_text(skep, agent, tasks):
    name = "a\x1b\x7f\x9b31m\u202e"
    with FakeModel(lambda t, r: [("text", name)]) as model:
        words = ["batch", agent(model.url),
                 tasks([{"custom_id": name, "input": "x"}]), "-q"]
        ours, theirs = pty.openpty()
        p = subprocess.Popen(skep.words(words), env=skep.env, cwd=skep.home,
                             stdin=subprocess.DEVNULL, stdout=theirs)
        assert p.wait(30) == 0
        os.close(theirs)
        line = os.read(ours, 65536).decode()
        os.close(ours)
    assert not set("\x1b\x7f\x9b\u202e") & set(line), line
    assert json.loads(line)["custom_id"] == name
