"""Bombs: each stops at its own limit, is named, and disturbs nobody."""

import json
import os
import subprocess
import time

import pytest

from test_escape import ROOT, WHO, Cage, workspace

HAS_CGROUPS = ROOT


@pytest.fixture(params=WHO)
def cage(request, skep, attack):
    return Cage(skep, request.param, attack("bomb").parent)


def judge(cage, *args, bomb, hold="0"):
    """The object that --json gives for a bomb."""
    r = cage.run("--json", *args, "--", "/attack/bomb", *bomb.split(), hold)
    result = json.loads(r.stdout)
    assert r.stdout.count("\n") == 1
    return r.returncode, result


def limited_by_groups(cage):
    return cage.who == "root"


@pytest.mark.parametrize("bomb", ["forks", "threads"])
def test_processes_and_threads(cage, bomb):
    status, r = judge(cage, "--pids", "50", bomb=bomb)
    if bomb == "threads" or r["stdout"]:
        assert 0 < int(r["stdout"].split()[1]) <= 50, r
    if limited_by_groups(cage):
        assert r["verdict"] == "pids" and "pids" in r["limits"], r


def test_a_fork_bomb_that_does_not_stop_is_stopped(cage):
    r = cage.sh("f() { f | f & }; f; sleep 60", "--pids", "60", "--timeout",
                "1s", "--grace", "200ms", "--json")
    result = json.loads(r.stdout)
    assert r.returncode == 124 and result["verdict"] == "timeout", r
    if limited_by_groups(cage):
        assert set(result["limits"]) == {"pids", "timeout"}


def test_memory(cage):
    status, r = judge(cage, "--mem", "64M", bomb="memory")
    if limited_by_groups(cage):
        assert status == 125 and r["verdict"] == "oom", r
        assert r["limits"] == ["oom"] and r["stdout"] == ""
    else:  # an address space limit: the program is told
        assert int(r["stdout"].split()[1]) <= 64, r


def test_memory_of_many(cage):
    """Each is small, together they are not."""
    if not limited_by_groups(cage):
        pytest.skip("needs control groups")
    r = cage.sh("for i in 1 2 3 4 5 6 7 8; do "
                "head -c 20m /dev/zero | tail & done; wait", "--mem", "64M",
                "--json")
    assert "oom" in json.loads(r.stdout)["limits"], r


@pytest.mark.parametrize("bomb", ["tmp", "shm", "disk", "reserve"])
def test_bytes_on_disk(cage, bomb):
    status, r = judge(cage, "--disk", "8M", bomb=bomb)
    assert r["verdict"] == "disk" and r["limits"] == ["disk"], r
    assert int(r["stdout"].split()[1]) <= 8, r
    assert status == 0


def test_inodes(cage):
    status, r = judge(cage, "--inodes", "500", bomb="inodes")
    assert r["verdict"] == "disk" and status == 0, r
    assert int(r["stdout"].split()[1]) <= 500


@pytest.mark.parametrize("bomb", ["disk", "reserve", "inodes"])
def test_a_folder_of_the_caller_is_watched(cage, place, bomb):
    folder = workspace(cage, place)
    (folder / "old").write_bytes(b"x" * (20 << 20))  # not charged
    status, r = judge(cage, "--workspace", folder, "--disk", "8M", "--inodes",
                      "2000", "--timeout", "30s", bomb=bomb, hold="20")
    assert r["verdict"] == "disk", r
    assert status in (137, 153)  # KILL, or XFSZ when one file did it


@pytest.mark.parametrize("hide", [
    "for i in $(seq 140); do mkdir d; cd -P d; done",
    "mkdir d; cd -P d; chmod 300 ."], ids=["deep", "unreadable"])
def test_nothing_is_hidden_from_the_watch(cage, place, hide):
    folder = workspace(cage, place)
    r = cage.sh(f"{hide}; head -c 40m /dev/zero > x; sleep 20", "--workspace",
                folder, "--disk", "8M", "--timeout", "30s", "--json")
    assert json.loads(r.stdout)["verdict"] == "disk", r
    assert cage.sh(f"{hide}", "--workspace", folder, "--disk", "8M",
                   "--chdir", "/tmp").returncode == 0  # no harm in itself


