"""The state directory: locked, read-only, full, of a newer version; and who
reads it while an engine owns it."""

import json
import sqlite3
import subprocess
import threading
import time

import pytest

from conftest import wait_until
from fake_model import FakeModel, echo, input_text


@pytest.fixture
def model():
    with FakeModel(echo) as server:
        yield server


def one():
    return [{"custom_id": "one", "input": "x"}]


def test_a_second_engine_is_told_who_owns_it(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "x")], delay=2) as model:
        words = ("batch", agent(model.url), tasks(one()),
                 "--state", skep.state)
        p = skep.start(*words)
        assert wait_until(lambda: model.requests)
        done = skep.run(*words)
        assert done.status == 75
        assert str(p.pid) in done.err and str(skep.state) in done.err
        assert p.wait(20) == 0
    assert skep.run("batch", agent("http://127.0.0.1:9/v1"), tasks([]),
                    "--state", skep.state).status == 65


def test_the_lock_ends_with_its_owner(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "x")], delay=0.5) as model:
        words = ("batch", agent(model.url), tasks(one()),
                 "--state", skep.state)
        p = skep.start(*words)
        assert wait_until(lambda: model.requests)
        p.kill()
        p.wait()
        assert skep.run(*words).status == 0


def test_a_newer_version_is_refused(skep, model, agent, tasks):
    words = ("batch", agent(model.url), tasks(one()), "--state", skep.state)
    assert skep.run(*words).status == 0
    db = sqlite3.connect(skep.state / "skep.db")
    db.execute("PRAGMA user_version = 1000")
    db.close()
    for command in (words, ("ps", "--state", skep.state)):
        done = skep.run(*command)
        assert done.status == 78 and "1000" in done.err


def test_a_damaged_store_is_an_error(skep, model, agent, tasks):
    skep.state.mkdir()
    (skep.state / "skep.db").write_bytes(b"not a database at all\n" * 500)
    done = skep.run("batch", agent(model.url), tasks(one()),
                    "--state", skep.state)
    assert done.status == 74 and "skep.db" in done.err
    assert model.requests == []


@pytest.mark.user
def test_a_read_only_place_as_user(skep, model, agent, tasks):
    skep.state.mkdir(mode=0o500)
    done = skep.run("batch", agent(model.url), tasks(one()),
                    "--state", skep.state)
    assert done.status == 73


def test_a_place_that_cannot_be_made(skep, model, agent, tasks):
    done = skep.run("batch", agent(model.url), tasks(one()),
                    "--state", "/proc/skep/state")
    assert done.status == 73
    (skep.home / "file").write_text("")
    done = skep.run("batch", agent(model.url), tasks(one()),
                    "--state", skep.home / "file/state")
    assert done.status == 73


def mount(skep, options):
    where = skep.home / "small"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", where],
                   check=True)
    return where


@pytest.mark.root
def test_a_full_disk_for_the_state(skep, agent, tasks):
    def chatty(turn, request):
        return [("text", "y" * 400000)]

    where = mount(skep, "size=1500k")
    try:
        with FakeModel(chatty) as model:
            words = ("batch", agent(model.url), tasks(
                [{"custom_id": f"t{i}", "input": "x"} for i in range(20)]),
                "--state", where / "state", "-j", "2")
            done = skep.run(*words)
        assert done.status == 74, done
        assert "room" in done.err or "full" in done.err
    finally:
        subprocess.run(["umount", where], check=True)


@pytest.mark.root
def test_a_full_disk_for_the_results(skep, agent, tasks):
    where = mount(skep, "size=64k")
    out = where / "out.jsonl"
    try:
        with FakeModel(lambda t, r: [("text", "z" * 5000)]) as model:
            words = ("batch", agent(model.url), tasks(
                [{"custom_id": f"t{i}", "input": "x"} for i in range(30)]),
                "-o", out)
            done = skep.run(*words)
            assert done.status == 74, done
            subprocess.run(["mount", "-o", "remount,size=4m", where],
                           check=True)
            done = skep.run(*words)
            assert done.status == 0, done
        results = [json.loads(x) for x in out.read_text().splitlines()]
        assert sorted(r["custom_id"] for r in results) == \
            sorted(f"t{i}" for i in range(30))
    finally:
        subprocess.run(["umount", where], check=True)


