"""Protected paths that do not exist in the caller's folder.

Empty stand-ins are made for them while a sandbox runs.  Nothing of them is
left, and nobody who shares the folder takes them from somebody else.
"""

import os
import pathlib
import signal
import subprocess

import pytest

from test_escape import WHO, Cage, workspace

EVIL = ("mkdir -p .git/hooks .skep; echo x > .git/hooks/pre-commit; "
        "echo x > .skep/x; ls -A .git/hooks .skep")
NOTHING = ".git/hooks:\n\n.skep:\n"


@pytest.fixture(params=WHO)
def cage(request, skep, attack):
    return Cage(skep, request.param, attack("escape").parent)


def start(cage, folder, script, *options):
    p = subprocess.Popen(
        cage.words("--workspace", folder, *options, "--", "sh", "-c",
                   "echo up; read line; " + script), env=cage.skep.env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "up\n"
    return p


def finish(p):
    out, _ = p.communicate("go\n", timeout=30)
    assert p.returncode is not None
    return out


def children(pid):
    return [int(c) for c in pathlib.Path(
        f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_who_ends_first_does_not_take_the_protection_of_others(cage, place):
    folder = workspace(cage, place)
    first = start(cage, folder, "true")
    second = start(cage, folder, EVIL)
    third = start(cage, folder, EVIL)
    finish(first)
    assert finish(second) == NOTHING
    assert finish(third) == NOTHING
    assert os.listdir(folder) == []


def test_binds_below_a_shared_folder_stay_too(cage, place):
    folder = workspace(cage, place)
    (place / "src").mkdir()
    (place / "src/file").write_text("of the host\n")
    bind = ("--ro-bind", f"{place}/src:/workspace/in/to",
            "--ro-bind", f"{place}/src/file:/workspace/single")
    first = start(cage, folder, "true", *bind)
    second = start(cage, folder, "cat in/to/file single", *bind)
    finish(first)
    assert finish(second) == "of the host\n" * 2
    assert os.listdir(folder) == []


def test_many_at_once_leave_nothing_and_lose_nothing(cage, place):
    folder = workspace(cage, place)
    words = cage.words("--workspace", folder, "--", "sh", "-c", EVIL)
    for _ in range(5):
        many = [subprocess.Popen(words, env=cage.skep.env, text=True,
                                 stdin=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE) for _ in range(8)]
        for p in many:
            assert p.communicate(timeout=30)[0] == NOTHING
        assert os.listdir(folder) == []


def test_a_killed_zygote_leaves_no_folders(cage, place):
    folder = workspace(cage, place)
    p = start(cage, folder, "true")
    assert sorted(os.listdir(folder)) == [".git", ".skep"], "the control"
    for pid in children(p.pid):
        os.kill(pid, signal.SIGKILL)
    assert p.wait(30) == 125
    p.communicate()
    assert os.listdir(folder) == []


def test_what_was_left_goes_with_the_next(cage, place):
    """Zygote and engine were both killed: nobody was there to tidy up."""
    folder = workspace(cage, place)
    p = start(cage, folder, "true")
    zygotes = children(p.pid)
    os.kill(p.pid, signal.SIGSTOP)
    for pid in zygotes:
        os.kill(pid, signal.SIGKILL)
    os.kill(p.pid, signal.SIGKILL)
    p.wait()
    p.stdin.close()
    p.stdout.close()
    assert sorted(os.listdir(folder)) == [".git", ".skep"], "the control"
    r = cage.sh(EVIL, "--workspace", folder)
    assert r.stdout == NOTHING
    assert os.listdir(folder) == []


def test_folders_of_the_caller_are_not_taken_for_stand_ins(cage, place):
    folder = workspace(cage, place)
    (folder / ".git/hooks").mkdir(parents=True)
    (folder / ".skep").mkdir()
    if cage.who == "uid1000":
        subprocess.run(["chown", "-R", "1000:1000", folder], check=True)
    assert cage.sh("true", "--workspace", folder).returncode == 0
    assert sorted(os.listdir(folder)) == [".git", ".skep"]
    assert os.listdir(folder / ".git") == ["hooks"]
    # What was left and is used meanwhile is the caller's.
    (folder / ".skep").chmod(0o1755)
    (folder / ".skep/kept").write_text("kept")
    assert cage.sh("true", "--workspace", folder).returncode == 0
    assert (folder / ".skep/kept").read_text() == "kept"
