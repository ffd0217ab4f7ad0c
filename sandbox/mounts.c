#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/fault.h"
#include "sandbox/mounts_private.h"
#include "sandbox/userns.h"

/*
 * What of proc a sandbox does not get to see; the rest is read-only.  Locks of
 * open file descriptions belong to no process, so everybody's are shown.
 * What only the host's root may open needs no mask, for nobody inside is that.
 */
static const char *const masked[] = {
    "kcore", "keys", "kmsg", "timer_list", "kallsyms", "locks"};

/* The host has 3,072 for all: no sandbox may have more than a part of them. */
#define PTYS "128"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

void
mounts_number(char out[MOUNTS_NUMBER], uint64_t v)
{
	char digit[MOUNTS_NUMBER];
	size_t n = 0, k = 0;

	do
		digit[n++] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	while (n > 0)
		out[k++] = digit[--n];
	out[k] = '\0';
}

int
mounts_join(char *out, size_t size, const char *a, const char *b)
{
	const size_t na = strlen(a), nb = strlen(b);

	if (na + nb >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(out, a, na);
	memcpy(out + na, b, nb + 1);
	return 0;
}

void
mounts_tree_path(char out[MOUNTS_NUMBER], unsigned tree)
{
	char number[MOUNTS_NUMBER];

	mounts_number(number, tree);
	(void)mounts_join(out, MOUNTS_NUMBER, "/tree/", number);
}

int
mounts_beneath(int dir, const char *path, int symlinks)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
		       (symlinks ? 0 : RESOLVE_NO_SYMLINKS)};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int
mounts_tmpfs(const char *path, const struct mounts_tmpfs *t, struct fault *f)
{
	static const char *const key[] = {
	    "size=", ",nr_inodes=", ",uid=", ",gid="};
	const uint64_t value[] = {t->bytes, t->inodes, t->uid, t->gid};
	char how[160], number[MOUNTS_NUMBER];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(key); i++) {
		mounts_number(number, value[i]);
		(void)mounts_join(how + n, sizeof how - n, key[i], number);
		n += strlen(how + n);
	}
	memcpy(how + n, ",mode=", 6);
	n += 6;
	for (int shift = 9; shift >= 0; shift -= 3)
		how[n++] = (char)('0' + (t->mode >> shift & 7));
	how[n] = '\0';
	/* What was read when is nobody's business, the next user's least. */
	if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOATIME,
		how) == -1)
		return fault_at(f, "mount tmpfs on", path);
	return 0;
}

int
mounts_pin(int fd, int read_only, const char *name, struct fault *f)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	int tree, rc = 0;

	tree = open_tree(fd, "",
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree == -1)
		return fault_at(f, "open for protection", name);
	if ((read_only && mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE,
			      &attr, sizeof attr) == -1) ||
	    move_mount(tree, "", fd, "",
		MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == -1)
		rc = fault_at(f, "protect", name);
	close(tree);
	return rc;
}

