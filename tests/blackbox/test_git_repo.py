"""Repositories as entries of a manifest, fetched from a real server."""

import os
import shutil
import sqlite3

import pytest

from conftest import say, script
from git_server import Server, git

PASSWORD = "tok-3n-of-the-bot"


@pytest.fixture
def repositories(place):
    """A folder with owner/code.git; its commits by name."""
    work, root = place / "work", place / "repositories"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    (work / "README").write_text("first\n")
    (work / "src/lib").mkdir(parents=True)
    (work / "src/lib/a.c").write_text("int a;\n")
    (work / "src/run.sh").write_text("#!/bin/sh\n")
    (work / "src/run.sh").chmod(0o755)
    (work / "noise").write_bytes(os.urandom(700_000))
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "first")
    git(work, "tag", "v1")
    first = git(work, "rev-parse", "HEAD")
    (work / "README").write_text("second\n")
    (work / "up").symlink_to("/etc")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "second")
    git(work, "branch", "deadbeef")
    second = git(work, "rev-parse", "HEAD")
    (root / "owner").mkdir(parents=True)
    git(place, "clone", "-q", "--bare", work, root / "owner/code.git")
    git(root / "owner/code.git", "config", "uploadpack.allowAnySHA1InWant",
        "true")
    return root, first, second


@pytest.fixture
def serve(repositories):
    servers = []

    def start(**options):
        servers.append(Server(repositories[0], **options))
        return servers[-1]
    yield start
    for server in servers:
        server.close()


@pytest.fixture
def fetch(batch, mock, agent, tasks):
    """fetch(server, look, host={}, task={}, **entry) gives the result."""
    model = mock(script(
        {"when": {"turn": 0}, "set": {"look": {"from": "input",
                                               "match": "(.*)"}},
         "reply": [{"tool": "exec_command", "arguments": {"cmd": "${look}"}}]},
        say("${last_output}")))
    runs = []

    def run(server, look="true", host=None, task=None, env=None, hosts=None,
            sandbox=None, **entry):
        runs.append(f"r{len(runs)}")
        repo = {"type": "git_repo", "host": "git.test",
                "repo": "owner/code.git"} | entry
        file = agent(model, manifest={"entries": {} if task else {
            "code": repo}}, git_hosts=[{
                "host": "git.test", "base_url": server.url} | (host or {})]
                if hosts is None else hosts, sandbox=sandbox or {})
        line = {"custom_id": runs[-1], "input": look}
        if task:
            line["manifest"] = {"entries": {"code": repo | task}}
        done = batch(file, tasks([line]), env=env)
        assert done.results, done.err
        return done.of(runs[-1])
    return run


def output(result):
    assert result["status"] == "finished", result["error"]
    return result["response"]["output_text"].split("Output:\n", 1)[1]


def reason(result):
    assert result["error"] and result["error"]["code"] == "manifest", result
    return result["error"]["message"]


def test_a_repository_is_there_with_its_commit(fetch, serve, repositories):
    _, first, second = repositories
    server = serve()
    result = fetch(server, "cd code && cat README && git rev-parse HEAD && "
                   "git status --porcelain && git remote get-url origin && "
                   "stat -c %a src/run.sh && wc -c < noise && ls /tmp")
    assert output(result) == (f"second\n{second}\nhttps://git.test/owner/"
                              "code.git\n755\n700000\n")
    assert result["evidence"]["repositories"] == [
        {"path": "code", "commit": second}]
    assert [(r[0], r[1]) for r in server.requests] == [
        ("GET", "/owner/code.git/info/refs?service=git-upload-pack"),
        ("POST", "/owner/code.git/git-upload-pack"),
        ("POST", "/owner/code.git/git-upload-pack")]


@pytest.mark.parametrize("ref", ["v1", "commit", "short", "branch"])
def test_a_ref_may_be_a_tag_a_commit_or_a_branch(fetch, serve, repositories,
                                                 ref):
    _, first, second = repositories
    name, commit = {"v1": ("v1", first), "commit": (first, first),
                    "branch": ("main", second),
                    # It could be a commit, but is a branch.
                    "short": ("deadbeef", second)}[ref]
    result = fetch(serve(), "cat code/README; cd code; git log --oneline | "
                   "wc -l", ref=name)
    assert output(result) == \
        ("first" if commit == first else "second") + "\n1\n"
    assert result["evidence"]["repositories"][0]["commit"] == commit


def test_a_part_of_it(fetch, serve):
    server = serve()
    assert output(fetch(server, "find code | sort", subpath="src")) == \
        "code\ncode/lib\ncode/lib/a.c\ncode/run.sh\n"
    assert output(fetch(server, "cat code", subpath="./README")) == "second\n"
    assert "git_subpath_error: none is not in git.test/owner/code.git" in \
        reason(fetch(server, subpath="none"))
    assert "git_subpath_error: up/passwd leads out" in \
        reason(fetch(server, subpath="up/passwd"))


