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

#define OURS ".skep"

/* A folder or file that is missing, owned by uid:gid; 0, or -1 and errno. */
static int
make(int dir, const char *name, int is_file, uid_t uid, gid_t gid)
{
	int fd;

	if (!is_file)
		return mkdirat(dir, name, 0755) == -1 ||
			       fchownat(dir, name, uid, gid,
				   AT_SYMLINK_NOFOLLOW) == -1
			   ? -1
			   : 0;
	fd = openat(dir, name,
	    O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	close(fd);
	return fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW);
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

/* Protect one path: pin what is above it, then itself. */
static int
protect(const struct mounts_sandbox *s, int workspace, const char *path,
    struct fault *f)
{
	char prefix[LIMIT_PATH];
	int rc = 0, last = 0, fd;
	struct stat st;

	if (path[0] == '/' || path[0] == '\0' || strstr(path, "..") != NULL ||
	    mounts_join(prefix, sizeof prefix, path, "") == -1)
		return fault_set(f, EINVAL, "protected path", path);
	for (char *end = prefix; rc == 0 && !last; end++) {
		end = strchrnul(end, '/');
		last = *end == '\0' || end[1] == '\0';
		*end = '\0';
		fd = mounts_beneath(workspace, prefix, 0);
		if (fd == -1 && errno == ENOENT && s->workspace < 0 &&
		    make(workspace, prefix, 0, userns_uid_here(s->ids),
			userns_gid_here(s->ids)) == -1)
			return fault_at(f, "create to protect", prefix);
		if (fd == -1)
			fd = reopen(workspace, prefix, f);
		if (fd == -1)
			return -1;
		if (fstat(fd, &st) == -1)
			rc = fault_at(f, "protect", prefix);
		last |= !S_ISDIR(st.st_mode);
		if (rc == 0)
			rc = mounts_pin(fd, last, prefix, f);
		/* What was opened before still shows what lies below. */
		if (strcmp(prefix, OURS) == 0 && S_ISDIR(st.st_mode) &&
		    *s->ours == -1)
			*s->ours = fd;
		else
			close(fd);
		if (!last)
			*end = '/';
	}
	return rc;
}

int
mounts_protect_all(const struct mounts_sandbox *s, struct fault *f)
{
	int workspace, rc = 0;

	workspace =
	    open(MOUNTS_NEW "/workspace", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (workspace == -1)
		return fault_at(f, "open /workspace", NULL);
	for (unsigned i = 0; i < s->nprotect && rc == 0; i++)
		rc = protect(s, workspace, s->protect[i], f);
	close(workspace);
	return rc;
}

/* One stand-in that was made, to be removed again. */
static int
remember(struct mounts_standins *s, int dir, const char *name, int is_file)
{
	struct mounts_standin *m = &s->made[s->n];
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    mounts_join(m->name, sizeof m->name, name, "") == -1)
		return -1;
	m->dir = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->dir == -1)
		return -1;
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	m->is_file = is_file;
	s->n++;
	return 0;
}

static int
make_point(struct mounts_standins *s, int root, const struct stat *owner,
    const struct mounts_point *p, struct fault *f)
{
	char prefix[LIMIT_PATH];
	int dir = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC), next;
	char *name = prefix, *end;
	int is_file, saved;

	if (mounts_join(prefix, sizeof prefix, p->path, "") == -1)
		return fault_at(f, "stand-in", p->path);
	do {
		end = strchrnul(name, '/');
		is_file = *end == '\0' && p->is_file;
		if (*end == '/')
			*end++ = '\0';
		next = dir == -1 ? -1 : mounts_beneath(dir, name, 0);
		if (next == -1 && dir != -1 && errno == ENOENT) {
			if (s->n == MOUNTS_STANDINS_MAX) {
				close(dir);
				return fault_set(
				    f, ENOSPC, "stand-in", p->path);
			}
			if (make(dir, name, is_file, owner->st_uid,
				owner->st_gid) == 0 &&
			    remember(s, dir, name, is_file) == 0)
				next = mounts_beneath(dir, name, 0);
		}
		if (next == -1) {
			saved = errno;
			fault_at(f, "stand-in", p->path);
			if (dir != -1)
				close(dir);
			/* A file in the place of a folder is protected. */
			return saved == ENOTDIR ? 0 : -1;
		}
		close(dir);
		dir = next;
		name = end;
	} while (*name != '\0');
	close(dir);
	return 0;
}

int
mounts_standins_make(struct mounts_standins *s, const struct mounts_tree *tree,
    const struct mounts_point *points, unsigned n, struct fault *f)
{
	struct stat owner;

	if (fstat(tree->fd, &owner) == -1)
		return fault_at(f, "look at", tree->path);
	for (unsigned i = 0; i < n; i++)
		if (make_point(s, tree->fd, &owner, &points[i], f) == -1)
			return -1;
	return 0;
}

void
mounts_standins_remove(struct mounts_standins *s)
{
	struct stat st;

	/* The last made is the deepest. */
	while (s->n > 0) {
		struct mounts_standin *m = &s->made[--s->n];

		if (fstatat(m->dir, m->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_dev == m->dev && st.st_ino == m->ino &&
		    (!m->is_file || st.st_size == 0))
			(void)unlinkat(
			    m->dir, m->name, m->is_file ? 0 : AT_REMOVEDIR);
		close(m->dir);
	}
}
