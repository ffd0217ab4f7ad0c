"""Skills: the index in the prompt, loading on demand, and skep check."""

import os

import pytest

from fake_model import FakeModel

SKILL = "---\nname: {0}\ndescription: {1}\n---\n\n# {0}\n\nDo it so.\n"


def skill(folder, name, description="does things", **files):
    (folder / name).mkdir(parents=True)
    (folder / name / "SKILL.md").write_text(SKILL.format(name, description))
    for path, content in files.items():
        (folder / name / path).mkdir(exist_ok=True)
        (folder / name / path / "file").write_text(content)


def done_with(turns):
    """A model that makes these calls, one a turn, then says "done"."""
    def answer(turn, request):
        if turn < len(turns):
            return [("call", *turns[turn])]
        return [("text", "done")]
    return answer


def outputs(model):
    return [item["output"] for item in model.requests[-1]["input"]
            if item.get("type") == "function_call_output"]


def index_of(prompt):
    part = prompt[prompt.index("## Skills\n"):]
    part = part[part.index("### Available skills\n"):]
    return part[:part.index("\n###")].split("\n")[1:]


LITERAL = [
    {"name": "zeta", "description": "Comes last.",
     "content": SKILL.format("zeta", "Comes last.")},
    {"name": "alpha", "description": "Comes\nfirst.",
     "content": {"file": "alpha.md"},
     "scripts": {"run.sh": "echo ${HOME} $((6*7))\n"},
     "references": {"a/b.md": {"type": "file", "content": "deep"}}}]


def test_literal_skills_are_indexed_and_laid_in(skep, agent):
    (skep.home / "alpha.md").write_text("ALPHA\n")
    calls = [("exec_command", {"cmd":
              "cd .agents/alpha; cat SKILL.md references/a/b.md; "
              "sh scripts/run.sh; head -2 ../zeta/SKILL.md"})]
    with FakeModel(done_with(calls)) as model:
        path = agent(model.url, skills={"literal": LITERAL})
        done = skep.run("run", path, "go")
    assert done.status == 0, done.err
    prompt = model.requests[0]["instructions"]
    assert index_of(prompt) == [
        "- alpha: Comes first. (file: .agents/alpha)",
        "- zeta: Comes last. (file: .agents/zeta)"]
    assert "\n### How to use skills\n" in prompt
    assert "### Lazy loading" not in prompt
    assert "└── zeta/" in prompt and "ALPHA" not in prompt
    assert outputs(model)[0].endswith(
        "ALPHA\ndeep/workspace 42\n---\nname: zeta\n")


def test_paths_are_absolute_with_a_cwd(skep, agent):
    with FakeModel(done_with([])) as model:
        path = agent(model.url, cwd="w", skills={
            "path": "lib/skills", "literal": LITERAL[:1]},
            manifest={"entries": {"w": {"type": "dir"}}})
        done = skep.run("run", path, "go")
    assert done.status == 0, done.err
    prompt = model.requests[0]["instructions"]
    assert index_of(prompt) == [
        "- zeta: Comes last. (file: /workspace/lib/skills/zeta)"]
    assert "\n### Run-scoped skill paths\n" in prompt


def test_skills_from_an_entry_are_found_in_the_sandbox(skep, agent):
    source = skep.home / "skills"
    skill(source, "bee", "Hums.")
    skill(source, "ant", "Walks.")
    (source / "no-skill").mkdir()
    (source / "no-skill" / "x").write_text("")
    (source / "plain").mkdir()
    (source / "plain" / "SKILL.md").write_text("no front matter")
    (source / "binary").mkdir()
    (source / "binary" / "SKILL.md").write_bytes(bytes(range(256)) * 300)
    with FakeModel(done_with([])) as model:
        path = agent(model.url, skills={
            "from": {"type": "local_dir", "src": "skills"}})
        done = skep.run("run", path, "go")
    assert done.status == 0, done.err
    none = "No description provided."
    assert index_of(model.requests[0]["instructions"]) == [
        "- ant: Walks. (file: .agents/ant)",
        "- bee: Hums. (file: .agents/bee)",
        f"- binary: {none} (file: .agents/binary)",
        f"- plain: {none} (file: .agents/plain)"]


