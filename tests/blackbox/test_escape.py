"""Ways out of a sandbox, none of which may work.

Every attack is a case of tests/attack/escape.c or a line of shell.  Each has
a control that runs the same attack without the sandbox and must work there:
otherwise its failing inside would prove nothing.  As root every case runs
twice, for uid 0 and for uid 1000 starting the sandbox.
"""

import ctypes
import os
import pathlib
import pty
import select
import shutil
import socket
import subprocess
import time

import pytest

ROOT = os.geteuid() == 0
SOMEBODY = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups",
            "--inh-caps=-all"]
WHO = ["root", "uid1000"] if ROOT else ["self"]
PROFILES = ["draft", "delivery", "privileged"]


def reachable(skep, folder=None):
    """Copies that uid 1000 can reach, wherever the repository lies."""
    shared = skep.place / "shared"
    if not shared.exists():
        shared.mkdir()
        skep.path = shutil.copy(skep.path, shared / "skep")
    if folder is None:
        return None
    if not (shared / "attack").exists():
        (shared / "attack").mkdir()
        for program in folder.iterdir():
            if os.access(program, os.X_OK) and not program.suffix:
                shutil.copy(program, shared / "attack")
    return shared / "attack"


class Cage:
    """One command in a sandbox, started by root or by somebody."""

    def __init__(self, skep, who, folder):
        if who == "uid1000":
            folder = reachable(skep, folder)
        self.skep, self.who, self.folder = skep, who, folder
        self.prefix = SOMEBODY if who == "uid1000" else []

    def words(self, *args):
        return [*self.prefix, *self.skep.words(
            ["exec", "--ro-bind", f"{self.folder}:/attack", *args])]

    def run(self, *args, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            self.words(*args), env=self.skep.env | options.pop("env", {}),
            cwd=options.pop("cwd", self.skep.home), text=True,
            capture_output=True, timeout=60, **options)

    def sh(self, script, *options, **keys):
        return self.run(*options, "--", "sh", "-c", script, **keys)

    def escape(self, *args, options=(), **keys):
        """True when the attack worked."""
        r = self.run(*options, "--", "/attack/escape", *args, **keys)
        assert r.returncode in (0, 1), r
        return r.returncode == 0


@pytest.fixture(params=WHO)
def cage(request, skep, attack, place):
    return Cage(skep, request.param, attack("escape").parent)


@pytest.fixture
def outside(attack):
    """The control: the attack without a sandbox; True when it worked."""
    def run(*args, prefix=()):
        r = subprocess.run([*prefix, attack("escape"), *args], text=True,
                           capture_output=True, timeout=60)
        assert r.returncode in (0, 1), r
        return r.returncode == 0
    return run


def private(*argv):
    """argv in mount and pid namespaces that can be spoilt."""
    return ["unshare", "--mount", "--pid", "--fork", "--net", "--uts", *argv]


def workspace(cage, place, name="work"):
    folder = place / name
    folder.mkdir()
    if cage.who == "uid1000":
        os.chown(folder, 1000, 1000)
    return folder


# ----------------------------------------------- namespaces and the mount tree

MOUNTS = [
    ("unshare_user",), ("unshare_mount",), ("unshare_net",), ("clone_user",),
    ("clone3_user",), ("mount_tmpfs", "/tmp"), ("mount_proc", "/tmp"),
    ("mount_cgroup", "/tmp"), ("remount_writable", "/usr"),
    ("clone_tree", "/"), ("new_file_system", "tmpfs"), ("change_root", "/"),
    ("join", "/proc/self/ns/mnt"), ("join", "/proc/self/ns/uts"),
    ("unmount", "/proc"),
]


@pytest.mark.parametrize("case", MOUNTS, ids="-".join)
def test_namespaces_and_mounts_stay_as_they_are(cage, outside, case):
    if ROOT:
        control = case
        if case[0] == "remount_writable":
            control = (case[0], "/proc")
        assert outside(*control, prefix=private()), "the control"
    assert not cage.escape(*case)


