"""Layered workspaces: one copy of a manifest for all runs of an agent."""

import io
import json
import os
import signal
import subprocess
import tarfile
import time

import pytest

from fake_model import FakeModel


def script(turn, request):
    if turn == 0:
        return [("call", "exec_command", {
            "cmd": "cat in/f7; echo mine >> in/f7; rm in/f8; ls in | wc -l"})]
    return [("text", "done")]


@pytest.fixture
def sources(skep):
    folder = skep.home / "in"
    folder.mkdir()
    for i in range(50):
        (folder / f"f{i}").write_text(f"{i}\n")
    return folder


MANIFEST = {"entries": {"in": {"type": "local_dir", "src": "in"}}}
LAYERED = {"workspace": "layered"}


def layers(skep):
    return sorted(os.listdir(skep.home / ".local/state/skep/layers"))


def results(done):
    assert done.status == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_runs_share_a_layer_and_see_nothing_of_each_other(
        skep, agent, tasks, sources):
    with FakeModel(script) as model:
        path = agent(model.url, manifest=MANIFEST, sandbox=LAYERED)
        batch = tasks([{"custom_id": f"r{i}", "input": "x"}
                       for i in range(20)])
        for r in results(skep.run("batch", path, batch, "-j", "8")):
            assert r["evidence"]["sandbox"]["workspace"] == "layered"
            assert [(c["path"], c["change"]) for c in r["changes"]] == [
                ("in/f7", "modified"), ("in/f8", "deleted")]
            assert r["changes"][0]["bytes"] == len("7\nmine\n")
        first = layers(skep)
        assert len(first) == 1
        # The next engine uses what this one left, until a source changes.
        batch = tasks([{"custom_id": "later", "input": "x"}])
        assert len(results(skep.run("batch", path, batch))) == 1
        assert layers(skep) == first
        (sources / "f7").write_text("other\n")
        batch = tasks([{"custom_id": "changed", "input": "x"}])
        (r,) = results(skep.run("batch", path, batch))
        assert r["changes"][0]["bytes"] == len("other\nmine\n")
        assert len(layers(skep)) == 2


def test_plain_says_so(skep, agent, tasks, sources):
    with FakeModel(script) as model:
        path = agent(model.url, manifest=MANIFEST)
        batch = tasks([{"custom_id": "r", "input": "x"}])
        (r,) = results(skep.run("batch", path, batch))
    assert r["evidence"]["sandbox"]["workspace"] == "plain"
    assert not (skep.home / ".local/state/skep/layers").exists()


def test_a_killed_engine_leaves_a_layer_that_is_whole_or_none(
        skep, agent, tasks, sources):
    for i in range(50, 600):
        (sources / f"f{i}").write_text("x" * 3000)
    with FakeModel(script) as model:
        path = agent(model.url, manifest=MANIFEST, sandbox=LAYERED)
        batch = tasks([{"custom_id": "r", "input": "x"}])
        for wait in (0.05, 0.1, 0.15, 0.2):
            p = skep.start("batch", path, batch, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            time.sleep(wait)
            p.send_signal(signal.SIGKILL)
            p.wait()
        done = skep.run("batch", path, batch)
        assert done.status == 0, done.err
        batch = tasks([{"custom_id": "again", "input": "x"}])
        (r,) = results(skep.run("batch", path, batch))
        assert r["evidence"]["sandbox"]["workspace"] == "layered"
    left = layers(skep)
    assert len(left) == 1 and not left[0].startswith(("part-", "gone-"))
    assert len(os.listdir(skep.home / ".local/state/skep/layers" / left[0] / "tree/in")) == 600


@pytest.mark.root
def test_where_a_file_system_cannot_be_mapped_workspaces_are_plain(
        skep, agent, tasks, sources):
    state = skep.home / "ram"
    state.mkdir()
    with FakeModel(script) as model:
        path = agent(model.url, manifest=MANIFEST, sandbox=LAYERED)
        batch = tasks([{"custom_id": f"r{i}", "input": "x"}
                       for i in range(3)])
        words = skep.words(["batch", path, batch, "--state", state])
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c",
             'mount -t ramfs ram "$0" && exec "$@"', str(state), *words],
            env=skep.env, cwd=skep.home, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(lines) == 3
        for r in lines:
            assert r["status"] == "finished", r
            assert r["evidence"]["sandbox"]["workspace"] == "plain"
            assert [c["change"] for c in r["changes"]] == [
                "modified", "deleted"]


def test_archives_are_unpacked_once(skep, agent, tasks):
    with tarfile.open(skep.home / "data.tgz", "w:gz") as t:
        for name in ("a", "d/b"):
            member = tarfile.TarInfo(name)
            member.size = 3
            t.addfile(member, io.BytesIO(b"xy\n"))

    def read(turn, request):
        if turn == 0:
            return [("call", "exec_command", {
                "cmd": "cat data/a data/d/b; rm data/a"})]
        return [("text", "done")]

    manifest = {"entries": {"data": {"type": "archive", "src": "data.tgz"}}}
    with FakeModel(read) as model:
        path = agent(model.url, manifest=manifest, sandbox=LAYERED)
        batch = tasks([{"custom_id": f"r{i}", "input": "x"}
                       for i in range(6)])
        for r in results(skep.run("batch", path, batch)):
            assert r["evidence"]["sandbox"]["workspace"] == "layered", r
            assert r["changes"] == [{"path": "data/a", "change": "deleted"}]
        assert len(layers(skep)) == 1
        # One that is refused is an error of the manifest, layered or not.
        with tarfile.open(skep.home / "data.tgz", "w:gz") as t:
            member = tarfile.TarInfo("../out")
            member.size = 3
            t.addfile(member, io.BytesIO(b"xy\n"))
        batch = tasks([{"custom_id": "bad", "input": "x"}])
        done = skep.run("batch", path, batch)
        (r,) = [json.loads(line) for line in done.out.splitlines()]
        assert r["error"]["code"] == "manifest", r
        assert len(layers(skep)) == 1
