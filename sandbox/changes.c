#include "sandbox/changes.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/base/sort.h"
#include "sandbox/backend.h"
#include "sandbox/baseline.h"
#include "sandbox/sandbox.h"
#include "sandbox/tree.h"

/*
 * Theory of operation
 *
 * The walk meets every file that is there and marks it in the baseline; what
 * is not marked in the end was deleted.  It stops at each file that changed,
 * whose digest comes by the hash verb, slice by slice, and then goes on.
 *
 * Where the workspace is a layer that is shared, with what this sandbox
 * changed on top, a folder that did not change itself has nothing changed
 * below it (to change a file there, its folders come up first), so it is not
 * even looked into.
 *
 * More than CHANGES_FILES_MAX files are neither hashed nor remembered.
 */

#define CHANGES_MAGIC 0x5a4d8031

struct changes {
	unsigned magic;
	struct sandbox *sb;
	struct tree *tree;
	struct file_op *op;
	struct arena *arena;
	struct list files;
	uint64_t omitted;
	struct changed_file *file; /* being hashed */
	unsigned flags;            /* of the hash verb */
	unsigned char *seen;       /* a bit for each file of the baseline */
	int is_layered;            /* and can be told from later */
	int torn;                  /* not all of the tree was walked */
	struct loop_deferred ending;
	changes_done_fn *done;
	void *owner;
	struct error error;
	int failed;
};

const char *
change_name(enum change c)
{
	static const char *const names[] = {[CHANGE_ADDED] = "added",
	    [CHANGE_MODIFIED] = "modified",
	    [CHANGE_DELETED] = "deleted",
	    [CHANGE_HIDDEN] = "hidden"};

	return names[c];
}

static void
end(struct changes *c)
{
	tree_cancel(c->tree);
	if (c->op != NULL)
		file_op_cancel(c->op);
	loop_undefer(&c->ending);
	pool_give(c->seen);
	c->magic = 0;
	pool_give(c);
}

/* Remember one, or count it; NULL when it is only counted. */
static struct changed_file *
add(struct changes *c, enum change change, const char *path)
{
	struct changed_file *f = NULL;

	if (c->files.length < CHANGES_FILES_MAX)
		f = arena_alloc(c->arena, sizeof *f);
	if (f != NULL)
		f->path = arena_strndup(c->arena, path, strlen(path));
	if (f == NULL || f->path == NULL) {
		c->omitted++;
		return NULL;
	}
	f->change = change;
	list_append(&c->files, &f->link);
	return f;
}

static void
mark(struct changes *c, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		c->seen[i / 8] |= (unsigned char)(1u << i % 8);
}

static void
mark_below(struct changes *c, const char *folder)
{
	unsigned to, from = baseline_below(c->sb->before, folder, &to);

	mark(c, from, to);
}

/* ------------------------------------------------------------------ the end */

static void
add_deleted(struct changes *c)
{
	const struct baseline *b = c->sb->before;

	for (unsigned i = 0; i < baseline_count(b); i++) {
		if ((c->seen[i / 8] & 1u << i % 8) == 0)
			add(c, CHANGE_DELETED, baseline_path(b, i));
	}
}

static int
by_path(const void *a, const void *b, const void *with)
{
	const struct changed_file *const f = a, *const g = b;

	(void)with;
	return strcmp(f->path, g->path);
}

static void
put_in_order(struct changes *c)
{
	void *at[CHANGES_FILES_MAX];
	struct list_node *n;
	size_t files = 0;

	while ((n = list_first(&c->files)) != NULL) {
		at[files++] = container_of(n, struct changed_file, link);
		list_remove(&c->files, n);
	}
	sort_pointers(at, files, by_path, NULL);
	for (size_t i = 0; i < files; i++)
		list_append(&c->files, &((struct changed_file *)at[i])->link);
}