@pytest.fixture
def lazy(skep):
    source = skep.home / "skills"
    skill(source, "bee", "Hums.", scripts="buzz")
    skill(source, "ant", "Walks.")
    os.mkfifo(source / "fifo")
    (source / "pipe").mkdir()
    os.mkfifo(source / "pipe" / "SKILL.md")
    os.symlink("/etc", source / "etc")
    os.symlink(source / "bee", source / "again")
    (source / "linked").mkdir()
    os.symlink("/etc/passwd", source / "linked" / "SKILL.md")
    return source


@pytest.mark.parametrize("source", [
    "skills", {"type": "local_dir", "src": "skills"}])
@pytest.mark.parametrize("api", ["responses"])
def test_a_lazy_skill_comes_when_it_is_asked_for(
        skep, agent, lazy, source, api):
    calls = [("exec_command", {"cmd": "ls -a"}),
             ("load_skill", {"skill_name": "bee"}),
             ("load_skill", {"skill_name": "bee"}),
             ("load_skill", {"skill_name": "etc"}),
             ("load_skill", {"skill_name": "../skills/bee"}),
             ("load_skill", {}),
             ("exec_command", {"cmd": "cat .agents/*/scripts/file; "
                               "ls .agents"})]
    with FakeModel(done_with(calls)) as model:
        path = agent(model.url, skills={"lazy_from": source},
                     model={"api": api})
        done = skep.run("run", path, "go")
    assert done.status == 0, done.err
    prompt = model.requests[0]["instructions"]
    assert index_of(prompt) == ["- ant: Walks. (file: .agents/ant)",
                                "- bee: Hums. (file: .agents/bee)"]
    assert "\n### Lazy loading\n" in prompt
    said = outputs(model)
    assert ".agents" not in said[0]
    loaded = '{"status":"loaded","skill_name":"bee","path":".agents/bee"}'
    assert said[1] == loaded
    assert said[2] == loaded.replace("loaded", "already_loaded", 1)
    assert said[3].endswith("Error: lazy skill not found")
    assert said[4].endswith("Error: lazy skill not found")
    assert "skill_name" in said[5]
    assert said[6].endswith("Output:\nbuzzbee\n")
    tools = [t["name"] for t in model.requests[0]["tools"]]
    assert "load_skill" in tools


def test_an_ambiguous_name_is_not_loaded(skep, agent):
    source = skep.home / "skills"
    for folder in "one", "two":
        (source / folder).mkdir(parents=True)
        (source / folder / "SKILL.md").write_text(
            SKILL.format("same", "x"))
    calls = [("load_skill", {"skill_name": "same"}),
             ("load_skill", {"skill_name": "two"})]
    with FakeModel(done_with(calls)) as model:
        skep.run("run", agent(model.url, skills={"lazy_from": "skills"}), "go")
    assert outputs(model)[0].endswith("Error: lazy skill name is ambiguous")
    assert outputs(model)[1] == (
        '{"status":"loaded","skill_name":"same","path":".agents/two"}')


def test_a_skill_with_a_link_is_not_copied(skep, agent, lazy):
    os.symlink("/etc/passwd", lazy / "bee" / "scripts" / "link")
    calls = [("load_skill", {"skill_name": "bee"})]
    with FakeModel(done_with(calls)) as model:
        skep.run("run", agent(model.url, skills={"lazy_from": "skills"}), "go")
    assert "symbolic links are not copied" in outputs(model)[0]


ONE = {"name": "a", "description": "b", "content": "c"}


