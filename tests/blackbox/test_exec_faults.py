"""Every system call of a sandbox's making fails once.

strace makes the n-th call of a kind fail, for every n until it is not reached
any more.  Whatever fails: there is an answer, it is 125 and says why, the
command did not run outside of what was promised, and nothing is left.
"""

import json
import shutil
import subprocess

import pytest

CALLS = {
    "mount": "ENOSPC", "unshare": "ENOSPC", "clone3": "EAGAIN",
    "pivot_root": "EINVAL", "open_tree": "EMFILE", "move_mount": "EINVAL",
    "mount_setattr": "EPERM", "umount2": "EBUSY", "setresuid": "EAGAIN",
    "setresgid": "EPERM", "setgroups": "EPERM", "capset": "EPERM",
    "seccomp": "EINVAL", "sethostname": "EPERM", "mknodat": "EPERM",
    "symlinkat": "ENOSPC", "chroot": "EPERM", "setns": "EPERM",
    "prlimit64": "EPERM", "landlock_restrict_self": "E2BIG",
    "socketpair": "EMFILE", "epoll_create1": "EMFILE",
    "mkdirat": "ENOSPC", "pipe2": "EMFILE", "close_range": "EINVAL",
    "dup3": "EBADF", "chdir": "EACCES", "flock": "ENOLCK",
    "pidfd_open": "EMFILE", "clone": "EAGAIN", "fchdir": "EACCES",
    "fstat": "EIO", "statfs": "EIO", "sendfile": "EIO",
}
TOO_MANY = 80

@pytest.mark.root
@pytest.mark.limit(300)
@pytest.mark.parametrize("with_folder", [False, True],
                         ids=["alone", "workspace"])
@pytest.mark.parametrize("call", CALLS)
def test_every_failure_is_an_answer(skep, place, leaks, call, with_folder):
    if shutil.which("strace") is None:
        pytest.fail("strace is not installed")
    folder = place / "work"
    folder.mkdir()
    options = ["--workspace", str(folder)] if with_folder else []
    for n in range(1, TOO_MANY):
        trace = place / "trace"
        r = subprocess.run(
            ["strace", "-f", "-o", trace, "-e", f"trace={call}", "-e",
             f"inject={call}:error={CALLS[call]}:when={n}", skep.path,
             "exec", "--json", *options, "--", "sh", "-c",
             "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; "
             "id -u; ls /proc | grep -c '^[0-9]'"],
            env=skep.env, text=True, capture_output=True, timeout=60,
            cwd=skep.home)
        if "(INJECTED)" not in trace.read_text():
            break
        assert r.returncode in (0, 125, 126, 127, 71, 1, 2), (n, r)
        if r.returncode == 125:
            j = json.loads(r.stdout)
            assert j["verdict"] == "lost" and j["error"]["message"], (n, r)
        elif r.returncode == 0:
            said = json.loads(r.stdout)["stdout"].split()
            assert said[:6] == ["CapEff:", "0" * 16, "NoNewPrivs:", "1",
                                "Seccomp:", "2"], (n, said)
            assert said[6] == "1000" and int(said[7]) <= 5, (n, said)
        assert list(folder.iterdir()) == [], n
    else:
        pytest.fail(f"more than {TOO_MANY} calls of {call}")
    assert leaks.settle() == []
