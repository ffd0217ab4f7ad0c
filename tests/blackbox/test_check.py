"""skep check: every bad file gets a line that helps, every good one silence."""

import json
import re

import pytest

AGENT = {"name": "a", "model": {"name": "m"}}
LINE = re.compile(r"^\S+?:\d+:\d+: .+")


def check(skep, name, content, *options, **run):
    path = skep.home / name
    if isinstance(content, (dict, list)):
        content = json.dumps(content)
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content)
    return skep.run("check", *options, name, **run)


def agent(**members):
    return AGENT | members


def model(**members):
    return agent(model=AGENT["model"] | members)


# --- good files ---

def test_good_files_of_every_kind_are_silent(skep):
    files = {
        "agent.json": AGENT,
        "m.json": {"entries": {"a": {"type": "dir"}}},
        "p.json": {"extends": "draft", "limits": {"memory": "64M"}},
        "t.jsonl": '{"custom_id":"1","input":"x"}\n',
        "s.json": {"runs": 8, "durability": "full"},
        "k.json": {"rules": [{"reply": [{"text": "hi"}]}]},
    }
    for name, content in files.items():
        if not isinstance(content, str):
            content = json.dumps(content)
        (skep.home / name).write_text(content)
    done = skep.run("check", *files)
    assert (done.status, done.out, done.err) == (0, "", "")


def test_comments_and_trailing_commas_are_for_configuration(skep):
    text = '// who\n{"name": "a", /* and */ "model": {"name": "m",},}\n'
    assert check(skep, "agent.json", text).status == 0
    assert check(skep, "x.json", text, "--kind", "json").status == 65


def test_a_folder_means_its_agent_json(skep):
    (skep.home / "who").mkdir()
    (skep.home / "who/agent.json").write_text(json.dumps(AGENT))
    assert skep.run("check", "who").status == 0
    (skep.home / "who/agent.json").unlink()
    done = skep.run("check", "who")
    assert done.status == 66
    assert done.err.startswith("who/agent.json: is not there, and no SKILL.md")


def test_standard_input(skep):
    text = '{"custom_id":"1","input":"x"}'
    assert skep.run("check", "--kind", "tasks", "-", input=text).status == 0
    assert skep.run("check", "--kind", "json", "-", input=text).status == 0
    assert skep.run(
        "check", "--kind", "agent", "-", input=json.dumps(AGENT)).status == 0
    assert skep.run("check", "-", input=text).status == 65


def test_the_schema_decides_before_the_members(skep):
    text = {"$schema": "../schema/profile.schema.json", "model": {}}
    done = check(skep, "x.json", text)
    assert done.status == 65
    assert "model: unknown key" in done.err


def test_tasks_are_known_by_their_first_line(skep):
    text = '\n{"custom_id":"1","input":"%s"}\n{"custom_id":"1"}\n'
    for length in (1, 10000):
        done = check(skep, "tasks.txt", text % ("x" * length))
        assert done.status == 65
        assert done.err.startswith("tasks.txt:3:1: ")


def test_what_tells_nothing_is_checked_as_plain_json_and_said_so(skep):
    for text in ("{}", "[1]", "7"):
        done = check(skep, "x.json", text)
        assert done.status == 0
        assert "plain JSON" in done.err and "--kind" in done.err
        assert check(skep, "x.json", text, "-q").err == ""
    assert check(skep, "x.json", '{"a": 1,}').status == 65


# --- several files, exit statuses ---

def test_every_fault_of_every_file_is_one_line(skep):
    (skep.home / "a.json").write_text(
        '{\n  "nmae": "x",\n  "model": { "name": 7 },\n'
        '  "budget": { "turns": -1 },\n  "tools": "shell"\n}\n')
    (skep.home / "b.json").write_text(json.dumps(AGENT))
    (skep.home / "c.jsonl").write_text('{"custom_id":"a"}\n{}\n')
    done = skep.run("check", "--kind", "agent", "a.json", "b.json")
    assert done.status == 65
    lines = done.err.splitlines()
    assert len(lines) == 5
    assert all(LINE.match(line) for line in lines)
    assert lines[0] == "a.json:2:3: nmae: unknown key; did you mean 'name'?"
    assert lines[1].startswith("a.json:1:1: ")  # "name" is missing
    assert lines[2].startswith("a.json:3:22: model.name: ")
    assert lines[3].startswith("a.json:5:12: tools: ")
    assert lines[4].startswith("a.json:4:24: budget.turns: ")
    done = skep.run("check", "b.json", "c.jsonl")
    assert done.status == 65
    assert [line.split(": ")[0] for line in done.err.splitlines()] == [
        "c.jsonl:1:1", "c.jsonl:2:1"]