def test_variables_choose_the_ref(fetch, serve, repositories):
    result = fetch(serve(), "cat code/README", ref="${custom_id}",
                   task=None)
    assert "git_clone_error" in reason(result)
    result = fetch(serve(), "cat code/README", ref="${input}")
    assert "is not a branch, a tag or a commit" in reason(result)


@pytest.mark.parametrize("entry, why", [
    ({"repo": "owner/none.git"}, "knows no such repository (status 404)"),
    ({"ref": "no-such-branch"}, "cannot be cloned; git says: "),
    ({"ref": "0123456789"}, "cannot be cloned"),
])
def test_what_is_not_there_is_an_error(fetch, serve, entry, why):
    said = reason(fetch(serve(), **entry))
    assert said.startswith("manifest entry code: git_clone_error: ")
    assert why in said


def test_credentials_go_to_the_server_and_nowhere_else(fetch, serve, skep):
    server = serve(password=PASSWORD)
    assert "refuses with status 401" in reason(fetch(server))
    result = fetch(
        server, "cat code/README; grep -r tok- code/.git /tmp . ; env; "
        "cat /proc/*/environ | tr '\\0' '\\n'",
        host={"username": "bot", "password": {"env": "GIT_PASSWORD"}},
        env={"GIT_PASSWORD": PASSWORD})
    said = output(result)
    assert said.startswith("second\n")
    assert "tok-3n" not in said.replace("grep -r tok-", "")
    assert server.requests[-1][2]["authorization"].startswith("Basic ")
    with sqlite3.connect(skep.state / "skep.db") as db:
        assert "tok-3n" not in "\n".join(db.iterdump())


def test_a_password_that_is_not_there_stops_before_anything(
        skep, agent, batch, tasks):
    file = agent("http://127.0.0.1:1/v1", git_hosts=[{
        "host": "h", "password": {"env": "NOT_SET_ANYWHERE"}}])
    done = batch(file, tasks([{"custom_id": "a", "input": "x"}]))
    assert (done.status, done.results) == (78, [])
    assert "NOT_SET_ANYWHERE" in done.err
    file = agent("http://127.0.0.1:1/v1", git_hosts=[{
        "host": "h", "password": "in clear"}])
    assert skep.run("check", file).status == 65


def test_a_task_may_only_name_hosts_that_are_for_tasks(fetch, serve):
    server = serve()
    said = reason(fetch(server, task={"ref": "main"}))
    assert "host git.test is not one that a task may name" in said
    assert server.requests == []
    result = fetch(server, "cat code/README", task={"ref": "main"},
                   host={"tasks": True})
    assert output(result) == "second\n"
    said = reason(fetch(server, task={"host": "127.0.0.1:1"},
                        host={"tasks": True}))
    assert "host 127.0.0.1:1 is not one that a task may name" in said


@pytest.mark.parametrize("when", ["GET", "POST"])
def test_a_server_that_breaks_off(fetch, serve, when):
    said = reason(fetch(serve(break_at=when)))
    assert said.startswith("manifest entry code: git_clone_error: ")


def test_a_server_that_is_none(fetch, hostile):
    def play(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                  b"Content-Length: 5\r\n\r\nhello")
    server = hostile(play)
    said = reason(fetch(type("S", (), {"url": server.url.removesuffix("/v1")}
                             )))
    assert "this is no server of git: it sends text/html" in said


def test_an_old_server_is_refused(fetch, hostile):
    def play(peer):
        peer.read_request()
        body = b"001e# service=git-upload-pack\n0000" \
            b"003f" + b"0" * 40 + b" HEAD\0multi_ack\n" + b"0000"
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/"
                  b"x-git-upload-pack-advertisement\r\nContent-Length: %d\r\n"
                  b"\r\n" % len(body) + body)
    server = hostile(play)
    said = reason(fetch(type("S", (), {"url": server.url.removesuffix("/v1")}
                             )))
    assert "does not speak version 2" in said


def test_without_git_in_the_sandbox(fetch, serve, place):
    busybox = shutil.which("busybox")
    assert busybox, "make deps installs busybox-static"
    root = place / "rootfs"
    (root / "bin").mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    for name in ("sh", "mktemp", "rm", "cat"):
        (root / "bin" / name).symlink_to("busybox")
    said = reason(fetch(serve(), sandbox={"rootfs": f"dir:{root}"}))
    assert "git_missing_in_image: there is no git in the sandbox" in said