int
mounts_dst_check(const char *dst, struct fault *f)
{
	static const char *const barred[] = {"/proc", "/sys", "/dev"};
	const char *p = dst;

	if (dst[0] != '/')
		return fault_set(f, 0, "destination is not absolute:", dst);
	while (*p == '/')
		p++;
	if (*p == '\0')
		return fault_set(f, 0, "destination is the root:", dst);
	for (p = dst; *p != '\0'; p++) {
		if (p[0] == '/' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
			return fault_set(f, 0, "\".\" in destination:", dst);
		if (p[0] == '/' && p[1] == '/')
			return fault_set(f, 0, "\"//\" in destination:", dst);
		if (p[0] == '/' && p[1] == '.' && p[2] == '.' &&
		    (p[3] == '/' || p[3] == '\0'))
			return fault_set(f, 0, "\"..\" in destination:", dst);
	}
	for (size_t i = 0; i < COUNT(barred); i++) {
		const size_t n = strlen(barred[i]);

		if (strncmp(dst, barred[i], n) == 0 &&
		    (dst[n] == '/' || dst[n] == '\0'))
			return fault_set(f, 0,
			    "destination is at or below /proc, /sys or /dev:",
			    dst);
	}
	return 0;
}

/* The root: the host's view as it stands, or one built to be added to. */
static int
root(const struct mounts_sandbox *s, struct fault *f)
{
	char lower[MOUNTS_NUMBER];

	if (s->rootfs >= 0) {
		mounts_tree_path(lower, (unsigned)s->rootfs);
		return mounts_root_build(lower, f);
	}
	if (s->nattach > 0)
		return mounts_root_build(MOUNTS_VIEW, f);
	/* Our copy of the zygote's, which nobody else needs: no more copies. */
	if (mount(MOUNTS_VIEW, MOUNTS_NEW, NULL, MS_MOVE, NULL) == -1)
		return fault_at(f, "move the root file system", NULL);
	return 0;
}

static int
workspace(const struct mounts_sandbox *s, struct fault *f)
{
	/* Where there are several users, each has a right to be there. */
	const unsigned mode = s->ids->more > 0 ? 01777 : 0755;
	const struct mounts_tmpfs empty = {s->workspace_bytes,
	    s->workspace_inodes, mode, s->ids->host_uid, s->ids->host_gid};
	int tree, rc = 0;

	if (s->layering == MOUNTS_ON_LAYER)
		return mounts_layer_use(s, f);
	if (s->layering == MOUNTS_FILL_LAYER)
		return mounts_layer_fill(s, f);
	if (s->workspace < 0)
		return mounts_tmpfs(MOUNTS_NEW "/workspace", &empty, f);
	tree = mounts_clone(s, (unsigned)s->workspace, f);
	if (tree == -1)
		return -1;
	if (move_mount(tree, "", AT_FDCWD, MOUNTS_NEW "/workspace",
		MOVE_MOUNT_F_EMPTY_PATH) == -1)
		rc = fault_at(f, "attach /workspace", NULL);
	else
		rc = mounts_guard(tree, "/workspace", f);
	close(tree);
	return rc;
}

static int
dev(const struct mounts_sandbox *s, struct fault *f)
{
	const struct mounts_tmpfs shm = {s->tmp_bytes, s->tmp_inodes, 01777,
	    s->ids->host_uid, s->ids->host_gid};

	if (mount("/dev", MOUNTS_NEW "/dev", NULL, MS_MOVE, NULL) == -1)
		return fault_at(f, "move /dev", NULL);
	if (mount("devpts", MOUNTS_NEW "/dev/pts", "devpts",
		MS_NOSUID | MS_NOEXEC,
		"newinstance,ptmxmode=0666,mode=0620,max=" PTYS) == -1)
		return fault_at(f, "mount devpts", NULL);
	return mounts_tmpfs(MOUNTS_NEW "/dev/shm", &shm, f);
}

/*
 * Make the new root the root, on top of the zygote's tree.  That stays below,
 * out of reach: no path leads under a root, and what could take the root off
 * again or set another needs capabilities that nobody here will have.
 * Detaching it instead would wait for a grace period of the kernel's RCU,
 * 0.6 ms, as long as everything else together.  (Not chroot alone: a process
 * whose root is not its namespace's may not make a user namespace.)
 */
static int
move_in(struct fault *f)
{
	if (chdir(MOUNTS_NEW) == -1)
		return fault_at(f, "enter the new root", NULL);
	if (mount(".", "/", NULL, MS_MOVE, NULL) == -1)
		return fault_at(f, "move the new root", NULL);
	if (chroot(".") == -1 || chdir("/") == -1)
		return fault_at(f, "enter the root", NULL);
	return 0;
}

int
mounts_sandbox(const struct mounts_sandbox *s, struct fault *f)
{
	const struct mounts_tmpfs tmp = {s->tmp_bytes, s->tmp_inodes, 01777,
	    s->ids->host_uid, s->ids->host_gid};
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};

	if (root(s, f) == -1 ||
	    mounts_tmpfs(MOUNTS_NEW "/tmp", &tmp, f) == -1 ||
	    workspace(s, f) == -1)
		return -1;
	if (s->nattach > 0 && mounts_attach_all(s, f) == -1)
		return -1;
	if (s->passwd.bytes > 0 && mounts_users(s, f) == -1)
		return -1;
	if ((s->nprotect > 0 || s->restricted) &&
	    s->layering != MOUNTS_FILL_LAYER && mounts_protect_all(s, f) == -1)
		return -1;
	if (dev(s, f) == -1)
		return -1;
	/* A root that was built is a tmpfs that was written to until now. */
	if ((s->rootfs >= 0 || s->nattach > 0) &&
	    mount_setattr(AT_FDCWD, MOUNTS_NEW, 0, &ro, sizeof ro) == -1)
		return fault_at(f, "make the root read-only", NULL);
	return move_in(f);
}

unsigned
mounts_masks(int proc)
{
	unsigned masks = 0;
	struct stat st;

	for (size_t i = 0; i < COUNT(masked); i++)
		if (fstatat(proc, masked[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    (st.st_uid != 0 || (st.st_mode & 077) != 0))
			masks |= 1u << i;
	return masks;
}

int
mounts_proc(const struct mounts_zygote *z, struct fault *f)
{
	char path[32];

	if (mount("proc", "/proc", "proc",
		MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL) == -1)
		return fault_at(f, "mount proc", NULL);
	for (size_t i = 0; i < COUNT(masked); i++) {
		if ((z->masks & 1u << i) == 0)
			continue;
		(void)mounts_join(path, sizeof path, "/proc/", masked[i]);
		if (mount("/dev/null", path, NULL, MS_BIND, NULL) == -1 &&
		    errno != ENOENT)
			return fault_at(f, "mask", path);
	}
	return 0;
}

int
mounts_unproc(struct fault *f)
{
	if (umount2("/proc", MNT_DETACH | UMOUNT_NOFOLLOW) == -1)
		return fault_at(f, "take off proc", NULL);
	return 0;
}
