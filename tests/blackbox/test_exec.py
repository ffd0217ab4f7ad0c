"""skep exec, as its command line promises."""

import json
import os
import pathlib
import pty
import signal
import subprocess
import termios
import time

import pytest

from conftest import wait_until
from test_escape import (ROOT, SOMEBODY, WHO, Cage, below, reachable,
                         on_terminal, workspace)


@pytest.fixture(params=WHO)
def cage(request, skep, attack):
    return Cage(skep, request.param, attack("escape").parent)


# ------------------------------------------------------------------ exit status

@pytest.mark.parametrize("script, status", [
    ("exit 0", 0), ("exit 1", 1), ("exit 3", 3), ("exit 255", 255),
    ("kill -9 $$", 137), ("kill -TERM $$", 143), ("kill -SEGV $$", 139),
    ("exit 124", 124), ("exit 125", 125)])
def test_the_commands_own_status(cage, script, status):
    assert cage.sh(script).returncode == status


@pytest.mark.parametrize("words, status", [
    (["nosuchprogram"], 127), (["/no/such"], 127), (["/etc/passwd"], 126),
    (["/tmp"], 126), (["./missing"], 127), ([""], 127)])
def test_commands_that_cannot_run(cage, words, status):
    r = cage.run("--", *words)
    assert r.returncode == status and r.stdout == "" and r.stderr
    j = json.loads(cage.run("--json", "--", *words).stdout)
    assert (j["exit"], j["signal"], j["verdict"]) == (status, None, "exit")


def test_a_command_that_is_named_says_nothing_to_a_terminal(cage):
    r = cage.run("--", "a\033[31m\u009bb" + "x" * 3000)
    assert r.returncode in (126, 127) and r.stderr.endswith("\n")
    assert not set("\033\u009b") & set(r.stderr) and "␛[31m" in r.stderr


@pytest.mark.parametrize("args", [
    [], ["--"], ["--nosuch", "--", "true"], ["--mem", "--", "true"],
    ["--mem", "lots", "--", "true"], ["--pids", "-1", "--", "true"],
    ["--mem", "0", "--", "true"], ["--cpus", "0", "--", "true"],
    ["--net", "all", "--", "true"], ["--rootfs", "x", "--", "true"],
    ["--bind", "x", "--", "true"], ["--env", "=x", "--", "true"],
    ["--tty", "--no-tty", "--", "true"], ["--timeout", "0", "--", "true"],
    ["--mem", "4G", "--", "true"], ["--pids", "100000", "--", "true"],
    ["--net", "loopback", "--", "true"], ["--timeout", "10h", "--", "true"],
    ["--disk", "10G", "--", "true"], ["--cpus", "64", "--", "true"],
    ["--files", "1000000", "--", "true"]])
def test_usage_is_64(cage, args):
    r = cage.run(*args)
    assert r.returncode == 64 and r.stdout == "" and r.stderr


def test_bare_may_be_wider(cage):
    r = cage.sh("ulimit -n", "--profile", "bare", "--files", "2000",
                "--mem", "100G", "--timeout", "100h")
    assert (r.returncode, r.stdout) == (0, "2000\n")


def test_a_profile_that_is_not_there(cage):
    r = cage.run("--profile", "nosuch", "--", "true")
    assert r.returncode == 78 and "nosuch" in r.stderr


@pytest.mark.parametrize("args, said", [
    (["--chdir", "/nope"], "/nope"),
    (["--ro-bind", "/nope:/x"], "/nope"),
    (["--workspace", "/nope"], "/nope"),
    (["--rootfs", "dir:/nope"], "/nope")])
def test_what_cannot_be_built_is_125(cage, args, said):
    r = cage.run(*args, "--", "true")
    assert r.returncode == 125 and said in r.stderr and r.stdout == ""
    r = cage.run("--json", *args, "--", "true")
    j = json.loads(r.stdout)
    assert r.returncode == 125 and j["verdict"] == "lost"
    assert j["limits"] == []  # it met none
    assert j["error"]["step"] and said in j["error"]["message"]


def test_a_root_file_system_without_the_command(cage, place):
    (place / "empty").mkdir()
    r = cage.run("--rootfs", f"dir:{place}/empty", "--", "/bin/true")
    assert r.returncode == 127, r


# ---------------------------------------------------------------------- streams

