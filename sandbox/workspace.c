#include "sandbox/workspace.h"

#include <errno.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "sandbox/backend.h"
#include "sandbox/workspace_private.h"

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
	exec_free(w->program);
	workspace_git_end(w);
	arena_release(&w->arena);
	w->magic = 0;
	pool_give(w);
}

/* The source at fault is named, then the manifest's line. */
int
workspace_fail(
    struct workspace *w, int os_errno, const char *what, const char *path)
{
	const struct manifest_entry *entry = &w->m->entries[w->entry];

	if (w->failed)
		return -1;
	w->failed = 1;
	return error_set(&w->error, ERROR_MANIFEST, os_errno,
	    "manifest entry %s: %s %s", entry->path, what, path);
}

int
workspace_fail_as_told(struct workspace *w)
{
	w->failed = 1;
	error_wrap(
	    &w->error, "manifest entry %s", w->m->entries[w->entry].path);
	if (w->error.code != ERROR_SANDBOX_LOST)
		w->error.code = ERROR_MANIFEST;
	return -1;
}

void
workspace_found_commit(struct workspace *w, struct span commit)
{
	sandbox_add_commit(w->sb, w->m->entries[w->entry].path, commit);
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
		if (w->error.code != ERROR_SANDBOX_LOST)
			w->error.code = ERROR_MANIFEST;
	}
	loop_defer(&w->next);
}

int
workspace_started(struct workspace *w, struct file_op *op)
{
	if (op == NULL) {
		w->failed = 1;
		if (w->error.code == ERROR_NOT_FOUND) {
			error_wrap(&w->error, "manifest entry %s",
			    w->m->entries[w->entry].path);
			w->error.code = ERROR_MANIFEST;
		}
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

int
workspace_make_folder(struct workspace *w, const char *path, uint32_t mode)
{
	w->group_due = 1;
	/* Writable while it is being filled; see close_folders(). */
	return workspace_started(
	    w, sandbox_mkdir(w->sb, path, mode | 0700, FILE_PARENTS | FILE_OURS,
		   put_done, w, &w->error));
}

int
workspace_set_mode(struct workspace *w, const char *path, uint32_t mode)
{
	return workspace_started(w, sandbox_chmod(w->sb, path, mode, FILE_OURS,
					put_done, w, &w->error));
}

/*
 * The content is in: whose it is, and who may do what with it.  A file whose
 * mode is as it was made needs nothing; a folder's that shuts us out waits
 * until all is in.
 */
static int
finish_path(struct workspace *w)
{
	const char *group = w->m->entries[w->entry].group;

	if (w->group_due && group != NULL) {
		w->group_due = 0;
		return workspace_started(
		    w, sandbox_chgrp(w->sb, w->path, group, FILE_OURS, put_done,
			   w, &w->error));
	}
	w->group_due = 0;
	if (!w->mode_due)
		return 0;
	w->mode_due = 0;
	return workspace_set_mode(w, w->path, w->mode);
}

/* Made with these bits already? */
static int
is_made_so(uint32_t mode)
{
	return (mode & 0600) == 0600;
}

/* One slice of the file whose text or descriptor is at hand. */
static int
put_slice(struct workspace *w, struct span s)
{
	unsigned flags = FILE_PARENTS | FILE_OURS;

	if (w->offset == 0)
		flags |= FILE_CREATE | FILE_TRUNCATE;
	if (workspace_started(
		w, sandbox_put(w->sb, w->path, w->mode | 0600, w->offset, flags,
		       s, put_done, w, &w->error)) == -1)
		return -1;
	w->offset += s.n;
	return 0;
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
		return workspace_fail(w, errno, "read", w->path);
	*share -= (size_t)n < *share ? (size_t)n : *share;
	if ((n > 0 || w->offset == 0) &&
	    put_slice(w, (struct span){w->slice, (size_t)n}) == -1)
		return -1;
	if (n < (ssize_t)sizeof w->slice) {
		if (workspace_close_source(w) == -1)
			return -1;
		w->offset = 0;
		w->group_due = 1;
		w->mode_due = !is_made_so(w->mode);
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
		w->mode_due = !is_made_so(w->mode);
	}
	return 0;
}

static int
start_entry(struct workspace *w)
{
	const struct manifest_entry *entry = &w->m->entries[w->entry];

	if (strlen(entry->path) >= sizeof w->path)
		return workspace_fail(w, ENAMETOOLONG, "put", entry->path);
	memcpy(w->path, entry->path, strlen(entry->path) + 1);
	switch (entry->type) {
	case ENTRY_DIR:
		return workspace_make_folder(w, entry->path, entry->mode);
	case ENTRY_FILE:
		w->text =
		    entry->content.p != NULL ? entry->content : span_of("");
		w->mode = entry->mode;
		return 0;
	case ENTRY_LOCAL_FILE:
		return workspace_local_file(w, entry);
	case ENTRY_LOCAL_DIR:
		return workspace_local_dir(w, entry);
	case ENTRY_GIT_REPO:
		return workspace_git(w, entry);
	case ENTRY_ARCHIVE:
		return workspace_archive(w, entry);
	case ENTRY_TYPES:
		break;
	}
	UNREACHABLE();
}

/* Folders that their owner may not fill: deepest first, at the very end. */
static int
close_folders(struct workspace *w)
{
	while (w->closing > 0) {
		const struct manifest_entry *entry =
		    &w->m->entries[--w->closing];

		w->entry = w->m->entries_n;
		if (entry_type_is_folder(entry->type) &&
		    (entry->mode & 0700) != 0700)
			return workspace_set_mode(w, entry->path, entry->mode);
	}
	return 1;
}

/* Start the next verb.  0: go on.  1: all are started.  -1: failed. */
static int
advance(struct workspace *w, size_t *share)
{
	if (w->text.p != NULL)
		return put_text(w);
	if (w->file != -1)
		return copy_slice(w, share);
	if (w->group_due || w->mode_due)
		return finish_path(w);
	if (w->depth > 0)
		return workspace_walk(w);
	if (w->started)
		w->entry++;
	w->started = 1;
	if (w->entry >= w->m->entries_n)
		return close_folders(w);
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
	while (!w->failed && w->program == NULL && w->flying < WINDOW &&
	       share > 0 && result == 0)
		result = advance(w, &share);
	if (!w->failed && w->program != NULL)
		return; /* its end goes on with us */
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
    const struct git_remotes *remotes, workspace_done_fn *done, void *owner,
    struct error *e)
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
	w->remotes = remotes;
	w->done = done;
	w->owner = owner;
	w->file = -1;
	w->closing = m->entries_n;
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
