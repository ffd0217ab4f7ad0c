#include "sandbox/unpack_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Theory of operation
 *
 * Members come in any order, mostly folder by folder, so the folder of the
 * last one stays open.  Folders are writable while files are put into them,
 * whatever the archive says of their mode: a read-only folder that nobody can
 * fill again helps no one.
 */

static int
open_folder(int dir, const char *name)
{
	return openat(
	    dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Open name below *dir, which is closed unless it is top; -1 with errno. */
static int
descend(int *dir, int top, const char *name)
{
	int fd;

	if (mkdirat(*dir, name, 0755) == -1 && errno != EEXIST)
		return -1;
	fd = open_folder(*dir, name);
	if (fd == -1)
		return -1;
	if (*dir != top)
		close(*dir);
	*dir = fd;
	return 0;
}

/* Walk down path from top; -1 and the reason, *dir is top's then. */
static int
walk(int *dir, int top, const char *path, size_t n, struct unpack_report *r)
{
	struct span rest = {path, n};
	char name[256], why[MEMBER_PATH_MAX + 32];

	*dir = top;
	while (rest.p != NULL) {
		struct span part = span_cut(&rest, '/');

		if (part.n == 0)
			continue;
		if (part.n >= sizeof name)
			errno = ENAMETOOLONG;
		else {
			memcpy(name, part.p, part.n);
			name[part.n] = '\0';
			if (descend(dir, top, name) == 0)
				continue;
		}
		if (*dir != top)
			close(*dir);
		*dir = top;
		if (errno != ELOOP && errno != ENOTDIR)
			return unpack_fail(r, path, "make its folder");
		snprintf(why, sizeof why, "symlink in parent path: %.*s",
		    (int)(n < MEMBER_PATH_MAX ? n : MEMBER_PATH_MAX), path);
		return unpack_refuse(r, path, why);
	}
	return 0;
}

int
unpack_out_open(
    struct unpack_out *out, int root, const char *path, struct unpack_report *r)
{
	int workspace = open_folder(root, ".");

	memset(out, 0, sizeof *out);
	out->top = out->parent = out->file = -1;
	if (workspace == -1)
		return unpack_fail(r, "", "open the workspace");
	if (strcmp(path, ".") == 0)
		path = "";
	if (walk(&out->top, workspace, path, strlen(path), r) == -1) {
		close(workspace);
		return -1;
	}
	if (out->top != workspace)
		close(workspace);
	out->parent = out->top;
	return 0;
}

static void
leave_parent(struct unpack_out *out)
{
	if (out->parent != out->top)
		close(out->parent);
	out->parent = out->top;
	out->folder[0] = '\0';
}

void
unpack_out_close(struct unpack_out *out)
{
	leave_parent(out);
	close(out->top);
}

static int
enter_parent(
    struct unpack_out *out, const char *path, size_t n, struct unpack_report *r)
{
	if (strlen(out->folder) == n && memcmp(out->folder, path, n) == 0)
		return 0;
	leave_parent(out);
	if (walk(&out->parent, out->top, path, n, r) == -1)
		return -1;
	memcpy(out->folder, path, n);
	out->folder[n] = '\0';
	return 0;
}

static int
make_folder(struct unpack_out *out, const char *name, const struct member *m,
    struct unpack_report *r)
{
	int fd = out->parent;

	if (descend(&fd, out->parent, name) == -1) {
		if (errno == ELOOP || errno == ENOTDIR)
			return unpack_refuse(r, out->member,
			    "symlink in parent path: a link or file is there");
		return unpack_fail(r, out->member, "make the folder");
	}
	if (fchmod(fd, (m->mode & 0777) | 0700) == -1) {
		unpack_fail(r, out->member, "change its mode");
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* What is there already gives way, unless it is a folder or a link. */
static int
make_file(struct unpack_out *out, const char *name, const struct member *m,
    struct unpack_report *r)
{
	struct stat st;

	out->file = openat(out->parent, name,
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	    0600);
	if (out->file == -1 && errno == ELOOP)
		return unpack_refuse(
		    r, out->member, "symlink in parent path: a link is there");
	if (out->file == -1)
		return unpack_fail(r, out->member, "create");
	if (fstat(out->file, &st) == -1 || !S_ISREG(st.st_mode) ||
	    ftruncate(out->file, 0) == -1)
		return unpack_fail(r, out->member, "replace");
	out->mode = (m->mode & 0777) | 0600;
	return 0;
}

int
unpack_out_begin(struct unpack_out *out, const char *path,
    const struct member *m, struct unpack_report *r)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	snprintf(out->member, sizeof out->member, "%.*s",
	    (int)sizeof out->member - 1, path);
	if (strcmp(path, ".") == 0)
		return 0;
	if (strlen(name) > 255) {
		errno = ENAMETOOLONG;
		return unpack_fail(r, out->member, "create");
	}
	if (enter_parent(
		out, path, slash != NULL ? (size_t)(slash - path) : 0, r) == -1)
		return -1;
	return m->kind == MEMBER_FOLDER ? make_folder(out, name, m, r)
					: make_file(out, name, m, r);
}

int
unpack_out_write(struct unpack_out *out, struct span s, struct unpack_report *r)
{
	while (s.n > 0) {
		ssize_t went = write(out->file, s.p, s.n);

		if (went == -1 && errno == EINTR)
			continue;
		if (went == -1)
			return unpack_fail(r, out->member, "write");
		s = span_slice(s, (size_t)went, s.n);
	}
	return 0;
}

int
unpack_out_end(struct unpack_out *out, struct unpack_report *r)
{
	int failed;

	if (out->file == -1)
		return 0;
	failed = fchmod(out->file, out->mode) == -1;
	failed |= close(out->file) == -1;
	out->file = -1;
	return failed ? unpack_fail(r, out->member, "finish") : 0;
}
