"""Agents and manifests that cannot be used stop everything before it starts."""


import pytest

from conftest import say, script

TASK = [{"custom_id": "a", "input": "x"}]
MODEL = '"model": {"api": "responses", "name": "m", ' \
        '"base_url": "http://127.0.0.1:1/v1"'
HEAD = '{"name": "n",\n "instructions": "x",\n'


@pytest.mark.parametrize("text, where, named", [
    (HEAD + f' {MODEL}}},\n "tolls": []}}', ":4:", "tools"),
    (HEAD + f' {MODEL}}},\n "tools": "exec_command"}}', ":4:", "tools"),
    (HEAD + f' {MODEL}}},\n "name": "again"}}', ":4:", "name"),
    (HEAD + f' {MODEL}, "api_key": "sk-123"}}}}', ":3:", "api_key"),
    (HEAD + f' {MODEL}, "api_key": {{"env": "NOT_SET_ANYWHERE"}}}}}}',
     "", "NOT_SET_ANYWHERE"),
    (HEAD + f' {MODEL}, "api_key": {{"file": "no-such-key"}}}}}}',
     "", "no-such-key"),
    (HEAD.replace('"x"', '{"file": "missing.md"}') + f" {MODEL}}}}}",
     "", "missing.md"),
    (HEAD + f' {MODEL}}},\n "tools": ["no_such_tool"]}}', "",
     "no_such_tool"),
    (HEAD + f' {MODEL}}},\n "sandbox": {{"profile": "no-such"}}}}', "",
     "no-such"),
    (HEAD + ' "model": {"api": "respones", "name": "m", "base_url": '
     '"http://127.0.0.1:1/v1"}}', ":3:", "responses"),
    (HEAD + f" {MODEL}}}", "", None),
    ("", "", None),
    ("[]", "", None),
], ids=["unknown-key", "wrong-type", "duplicate-key", "key-in-clear",
        "key-env-missing", "key-file-missing", "instructions-missing",
        "unknown-tool", "unknown-profile", "wrong-choice", "cut", "empty",
        "array"])
def test_a_bad_agent_is_78_and_check_says_65(skep, batch, tasks, text, where,
                                             named):
    path = skep.home / "agent.json"
    path.write_text(text)
    done = batch(path, tasks(TASK))
    assert (done.status, done.results) == (78, [])
    said = [done.err]
    if named != "NOT_SET_ANYWHERE":  # where it is checked, it may be missing
        checked = skep.run("check", "--kind", "agent", path)
        assert checked.status == 65
        said.append(checked.out + checked.err)
    for message in said:
        assert f"agent.json{where}" in message or not where
        assert named is None or named in message
        assert "sk-123" not in message


def test_a_missing_agent_is_66_for_check(skep, batch, tasks):
    done = batch(skep.home / "none.json", tasks(TASK))
    assert done.status in (66, 78) and "none.json" in done.err
    assert skep.run("check", skep.home / "none.json").status == 66


def test_a_folder_with_agent_json_is_an_agent(batch, mock, agent, tasks, skep):
    agent(mock(script(say("Done."))), folder=skep.home / "writer")
    done = batch(skep.home / "writer", tasks(TASK))
    assert done.codes() == {"a": "finished"}


@pytest.mark.parametrize("path", [
    "/etc/passwd", "../up", "a/../../up", "C:\\x", "c:/x", ""])
def test_a_manifest_path_that_leads_out_is_refused(
        batch, mock, agent, tasks, path):
    file = agent(mock(script(say("Done."))), manifest={
        "entries": {path: {"type": "file", "content": "x"}}})
    done = batch(file, tasks(TASK))
    assert (done.status, done.results) == (78, [])


def uses_a_tool():
    return script(
        {"when": {"turn": 0}, "reply": [
            {"tool": "exec_command", "arguments": {"cmd": "find . -ls"}}]},
        say("${last_output}",
            set={}))


def test_a_missing_source_fails_the_run(batch, mock, agent, tasks):
    file = agent(mock(uses_a_tool()), manifest={
        "entries": {"in": {"type": "local_file", "src": "no-such-file"}}})
    done = batch(file, tasks(TASK))
    if done.status == 78:
        assert "no-such-file" in done.err
    else:
        assert done.codes() == {"a": "manifest"}
        assert "no-such-file" in done.of("a")["error"]["message"]


