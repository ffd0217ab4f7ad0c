#!/usr/bin/env python3
"""512 terminals at once on one loop, each with a program that keeps writing.

64 runs each start eight commands with a terminal (`tty`) and wait; every
command writes twenty lines a second.  The same batch without those commands is
the base: what the engine's memory grows by is divided by 512.  Lag is how long
a turn of the loop took, over the whole batch, sandboxes and all.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from bench_batch import Mock, REPO, resident_kb

RUNS, EACH = 64, 8
WRITER = ("exec perl -e '$| = 1; while (1) { print \"line \", ++$i, \" of a program "
          "that keeps writing\\n\"; select undef, undef, undef, 0.05 }'")


def script(ptys):
    start = [{"tool": "exec_command", "arguments": {
        "cmd": WRITER, "tty": True, "login": False, "shell": "sh",
        "yield_time_ms": 250}}] * ptys
    wait = [{"tool": "exec_command", "arguments": {
        "cmd": "sleep 6", "login": False, "shell": "sh",
        "yield_time_ms": 7000}}]
    return {"models": ["scripted"], "rules": [
        {"when": {"turn": 0}, "reply": start or wait},
        {"when": {"turn": 1}, "reply": wait if ptys else [{"text": "Done."}]},
        {"when": {}, "reply": [{"text": "Done."}]}]}


def children(pid):
    """How many processes there are below a process."""
    out = subprocess.run(["ps", "-eo", "pid=,ppid="], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    below, parents = {}, {pid}
    for line in out.splitlines():
        child, parent = map(int, line.split())
        below.setdefault(parent, []).append(child)
    count = 0
    while parents:
        parents = {c for p in parents for c in below.get(p, [])}
        count += len(parents)
    return count


def one_batch(skep, folder, ptys):
    (folder / "agent.json").write_text(json.dumps({
        "name": "ptys", "instructions": "Wait.",
        "model": {"api": "responses", "name": "scripted",
                  "base_url": "http://127.0.0.1:1/v1"},
        "tools": ["exec_command"]}))
    (folder / "tasks.jsonl").write_text("".join(
        json.dumps({"custom_id": f"run-{i}", "input": "Go."}) + "\n"
        for i in range(RUNS)))
    with Mock(skep, script(ptys), folder, tls=False) as mock, \
            open(folder / "said", "w+") as said, \
            tempfile.TemporaryDirectory(dir=folder) as state:
        process = subprocess.Popen(
            [skep, "batch", folder / "agent.json", folder / "tasks.jsonl",
             "-v", "-j", str(RUNS), "-c", "engine.commands=128",
             "--state", state, "-o",
             f"{state}/results", *mock.settings], stderr=said)
        time.sleep(5)
        resident, live = resident_kb(process.pid), children(process.pid)
        if process.wait() != 0:
            sys.exit(f"the batch failed: {(folder / 'said').read_text()}")
        said.seek(0)
        lag = re.search(r"turns of the loop.* p99 ([0-9.]+) ms, longest ([0-9.]+)",
                        said.read())
    return resident, live, float(lag[1]), float(lag[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", nargs="?", default="build/release")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    skep = REPO / options.build / "skep"
    grown, lags, most = [], [], []
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as name:
        folder = pathlib.Path(name)
        for _ in range(options.rounds):
            bare, none, _, _ = one_batch(skep, folder, 0)
            full, live, p99, longest = one_batch(skep, folder, EACH)
            grown.append((full - bare) / (RUNS * EACH))
            lags.append(p99)
            most.append(longest)
            print(f"{live - none} more processes than {none}: engine "
                  f"{full} KB beside {bare} KB", file=sys.stderr)
    for what, values in (("engine_kb_each", grown), ("loop_lag_p99_ms", lags),
                         ("loop_lag_max_ms", most)):
        print(f"{what}: {min(values):.2f} {statistics.median(values):.2f} "
              f"{max(values):.2f} (least, median, most)")


if __name__ == "__main__":
    main()