def test_a_missing_file_is_66(skep):
    (skep.home / "b.json").write_text(json.dumps(AGENT))
    done = skep.run("check", "gone.json", "b.json")
    assert done.status == 66
    assert done.err == "gone.json: cannot be opened: " \
        "No such file or directory\n"


def test_with_json_faults_are_objects_on_standard_output(skep):
    done = check(skep, "agent.json", '{"nmae": 1,\n "model": {"name": 2}}',
                 "--json")
    assert done.status == 65
    assert done.err == ""
    faults = [json.loads(line)["error"] for line in done.out.splitlines()]
    assert faults[0]["file"] == "agent.json"
    assert (faults[0]["line"], faults[0]["column"]) == (1, 2)
    assert "did you mean 'name'?" in faults[0]["message"]


# --- agents ---

BAD_AGENTS = [
    (agent(tols=[]), "tols: unknown key; did you mean 'tools'?"),
    (agent(tools=["exec_command", "shel"]),
     ':1:65: tools[1]: there is no tool "shel"'),
    (agent(tools="shell"), "tools: this is a string; give a list of texts"),
    ('{"name":"a","name":"b","model":{"name":"m"}}', "stands here twice"),
    ('{"name":"a"}', 'model.name: "name" is missing'),
    ({"model": {"name": "m"}}, '"name" is missing'),
    (agent(instructions={"file": "gone.md"}), "gone.md: cannot be opened"),
    (agent(instructions="${input} ${nope}"), "${nope} is unknown"),
    (agent(instructions="${input"), "not closed"),
    (model(api_key="sk-123456"), "must not stand here in clear"),
    (model(headers={"Authorization": "Bearer sk-123456"}),
     "must not stand here in clear"),
    (model(base_url="https://user:sk-123456@host/v1"), "password"),
    (model(client_key="-----BEGIN PRIVATE KEY-----sk-123456"), "in clear"),
    (model(api_key={"file": "gone.key"}), "gone.key"),
    (model(api_key={"vault": "x"}), "known are env, file, credential"),
    (model(api="respones"), "did you mean 'responses'?"),
    (model(base_url="localhost:8080"), "no address"),
    (model(ca_file="gone.pem"), "gone.pem"),
    (model(client_cert="agent.json"), "belong together"),
    (model(first_byte_seconds=0), "out of range"),
    (model(settings=[1]), "give an object"),
    (agent(sandbox={"profile": "drfat"}), "did you mean 'draft'?"),
    (agent(sandbox={"profile": "gone.json"}), "gone.json"),
    (agent(sandbox={"rootfs": "image:x"}), "dir:PATH"),
    (agent(sandbox={"profile": {"extends": "draft", "network": "loopback"}}),
     "network is wider"),
    (agent(sandbox={"profile": {"denied_syscalls": ["opne"]}}),
     'no system call "opne"'),
    (agent(budget={"usd": "1"}), "budget.usd: this is a string"),
    (agent(outputs=["../x"]), "must not escape root: ../x"),
    (agent(variables={"a": []}), "variables.a"),
    (agent(manifest={"file": "gone.json"}), "gone.json"),
    (agent(manifest={"entries": {"/x": {"type": "dir"}}}),
     "manifest path must be relative: /x"),
    ("", "the file is empty"),
    ("[]", "give an object"),
    ("{", "ends too early"),
    ('{"name": "a" "model": {}}', ":1:14: "),
    (b'{"name": "\xff"}', "UTF-8"),
    (b'{"name": "a\x00"}', ":1:12: "),
    ('{"name": "a\\u0000", "model": {"name": "m"}}', "NUL"),
    ("[" * 100000, "levels"),
    ("// never closed\n/* {}", "comment"),
]


