"""Every system call there is, and those that must not be."""

import errno
import os
import platform
import subprocess

import pytest

from test_escape import PROFILES, ROOT, SOMEBODY, WHO, Cage, reachable

REFUSED = {errno.ENOSYS, errno.EPERM}

# No filter is asked about these; they are for the kernel's own code.
UPROBES = {335, 336} if platform.machine() == "x86_64" else set()

# With zero arguments these end or block the caller, which proves nothing.
SAFE_AS_SOMEBODY = ("unshare", "ptrace", "mincore", "vmsplice", "seccomp")


@pytest.fixture(params=WHO)
def cage(request, skep, attack):
    return Cage(skep, request.param, attack("sweep").parent)


def answers(text):
    """number -> errno, or "sN" for a signal."""
    found = {}
    for line in text.splitlines():
        number, answer = line.split()
        found[int(number)] = answer if answer[0] == "s" else int(answer)
    return found


def numbers(attack, what):
    r = subprocess.run([attack("sweep"), what], text=True,
                       capture_output=True, check=True)
    return {name: int(nr) for name, nr in
            (line.split() for line in r.stdout.splitlines())}


def sweep(cage, how, *options):
    """All answers; the sandbox is there afterwards as it was before."""
    r = cage.sh(f"/attack/sweep {how} 0 600 && echo > f && cat f "
                "/proc/self/comm && id -u && ls /proc | grep -c '^[0-9]'",
                *options)
    if r.returncode == 125 and cage.who != "root":
        assert "control groups" in r.stderr  # it refuses, and does not run
        return None
    assert r.returncode == 0, r
    lines = r.stdout.splitlines()
    assert lines[601:604] == ["", "cat", "1000"] and int(lines[604]) <= 4
    return answers("\n".join(lines[:601]))


@pytest.mark.parametrize("profile", [*PROFILES, "bare"])
def test_no_call_but_those_of_the_list_is_let_in(cage, attack, profile):
    got = sweep(cage, "native", "--profile", profile)
    if got is None:
        return
    assert len(got) == 601
    allowed = numbers(attack, "allowed")
    for number, answer in got.items():
        if number not in allowed.values() and number not in UPROBES:
            assert answer == errno.ENOSYS, number
    assert {got[number] for number in UPROBES} <= {errno.ENOSYS, errno.ENXIO,
                                                   "s4"}
    for name, number in numbers(attack, "names").items():
        assert got[number] in REFUSED and name not in allowed, name
    assert got[allowed["getpid"]] == 0 and got[allowed["read"]] == 0


def test_the_control_calls_work_outside(skep, attack):
    prefix = SOMEBODY if ROOT else []
    program = reachable(skep, attack("sweep").parent) / "sweep"
    for name, number in numbers(attack, "names").items():
        if name not in SAFE_AS_SOMEBODY:
            continue
        r = subprocess.run([*prefix, program, "native", str(number),
                            str(number)], text=True, capture_output=True)
        assert answers(r.stdout)[number] not in REFUSED, name


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86 has several")
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("how", ["x32", "int80"])
def test_another_architecture_has_no_calls(cage, attack, how, profile):
    got = sweep(cage, how, "--profile", profile)
    if got is None:
        return
    assert len(got) == 601 and set(got.values()) == {errno.ENOSYS}
    if how == "int80":
        prefix = SOMEBODY if ROOT else []
        control = subprocess.run(
            [*prefix, reachable(cage.skep, attack("sweep").parent) / "sweep",
             how, "20", "20"], text=True,
            capture_output=True)
        assert answers(control.stdout) in ({20: 0}, {20: "s11"},
                                           {20: errno.ENOSYS})


def test_real_programs_work(cage):
    """The list is short, but long enough."""
    programs = {
        "gcc": "echo 'int main(void){return 7;}' > a.c && gcc -o a a.c; ./a;"
               "test $? = 7",
        "make": "printf 'x:\\n\\techo made > x\\n' > Makefile; make -j4;"
                "cat x",
        "git": "git init -q r && cd r && git config user.email a@b.c && git "
               "config user.name a && echo 1 > f && git add f && git commit "
               "-qm 1 && cd .. && git clone -q r s && test -f s/f",
        "python": "/usr/bin/python3 -m venv --without-pip v && v/bin/python "
                  "-c 'import threading, subprocess, multiprocessing, asyncio"
                  ", sqlite3, ssl; sqlite3.connect(\"d\").execute(\"create "
                  "table t(a)\"); asyncio.run(asyncio.sleep(0)); "
                  "subprocess.run([\"true\"], check=True); "
                  "p = multiprocessing.Pool(2); print(p.map(abs, [-1])); "
                  "p.close(); p.join()'",
        "sort": "seq 200000 | sort -R | sort -n --parallel=2 | tail -1 | "
                "grep -x 200000",
        "tar": "mkdir d && touch d/f && tar czf d.tgz d && rm -r d && tar xf "
               "d.tgz && test -f d/f",
        "pipes": "mkfifo p; (echo hello > p &); grep hello p",
        "perl": "perl -MFcntl -e 'open(F, \">l\"); flock(F, 2) or die; "
                "fork() // die; wait'",
    }
    for name, script in programs.items():
        r = cage.sh(script)
        assert r.returncode == 0, (name, r)
    if os.path.exists("/usr/bin/node"):
        r = cage.sh("/usr/bin/node -e 'require(\"fs\").readdir(\"/\", () => "
                    "console.log(\"ok\"))'")
        assert r.stdout == "ok\n", r
