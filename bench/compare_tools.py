"""How the other tools are called: each does the same little work.

One static `true` in a sandbox of its own, with the system's folders read-only
beside it where the tool shows any, an empty writable workspace, no network and
no privilege.  A tool that is not installed, or does not work on this host, is
left out by name.  docker is asked through the daemon that answers; when none
does and dockerd is installed, root starts one of its own for as long as it
takes: private folders and socket, no bridge, the plain vfs storage.
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

MOUNTS = ["/usr", "/bin", "/lib", "/lib64"]
IMAGE = "skep-compare"
DAEMON_SECONDS = 30  # to start
CGROUPS = pathlib.Path("/sys/fs/cgroup")
UNIFIED = CGROUPS / "unified"


def mounts(option):
    """The read-only system folders, as this tool wants them said."""
    return [word for m in MOUNTS if os.path.exists(m)
            for word in option(m)]


def bubblewrap(work):
    return ["bwrap", "--unshare-all", "--die-with-parent", "--proc", "/proc",
            "--dev", "/dev", "--tmpfs", "/tmp", "--bind", work / "space",
            "/workspace", "--chdir", "/workspace",
            *mounts(lambda m: ["--ro-bind", m, m]),
            "--ro-bind", work / "true", "/true", "/true"]


def nsjail(work):
    return ["nsjail", "-Mo", "-Q", "--user", "99999", "--group", "99999",
            "--bindmount", f"{work / 'space'}:/workspace",
            "--tmpfsmount", "/tmp", "--cwd", "/workspace",
            *mounts(lambda m: ["--bindmount_ro", m]),
            "--bindmount_ro", f"{work / 'true'}:/true", "--", "/true"]


def isolate(work):
    return ["isolate", "--run", f"--dir=/opt={work}", "--silent", "--",
            "/opt/true"]


def firejail(work):
    return ["firejail", "--noprofile", "--quiet", "--net=none",
            f"--private={work / 'space'}", "--private-dev", "--seccomp",
            "--caps.drop=all", "--nonewprivs", "--", work / "true"]


def bundle(work, runtime):
    """An OCI bundle, as the runtime itself would have it."""
    folder = work / f"bundle-{runtime}"
    root = folder / "rootfs"
    root.mkdir(parents=True)
    shutil.copy(work / "true", root / "true")
    subprocess.run([runtime, "spec"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    spec = json.loads((folder / "config.json").read_text())
    spec["process"]["terminal"] = False
    spec["process"]["args"] = ["/true"]
    spec["root"] = {"path": "rootfs", "readonly": True}
    (folder / "config.json").write_text(json.dumps(spec))
    return [runtime, "--root", work / runtime, "run", "--bundle", folder]


def crun(work):
    return bundle(work, "crun")


def runc(work):
    return bundle(work, "runc")


def podman(work):
    root = work / "podman-rootfs"
    root.mkdir()
    shutil.copy(work / "true", root / "true")
    return ["podman", "--root", work / "podman", "--runroot",
            work / "podman-run", "--storage-driver", "vfs",
            "--cgroup-manager", "cgroupfs", "--events-backend", "none",
            "run", "--rm", "--network", "none", "--ulimit",
            "nofile=1024:1024", "--ulimit", "nproc=4096:4096", "--rootfs",
            root, "/true"]


def docker_image(work):
    """Both programs and nothing else."""
    with subprocess.Popen(["tar", "c", "-C", work, "true", "pause"],
                          stdout=subprocess.PIPE) as tar:
        subprocess.run(["docker", "import", "-", IMAGE], stdin=tar.stdout,
                       check=True, stdout=subprocess.DEVNULL, timeout=60)


def docker(work):
    docker_image(work)
    return ["docker", "run", "--rm", "--network", "none", IMAGE, "/true"]


def docker_exec(work):
    name = f"skep-compare-{os.getpid()}"
    subprocess.run(["docker", "run", "-d", "--rm", "--network", "none",
                    "--name", name, IMAGE, "/pause"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    return ["docker", "exec", name, "/true"]


# name, program that must be installed, command line, rounds are so much shorter
TOOLS = [
    ("bubblewrap", "bwrap", bubblewrap, 1),
    ("nsjail", "nsjail", nsjail, 1),
    ("isolate", "isolate", isolate, 1),
    ("firejail", "firejail", firejail, 4),
    ("crun", "crun", crun, 2),
    ("runc", "runc", runc, 4),
    ("podman", "podman", podman, 20),
    ("docker run", "docker", docker, 30),
]
# The same in a sandbox that lives already.
LIVE_TOOLS = [("docker exec", "docker", docker_exec, 20)]

# Those that want a name of each container.
NAMED = {"crun", "runc"}


def leave_hybrid():
    """
    Old runtimes refuse a host with both versions of cgroups mounted: let all
    tools run where the second one, which nobody uses, is not.
    """
    if os.geteuid() != 0 or not UNIFIED.is_dir() or \
            not (UNIFIED / "cgroup.procs").exists() or \
            "SKEP_COMPARE_INSIDE" in os.environ:
        return
    os.environ["SKEP_COMPARE_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "sh", "-c",
                          f"umount {UNIFIED}; exec \"$@\"", "sh",
                          sys.executable, *sys.argv])


@contextlib.contextmanager
def groups_as_before():
    """Container tools leave empty control groups behind."""
    def groups():
        return {g for name in ("docker", "libpod*", "compare-*")
                for g in (*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}"))}

    before = groups()
    try:
        yield
    finally:
        for group in groups() - before:
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)


@contextlib.contextmanager
def docker_daemon(work):
    """A daemon that answers, if there can be one."""
    def answers():
        return subprocess.run(["docker", "version"], timeout=20,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    if not shutil.which("docker") or answers() or os.geteuid() != 0 or \
            not shutil.which("dockerd"):
        yield
        return
    socket = f"unix://{work / 'docker.sock'}"
    daemon = subprocess.Popen(
        ["dockerd", "--data-root", work / "docker", "--exec-root",
         work / "docker-run", "--pidfile", work / "docker.pid", "--host",
         socket, "--storage-driver", "vfs", "--iptables=false",
         "--ip6tables=false", "--bridge=none", "--exec-opt",
         "native.cgroupdriver=cgroupfs"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ["DOCKER_HOST"] = socket
    try:
        end = time.monotonic() + DAEMON_SECONDS
        while not answers() and time.monotonic() < end and \
                daemon.poll() is None:
            time.sleep(0.2)
        yield
        running = subprocess.run(["docker", "ps", "-q"], text=True,
                                 capture_output=True).stdout.split()
        if running:
            subprocess.run(["docker", "kill", *running], check=False,
                           stdout=subprocess.DEVNULL)
    finally:
        daemon.terminate()
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        del os.environ["DOCKER_HOST"]
