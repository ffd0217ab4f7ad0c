"""Outputs that are folders, delivered as one archive."""

import hashlib
import json
import tarfile

import pytest

from fake_model import FakeModel


def commands(*lines):
    def script(turn, request):
        if turn < len(lines):
            return [("call", "exec_command", {"cmd": lines[turn]})]
        return [("text", "done")]

    return script


MAKE = ("mkdir -p out/sub && echo one > out/one && echo two > out/sub/two && "
        "chmod 750 out/sub/two && ln -s one out/link && mkdir out/empty && "
        "echo plain > plain")


def run(skep, path, folder, status=0):
    done = skep.run("run", path, "go", "--json", "--outputs", folder)
    assert done.status == status, done.err
    return json.loads(done.out.splitlines()[-1])["result"]


def test_a_folder_is_one_tar_and_files_are_files(skep, agent):
    folder = skep.home / "o"
    with FakeModel(commands(MAKE)) as model:
        path = agent(model.url, outputs=[
            "plain", {"path": "out/", "archive": "tar"}])
        result = run(skep, path, folder)
    assert [o["path"] for o in result["outputs"]] == ["out.tar", "plain"]
    tar = (folder / "out.tar").read_bytes()
    assert result["outputs"][0] == {
        "path": "out.tar", "bytes": len(tar),
        "sha256": hashlib.sha256(tar).hexdigest()}
    with tarfile.open(folder / "out.tar") as t:
        members = {m.name: m for m in t.getmembers()}
        assert sorted(members) == ["empty", "link", "one", "sub", "sub/two"] \
            or sorted(members) == ["out/empty", "out/link", "out/one",
                                   "out/sub", "out/sub/two"]
        (two,) = [m for n, m in members.items() if n.endswith("two")]
        assert two.mode == 0o750 and t.extractfile(two).read() == b"two\n"
        (link,) = [m for n, m in members.items() if n.endswith("link")]
        assert link.issym() and link.linkname == "one"
    assert sorted(f.name for f in folder.iterdir()) == ["out.tar", "plain"]


def test_the_whole_workspace(skep, agent):
    folder = skep.home / "o"
    with FakeModel(commands(MAKE)) as model:
        result = run(skep, agent(model.url, outputs=[
            {"path": ".", "archive": "tar"}]), folder)
    assert [o["path"] for o in result["outputs"]] == ["workspace.tar"]
    with tarfile.open(folder / "workspace.tar") as t:
        assert t.extractfile("out/sub/two").read() == b"two\n"


@pytest.mark.parametrize("made", ["true", "echo x > out"])
def test_a_folder_that_is_missing(skep, agent, made):
    folder = skep.home / "o"
    with FakeModel(commands(made)) as model:
        result = run(skep, agent(model.url, outputs=[
            {"path": "out", "archive": "tar"}]), folder, status=1)
    assert result["error"]["code"] == "output_missing"
    assert not folder.exists() or list(folder.iterdir()) == []


def test_what_is_wrong_is_said_and_what_is_right_reads_back(skep, agent):
    path = agent("http://127.0.0.1:9/v1",
                 outputs=[{"path": "out", "archive": "zip"}])
    done = skep.run("check", path)
    assert done.status == 65 and "tar" in done.out + done.err
    path = agent("http://127.0.0.1:9/v1", outputs=["../x"])
    assert skep.run("check", path).status == 65
    path = agent("http://127.0.0.1:9/v1",
                 outputs=["a/", {"path": "out/", "archive": "tar"}])
    done = skep.run("check", "--effective", path)
    assert done.status == 0, done.err
    assert '"out"' in done.out and '"archive"' in done.out