@pytest.mark.parametrize("content,says", BAD_AGENTS,
                         ids=[says for _, says in BAD_AGENTS])
def test_a_bad_agent_says_why_and_never_shows_a_secret(skep, content, says):
    done = check(skep, "agent.json", content, "--kind", "agent")
    assert done.status == 65, done
    assert says in done.err
    assert "sk-123456" not in done.err
    assert done.out == ""


def test_a_bad_agent_starts_nothing(skep):
    (skep.home / "agent.json").write_text(json.dumps(agent(tols=[])))
    (skep.home / "t.jsonl").write_text('{"custom_id":"1","input":"x"}\n')
    for words in (("run", "agent.json", "hi"),
                  ("batch", "agent.json", "t.jsonl")):
        done = skep.run(*words)
        assert done.status == 78, done
        assert "agent.json:1:" in done.err
        assert "did you mean 'tools'?" in done.err
        assert done.out == ""


def test_a_key_that_is_not_there_stops_a_run_by_name(skep):
    (skep.home / "agent.json").write_text(json.dumps(
        model(api_key={"env": "NO_SUCH_KEY"}, base_url="http://127.0.0.1:9")))
    done = skep.run("run", "agent.json", "hi")
    assert done.status == 78
    assert "NO_SUCH_KEY" in done.err


# --- overriding ---

def effective(done):
    assert done.status == 0, done
    return json.loads(done.out)


def test_any_setting_can_be_overridden(skep):
    done = effective(check(
        skep, "agent.json", model(headers={"x-a": "1"}), "--effective",
        "-c", "model.base_url=http://127.0.0.1:8080/v1/",
        "-c", "budget.turns=7", "--set=tools=[\"shell\"]",
        "-c", "variables.who=me", "-c", "model.settings.temperature=0.5",
        "-c", "model.settings.reasoning.effort=low",
        "-c", "sandbox.profile=bare", "-c", "sandbox.rootfs=dir:/srv"))
    form = done["effective"]
    assert form["model"]["base_url"] == "http://127.0.0.1:8080/v1"
    assert form["model"]["settings"] == {
        "temperature": 0.5, "reasoning": {"effort": "low"}}
    assert form["budget"]["turns"] == 7
    assert form["tools"] == ["shell"]
    assert form["variables"] == {"who": "me"}
    assert form["sandbox"]["profile"]["rootfs"] == "dir:/srv"
    assert form["sandbox"]["profile"]["limits"]["memory"] == 0


def test_an_agent_without_a_budget_still_comes_to_an_end(skep):
    form = effective(check(skep, "agent.json", AGENT, "--effective"))
    assert form["effective"]["budget"]["turns"] == 100
    form = effective(check(skep, "agent.json", AGENT, "--effective", "-c",
                           "budget.turns=0"))
    assert form["effective"]["budget"]["turns"] == 0


@pytest.mark.parametrize("override,says", [
    ("budget.trns=7", "did you mean 'budget.turns'?"),
    ("budget.turns=many", "give a whole number"),
    ("model.api_key=sk-123456", "in clear"),
    ("model", "KEY=VALUE"),
])
def test_a_bad_override_is_named(skep, override, says):
    done = check(skep, "agent.json", AGENT, "-c", override)
    assert done.status in (64, 65)
    assert says in done.err
    assert "sk-123456" not in done.err


def test_the_environment_comes_between_flags_and_file(skep):
    """Seen through what a run tries to reach."""
    (skep.home / "agent.json").write_text(json.dumps(model(
        base_url="http://127.0.0.1:1/file", retry={"attempts": 1})))
    env = {"SKEP_MODEL_BASE_URL": "http://127.0.0.1:2/env"}
    done = skep.run("run", "agent.json", "hi")
    assert "127.0.0.1:1" in done.err
    done = skep.run("run", "agent.json", "hi", env=env)
    assert "127.0.0.1:2" in done.err
    done = skep.run("run", "agent.json", "hi", "-c",
                    "model.base_url=http://127.0.0.1:3/flag", env=env)
    assert "127.0.0.1:3" in done.err


