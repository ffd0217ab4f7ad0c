#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "sandbox/etc.h"
#include "sandbox/fault.h"
#include "sandbox/mounts_private.h"

/* Where the zygote builds: hides a folder that every Linux has. */
#define BASE "/tmp"

#define TREE_BYTES (1 << 20) /* of the zygote's own tmpfs */
#define TREE_INODES 1024

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const char *const folders[] = {
    "view", "dev", "proc", "tree", "new", "scratch"};

static const char *const view_folders[] = {
    "dev", "proc", "tmp", "workspace", "etc", "run", "var"};

/* Of the host's root file system, if they are there. */
static const char *const shown[] = {
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};

static const struct {
	const char *name;
	unsigned major, minor;
} nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8},
    {"urandom", 1, 9}, {"tty", 5, 0}};

static const struct {
	const char *name, *target;
} dev_links[] = {{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
    {"ptmx", "pts/ptmx"}};

/* Clone what from/name shows and mount it on to/name. */
static int
bind(int from, const char *name, int to, struct fault *f)
{
	int tree = open_tree(from, name,
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
		AT_SYMLINK_NOFOLLOW);
	int rc = 0;

	if (tree == -1)
		return fault_at(f, "open the host's", name);
	if (move_mount(tree, "", to, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		rc = fault_at(f, "bind the host's", name);
	close(tree);
	return rc;
}

static int
show(int host, const char *name, int view, struct fault *f)
{
	char target[256];
	struct stat st;
	ssize_t n;

	if (fstatat(host, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : fault_at(f, "look at", name);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(host, name, target, sizeof target - 1);
		if (n == -1)
			return fault_at(f, "read the link", name);
		target[n] = '\0';
		if (symlinkat(target, view, name) == -1)
			return fault_at(f, "link", name);
		return 0;
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (mkdirat(view, name, 0755) == -1)
		return fault_at(f, "create", name);
	return bind(host, name, view, f);
}

/* Make everything in the tree fd read-only, for good. */
static int
seal(int fd, uint64_t set, const char *name, struct fault *f)
{
	struct mount_attr attr = {
	    .attr_set = set | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};

	if (mount_setattr(
		fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) == -1)
		return fault_at(f, "make read-only:", name);
	return 0;
}

static int
open_dir(int dir, const char *name, struct fault *f)
{
	int fd =
	    openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		fault_at(f, "open", name);
	return fd;
}

static int
build_view(const struct mounts_zygote *z, int host, int base, struct fault *f)
{
	const struct mounts_tmpfs t = {
	    TREE_BYTES * 2, TREE_INODES, 0755, geteuid(), getegid()};
	int view, etc, rc;

	if (mounts_tmpfs(BASE "/view", &t, f) == -1)
		return -1;
	view = open_dir(base, "view", f);
	if (view == -1)
		return -1;
	rc = 0;
	for (size_t i = 0; i < COUNT(view_folders) && rc == 0; i++)
		if (mkdirat(view, view_folders[i], 0755) == -1)
			rc = fault_at(f, "create", view_folders[i]);
	if (rc == 0 && symlinkat("../tmp", view, "var/tmp") == -1)
		rc = fault_at(f, "link /var/tmp", NULL);
	for (size_t i = 0; i < COUNT(shown) && rc == 0; i++)
		rc = show(host, shown[i], view, f);
	etc = rc == 0 ? open_dir(view, "etc", f) : -1;
	rc = etc == -1 ? -1 : etc_build(etc, host, z->user, z->uid, f);
	if (etc != -1)
		close(etc);
	if (rc == 0)
		rc = seal(view, MOUNT_ATTR_NODEV, "the view", f);
	close(view);
	return rc;
}

static int
make_node(const struct mounts_zygote *z, int host_dev, int dev, size_t i,
    struct fault *f)
{
	const char *name = nodes[i].name;
	int fd;

	if (z->privileged) {
		if (mknodat(dev, name, S_IFCHR | 0666,
			makedev(nodes[i].major, nodes[i].minor)) == -1 ||
		    fchmodat(dev, name, 0666, 0) == -1)
			return fault_at(f, "make the node", name);
		return 0;
	}
	fd = openat(dev, name, O_RDONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd == -1)
		return fault_at(f, "create /dev/", name);
	close(fd);
	return bind(host_dev, name, dev, f);
}

static int
build_dev(const struct mounts_zygote *z, int host, int base, struct fault *f)
{
	const struct mounts_tmpfs t = {
	    TREE_BYTES, 64, 0755, geteuid(), getegid()};
	int host_dev = -1, dev, rc = 0;

	if (mounts_tmpfs(BASE "/dev", &t, f) == -1)
		return -1;
	/* A tmpfs is mounted nodev: these nodes are to be used. */
	if (z->privileged &&
	    mount(NULL, BASE "/dev", NULL,
		MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NOEXEC, NULL) == -1)
		return fault_at(f, "allow nodes in /dev", NULL);
	dev = open_dir(base, "dev", f);
	if (dev == -1)
		return -1;
	host_dev = openat(host, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (host_dev == -1)
		rc = fault_at(f, "open the host's /dev", NULL);
	for (size_t i = 0; i < COUNT(nodes) && rc == 0; i++)
		rc = make_node(z, host_dev, dev, i, f);
	for (size_t i = 0; i < COUNT(dev_links) && rc == 0; i++)
		if (symlinkat(dev_links[i].target, dev, dev_links[i].name) ==
		    -1)
			rc = fault_at(f, "link /dev/", dev_links[i].name);
	if (rc == 0 && (mkdirat(dev, "pts", 0755) == -1 ||
			   mkdirat(dev, "shm", 0755) == -1))
		rc = fault_at(f, "create /dev/pts", NULL);
	if (rc == 0)
		rc = seal(dev, MOUNT_ATTR_NOEXEC, "/dev", f);
	close(host_dev);
	close(dev);
	return rc;
}

/* What a path must not be, wherever symbolic links lead. */
static int
check_source(int fd, const char *path, struct fault *f)
{
	static const char *const barred[] = {"/proc", "/sys", "/dev"};
	char link[64] = "/proc/self/fd/", real[LIMIT_PATH];
	struct statfs fs;
	ssize_t n;

	mounts_number(link + strlen(link), (uint64_t)fd);
	n = readlink(link, real, sizeof real - 1);
	if (n == -1 || fstatfs(fd, &fs) == -1)
		return fault_at(f, "look at", path);
	real[n] = '\0';
	if (strcmp(real, "/") == 0)
		return fault_set(f, 0, "will not show all of the host:", path);
	for (size_t i = 0; i < COUNT(barred); i++) {
		const size_t k = strlen(barred[i]);

		if (strncmp(real, barred[i], k) == 0 &&
		    (real[k] == '/' || real[k] == '\0'))
			return fault_set(
			    f, 0, "will not show /proc, /sys or /dev:", path);
	}
	if (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
	    fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC)
		return fault_set(f, 0, "will not show kernel files:", path);
	return 0;
}

static int
has_dotdot(const char *path)
{
	for (const char *p = path; *p != '\0'; p++)
		if ((p == path || p[-1] == '/') && p[0] == '.' && p[1] == '.' &&
		    (p[2] == '/' || p[2] == '\0'))
			return 1;
	return 0;
}

/* A detached mount of the tree's source, in t->fd. */
static int
take_tree(struct mounts_tree *t, struct fault *f)
{
	struct mount_attr attr = {
	    .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			(t->read_only ? MOUNT_ATTR_RDONLY : 0)};
	struct stat st;
	int fd;

	if (has_dotdot(t->path))
		return fault_set(f, 0, "\"..\" in source:", t->path);
	fd = open(t->path, O_PATH | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		return fault_at(f, "source", t->path);
	if (check_source(fd, t->path, f) == -1)
		goto fail;
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		fault_set(f, 0, "neither a folder nor a file:", t->path);
		goto fail;
	}
	t->is_file = S_ISREG(st.st_mode);
	if (t->is_file && !t->read_only && mounts_guard_file(t->path, f) == -1)
		goto fail;
	t->fd = open_tree(fd, "",
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (t->fd == -1 ||
	    mount_setattr(t->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
		sizeof attr) == -1) {
		fault_at(f, "take", t->path);
		goto fail;
	}
	close(fd);
	return 0;
fail:
	close(fd);
	return -1;
}

/* Put it on tree/N below base. */
static int
keep_tree(const struct mounts_tree *t, unsigned i, int base, struct fault *f)
{
	char at[MOUNTS_NUMBER];
	int fd;

	mounts_tree_path(at, i);
	if (t->is_file) {
		fd = openat(base, at + 1, O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd == -1)
			return fault_at(f, "create", at);
		close(fd);
	} else if (mkdirat(base, at + 1, 0755) == -1)
		return fault_at(f, "create", at);
	if (move_mount(t->fd, "", base, at + 1, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		return fault_at(f, "keep", t->path);
	return 0;
}

static int
build(struct mounts_zygote *z, int host, int base, struct fault *f)
{
	for (size_t i = 0; i < COUNT(folders); i++)
		if (mkdirat(base, folders[i], 0755) == -1)
			return fault_at(f, "create", folders[i]);
	if (build_view(z, host, base, f) == -1 ||
	    build_dev(z, host, base, f) == -1)
		return -1;
	for (unsigned i = 0; i < z->ntrees; i++)
		if (keep_tree(&z->trees[i], i, base, f) == -1)
			return -1;
	return bind(host, "proc", base, f);
}

/* Leave the host's tree for the one on BASE; it is gone afterwards. */
static int
move_in(struct fault *f)
{
	if (chdir(BASE) == -1 || syscall(SYS_pivot_root, ".", ".") == -1)
		return fault_at(f, "pivot_root into the zygote's tree", NULL);
	if (umount2(".", MNT_DETACH) == -1 || chdir("/") == -1)
		return fault_at(f, "detach the host's tree", NULL);
	return 0;
}

/* The trees by their new names. */
static int
name_trees(struct mounts_zygote *z, struct fault *f)
{
	for (unsigned i = 0; i < z->ntrees; i++) {
		char at[MOUNTS_NUMBER];

		mounts_tree_path(at, i);
		close(z->trees[i].fd);
		z->trees[i].fd = open(at, O_PATH | O_CLOEXEC);
		if (z->trees[i].fd == -1)
			return fault_at(f, "open", at);
	}
	return 0;
}

int
mounts_zygote(struct mounts_zygote *z, struct fault *f)
{
	const struct mounts_tmpfs t = {
	    TREE_BYTES, TREE_INODES, 0755, geteuid(), getegid()};
	int host, base = -1, rc = -1;

	if (mounts_alone(f) == -1)
		return -1;
	host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (host == -1)
		return fault_at(f, "open /", NULL);
	for (unsigned i = 0; i < z->ntrees; i++)
		if (take_tree(&z->trees[i], f) == -1)
			goto out;
	if (mounts_tmpfs(BASE, &t, f) == -1)
		goto out;
	base = open(BASE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base == -1) {
		fault_at(f, "open", BASE);
		goto out;
	}
	if (build(z, host, base, f) == -1 || move_in(f) == -1 ||
	    name_trees(z, f) == -1)
		goto out;
	z->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (z->proc == -1)
		fault_at(f, "open /proc", NULL);
	else {
		z->masks = mounts_masks(z->proc);
		rc = 0;
	}
out:
	if (base != -1)
		close(base);
	close(host);
	return rc;
}