def test_a_mask_over_proc_cannot_be_taken_off(cage):
    assert not cage.escape("unmount", "/proc/kallsyms")
    assert not cage.escape("remount_writable", "/proc")


def test_files_cannot_be_opened_by_handle(cage, outside):
    if ROOT:
        assert outside("handle", "/etc/passwd"), "the control"
    assert not cage.escape("handle", "/etc/passwd")


# -------------------------------------------------------------- other processes

def test_pid_1_shows_and_gives_nothing(cage, outside):
    victim = subprocess.Popen(["sleep", "60"])
    try:
        for name in ("attach", "read_memory", "steal_descriptor",
                     "limit_init"):
            if ROOT:
                assert outside(name, str(victim.pid)), "the control"
            assert not cage.escape(name, "1"), name
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("how", range(8))
def test_pid_1_cannot_be_slowed_down(cage, outside, how):
    """It has the commands' user, and the call's deadline depends on it."""
    victim = subprocess.Popen([*cage.prefix, "sleep", "60"])
    of_user = how in (1, 6)
    name = pathlib.Path(f"/proc/{victim.pid}/comm")
    while name.read_text() != "sleep\n":
        time.sleep(0.01)
    try:
        whom = os.geteuid() if of_user else victim.pid
        if of_user and ROOT:
            whom = 54321  # nobody's: allowed, and nobody is there
        control = outside("slow_down", f"{how},{whom}", prefix=cage.prefix)
        assert control or of_user, "the control"
        assert not cage.escape("slow_down", f"{how},{1000 if of_user else 1}")
        # What is its own, a command may slow down.
        if not of_user:
            assert cage.escape("slow_down", f"{how},0")
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("what", ["environ", "maps", "mem", "auxv", "io",
                                  "stack", "syscall", "exe", "pagemap"])
def test_no_file_of_pid_1_can_be_read(cage, outside, what):
    path = f"/proc/{os.getpid()}/{what}"
    if ROOT and what not in ("mem", "pagemap", "stack"):
        assert outside("read_some", path), "the control"
    assert not cage.escape("read_some", f"/proc/1/{what}")


@pytest.mark.parametrize("what", ["root", "cwd", "fd", "map_files", "ns"])
def test_no_magic_link_of_pid_1_leads_out(cage, outside, what):
    if ROOT:
        assert outside("list_open", f"/proc/{os.getpid()}/{what}"), "control"
    inside = cage.sh(f"ls /proc/1/{what}/ && cat /proc/1/{what}/* 2>&1")
    if what != "ns":
        assert not cage.escape("list_open", f"/proc/1/{what}")
        assert inside.returncode != 0 or inside.stdout == ""


def test_the_binary_that_started_us_cannot_be_written(cage, outside, place):
    """runc's CVE-2019-5736: overwrite the host's binary by /proc/PID/exe."""
    copy = place / "victim"
    copy.write_bytes(b"x")
    assert outside("write_open", str(copy)), "the control"
    for path in ("/proc/1/exe", "/proc/self/exe", "/attack/escape"):
        assert not cage.escape("write_open", path), path


def test_what_the_engine_was_started_with_is_not_to_be_found(cage):
    """Arguments, environment and names of the host's processes."""
    script = ("cat /proc/*/cmdline /proc/*/environ /proc/*/comm 2>/dev/null"
              " | tr '\\0' '\\n'")
    secret = "WAX-4711-COMB"
    r = cage.run("--env", "SHOWN=yes", "--timeout", "20", "--", "sh", "-c",
                 script, env={"SECRET": secret, "SHOWN": "no"})
    control = subprocess.run(["sh", "-c", script], text=True,
                             capture_output=True, env={"SECRET": secret})
    assert secret in control.stdout, "the control"
    assert r.returncode == 0 and secret not in r.stdout
    assert "--timeout" not in r.stdout and "SHOWN=yes" in r.stdout


def test_only_its_own_processes_exist(cage):
    r = cage.sh("ls /proc | grep -c '^[0-9]'; kill -9 -1; echo still")
    assert int(r.stdout.split()[0]) <= 4


