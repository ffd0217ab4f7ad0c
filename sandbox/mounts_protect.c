/*
 * Protected paths of a workspace.
 *
 * A mount point can be neither renamed nor removed in the mount namespace that
 * has it.  So the path itself is bound on itself read-only, and every folder
 * above it, up to the workspace, is bound on itself as it is: otherwise
 * renaming the parent and making it anew would do.  A symbolic link anywhere
 * in the path is refused, since it could be pointed elsewhere.  Where a file
 * stands in the place of a folder above (".git" of a worktree is a file), that
 * file is what is protected.
 *
 * Where a profile says what may be written to, each of those is bound on
 * itself first and the workspace's own mount is made read-only last.
 */

#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "sandbox/fault.h"
#include "sandbox/mounts_private.h"
#include "sandbox/userns.h"

/* A group that our user namespace does not know cannot be given: ours stays. */
static int
give(int dir, const char *name, uid_t uid, gid_t gid)
{
	if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == EINVAL
		   ? fchownat(dir, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW)
		   : -1;
}

int
mounts_make(int dir, const char *name, int is_file, unsigned extra, uid_t uid,
    gid_t gid)
{
	int fd, saved;

	if (is_file) {
		fd = openat(dir, name,
		    O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0644 | extra);
		if (fd == -1)
			return -1;
		close(fd);
	} else if (mkdirat(dir, name, 0755 | extra) == -1)
		return -1;
	if (give(dir, name, uid, gid) == 0)
		return 0;
	saved = errno;
	unlinkat(dir, name, is_file ? 0 : AT_REMOVEDIR);
	errno = saved;
	return -1;
}

/* What prefix shows now, through the mounts made so far. */
static int
reopen(int workspace, const char *prefix, struct fault *f)
{
	int fd = mounts_beneath(workspace, prefix, 0);

	if (fd == -1)
		fault_at(f,
		    errno == ELOOP ? "protect through a symbolic link:"
				   : "protect",
		    prefix);
	return fd;
}

/* Make what is missing of prefix in a workspace that is ours. */
static int
open_or_make(const struct mounts_sandbox *s, int workspace, const char *prefix,
    struct fault *f)
{
	int fd = mounts_beneath(workspace, prefix, 0);

	if (fd != -1)
		return fd;
	if (errno == ENOENT && s->workspace < 0 &&
	    mounts_make(workspace, prefix, 0, 0, s->ids->host_uid,
		s->ids->host_gid) == -1)
		return fault_at(f, "create to protect", prefix);
	return reopen(workspace, prefix, f);
}

static int
check_path(const char *path, char copy[LIMIT_PATH], struct fault *f)
{
	if (path[0] == '/' || path[0] == '\0' || strstr(path, "..") != NULL ||
	    mounts_join(copy, LIMIT_PATH, path, "") == -1)
		return fault_set(f, EINVAL, "path of the workspace", path);
	return 0;
}

/* Let one path stay writable when the workspace is not. */
static int
allow(const struct mounts_sandbox *s, int workspace, const char *path,
    struct fault *f)
{
	char prefix[LIMIT_PATH];
	int rc = 0, last = 0, fd;

	if (check_path(path, prefix, f) == -1)
		return -1;
	for (char *end = prefix; rc == 0 && !last; end++) {
		end = strchrnul(end, '/');
		last = *end == '\0' || end[1] == '\0';
		*end = '\0';
		fd = open_or_make(s, workspace, prefix, f);
		if (fd == -1)
			return -1;
		if (last)
			rc = mounts_pin(fd, 0, prefix, f);
		else
			*end = '/';
		close(fd);
	}
	return rc;
}

/* Can path itself be renamed?  In a read-only workspace most cannot. */
static int
is_writable(const struct mounts_sandbox *s, const char *path)
{
	for (unsigned i = 0; i < s->nwritable; i++) {
		const size_t n = strlen(s->writable[i]);

		if (strncmp(path, s->writable[i], n) == 0 &&
		    (path[n] == '/' || path[n] == '\0'))
			return 1;
	}
	return !s->restricted;
}

/* Protect one path: pin what is above it, then itself. */
static int
protect(const struct mounts_sandbox *s, int workspace, const char *path,
    struct fault *f)
{
	char prefix[LIMIT_PATH];
	int rc = 0, last = 0, fd;
	struct stat st;

	if (check_path(path, prefix, f) == -1)
		return -1;
	for (char *end = prefix; rc == 0 && !last; end++) {
		end = strchrnul(end, '/');
		last = *end == '\0' || end[1] == '\0';
		*end = '\0';
		fd = open_or_make(s, workspace, prefix, f);
		if (fd == -1)
			return -1;
		if (fstat(fd, &st) == -1)
			rc = fault_at(f, "protect", prefix);
		last |= !S_ISDIR(st.st_mode);
		if (rc == 0 && (last || is_writable(s, prefix)))
			rc = mounts_pin(fd, last, prefix, f);
		close(fd);
		if (!last)
			*end = '/';
	}
	return rc;
}

int
mounts_protect_all(const struct mounts_sandbox *s, struct fault *f)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
	static const char at[] = MOUNTS_NEW "/workspace";
	int workspace, rc = 0;

	/* A mount of its own, without those that are to come. */
	*s->ours = open_tree(AT_FDCWD, at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (*s->ours == -1)
		return fault_at(f, "hold /workspace", NULL);
	workspace = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (workspace == -1)
		return fault_at(f, "open /workspace", NULL);
	for (unsigned i = 0; i < s->nwritable && rc == 0; i++)
		rc = allow(s, workspace, s->writable[i], f);
	for (unsigned i = 0; i < s->nprotect && rc == 0; i++)
		rc = protect(s, workspace, s->protect[i], f);
	close(workspace);
	if (rc == 0 && s->restricted &&
	    mount_setattr(AT_FDCWD, at, 0, &ro, sizeof ro) == -1)
		rc = fault_at(f, "make /workspace read-only", NULL);
	return rc;
}
