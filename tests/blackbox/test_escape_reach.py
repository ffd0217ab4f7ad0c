"""Every attack in every profile, many in one sandbox.

test_escape.py asks each question by itself and in one profile; this file asks
all of them in all profiles, as root and as uid 1000, and adds those parts of
the kernel that escapes begin with.  Each has a control outside.
"""

import os
import pathlib
import shlex
import shutil
import subprocess

import pytest

from test_escape import PROFILES, ROOT, SOMEBODY, WHO, Cage, private, workspace

# What must not be reached, and where the same works: "somebody" for any user,
# "root" only for root, None: nowhere any more, the kernel itself is mended.
REACH = [
    ("io_uring", "", "somebody"),
    ("page_faults", "", "somebody"),
    ("make_key", "", "somebody"),
    ("find_keyring", "", "somebody"),
    ("performance", "", "somebody"),
    ("bpf_map", "", "root"),
    ("watch_files", "", "somebody"),
    ("secret_memory", "", "somebody"),
    ("own_filter", "", "somebody"),
    ("clone_with", "0x10000000", "somebody"),  # CLONE_NEWUSER
    ("clone_with", "0x20000", "root"),  # NEWNS
    ("clone_with", "0x2000000", "root"),  # NEWCGROUP
    ("clone_with", "0x4000000", "root"),  # NEWUTS
    ("clone_with", "0x8000000", "root"),  # NEWIPC
    ("clone_with", "0x20000000", "root"),  # NEWPID
    ("clone_with", "0x40000000", "root"),  # NEWNET
    ("leave_time", "", "root"),
    ("nested_overlay", "", "somebody"),
    ("nested_tables", "", "somebody"),
    ("nested_fuse", "", None),
    ("trace_sibling", "", "somebody"),
    ("write_memory", "", "somebody"),
    ("write_memory", "1", None),
    ("compare", "", "somebody"),
    ("compare", "1", None),
    ("advise_other", "", "somebody"),
    ("open_memory", "/proc/self/mem", "somebody"),
    ("open_memory", "/proc/1/mem", None),
    ("dirty_pipe", "/usr/bin/env", None),
    ("dirty_pipe", "/etc/passwd", None),
    ("memory_file", "", "somebody"),
    ("punch", "/usr/bin/env", None),
    ("set_flags", "FILE", "root"),
    ("trusted_name", "FILE", "root"),
    ("capability_name", "FILE", "root"),
    ("interface_down", "", "root"),
    ("force_buffer", "", "root"),
    ("packet_filter", "", "root"),
]

# Files that a sandbox may neither write nor, where it says so, read.
WRITE = """/proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe
/proc/sys/kernel/hostname /proc/sys/kernel/ns_last_pid /proc/sys/kernel/shmmax
/proc/sys/vm/drop_caches /proc/sys/vm/overcommit_memory
/proc/sys/user/max_user_namespaces /proc/sys/net/ipv4/ip_forward
/proc/sys/fs/binfmt_misc/register /proc/sysrq-trigger /proc/self/uid_map
/proc/self/gid_map /proc/self/setgroups /proc/self/loginuid
/proc/self/oom_score_adj /proc/self/coredump_filter /proc/self/timens_offsets
/proc/self/attr/current /proc/self/attr/exec /proc/self/clear_refs
/proc/self/comm /proc/self/autogroup /proc/self/sched /proc/1/oom_score_adj
/proc/1/autogroup /proc/1/sched /proc/1/timerslack_ns /proc/1/mem /proc/1/comm
/proc/1/setgroups /proc/1/projid_map /proc/irq/default_smp_affinity
/proc/bus/pci/devices /proc/mtrr /proc/fs/ext4 /proc/scsi/scsi
/proc/acpi/wakeup /dev/mem /dev/kmsg /dev/fuse /dev/kvm /dev/net/tun
/dev/vhost-net /dev/vsock /dev/loop-control /dev/loop0 /dev/mapper/control
/dev/uinput /dev/uhid /dev/userfaultfd /dev/tty0 /dev/console /dev/ttyS0
/dev/snapshot /dev/vfio/vfio /dev/cuse /dev/btrfs-control /dev/hwrng
/etc/passwd /etc/ld.so.cache /etc/ld.so.preload /usr/bin/env /bin/sh""".split()
READ = """/proc/kcore /proc/kmsg /proc/keys /proc/timer_list /proc/kallsyms
/proc/locks /proc/1/environ /proc/1/maps /proc/1/mem /proc/1/auxv /proc/1/stack
/proc/1/syscall /proc/1/io /proc/1/pagemap /proc/1/fd/0 /proc/1/exe /dev/mem
/dev/kmsg /dev/port /dev/vda /dev/sda /etc/shadow /etc/machine-id
/root/.ssh/id_rsa /sys/kernel/notes /sys/firmware/dmi/tables/DMI
/run/systemd/private /var/log/syslog /sys/fs/cgroup/cgroup.procs
/sys/fs/cgroup/devices/devices.allow /sys/fs/cgroup/freezer/tasks""".split()