def test_a_stopped_or_killed_pid_1_is_not_possible(cage):
    r = cage.sh("kill -STOP 1; kill -9 1; kill -TERM 1; echo alive")
    assert r.returncode == 0 and r.stdout == "alive\n"


# ------------------------------------------------------------- kernel's own files

@pytest.mark.parametrize("path", [
    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory",
    "/proc/sys/fs/binfmt_misc/register", "/proc/sysrq-trigger",
    "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/randomize_va_space"])
def test_no_setting_of_the_kernel_can_be_changed(cage, outside, path):
    if ROOT and os.path.exists(path):
        assert outside("write_open", path), "the control"
    assert not cage.escape("write_open", path)


@pytest.mark.parametrize("path", ["/proc/kcore", "/proc/kmsg", "/proc/keys",
                                  "/proc/timer_list", "/proc/kallsyms",
                                  "/proc/locks", "/dev/mem", "/dev/kmsg",
                                  "/dev/vda", "/dev/sda"])
def test_no_file_that_shows_the_kernel_can_be_read(cage, outside, path):
    if ROOT and path in ("/proc/kallsyms", "/proc/timer_list", "/proc/kcore"):
        assert not os.path.exists(path) or outside("read_some", path)
    assert not cage.escape("read_some", path)


@pytest.mark.parametrize("path", [
    "/sys", "/sys/kernel", "/sys/fs/cgroup", "/root/.ssh", "/home", "/boot",
    "/var/log", "/run/systemd", "/old_root", "/proc/irq/0", "/proc/scsi",
    "/proc/acpi", "/lost+found"])
def test_what_is_not_shown_is_not_there(cage, path):
    r = cage.sh(f"ls -A {path} 2>/dev/null; echo probe > {path}/probe")
    assert r.stdout == "" and r.returncode != 0


def test_release_agent_is_out_of_reach(cage, outside):
    """CVE-2022-0492: mount a cgroup of version 1, set its release_agent."""
    if ROOT and os.path.exists("/sys/fs/cgroup/memory/release_agent"):
        assert outside("write_open", "/sys/fs/cgroup/memory/release_agent")
    r = cage.sh("find / -name release_agent -o -name 'cgroup.procs' "
                "-o -name notify_on_release 2>/dev/null | head")
    assert r.stdout == ""
    assert not cage.escape("mount_cgroup", "/tmp")


# --------------------------------------------------------------- files and modes

def test_no_devices(cage, outside, place):
    if ROOT:
        assert outside("make_device", str(place / "node")), "the control"
    for path in ("node", "/tmp/node", "/dev/shm/node"):
        assert not cage.escape("make_device", path), path


def test_no_hard_link_to_what_is_shown(cage, outside, place):
    if ROOT:
        (place / "file").write_text("x")
        assert outside("hard_link", str(place / "file")) is True
        os.unlink("linked")
    for path in ("/usr/bin/env", "/etc/passwd", "/attack/escape"):
        assert not cage.escape("hard_link", path), path


def test_no_setuid_or_setgid_file_comes_out(cage, attack, place):
    control = place / "control"
    control.mkdir()
    r = subprocess.run([attack("modes")], cwd=control, text=True,
                       capture_output=True)
    for call in ("fchmod", "openat", "mknodat", "openat O_TMPFILE"):
        assert call in r.stdout, "the control"
    folder = workspace(cage, place)
    r = cage.run("--workspace", folder, "--", "/attack/modes")
    assert (r.returncode, r.stdout) == (0, ""), r
    r = cage.run("--", "/attack/modes")
    assert (r.returncode, r.stdout) == (0, ""), r
    r = cage.sh("cp /usr/bin/env e; chmod 4755 e; chmod u+s e; install -m "
                "6755 /usr/bin/env f; mkdir -m 2755 d; ls -l",
                "--workspace", folder)
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o6000 == 0, path


