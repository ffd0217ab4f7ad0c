#include "sandbox/workspace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "sandbox/sandbox.h"

/*
 * Theory of operation
 *
 * One entry after the other, one slice after the other: advance() starts the
 * next verb until WINDOW are under way or a turn's share of reading is used
 * up, and runs again, from the loop, when one has ended.  Verbs are carried
 * out in order, so a folder is there before its files.
 *
 * A local_dir is walked with a stack of open folders: an entry is read, its
 * place remembered, and a folder entered by its name below the one it was
 * found in, never by a path and never through a link.
 */

#define WORKSPACE_MAGIC 0x5a4d8010
#define WINDOW (SANDBOX_OPS_MAX / 2)
#define READ_A_TURN (1024 * 1024)
#define DEPTH_MAX 64

struct level {
	int fd;
	off_t next;    /* where to go on reading */
	size_t path_n; /* of the folder inside */
};

struct workspace {
	unsigned magic;
	struct sandbox *sb;
	const struct manifest *m;
	workspace_done_fn *done;
	void *owner;
	struct loop_deferred next;
	unsigned entry;  /* the one being put, */
	int started;     /* once the first is */
	int group_due;   /* what is at path belongs to the entry's group */
	unsigned flying; /* verbs under way */
	struct file_op *op[WINDOW];
	int failed;
	struct error error;
	int64_t last_change_ns;
	struct arena arena;

	int file; /* source being copied, or -1 */
	uint32_t mode;
	struct span text; /* content being put; p != NULL */
	uint64_t offset;
	char path[LIMIT_PATH]; /* inside */

	int depth; /* of the local_dir being walked; 0: none */
	struct level level[DEPTH_MAX + 1];
	char slice[SANDBOX_SLICE];
};

static void
end(struct workspace *w)
{
	for (unsigned i = 0; i < WINDOW; i++) {
		if (w->op[i] != NULL)
			file_op_cancel(w->op[i]);
	}
	loop_undefer(&w->next);
	if (w->file != -1)
		os->close(w->file);
	for (; w->depth > 0; w->depth--)
		os->close(w->level[w->depth].fd);
	arena_release(&w->arena);
	w->magic = 0;
	pool_give(w);
}

/* The source at fault is named, then the manifest's line. */
static int
fail(struct workspace *w, int os_errno, const char *what, const char *path)
{
	const struct manifest_entry *entry = &w->m->entries[w->entry];

	w->failed = 1;
	return error_set(&w->error, ERROR_MANIFEST, os_errno,
	    "manifest entry %s: %s %s", entry->path, what, path);
}

static void
put_done(struct file_op *op, const struct file_result *r, void *owner)
{
	struct workspace *w = owner;

	CHECK_OBJ(w, WORKSPACE_MAGIC);
	for (unsigned i = 0; i < WINDOW; i++) {
		if (w->op[i] == op)
			w->op[i] = NULL;
	}
	w->flying--;
	if (r->error == NULL && r->stat.changed_ns > w->last_change_ns)
		w->last_change_ns = r->stat.changed_ns;
	if (r->error != NULL && !w->failed) {
		w->failed = 1;
		w->error = *r->error;
	}
	loop_defer(&w->next);
}

static int
started(struct workspace *w, struct file_op *op)
{
	if (op == NULL) {
		w->failed = 1;
		return -1;
	}
	for (unsigned i = 0; i < WINDOW; i++) {
		if (w->op[i] == NULL) {
			w->op[i] = op;
			break;
		}
	}
	w->flying++;
	return 0;
}

static int
make_folder(struct workspace *w, const char *path, uint32_t mode)
{
	w->group_due = 1;
	return started(
	    w, sandbox_mkdir(w->sb, path, mode, FILE_PARENTS | FILE_OURS,
		   put_done, w, &w->error));
}

static int
give_to_group(struct workspace *w)
{
	const char *group = w->m->entries[w->entry].group;

	w->group_due = 0;
	return group == NULL
		   ? 0
		   : started(w, sandbox_chgrp(w->sb, w->path, group, FILE_OURS,
				    put_done, w, &w->error));
}