LOOPBACK = ("--profile", "bare", "--net", "loopback")


@pytest.fixture(params=WHO)
def cage(request, skep, attack):
    return Cage(skep, request.param, attack("reach").parent)


def lines_of(cage, script, *options):
    """What a shell inside says, or None where the profile is refused."""
    r = cage.sh(script, *options)
    if r.returncode == 125 and cage.who != "root":
        assert "control groups" in r.stderr  # it refuses, and does not run
        return None
    assert r.returncode == 0, r
    return r.stdout.splitlines()


@pytest.mark.parametrize("case", [c for c in REACH if c[2]],
                         ids=lambda c: "-".join(c[:2]).strip("-"))
def test_the_controls_work(attack, place, case):
    name, arg, who = case
    if who == "root" and not ROOT:
        pytest.skip("the control needs root")
    (place / "FILE").write_text("x")
    program = place / "reach"
    shutil.copy(attack("reach"), program)
    prefix = private() if who == "root" else SOMEBODY if ROOT else []
    r = subprocess.run([*prefix, program, name, *arg.split()], cwd=place,
                       text=True, capture_output=True, timeout=20)
    assert r.stdout == "answered\n", r


@pytest.mark.parametrize("profile", [*PROFILES, "bare"])
def test_nothing_of_the_kernel_is_reached(cage, profile):
    script = "touch FILE; " + "; ".join(
        f"echo {name} {arg}: $(/attack/reach {name} {arg})"
        for name, arg, _ in REACH)
    said = lines_of(cage, script, "--profile", profile)
    if said is None:
        return
    assert len(said) == len(REACH)
    assert [line for line in said if "failed" not in line] == []


@pytest.mark.parametrize("profile", [*PROFILES, "bare"])
def test_no_file_of_the_kernel_is_written_or_read(cage, profile):
    script = "; ".join(
        [f"echo write {f}: $(/attack/escape write_open {f})" for f in WRITE] +
        [f"echo read {f}: $(/attack/escape read_some {f})" for f in READ])
    said = lines_of(cage, script, "--profile", profile)
    if said is None:
        return
    assert len(said) == len(WRITE) + len(READ)
    assert [line for line in said if "failed" not in line] == []


def test_the_files_are_there_outside():
    """The control: most of what is asked for exists here."""
    there = [f for f in WRITE + READ if os.path.exists(f)]
    assert len(there) > 40
    if ROOT:
        assert sum(os.access(f, os.W_OK) for f in WRITE) > 25


