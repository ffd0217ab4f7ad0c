"""The state directory and the output: locked, full, old, closed, killed."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import say, script, tool, wait_until

TASK = [{"custom_id": "a", "input": "x"}]


@pytest.fixture
def talker(mock, agent):
    return agent(mock(script(say("Done."))))


@pytest.fixture
def sleeper(mock, agent):
    """An agent whose one command takes half a minute."""
    return agent(mock(script(
        tool("exec_command", 0, cmd="sleep 30", yield_time_ms=30000),
        say("Done."))))


def test_a_second_engine_is_75_and_names_the_first(
        skep, batch, sleeper, tasks):
    first = skep.start("batch", sleeper, tasks(TASK), "--state", skep.state)
    assert wait_until(lambda: (skep.state / "skep.db").exists())
    time.sleep(0.3)
    done = batch(sleeper, tasks(TASK))
    assert (done.status, done.results) == (75, [])
    assert str(first.pid) in done.err


def test_a_lock_whose_owner_died_is_no_lock(skep, batch, talker, sleeper,
                                            tasks):
    first = skep.start("batch", sleeper, tasks(TASK), "--state", skep.state)
    assert wait_until(lambda: (skep.state / "skep.db").exists())
    time.sleep(0.3)
    first.kill()
    first.wait()
    assert batch(talker, tasks(TASK)).codes() == {"a": "finished"}


def test_a_newer_version_is_78(skep, batch, talker, tasks):
    assert batch(talker, tasks(TASK)).status == 0
    db = sqlite3.connect(skep.state / "skep.db")
    db.execute("PRAGMA user_version = 9999")
    db.commit()
    db.close()
    done = batch(talker, tasks(TASK))
    assert (done.status, done.results) == (78, [])
    assert "newer" in done.err


def test_a_file_that_is_no_database_is_refused(skep, batch, talker, tasks):
    skep.state.mkdir()
    (skep.state / "skep.db").write_bytes(b"not a database" * 1000)
    done = batch(talker, tasks(TASK))
    assert done.status != 0 and done.results == []


@pytest.mark.user
def test_a_read_only_state_is_73(skep, batch, talker, tasks):
    skep.state.mkdir(mode=0o555)
    done = batch(talker, tasks(TASK))
    assert (done.status, done.results) == (73, [])


@pytest.mark.root
def test_a_read_only_file_system_is_73(skep, batch, talker, tasks):
    skep.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", skep.state],
                   check=True)
    try:
        done = batch(talker, tasks(TASK))
    finally:
        subprocess.run(["umount", skep.state], check=True)
    assert (done.status, done.results) == (73, [])


@pytest.mark.root
def test_a_full_state_is_74_and_what_was_done_is_kept(
        skep, batch, mock, agent, tasks):
    file = agent(mock(script(say("x" * 20000))))
    lines = [{"custom_id": f"t{i}", "input": "y" * 5000} for i in range(400)]
    skep.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none",
                    skep.state], check=True)
    try:
        done = batch(file, tasks(lines), "-o", skep.home / "out")
        assert done.status == 74, done.err
        subprocess.run(["mount", "-o", "remount,size=200m", skep.state],
                       check=True)
        again = batch(file, tasks(lines), "-o", skep.home / "out")
        assert again.status == 0, again.err
    finally:
        subprocess.run(["umount", skep.state], check=True)
    ids = [json.loads(x)["custom_id"] for x in open(skep.home / "out")]
    assert sorted(ids) == sorted(x["custom_id"] for x in lines)


def test_a_closed_pipe_is_74(skep, talker, tasks):
    lines = tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(50)])
    process = skep.start("batch", talker, lines, "--state", skep.state)
    process.stdout.close()
    assert process.wait(30) == 74
    process.stdout = None
    done = skep.run("batch", talker, lines, "--state", skep.state)
    assert done.status == 0
    assert len(done.out.splitlines()) <= 50


def test_a_full_disk_is_74(skep, batch, talker, tasks):
    assert batch(talker, tasks(TASK), "-o", "/dev/full").status == 74


def test_a_missing_output_folder_is_73(skep, batch, talker, tasks):
    done = batch(talker, tasks(TASK), "-o", skep.home / "no/such/out")
    assert done.status == 73


def test_nobody_reads_and_term_still_ends_it(skep, mock, agent, tasks):
    file = agent(mock(script(say("x" * 5000))))
    lines = tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(200)])
    process = skep.start("batch", file, lines, "--state", skep.state)
    time.sleep(3)
    process.terminate()
    time.sleep(0.5)
    if process.poll() is None:
        process.terminate()
    process.wait(10)


def test_the_first_int_drains_and_the_second_stops(
        skep, sleeper, tasks, leaks):
    lines = tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(10)])
    process = skep.start("batch", sleeper, lines, "-j", "2",
                         "--state", skep.state)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) != 0


def test_killed_at_any_instant_each_task_has_one_result(
        skep, mock, agent, tasks):
    """20 kills of one batch of 200 runs, restarted each time."""
    file = agent(mock(script(
        tool("exec_command", 0, cmd="echo one > f; sleep 0.2"),
        tool("exec_command", 1, cmd="cat f"),
        {"when": {"last_output": "*one*"}, "reply": [{"text": "Done."}]})))
    lines = tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(200)])
    out = skep.home / "out"
    words = ["batch", file, lines, "-j", "24", "--state", skep.state,
             "-o", out]
    r = random.Random(7)
    kills = 0
    for _ in range(20):
        process = skep.start(*words)
        # Under 0.4 s at most one wave of 24 ends: all kills meet a batch.
        time.sleep(r.uniform(0.02, 0.3))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
    done = skep.run(*words)
    assert done.status == 0, done.err
    assert kills == 20, "it ended before it could be killed"
    results = [json.loads(x) for x in open(out)]
    assert sorted(x["custom_id"] for x in results) == sorted(
        f"t{i}" for i in range(200))
    assert {x["response"]["output_text"] for x in results} == {"Done."}
    assert os.path.getsize(skep.state / "skep.db") > 0


def test_what_happened_can_be_read_afterwards(skep, batch, mock, agent,
                                              tasks):
    file = agent(mock(script(
        tool("exec_command", 0, cmd="echo into the log"), say("Done."))))
    result = batch(file, tasks(TASK)).of("a")
    for name in ("a", result["run_id"], result["run_id"][:8]):
        log = skep.run("log", name, "--state", skep.state)
        assert log.status == 0
        assert "into the log" in log.out and "Done." in log.out
    show = json.loads(skep.run("show", "a", "--json", "--state",
                               skep.state).out)
    assert show["run"]["run_id"] == result["run_id"]
    ps = skep.run("ps", "--json", "--state", skep.state)
    assert [json.loads(x)["custom_id"] for x in ps.out.splitlines()] == ["a"]
    assert skep.run("log", "nobody", "--state", skep.state).status != 0
