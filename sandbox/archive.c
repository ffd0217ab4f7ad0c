#include "sandbox/archive.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "sandbox/sandbox.h"
#include "sandbox/tar.h"
#include "sandbox/tree.h"

/*
 * Theory of operation
 *
 * The walk stops at every entry.  A file's header is written when its first
 * slice has come, from the size it had then; exactly so many bytes follow,
 * whatever it does meanwhile.  One slice is under way at a time, and none
 * while the owner has not taken what there is.
 */

#define ARCHIVE_MAGIC 0x5a4d8032
#define OUT_BYTES (TAR_HEADER_MAX + SANDBOX_SLICE + TAR_END)

enum phase {
	PHASE_WALKING, /* the tree will say what comes next */
	PHASE_FILE,    /* bytes of a file */
	PHASE_ZEROS,   /* what is missing of it, and its padding */
	PHASE_ENDED
};

struct archive {
	unsigned magic;
	enum phase phase;
	struct sandbox *sb;
	const struct archive_ops *ops;
	void *owner;
	struct tree *tree;
	struct file_op *op;
	struct loop_deferred step;
	int busy; /* inside bytes() */
	unsigned torn;
	int failed;
	struct error error;
	struct tar_entry entry;
	char path[LIMIT_PATH];
	uint64_t offset, zeros; /* of the file; still to be written */
	size_t from, to;        /* in out: not taken yet */
	char out[OUT_BYTES];
};

static void
end(struct archive *a)
{
	tree_cancel(a->tree);
	if (a->op != NULL)
		file_op_cancel(a->op);
	loop_undefer(&a->step);
	a->magic = 0;
	pool_give(a);
}

static void
fail(struct archive *a, const struct error *e)
{
	if (!a->failed)
		a->error = *e;
	a->failed = 1;
	loop_defer(&a->step);
}

static void
put(struct archive *a, struct span s)
{
	CHECK(a->to + s.n <= sizeof a->out);
	if (s.n > 0)
		memcpy(a->out + a->to, s.p, s.n);
	a->to += s.n;
}

static void
put_header(struct archive *a)
{
	CHECK(a->to + TAR_HEADER_MAX <= sizeof a->out);
	a->to += tar_header(&a->entry, a->out + a->to);
}

/* Zeros, as many as there is room for. */
static void
put_zeros(struct archive *a)
{
	size_t room = sizeof a->out - a->to;
	size_t n = a->zeros < room ? (size_t)a->zeros : room;

	memset(a->out + a->to, 0, n);
	a->to += n;
	a->zeros -= n;
}

/* The walk goes on as soon as everything is taken. */
static void
entry_done(struct archive *a)
{
	a->phase = PHASE_ZEROS;
	loop_defer(&a->step);
}

static void slice_came(
    struct file_op *op, const struct file_result *r, void *owner);

static void
ask(struct archive *a, unsigned flags, file_done_fn *came)
{
	struct error e;

	a->op = sandbox_get(
	    a->sb, a->path, a->offset, SANDBOX_SLICE, flags, came, a, &e);
	if (a->op == NULL)
		fail(a, &e);
}

static void
slice_came(struct file_op *op, const struct file_result *r, void *owner)
{
	struct archive *a = owner;
	uint64_t left;
	size_t n = r->bytes.n;

	(void)op;
	CHECK_OBJ(a, ARCHIVE_MAGIC);
	a->op = NULL;
	if (r->error != NULL && r->error->code == ERROR_SANDBOX_LOST) {
		fail(a, r->error);
		return;
	}
	if (r->error != NULL && a->offset == 0) {
		/* Gone before it was begun, or no file any more. */
		a->torn++;
		entry_done(a);
		return;
	}
	if (a->offset == 0) {
		a->entry.size = r->stat.size;
		put_header(a);
	}
	left = a->entry.size - a->offset;
	n = r->error != NULL ? 0 : left < n ? (size_t)left : n;
	put(a, span_slice(r->bytes, 0, n));
	a->offset += n;
	left -= n;
	loop_defer(&a->step);
	if (left > 0 && n > 0 && !r->at_end)
		return;
	a->torn += left > 0;
	a->zeros = left + tar_padding(a->entry.size);
	entry_done(a);
}

static void
link_came(struct file_op *op, const struct file_result *r, void *owner)
{
	struct archive *a = owner;

	(void)op;
	CHECK_OBJ(a, ARCHIVE_MAGIC);
	a->op = NULL;
	if (r->error != NULL && r->error->code == ERROR_SANDBOX_LOST) {
		fail(a, r->error);
		return;
	}
	if (r->error != NULL || r->bytes.n == 0 || r->bytes.n > LIMIT_PATH)
		a->torn++;
	else {
		a->entry.target = r->bytes;
		put_header(a);
	}
	entry_done(a);
}