def privileged_files(cage, folder):
    """What runs with its owner's rights outside; the folder's owner's."""
    (folder / "deep/er").mkdir(parents=True)
    os.symlink("deep", folder / "link")
    kinds = {"suid": 0o4755, "sgid": 0o2755, "deep/er/both": 0o6711,
             "hidden/suid": 0o4700, "plain": 0o755}
    (folder / "hidden").mkdir()
    if ROOT:
        kinds["caps"] = 0o755
    for name, mode in kinds.items():
        path = folder / name
        path.write_bytes(b"program")
        path.chmod(mode)
    os.link(folder / "suid", folder / "deep/name")
    if cage.who == "uid1000":
        subprocess.run(["chown", "-R", "1000:1000", folder], check=True)
        for name, mode in kinds.items():
            (folder / name).chmod(mode)  # chown takes the bits away
    if ROOT:  # CAP_NET_RAW, effective, as setcap(8) writes it
        os.setxattr(folder / "caps", "security.capability",
                    bytes.fromhex("0100000200200000" + "00" * 12))
    (folder / "hidden").chmod(0)
    return sorted(set(kinds) - {"plain"}) + ["deep/name"]


@pytest.mark.parametrize("how", ["--workspace", "--bind"])
def test_what_runs_with_other_rights_cannot_be_rewritten(
        cage, outside, place, how):
    """By a memory map, which keeps the bits that write(2) takes away."""
    control = place / "control"
    control.write_bytes(b"program")
    control.chmod(0o4755)
    assert outside("rewrite", str(control)), "the control"
    assert control.read_bytes()[:1] == b"R"
    assert control.stat().st_mode & 0o4000, "the control"
    folder = workspace(cage, place)
    names = privileged_files(cage, folder)
    before = {name: ((folder / name).stat().st_mode,
                     (folder / name).read_bytes())
              for name in names if ROOT or "hidden" not in name}
    inside = "/workspace" if how == "--workspace" else "/bound"
    shown = folder if how == "--workspace" else f"{folder}:{inside}"
    script = (f"cd {inside}; chmod 700 hidden; for f in {' '.join(names)}; do "
              "/attack/escape rewrite $f; /attack/escape replace $f; "
              "mv $f $f.moved; ln $f linked && /attack/escape rewrite linked; "
              "done; mv deep shallow; /attack/escape rewrite shallow/er/both; "
              "/attack/escape rewrite plain")
    r = cage.sh(script, how, shown)
    assert r.returncode == 0 and r.stdout.split("\n")[-2] == "worked", r
    assert r.stdout.count("worked") == 1, r
    (folder / "hidden").chmod(0o755)
    if (folder / "shallow").exists():
        (folder / "shallow").rename(folder / "deep")
    for name, (mode, content) in before.items():
        assert (folder / name).stat().st_mode == mode, name
        assert (folder / name).read_bytes() == content, name


def test_an_access_list_does_not_arm_a_setuid_file(cage, place):
    """It changes who may execute, and leaves S_ISUID as it is."""
    control = place / "control"
    control.write_bytes(b"program")
    control.chmod(0o4644)
    r = subprocess.run([cage.folder / "reach", "allow_by_list", control],
                       text=True, capture_output=True)
    assert r.stdout == "answered\n", "the control"
    assert control.stat().st_mode & 0o7777 == 0o4775, "the control"
    folder = workspace(cage, place)
    (folder / "suid").write_bytes(b"program")
    if cage.who == "uid1000":
        os.chown(folder / "suid", 1000, 1000)
    (folder / "suid").chmod(0o4644)
    r = cage.sh("/attack/reach allow_by_list suid; echo y > mine; "
                "/attack/reach allow_by_list mine", "--workspace", folder)
    assert r.stdout.split("\n")[0].startswith("failed"), r
    assert r.stdout.split("\n")[1] == "answered", r
    assert (folder / "suid").stat().st_mode & 0o7777 == 0o4644


def test_a_folder_too_deep_to_be_looked_through_is_refused(cage, place):
    folder = workspace(cage, place)
    here = os.getcwd()
    try:
        os.chdir(folder)
        for _ in range(600):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    r = cage.run("--workspace", folder, "--", "true")
    assert r.returncode == 125 and "look into d" in r.stderr, r


