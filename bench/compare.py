#!/usr/bin/env python3
"""One sandboxed command, beside the tools people use for it.

Whichever of bubblewrap, nsjail, isolate, firejail, crun, runc, podman and
docker are installed (compare_tools.py) run a static `true`, two at a time, in
interleaved rounds, next to `skep exec`, to posix_spawn without any sandbox, and
to `skep bench lifecycle`: create a sandbox, run one command in it, remove it,
as a running engine does.  A second table has the same command in a sandbox that
lives already: `skep bench exec` and docker exec.  CPU is the whole machine's
(/proc/stat), as daemons and kernel workers do not show in a process's own
account: measure on an otherwise idle machine.

Each line gives the rate, CPU and p50 time of one, and the ratios to skep of
the same round: minimum, median, maximum.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from compare_tools import (LIVE_TOOLS, NAMED, TOOLS, docker_daemon,
                           groups_as_before, leave_hybrid)

ENGINE = "skep"  # the row that the ratios are to
REPO = pathlib.Path(__file__).resolve().parents[1]
TRUE_C = "int main(void) { return 0; }\n"
PAUSE_C = "#include <unistd.h>\nint main(void) { pause(); return 0; }\n"


def line(name, words, number):
    """The command line of one call."""
    unique = [f"compare-{os.getpid()}-{number}"] if name in NAMED else []
    return [str(w) for w in words] + unique


def works(name, words):
    """Does it run here at all?  Says why not on standard error."""
    reason = None
    try:
        done = subprocess.run(line(name, words, "first"), timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip()
            reason = reason.split("\n")[-1] or f"status {done.returncode}"
    except (OSError, subprocess.SubprocessError) as e:
        reason = e
    if reason is not None:
        print(f"compare: {name} left out: {reason}", file=sys.stderr)
    return reason is None


def machine_cpu_seconds():
    with open("/proc/stat") as f:
        fields = [int(x) for x in f.readline().split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def measure_engine(words, n, jobs):
    """skep reports the figures of measure() itself."""
    out = subprocess.run([*map(str, words), "-n", str(n), "-j", str(jobs),
                          "--json"], check=True, stdout=subprocess.PIPE)
    figures = json.loads(out.stdout)
    return {k: figures[k] for k in ("rate_per_s", "p50_ms", "cpu_ms_each")}


def measure(name, words, n, jobs):
    if name == ENGINE:
        return measure_engine(words, n, jobs)

    def one(number):
        unique = line(name, words, number)
        start = time.monotonic()
        pid = os.posix_spawn(shutil.which(unique[0]), unique, os.environ)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            raise RuntimeError(f"{name} ended with {status}")
        return time.monotonic() - start

    cpu, start = machine_cpu_seconds(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        times = list(pool.map(one, range(n)))
    wall = time.monotonic() - start
    time.sleep(0.2)  # kernel workers are still at it
    cpu = machine_cpu_seconds() - cpu
    return {"rate_per_s": n / wall, "p50_ms": statistics.median(times) * 1e3,
            "cpu_ms_each": cpu * 1e3 / n}


def summary(values, digits=2):
    return [round(f(values), digits) for f in (min, statistics.median, max)]


def choose(tools, work):
    """[(name, words, share of a round)] of those that work here."""
    chosen = []
    for name, program, words_of, share in tools:
        if not shutil.which(program):
            print(f"compare: {name} left out: no {program} here",
                  file=sys.stderr)
            continue
        try:
            words = words_of(work)
        except (OSError, subprocess.SubprocessError) as e:
            print(f"compare: {name} left out: {e}", file=sys.stderr)
            continue
        if works(name, words):
            chosen.append((name, words, share))
    return chosen


def compare(tools, o):
    """Interleaved rounds of all; {name: {figure: (min, median, max)}}."""
    rounds = [{name: measure(name, words, max(4, o.n // share), o.j)
               for name, words, share in tools} for _ in range(o.rounds)]
    report = {}
    for name, _, _ in tools:
        row = {key: summary([r[name][key] for r in rounds])
               for key in ("rate_per_s", "p50_ms", "cpu_ms_each")}
        row["rate_of_skep"] = summary(
            [r[ENGINE]["rate_per_s"] / r[name]["rate_per_s"] for r in rounds])
        row["cpu_of_skep"] = summary(
            [r[ENGINE]["cpu_ms_each"] / max(r[name]["cpu_ms_each"], 1e-9)
             for r in rounds])
        report[name] = row
    return report


def show(title, report):
    print(f"  {title:12} {'per second':>22} {'p50 ms':>20} {'CPU ms':>20}"
          f" {'skep/it rate':>20} {'skep/it CPU':>18}   (min med max)")
    for name, row in report.items():
        cells = [" ".join(f"{v:>6}" for v in values)
                 for values in row.values()]
        print(f"  {name:12} " + " ".join(cells))


def programs(work):
    work.chmod(0o755)
    (work / "space").mkdir()
    for name, text in (("true", TRUE_C), ("pause", PAUSE_C)):
        (work / f"{name}.c").write_text(text)
        subprocess.run(["cc", "-O2", "-static", "-o", work / name,
                        work / f"{name}.c"], check=True)


def main():
    o = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    o.add_argument("build", nargs="?", default=REPO / "build/release",
                   type=pathlib.Path)
    o.add_argument("-n", type=int, default=300, help="commands a round")
    o.add_argument("-j", type=int, default=2, help="at a time")
    o.add_argument("--rounds", type=int, default=5)
    o.add_argument("--json", action="store_true")
    o = o.parse_args()
    leave_hybrid()

    work = pathlib.Path(tempfile.mkdtemp(prefix="bench-compare-"))
    skep = (o.build / "skep").resolve()
    try:
        programs(work)
        ours = [(ENGINE, [skep, "bench", "lifecycle"], 1),
                ("skep exec", [skep, "exec", "--ro-bind",
                               f"{work / 'true'}:/true", "--", "/true"], 1),
                ("posix_spawn", [work / "true"], 1)]
        live = [(ENGINE, [skep, "bench", "exec"], 1)]
        with groups_as_before(), docker_daemon(work):
            report = compare(ours + choose(TOOLS, work), o)
            report_live = compare(live + choose(LIVE_TOOLS, work), o)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if o.json:
        print(json.dumps({"lifecycle": report, "live": report_live}))
        return
    show("", report)
    if len(report_live) > 1:
        show("a live one", report_live)


if __name__ == "__main__":
    main()