@pytest.mark.root
def test_a_full_disk_for_outputs_ends_the_engine_not_the_runs(
        skep, agent, tasks):
    def write(turn, request):
        if turn == 0:
            return [("call", "exec_command",
                     {"cmd": "head -c 200000 /dev/zero > big"})]
        return [("text", "x")]

    where = mount(skep, "size=64k")
    try:
        with FakeModel(write) as model:
            words = ("batch", agent(model.url, outputs=["big"]),
                     tasks(one()), "--outputs", where / "outputs",
                     "--state", skep.state)
            done = skep.run(*words)
            assert done.status == 74 and done.out == "", done
            subprocess.run(["mount", "-o", "remount,size=4m", where],
                           check=True)
            done = skep.run(*words)
            assert done.status == 0, done
            r = json.loads(done.out)
            assert r["outputs"][0]["bytes"] == 200000
            done = skep.run(*words[:-3], "/proc/nowhere", "--state",
                            skep.home / "other")
            assert done.status == 73 and done.out == "", done
    finally:
        subprocess.run(["umount", where], check=True)


@pytest.mark.root
def test_a_read_only_file_system(skep, model, agent, tasks):
    where = mount(skep, "size=64k")
    try:
        subprocess.run(["mount", "-o", "remount,ro", where], check=True)
        done = skep.run("batch", agent(model.url), tasks(one()),
                        "--state", where / "state")
        assert done.status == 73
        done = skep.run("batch", agent(model.url), tasks(one()),
                        "-o", where / "out.jsonl")
        assert done.status == 73
    finally:
        subprocess.run(["umount", where], check=True)


def test_a_missing_output_folder(skep, model, agent, tasks):
    done = skep.run("batch", agent(model.url), tasks(one()),
                    "-o", skep.home / "nowhere/out.jsonl")
    assert done.status == 73 and model.requests == []


def test_a_closed_pipe_is_74_and_loses_nothing(skep, agent, tasks):
    path = tasks([{"custom_id": f"t{i}", "input": "x"} for i in range(10)])
    with FakeModel(lambda t, r: [("text", "x")]) as model:
        words = ("batch", agent(model.url), path, "--state", skep.state)
        p = skep.start(*words)
        p.stdout.close()
        p.stdout = None
        err = p.communicate(timeout=20)[1]
        assert p.returncode == 74, err
        done = skep.run(*words)
    assert done.status == 0
    names = [json.loads(x)["custom_id"] for x in done.out.splitlines()]
    assert sorted(names) == sorted(f"t{i}" for i in range(10))


def test_nobody_reading_stops_nothing_but_the_lines(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "w" * 30000)]) as model:
        p = skep.start("batch", agent(model.url), tasks(
            [{"custom_id": f"t{i}", "input": "x"} for i in range(40)]),
            "--state", skep.state)
        assert wait_until(lambda: len(model.requests) == 40)
        assert p.poll() is None
        out, err = p.communicate(timeout=30)
    assert p.returncode == 0, err
    assert len(out.splitlines()) == 40


def test_readers_while_an_engine_owns_it(skep, agent, tasks):
    looked = threading.Event()

    def slow(turn, request):
        if turn == 0:
            return [("call", "exec_command", {"cmd": "echo one"})]
        looked.wait(20)
        return [("text", "the end")]

    def read(*words):
        done = skep.run(*words, "--state", skep.state)
        assert done.status == 0, done.err
        return done.out

    with FakeModel(slow) as model:
        p = skep.start("batch", agent(model.url), tasks(one()),
                       "--state", skep.state)
        assert wait_until(lambda: len(model.requests) == 2)
        row = json.loads(read("ps", "--json"))
        assert row["custom_id"] == "one" and row["status"] == "model"
        table = read("ps")
        assert "one" in table and "model" in table
        items = [json.loads(x) for x in read("log", "one", "--raw")
                 .splitlines()]
        assert [i["type"] for i in items] == \
            ["message", "function_call", "function_call_output"]
        follow = skep.start("log", "-f", "one", "--state", skep.state)
        looked.set()
        assert "the end" in follow.communicate(timeout=20)[0].decode()
        assert p.wait(20) == 0
    shown = read("show", row["run_id"][:6])
    assert "finished" in shown and "the end" in shown
    whole = json.loads(read("show", "one", "--json"))
    assert whole["result"]["response"]["output_text"] == "the end"


