#!/bin/bash
# tests/vm/uml.sh SHARE COMMAND [ARG...]
#
# Run a command as root in a user-mode Linux that has version 2 control groups
# only, whatever the host has.  The host's files are seen through an overlay
# and cannot be changed; SHARE is the one folder that is shared, writable, at
# the same path.  Leaves out, err and status of the command in SHARE.
set -eu

share=$(realpath "$1")
shift
linux=$(command -v linux.uml) || {
	echo "uml.sh: apt-get install user-mode-linux busybox-static" >&2
	exit 69
}
run=$(mktemp -d "$share/uml.XXXXXX")
trap 'rm -rf "$run"' EXIT
printf '%q ' "$@" > "$run/command"

cat > "$run/init" <<INIT
#!/bin/bash

export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
mount -t proc proc /proc
mount -t tmpfs tmpfs /mnt
busybox insmod /usr/lib/uml/modules/\$(uname -r)/kernel/fs/overlayfs/overlay.ko
mkdir /mnt/up /mnt/work /mnt/new
mount -t overlay o -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work /mnt/new
cd /mnt/new
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devtmpfs dev
mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts
for d in tmp run dev/shm; do mount -t tmpfs tmpfs \$d; done
chmod 1777 tmp dev/shm
mkdir -p ".$share"
mount -t hostfs h -o "$share" ".$share"
mkdir -p old
pivot_root . old
cd /
umount -l /old
ln -sf /proc/self/fd /dev/fd
mount -t cgroup2 -o nsdelegate c /sys/fs/cgroup
ip link set lo up 2>/dev/null || busybox ifconfig lo up
hostname uml
cd "$share"
( eval "\$(cat "$run/command")" ) > "$share/out" 2> "$share/err"
echo \$? > "$share/status"
sync
busybox poweroff -f
INIT
chmod +x "$run/init"
rm -f "$share/status"

# hostfs writes as the user who started it; the memory file is mapped
# executable, so it must not lie on a noexec mount.
TMPDIR=${UML_TMPDIR:-/dev/shm} timeout -k 5 "${UML_SECONDS:-240}" \
    "$linux" mem=1G uml_dir="$run/" root=/dev/root rootfstype=hostfs \
    rootflags=/ ro init="$run/init" con=null con0=null,fd:1 quiet \
    </dev/null > "$share/console" 2>&1 || true

if [ ! -s "$share/status" ]; then
	echo "uml.sh: the machine did not come to its end" >&2
	tail -20 "$share/console" "$run/boot" >&2 || true
	exit 70
fi
exit "$(cat "$share/status")"