@pytest.mark.parametrize("skills, more, why", [
    ({}, {}, "need one of"),
    ({"literal": [ONE], "lazy_from": "x"}, {}, "only one of"),
    ({"literal": [ONE, ONE]}, {}, "duplicate skill name: a"),
    ({"literal": [ONE | {"name": "A"}]}, {}, "only a-z"),
    ({"literal": [ONE | {"name": "../x"}]}, {}, "only a-z"),
    ({"literal": [ONE | {"description": ""}]}, {}, "1 to 1024"),
    ({"literal": [ONE | {"script": {}}]}, {}, "script is no member"),
    ({"literal": [{"name": "a", "description": "b"}]}, {}, '"content"'),
    ({"literal": [ONE | {"scripts": {"../x": "y"}}]}, {}, "escape root"),
    ({"literal": [ONE], "path": "/abs"}, {}, "relative"),
    ({"literal": [ONE], "path": "."}, {}, "workspace itself"),
    ({"literal": [ONE]}, {"manifest": {"entries": {
        ".agents/a": {"type": "dir"}}}}, "already exists in manifest"),
    ({"lazy_from": "gone"}, {}, "gone"),
    ({"lazy_from": "/etc"}, {}, "outside"),
    ({"lazy_from": "../.."}, {}, "outside"),
    ({"lazy_from": "skills"}, {"manifest": {"entries": {
        ".agents/x": {"type": "dir"}}}}, "overlaps existing manifest"),
    ({"from": {"type": "local_dir", "src": "gone"}}, {},
     ": skills: entries..agents.src: path_not_found"),
    ({"from": {"type": "file", "content": "x"}}, {}, "must be a folder"),
    ({"literal": [ONE]}, {"tools": []}, "need a tool"),
])
def test_bad_skills_say_why(skep, agent, skills, more, why):
    (skep.home / "skills").mkdir()
    done = skep.run("check", agent("http://127.0.0.1:1/v1", skills=skills,
                                   **more))
    assert done.status == 65 and why in done.err, done.err


def test_check_takes_a_folder_of_a_skill(skep):
    home = skep.home
    skill(home, "good", "Does good.", scripts="x")
    done = skep.run("check", home / "good")
    assert done.status == 0, done.err
    assert skep.run("check", home / "good" / "SKILL.md").status == 0
    assert skep.run("check", "--kind", "skill", home / "good").status == 0

    skill(home, "bad", "x")
    (home / "bad" / "SKILL.md").write_text(
        "---\nname: good\nauthor: me\n---\n")
    os.symlink("/etc/shadow", home / "bad" / "shadow")
    os.mkfifo(home / "bad" / "fifo")
    done = skep.run("check", home / "bad")
    assert done.status == 65
    for line in ["SKILL.md:2:1: the name is good and the folder is bad",
                 'SKILL.md:3:1: "author" is no key of a skill',
                 "SKILL.md:1:1: the description is missing",
                 "shadow: a symbolic link is not copied",
                 "fifo: neither a file nor a folder"]:
        assert line in done.err, done.err

    done = skep.run("check", "--kind", "skill", home)
    assert done.status == 65 and "SKILL.md: is not there" in done.err

    (home / "pipe").mkdir()
    os.mkfifo(home / "pipe" / "SKILL.md")
    done = skep.run("check", home / "pipe", timeout=10)
    assert done.status == 65 and "no file of at most 1 MiB" in done.err


def test_who_takes_a_run_over_has_skills_of_its_own(skep, agent):
    for folder in "mine", "yours":
        skill(skep.home / folder, f"{folder}-skill")

    def answer(turn, request):
        if request["model"] == "first":
            return [[("call", "load_skill", {"skill_name": "mine-skill"})],
                    [("call", "transfer_to_second", {})]][turn]
        return [[("call", "load_skill", {"skill_name": "yours-skill"}),
                 ("call", "load_skill", {"skill_name": "mine-skill"})],
                [("text", "done")]][turn - 2]

    with FakeModel(answer) as model:
        done = skep.run("run", agent(
            model.url, model={"name": "first"}, handoffs=["second"],
            skills={"lazy_from": "mine"},
            agents={"second": {
                "model": {"name": "second"}, "tools": ["exec_command"],
                "skills": {"lazy_from": "yours"}}}), "go")
    assert done.status == 0, done.err
    assert index_of(model.requests[-1]["instructions"])[0].startswith(
        "- yours-skill: ")
    said = outputs(model)
    assert '"status":"loaded","skill_name":"mine-skill"' in said[0]
    assert '"status":"loaded","skill_name":"yours-skill"' in said[2]
    assert said[3].endswith("lazy skill not found")