def test_a_single_file(cage):
    r = cage.sh("ulimit -f; head -c 300m /dev/zero > f", "--json")
    result = json.loads(r.stdout)
    assert result["verdict"] == "disk", result


def test_descriptors(cage):
    status, r = judge(cage, "--files", "64", bomb="descriptors")
    assert status == 0 and int(r["stdout"].split()[1]) <= 64, r


@pytest.mark.parametrize("bomb", ["pipes", "sockets", "segments",
                                  "memory_files", "watches"])
def test_what_the_kernel_keeps_for_it_is_its_memory(cage, bomb):
    if not limited_by_groups(cage):
        pytest.skip("needs control groups")
    status, r = judge(cage, "--mem", "64M", bomb=bomb)
    assert status == 125 and r["verdict"] == "oom", r


def test_watchers(cage):
    """A user has 128 of them, and without root all are one user."""
    bombs = [subprocess.Popen(
        cage.words("--json", "--", "/attack/bomb", "watchers", "2"),
        env=cage.skep.env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)]
    time.sleep(1)
    r = cage.sh("/attack/bomb watchers")
    host = subprocess.run([*cage.prefix, cage.folder / "bomb", "watchers"],
                          text=True, capture_output=True)
    for p in bombs:
        assert p.wait(20) == 0
        p.stdout.close()
    assert int(r.stdout.split()[1]) >= 8, r
    assert int(host.stdout.split()[1]) >= 8, host


def test_terminals(cage):
    """The host has a few thousand in all, and others want some."""
    status, r = judge(cage, bomb="terminals")
    assert status == 0 and 32 <= int(r["stdout"].split()[1]) <= 128, r


def test_output(cage):
    status, r = judge(cage, "--output", "100K", bomb="output")
    assert status == 125 and r["verdict"] == "output", r
    assert r["truncated"] is True
    assert len(r["stdout"]) <= 100 * 1024
    assert r["stdout_bytes"] >= 100 * 1024


def test_output_that_is_only_streamed_has_no_cap(cage):
    r = cage.sh("head -c 3000000 /dev/zero")
    assert r.returncode == 0 and len(r.stdout) == 3000000


def test_kept_output_is_head_and_tail(cage):
    r = cage.sh("echo first; head -c 3000000 /dev/zero | tr '\\0' x; "
                "echo last", "--json")
    result = json.loads(r.stdout)
    assert result["verdict"] == "exit" and result["truncated"] is True
    assert result["stdout"].startswith("first\nxxx")
    assert result["stdout"].endswith("xxxlast\n")
    assert result["stdout_bytes"] == 3000000 + 11


def test_processor_time(cage):
    status, r = judge(cage, "--timeout", "500ms", "--grace", "100ms",
                      bomb="cpu")
    assert status == 124 and r["verdict"] == "timeout", r


def test_what_does_not_obey_ends_anyway(cage):
    status, r = judge(cage, "--timeout", "300ms", "--grace", "200ms",
                      bomb="stubborn")
    assert status == 124 and r["verdict"] == "timeout", r


@pytest.mark.parametrize("script", [
    "kill -STOP $$; sleep 60",
    "setsid sleep 60 & sleep 60",
    "(sleep 60 >&2 &) ; trap '' TERM INT HUP; while :; do sleep 1; done",
    "exec 2>&1; sleep 60 & kill -STOP $!; wait",
])
def test_every_way_to_hang_ends_by_the_deadline(cage, script):
    r = cage.sh(script, "--timeout", "300ms", "--grace", "200ms")
    assert r.returncode == 124, r


def test_a_grandchild_that_keeps_the_pipe_is_not_waited_for(cage):
    r = cage.sh("sleep 60 & echo done", "--json")
    result = json.loads(r.stdout)
    assert r.returncode == 0 and result["stdout"] == "done\n"