def test_the_digest_is_of_the_agent_not_of_its_gateway(skep):
    one = effective(check(skep, "agent.json", AGENT, "--effective"))
    two = effective(check(
        skep, "agent.json", json.dumps(AGENT, indent=4), "--effective", "-c",
        "model.base_url=http://127.0.0.1:1", "-c", "model.idle_seconds=5"))
    other = effective(check(
        skep, "agent.json", AGENT, "--effective", "-c", "budget.turns=3"))
    assert re.fullmatch("sha256:[0-9a-f]{64}", one["digest"])
    assert one["digest"] == two["digest"] != other["digest"]


def test_the_effective_form_is_a_good_file_of_the_same_digest(skep):
    (skep.home / "i.md").write_text("Do ${input}.\n")
    for name, content in (
            ("agent.json", agent(
                instructions={"file": "i.md"}, tools=["shell"],
                manifest={"entries": {"d": {"type": "dir", "children": {
                    "f": {"type": "file", "content": "x"}}}}})),
            ("p.json", {"extends": "privileged", "limits": {"disk": "1G"}}),
            ("m.json", {"entries": {"f": {"type": "file",
                                          "content_base64": "AP8="}}})):
        one = effective(check(skep, name, content, "--effective", "--json"))
        two = effective(check(skep, name, one["effective"], "--effective",
                              "--json"))
        assert one == two
        done = check(skep, name, content, "--effective", "--json")
        assert len(done.out.splitlines()) == 1


# --- manifests ---

@pytest.mark.parametrize("key,says", [
    ("/etc/x", "manifest path must be relative: /etc/x"),
    ("C:\\x", "manifest path must be relative: C:\\x"),
    ("../x", "manifest path must not escape root: ../x"),
    ("a/../../x", "manifest path must not escape root: a/../../x"),
    ("a\\..\\x", "manifest path must not escape root: a\\..\\x"),
])
def test_a_path_that_leaves_the_workspace_is_refused(skep, key, says):
    done = check(skep, "m.json", {"entries": {key: {"type": "dir"}}})
    assert done.status == 65
    assert says in done.err


@pytest.mark.parametrize("manifest,says", [
    ({"entries": {"r": {"type": "s3_mount", "bucket": "x"}}},
     "Unknown entry type `s3_mount`. Registered types: dir, file, "
     "local_file, local_dir, git_repo, archive"),
    ({"entries": {"f": {"type": "local_file", "src": "gone"}}},
     "gone: No such file"),
    ({"entries": {"f": {"type": "local_file", "src": "/etc/passwd"}}},
     "lies outside"),
    ({"entries": {"a/b": {"type": "dir"}, "a\\b": {"type": "dir"}}},
     "stands here twice: a/b"),
    ({"entries": {"f": {"type": "file", "content_base64": "!"}}},
     "not base64"),
    ({"entries": {"f": {"type": "file", "permissions": "rwx"}}}, "ls -l"),
    ({"entries": {}, "extra_path_grants": [{"path": "/"}]}, "everything"),
    ({"entries": {}, "root": "/home"}, "always /workspace"),
    ({"entries": {}, "version": 2}, "from 1 to 1"),
    ({"entries": {}, "environment": {"value": {"A": {"type": "vault",
                                                     "value": "x"}}}},
     "Unknown env value type `vault`. Registered types: secret, str"),
])
def test_a_bad_manifest_says_why(skep, manifest, says):
    done = check(skep, "m.json", manifest)
    assert done.status == 65
    assert says in done.err
    assert LINE.match(done.err)


# --- profiles ---

def test_what_a_profile_widens_is_named(skep):
    for members, says in (
            ({"limits": {"memory": "2G"}}, "limits.memory is wider"),
            ({"limits": {"pids": 0}}, "limits.pids is wider"),
            ({"network": "loopback"}, "network is wider"),
            ({"protected": []}, "protected is wider")):
        done = check(skep, "p.json", {"extends": "draft"} | members)
        assert done.status == 65
        assert says in done.err
        assert 'without "extends" it stands for itself' in done.err
        assert check(skep, "p.json", members).status == 0


def test_built_in_profiles_have_an_effective_form(skep):
    digests = set()
    for name in ("draft", "delivery", "privileged", "bare"):
        form = effective(skep.run("check", "--kind", "profile",
                                  "--effective", name))
        digests.add(form["digest"])
    assert len(digests) == 4


# --- tasks ---

GOOD = '{"custom_id":"%s","input":"x"}'


