"""Agents that edit files with patches, over each model API."""

import pytest

from conftest import say, script, tool

PATCH = ("*** Begin Patch\n*** Update File: src/app.py\n@@ def greet():\n"
         "-    print('hi')\n+    print('hello')\n"
         "*** Add File: src/new.py\n+x = 1\n+\n*** End Patch\n")

SOURCE = "def greet():\n    print('hi')\n\ndef other():\n    print('hi')\n"


@pytest.mark.parametrize("api", ["responses", "chat", "messages"])
def test_a_patch_edits_the_workspace(batch, mock, agent, tasks, api):
    server = mock(script(
        {"when": {"turn": 0}, "reply": [
            {"tool": "apply_patch", "input": PATCH}]},
        tool("exec_command", 1, cmd="cat src/app.py src/new.py"),
        say("${last_output}")))
    file = agent(server, tools=["apply_patch", "exec_command"],
                 model={"api": api},
                 manifest={"entries": {"src": {"type": "dir", "children": {
                     "app.py": {"type": "file", "content": SOURCE}}}}})
    result = batch(file, tasks([{"custom_id": "a", "input": "x"}])).of("a")
    text = result["response"]["output_text"]
    assert text.endswith(
        "Output:\n" + SOURCE.replace("'hi'", "'hello'", 1) + "x = 1\n"), text


def test_the_model_is_told_what_was_wrong(batch, mock, agent, tasks):
    server = mock(script(
        {"when": {"turn": 0}, "reply": [
            {"tool": "apply_patch", "input": PATCH}]},
        say("${last_output}")))
    file = agent(server, tools=["apply_patch"])
    result = batch(file, tasks([{"custom_id": "a", "input": "x"}])).of("a")
    assert result["response"]["output_text"] \
        == "apply_patch missing file: src/app.py"
