#!/usr/bin/env python3
"""One sandboxed command, beside the tools people use for it.

Whichever of bubblewrap, nsjail, isolate, crun and docker are installed run a
static `true`, two at a time, in interleaved rounds, next to `skep exec`, to
posix_spawn without any sandbox, and to `skep bench lifecycle`: create a
sandbox, run one command in it, remove it, as a running engine does.  CPU is the whole machine's (/proc/stat), as
daemons and kernel workers do not show in a process's own account: measure on
an otherwise idle machine.

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

ENGINE = "skep"  # the row that the ratios are to
REPO = pathlib.Path(__file__).resolve().parents[1]
TRUE_C = "int main(void) { return 0; }\n"
MOUNTS = ["/usr", "/bin", "/lib", "/lib64"]


def mounts(option):
    """The read-only system folders, as this tool wants them said."""
    return [word for m in MOUNTS if os.path.exists(m)
            for word in option(m)]


def bubblewrap(work):
    return ["bwrap", "--unshare-all", "--die-with-parent", "--proc", "/proc",
            "--dev", "/dev", "--tmpfs", "/tmp", "--bind", work / "space",
            "/workspace", "--chdir", "/workspace",
            *mounts(lambda m: ["--ro-bind", m, m]),
            "--ro-bind", work / "true", "/true", "/true"]


def nsjail(work):
    return ["nsjail", "-Mo", "-Q", "--user", "99999", "--group", "99999",
            "--bindmount", f"{work / 'space'}:/workspace",
            "--tmpfsmount", "/tmp", "--cwd", "/workspace",
            *mounts(lambda m: ["--bindmount_ro", m]),
            "--bindmount_ro", f"{work / 'true'}:/true", "--", "/true"]


def isolate(work):
    return ["isolate", "--run", f"--dir=/opt={work}", "--silent", "--",
            "/opt/true"]


def crun(work):
    """A bundle with the same mounts; its own state folder."""
    bundle = work / "bundle"
    root = bundle / "rootfs"
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(work / "true", root / "true")
    subprocess.run(["crun", "spec"], cwd=bundle, check=False,
                   stdout=subprocess.DEVNULL)
    spec = json.loads((bundle / "config.json").read_text())
    spec["process"]["terminal"] = False
    spec["process"]["args"] = ["/true"]
    spec["root"] = {"path": "rootfs", "readonly": True}
    (bundle / "config.json").write_text(json.dumps(spec))
    return ["crun", "--root", work / "crun", "run", "--bundle", bundle]


def docker(work):
    (work / "Dockerfile").write_text("FROM scratch\nCOPY true /true\n")
    subprocess.run(["docker", "build", "-q", "-t", "skep-compare", work],
                   check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return ["docker", "run", "--rm", "--network", "none", "skep-compare",
            "/true"]


# name, program that must be installed, command line
TOOLS = [
    ("bubblewrap", "bwrap", bubblewrap),
    ("nsjail", "nsjail", nsjail),
    ("isolate", "isolate", isolate),
    ("crun", "crun", crun),
    ("docker", "docker", docker),
]


def works(name, words):
    """Does it run here at all?  Says why not on standard error."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except (OSError, subprocess.TimeoutExpired) as e:
        print(f"compare: {name} left out: {e}", file=sys.stderr)
        return False
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        print(f"compare: {name} left out: {reason}", file=sys.stderr)
    return done.returncode == 0


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
    words = [str(w) for w in words]

    def one(number):
        unique = words
        if name == "crun":
            unique = words + [f"compare-{os.getpid()}-{number}"]
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


def main():
    o = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    o.add_argument("build", nargs="?", default=REPO / "build/release",
                   type=pathlib.Path)
    o.add_argument("-n", type=int, default=300, help="commands a round")
    o.add_argument("-j", type=int, default=2, help="at a time")
    o.add_argument("--rounds", type=int, default=5)
    o.add_argument("--json", action="store_true")
    o = o.parse_args()

    work = pathlib.Path(tempfile.mkdtemp(prefix="bench-compare-"))
    work.chmod(0o755)
    (work / "space").mkdir()
    (work / "true.c").write_text(TRUE_C)
    subprocess.run(["cc", "-O2", "-static", "-o", work / "true",
                    work / "true.c"], check=True)
    skep = [(o.build / "skep").resolve(), "exec", "--ro-bind",
            f"{work / 'true'}:/true", "--", "/true"]
    tools = [(ENGINE, [skep[0], "bench", "lifecycle"]), ("skep exec", skep),
             ("posix_spawn", [work / "true"])]
    try:
        for name, program, line in TOOLS:
            if shutil.which(program):
                try:
                    words = line(work)
                except (OSError, subprocess.CalledProcessError) as e:
                    print(f"compare: {name} left out: {e}", file=sys.stderr)
                    continue
                tools.append((name, words))
        tools = [t for t in tools if works(*t)]
        rounds = [{name: measure(name, words, o.n if name != "docker" else
                                 max(4, o.n // 30), o.j)
                   for name, words in tools} for _ in range(o.rounds)]
    finally:
        shutil.rmtree(work)

    report = {}
    for name, _ in tools:
        row = {key: summary([r[name][key] for r in rounds])
               for key in ("rate_per_s", "p50_ms", "cpu_ms_each")}
        if ENGINE in rounds[0]:
            row["rate_of_skep"] = summary(
                [r[ENGINE]["rate_per_s"] / r[name]["rate_per_s"]
                 for r in rounds])
            row["cpu_of_skep"] = summary(
                [r[ENGINE]["cpu_ms_each"] / max(
                    r[name]["cpu_ms_each"], 1e-9) for r in rounds])
        report[name] = row
    if o.json:
        print(json.dumps(report))
        return
    print(f"  {'':12} {'per second':>22} {'p50 ms':>20} {'CPU ms':>20}"
          f" {'skep/it rate':>20} {'skep/it CPU':>18}   (min med max)")
    for name, row in report.items():
        cells = [" ".join(f"{v:>6}" for v in values)
                 for values in row.values()]
        print(f"  {name:12} " + " ".join(cells))


if __name__ == "__main__":
    main()