/* One slice of the file whose text or descriptor is at hand. */
static int
put_slice(struct workspace *w, struct span s)
{
	unsigned flags = FILE_PARENTS | FILE_OURS;

	if (w->offset == 0)
		flags |= FILE_CREATE | FILE_TRUNCATE;
	if (started(w, sandbox_put(w->sb, w->path, w->mode, w->offset, flags, s,
			   put_done, w, &w->error)) == -1)
		return -1;
	w->offset += s.n;
	return 0;
}

/* ---------------------------------------------------------- host's sources */

static int
open_below(int dir, const char *path, int flags)
{
	struct open_how how = {
	    .flags = (uint64_t)(flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK),
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

/* Open an entry's source; -1 after fail(). */
static int
open_source(struct workspace *w, const struct manifest_entry *entry)
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
			fail(w, 0, "a symbolic link leads to", entry->src);
		os->close(dir);
	}
	if (fd == -1 && !w->failed)
		fail(w, errno, "open", entry->src);
	arena_reset(&w->arena, mark);
	return fd;
}

static int
start_local_file(struct workspace *w, const struct manifest_entry *entry)
{
	struct stat st;
	int fd = open_source(w, entry);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		os->close(fd);
		return fail(w, 0, "is not a regular file:", entry->src);
	}
	w->file = fd;
	w->mode = entry->mode;
	return 0;
}

static int
start_local_dir(struct workspace *w, const struct manifest_entry *entry)
{
	struct stat st;
	int fd;

	if (make_folder(w, entry->path, entry->mode) == -1)
		return -1;
	if (entry->src == NULL)
		return 0;
	fd = open_source(w, entry);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISDIR(st.st_mode)) {
		os->close(fd);
		return fail(w, 0, "is not a folder:", entry->src);
	}
	w->depth = 1;
	w->level[1] = (struct level){.fd = fd, .path_n = strlen(w->path)};
	return 0;
}

static int
enter_folder(struct workspace *w, int fd, const struct stat *st)
{
	if (w->depth == DEPTH_MAX) {
		os->close(fd);
		return fail(w, 0, "more than 64 folders deep:", w->path);
	}
	w->level[++w->depth] =
	    (struct level){.fd = fd, .path_n = strlen(w->path)};
	return make_folder(w, w->path, (st->st_mode & 0777) | 0700);
}