def test_bytes_pass_unchanged_both_ways(cage, place):
    blob = bytes(range(256)) * 4096
    r = subprocess.run(cage.words("--", "cat"), input=blob,
                       env=cage.skep.env, capture_output=True, timeout=60)
    assert r.returncode == 0 and r.stdout == blob
    r = subprocess.run(cage.words("--", "sh", "-c", "cat >&2"), input=blob,
                       env=cage.skep.env, capture_output=True, timeout=60)
    assert r.stderr == blob
    # A counted stream passes through skep, and loses nothing either.
    r = subprocess.run(cage.words("--output", "10M", "--", "cat"), input=blob,
                       env=cage.skep.env, capture_output=True, timeout=60)
    assert r.stdout == blob


def test_files_as_streams(cage, place):
    (place / "in").write_bytes(b"from a file")
    with open(place / "in", "rb") as i, open(place / "out", "wb") as o:
        r = subprocess.run(cage.words("--", "sh", "-c",
                                      "cat; echo more > /dev/stdout"),
                           stdin=i, stdout=o, env=cage.skep.env, timeout=60)
    assert r.returncode == 0
    assert (place / "out").read_bytes().endswith(b"more\n")


def test_a_stream_is_no_more_of_the_host_than_its_bytes(cage, place):
    """Files could be opened again for writing, folders have all below."""
    folder = workspace(cage, place)
    kept = folder / "in"
    kept.write_bytes(b"input")
    os.chmod(kept, 0o600)
    os.chown(kept, folder.stat().st_uid, folder.stat().st_gid)
    for stdin, script in (
            (kept, "cat; echo spoilt > /dev/stdin; chmod 666 /dev/stdin"),
            (folder, "cat /proc/self/fd/0/in; echo > /proc/self/fd/0/new")):
        fd = os.open(stdin, os.O_RDONLY)
        r = cage.sh(script, stdin=fd)
        os.close(fd)
        assert (r.stdout == "input") == (stdin == kept), r
    assert kept.read_bytes() == b"input"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not (folder / "new").exists()


def test_a_named_pipe_keeps_its_owner(cage, place):
    fifo = place / "fifo"
    os.mkfifo(fifo)
    before = fifo.stat()
    with open(fifo, "r+b", buffering=0) as pipe:
        pipe.write(b"x\n")
        r = cage.sh("read a; echo $a", stdin=pipe)
    assert r.stdout == "x\n", r
    assert fifo.stat().st_uid == before.st_uid


def test_standard_streams_can_be_opened_again(cage):
    r = cage.sh("echo out > /dev/stdout; echo err > /dev/stderr; "
                "cat /dev/stdin", input="in", stdin=None)
    assert (r.returncode, r.stdout, r.stderr) == (0, "out\nin", "err\n"), r


def test_closed_streams_are_no_harm(cage):
    r = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh",
                        *cage.words("--", "sh", "-c", "cat; echo x; exit 5")],
                       env=cage.skep.env, timeout=60)
    assert r.returncode == 5


def test_a_reader_that_goes_away_ends_the_command(cage):
    for options in ((), ("--output", "60M")):
        p = subprocess.Popen(cage.words(*options, "--", "yes"),
                             stdout=subprocess.PIPE, env=cage.skep.env,
                             stderr=subprocess.DEVNULL)
        p.stdout.read(10)
        p.stdout.close()
        assert p.wait(20) != 0


def test_a_slow_reader_does_not_stop_the_deadline(cage):
    p = subprocess.Popen(cage.words("--output", "60M", "--timeout", "500ms",
                                    "--grace", "100ms", "--", "yes"),
                         stdout=subprocess.PIPE, env=cage.skep.env,
                         stderr=subprocess.DEVNULL)
    assert wait_until(lambda: len(below(p.pid)) >= 2)
    gone = wait_until(lambda: len(below(p.pid)) <= 1)  # but for pid 1
    p.stdout.read()
    assert p.wait(20) == 124 and gone
    p.stdout.close()


# ------------------------------------------------------------------------- json