def test_a_privileged_file_by_itself_is_not_shown_writable(cage, place):
    folder = workspace(cage, place)
    path = folder / "suid"
    path.write_bytes(b"program")
    if cage.who == "uid1000":
        os.chown(path, 1000, 1000)
    path.chmod(0o4755)
    r = cage.run("--bind", f"{path}:/tool", "--", "true")
    assert r.returncode == 125 and str(path) in r.stderr, r
    assert cage.run("--ro-bind", f"{path}:/tool", "--", "true").returncode == 0


def test_a_setuid_file_shown_to_it_gives_nothing(cage, place):
    folder = place / "suid"
    folder.mkdir()
    (folder / "id").write_bytes(pathlib.Path("/usr/bin/id").read_bytes())
    (folder / "id").chmod(0o6755)
    control = subprocess.run([folder / "id", "-u"], text=True,
                             capture_output=True).stdout
    assert control.strip() == str(os.geteuid())
    r = cage.run("--ro-bind", f"{folder}:/suid", "--", "/suid/id", "-u")
    assert r.stdout.strip() == "1000"
    assert not cage.escape("become_root") and not cage.escape("regain")


def test_the_host_files_are_read_only(cage):
    r = cage.sh("for f in /x /usr/x /etc/x /etc/passwd /bin/x /dev/x /proc/x "
                "/attack/x; do echo y 2>/dev/null >$f && echo wrote $f; done;"
                "rm -f /usr/bin/env && echo removed; true")
    assert r.stdout == "" and os.path.exists("/usr/bin/env")


def test_host_uid_0_is_not_mapped(cage):
    r = cage.sh("cat /proc/self/uid_map; id -u; stat -c %u /usr/bin/env; "
                "echo 0 0 1 > /proc/self/uid_map; echo $?")
    lines = r.stdout.split("\n")
    assert len(lines[0].split()) == 3 and lines[0].split()[2] == "1"
    assert lines[1:4] == ["1000", "65534", "2"] or lines[3] != "0"


# ------------------------------------------------------------- paths and folders

def test_the_working_folder_does_not_leak(cage, place):
    """CVE-2024-21626: a descriptor or folder of the engine's stays open."""
    secret = place / "secret"
    secret.mkdir()
    secret.chmod(0o755)
    (secret / "gold").write_text("gold")
    fd = os.open(secret, os.O_RDONLY)
    script = ("cat ./gold ../secret/gold /proc/self/cwd/gold "
              "/proc/self/fd/*/gold /proc/1/cwd/gold; ls -1 /proc/self/fd")
    r = cage.sh(script, cwd=secret, pass_fds=[fd])
    assert "gold" not in r.stdout
    assert r.stdout.split() == ["0", "1", "2", "3"]  # 3 is ls's own
    for path in (f"/proc/self/fd/{fd}", "/proc/1/cwd", "/proc/1/root",
                 f"/proc/self/fd/{fd}/..", "../..", str(secret)):
        r = cage.sh("cat gold; pwd", "--chdir", path, cwd=secret,
                    pass_fds=[fd])
        assert "gold\n" not in r.stdout and "gold" != r.stdout[:4], path
    os.close(fd)