/* One entry of the innermost folder, whose path inside is in w->path. */
static int
take_entry(struct workspace *w, const char *name)
{
	struct level *l = &w->level[w->depth];
	struct stat st;
	int fd;

	if (fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return fail(w, errno, "look at", w->path);
	if (S_ISLNK(st.st_mode))
		return fail(w, 0, "symbolic links are not copied:", w->path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	fd = os->openat(l->fd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd == -1 || fstat(fd, &st) == -1) {
		if (fd != -1)
			os->close(fd);
		return fail(w, errno, "open", w->path);
	}
	if (S_ISDIR(st.st_mode))
		return enter_folder(w, fd, &st);
	if (!S_ISREG(st.st_mode)) {
		os->close(fd);
		return 0;
	}
	w->file = fd;
	w->mode = (st.st_mode & 0777) | 0600;
	return 0;
}

/* The next entry of the walk, or one folder up. */
static int
walk(struct workspace *w)
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
		return fail(w, errno, "list", w->path);
	if (got == 0) {
		os->close(l->fd);
		w->depth--;
		return 0;
	}
	l->next = d->d_off;
	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return 0;
	n = strlen(d->d_name);
	if (l->path_n + 1 + n + 1 > sizeof w->path)
		return fail(w, ENAMETOOLONG, "copy", w->path);
	w->path[l->path_n] = '/';
	memcpy(w->path + l->path_n + 1, d->d_name, n + 1);
	return take_entry(w, d->d_name);
}

/* ------------------------------------------------------------------- steps */

static int
copy_slice(struct workspace *w, size_t *share)
{
	ssize_t n;

	do
		n = os->read(w->file, w->slice, sizeof w->slice);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return fail(w, errno, "read", w->path);
	*share -= (size_t)n < *share ? (size_t)n : *share;
	if ((n > 0 || w->offset == 0) &&
	    put_slice(w, (struct span){w->slice, (size_t)n}) == -1)
		return -1;
	if (n < (ssize_t)sizeof w->slice) {
		os->close(w->file);
		w->file = -1;
		w->offset = 0;
		w->group_due = 1;
	}
	return 0;
}

static int
put_text(struct workspace *w)
{
	struct span s = span_slice(
	    w->text, (size_t)w->offset, (size_t)w->offset + SANDBOX_SLICE);

	if (put_slice(w, s) == -1)
		return -1;
	if (w->offset >= w->text.n) {
		w->text.p = NULL;
		w->offset = 0;
		w->group_due = 1;
	}
	return 0;
}

static int
start_entry(struct workspace *w)
{
	const struct manifest_entry *entry = &w->m->entries[w->entry];

	if (strlen(entry->path) >= sizeof w->path)
		return fail(w, ENAMETOOLONG, "put", entry->path);
	memcpy(w->path, entry->path, strlen(entry->path) + 1);
	switch (entry->type) {
	case ENTRY_DIR:
		return make_folder(w, entry->path, entry->mode);
	case ENTRY_FILE:
		w->text =
		    entry->content.p != NULL ? entry->content : span_of("");
		w->mode = entry->mode;
		return 0;
	case ENTRY_LOCAL_FILE:
		return start_local_file(w, entry);
	case ENTRY_LOCAL_DIR:
		return start_local_dir(w, entry);
	case ENTRY_GIT_REPO:
	case ENTRY_ARCHIVE:
		return fail(w, 0, "cannot be made yet:", entry->path);
	case ENTRY_TYPES:
		break;
	}
	UNREACHABLE();
}

/* Start the next verb.  0: go on.  1: all are started.  -1: failed. */
static int
advance(struct workspace *w, size_t *share)
{
	if (w->text.p != NULL)
		return put_text(w);
	if (w->file != -1)
		return copy_slice(w, share);
	if (w->group_due)
		return give_to_group(w);
	if (w->depth > 0)
		return walk(w);
	if (w->started)
		w->entry++;
	w->started = 1;
	if (w->entry >= w->m->entries_n)
		return 1;
	return start_entry(w);
}

static void
run(struct loop_deferred *d)
{
	struct workspace *w = container_of(d, struct workspace, next);
	workspace_done_fn *done = w->done;
	void *owner = w->owner;
	int64_t last_change_ns;
	size_t share = READ_A_TURN;
	struct error e;
	int result = 0;

	CHECK_OBJ(w, WORKSPACE_MAGIC);
	while (!w->failed && w->flying < WINDOW && share > 0 && result == 0)
		result = advance(w, &share);
	if (!w->failed && (result == 0 || w->flying > 0)) {
		if (w->flying < WINDOW && result == 0)
			loop_defer(&w->next);
		return;
	}
	last_change_ns = w->last_change_ns;
	if (!w->failed) {
		end(w);
		done(NULL, last_change_ns, owner);
		return;
	}
	e = w->error;
	end(w);
	done(&e, 0, owner);
}

struct workspace *
workspace_start(struct loop *loop, struct sandbox *sb, const struct manifest *m,
    workspace_done_fn *done, void *owner, struct error *e)
{
	struct workspace *w = pool_take(sizeof *w, NULL);

	if (w == NULL) {
		error_set(e, ERROR_FULL, 0, "memory to fill a workspace");
		return NULL;
	}
	memset(w, 0, offsetof(struct workspace, slice));
	w->magic = WORKSPACE_MAGIC;
	w->sb = sb;
	w->m = m;
	w->done = done;
	w->owner = owner;
	w->file = -1;
	arena_init(&w->arena, 64 * 1024);
	loop_deferred_init(&w->next, loop, run);
	loop_defer(&w->next);
	return w;
}

void
workspace_cancel(struct workspace *w)
{
	if (w == NULL)
		return;
	CHECK_OBJ(w, WORKSPACE_MAGIC);
	end(w);
}