def test_the_object(cage):
    r = cage.sh("echo out; echo err >&2; exit 3", "--json")
    j = json.loads(r.stdout)
    assert r.returncode == 3 and r.stdout.endswith("}\n")
    assert (j["verdict"], j["limits"], j["exit"], j["signal"]) == \
        ("exit", [], 3, None)
    assert (j["stdout"], j["stderr"], j["stdout_bytes"], j["stderr_bytes"],
            j["truncated"]) == ("out\n", "err\n", 4, 4, False)
    assert j["wall_seconds"] > 0 and j["max_rss_bytes"] > 0
    assert 0 <= j["cpu_seconds"] < 10
    s = j["sandbox"]
    assert s["profile"] == "draft" and s["rootfs"] == "host"
    assert s["network"] == "none" and s["seccomp"] is True
    assert s["user_namespace"] is True
    assert s["cgroup"] in ("v1", "v2", "none")
    assert s["digest"].startswith("sha256:") and len(s["digest"]) == 71


def test_a_signal_in_the_object(cage):
    r = cage.sh("kill -9 $$", "--json")
    j = json.loads(r.stdout)
    assert r.returncode == 137
    assert (j["verdict"], j["exit"], j["signal"]) == ("signal", None, 9)


def test_invalid_utf8_is_replaced_and_counted(cage):
    j = json.loads(cage.sh(r"printf 'a\377b'", "--json").stdout)
    assert j["stdout"] == "a�b" and j["stdout_bytes"] == 3


def test_the_digest_is_the_profile_with_its_options(cage):
    def digest(*args):
        return json.loads(cage.sh("true", "--json", *args).stdout)[
            "sandbox"]["digest"]
    assert digest() == digest() != digest("--mem", "32M")


# ------------------------------------------------------------------ environment

def test_the_environment(cage):
    r = cage.sh("env", "--env", "A=1", "--env", "B", "--env", "NOT_SET",
                "--env", "EMPTY=", env={"B": "two words", "C": "no"})
    env = dict(line.split("=", 1) for line in r.stdout.splitlines())
    assert env["A"] == "1" and env["B"] == "two words" and env["EMPTY"] == ""
    assert "C" not in env and "NOT_SET" not in env
    assert env["HOME"] == "/workspace" and "/bin" in env["PATH"]
    assert "UTF-8" in env["LANG"] and env["USER"] == "agent"


def test_the_place(cage):
    r = cage.sh("pwd; id -un; echo ~; touch $HOME/f && ls; getent passwd "
                "agent | cut -d: -f1,6; hostname; ls -d /tmp /dev/shm; "
                "locale charmap")
    lines = r.stdout.split("\n")
    assert r.returncode == 0, r
    assert lines[:5] == ["/workspace", "agent", "/workspace", "f",
                         "agent:/workspace"]
    assert "UTF-8" in lines
    assert cage.sh("pwd", "--chdir", "/usr/lib").stdout == "/usr/lib\n"


def test_names_of_services_and_protocols_are_known(cage):
    r = cage.sh("getent services https ssh domain/udp; getent protocols tcp; "
                "python3 -c 'import socket as s; print(s.getservbyname("
                "\"http\"), s.getprotobyname(\"udp\"))'")
    assert r.returncode == 0, r
    assert r.stdout.split() == ["https", "443/tcp", "ssh", "22/tcp", "domain",
                                "53/udp", "tcp", "6", "TCP", "80", "17"]


@pytest.mark.parametrize("named", [(), ("--env", "TERM=vt100")])
def test_the_terminal_has_a_kind(cage, named):
    """Not the caller's, of which nothing goes in; its own unless named."""
    words = cage.words("-t", *named, "--", "sh", "-c", "echo [$TERM]; tput am")
    status, shown = on_terminal(words, cage.skep.env | {"TERM": "linux"})
    assert status == 0 and \
        (b"[vt100]" if named else b"[xterm-256color]") in shown, shown
    assert cage.sh("echo $TERM").stdout == "dumb\n"


# -------------------------------------------------------------------- workspaces

def test_what_is_made_in_a_workspace_belongs_to_its_owner(cage, place):
    folder = workspace(cage, place)
    owner = folder.stat().st_uid
    r = cage.sh("id -u; touch f; mkdir d; touch d/g; ln -s f l; stat -c %u f",
                "--workspace", folder)
    assert r.stdout == "1000\n1000\n", r
    for name in ("f", "d", "d/g", "l"):
        assert (folder / name).lstat().st_uid == owner
    assert sorted(os.listdir(folder)) == ["d", "f", "l"]


@pytest.mark.root
def test_a_folder_of_a_foreign_group(skep, place):
    folder = place / "w"
    folder.mkdir()
    os.chown(folder, 1000, 0)
    reachable(skep)
    r = subprocess.run([*SOMEBODY, *skep.words(
        ["exec", "--workspace", folder, "--", "touch", "f"])],
        env=skep.env, capture_output=True, text=True)
    assert r.returncode == 0, r
    assert (folder / "f").stat().st_uid == 1000
    assert os.listdir(folder) == ["f"]