static void
finish(struct changes *c)
{
	changes_done_fn *done = c->done;
	void *owner = c->owner;
	struct error e = c->error;
	int failed = c->failed;
	uint64_t omitted;
	struct list files;

	if (!failed && !c->torn)
		add_deleted(c);
	put_in_order(c);
	omitted = c->omitted;
	files = c->files;
	/* The list's head moves: its neighbours must know. */
	if (files.length > 0) {
		files.head.next->prev = &files.head;
		files.head.prev->next = &files.head;
	} else
		list_init(&files);
	end(c);
	done(&files, omitted, failed ? &e : NULL, owner);
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

/* --------------------------------------------------------------- one by one */

static void hashed(
    struct file_op *op, const struct file_result *r, void *owner);

static void
hash_next(struct changes *c, uint64_t offset, const struct hash *so_far)
{
	struct error e;

	c->op = sandbox_hash(c->sb, c->file->path, offset, so_far,
	    FILE_NOFOLLOW | c->flags, hashed, c, &e);
	if (c->op == NULL)
		fail(c, &e);
}

static void
hash_from_the_start(struct changes *c, unsigned flags)
{
	struct hash h;

	c->flags = flags;
	hash_init(&h);
	hash_next(c, 0, &h);
}

/* What a process removes or replaces meanwhile is what it is without a word. */
static void
not_hashed(struct changes *c, const struct error *e)
{
	if (e->code == ERROR_SANDBOX_LOST) {
		fail(c, e);
		return;
	}
	if (e->code == ERROR_DENIED && c->flags == 0) {
		hash_from_the_start(c, FILE_OURS);
		return;
	}
	if (e->code == ERROR_NOT_FOUND)
		list_remove(&c->files, &c->file->link);
	tree_next(c->tree);
}

static void
hashed(struct file_op *op, const struct file_result *r, void *owner)
{
	struct changes *c = owner;
	struct hash h = r->hash;

	(void)op;
	CHECK_OBJ(c, CHANGES_MAGIC);
	c->op = NULL;
	if (r->error != NULL) {
		not_hashed(c, r->error);
		return;
	}
	if (!r->at_end) {
		hash_next(c, r->next, &r->hash);
		return;
	}
	hash_end(&h, &c->file->digest);
	c->file->has_digest = 1;
	c->file->bytes = r->next;
	tree_next(c->tree);
}

static enum tree_way
visited(struct tree *t, const struct tree_entry *entry, void *owner)
{
	struct changes *c = owner;
	const struct file_stat *st = &entry->stat;
	int at;

	(void)t;
	if (st->kind == FILE_DIR) {
		if (!c->is_layered || st->changed_ns > c->sb->filled_ns)
			return TREE_ON;
		mark_below(c, entry->path);
		return TREE_PAST;
	}
	if (st->kind != FILE_REGULAR)
		return TREE_ON;
	at = baseline_find(c->sb->before, entry->path);
	if (at != -1)
		mark(c, (unsigned)at, (unsigned)at + 1);
	if (at != -1 &&
	    st->changed_ns == baseline_stamp_of(c->sb->before, (unsigned)at))
		return TREE_ON;
	c->file =
	    add(c, at == -1 ? CHANGE_ADDED : CHANGE_MODIFIED, entry->path);
	if (c->file == NULL)
		return TREE_ON;
	c->file->bytes = st->size;
	hash_from_the_start(c, 0);
	return TREE_WAIT;
}

static void
shut(struct tree *t, const char *path, void *owner)
{
	struct changes *c = owner;

	(void)t;
	mark_below(c, path);
	add(c, CHANGE_HIDDEN, path);
}

static void
walked(const struct error *error, void *owner)
{
	struct changes *c = owner;

	CHECK_OBJ(c, CHANGES_MAGIC);
	c->tree = NULL; /* it ends by itself */
	if (error != NULL && error->code == ERROR_TOO_BIG) {
		c->torn = 1;
		add(c, CHANGE_HIDDEN, ".");
	} else if (error != NULL) {
		c->error = *error;
		c->failed = 1;
	}
	finish(c);
}

struct changes *
changes_start(struct loop *loop, struct sandbox *sb, struct arena *a,
    changes_done_fn *done, void *owner, struct error *e)
{
	static const struct tree_ops ops = {
	    .entry = visited, .shut = shut, .done = walked};
	struct changes *c;
	size_t bytes = baseline_count(sb->before) / 8 + 1;

	if (sb->is_forgetful) {
		error_set(e, ERROR_TOO_BIG, 0,
		    "there was too much in the workspace to remember it");
		return NULL;
	}
	c = pool_take(sizeof *c, NULL);
	if (c == NULL) {
		error_set(e, ERROR_FULL, 0, "memory to look for changes");
		return NULL;
	}
	*c = (struct changes){.magic = CHANGES_MAGIC,
	    .sb = sb,
	    .is_layered = sb->layer != NULL && sb->before != NULL &&
			  baseline_is_past(sb->before),
	    .arena = a,
	    .done = done,
	    .owner = owner};
	list_init(&c->files);
	loop_deferred_init(&c->ending, loop, ending);
	c->seen = pool_take(bytes, NULL);
	if (c->seen == NULL)
		error_set(e, ERROR_FULL, 0, "memory to look for changes");
	else {
		memset(c->seen, 0, bytes);
		c->tree = tree_start(loop, sb, ".", &ops, c, e);
	}
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
