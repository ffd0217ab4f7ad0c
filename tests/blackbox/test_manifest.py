"""What a manifest promises is what commands find: variables, secrets,
permissions, users, grants, sources."""

import base64
import json
import os
import sqlite3

import pytest

from conftest import say, script


@pytest.fixture
def look(skep, batch, mock, agent, tasks):
    """look(commands, manifest, **agent_keys) gives the result; each command
    is one exec_command call, and the answer the last one's output."""
    servers = []

    def run(commands, manifest, *, env=None, task=None, tool="exec_command",
            **keys):
        if isinstance(commands, str):
            commands = [commands]
        calls = [{"tool": "exec_command", "arguments": {"cmd": c}}
                 if tool == "exec_command" else
                 {"tool": "shell", "arguments": {"commands": [c]}}
                 for c in commands]
        server = mock(script(
            *({"when": {"turn": i}, "reply": [call]}
              for i, call in enumerate(calls)), say("${last_output}")))
        servers.append(server)
        keys.setdefault("tools", [tool])
        file = agent(server, manifest=manifest, **keys)
        line = {"custom_id": f"r{len(servers)}", "input": "x"} | (task or {})
        done = batch(file, tasks([line]), env=env)
        assert done.status in (0, 1), done.err
        return done.of(line["custom_id"])
    return run


def output(result):
    assert result["status"] == "finished", result["error"]
    return result["response"]["output_text"].split("Output:\n", 1)[-1]


# --- variables and secrets

def test_variables_reach_every_command(look):
    said = output(look("echo $A $B $C", {"environment": {"value": {
        "A": "1", "B": {"description": "d", "value":
                        {"type": "str", "value": "two words"}},
        "C": {"value": "3"}}}}))
    assert said == "1 two words 3\n"


def test_a_task_adds_variables_and_the_shell_tool_has_them(look):
    said = output(look("echo $A $B", {"environment": {"A": "1", "B": "2"}},
                       tool="shell",
                       task={"manifest": {"environment": {"B": "3"}}}))
    assert "1 3\n" in said


SECRET = "s3cr3t-\"quoted\"-value"
MANIFEST = {"environment": {"TOKEN": {
    "type": "secret", "value": {"env": "THE_TOKEN"},
    "commands": ["sh show.sh *", "printenv TOKEN", "sh leave.sh"]}},
    "entries": {
        "show.sh": {"type": "file", "content":
                    "printf %s \"$TOKEN\" | sha256sum; echo \"$TOKEN\"; "
                    "printf %s \"$TOKEN\" > kept"},
        "leave.sh": {"type": "file", "content":
                     "(trap '' HUP; sleep 60) >/dev/null 2>&1 &\n"
                     "echo left"}}}
ENV = {"THE_TOKEN": SECRET}


def everything_stored(skep):
    with sqlite3.connect(skep.state / "skep.db") as db:
        text = "\n".join(db.iterdump())
    for path in skep.state.rglob("*"):
        if path.is_file() and path.name != "skep.db":
            text += path.read_bytes().decode(errors="replace")
    return text


def test_a_secret_reaches_only_the_command_that_it_is_for(look, skep):
    import hashlib
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    said = output(look("sh show.sh now", MANIFEST, env=ENV))
    assert digest in said
    assert "***\n" in said and "s3cr3t" not in said
    for other in ("echo [$TOKEN]", "env", "sh show.sh now; env",
                  "sh show.sh $(env)", "sh show.sh `env`", "sh show.sh > x",
                  "sh show.sh 'x'", " sh show.sh x", "sh show.sh x\nenv"):
        said = output(look(other, MANIFEST, env=ENV))
        assert digest not in said and "s3cr3t" not in said, other
        assert "THE_TOKEN" not in said
    # What it was told through a file is found as well.
    said = output(look(["sh show.sh x", "cat kept"], MANIFEST, env=ENV))
    assert said == "***"
    stored = everything_stored(skep)
    assert "s3cr3t" not in stored and "quoted" not in stored


