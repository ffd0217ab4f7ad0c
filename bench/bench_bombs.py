#!/usr/bin/env python3
"""What the engine's loop feels of a bomb.

One engine with three sandboxes in which a bomb of one kind goes off and twenty
in which an agent works; the turns of the loop, as the engine itself measures
them, beside those without any bomb.  A turn is what everybody else waits for:
the goal is that none takes 50 ms.  The bombs end at their limits or with the
two seconds that their call may last; the neighbours' runs must all be finished.
Measure on an otherwise idle machine, as root: without control groups memory
and processor are nobody's limit.
"""

import argparse
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from bench_batch import REPO, Mock

BOMBS = {
    "none": "sleep 2",
    "forks": "f() { f | f & }; f; sleep 2",
    "memory": "while :; do head -c 400m /dev/zero | tail > /dev/null; done",
    "disk": "while :; do cat /dev/zero > x; rm x; done 2> /dev/null",
    "inodes": "while :; do seq 100000 | xargs touch; rm -f [0-9]*; done "
              "2> /dev/null",
    "output": "yes $(seq 100)",
    "errors": "yes $(seq 100) >&2",
    "descriptors": "while :; do python3 -c 'import os\nwhile 1: os.dup(0)'; "
                   "done 2> /dev/null",
    "terminals": "while :; do python3 -c 'import os\nwhile 1: os.openpty()'; "
                 "done 2> /dev/null",
    "processor": "for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; "
                 "sleep 2",
    "short-lived": "while :; do /bin/true; done",
}
BOMBERS, NEIGHBOURS, CALLS = 3, 20, 40


def script(bomb):
    def call(cmd):
        return [{"tool": "exec_command", "arguments": {
            "cmd": cmd, "shell": "sh", "login": False,
            "yield_time_ms": 2000}}]

    work = [{"when": {"input": "work", "turn": k},
             "reply": call("echo x >> notes; wc -l < notes; sleep 0.05")}
            for k in range(CALLS)]
    return {"models": ["scripted"], "rules": [
        {"when": {"input": "bomb", "turn": 0}, "reply": call(bomb)}, *work,
        {"when": {}, "reply": [{"text": "Done."}]}]}


def one(skep, folder, bomb):
    """(p50, p99, longest) turn in ms."""
    with Mock(skep, script(bomb), folder, tls=False) as mock:
        said = subprocess.run(
            [skep, "batch", folder / "agent.json", folder / "tasks.jsonl",
             "-v", "-j", str(BOMBERS + NEIGHBOURS), "--state",
             folder / "state", "-o", folder / "results.jsonl",
             *mock.settings], text=True, stderr=subprocess.PIPE).stderr
    results = [json.loads(r) for r in open(folder / "results.jsonl")]
    unwell = [r for r in results if r["custom_id"].startswith("work") and
              (r["status"] != "finished" or
               r["response"]["output_text"] != "Done.")]
    if unwell or len(results) != BOMBERS + NEIGHBOURS:
        sys.exit(f"{len(unwell)} neighbours did not finish: {said[-500:]}")
    shutil.rmtree(folder / "state")
    (folder / "results.jsonl").unlink()
    turns = re.search(r"turns of the loop, p50 ([0-9.]+) ms, p99 ([0-9.]+) ms,"
                      r" longest ([0-9.]+) ms", said)
    return [float(x) for x in turns.groups()]


def main():
    o = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    o.add_argument("build", nargs="?", default=REPO / "build/release",
                   type=pathlib.Path)
    o.add_argument("--rounds", type=int, default=3)
    o.add_argument("--json", action="store_true")
    o = o.parse_args()
    skep = (o.build / "skep").resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-bombs-"))
    try:
        (folder / "agent.json").write_text(json.dumps({
            "name": "bombs", "instructions": "Do as told.",
            "model": {"api": "responses", "name": "scripted",
                      "base_url": "http://127.0.0.1:1/v1"},
            "tools": ["exec_command"], "budget": {"turns": CALLS + 2}}))
        (folder / "tasks.jsonl").write_text("".join(
            json.dumps({"custom_id": f"{kind}-{i}", "input": kind}) + "\n"
            for kind, n in (("bomb", BOMBERS), ("work", NEIGHBOURS))
            for i in range(n)))
        rounds = [{name: one(skep, folder, bomb)
                   for name, bomb in BOMBS.items()} for _ in range(o.rounds)]
    finally:
        shutil.rmtree(folder)
    report = {name: dict(zip(("p50_ms", "p99_ms", "longest_ms"), (
        [round(f([r[name][i] for r in rounds]), 3)
         for f in (min, statistics.median, max)] for i in range(3))))
        for name in BOMBS}
    if o.json:
        print(json.dumps(report))
        return
    print(f"  {'':12} {'p50 ms':>20} {'p99 ms':>20} {'longest ms':>23}"
          "   (min med max)")
    for name, row in report.items():
        print(f"  {name:12} " + " ".join(
            " ".join(f"{v:>6}" for v in values) for values in row.values()))


if __name__ == "__main__":
    main()