@pytest.mark.root
@pytest.mark.parametrize("uid", [0, 1000, 4711])
def test_root_shows_a_folder_of_anybody(skep, place, uid):
    folder = place / "w"
    folder.mkdir(mode=0o700)
    (folder / "old").write_text("old")
    (folder / "old").chmod(0o600)
    for path in (folder, folder / "old"):
        os.chown(path, uid, uid)
    r = skep.exec("--workspace", folder, "--", "sh", "-c",
                  "cat old; echo new >> old; echo n > n")
    assert (r.status, r.out) == (0, "old"), r
    assert (folder / "old").read_text() == "oldnew\n"
    assert (folder / "n").stat().st_uid == uid


def test_a_workspace_by_a_relative_path(cage, place):
    folder = workspace(cage, place)
    for name, cwd in ((".", folder), ("work", place)):
        r = cage.sh("touch here", "--workspace", name, cwd=cwd)
        assert r.returncode == 0, r
        (folder / "here").unlink()


def test_an_empty_workspace_goes_away(cage):
    r = cage.sh("ls -A; touch f; mkdir d; ls")
    assert r.returncode == 0 and r.stdout.split()[-2:] == ["d", "f"]
    assert "f" not in cage.sh("ls").stdout.split()


def test_binds(cage, place):
    folder = workspace(cage, place, "bound")
    (place / "file").write_text("text")
    r = cage.sh("cat /data/file; echo x > /rw/x; echo y 2>/dev/null > "
                "/data/file || echo kept; ls /usr/local/deep/er; cat /etc/one",
                "--bind", f"{folder}:/rw", "--ro-bind",
                f"{place}/file:/data/file", "--ro-bind",
                f"{folder}:/usr/local/deep/er", "--ro-bind",
                f"{place}/file:/etc/one")
    assert r.stdout == "textkept\nx\ntext", r
    assert (folder / "x").stat().st_uid == folder.stat().st_uid
    assert not os.path.exists("/usr/local/deep")


def test_binds_below_a_workspace_leave_no_folder(cage, place):
    folder = workspace(cage, place)
    src = workspace(cage, place, "src")
    (src / "f").write_text("f")
    r = cage.sh("cat in/f one; ls", "--workspace", folder, "--ro-bind",
                f"{src}:/workspace/in", "--ro-bind",
                f"{src}/f:/workspace/one")
    assert r.stdout.startswith("ff"), r
    assert os.listdir(folder) == []


def test_a_debian_tree_as_root_file_system(cage, place):
    """As far as can be had without a network: the host's own parts."""
    root = place / "rootfs"
    root.mkdir()
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        if os.path.islink(f"/{name}"):
            (root / name).symlink_to(os.readlink(f"/{name}"))
    for name in ("usr", "etc", "opt"):
        (root / name).mkdir()
    (root / "etc/own").write_text("own")
    (root / "opt/run").write_text("#!/usr/bin/sh\necho ran $(cat /etc/own)\n")
    (root / "opt/run").chmod(0o755)
    r = cage.run("--rootfs", f"dir:{root}", "--ro-bind", "/usr:/usr", "--",
                 "/opt/run")
    assert (r.returncode, r.stdout) == (0, "ran own\n"), r
    assert sorted(os.listdir(root / "usr")) == []


# --------------------------------------------------------------------- terminals

