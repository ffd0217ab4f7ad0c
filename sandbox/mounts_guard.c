/*
 * Files in a writable tree that outside run with somebody's rights.
 *
 * Theory of operation
 *
 * The owner of a tree outside is the sandbox's user inside, so a command may
 * write to the owner's files.  The kernel takes S_ISUID, S_ISGID and file
 * capabilities off a file that is written to, but not off one that is changed
 * through a shared memory map: a setuid program of the caller would keep its
 * bit and run what the command put there.
 *
 * So every such file is made a mount of its own that is read-only.  What has a
 * mount on it cannot be replaced, removed or linked to in this mount
 * namespace, and where the folders above it are moved, the mount goes along.
 * None can be made inside, which is the system call filter's part; what
 * somebody outside makes while the sandbox lives is not seen.
 *
 * The tree is walked with all the rights we still have: what we cannot look
 * into belongs neither to us nor to the command, which has fewer.
 */

#include "sandbox/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/fault.h"
#include "sandbox/mounts_private.h"

#define DEPTH_MAX 512 /* a descriptor and some of the stack each */
#define FILES_MAX 256 /* a mount each */
#define ENTRIES_BYTES 2048

/* A walk; the working folder is the one being looked at. */
struct guard {
	unsigned depth, files;
	struct fault *fault;
};

/* 1: it has capabilities; 0; -1 and errno. */
static int
has_capabilities(const char *name)
{
	if (lgetxattr(name, "security.capability", NULL, 0) > 0)
		return 1;
	switch (errno) {
	case EOVERFLOW: /* those of another user namespace */
		return 1;
	case ENODATA:
	case ENOENT:
	case EOPNOTSUPP:
	case EACCES:
		return 0;
	default:
		return -1;
	}
}

static int
pin(struct guard *g, const char *name)
{
	int fd, rc;

	if (g->files++ == FILES_MAX)
		return fault_set(g->fault, EMLINK,
		    "too many setuid or setgid files in a writable folder:",
		    name);
	fd = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0
				       : fault_at(g->fault, "protect", name);
	rc = mounts_pin(fd, 1, name, g->fault);
	close(fd);
	return rc;
}

static int
look_at(struct guard *g, const char *name)
{
	struct stat st;
	int caps;

	if (lstat(name, &st) == -1)
		return errno == ENOENT || errno == EACCES
			   ? 0
			   : fault_at(g->fault, "look at", name);
	if (!S_ISREG(st.st_mode))
		return 0;
	/* Executable or not: an access list can still make it so. */
	if ((st.st_mode & (S_ISUID | S_ISGID)) != 0)
		return pin(g, name);
	caps = has_capabilities(name);
	if (caps == -1)
		return fault_at(g->fault, "look at", name);
	return caps ? pin(g, name) : 0;
}

static int look_below(struct guard *g, int dir, const char *name);

/* An entry of the folder dir, which stays the working one. */
static int
visit(struct guard *g, int dir, const struct dirent64 *d)
{
	const char *name = d->d_name;
	int below;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (d->d_type == DT_REG)
		return look_at(g, name);
	if (d->d_type == DT_UNKNOWN && look_at(g, name) == -1)
		return -1;
	if (d->d_type != DT_DIR && d->d_type != DT_UNKNOWN)
		return 0;
	below = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (below == -1)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
			       errno == EACCES
			   ? 0
			   : fault_at(g->fault, "look into", name);
	if (look_below(g, below, name) == -1)
		return -1;
	return fchdir(dir) == -1 ? fault_at(g->fault, "leave", name) : 0;
}

/* Look at what is in the folder dir (taken), which becomes the working one. */
static int
look_below(struct guard *g, int dir, const char *name)
{
	_Alignas(struct dirent64) char entries[ENTRIES_BYTES];
	int rc = fchdir(dir);
	long n;

	if (++g->depth > DEPTH_MAX) {
		errno = ELOOP;
		rc = -1;
	}
	while (rc == 0) {
		n = syscall(SYS_getdents64, dir, entries, sizeof entries);
		if (n <= 0) {
			rc = (int)n;
			break;
		}
		for (long at = 0; at < n;) {
			const struct dirent64 *d = (const void *)(entries + at);

			at += d->d_reclen;
			if (visit(g, dir, d) == -1) {
				close(dir);
				return -1;
			}
		}
	}
	if (rc == -1)
		fault_at(g->fault, "look into", name);
	g->depth--;
	close(dir);
	return rc;
}

int
mounts_guard(int tree, const char *name, struct fault *f)
{
	struct guard g = {.fault = f};
	int dir = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir == -1)
		return errno == EACCES ? 0 : fault_at(f, "look into", name);
	return look_below(&g, dir, name);
}

int
mounts_guard_file(const char *path, struct fault *f)
{
	struct stat st;
	int caps;

	if (stat(path, &st) == -1)
		return fault_at(f, "look at", path);
	caps = has_capabilities(path);
	if (caps == -1)
		return fault_at(f, "look at", path);
	return caps || (st.st_mode & (S_ISUID | S_ISGID)) != 0
		   ? fault_set(f, 0,
			 "setuid, setgid or with capabilities, to be shown "
			 "read-only:",
			 path)
		   : 0;
}