@pytest.mark.root
@pytest.mark.parametrize("profile", ["delivery", "privileged", "bare"])
@pytest.mark.parametrize("bomb, verdict", [
    ("forks", "pids"), ("threads", "pids"), ("memory", "oom"),
    ("segments", "oom"), ("memory_files", "oom"), ("disk", "disk"),
    ("inodes", "disk"), ("tmp", "disk"), ("shm", "disk"),
    ("output", "output"), ("cpu", "timeout"), ("stubborn", "timeout")])
def test_limits_are_limits_in_every_profile(skep, attack, profile, bomb,
                                            verdict):
    cage = Cage(skep, "root", attack("bomb").parent)
    status, r = judge(cage, "--profile", profile, "--mem", "48M", "--pids",
                      "40", "--disk", "8M", "--inodes", "300", "--output",
                      "100K", "--timeout", "2s", "--grace", "100ms", bomb=bomb)
    assert verdict in r["limits"], r
    # The first limit that was met may have ended it before this one.
    assert r["verdict"] in (verdict, "oom", "disk", "timeout"), r
    assert status != 0 or verdict in ("pids", "disk")


@pytest.mark.limit(300)
@pytest.mark.parametrize("bomb", ["forks", "memory", "cpu", "disk", "output",
                                  "descriptors", "watches", "terminals"])
def test_fifty_neighbours_do_not_notice(cage, bomb):
    work = ("i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo $i >> n; "
            "sleep 0.02; done; wc -l < n; cat n | md5sum; "
            "script -qec 'echo shown' /dev/null")
    control = subprocess.run(["sh", "-c", "seq 40 | md5sum"], text=True,
                             capture_output=True).stdout
    expected = f"40\n{control}shown\n"
    options = {"env": cage.skep.env, "stdout": subprocess.PIPE, "text": True,
               "stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    bombs = [subprocess.Popen(
        cage.words("--timeout", "4s", "--grace", "100ms", "--mem", "64M",
                   "--pids", "64", "--disk", "16M", "--json", "--",
                   "/attack/bomb", bomb, "3"), **options) for _ in range(3)]
    neighbours = [subprocess.Popen(
        cage.words("--pids", "64", "--", "sh", "-c", work), **options)
        for _ in range(50)]
    for p in neighbours:
        out, err = p.communicate(timeout=120)
        assert (p.returncode, out) == (0, expected), err
    for p in bombs:
        out, err = p.communicate(timeout=60)
        result = json.loads(out)
        if limited_by_groups(cage) and bomb == "memory":
            assert result["verdict"] == "oom"
        if limited_by_groups(cage) and bomb == "forks":
            assert "pids" in result["limits"]


def test_the_engine_is_not_the_one_that_is_killed_for_memory(cage):
    """Ten at once run out of memory; every one of them is reported."""
    if not limited_by_groups(cage):
        pytest.skip("needs control groups")
    many = [subprocess.Popen(
        cage.words("--mem", "32M", "--json", "--", "/attack/bomb", "memory"),
        env=cage.skep.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True) for _ in range(10)]
    for p in many:
        out, _ = p.communicate(timeout=60)
        assert json.loads(out)["verdict"] == "oom"
        assert p.returncode == 125


def test_a_sandbox_goes_before_the_engine_when_the_host_is_full(cage):
    """As the kernel's OOM killer will judge them."""
    p = subprocess.Popen(cage.words("--", "sh", "-c", "cat /proc/self/"
                                    "oom_score_adj; sleep 60"),
                         env=cage.skep.env, stdout=subprocess.PIPE, text=True)
    inside = int(p.stdout.readline())
    engine = int(open(f"/proc/{p.pid}/oom_score_adj").read())
    p.terminate()
    p.wait()
    p.stdout.close()
    assert inside >= 500 > engine
    r = cage.sh("echo -1000 > /proc/self/oom_score_adj; "
                "cat /proc/self/oom_score_adj")
    assert int(r.stdout) == inside