def converse(words, env, lines, size=(33, 111)):
    """Type lines on a terminal; exit status and what it showed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(words[0], words, env)
    termios.tcsetwinsize(fd, size)
    shown = b""
    for line in lines:
        if isinstance(line, float):
            time.sleep(line)
            continue
        os.write(fd, line)
        time.sleep(0.3)
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_a_terminal_by_default(cage):
    status, shown = converse(
        cage.words("--", "sh", "-c",
                   "sleep 0.4; tty; stty size; test -t 2 && echo all"),
        cage.skep.env, [])
    assert status == 0 and "/dev/pts/0" in shown and "all" in shown
    assert "33 111" in shown
    status, shown = converse(cage.words("--no-tty", "--", "sh", "-c",
                                        "test -t 0 || echo none"),
                             cage.skep.env, [])
    assert "none" in shown


def test_a_shell_with_job_control(cage):
    status, shown = converse(
        cage.words("--", "bash", "--norc", "-i"), cage.skep.env,
        [0.5, b"sleep 50 &\n", b"jobs\n", b"kill -9 %1\n", b"wait\n",
         b"sleep 60\n", b"\x1a", b"bg\n", b"kill %1; wait\n",
         b"sleep 70\n", b"\x03", b"exit 7\n"])
    assert status == 7, shown
    for word in ("Running", "Stopped"):
        assert word in shown, shown
    assert "no job control" not in shown


def test_the_terminal_is_given_back(cage):
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    p = subprocess.Popen(cage.words("-t", "--", "sh", "-c", "sleep 60"),
                         stdin=slave, stdout=slave, stderr=slave,
                         env=cage.skep.env, start_new_session=True)
    assert wait_until(lambda: termios.tcgetattr(slave) != before)
    p.send_signal(signal.SIGTERM)
    assert p.wait(20) == 143
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


# ----------------------------------------------------------------- signals, death

@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT"])
def test_a_signal_ends_it_all(cage, leaks, name):
    number = getattr(signal, f"SIG{name}")
    p = subprocess.Popen(cage.words("--", "sh", "-c", "trap '' TERM INT HUP "
                                    "QUIT; echo up; sleep 60; sleep 60"),
                         stdout=subprocess.PIPE, env=cage.skep.env)
    assert p.stdout.readline() == b"up\n"
    p.send_signal(number)
    assert p.wait(20) == 128 + number
    assert leaks.now() == []
    p.stdout.close()


def test_there_is_an_object_also_then(cage):
    p = subprocess.Popen(cage.words("--json", "--", "sh", "-c",
                                    "echo up > up; sleep 60"),
                         stdout=subprocess.PIPE, env=cage.skep.env, text=True)
    assert wait_until(lambda: len(below(p.pid)) >= 2)
    time.sleep(0.2)
    p.terminate()
    out, _ = p.communicate(timeout=20)
    j = json.loads(out)
    assert p.returncode == 143 and out.count("\n") == 1
    assert j["verdict"] == "lost" and "15" in j["error"]["message"]


def test_nothing_is_left_when_it_returns(cage, leaks, place):
    folder = workspace(cage, place)
    cage.sh("sleep 60 & setsid sleep 60 & true", "--workspace", folder)
    assert leaks.now() == []
    assert os.listdir(folder) == []


@pytest.mark.parametrize("with_folder", [True, False])
def test_after_kill_9_everything_dies_and_the_next_one_sweeps(
        cage, leaks, place, with_folder):
    folder = workspace(cage, place)
    options = ["--workspace", folder] if with_folder else []
    p = subprocess.Popen(cage.words(*options, "--", "sh", "-c",
                                    "setsid sleep 60 & echo up; sleep 60"),
                         stdout=subprocess.PIPE, env=cage.skep.env)
    assert p.stdout.readline() == b"up\n"
    family = below(p.pid)
    assert len(family) >= 3
    p.kill()
    p.wait()
    p.stdout.close()

    def is_gone(pid):
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return True
        return state.rpartition(")")[2].split()[0] == "Z"

    assert wait_until(lambda: all(is_gone(q) for q in family), 2)
    cage.sh("true")
    assert leaks.settle() == []
    assert wait_until(lambda: os.listdir(folder) == [], 2)


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_the_zygote_or_pid_1_killed(cage, place, victim):
    """With a folder of the caller there is a zygote above pid 1."""
    with_folder = ["--workspace", workspace(cage, place)] if victim < 2 else []
    p = subprocess.Popen(cage.words(*with_folder, "--json", "--", "sh", "-c",
                                    "sleep 60; true"),
                         stdout=subprocess.PIPE, env=cage.skep.env, text=True)
    depth = 4 if with_folder else 3
    assert wait_until(lambda: len(below(p.pid)) >= depth)
    os.kill(below(p.pid)[victim if with_folder else 0], signal.SIGKILL)
    out, _ = p.communicate(timeout=20)
    j = json.loads(out)
    assert p.returncode == 125 and j["verdict"] == "lost", j


def test_the_state_directory_is_not_touched(cage, skep):
    r = cage.sh("true", "--state", str(skep.state))
    assert r.returncode == 0 and not skep.state.exists()
    assert not (skep.home / ".local").exists()
