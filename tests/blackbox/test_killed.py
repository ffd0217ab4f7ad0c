"""The engine, the zygote or both are killed or stopped, with many alive.

Whoever dies, no sandbox outlives them by more than two seconds, and what the
kernel keeps for the dead, control groups, goes with the next start.
"""

import os
import pathlib
import signal
import subprocess
import time

import pytest

import leaks as leaks_module
from conftest import wait_until
from test_escape import ROOT, SOMEBODY, WHO, Cage, workspace

MANY = 512
FEW = 64  # without root: they count as one user's processes


@pytest.fixture(params=WHO)
def cage(request, skep, attack):
    return Cage(skep, request.param, attack("escape").parent)


def comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def below(pid):
    """All below it; they may come and go meanwhile."""
    return sorted(q for q, _ in leaks_module.descendants(pid))


def is_gone(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] in "ZX"


def hold(cage, n):
    """An engine with n sandboxes alive: it, and all below it."""
    words = [*cage.prefix, *cage.skep.words(
        ["bench", "hold", "-n", n, "--profile", "bare", "--seconds", "100"])]
    p = subprocess.Popen(words, env=cage.skep.env, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         cwd=cage.skep.home)

    def inits():
        return [q for q in below(p.pid) if comm(q) == "skep-init"]

    assert wait_until(lambda: len(inits()) >= n, 60)
    return p, below(p.pid)


def groups():
    if not ROOT:
        return set()
    # Others' come and go meanwhile, which os.walk() does not mind.
    return {os.path.join(top, name) for top, names, _ in
            os.walk("/sys/fs/cgroup") for name in names
            if name.startswith("skep-")}


@pytest.mark.limit(180)
@pytest.mark.parametrize("how", ["engine", "both", "zygote", "term"])
def test_nothing_outlives_the_dead(cage, leaks, how):
    n = MANY if cage.who == "root" else FEW
    before = groups()
    p, family = hold(cage, n)
    zygote = next(q for q in family if comm(q) == "skep-zygote")
    assert len(family) > n, "the control"
    if how in ("both", "zygote"):
        os.kill(p.pid, signal.SIGSTOP)
        os.kill(zygote, signal.SIGKILL)
    if how in ("both", "engine"):
        os.kill(p.pid, signal.SIGKILL)
    if how == "zygote":
        os.kill(p.pid, signal.SIGCONT)
    if how == "term":
        p.terminate()
    assert wait_until(lambda: all(is_gone(q) for q in family), 2)
    assert p.wait(20) != 0
    # The dead's groups: the next start removes them, and harms nobody else's.
    left = {g for g in groups() - before if f"skep-{p.pid}-" in g}
    assert left or not ROOT or how not in ("engine", "both") or \
        cage.who != "root", "the control"
    assert subprocess.run(cage.words("--", "true"),
                          env=cage.skep.env).returncode == 0
    assert not any(os.path.exists(g) for g in left)
    assert leaks.settle() == []


def holdings(pid):
    """What a process has of what could leak: descriptors and memory."""
    try:
        words = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
        return len(os.listdir(f"/proc/{pid}/fd")), int(words[1])
    except OSError:
        return 0, 0


@pytest.mark.limit(180)
def test_thousands_of_lives_leave_an_engine_as_it_was(cage):
    """Sampled while it works: the second half needs no more than the first."""
    if cage.who == "uid1000":
        pytest.skip("uid 1000 may not look into its own skep started by root")
    p = cage.skep.start("bench", "lifecycle", "-n", 6000, "-j", 4, "--json")
    samples = []
    while p.poll() is None:
        zygotes = [q for q in below(p.pid) if comm(q) == "skep-zygote"]
        if zygotes:
            samples.append((*holdings(p.pid), *holdings(zygotes[0])))
        time.sleep(0.1)
    assert p.returncode == 0
    half = samples[2:len(samples) // 2], samples[len(samples) // 2:-2]
    assert len(half[0]) >= 3, "too fast to be sampled"
    # The stock goes up and down; what leaks only goes up.
    for i, name in enumerate(("the engine's descriptors", "its pages",
                              "the zygote's descriptors", "its pages")):
        assert min(s[i] for s in half[1]) <= 16 + max(s[i] for s in half[0]), \
            (name, samples)


def test_a_stopped_zygote_does_not_keep_us(cage, place, leaks):
    folder = workspace(cage, place)
    p = subprocess.Popen(
        cage.words("--workspace", folder, "--", "sh", "-c", "echo up; cat"),
        env=cage.skep.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True)
    assert p.stdout.readline() == "up\n"
    family = below(p.pid)
    os.kill(next(q for q in family if comm(q) == "skep-zygote"),
            signal.SIGSTOP)
    start = time.monotonic()
    p.terminate()
    assert p.wait(20) == 128 + signal.SIGTERM
    assert time.monotonic() - start < 10
    p.communicate()
    assert all(is_gone(q) for q in family)
    assert os.listdir(folder) == []
    assert leaks.settle() == []


@pytest.mark.parametrize("stop", [signal.SIGSTOP, signal.SIGKILL])
def test_pid_1_stopped_or_killed_under_a_deadline(cage, stop):
    p = subprocess.Popen(
        cage.words("--timeout", "1s", "--grace", "200ms", "--", "sh", "-c",
                   "echo up; sleep 60; true"), env=cage.skep.env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert p.stdout.readline() == "up\n"
    init = next(q for q in [*below(p.pid)] if comm(q) == "skep-init")
    os.kill(init, stop)
    start = time.monotonic()
    _, err = p.communicate(timeout=20)
    assert p.returncode == (124 if stop == signal.SIGSTOP else 125), err
    assert time.monotonic() - start < 10


@pytest.mark.root
def test_the_next_start_spares_the_living(skep, attack):
    """An engine with live sandboxes is not swept by another's start."""
    cage = Cage(skep, "root", attack("escape").parent)
    p = subprocess.Popen(
        cage.words("--", "sh", "-c", "echo up; read line; echo still"),
        env=skep.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "up\n"
    for _ in range(20):
        assert cage.run("--", "true").returncode == 0
    out, _ = p.communicate("go\n", timeout=20)
    assert (p.returncode, out) == (0, "still\n")


def test_the_helpers_are_what_they_say():
    assert comm(os.getpid()) and is_gone(2 ** 30) and not is_gone(os.getpid())
    assert SOMEBODY[0] == "setpriv"