static enum tree_way
visited(struct tree *t, const struct tree_entry *entry, void *owner)
{
	struct archive *a = owner;
	size_t n = strlen(entry->path);

	(void)t;
	memcpy(a->path, entry->path, n + 1);
	a->offset = 0;
	a->entry = (struct tar_entry){.path = {a->path, n},
	    .mode = entry->stat.mode,
	    .mtime = entry->stat.mtime_ns / 1000000000};
	switch (entry->stat.kind) {
	case FILE_REGULAR:
		a->entry.kind = TAR_FILE;
		a->phase = PHASE_FILE;
		ask(a, FILE_NOFOLLOW, slice_came);
		return TREE_WAIT;
	case FILE_SYMLINK:
		a->entry.kind = TAR_LINK;
		a->phase = PHASE_FILE;
		ask(a, FILE_LINK, link_came);
		return TREE_WAIT;
	case FILE_DIR:
		a->entry.kind = TAR_FOLDER;
		put_header(a);
		entry_done(a);
		return TREE_WAIT;
	default:
		return TREE_ON;
	}
}

static void
walked(const struct error *error, void *owner)
{
	struct archive *a = owner;

	CHECK_OBJ(a, ARCHIVE_MAGIC);
	a->tree = NULL; /* it ends by itself */
	if (error != NULL) {
		fail(a, error);
		return;
	}
	a->zeros = TAR_END;
	entry_done(a);
}

/* Offer what there is; 1 when all of it was taken. */
static int
offer(struct archive *a)
{
	size_t taken;

	if (a->from == a->to)
		return 1;
	a->busy = 1;
	taken = a->ops->bytes(
	    (struct span){a->out + a->from, a->to - a->from}, a->owner);
	a->busy = 0;
	CHECK(taken <= a->to - a->from);
	a->from += taken;
	if (a->from < a->to)
		return 0;
	a->from = a->to = 0;
	return 1;
}

static void
finish(struct archive *a)
{
	const struct archive_ops *ops = a->ops;
	void *owner = a->owner;
	struct error e = a->error;
	int failed = a->failed;
	unsigned torn = a->torn;

	end(a);
	ops->done(failed ? &e : NULL, torn, owner);
}

static void
step(struct loop_deferred *d)
{
	struct archive *a = container_of(d, struct archive, step);

	CHECK_OBJ(a, ARCHIVE_MAGIC);
	while (!a->failed && offer(a)) {
		if (a->phase == PHASE_ZEROS && a->zeros > 0)
			put_zeros(a);
		else if (a->phase == PHASE_ZEROS && a->tree != NULL) {
			a->phase = PHASE_WALKING;
			tree_next(a->tree);
			return;
		} else if (a->phase == PHASE_ZEROS) {
			a->phase = PHASE_ENDED;
			break;
		} else {
			if (a->phase == PHASE_FILE && a->op == NULL)
				ask(a, FILE_NOFOLLOW, slice_came);
			if (!a->failed)
				return;
		}
	}
	if (a->failed || a->phase == PHASE_ENDED)
		finish(a);
}

struct archive *
archive_start(struct loop *loop, struct sandbox *sb, const char *path,
    const struct archive_ops *ops, void *owner, struct error *e)
{
	static const struct tree_ops walk = {.entry = visited, .done = walked};
	struct archive *a = pool_take(sizeof *a, NULL);

	if (a == NULL) {
		error_set(e, ERROR_FULL, 0, "memory for an archive");
		return NULL;
	}
	memset(a, 0, offsetof(struct archive, out));
	a->magic = ARCHIVE_MAGIC;
	a->sb = sb;
	a->ops = ops;
	a->owner = owner;
	loop_deferred_init(&a->step, loop, step);
	a->tree = tree_start(loop, sb, path, &walk, a, e);
	if (a->tree == NULL) {
		end(a);
		return NULL;
	}
	return a;
}

void
archive_resume(struct archive *a)
{
	CHECK_OBJ(a, ARCHIVE_MAGIC);
	loop_defer(&a->step);
}

void
archive_cancel(struct archive *a)
{
	if (a == NULL)
		return;
	CHECK_OBJ(a, ARCHIVE_MAGIC);
	CHECK(!a->busy);
	end(a);
}
