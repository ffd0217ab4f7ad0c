#!/usr/bin/env python3
"""What an agent run costs, beside the bare cost of its commands.

1,000 runs of 5 tool calls each (`echo step-K >> notes.txt; wc -l notes.txt`),
64 at a time, against `skep mock` without delay over TLS; and the same 5,000
commands by posix_spawn (bench_spawn).  Both in interleaved rounds; ratios as
minimum, median and maximum over the rounds.

CPU is that of the whole process tree, counted by the kernel when it is reaped;
the mock is a tree of its own and not in it.  Then 500 runs that wait for the
model at once, and what the engine's memory grows by for each.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parents[1]
CALLS = 5


def script(delay_ms=0):
    timing = {"first_byte_ms": delay_ms, "chunk_chars": 65536}
    usage = {"input_tokens": 100, "output_tokens": 20}
    rules = [{"when": {"turn": k}, "timing": timing, "usage": usage,
              "reply": [{"tool": "exec_command", "arguments": {
                  "cmd": f"echo step-{k} >> notes.txt; wc -l notes.txt",
                  "shell": "sh", "login": False}}]} for k in range(CALLS)]
    rules.append({"when": {"last_output": f"*{CALLS} notes.txt*"},
                  "timing": timing, "usage": usage,
                  "reply": [{"text": "Noted."}]})
    return {"models": ["scripted"], "rules": rules}


class Mock:
    def __init__(self, skep, content, folder, tls=True):
        path = folder / "mock.json"
        path.write_text(json.dumps(content))
        self.process = subprocess.Popen(
            [skep, "mock", path, "--until-eof", *(["--tls"] if tls else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready = json.loads(self.process.stdout.readline())
        self.settings = ["-c", f"model.base_url={ready['url']}"]
        if ready.get("ca_file"):
            self.settings += ["-c", f"model.ca_file={ready['ca_file']}"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def write_batch(folder, runs):
    (folder / "agent.json").write_text(json.dumps({
        "name": "notes", "instructions": "Take notes.",
        "model": {"api": "responses", "name": "scripted",
                  "base_url": "http://127.0.0.1:1/v1"},
        "tools": ["exec_command"], "budget": {"turns": CALLS + 2}}))
    with open(folder / "tasks.jsonl", "w") as f:
        for i in range(runs):
            print(json.dumps({"custom_id": f"run-{i}", "input": "Begin."}),
                  file=f)


def wait_for_tree(process):
    """(exit status, CPU seconds of it and all it reaped)."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def command(skep, folder, jobs, settings):
    return [skep, "batch", folder / "agent.json", folder / "tasks.jsonl",
            "-v", "-j", str(jobs), "--state", folder / "state",
            "-o", folder / "results.jsonl", *settings]


def one_batch(skep, folder, runs, jobs, mock):
    """Run and remove everything once; (wall s, CPU s, loop lag p99 ms)."""
    start = time.monotonic()
    with open(folder / "said", "w+") as said:
        process = subprocess.Popen(
            command(skep, folder, jobs, mock.settings), stderr=said)
        status, cpu = wait_for_tree(process)
        wall = time.monotonic() - start
        said.seek(0)
        words = said.read()
    lag = re.search(r"turns of the loop.* p99 ([0-9.]+) ms", words)
    results = [json.loads(line) for line in open(folder / "results.jsonl")]
    good = sum(r["status"] == "finished" for r in results)
    if status != 0 or good != runs:
        sys.exit(f"{good} of {runs} runs finished, status {status}: "
                 f"{words[-500:]}{next((r['error'] for r in results if r['error']), '')}")
    shutil.rmtree(folder / "state")
    (folder / "results.jsonl").unlink()
    return wall, cpu, float(lag[1])


def one_spawn(program, folder, runs, jobs):
    work = folder / "spawn"
    work.mkdir()
    out = subprocess.run([program, str(runs), str(CALLS), str(jobs), work],
                         check=True, stdout=subprocess.PIPE).stdout
    shutil.rmtree(work)
    figures = json.loads(out)
    return figures["wall_seconds"], figures["cpu_ms_each"] * runs / 1e3


def resident_kb(pid, member="Rss"):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in f:
            if line.startswith(member + ":"):
                return int(line.split()[1])
    return 0


def rss_waiting(skep, folder, runs, tls):
    """The engine's RSS in KB with `runs` runs that wait for the model."""
    write_batch(folder, runs)
    with Mock(skep, script(delay_ms=30000), folder, tls) as mock:
        process = subprocess.Popen(
            command(skep, folder, runs, mock.settings),
            stderr=subprocess.DEVNULL)
        time.sleep(2 + runs / 50)
        kb = resident_kb(process.pid)
        process.terminate()
        time.sleep(0.2)
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
    shutil.rmtree(folder / "state")
    (folder / "results.jsonl").unlink(missing_ok=True)
    return kb


def spread(values, digits=2):
    return {"min": round(min(values), digits),
            "median": round(statistics.median(values), digits),
            "max": round(max(values), digits)}


def main():
    o = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    o.add_argument("build", nargs="?", default=REPO / "build/release",
                   type=pathlib.Path)
    o.add_argument("-n", type=int, default=1000, help="runs")
    o.add_argument("-j", type=int, default=64, help="at a time")
    o.add_argument("--rounds", type=int, default=5)
    o.add_argument("--waiting", type=int, default=500,
                   help="runs that wait at once; 0: leave that out")
    o.add_argument("--json", action="store_true")
    o = o.parse_args()
    skep = (o.build / "skep").resolve()
    spawn = (o.build / "bench/bench_spawn").resolve()

    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-batch-"))
    try:
        write_batch(folder, o.n)
        ours, bare = [], []
        with Mock(skep, script(), folder) as mock:
            for _ in range(o.rounds):
                ours.append(one_batch(skep, folder, o.n, o.j, mock))
                bare.append(one_spawn(spawn, folder, o.n, o.j))
        result = {
            "name": "batch", "n": o.n, "calls": CALLS, "concurrency": o.j,
            "rounds": o.rounds,
            "rate_per_s": spread([o.n / r[0] for r in ours], 1),
            "cpu_ms_each": spread([r[1] * 1e3 / o.n for r in ours]),
            "loop_lag_p99_ms": spread([r[2] for r in ours]),
            "bare_rate_per_s": spread([o.n / w for w, _ in bare], 1),
            "bare_cpu_ms_each": spread([c * 1e3 / o.n for _, c in bare]),
            "cpu_ratio": spread([a[1] / b[1] for a, b in zip(ours, bare)]),
            "wall_ratio": spread([a[0] / b[0] for a, b in zip(ours, bare)]),
        }
        if o.waiting:
            for name, tls in (("plain", False), ("tls", True)):
                one = rss_waiting(skep, folder, 1, tls)
                many = rss_waiting(skep, folder, o.waiting, tls)
                result[f"engine_rss_kb_{name}"] = many
                result[f"waiting_run_kb_{name}"] = round(
                    (many - one) / (o.waiting - 1), 1)
            result["waiting"] = o.waiting
    finally:
        shutil.rmtree(folder)
    if o.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        if isinstance(value, dict):
            value = "  ".join(f"{k} {v}" for k, v in value.items())
        print(f"  {key:24} {value}")


if __name__ == "__main__":
    main()