@pytest.mark.parametrize("profile", PROFILES)
def test_two_sandboxes_have_no_ipc_in_common(cage, outside_ipc, profile):
    """System V and POSIX queues, and memory, of the host and of another."""
    key = str(outside_ipc)
    ask = " ".join(f"$(/attack/reach {what} {arg})" for what, arg in (
        ("message_queue", key), ("semaphores", key),
        ("posix_queue", f"/skep-{key}")))
    hold = cage.words("--profile", profile, "--", "sh", "-c",
                      f"/attack/reach leave_marks {key}; read x")
    with subprocess.Popen(hold, env=cage.skep.env, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as p:
        first = p.stdout.readline()
        said = lines_of(cage, f"echo {ask} $(/attack/escape shared_memory "
                        f"{key})", "--profile", profile)
        p.communicate("go\n")
    if said is None:
        return
    assert first == "answered\n"  # inside, there is nothing wrong with it
    assert said[0].count("failed") == 4


@pytest.fixture
def outside_ipc(attack):
    """The same marks on the host; the control is that they are found."""
    key = 0x5ce00000 | os.getpid() & 0xfffff
    program = attack("reach")

    def reach(*args):
        return subprocess.run([program, *args], text=True,
                              capture_output=True).stdout
    try:
        assert reach("leave_marks", str(key)) == "answered\n"
        for what, arg in (("message_queue", key), ("semaphores", key),
                          ("posix_queue", f"/skep-{key}")):
            assert reach(what, str(arg)) == "answered\n", "the control"
        yield key
    finally:
        reach("remove_marks", str(key))


def test_two_sandboxes_have_no_network_in_common(cage):
    """Both have a loopback interface; each its own."""
    serve = ("import socket as s; l = s.create_server((\"127.0.0.1\", 4711)); "
             "print(\"up\", flush=True); l.accept() and print(\"met\")")
    words = cage.words(*LOOPBACK, "--", "python3", "-c", serve)
    with subprocess.Popen(words, env=cage.skep.env, text=True,
                          stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == "up\n"
        assert not cage.escape("tcp", "4711", options=LOOPBACK)
        p.terminate()
        assert "met" not in p.stdout.read()
    # The control: a sandbox reaches what it serves itself.
    r = cage.sh(f"python3 -c {shlex.quote(serve)} & sleep 0.5; "
                "/attack/escape tcp 4711; wait", *LOOPBACK)
    assert "worked" in r.stdout and "met" in r.stdout, r


@pytest.mark.parametrize("what", ["null", "pts", "ptmx", "shm", "console",
                                  "fd", "stdin", "urandom"])
@pytest.mark.parametrize("to", ["/proc/sys/kernel/core_pattern", "/etc",
                                "../../../../proc/1/attr/exec"])
def test_devices_of_a_hostile_root_are_not_looked_at(cage, place, what, to):
    """CVE-2025-31133, 52565, 52881: masks and devices bound through links."""
    root = place / "rootfs"
    (root / "dev").mkdir(parents=True)
    (root / "proc").mkdir()
    (root / "dev" / what).symlink_to(to)
    (root / "proc/self").symlink_to("/etc")
    (root / "proc/kcore").symlink_to("/etc/passwd")
    for name in ("usr", "bin", "lib", "lib64"):
        (root / name).mkdir()
    before = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    binds = [w for d in ("/usr", "/bin", "/lib", "/lib64")
             for w in ("--ro-bind", f"{d}:{d}")]
    script = ("stat -c %F,%t,%T /dev/null /dev/urandom; test -d /dev/pts && "
              "test -d /dev/shm && test -c /dev/ptmx && readlink /dev/fd; "
              "head -c1 /proc/kcore | wc -c; ls /dev/console 2>/dev/null; "
              "echo x > /dev/null; cat /proc/self/comm")
    r = cage.sh(script, "--rootfs", f"dir:{root}", *binds)
    assert r.stdout.splitlines() == [
        "character special file,1,3", "character special file,1,9",
        "/proc/self/fd", "0", "cat"], r
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_a_protected_path_cannot_be_exchanged(cage, place):
    folder = workspace(cage, place)
    (folder / ".git/hooks").mkdir(parents=True)
    if cage.who == "uid1000":
        subprocess.run(["chown", "-R", "1000:1000", folder], check=True)
    control = place / "control"
    (control / "there").mkdir(parents=True)
    r = subprocess.run([cage.folder / "reach", "exchange", "there"],
                       cwd=control, text=True, capture_output=True)
    assert r.stdout == "answered\n", "the control"
    for path in (".git", ".git/hooks", ".skep"):
        r = cage.run("--workspace", folder, "--", "/attack/reach", "exchange",
                     path)
        assert "failed" in r.stdout, (path, r)
