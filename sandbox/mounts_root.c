/*
 * A root that is built: when it is not the host's view, or when something is
 * to be added to it.  The root itself is a tmpfs; every entry of the lower
 * folder is bound into it by itself, symbolic links are copied as they are,
 * and the folders that a sandbox needs are made fresh.  So whatever a hostile
 * lower folder has in the place of /dev, /proc, /tmp or /workspace is not even
 * looked at.
 */

#include "sandbox/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "sandbox/fault.h"
#include "sandbox/mounts_private.h"
#include "sandbox/userns.h"

#define ROOT_BYTES (1 << 20)
#define ROOT_INODES 4096
#define MOUNTS_PATH 1024

static const char *const fresh[] = {"dev", "proc", "tmp", "workspace"};
static const char *const left_out[] = {
    ".", "..", "sys", "dev", "proc", "tmp", "workspace"};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* What getdents64(2) writes. */
struct entry {
	uint64_t ino;
	int64_t next;
	uint16_t bytes;
	uint8_t kind;
	char name[];
};

/* Of the root itself, or of a folder in it (which has only dots). */
static int
is_left_out(const char *name, int is_root)
{
	for (size_t i = 0; i < (is_root ? COUNT(left_out) : 2); i++)
		if (strcmp(name, left_out[i]) == 0)
			return 1;
	return 0;
}

static int
copy_link(int lower, const char *name, int new, struct fault *f)
{
	char target[LIMIT_PATH];
	ssize_t n = readlinkat(lower, name, target, sizeof target - 1);

	if (n == -1)
		return fault_at(f, "read the link", name);
	target[n] = '\0';
	if (symlinkat(target, new, name) == -1)
		return fault_at(f, "link", name);
	return 0;
}

