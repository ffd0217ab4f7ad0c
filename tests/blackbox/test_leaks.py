"""The leak checker sees what it is there to see."""

import os
import signal
import subprocess
import sys
import time

import pytest

import hostile as hostile_module
import leaks as leaks_module


def orphan(seconds=60):
    """Start a process that loses its parent at once; its pid."""
    program = ("import os,time\n"
               "r, w = os.pipe()\n"
               "if os.fork():\n"
               "    print(os.read(r, 20).decode(), flush=True); os._exit(0)\n"
               "os.setsid()\n"
               "if os.fork(): os._exit(0)\n"
               "os.close(1); os.write(w, str(os.getpid()).encode())\n"
               f"time.sleep({seconds})\n")
    out = subprocess.run([sys.executable, "-c", program], check=True,
                         stdout=subprocess.PIPE).stdout
    return int(out)


def test_a_process_that_was_daemonised_is_seen(leaks):
    pid = orphan()
    try:
        assert any(f"process {pid} " in line for line in leaks.now())
    finally:
        os.kill(pid, signal.SIGKILL)
    assert leaks.settle() == []


def test_a_zombie_is_not_a_leak(leaks):
    pid = orphan()
    os.kill(pid, signal.SIGKILL)
    assert leaks.settle() == []


def test_a_file_in_tmpdir_is_seen(leaks, place):
    left = place / "tmp" / "anything"
    left.touch()
    assert f"file {left}" in leaks.now()
    left.unlink()


@pytest.mark.root
def test_a_mount_is_seen(leaks, place):
    subprocess.run(["mount", "-t", "tmpfs", "none", place / "home"],
                   check=True)
    try:
        assert any(line.startswith("mount ") for line in leaks.now())
    finally:
        subprocess.run(["umount", place / "home"], check=True)


@pytest.mark.root
def test_a_cgroup_is_seen(leaks):
    root = next((p for p in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup")
                 if os.access(p, os.W_OK)), None)
    if root is None:
        pytest.skip("no cgroup can be made here")
    left = f"{root}/skep-left"
    os.mkdir(left)
    try:
        assert f"cgroup {left}" in leaks.now()
    finally:
        os.rmdir(left)


def test_killing_the_rest_spares_what_was_there_before(request):
    old = subprocess.Popen(["sleep", "60"])
    request.addfinalizer(old.wait)
    request.addfinalizer(old.kill)
    before = leaks_module.Snapshot()
    pid = orphan()
    leaks_module.kill_rest(before)
    assert old.poll() is None
    assert leaks_module.settle(before, 3) == []
    assert not os.path.exists(f"/proc/{pid}")


def test_a_hostile_server_talks_and_can_be_closed_in_the_middle():
    def play(conn):
        conn.read_request()
        conn.stream_head()
        conn.chunk("hello")
        conn.wait_for_end()

    import socket
    with hostile_module.Hostile(play) as server:
        s = socket.create_connection(("127.0.0.1", server.port))
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        time.sleep(0.05)
        assert b"hello" in s.recv(1000)
        s.close()
    assert server.failures == []
