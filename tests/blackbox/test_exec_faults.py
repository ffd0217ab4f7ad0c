"""Every system call of a sandbox's making fails once.

tests/attack/fail.c makes the n-th call of a kind fail, counted over engine,
zygote and init, for every n until it is not reached any more.  Whatever fails:
there is an answer, soon; it is 125 and names the step, the command did not run
outside of what was promised, and nothing is left.
"""

import errno
import json
import os
import shutil
import subprocess

import pytest

from test_escape import SOMEBODY, WHO, reachable, workspace

CALLS = {
    "capset": "EPERM", "chdir": "EACCES", "chroot": "EPERM", "clone": "EAGAIN",
    "clone3": "EAGAIN", "close_range": "EINVAL", "dup2": "EMFILE",
    "dup3": "EMFILE", "epoll_create1": "EMFILE", "eventfd2": "EMFILE",
    "execve": "ENOMEM", "fchdir": "EACCES", "fchown": "EPERM",
    "fchownat": "EPERM", "fcntl": "EMFILE", "flock": "ENOLCK",
    "fstat": "EIO", "getdents64": "EIO", "ioctl": "EIO",
    "landlock_create_ruleset": "ENOMEM", "landlock_restrict_self": "E2BIG",
    "lgetxattr": "EIO", "mkdirat": "ENOSPC", "mknodat": "EPERM",
    "mmap": "ENOMEM", "mount": "ENOSPC", "mount_setattr": "EPERM",
    "move_mount": "EINVAL", "newfstatat": "EIO", "open_tree": "EMFILE",
    "openat": "EMFILE", "openat2": "EMFILE", "pidfd_open": "EMFILE",
    "pipe2": "EMFILE", "pivot_root": "EINVAL", "prctl": "EPERM",
    "prlimit64": "EPERM", "readlinkat": "EIO", "recvmsg": "ENOMEM",
    "seccomp": "ENOMEM", "sendfile": "EIO", "sendmsg": "ENOBUFS",
    "sethostname": "EPERM", "setgroups": "EPERM", "setns": "EPERM",
    "setresgid": "EPERM", "setresuid": "EAGAIN", "setsid": "EPERM",
    "setsockopt": "ENOMEM", "socketpair": "EMFILE", "statfs": "EIO",
    "symlinkat": "ENOSPC", "umount2": "EBUSY", "unlinkat": "EIO",
    "unshare": "ENOSPC", "write": "ENOSPC",
}
TOO_MANY = 150
SCRIPT = ("grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; id -u; "
          "ls /proc | grep -c '^[0-9]'")


@pytest.fixture(scope="module")
def numbers():
    """name -> number here, as the compiler's headers have it."""
    r = subprocess.run(["cc", "-E", "-dM", "-xc", "-"], text=True, check=True,
                       input="#include <sys/syscall.h>", capture_output=True)
    return {words[1].removeprefix("__NR_"): words[2]
            for words in map(str.split, r.stdout.splitlines())
            if words[1].startswith("__NR_") and len(words) == 3}


class Who:
    def __init__(self, skep, who, folder):
        if who == "uid1000":
            folder = reachable(skep, folder)
        self.who, self.skep, self.fail = who, skep, folder / "fail"
        self.prefix = SOMEBODY if who == "uid1000" else []


@pytest.fixture(params=WHO)
def who(request, skep, attack):
    return Who(skep, request.param, attack("fail").parent)


def run(who, number, name, n, options):
    """The n-th call fails: who made it ("-": nobody did), and what came."""
    report = who.skep.home / "report"
    r = subprocess.run(
        [*who.prefix, who.fail, number, str(getattr(errno, CALLS[name])),
         str(n), report, who.skep.path, "exec", "--json", *options, "--",
         "sh", "-c", SCRIPT], env=who.skep.env, text=True, timeout=15,
        capture_output=True, cwd=who.skep.home, stdin=subprocess.DEVNULL)
    return report.read_text().split()[1], r


def judge(n, r):
    if r.returncode == 74:  # what failed was to say it
        return
    j = json.loads(r.stdout)
    assert r.stdout.count("\n") == 1
    if r.returncode == 125:
        assert j["verdict"] == "lost" and j["error"]["message"], (n, r)
        return
    assert j["verdict"] == "exit", (n, r)
    if r.returncode in (126, 127):  # it was the command that did not start
        assert j["stdout"] == "", (n, r)
        return
    said = j["stdout"].split()
    assert r.returncode == 0 and said[:6] == [
        "CapEff:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2"], (n, r)
    assert said[6] == "1000" and int(said[7]) <= 5, (n, said)


@pytest.mark.limit(300)
@pytest.mark.parametrize("call", CALLS)
def test_every_failure_is_an_answer(who, place, leaks, numbers, call):
    if call not in numbers:
        pytest.skip(f"this machine has no {call}")
    folder = workspace(who, place)
    for options in ([], ["--workspace", str(folder)]):
        for n in range(1, TOO_MANY):
            failed_in, r = run(who, numbers[call], call, n, options)
            if failed_in == "-":
                break
            judge(n, r)
            assert list(folder.iterdir()) == [], (n, r)
        else:
            pytest.fail(f"more than {TOO_MANY} calls of {call}")
    assert leaks.settle() == []


def test_the_step_is_named(who, place, numbers):
    """A few by their names, as a person would look for them."""
    folder = workspace(who, place)
    options = ["--workspace", str(folder)]
    named = {"mount": "tmpfs", "move_mount": "/workspace",
             "sethostname": "host name", "seccomp": "system call filter",
             "capset": "capabilities", "landlock_restrict_self": "landlock",
             "unshare": "user namespace", "chroot": "root",
             "open_tree": str(folder)}
    for call, word in named.items():
        said = []
        for n in range(1, TOO_MANY):
            failed_in, r = run(who, numbers[call], call, n, options)
            if failed_in == "-":
                break
            if r.returncode == 125:
                said.append(json.loads(r.stdout)["error"]["message"])
        assert any(word in message for message in said), (call, said)
        strerror = os.strerror(getattr(errno, CALLS[call]))
        assert sum(strerror in message for message in said) > 0, (call, said)


def test_the_callers_own_limits(who, place):
    """Not one call but the real thing: limits of the caller's own."""
    folder = workspace(who, place)
    for limit, words in (("--nproc=1:1", "fork"), ("--nofile=12:12", "open"),
                         ("--nofile=20:20", "")):
        if shutil.which("prlimit") is None:
            pytest.skip("prlimit is not installed")
        r = subprocess.run(
            ["prlimit", limit, *who.prefix, who.skep.path, "exec", "--json",
             "--workspace", str(folder), "--", "true"], env=who.skep.env,
            text=True, timeout=30, capture_output=True, cwd=who.skep.home,
            stdin=subprocess.DEVNULL)
        if limit.startswith("--nproc") and who.who == "root":
            continue  # it does not count for root
        assert r.returncode in (0, 125), (limit, r)
        if r.returncode == 125 and r.stdout:
            assert json.loads(r.stdout)["verdict"] == "lost"
        assert list(folder.iterdir()) == []