def test_log_neutralises_what_models_say(skep, agent):
    with FakeModel(lambda t, r: [("text", "a\x1b[2Jb\u202ec")]) as model:
        done = skep.run("run", agent(model.url), "go", "--state", skep.state)
    assert done.status == 0
    row = json.loads(skep.run("ps", "--json", "--state", skep.state).out)
    said = skep.run("log", row["run_id"], "--state", skep.state).out
    assert "\x1b" not in said and "\u202e" not in said
    said = skep.run("show", row["run_id"], "--state", skep.state).out
    assert "\x1b" not in said


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_both_durabilities_work(skep, model, agent, tasks, durability):
    done = skep.run("batch", agent(model.url), tasks(one()), "-c",
                    f"engine.durability={durability}")
    assert done.status == 0, done.err
    assert json.loads(done.out)["status"] == "finished"


def test_nobody_else_reads_the_state(skep, model, agent, tasks):
    skep.state.mkdir(mode=0o755)
    assert skep.run("batch", agent(model.url), tasks(one()),
                    "--state", skep.state).status == 0
    for path in skep.state.iterdir():
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_store_holds_items_and_calls(skep, model, agent, tasks):
    assert skep.run("batch", agent(model.url), tasks(one()),
                    "--state", skep.state).status == 0
    db = sqlite3.connect(skep.state / "skep.db")
    items = db.execute("SELECT seq, turn, json FROM items ORDER BY seq")
    kinds = [(seq, turn, json.loads(text)["type"])
             for seq, turn, text in items]
    assert kinds == [(1, 0, "message"), (2, 1, "function_call"),
                     (3, 1, "function_call_output"), (4, 2, "message")]
    calls = db.execute("SELECT kind, turn, name, outcome, began_ms <= "
                       "ended_ms FROM calls ORDER BY seq").fetchall()
    db.close()
    assert calls == [("model", 1, "scripted", "answered", 1),
                     ("tool", 1, "exec_command", "answered", 1),
                     ("model", 2, "scripted", "answered", 1)]


def test_items_and_calls_are_there_before_the_run_ends(skep, agent, tasks):
    def slow(turn, request):
        if turn == 0:
            return [("call", "exec_command", {"cmd": "echo one"}),
                    ("call", "exec_command", {"cmd": "sleep 30"})]
        return [("text", "x")]

    with FakeModel(slow) as model:
        p = skep.start("batch", agent(model.url), tasks(one()),
                       "--state", skep.state)
        assert wait_until(lambda: model.requests)

        def calls():
            db = sqlite3.connect(f"file:{skep.state}/skep.db?mode=ro",
                                 uri=True)
            try:
                return db.execute("SELECT kind, outcome FROM calls "
                                  "ORDER BY seq").fetchall()
            except sqlite3.OperationalError:
                return []
            finally:
                db.close()

        assert wait_until(lambda: calls() == [
            ("model", "answered"), ("tool", "answered"), ("tool", None)])
        for _ in range(2):  # at once, and leaving nothing behind
            p.terminate()
            time.sleep(0.2)
        assert p.wait(10) == 128 + 15


def test_readers_without_a_state(skep):
    for command in (["ps"], ["show", "x"], ["log", "x"], ["cancel", "x"]):
        done = skep.run(*command, "--state", skep.home / "none")
        assert done.status == 66, command
        assert not (skep.home / "none").exists()


def test_cancel_without_an_engine_ends_the_run(skep, agent, tasks):
    with FakeModel(lambda t, r: [("text", "x")], delay=1) as model:
        words = ("batch", agent(model.url), tasks(one()),
                 "--state", skep.state)
        p = skep.start(*words)
        assert wait_until(lambda: model.requests)
        p.kill()
        p.wait()
        row = json.loads(skep.run("ps", "--json", "--state",
                                  skep.state).out)
        assert row["status"] == "unfinished"
        assert skep.run("cancel", "one", "--state",
                        skep.state).status == 0
        done = skep.run(*words)
    assert done.status == 1
    r = json.loads(done.out)
    assert r["status"] == "cancelled" and r["custom_id"] == "one"
