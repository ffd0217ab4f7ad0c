"""What a test may leave behind: nothing.

A Snapshot holds what of skep's the machine shows: processes, mounts, cgroups,
named network namespaces and temporary files.  The difference of two is what
was left in between.

Processes are found by ancestry.  The test program is a subreaper, so whatever
loses its parent becomes its child, double forks and namespaces included; what
other people run on the machine does not disturb it.
"""

import ctypes
import os
import pathlib
import signal
import time

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _stat(pid):
    """(state, parent, start time) of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return fields[0].decode(), int(fields[1]), int(fields[19])


def process_table():
    """pid -> (state, parent, start time) of everything."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (stat := _stat(name)) is not None:
            table[int(name)] = stat
    return table


def describe(pid):
    try:
        cmd = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        comm = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return f"process {pid}"
    words = cmd.replace(b"\0", b" ").decode(errors="replace").strip()
    return f"process {pid} ({comm}) {words}"


def descendants(root=None, table=None):
    """The living below root (this program), as {(pid, start time)}."""
    root = os.getpid() if root is None else root
    table = process_table() if table is None else table
    children = {}
    for pid, (_, parent, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found, stack = set(), [root]
    while stack:
        for pid in children.get(stack.pop(), ()):
            stack.append(pid)
            if table[pid][0] not in "ZX":
                found.add((pid, table[pid][2]))
    return found


def reap_strays(keep=()):
    """Collect the dead that were handed to us as subreaper."""
    me = os.getpid()
    for pid, (state, parent, _) in process_table().items():
        if parent == me and state == "Z" and pid not in keep:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def _mounts():
    with open("/proc/self/mountinfo") as f:
        return {line.split(" - ")[0].split(" ", 2)[2].strip() for line in f}


_other_peoples = set()  # names of cgroups that were seen beside our own


def _own_cgroups():
    """Where we are in each hierarchy: what we start makes its groups below."""
    places = []
    with open("/proc/self/cgroup") as f:
        for line in f:
            _, names, path = line.strip().split(":", 2)
            for name in names.removeprefix("name=").split(",") or [""]:
                for root in ((name,) if name else ("unified", "")):
                    places.append((f"/sys/fs/cgroup/{root}".rstrip("/"),
                                   path.rstrip("/")))
    return places


def _cgroups():
    """Those named after skep, without those that strangers made."""
    found = set()
    for folder, below, _ in os.walk("/sys/fs/cgroup"):
        for name in below:
            if "skep" in name:
                found.add(os.path.join(folder, name))
    for root, own in _own_cgroups():
        for path in found:
            if root != "/sys/fs/cgroup" and path.startswith(root + "/") \
                    and not path.startswith(root + own + "/"):
                _other_peoples.add(os.path.basename(path))
    return {path for path in found
            if os.path.basename(path) not in _other_peoples}


def _names(folder, pattern):
    try:
        return {str(p) for p in pathlib.Path(folder).glob(pattern)}
    except OSError:
        return set()


def _files(private):
    found = set()
    for folder in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/run/shm"):
        found |= _names(folder, "*skep*") | _names(folder, ".*skep*")
    # Of unit tests and mocks that others run; ours have a TMPDIR of their own.
    found -= _names("/tmp", "skep-test-*") | _names("/tmp", "skep-mock-*")
    for folder in private:
        found |= _names(folder, "*")
    return found


class Snapshot:
    def __init__(self, private=()):
        self.private = tuple(private)
        self.processes = descendants()
        self.mounts = _mounts()
        self.cgroups = _cgroups()
        self.netns = _names("/run/netns", "*")
        self.files = _files(private)


def _is_strange(path, strangers):
    """Does this name hold the id of a process that is not of ours?"""
    parts = path.replace("/", "-").replace(".", "-").split("-")
    return any(p.isdigit() and int(p) in strangers for p in parts)


def difference(before):
    """What is there now and was not before, one line each."""
    reap_strays()
    strangers = set(process_table())  # before we look: they may end any time
    now = Snapshot(before.private)
    strangers |= set(process_table())
    strangers -= {pid for pid, _ in now.processes}
    left = [describe(pid) for pid, _ in now.processes - before.processes]
    left += [f"mount {m}" for m in now.mounts - before.mounts]
    left += [f"cgroup {c}" for c in now.cgroups - before.cgroups
             if not _is_strange(c, strangers) and os.path.exists(c)]
    left += [f"network namespace {n}" for n in now.netns - before.netns]
    left += [f"file {f}" for f in now.files - before.files
             if f.startswith(before.private) or
             (not _is_strange(f, strangers) and os.path.lexists(f))]
    return sorted(left)


def settle(before, seconds):
    """difference(), once it is empty or the time is over."""
    end = time.monotonic() + seconds
    while left := difference(before):
        if time.monotonic() >= end:
            break
        time.sleep(0.02)
    return left


def kill_rest(before):
    """Let one leak fail one test, not all that follow."""
    for _ in range(50):
        rest = descendants() - before.processes
        if not rest:
            break
        for pid, _ in rest:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
        reap_strays()