def test_no_descriptor_of_the_caller_gets_in(cage, place):
    fds = [os.open(place, os.O_RDONLY) for _ in range(20)]
    for fd in fds:
        os.set_inheritable(fd, True)
    control = subprocess.run(["sh", "-c", "ls /proc/self/fd"], text=True,
                             capture_output=True, pass_fds=fds)
    assert len(control.stdout.split()) > 20, "the control"
    r = cage.sh("ls /proc/self/fd", pass_fds=fds)
    assert r.stdout.split() == ["0", "1", "2", "3"]
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize("hostile", [
    {"dev": "/etc", "proc": "/etc", "workspace": "/etc", "tmp": "/etc"},
    {"dev": "../../../etc", "proc": "usr", "workspace": "..", "tmp": "."},
    {"etc": "/root", "sys": "/sys", "run": "/run"},
])
def test_a_root_file_system_of_hostile_links(cage, place, hostile):
    """CVE-2025-31133, 52565, 52881: masks and devices through links."""
    root = place / "rootfs"
    root.mkdir()
    (root / "bin").mkdir()
    busybox = pathlib.Path("/bin/busybox")
    if not busybox.exists():
        pytest.fail("busybox-static is not installed")
    (root / "bin/busybox").write_bytes(busybox.read_bytes())
    (root / "bin/busybox").chmod(0o755)
    (root / "bin/sh").symlink_to("busybox")
    for name, to in hostile.items():
        (root / name).symlink_to(to)
    before = sorted(os.listdir("/etc")), sorted(os.listdir(root))
    script = ("/bin/busybox touch /dev/x /proc/x /etc/x /run/x /sys/x "
              "2>/dev/null; /bin/busybox cat /proc/self/comm; "
              "/bin/busybox cat /proc/kallsyms /proc/kcore; "
              "/bin/busybox stat -c %t /dev/null; echo w > /workspace/w && "
              "/bin/busybox cat /workspace/w; /bin/busybox ls /root")
    r = cage.sh(script, "--rootfs", f"dir:{root}")
    assert r.returncode != 125, r
    assert r.stdout.split() == ["busybox", "1", "w"], r
    assert (sorted(os.listdir("/etc")), sorted(os.listdir(root))) == before


def test_binds_that_would_show_too_much_are_refused(cage, place):
    (place / "to-root").symlink_to("/")
    (place / "to-proc").symlink_to("/proc")
    (place / "fine").mkdir()
    for bad in ("/:/x", "/proc:/x", "/proc/sys:/x", "/sys:/x", "/dev:/x",
                "/dev/null:/x", f"{place}/../:/x", f"{place}/missing:/x",
                f"{place}/to-root:/x", f"{place}/to-proc:/x",
                f"{place}/fine:/", f"{place}/fine:/proc/x",
                f"{place}/fine:/dev/x", f"{place}/fine:/sys",
                f"{place}/fine:/x/../y", f"{place}/fine:/proc"):
        for option in ("--bind", "--ro-bind"):
            r = cage.run(option, bad, "--", "true")
            assert r.returncode == 125 and r.stderr, (option, bad, r)
    r = cage.run("--ro-bind", f"{place}/fine:/x/y", "--", "ls", "/x/y")
    assert r.returncode == 0, r


def test_a_link_in_the_workspace_does_not_move_a_bind(cage, place):
    folder = workspace(cage, place)
    victim = place / "victim"
    victim.mkdir()
    (folder / "out").symlink_to(victim)
    (folder / "up").symlink_to("../../../../../../tmp")
    (place / "src").mkdir()
    for dst in ("/workspace/out/x", "/workspace/up/x"):
        r = cage.run("--workspace", folder, "--ro-bind",
                     f"{place}/src:{dst}", "--", "true")
        assert r.returncode == 125, (dst, r)
    assert list(victim.iterdir()) == []


def test_protected_paths_hold_against_every_trick(cage, place):
    folder = workspace(cage, place)
    tricks = """
        mkdir -p .git/hooks .skep
        echo x > .git/hooks/pre-commit
        mv .git .old && mkdir -p .git/hooks && echo x > .git/hooks/y
        rm -rf .git .skep
        ln -s /tmp .git
        ln -sf /tmp .git/hooks
        mv .git/hooks .git/h2
        rmdir .skep && mkdir .skep
        echo x > .skep/z
        mkdir d && mv d .skep
        ln .skep/z other
        cp -a .git copy && mv -T copy .git
        true"""
    r = cage.sh(tricks, "--workspace", folder)
    assert r.returncode == 0, r
    assert not (folder / ".git/hooks/pre-commit").exists()
    assert not (folder / ".git/hooks").exists()
    assert not (folder / ".skep").exists()
    # What exists is kept as it is.
    (folder / ".git/hooks").mkdir(parents=True, exist_ok=True)
    (folder / ".git/hooks/kept").write_text("kept")
    if ROOT and cage.who == "uid1000":
        for path in (folder / ".git", folder / ".git/hooks",
                     folder / ".git/hooks/kept"):
            os.chown(path, 1000, 1000)
    cage.sh(tricks + "; echo evil > .git/hooks/kept", "--workspace", folder)
    assert (folder / ".git/hooks/kept").read_text() == "kept"
    assert os.listdir(folder / ".git/hooks") == ["kept"]


