"""The official npm clients against skep mock: happy paths, plain and TLS.

The clients are installed once, from the lock file in tests/npm, below build/.
"""

import json
import os
import subprocess

import pytest

from conftest import REPO, say, script, tool
from npm import install

SOURCE = REPO / "tests/npm"
PLACE = REPO / "build/npm"

SCRIPT = script(
    {"when": {"input": "forbidden"}, "fault": {
        "status": 403, "body": {"error": {
            "type": "permission_error", "message": "no"}}}},
    {"when": {"input": "busy", "attempt": 0}, "fault": {
        "status": 429, "headers": {"retry-after": "0"}, "body": {}}},
    {"when": {"input": "busy"}, "reply": [{"text": "at last"}]},
    {"when": {"input": "stream"},
     "reply": [{"text": "Gr\u00fc\u00dfe \"an\" alle, \U0001f600 auch dich."}],
     "usage": {"input_tokens": 11, "output_tokens": 7},
     "timing": {"chunk_chars": 5}},
    tool("exec_command", 0, cmd="wc -l < record.txt"),
    say("It has ${last_output}.", usage={
        "input_tokens": 21, "output_tokens": 5}),
)
SAID = "Gr\u00fc\u00dfe \"an\" alle, \U0001f600 auch dich."


@pytest.fixture(scope="session")
def clients():
    install(SOURCE, PLACE)
    # Modules are looked for beside the script.
    script_text = (SOURCE / "clients.mjs").read_text()
    copy = PLACE / "clients.mjs"
    if not copy.exists() or copy.read_text() != script_text:
        copy.write_text(script_text)
    return copy


@pytest.fixture(params=["plain", "tls"])
def found(request, clients, mock, place):
    server = mock(SCRIPT, *(["--tls"] if request.param == "tls" else []))
    env = {"PATH": os.environ["PATH"], "HOME": str(place),
           "MOCK_URL": server.url}
    if request.param == "tls":
        env["NODE_EXTRA_CA_CERTS"] = server.ca_file
    done = subprocess.run(["node", clients], env=env, timeout=60,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_clients_are_content(found):
    call = {"name": "exec_command",
            "arguments": {"cmd": "wc -l < record.txt"}}
    answer = {"text": "It has 42 lines.", "tokens": 21}
    assert found["responses"] == call | answer | {"status": "completed"}
    assert found["chat"] == call | answer | {"reason": "tool_calls"}
    assert found["messages"] == call | answer | {"reason": "tool_use"}

    streamed = {"deltas": SAID, "text": SAID, "tokens": 7}
    kinds = found["responsesStream"].pop("kinds")
    assert kinds[0] == "response.completed" and "response.created" in kinds
    assert "response.output_text.done" in kinds
    assert found["responsesStream"] == streamed | {"status": "completed"}
    assert found["chatStream"] == streamed | {"reason": "stop"}
    assert found["messagesStream"] == streamed | {"reason": "end_turn"}

    assert found["errors"] == {
        "openai": ["PermissionDeniedError", 403],
        "anthropic": ["PermissionDeniedError", 403], "retried": "at last"}
    assert found["models"] == ["scripted"]
