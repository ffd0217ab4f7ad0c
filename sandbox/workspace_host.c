#include "sandbox/workspace_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/os.h"

/*
 * Sources of the host.  Reasons have names, as programs may look for them:
 * path_not_found, outside_base_dir (manifest_source()), symlink_not_supported
 * and path_changed_during_copy.
 */

static int
open_below(int dir, const char *path, int flags)
{
	struct open_how how = {
	    .flags = (uint64_t)(flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK),
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int
workspace_open_source(struct workspace *w, const struct manifest_entry *entry)
{
	const char *folder, *below;
	arena_mark mark = arena_save(&w->arena);
	int dir, fd = -1;

	if (manifest_source(
		&w->arena, w->m, entry, &folder, &below, &w->error) == -1) {
		w->failed = 1;
		return -1;
	}
	dir = os->open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir != -1) {
		fd = open_below(dir, below, O_RDONLY);
		if (fd == -1 && errno == ELOOP)
			workspace_fail(w, 0,
			    "symlink_not_supported: a symbolic link leads to",
			    entry->src);
		os->close(dir);
	}
	if (fd == -1 && !w->failed)
		workspace_fail(w, errno,
		    errno == ENOENT ? "path_not_found: open" : "open",
		    entry->src);
	arena_reset(&w->arena, mark);
	return fd;
}

int
workspace_local_file(struct workspace *w, const struct manifest_entry *entry)
{
	struct stat st;
	int fd = workspace_open_source(w, entry);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		os->close(fd);
		return workspace_fail(
		    w, 0, "is not a regular file:", entry->src);
	}
	w->file = fd;
	w->before = st;
	w->mode = entry->mode;
	return 0;
}

int
workspace_local_dir(struct workspace *w, const struct manifest_entry *entry)
{
	struct stat st;
	int fd;

	if (workspace_make_folder(w, entry->path, entry->mode) == -1)
		return -1;
	if (entry->src == NULL)
		return 0;
	fd = workspace_open_source(w, entry);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISDIR(st.st_mode)) {
		os->close(fd);
		return workspace_fail(w, 0, "is not a folder:", entry->src);
	}
	w->depth = 1;
	w->level[1] =
	    (struct level){.fd = fd, .path_n = strlen(w->path), .before = st};
	return 0;
}

static int
enter_folder(struct workspace *w, int fd, const struct stat *st)
{
	if (w->depth == DEPTH_MAX) {
		os->close(fd);
		return workspace_fail(
		    w, 0, "more than 64 folders deep:", w->path);
	}
	w->level[++w->depth] =
	    (struct level){.fd = fd, .path_n = strlen(w->path), .before = *st};
	return workspace_make_folder(w, w->path, (st->st_mode & 0777) | 0700);
}

/* One entry of the innermost folder, whose path inside is in w->path. */
static int
take_entry(struct workspace *w, const char *name)
{
	struct level *l = &w->level[w->depth];
	struct stat st, seen;
	int fd;

	if (fstatat(l->fd, name, &seen, AT_SYMLINK_NOFOLLOW) == -1)
		return workspace_fail(w, errno, "look at", w->path);
	if (S_ISLNK(seen.st_mode))
		return workspace_fail(w, 0,
		    "symlink_not_supported: symbolic links are not copied:",
		    w->path);
	if (!S_ISREG(seen.st_mode) && !S_ISDIR(seen.st_mode))
		return 0;
	fd = os->openat(l->fd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd == -1 || fstat(fd, &st) == -1) {
		if (fd != -1)
			os->close(fd);
		return workspace_fail(w, errno, "open", w->path);
	}
	if (st.st_dev != seen.st_dev || st.st_ino != seen.st_ino ||
	    (st.st_mode & S_IFMT) != (seen.st_mode & S_IFMT)) {
		os->close(fd);
		return workspace_fail(
		    w, 0, "path_changed_during_copy:", w->path);
	}
	if (S_ISDIR(st.st_mode))
		return enter_folder(w, fd, &st);
	w->file = fd;
	w->before = st;
	w->mode = (st.st_mode & 0777) | 0600;
	return 0;
}

/*
 * Is what fd is open on as it was?  Content or names may have been replaced
 * while we read; whoever copies half of each has neither.
 */
static int
check_unchanged(struct workspace *w, int fd, const struct stat *before)
{
	struct stat now;

	if (fstat(fd, &now) == 0 && now.st_dev == before->st_dev &&
	    now.st_ino == before->st_ino && now.st_size == before->st_size &&
	    now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == before->st_mtim.tv_nsec)
		return 0;
	return workspace_fail(w, 0, "path_changed_during_copy:", w->path);
}

int
workspace_close_source(struct workspace *w)
{
	int status = check_unchanged(w, w->file, &w->before);

	os->close(w->file);
	w->file = -1;
	return status;
}

static int
leave_folder(struct workspace *w)
{
	struct level *l = &w->level[w->depth];
	int status = check_unchanged(w, l->fd, &l->before);

	os->close(l->fd);
	w->depth--;
	return status;
}

int
workspace_walk(struct workspace *w)
{
	struct level *l = &w->level[w->depth];
	_Alignas(struct dirent64) char buffer[1024];
	const struct dirent64 *d = (const void *)buffer;
	size_t n;
	long got;

	lseek(l->fd, l->next, SEEK_SET);
	got = syscall(SYS_getdents64, l->fd, buffer, sizeof buffer);
	w->path[l->path_n] = '\0';
	if (got == -1)
		return workspace_fail(w, errno, "list", w->path);
	if (got == 0)
		return leave_folder(w);
	l->next = d->d_off;
	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return 0;
	n = strlen(d->d_name);
	if (l->path_n + 1 + n + 1 > sizeof w->path)
		return workspace_fail(w, ENAMETOOLONG, "copy", w->path);
	w->path[l->path_n] = '/';
	memcpy(w->path + l->path_n + 1, d->d_name, n + 1);
	return take_entry(w, d->d_name);
}