@pytest.mark.parametrize("target", ["/etc/passwd", "in.txt"])
def test_a_symlink_in_a_local_dir_is_refused(
        batch, mock, agent, tasks, skep, target):
    (skep.home / "data").mkdir()
    (skep.home / "data/in.txt").write_text("x")
    (skep.home / "data/link").symlink_to(target)
    file = agent(mock(uses_a_tool()), manifest={
        "entries": {"in": {"type": "local_dir", "src": "data"}}})
    done = batch(file, tasks(TASK))
    assert done.codes() == {"a": "manifest"}
    assert "link" in done.of("a")["error"]["message"]


def test_every_kind_of_entry_arrives(batch, mock, agent, tasks, skep):
    (skep.home / "data/deep").mkdir(parents=True)
    (skep.home / "data/deep/x").write_bytes(bytes(range(256)) * 1000)
    (skep.home / "run.sh").write_text("#!/bin/sh\necho it runs\n")
    (skep.home / "run.sh").chmod(0o755)
    file = agent(mock(script(
        {"when": {"turn": 0}, "reply": [
            {"tool": "exec_command", "arguments": {
                "cmd": "wc -c < d/deep/x; cat text; od -An -tx1 bin; "
                       "test -d empty/inner && echo folder; sh run.sh"}}]},
        {"when": {"last_output": "*256000\nhello\n 00 ff\nfolder\n"
                                 "it runs*"},
         "reply": [{"text": "All there."}]},
        say("${last_output}"))), manifest={"entries": {
            "d": {"type": "local_dir", "src": "data"},
            "text": {"type": "file", "content": "hello\n"},
            "bin": {"type": "file", "content": "AP8=",
                    "encoding": "base64"},
            "empty": {"type": "dir", "children": {
                "inner": {"type": "dir"}}},
            "run.sh": {"type": "local_file", "src": "run.sh"}}})
    done = batch(file, tasks(TASK))
    assert done.of("a")["response"]["output_text"] == "All there."


def test_outputs_are_collected_with_length_and_digest(
        batch, mock, agent, tasks, skep):
    import hashlib
    file = agent(mock(script(
        {"when": {"turn": 0}, "reply": [
            {"tool": "exec_command", "arguments": {
                "cmd": "mkdir -p out/deep && head -c 300000 /dev/zero > "
                       "out/deep/zeros && echo hi > one.txt"}}]},
        say("Done."))), outputs=["out/", "one.txt"])
    done = batch(file, tasks(TASK))
    result = done.of("a")
    assert result["status"] == "finished"
    listed = {o["path"]: (o["bytes"], o["sha256"].removeprefix("sha256:"))
              for o in result["outputs"]}
    zeros = b"\0" * 300000
    assert listed == {
        "out/deep/zeros": (300000, hashlib.sha256(zeros).hexdigest()),
        "one.txt": (3, hashlib.sha256(b"hi\n").hexdigest())}
    kept = skep.state / "runs" / result["run_id"] / "outputs"
    assert (kept / "out/deep/zeros").read_bytes() == zeros
    assert (kept / "one.txt").read_text() == "hi\n"


def test_a_declared_output_that_is_missing_fails_the_run(
        batch, mock, agent, tasks):
    file = agent(mock(script(
        {"when": {"turn": 0}, "reply": [
            {"tool": "exec_command", "arguments": {"cmd": "true"}}]},
        say("Done."))), outputs=["report.txt"])
    done = batch(file, tasks(TASK))
    assert done.codes() == {"a": "output_missing"}
    assert "report.txt" in done.of("a")["error"]["message"]


def test_an_output_that_is_a_symlink_brings_nothing_of_the_host(
        batch, mock, agent, tasks, skep):
    (skep.home / "secret").write_text("the host's secret")
    file = agent(mock(script(
        {"when": {"turn": 0}, "reply": [
            {"tool": "exec_command", "arguments": {
                "cmd": f"mkdir out; ln -s {skep.home}/secret out/a; "
                       "ln -s /etc/passwd out/b; ln -s .. out/c; true"}}]},
        say("Done."))), outputs=["out/"])
    batch(file, tasks(TASK))
    for path in (skep.state / "runs").rglob("*"):
        if path.is_file():
            assert b"the host's secret" not in path.read_bytes()
            assert not path.is_symlink()


def test_a_key_can_be_left_out_on_the_command_line(batch, mock, agent, tasks):
    """The way to a local server, with an agent made for a real one."""
    file = agent(mock(script(say("Done."))),
                 model={"api_key": {"env": "NOT_SET_ANYWHERE"}})
    assert batch(file, tasks(TASK)).status == 78
    done = batch(file, tasks(TASK), "-c", "model.api_key=null")
    assert done.codes() == {"a": "finished"}
