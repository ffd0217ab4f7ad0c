"""Which limit a command met, also where the kernel counts no refusal."""

import json
import os
import subprocess

import pytest

FILL = "head -c 200M /dev/zero > {0}/x; rm {0}/x; exit 0"


def verdict(skep, *words, status=None):
    done = skep.run("exec", "--json", *words)
    result = json.loads(done.out)
    if status is not None:
        assert done.status == status, result
    return result["verdict"], result["limits"]


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm", "/workspace"])
def test_what_was_full_is_told_though_it_is_empty_again(skep, folder):
    fill = FILL.format(folder) + "; sleep 0.05"
    said = verdict(skep, "--disk", "100M", "--", "sh", "-c", fill, status=0)
    assert said == ("disk", ["disk"])


def test_what_was_nearly_full_is_nothing_to_tell(skep):
    line = "head -c 70M /dev/zero > /tmp/x; sleep 0.3; rm /tmp/x"
    said = verdict(skep, "--disk", "100M", "--", "sh", "-c", line, status=0)
    assert said == ("exit", [])


def test_a_refused_fork_is_told_with_and_without_groups(skep):
    line = "for i in $(seq 40); do sleep 2 & done; wait"
    assert verdict(skep, "--pids", "20", "--", "sh", "-c", line) == (
        "pids", ["pids"])
    line = "for i in $(seq 5); do sleep 0.1 & done; wait; echo done"
    assert verdict(skep, "--pids", "20", "--", "sh", "-c", line) == (
        "exit", [])


def test_files_beyond_memory_are_a_full_disk(skep):
    line = "head -c 300M /dev/zero > /tmp/x; echo $?"
    said = verdict(skep, "--profile", "bare", "--mem", "128M", "--disk", "1G",
                   "--", "sh", "-c", line, status=0)
    if json.loads(skep.run("doctor", "--json").out)["host"]["cgroup"] == \
            "none":
        pytest.skip("no control group charges files to memory")
    assert said == ("disk", ["disk"])
    hungry = "x = b'y' * (300 << 20)"
    said = verdict(skep, "--profile", "bare", "--mem", "128M", "--disk", "1G",
                   "--", "python3", "-c", hungry)
    assert said == ("oom", ["oom"])


NAMELESS = """
import mmap, os, socket, sys, time
f = os.open("x", os.O_RDWR | os.O_CREAT)
os.unlink("x")
size = 0
if sys.argv[1] == "map":
    os.ftruncate(f, 64 << 20)
    m = mmap.mmap(f, 64 << 20)
    os.close(f)
    for i in range(0, 64 << 20, 4096):
        m[i] = 1
        if i % (4 << 20) == 0: time.sleep(0.05)
elif sys.argv[1] == "reserve":
    os.posix_fallocate(f, 0, 64 << 20)
else:
    for i in range(64):
        os.write(f, b"x" * (1 << 20))
        time.sleep(0.02)
time.sleep(20)
"""


@pytest.fixture
def folder(skep):
    path = skep.home / "folder"
    path.mkdir()
    return path


@pytest.mark.parametrize("way", ["write", "map", "reserve"])
def test_deleted_files_that_are_open_count(skep, folder, way):
    said = verdict(skep, "--workspace", folder, "--disk", "8M", "--timeout",
                   "15s", "--", "python3", "-c", NAMELESS, way)
    assert said[0] == "disk"
    assert os.listdir(folder) == []


def test_open_files_elsewhere_do_not_count(skep, folder):
    elsewhere = NAMELESS.replace('"x"', '"/tmp/x"').replace(
        "time.sleep(20)", "time.sleep(0.2)")
    said = verdict(skep, "--workspace", folder, "--disk", "80M", "--timeout",
                   "15s", "--", "python3", "-c", elsewhere, "reserve",
                   status=0)
    assert said == ("exit", [])


def test_a_fast_writer_does_not_come_far(skep, folder):
    said = verdict(skep, "--workspace", folder, "--disk", "100M", "--timeout",
                   "30s", "--", "sh", "-c",
                   "for i in 1 2 3 4 5 6 7 8 9 10; do "
                   "head -c 200m /dev/zero > f$i; done")
    assert said[0] == "disk"
    used = sum(f.stat().st_blocks * 512 for f in folder.iterdir())
    assert used < 200 << 20