def test_a_login_shell_gets_no_secret(mock, agent, batch, tasks):
    for more in ({"login": True}, {"shell": "bash"}, {"shell": "sh"}):
        server = mock(script(
            {"when": {"turn": 0}, "reply": [
                {"tool": "exec_command",
                 "arguments": {"cmd": "printenv TOKEN"} | more}]},
            say("${last_output}")))
        file = agent(server, manifest=MANIFEST)
        name = json.dumps(more)
        result = batch(file, tasks([{"custom_id": name, "input": "x"}]),
                       env=ENV).of(name)
        assert "***" not in result["response"]["output_text"]
        assert "exited with code 1" in result["response"]["output_text"]


def test_nothing_runs_beside_a_command_with_a_secret(look):
    spy = "while :; do cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' "\
          "| grep -a TOKEN= >> seen; done"
    said = output(look([
        f"setsid sh -c \"{spy}\" >/dev/null 2>&1 & echo started",
        "sh show.sh x", "sleep 0.2; cat seen; ps ax | grep -c tr.[\\]0"],
        MANIFEST, env=ENV))
    assert "***" not in said and "s3cr3t" not in said
    said = output(look(["sh leave.sh", "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' "
                        "'\\n' | grep -ac TOKEN="], MANIFEST, env=ENV))
    assert said == "0\n"


def test_the_model_is_told_that_one_runs_alone(mock, agent, batch, tasks):
    slow = {"type": "file", "content": "sleep 1; printenv TOKEN"}
    manifest = {"entries": {"slow.sh": slow}, "environment": {"TOKEN": {
        "type": "secret", "value": {"env": "THE_TOKEN"},
        "commands": ["sh slow.sh"]}}}
    server = mock(script({"when": {"turn": 0}, "reply": [
        {"tool": "exec_command", "arguments": {"cmd": "sh slow.sh"}},
        {"tool": "exec_command", "arguments": {"cmd": "echo beside"}}]},
        say("${last_output}")))
    result = batch(agent(server, manifest=manifest),
                   tasks([{"custom_id": "a", "input": "x"}]), env=ENV).of("a")
    said = result["response"]["output_text"]
    assert "another command runs that must run alone" in said
    assert "beside" not in said


def test_a_secret_that_is_not_there_stops_before_anything(
        skep, mock, agent, batch, tasks):
    file = agent(mock(script(say("no"))), manifest=MANIFEST)
    done = batch(file, tasks([{"custom_id": "a", "input": "x"}]))
    assert (done.status, done.results) == (78, [])
    assert "THE_TOKEN" in done.err and "TOKEN" in done.err


def test_check_shows_the_reference_and_never_the_value(skep, agent):
    file = agent("http://127.0.0.1:1/v1", manifest=MANIFEST)
    done = skep.run("check", "--effective", file, env=ENV)
    assert done.status == 0 and "THE_TOKEN" in done.out
    assert "s3cr3t" not in done.out + done.err


# --- permissions

def test_permissions_are_what_was_asked_for(look):
    big = base64.b64encode(bytes(300_000)).decode()
    said = output(look("stat -c '%n %a' f d d/x l big; wc -c < big; "
                       "echo no > d/y || echo refused", {"entries": {
        "f": {"type": "file", "content": "x", "permissions":
              {"owner": 6, "group": 6, "other": 2}},
        "d": {"type": "dir", "permissions": "dr-xr-xr-x", "children": {
            "x": {"type": "file", "content": "y",
                  "permissions": "-r--------"}}},
        "l": {"type": "file", "content": "", "permissions": "-rwsr-sr-t+"},
        "big": {"type": "file", "content_base64": big,
                "permissions": {"owner": 4}}}}))
    assert said.splitlines()[:5] == [
        "f 662", "d 555", "d/x 400", "l 755", "big 400"]
    assert "300000" in said and said.endswith("refused\n")


# --- users and groups

PEOPLE = {"users": [{"name": "ada"}, {"name": "bob"}],
          "groups": [{"name": "crew", "users": [{"name": "ada"}]}]}


