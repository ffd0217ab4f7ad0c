"""In a chroot, where "/" is no mount: a container built by hand, a rescue."""

import subprocess

import pytest

from conftest import SKEP


@pytest.mark.root
def test_a_sandbox_can_be_built_in_a_chroot_and_the_host_sees_no_mount(
        skep, place):
    """The mounts above are shared, so that a slip would be seen outside."""
    root = place / "root"
    root.mkdir()
    for name in ("usr", "etc", "proc", "dev", "tmp", "sys"):
        (root / name).mkdir()
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "skep").write_bytes(SKEP.read_bytes())
    (root / "skep").chmod(0o755)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    done = subprocess.run(["unshare", "--mount", "sh", "-euc", f"""
        cd {root}
        mount --make-rprivate /
        mount --make-rshared /
        mount --bind /usr usr
        mount --rbind /dev dev
        mount -t proc proc proc
        before=$(wc -l < /proc/self/mountinfo)
        chroot . /skep exec -- sh -c 'echo inside; ls -d /usr /skep'
        test $before = $(wc -l < /proc/self/mountinfo)
        """], env=skep.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    assert done.stdout == "inside\n/usr\n", done.stderr