/* An empty folder or file to mount on. */
static int
make_point(int dir, const char *name, int is_file)
{
	int fd;

	if (!is_file)
		return mkdirat(dir, name, 0755);
	fd = openat(dir, name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	close(fd);
	return 0;
}

static int
add_entry(int lower, const char *name, int new, struct fault *f)
{
	struct stat st;
	int tree, rc = 0;

	if (fstatat(lower, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return fault_at(f, "look at", name);
	if (S_ISLNK(st.st_mode))
		return copy_link(lower, name, new, f);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return 0;
	if (make_point(new, name, S_ISREG(st.st_mode)) == -1)
		return fault_at(f, "create", name);
	tree = open_tree(lower, name,
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
		AT_SYMLINK_NOFOLLOW);
	if (tree == -1)
		return fault_at(f, "open", name);
	if (move_mount(tree, "", new, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		rc = fault_at(f, "bind", name);
	close(tree);
	return rc;
}

static int
add_entries(int lower, int new, int is_root, struct fault *f)
{
	_Alignas(struct entry) char bytes[4096];
	long n;

	while ((n = syscall(SYS_getdents64, lower, bytes, sizeof bytes)) > 0)
		for (long at = 0; at < n;) {
			const struct entry *e = (const void *)(bytes + at);

			if (!is_left_out(e->name, is_root) &&
			    add_entry(lower, e->name, new, f) == -1)
				return -1;
			at += e->bytes;
		}
	return n == 0 ? 0 : fault_at(f, "list the root file system", NULL);
}

int
mounts_root_build(const char *lower_path, struct fault *f)
{
	const struct mounts_tmpfs t = {
	    ROOT_BYTES, ROOT_INODES, 0755, geteuid(), getegid()};
	int lower, new = -1, rc = -1;

	lower = open(lower_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lower == -1)
		return fault_at(f, "open the root file system", NULL);
	if (mounts_tmpfs(MOUNTS_NEW, &t, f) == -1)
		goto out;
	new = open(MOUNTS_NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (new == -1) {
		fault_at(f, "open the new root", NULL);
		goto out;
	}
	rc = add_entries(lower, new, 1, f);
	for (size_t i = 0; i < COUNT(fresh) && rc == 0; i++)
		if (mkdirat(new, fresh[i], 0755) == -1)
			rc = fault_at(f, "create", fresh[i]);
out:
	if (new != -1)
		close(new);
	close(lower);
	return rc;
}

int
mounts_map_ids(
    const struct mounts_sandbox *s, int tree, const char *path, struct fault *f)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	struct stat st;
	int map, rc = 0;

	if (fstat(tree, &st) == -1)
		return fault_at(f, "look at", path);
	if (st.st_uid == s->ids->host_uid && st.st_gid == s->ids->host_gid)
		return 0;
	map = userns_idmap(s->zygote->proc, st.st_uid, st.st_gid, s->ids, f);
	if (map == -1)
		return -1;
	attr.userns_fd = (uint64_t)map;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
		sizeof attr) == -1)
		rc = fault_at(f, "id-map (not on this file system?)", path);
	close(map);
	return rc;
}

int
mounts_clone(const struct mounts_sandbox *s, unsigned i, struct fault *f)
{
	const struct mounts_tree *t = &s->zygote->trees[i];
	char at[MOUNTS_NUMBER];
	int tree;

	mounts_tree_path(at, i);
	tree = open_tree(
	    AT_FDCWD, at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree == -1) {
		fault_at(f, "clone", t->path);
		return -1;
	}
	if (s->zygote->privileged && !t->read_only &&
	    mounts_map_ids(s, tree, t->path, f) == -1) {
		close(tree);
		return -1;
	}
	return tree;
}

/* Open prefix below new; when only its last name is missing in dir, make it. */
static int
step(int new, const char *prefix, int dir, const char *name)
{
	int fd = mounts_beneath(new, prefix, 1);

	if (fd == -1 && errno == ENOENT && mkdirat(dir, name, 0755) == 0)
		fd = mounts_beneath(new, prefix, 1);
	return fd;
}

/*
 * Open the folder that holds the last name of the absolute path below new,
 * making what is missing of it; -1 and errno.
 */
static int
open_parent(int new, const char *path)
{
	char prefix[LIMIT_PATH];
	int dir, next, saved;

	if (mounts_join(prefix, sizeof prefix, path + 1, "") == -1)
		return -1;
	dir = openat(new, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (char *name = prefix, *end; dir != -1; name = end + 1) {
		end = strchr(name, '/');
		if (end == NULL)
			break;
		*end = '\0';
		next = step(new, prefix, dir, name);
		*end = '/';
		saved = errno;
		close(dir);
		errno = saved;
		dir = next;
	}
	return dir;
}

/* The folders that were made writable so that points can be made in them. */
struct opened {
	unsigned n;
	char path[MOUNTS_TREES_MAX][MOUNTS_PATH];
};

/* The real path, below MOUNTS_NEW, of what exists of path; -1 and errno. */
static int
find_existing(int new, const char *path, char out[MOUNTS_PATH])
{
	char prefix[LIMIT_PATH], link[64] = "/proc/self/fd/", *slash;
	ssize_t n;
	int fd;

	if (mounts_join(prefix, sizeof prefix, path + 1, "") == -1)
		return -1;
	while ((fd = mounts_beneath(new, prefix, 1)) == -1) {
		slash = strrchr(prefix, '/');
		if (slash == NULL)
			return -1;
		*slash = '\0';
	}
	mounts_number(link + strlen(link), (uint64_t)fd);
	n = readlink(link, out, MOUNTS_PATH - 1);
	close(fd);
	if (n <= (ssize_t)sizeof MOUNTS_NEW || n == MOUNTS_PATH - 1)
		return -1;
	out[n] = '\0';
	return 0;
}

static int
make_scratch(const char *top, char upper[], char work[], size_t size)
{
	if (mounts_join(upper, size, MOUNTS_SCRATCH "/u-", top) == -1 ||
	    mounts_join(work, size, MOUNTS_SCRATCH "/w-", top) == -1 ||
	    mkdir(upper, 0755) == -1 || mkdir(work, 0755) == -1)
		return -1;
	return 0;
}

/* Put an overlay on the entry of the root that path lies in. */
static int
overlay(char path[MOUNTS_PATH], int is_first, struct fault *f)
{
	const struct mounts_tmpfs t = {
	    ROOT_BYTES, ROOT_INODES, 0755, geteuid(), getegid()};
	char upper[NAME_MAX + 16], work[NAME_MAX + 16], how[4 * NAME_MAX];
	char *top = path + sizeof MOUNTS_NEW;
	const char *part[] = {
	    "lowerdir=", path, ",upperdir=", upper, ",workdir=", work};
	size_t n = 0;

	*strchrnul(top, '/') = '\0';
	if (is_first && mounts_tmpfs(MOUNTS_SCRATCH, &t, f) == -1)
		return -1;
	if (make_scratch(top, upper, work, sizeof upper) == -1)
		return fault_at(f, "prepare an overlay for", path);
	for (size_t i = 0; i < COUNT(part); i++) {
		if (mounts_join(how + n, sizeof how - n, part[i], "") == -1)
			return fault_at(f, "prepare an overlay for", path);
		n += strlen(part[i]);
	}
	if (mount("overlay", path, "overlay", MS_NOSUID | MS_NODEV, how) == -1)
		return fault_at(f, "mount an overlay for", path);
	return 0;
}

/*
 * Without root an overlay cannot copy folders of the host's root up.  Instead
 * the folder becomes a tmpfs into which its entries are bound one by one.
 */
static int
spread(const char *path, struct fault *f)
{
	const struct mounts_tmpfs t = {
	    4 * ROOT_BYTES, 4 * ROOT_INODES, 0755, geteuid(), getegid()};
	int lower, new = -1, rc = -1;

	lower = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lower == -1)
		return fault_at(f, "open", path);
	if (mounts_tmpfs(path, &t, f) == 0) {
		new = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (new == -1)
			fault_at(f, "open", path);
		else
			rc = add_entries(lower, new, 0, f);
	}
	if (new != -1)
		close(new);
	close(lower);
	return rc;
}

static int
make_writable(const struct mounts_sandbox *s, struct opened *o, int new,
    const char *dst, struct fault *f)
{
	char *path = o->path[o->n];

	if (find_existing(new, dst, path) == -1)
		return fault_set(f, EROFS, "destination", dst);
	if ((s->zygote->privileged ? overlay(path, o->n == 0, f)
				   : spread(path, f)) == -1)
		return -1;
	o->n++;
	return 0;
}

/* The destination, made if it is missing; -1 and errno. */
static int
open_point(int new, const char *path, int is_file)
{
	const char *name = strrchr(path, '/') + 1;
	int dir = open_parent(new, path), at, saved;

	if (dir == -1)
		return -1;
	at = mounts_beneath(new, path + 1, 1);
	if (at == -1 && errno == ENOENT && make_point(dir, name, is_file) == 0)
		at = mounts_beneath(new, path + 1, 0);
	saved = errno;
	close(dir);
	errno = saved;
	return at;
}

static int
attach(const struct mounts_sandbox *s, const struct mounts_attach *a, int new,
    struct opened *o, struct fault *f)
{
	const struct mounts_tree *t = &s->zygote->trees[a->tree];
	int at, tree = -1, rc = -1;
	struct stat st;

	if (mounts_dst_check(a->dst, f) == -1)
		return -1;
	at = open_point(new, a->dst, t->is_file);
	if (at == -1 && (errno == EROFS || errno == EACCES) &&
	    o->n < MOUNTS_TREES_MAX) {
		if (make_writable(s, o, new, a->dst, f) == -1)
			return -1;
		at = open_point(new, a->dst, t->is_file);
	}
	if (at == -1)
		return fault_at(f, "destination", a->dst);
	if (fstat(at, &st) == -1 || S_ISDIR(st.st_mode) == t->is_file) {
		fault_set(
		    f, t->is_file ? EISDIR : ENOTDIR, "destination", a->dst);
		goto out;
	}
	tree = mounts_clone(s, a->tree, f);
	if (tree == -1)
		goto out;
	if (move_mount(tree, "", at, "",
		MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == -1)
		fault_at(f, "attach", a->dst);
	else if (t->read_only || t->is_file)
		rc = 0;
	else
		rc = mounts_guard(tree, a->dst, f);
out:
	if (tree != -1)
		close(tree);
	close(at);
	return rc;
}

int
mounts_attach_all(const struct mounts_sandbox *s, struct fault *f)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
	struct opened o = {.n = 0};
	int new = open(MOUNTS_NEW, O_PATH | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (new == -1)
		return fault_at(f, "open the new root", NULL);
	for (unsigned i = 0; i < s->nattach && rc == 0; i++)
		rc = attach(s, &s->attach[i], new, &o, f);
	for (unsigned i = 0; i < o.n && rc == 0; i++) {
		if (mount_setattr(AT_FDCWD, o.path[i], 0, &ro, sizeof ro) == -1)
			rc = fault_at(f, "make read-only again:", o.path[i]);
	}
	close(new);
	return rc;
}