@pytest.mark.root
def test_tools_work_as_the_user_that_run_as_names(look):
    said = output(look(
        ["id -un; id -Gn; cat shared; cat private || echo refused",
         "echo mine > mine && stat -c %U mine; getent passwd bob | cut -d: "
         "-f1; id -un; cat shared; cat private 2>/dev/null || echo refused"],
        PEOPLE | {"entries": {
            "shared": {"type": "file", "content": "s\n", "group": "crew",
                       "permissions": "-rw-r-----"},
            "private": {"type": "file", "content": "p\n",
                        "permissions": "-rw-------"}}}, run_as="ada"))
    assert said == "ada\nbob\nada\ns\nrefused\n"


@pytest.mark.root
def test_file_tools_work_as_that_user_too(mock, agent, batch, tasks):
    patch = ("*** Begin Patch\n*** Update File: theirs\n-a\n+b\n"
             "*** End Patch\n")
    server = mock(script({"when": {"turn": 0}, "reply": [
        {"tool": "apply_patch", "input": patch}]}, say("${last_output}")))
    file = agent(server, tools=["apply_patch", "exec_command"], run_as="ada",
                 manifest=PEOPLE | {"entries": {"theirs": {
                     "type": "file", "content": "a\n",
                     "permissions": "-rw-------"}}})
    result = batch(file, tasks([{"custom_id": "a", "input": "x"}])).of("a")
    assert "theirs" in result["response"]["output_text"]
    assert "Updated" not in result["response"]["output_text"]


@pytest.mark.user
def test_without_root_run_as_is_the_one_user_there_is(look):
    assert output(look("id -un", PEOPLE, run_as="ada")) == "ada\n"


def test_run_as_nobody_is_a_fault_of_the_agent(skep, agent):
    file = agent("http://127.0.0.1:1/v1", manifest=PEOPLE, run_as="eve")
    done = skep.run("check", file)
    assert done.status == 65 and "run_as: there is no user eve" in done.err


def test_a_group_that_is_not_there_is_named(look):
    result = look("true", {"entries": {"f": {
        "type": "file", "content": "", "group": "wheel"}}})
    assert result["error"]["code"] == "manifest"
    assert "manifest entry f: there is no group wheel" \
        in result["error"]["message"]


# --- grants

@pytest.fixture
def outside(place):
    folder = place / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "file").write_text("from outside\n")
    (folder / "deep/file").write_text("deeper\n")
    return folder


def test_a_grant_is_read_only_and_the_longest_match_wins(look, outside):
    said = output(look(
        "cat /data/in/file; echo no > /data/in/new || echo refused; "
        "echo yes > /data/in/deep/new && echo written; "
        "mv /data/in/file /data/in/x || echo refused",
        {"extra_path_grants": [
            {"path": "/data/in/deep", "host_path": str(outside / "deep"),
             "read_only": False},
            {"path": "/data/in", "host_path": str(outside)}]}))
    assert said.replace("sh: 1: cannot create /data/in/new: Read-only file "
                        "system\n", "").splitlines()[0] == "from outside"
    assert said.count("refused") == 2 and "written" in said
    assert (outside / "deep/new").read_text() == "yes\n"
    assert not (outside / "new").exists()
    assert (outside / "deep/new").stat().st_uid == os.geteuid()


def test_a_grant_lets_sources_in(look, outside):
    said = output(look("cat copy", {
        "entries": {"copy": {"type": "local_file",
                             "src": str(outside / "file")}},
        "extra_path_grants": [{"path": str(outside)}]}))
    assert said == "from outside\n"


def test_a_task_cannot_grant_itself_anything(look, outside):
    result = look("true", {}, task={"manifest": {"extra_path_grants": [
        {"path": str(outside)}]}})
    assert result["error"]["code"] == "bad_task"
    assert "a task cannot grant itself paths" in result["error"]["message"]


# --- sources