@pytest.mark.parametrize("with_folder", [True, False])
def test_only_the_writable_paths_of_a_profile_can_be_written(
        cage, place, with_folder):
    profile = place / "narrow.json"
    profile.write_text('{"extends": "draft", "name": "narrow", "writable": '
                       '["output", "deep/er"], "protected": [".git/hooks", '
                       '".skep", "output/kept"]}')
    options = ["--profile", profile]
    if with_folder:
        folder = workspace(cage, place)
        for name in ("output", "output/kept"):
            (folder / name).mkdir()
            os.chown(folder / name, folder.stat().st_uid, -1)
        options += ["--workspace", folder]
    r = cage.sh("for f in a .git/a .git/hooks/a deep/a .skep/a output/kept/a; "
                "do echo x 2>/dev/null > $f && echo wrote $f; done; "
                "mv output o; mv deep d; mv deep/er d; mv output/kept k; "
                "rm -rf output deep; mkdir new; ln -s /tmp t; rmdir .git; "
                "echo fine > output/f && echo fine > deep/er/f && "
                "echo fine > /tmp/f && cat output/f deep/er/f; ls -A", *options)
    out = r.stdout.split()
    assert out[:2] == ["fine", "fine"] and "wrote" not in out, r
    assert sorted(out[2:]) == [".git", ".skep", "deep", "output"], r
    if with_folder:
        assert (folder / "output/f").read_text() == "fine\n"
        assert sorted(os.listdir(folder)) == ["deep", "output"]


def test_a_protected_path_through_a_link_is_refused(cage, place):
    folder = workspace(cage, place)
    (folder / "elsewhere").mkdir()
    (folder / ".git").symlink_to("elsewhere")
    r = cage.run("--workspace", folder, "--", "true")
    assert r.returncode == 125 and ".git" in r.stderr


# -------------------------------------------------------------- terminals, sockets

def on_terminal(words, env):
    """Run on a terminal of its own: exit status and what it showed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(words[0], words, env)
    shown = b""
    while select.select([fd], [], [], 30)[0]:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


@pytest.mark.parametrize("name", ["type_for_others", "type_high_bits",
                                  "paste", "line_discipline"])
def test_a_terminal_cannot_be_abused(cage, attack, name):
    """TIOCSTI and friends, CVE-2019-10063's high bits included."""
    program = str(attack("escape"))
    if ROOT:
        assert on_terminal([program, name], os.environ)[0] == 0, "the control"
    for option in ("-t", "--no-tty"):
        words = cage.words(option, "--", "/attack/escape", name)
        status, shown = on_terminal(words, cage.skep.env)
        assert status == 1, (option, shown)


@pytest.mark.parametrize("what", ["16,3,0", "17,3,0", "40,1,0", "38,5,0",
                                  "2,3,1", "44,3,0", "1,5,0", "2,1,132",
                                  "31,3,0", "21,5,0", "29,3,1"])
def test_only_plain_sockets(cage, outside, what):
    if ROOT and what in ("16,3,0", "2,3,1", "1,5,0", "17,3,0"):
        assert outside("socket_of", what), "the control"
    assert not cage.escape("socket_of", what)


def test_the_hosts_sockets_are_out_of_reach(cage, outside):
    name = f"skep-test-{os.getpid()}"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0{name}")
    listener.listen()
    web = socket.socket()
    web.bind(("127.0.0.1", 0))
    web.listen()
    port = str(web.getsockname()[1])
    assert outside("abstract", name) and outside("tcp", port), "the control"
    options = [(), ("--profile", "bare", "--net", "loopback")]
    for option in options:
        assert not cage.escape("abstract", name, options=option)
        assert not cage.escape("tcp", port, options=option)
    listener.close()
    web.close()


