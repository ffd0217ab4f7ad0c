#!/usr/bin/python3
"""Calls a second that a program in the sandbox makes of its agent's tools.

programs.py [BUILD-FOLDER] [ROUNDS]: rounds of each kind in one run each, the
best and the median, beside what a socket pair alone does in the same sandbox.
Every call is recorded in the store; those of list_agents cost nothing else.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

PROGRAM = r"""
import json, os, socket, time
from skep_tools import tools, call_all

def rate(name, n, work):
    began = time.perf_counter()
    work()
    print(json.dumps([name, n / (time.perf_counter() - began)]))

def echo(n):
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        while bytes_ := theirs.recv(65536):
            theirs.send(bytes_)
        os._exit(0)
    theirs.close()
    for i in range(n):
        ours.send(b'{"id":"1.1","tool":"list_agents","arguments":{}}\n')
        ours.recv(65536)
    ours.close()
    os.wait()

def each(n, call):
    for i in range(n):
        call(i)

rate("socket pair alone", 10000, lambda: echo(10000))
rate("one by one", 10000, lambda: each(10000, lambda i: tools.list_agents()))
rate("side by side", 10000,
     lambda: call_all([("list_agents", {})] * 10000))
rate("apply_patch", 500, lambda: each(500, lambda i: tools.apply_patch(
    input=f"*** Begin Patch\n*** Add File: f{i}\n+x\n*** End Patch")))
rate("exec_command", 200, lambda: each(200, lambda i: tools.exec_command(
    cmd="true")))
"""


def one_round(skep, url, place):
    agent = place / "agent.json"
    agent.write_text(json.dumps({
        "name": "bench", "model": {"name": "scripted", "base_url": url},
        "tools": ["exec_command", "spawn_agent", "apply_patch"],
        "code_mode": True}))
    state = tempfile.mkdtemp(dir=place)
    done = subprocess.run([skep, "run", agent, "go", "--state", state],
                          stdout=subprocess.PIPE, check=True)
    return dict(json.loads(line) for line in done.stdout.decode().split("\n")
                if line.startswith("["))


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1
                         else "build/release")
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    skep = build / "skep"
    with tempfile.TemporaryDirectory(prefix="skep-programs-") as folder:
        place = pathlib.Path(folder)
        (place / "mock.json").write_text(json.dumps({"rules": [
            {"when": {"turn": 0}, "reply": [
                {"tool": "exec_command", "arguments": {
                    "yield_time_ms": 30000,
                    "cmd": f"cat >p.py <<'END'\n{PROGRAM}\nEND\n"
                           "python3 p.py"}}]},
            {"when": {}, "reply": [{"text": "${last_output}"}]}]}))
        mock = subprocess.Popen(
            [skep, "mock", place / "mock.json", "--until-eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        url = json.loads(mock.stdout.readline())["url"]
        found = [one_round(skep, url, place) for _ in range(rounds)]
        mock.stdin.close()
        mock.wait()
    for name in found[0]:
        rates = [r[name] for r in found]
        print(f"{name:20} {max(rates):9.0f} calls/s at best, "
              f"{statistics.median(rates):9.0f} as a rule")


main()