def test_errors_of_sources_have_names(look, skep):
    (skep.home / "d").mkdir()
    (skep.home / "d/link").symlink_to("/etc/passwd")
    (skep.home / "up").symlink_to("d")
    for entry, name in (
            ({"type": "local_dir", "src": "d"}, "symlink_not_supported"),
            ({"type": "local_dir", "src": "up"}, "symlink_not_supported"),
            ({"type": "local_file", "src": "${variables.f}"},
             "path_not_found"),
            ({"type": "local_file", "src": "${variables.g}"},
             "outside_base_dir")):
        result = look("true", {"entries": {"e": entry}}, variables={
            "f": "none", "g": "../../etc/passwd"})
        assert result["error"]["code"] == "manifest", result
        assert f"{name}: " in result["error"]["message"]


def test_special_files_are_left_out_and_empty_folders_are_not(look, skep):
    (skep.home / "d/empty").mkdir(parents=True)
    (skep.home / "d/f").write_text("x")
    os.mkfifo(skep.home / "d/fifo")
    said = output(look("find d | sort", {"entries": {
        "d": {"type": "local_dir", "src": "d"}}}))
    assert said == "d\nd/empty\nd/f\n"


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY"
    "42YAAAAASUVORK5CYII=")


@pytest.fixture
def patch(mock, agent, batch, tasks):
    """patch(text, grants) gives what apply_patch answers."""
    runs = []

    def run(text, grants):
        runs.append(f"p{len(runs)}")
        server = mock(script({"when": {"turn": 0}, "reply": [
            {"tool": "apply_patch", "input": "*** Begin Patch\n" + text
             + "*** End Patch\n"}]}, say("${last_output}")))
        file = agent(server, tools=["apply_patch"],
                     manifest={"extra_path_grants": grants})
        result = batch(file, tasks([{"custom_id": runs[-1],
                                     "input": "x"}])).of(runs[-1])
        return output(result)
    return run


def test_file_tools_work_in_grants_by_the_same_rules(patch, outside):
    (outside / "up").symlink_to("..")
    (outside / "abs").symlink_to("/etc")
    (outside / "in").symlink_to("deep")
    rw = [{"path": "/data", "host_path": str(outside), "read_only": False}]
    ro = [{"path": "/data", "host_path": str(outside)}]
    assert patch("*** Update File: /data/file\n-from outside\n+changed\n"
                 "*** Add File: /data/new/x\n+1\n", rw) == \
        "Updated /data/file\nCreated /data/new/x"
    assert (outside / "file").read_text() == "changed\n"
    assert (outside / "new/x").read_text() == "1"
    assert patch("*** Update File: /data/in/file\n-deeper\n+d\n", rw) == \
        "Updated /data/in/file"
    said = patch("*** Add File: /data/y\n+1\n", ro)
    assert said == "apply_patch could not write file: /data/y: " \
        "Read-only file system"
    for bad in ("/data/../etc/x", "/etc/passwd", "/datum/x", "/dat"):
        assert patch(f"*** Add File: {bad}\n+1\n", rw) == \
            f"apply_patch path must not escape root: {bad}"
    for bad in ("/data/up/x", "/data/abs/x"):
        said = patch(f"*** Add File: {bad}\n+1\n", rw)
        assert "Created" not in said, said
    assert not (outside.parent / "x").exists()


def test_an_image_in_a_grant_can_be_viewed(mock, agent, batch, tasks,
                                           outside, skep):
    (outside / "p.png").write_bytes(PIXEL)
    server = mock(script({"when": {"turn": 0}, "reply": [
        {"tool": "view_image", "arguments": {"path": "/data/p.png"}},
        {"tool": "view_image", "arguments": {"path": "/etc/p.png"}}]},
        say("${last_output}")))
    file = agent(server, tools=["view_image"], manifest={
        "extra_path_grants": [{"path": "/data", "host_path": str(outside)}]})
    batch(file, tasks([{"custom_id": "a", "input": "x"}])).of("a")
    done = skep.run("log", "a", "--raw", "--state", skep.state)
    assert "data:image/png;base64,iVBOR" in done.out
    assert "/etc/p.png: is not below /workspace" in done.out
