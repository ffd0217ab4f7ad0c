"""What a run changed in its workspace, in its result line and in skep show."""

import hashlib
import json

import pytest

from fake_model import FakeModel

MANIFEST = {"entries": {"kept": {"type": "file", "content": "kept"},
                        "sub": {"type": "dir", "children": {
                            "edited": {"type": "file", "content": "before"},
                            "gone": {"type": "file", "content": "x"}}}}}
CHANGE = "echo after > sub/edited; rm sub/gone; mkdir n; echo new > n/added"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


EXPECTED = [
    {"path": "n/added", "change": "added", "bytes": 4,
     "sha256": sha256("new\n")},
    {"path": "sub/edited", "change": "modified", "bytes": 6,
     "sha256": sha256("after\n")},
    {"path": "sub/gone", "change": "deleted"},
]


def commands(*lines):
    def script(turn, request):
        if turn < len(lines):
            return [("call", "exec_command", {"cmd": lines[turn]})]
        return [("text", "done")]

    return script


def result_of(skep, path, *words):
    done = skep.run("run", path, "go", "--json", *words)
    assert done.status == 0, done.err
    return json.loads(done.out.splitlines()[-1])["result"]


@pytest.mark.parametrize("outputs", [[], ["n/"]])
def test_changes_are_in_the_result_and_shown(skep, agent, outputs):
    with FakeModel(commands(CHANGE)) as model:
        path = agent(model.url, manifest=MANIFEST, outputs=outputs)
        result = result_of(skep, path)
    assert result["changes"] == EXPECTED
    assert "changes_omitted" not in result
    shown = skep.run("show", result["run_id"]).out
    assert "added      n/added (4 bytes)\n" in shown
    assert "modified   sub/edited (6 bytes)\n" in shown
    assert "deleted    sub/gone\n" in shown
    shown = json.loads(skep.run("show", result["run_id"], "--json").out)
    assert shown["result"]["changes"] == EXPECTED


def test_no_sandbox_no_list_and_no_sandbox_for_a_list(skep, agent):
    with FakeModel(commands()) as model:
        result = result_of(skep, agent(model.url))
    assert result["changes"] is None
    assert result["evidence"]["sandbox"] is None


def test_nothing_changed_is_an_empty_list(skep, agent):
    with FakeModel(commands("cat kept")) as model:
        result = result_of(skep, agent(model.url, manifest=MANIFEST))
    assert result["changes"] == []


def test_the_list_can_be_switched_off(skep, agent):
    with FakeModel(commands(CHANGE)) as model:
        path = agent(model.url, manifest=MANIFEST)
        result = result_of(skep, path, "-c", "sandbox.changes=false")
    assert result["changes"] is None


def test_a_flood_of_changes_is_cut_and_counted(skep, agent):
    flood = "i=0; while [ $i -lt 1500 ]; do : > f$i; i=$((i+1)); done"
    with FakeModel(commands(flood)) as model:
        result = result_of(skep, agent(model.url))
    assert len(result["changes"]) == 1000
    assert result["changes_omitted"] == 500


def test_names_cannot_break_the_line_or_the_terminal(skep, agent):
    rude = r"""printf x > "$(printf 'a\nb\033[31m\377')" """
    with FakeModel(commands(rude)) as model:
        result = result_of(skep, agent(model.url))
    assert len(result["changes"]) == 1
    assert result["changes"][0]["path"].startswith("a\nb\x1b[31m")
    shown = skep.run("show", result["run_id"]).out
    assert "\x1b" not in shown and "added      a" in shown
