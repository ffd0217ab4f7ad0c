#!/usr/bin/env python3
"""A day of agents in minutes: what one engine grows by, run after run.

64 agents that take a turn every ten seconds take 552,960 turns in a day.  So
many, in runs of five commands and an answer each, go through one engine
against `skep mock` without delay; while they do, its memory, descriptors and
threads are looked at, and how large the store is for each run that ended.
What matters is how the second half compares with the first.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from bench_batch import CALLS, Mock, REPO, command, script, write_batch

TURNS = CALLS + 1


def status(pid):
    """(RSS in KB, descriptors, threads) of a process."""
    fields = dict(line.split(":", 1) for line in
                  pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return (int(fields["VmRSS"].split()[0]),
            len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"]))


def lines_of(path, at):
    """Lines in what was added to a file since offset at; the new offset."""
    try:
        with open(path, "rb") as f:
            f.seek(at)
            added = f.read()
    except FileNotFoundError:
        return 0, at
    return added.count(b"\n"), at + len(added)


def store_bytes(state):
    return sum(f.stat().st_size for f in state.glob("skep.db*"))


def watch(process, folder, runs, every):
    """(runs done, RSS KB, descriptors, threads, store bytes), now and then."""
    samples, done, at, due = [], 0, 0, 0
    while process.poll() is None:
        time.sleep(0.2)
        added, at = lines_of(folder / "results.jsonl", at)
        done += added
        if done >= due and done < runs:
            try:
                samples.append((done, *status(process.pid),
                                store_bytes(folder / "state")))
            except (FileNotFoundError, ProcessLookupError):
                break
            print("%9d turns: %6d KB, %3d descriptors, %d threads, %5.0f "
                  "bytes a run in the store" %
                  (done * TURNS, *samples[-1][1:4],
                   samples[-1][4] / max(done, 1)), file=sys.stderr)
            due = done + every
    return samples


def halves(samples, member):
    """The most in the first half (after a tenth of it), and in the second."""
    middle = len(samples) // 2
    first, second = samples[len(samples) // 20:middle], samples[middle:]
    return (max(s[member] for s in first), max(s[member] for s in second))


def main():
    o = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    o.add_argument("build", nargs="?", default=REPO / "build/release",
                   type=pathlib.Path)
    o.add_argument("--turns", type=int, default=552960)
    o.add_argument("-j", type=int, default=64, help="runs at a time")
    o = o.parse_args()
    runs = o.turns // TURNS
    folder = pathlib.Path(tempfile.mkdtemp(prefix="skep-endurance-"))
    try:
        write_batch(folder, runs)
        with Mock((o.build / "skep").resolve(), script(), folder,
                  tls=False) as mock:
            process = subprocess.Popen(
                command((o.build / "skep").resolve(), folder, o.j,
                        mock.settings), stderr=subprocess.PIPE)
            os.set_blocking(process.stderr.fileno(), False)
            samples = watch(process, folder, runs, max(runs // 40, 1))
            said = process.stderr.read() or b""
        good = sum(json.loads(line)["status"] == "finished"
                   for line in open(folder / "results.jsonl"))
        if process.returncode != 0 or good != runs:
            sys.exit(f"{good} of {runs} runs finished: {said[-500:]!r}")
        if len(samples) < 8:
            sys.exit("too few turns to see anything")
        for name, member in (("rss_kb", 1), ("descriptors", 2),
                             ("threads", 3)):
            print(f"{name}: %d in the first half, %d in the second"
                  % halves(samples, member))
        first, last = samples[len(samples) // 2], samples[-1]
        print("store_bytes_a_run: %.0f in the first half, %.0f in the second"
              % (first[4] / first[0],
                 (last[4] - first[4]) / (last[0] - first[0])))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
