"""What people run in sandboxes: builds, clones, environments, large sorts.

In a folder of the caller, as root and as uid 1000; what is made belongs to the
folder's owner.
"""

import os
import subprocess
import sys

import pytest

from test_escape import WHO, Cage, workspace
from test_exec import converse

SORT_MEBI = int(os.environ.get("SORT_MEBI", "64"))  # 1024: the real thing


@pytest.fixture(params=WHO)
def cage(request, skep, attack):
    return Cage(skep, request.param, attack("escape").parent)


@pytest.fixture
def folder(cage, place):
    return workspace(cage, place)


def give(cage, folder):
    if cage.who == "uid1000":
        subprocess.run(["chown", "-R", "1000:1000", folder], check=True)


def owners(folder):
    return {os.lstat(os.path.join(top, name)).st_uid
            for top, dirs, files in os.walk(folder) for name in dirs + files}


def test_a_c_program_is_made(cage, folder):
    for i in range(20):
        (folder / f"f{i}.c").write_text(f"int f{i}(int x)\n{{ return x + {i}; "
                                        "}\n")
    calls = " + ".join(f"f{i}(0)" for i in range(20))
    (folder / "main.c").write_text(
        "#include <stdio.h>\n" +
        "".join(f"int f{i}(int);\n" for i in range(20)) +
        f'int main(void) {{ printf("%d\\n", {calls}); return 0; }}\n')
    (folder / "Makefile").write_text(
        "CFLAGS = -O2 -Wall -Werror\nOBJECTS = $(patsubst %.c,%.o,$(wildcard "
        "*.c))\nprogram: $(OBJECTS)\n\t$(CC) -o $@ $^\nclean:\n\trm -f *.o "
        "program\n")
    give(cage, folder)
    r = cage.sh("make -j4 > log 2>&1 && ./program && make -s clean && ls *.o "
                "2>/dev/null; make -s -j4 && ./program", "--workspace", folder)
    assert r.returncode == 0 and r.stdout == "190\n190\n", r
    assert owners(folder) == {folder.stat().st_uid}


def test_a_repository_is_cloned_and_worked_on(cage, folder):
    git = ["git", "-C", folder / "origin", "-c", "user.name=a", "-c",
           "user.email=a@b.c"]
    (folder / "origin/deep/er").mkdir(parents=True)
    for i in range(200):
        (folder / f"origin/deep/er/{i}").write_text(f"{i}\n" * 50)
    subprocess.run(["git", "init", "-q", folder / "origin"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    give(cage, folder)
    r = cage.sh(
        "git clone -q origin clone && cd clone && git log --oneline | wc -l && "
        "ls deep/er | wc -l && git config user.name b && git config user.email "
        "b@c.d && git checkout -qb side && echo more >> deep/er/0 && git "
        "commit -qam two && git push -q origin side && git gc -q && git fsck "
        "&& git diff HEAD~ --stat | tail -1 && git stash list",
        "--workspace", folder)
    assert r.returncode == 0, r
    assert r.stdout.split("\n")[:2] == ["1", "200"], r
    assert "1 insertion" in r.stdout
    log = subprocess.run([*git[:3], "-c", "safe.directory=*", "log", "side",
                          "--format=%s"], text=True, capture_output=True)
    assert log.stdout == "two\none\n", log


def test_a_python_environment_is_made_and_used(cage, folder):
    package = folder / "package"
    package.mkdir()
    (package / "greet.py").write_text("def greet():\n    return 'hello'\n")
    (package / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='greet', version='1', py_modules=['greet'])\n")
    give(cage, folder)
    r = cage.sh("/usr/bin/python3 -m venv --without-pip v && . v/bin/activate "
                "&& python -c 'import sys; print(sys.prefix)' && cp package/"
                "greet.py v/lib/python3*/site-packages/ && python -c 'import "
                "greet, json, ssl, sqlite3, ctypes, subprocess; print(greet."
                "greet(), subprocess.check_output([\"id\", \"-u\"]).decode())'",
                "--workspace", folder)
    assert r.returncode == 0, r
    assert r.stdout.split() == ["/workspace/v", "hello", "1000"]
    assert (folder / "v/bin/python").is_symlink()


def test_a_file_larger_than_memory_is_sorted(cage, folder):
    """SORT_MEBI=1024 is the gigabyte."""
    line = 64
    count = SORT_MEBI * (1 << 20) // line
    program = ("import random, sys\nr = random.Random(1)\n"
               f"for i in range({count}): sys.stdout.write('%0{line - 1}x\\n' "
               f"% r.getrandbits({4 * (line - 1)}))\n")
    with open(folder / "in", "w", encoding="ascii") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, check=True)
    give(cage, folder)
    mem = max(48, SORT_MEBI // 4)
    r = cage.sh(f"sort -S {mem // 3}M -T . --parallel=2 in > out && sort -c "
                "out && wc -c < out", "--workspace", folder, "--profile",
                "privileged" if cage.who == "root" else "bare",
                "--mem", f"{mem + 32}M" if cage.who == "root" else "4G",
                "--disk", f"{3 * SORT_MEBI + 64}M", "--timeout", "300s")
    assert r.returncode == 0, r
    assert int(r.stdout) == count * line


def test_a_shell_is_worked_in(cage, folder):
    """An editor's terminal: jobs, signals, the window, the prompt."""
    status, shown = converse(
        cage.words("--workspace", folder, "--", "bash", "--norc", "-i"),
        cage.skep.env,
        [0.5, b"echo $TERM; stty size\n", b"cat > note\n", b"written\n",
         b"\x04", b"sleep 50 &\n", b"fg\n", b"\x1a", b"jobs\n",
         b"kill %1; wait\n", b"sleep 60\n", b"\x03",
         b"echo caught=$?\n", b"trap 'echo hup' HUP; kill -HUP $$\n",
         b"exit 3\n"])
    assert status == 3, shown
    for word in ("xterm-256color", "33 111", "Stopped", "caught=130", "hup"):
        assert word in shown, (word, shown)
    assert "no job control" not in shown
    assert (folder / "note").read_text() == "written\n"
    assert owners(folder) == {folder.stat().st_uid}
