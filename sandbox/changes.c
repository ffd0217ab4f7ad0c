#include "sandbox/changes.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "sandbox/sandbox.h"
#include "sandbox/tree.h"

/*
 * Theory of operation
 *
 * The walk stops at each file that changed; its digest comes by the hash
 * verb, slice by slice; then the walk goes on.  A file that is gone or no
 * file any more when it is hashed is left out: what a process is still
 * changing has no digest worth telling.
 */

#define CHANGES_MAGIC 0x5a4d8031

struct changes {
	unsigned magic;
	struct sandbox *sb;
	struct tree *tree;
	struct file_op *op;
	int64_t since_ns;
	struct arena *arena;
	struct list files;
	struct changed_file *file; /* being hashed */
	struct loop_deferred ending;
	changes_done_fn *done;
	void *owner;
	struct error error;
	int failed;
};

static void
end(struct changes *c)
{
	tree_cancel(c->tree);
	if (c->op != NULL)
		file_op_cancel(c->op);
	loop_undefer(&c->ending);
	c->magic = 0;
	pool_give(c);
}

static void
finish(struct changes *c)
{
	changes_done_fn *done = c->done;
	void *owner = c->owner;
	struct error e = c->error;
	int failed = c->failed;
	struct list files = c->files;

	/* The list's head moves: its neighbours must know. */
	if (files.length > 0) {
		files.head.next->prev = &files.head;
		files.head.prev->next = &files.head;
	} else
		list_init(&files);
	end(c);
	done(&files, failed ? &e : NULL, owner);
}

static void
ending(struct loop_deferred *d)
{
	finish(container_of(d, struct changes, ending));
}

static void
fail(struct changes *c, const struct error *e)
{
	c->error = *e;
	c->failed = 1;
	loop_defer(&c->ending);
}

static void hashed(
    struct file_op *op, const struct file_result *r, void *owner);

static void
hash_next(struct changes *c, uint64_t offset, const struct hash *so_far)
{
	struct error e;

	c->op = sandbox_hash(
	    c->sb, c->file->path, offset, so_far, FILE_NOFOLLOW, hashed, c, &e);
	if (c->op == NULL)
		fail(c, &e);
}

static void
hashed(struct file_op *op, const struct file_result *r, void *owner)
{
	struct changes *c = owner;
	struct hash h = r->hash;

	(void)op;
	CHECK_OBJ(c, CHANGES_MAGIC);
	c->op = NULL;
	if (r->error != NULL && r->error->code == ERROR_SANDBOX_LOST) {
		fail(c, r->error);
		return;
	}
	if (r->error == NULL && !r->at_end) {
		hash_next(c, r->next, &r->hash);
		return;
	}
	if (r->error == NULL) {
		hash_end(&h, &c->file->digest);
		c->file->bytes = r->next;
		list_append(&c->files, &c->file->link);
	}
	tree_next(c->tree);
}

static enum tree_way
visited(struct tree *t, const struct tree_entry *entry, void *owner)
{
	struct changes *c = owner;
	struct hash h;
	struct error e;

	(void)t;
	if (entry->stat.kind != FILE_REGULAR ||
	    entry->stat.changed_ns <= c->since_ns)
		return TREE_ON;
	c->file = arena_alloc(c->arena, sizeof *c->file);
	if (c->file != NULL)
		c->file->path =
		    arena_strndup(c->arena, entry->path, strlen(entry->path));
	if (c->file == NULL || c->file->path == NULL) {
		error_set(&e, ERROR_TOO_BIG, 0, "too many changed files");
		fail(c, &e);
		return TREE_WAIT;
	}
	c->file->is_new = entry->stat.born_ns > c->since_ns;
	hash_init(&h);
	hash_next(c, 0, &h);
	return TREE_WAIT;
}

static void
walked(const struct error *error, void *owner)
{
	struct changes *c = owner;

	CHECK_OBJ(c, CHANGES_MAGIC);
	c->tree = NULL; /* it ends by itself */
	if (error != NULL) {
		c->error = *error;
		c->failed = 1;
	}
	finish(c);
}

struct changes *
changes_start(struct loop *loop, struct sandbox *sb, int64_t since_ns,
    struct arena *a, changes_done_fn *done, void *owner, struct error *e)
{
	static const struct tree_ops ops = {.entry = visited, .done = walked};
	struct changes *c = pool_take(sizeof *c, NULL);

	if (c == NULL) {
		error_set(e, ERROR_FULL, 0, "memory to look for changes");
		return NULL;
	}
	memset(c, 0, sizeof *c);
	c->magic = CHANGES_MAGIC;
	c->sb = sb;
	c->since_ns = since_ns;
	c->arena = a;
	c->done = done;
	c->owner = owner;
	list_init(&c->files);
	loop_deferred_init(&c->ending, loop, ending);
	c->tree = tree_start(loop, sb, ".", &ops, c, e);
	if (c->tree == NULL) {
		end(c);
		return NULL;
	}
	return c;
}

void
changes_cancel(struct changes *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, CHANGES_MAGIC);
	end(c);
}
