"""What lies below a sandbox's root.

The root is moved over the tree that all sandboxes are forked from, which is
covered and not detached.  Only who may unmount in the namespace that owns the
mounts can take the root off: that is shown by a copy of the same arrangement,
in which every attack runs with all capabilities, first there and then in a
user namespace below.  Inside a sandbox there is neither.
"""

import subprocess

import pytest

from test_escape import PROFILES, WHO, Cage

MARK = "tree"  # a folder of the covered tree that no sandbox has


@pytest.fixture(params=WHO)
def cage(request, skep, attack):
    return Cage(skep, request.param, attack("below").parent)


def ways(program):
    return subprocess.run([program], text=True, capture_output=True,
                          check=True).stdout.split()


@pytest.mark.root
def test_only_the_owner_of_the_mounts_gets_below(attack):
    program = attack("below")
    reached = {userns: [way for way in ways(program) if subprocess.run(
        [program, "stage", userns, program, way, "MARK"],
        stdout=subprocess.DEVNULL).returncode == 0] for userns in "01"}
    assert reached == {"0": ["uncover"], "1": []}


@pytest.mark.parametrize("profile", [*PROFILES, "bare"])
@pytest.mark.parametrize("root", ["host", "built", "folder"])
def test_no_way_leads_below(cage, attack, place, profile, root):
    options = ["--profile", profile]
    if root == "built":
        (place / "src").mkdir()
        options += ["--ro-bind", f"{place}/src:/opt/src"]
    if root == "folder":
        for name in ("usr", "bin", "lib", "lib64", "etc"):
            (place / "root" / name).mkdir(parents=True)
        options += ["--rootfs", f"dir:{place}/root"]
    r = cage.run(*options, "--", "/attack/below", "dotdot", "attack")
    if r.returncode == 125 and cage.who != "root":
        assert "control groups" in r.stderr  # it refuses, and does not run
        return
    assert r.returncode == 0, "what is there is found: the mark is looked for"
    for way in ways(attack("below")):
        r = cage.run(*options, "--", "/attack/below", way, MARK)
        assert r.returncode == 1 and "not found" in r.stdout, (way, r)