def test_the_hosts_shared_memory_is_out_of_reach(cage, outside, place):
    libc = ctypes.CDLL(None, use_errno=True)
    key = 0x5ce90000 | os.getpid() & 0xffff
    segment = libc.shmget(key, 4096, 0o1666)
    assert segment != -1
    posix = pathlib.Path(f"/dev/shm/skep-test-{os.getpid()}")
    posix.write_text("x")
    try:
        assert outside("shared_memory", str(key)), "the control"
        assert not cage.escape("shared_memory", str(key))
        assert cage.sh("ls /dev/shm /tmp").stdout == "/dev/shm:\n\n/tmp:\n"
    finally:
        libc.shmctl(segment, 0, None)
        posix.unlink()


def test_two_sandboxes_share_nothing(cage, place):
    """What one leaves in every shared place, the other does not find."""
    leave = ("touch /tmp/mark /dev/shm/mark /workspace/mark; "
             "python3 -c 'import socket,time; s=socket.socket(1); "
             "s.bind(\"\\0mark\"); s.listen(); print(\"ready\", flush=True); "
             "time.sleep(20)'")
    p = subprocess.Popen(cage.words("--", "sh", "-c", leave),
                         env=cage.skep.env, stdout=subprocess.PIPE, text=True)
    try:
        assert p.stdout.readline() == "ready\n"
        r = cage.sh("ls /tmp /dev/shm /workspace; ls /proc | grep -c '^[0-9]';"
                    "pgrep -c python3; /attack/escape abstract mark")
        assert "mark" not in r.stdout and "failed" in r.stdout
        if cage.who == "root":
            uids = {open(f"/proc/{q}/status").read().split("Uid:\t")[1]
                    .split()[0] for q in below(p.pid)}
            assert "0" not in uids and len(uids) == 1
    finally:
        p.terminate()
        p.wait()
        p.stdout.close()


def below(pid):
    found = []
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text() \
            .split():
        found += [int(child), *below(int(child))]
    return found


@pytest.mark.root
def test_two_sandboxes_have_two_uids(skep, attack):
    procs = [skep.start("exec", "--", "sh", "-c", "echo up; sleep 20")
             for _ in range(3)]
    uids = set()
    for p in procs:
        assert p.stdout.readline() == b"up\n"
        leaf = below(p.pid)[-1]
        uids.add(open(f"/proc/{leaf}/status").read().split("Uid:\t")[1]
                 .split()[0])
    assert len(uids) == 3 and "0" not in uids


# ------------------------------------------------------------------- the rest

def test_other_privileged_calls(cage, outside):
    for name in ("set_time", "no_randomness"):
        if ROOT:
            assert outside(name), f"the control of {name}"
        assert not cage.escape(name), name


def test_a_crash_leaves_no_core(cage, place):
    folder = workspace(cage, place)
    r = cage.sh("ulimit -c unlimited; ulimit -c; kill -SEGV $$",
                "--workspace", folder)
    assert r.returncode == 139 and list(folder.iterdir()) == []
    assert "unlimited" not in r.stdout


def test_nothing_comes_with_the_environment(cage):
    r = cage.sh("env", env={"LD_PRELOAD": "/x.so", "AWS_SECRET": "x",
                            "BASH_ENV": "/x", "SSH_AUTH_SOCK": "/x"})
    names = {line.split("=")[0] for line in r.stdout.splitlines()}
    assert not names & {"LD_PRELOAD", "AWS_SECRET", "BASH_ENV",
                        "SSH_AUTH_SOCK", "XDG_STATE_HOME"}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_walls_are_the_same_in_every_profile(cage, profile):
    if cage.who != "root" and profile != "draft":
        r = cage.sh("true", "--profile", profile)
        if r.returncode == 125:  # it says what it lacks, and does not run
            assert "control groups" in r.stderr
            return
    r = cage.sh("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status",
                "--profile", profile)
    fields = dict(line.split(":\t") for line in r.stdout.splitlines())
    assert fields.pop("NoNewPrivs") == "1" and fields.pop("Seccomp") == "2"
    assert set(fields.values()) == {"0" * 16}
    for case in MOUNTS:
        assert not cage.escape(*case, options=("--profile", profile)), case