def tasks(skep, *lines, end="\n"):
    return check(skep, "t.jsonl", b"\n".join(
        line if isinstance(line, bytes) else line.encode()
        for line in lines) + end.encode())


def test_bom_crlf_blank_lines_and_no_last_newline_are_fine(skep):
    done = tasks(skep, b"\xef\xbb\xbf" + (GOOD % 1).encode() + b"\r", "",
                 "  ", "\r", GOOD % 2, end="")
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("line,says", [
    ('{"custom_id":"b","inp', ":2:"),
    (b'{"custom_id":"b","input":"\xff"}', "UTF-8"),
    (b'{"custom_id":"b","input":"\x00"}', "NUL"),
    ('{"custom_id":"b","input":' + "[" * 100000, "levels"),
    ('{"custom_id":"a","input":"y"}', 'custom_id "a" stands in an earlier'),
    ('{"input":"x"}', '"custom_id" is missing'),
    ('{"custom_id":"","input":"x"}', "custom_id: it is empty"),
    ('{"custom_id":3,"input":"x"}', "custom_id: this is a number"),
    ('{"custom_id":"b"}', '"input" is missing'),
    ('{"custom_id":"b","input":"x","vars":{}}', "vars: unknown key"),
    ('{"custom_id":"b","input":"x","manifest":{"extra_path_grants":'
     '[{"path":"/etc"}]}}', "cannot grant itself"),
    ("not json", ":2:2: "),
])
def test_a_bad_line_is_named_by_number(skep, line, says):
    done = tasks(skep, GOOD % "a", line, GOOD % "c")
    assert done.status == 65
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("t.jsonl:2:")
    assert says in done.err


def test_a_batch_api_line_is_accepted_unchanged(skep):
    done = tasks(skep, json.dumps({
        "custom_id": "r1", "method": "POST", "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o", "max_tokens": 10, "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"}]}}), json.dumps({
                "custom_id": "r2", "method": "POST", "url": "/v1/responses",
                "body": {"model": "gpt-4o", "input": "Hi"}}))
    assert (done.status, done.err) == (0, "")


def test_a_file_without_a_task_is_bad(skep):
    assert tasks(skep, "", " ").status == 65


@pytest.mark.limit(300)
def test_a_line_of_200_mib_is_named_and_not_held(skep):
    path = skep.home / "t.jsonl"
    with open(path, "wb") as out:
        out.write((GOOD % 1).encode() + b'\n{"custom_id":"2","input":"')
        for _ in range(200):
            out.write(b"x" * (1 << 20))
        out.write(b'"}\n' + (GOOD % 3).encode() + b"\n{}\n")
    p = skep.start("check", path)
    peak = 0
    while p.poll() is None:
        try:
            status = open(f"/proc/{p.pid}/status").read()
        except FileNotFoundError:
            break
        for line in status.splitlines():
            if line.startswith("VmHWM"):
                peak = max(peak, int(line.split()[1]))
    out, err = p.communicate()
    lines = err.decode().splitlines()
    assert p.returncode == 65
    assert f"{path}:2:1: the line is longer than" in lines[0]
    assert lines[1].startswith(f"{path}:4:1: ")
    assert peak < 128 * 1024


# --- JSON ---

@pytest.mark.parametrize("text,status", [
    (b"null", 0), (b' {"a":[1,2.5e-3,"\\u00e9"]} ', 0), (b"", 65), (b" ", 65),
    (b"{} {}", 65), (b"[1,]", 65), (b"// c\n{}", 65), (b"\xef\xbb\xbf{}", 65),
    (b'{"a":1,"a":2}', 0), (b"[01]", 65), (b"\x00", 65), (b'"\xff"', 65),
    (b"'a'", 65), (b"[" * 100000, 65), (b"NaN", 65), (b'"\t"', 65),
])
def test_kind_json_is_the_rfc_to_the_letter(skep, text, status):
    assert check(skep, "x", text, "--kind", "json").status == status


def test_the_place_of_a_fault_is_right_in_a_large_document(skep):
    text = '[\n' + '"é",\n' * 50000 + '"é" x]\n'
    done = check(skep, "x", text, "--kind", "json")
    assert done.err.startswith("x:50002:5: ")
