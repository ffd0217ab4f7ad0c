"""Control groups of version 2, in a machine of their own.

The host may have version 1 or nothing; tests/vm/uml.sh boots a user-mode
Linux that has version 2 only.  All cases run in one boot.
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import REPO, SKEP

UML = REPO / "tests/vm/uml.sh"
CASES = REPO / "tests/vm/cgroup2.sh"

pytestmark = [pytest.mark.root, pytest.mark.limit(400)]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """name -> (status, text) of every case."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    share = tmp_path_factory.mktemp("uml")
    for path in (share, *share.parents[:3]):
        path.chmod(path.stat().st_mode | 0o055)
    attack = pathlib.Path(os.environ.get(
        "ATTACK", REPO / "build/release/tests/attack")).resolve()
    # The machine's uid 1000 may not reach the repository.
    (share / "attack").mkdir()
    skep = shutil.copy(SKEP, share / "skep")
    bomb = shutil.copy(attack / "bomb", share / "attack/bomb")
    cases = shutil.copy(CASES, share / "cases.sh")
    r = subprocess.run([UML, share, cases, skep, bomb], text=True,
                       capture_output=True, timeout=390)
    out = (share / "out").read_text() if (share / "out").exists() else ""
    assert r.returncode == 0, (r, out)
    found = {}
    for line in out.splitlines():
        name, status, text = line.split("\t", 2)
        found[name] = int(status), text
    return found


def result(cases, name):
    status, text = cases[name]
    return status, json.loads(text)


def test_a_sandbox_is_in_a_group_of_version_2(cases):
    status, r = result(cases, "root-plain")
    assert status == 0 and r["sandbox"]["cgroup"] == "v2"
    assert result(cases, "root-delivery")[0] == 0


def test_memory_is_limited_and_named(cases):
    for name in ("root-oom", "scope-oom", "somebody-oom"):
        status, r = result(cases, name)
        assert r["sandbox"]["cgroup"] == "v2", (name, r)
        assert (status, r["verdict"]) == (125, "oom"), (name, r)


def test_a_full_tmpfs_is_a_full_disk_before_it_is_all_memory(cases):
    """Files in memory count as memory, so the disk limit stays below it."""
    _, r = result(cases, "root-tmpfs")
    assert r["verdict"] == "disk" and r["limits"] == ["disk"], r


def test_processes_are_limited_and_named(cases):
    for name in ("root-pids", "somebody-pids"):
        _, r = result(cases, name)
        assert "pids" in r["limits"], (name, r)
        if r["stdout"]:
            assert int(r["stdout"].split()[1]) < 20


def test_processor_time_is_throttled(cases):
    _, r = result(cases, "root-cpu")
    assert r["verdict"] == "exit"
    assert r["wall_seconds"] > 2 * r["cpu_seconds"]


def test_a_sandbox_sees_its_group_as_the_root(cases):
    _, r = result(cases, "root-sees")
    assert r["stdout"].strip() == "0::/"


def test_a_delegated_group_is_used_without_root(cases):
    status, r = result(cases, "somebody-delivery")
    assert (status, r["sandbox"]["cgroup"]) == (0, "v2"), r
    _, report = result(cases, "somebody-doctor")
    assert report["host"]["cgroup"] == "v2"
    assert report["host"]["root"] is False


def test_without_a_group_a_profile_that_needs_one_refuses(cases):
    status, r = result(cases, "foreign-draft")
    assert (status, r["sandbox"]["cgroup"]) == (0, "none"), r
    status, r = result(cases, "foreign-delivery")
    assert (status, r["verdict"]) == (125, "lost")
    assert "delegated" in r["error"]["message"]


def test_nothing_is_left(cases):
    for name in ("root-left", "scope-left", "somebody-left", "killed-left"):
        assert cases[name][1].strip() == "0", name
    assert int(cases["killed-before"][1]) > 0, "the control"
    assert cases["killed-processes"][1].strip() == "0"
