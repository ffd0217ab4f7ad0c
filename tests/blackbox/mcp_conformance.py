#!/usr/bin/python3
"""The client that the MCP conformance suite tests: skep, driven as users do.

    mcp_conformance.py URL

SKEP names the binary, MCP_CONFORMANCE_SCENARIO what is tested.  A model that
is scripted makes the calls of the scenario; where a server wants a login, a
person's browser is played.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

SKEP = os.environ["SKEP"]
SCENARIO = os.environ["MCP_CONFORMANCE_SCENARIO"]
WANTS = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
METADATA = "https://conformance-test.local/client-metadata.json"


def calls():
    """(tool, arguments) of the scenario, in their order."""
    named = {
        "tools_call": [("add_numbers", {"a": 5, "b": 3})],
        "elicitation-sep1034-client-defaults": [
            ("test_client_elicitation_defaults", {})],
        "sse-retry": [("test_reconnection", {})],
        "sep-2322-client-request-state": [
            (f"test_mrtr_{name}", {}) for name in
            ("echo_state", "unrelated", "no_state", "no_result_type")],
        "http-standard-headers": [
            ("test_headers", {}), ("my-hyphenated-tool", {})],
        "http-custom-headers": [
            (c["name"], c["arguments"]) for c in WANTS.get("toolCalls", [])],
        "http-invalid-tool-headers": [("valid_tool", {"region": "x"})],
    }
    made = [(f"s__{name}", given) for name, given in named.get(
        SCENARIO, [("test-tool", {})] if SCENARIO.startswith("auth/") else [])]
    if SCENARIO == "http-standard-headers":
        made += [
            ("list_mcp_resources", {"server": "s"}),
            ("read_mcp_resource", {
                "server": "s", "uri": "file:///path/to/file%20name.txt"}),
            ("list_mcp_prompts", {"server": "s"}),
            ("get_mcp_prompt", {"server": "s", "name": "test_prompt"})]
    return made


def server(url):
    entry = {"url": url, "elicitation": "defaults", "allow_resources": ["*"],
             "prompts": True, "connect_seconds": 10, "call_seconds": 20}
    oauth = {}
    if "client_id" in WANTS:
        oauth["client_id"] = WANTS["client_id"]
    if "client_secret" in WANTS:
        os.environ["CLIENT_SECRET"] = WANTS["client_secret"]
        oauth["client_secret"] = {"env": "CLIENT_SECRET"}
    if "private_key_pem" in WANTS:
        os.environ["CLIENT_KEY"] = WANTS["private_key_pem"]
        oauth["private_key"] = {"env": "CLIENT_KEY"}
    if SCENARIO.startswith("auth/client-credentials"):
        oauth["grant"] = "client_credentials"
    if SCENARIO in ("auth/basic-cimd", "auth/offline-access-scope"):
        oauth["client_metadata_url"] = METADATA
    return entry | ({"oauth": oauth} if oauth else {})


class Place:
    def __init__(self, folder, url):
        self.folder = pathlib.Path(folder)
        self.agent = self.folder / "agent.json"
        self.state = self.folder / "state"
        self.url = url

    def skep(self, *words, **options):
        done = subprocess.run(
            [SKEP, *map(str, words), "--state", self.state], text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            **options)
        sys.stderr.write(f"skep {words[0]}: {done.returncode}\n{done.stderr}")
        return done

    def write(self, model):
        self.agent.write_text(json.dumps({
            "name": "conformance", "instructions": "Do it.", "tools": [],
            "model": {"name": "scripted", "base_url": model},
            "mcp_servers": {"s": server(self.url)}}))

    def login(self, *words):
        """As a person whose browser follows every redirect."""
        p = subprocess.Popen(
            [SKEP, "servers", self.agent, "login", "s", *words, "--json",
             "--state", self.state], stdout=subprocess.PIPE, text=True)
        line = p.stdout.readline()
        if line and "url" in json.loads(line):
            with urllib.request.urlopen(json.loads(line)["url"]) as page:
                page.read()
        p.stdout.read()
        return p.wait()


def run(place, made):
    rules = [{"when": {"turn": i}, "reply": [
        {"tool": name, "arguments": given}]}
        for i, (name, given) in enumerate(made)]
    script = place.folder / "mock.json"
    script.write_text(json.dumps(
        {"rules": rules + [{"reply": [{"text": "done"}]}]}))
    with subprocess.Popen([SKEP, "mock", script, "--until-eof"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as m:
        place.write(json.loads(m.stdout.readline())["url"])
        done = place.skep("run", place.agent, "go", "--json")
        m.stdin.close()
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if event.get("event") == "tool.output":
            sys.stderr.write(f"{event['item']['output']}\n")
    return done


def main():
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder, sys.argv[1])
        place.write("http://127.0.0.1:1/v1")
        made = calls()
        if SCENARIO == "json-schema-2020-12-preservation":
            listed = json.loads(
                place.skep("servers", place.agent, "--json").stdout)
            schema = next(t["schema"] for t in listed["tools"]
                          if t["name"] == "json_schema_2020_12_tool")
            made = [("s__json_schema_echo", {"schema": schema})]
        logs_in = SCENARIO.startswith("auth/") and \
            "client-credentials" not in SCENARIO
        if logs_in and place.login() != 0:
            return 1
        for _ in range(2):
            done = run(place, made)
            more = re.search(r"--scope '([^']*)'", done.stdout)
            if not logs_in:
                break
            if more:
                if place.login("--scope", more.group(1)) != 0:
                    return 1
            elif "skep servers" in done.stdout:
                if place.login() != 0:
                    return 1
            else:
                break
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
