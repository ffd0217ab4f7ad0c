#include "sandbox/tree.h"

#include <errno.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/base/sort.h"

/*
 * Theory of operation
 *
 * A stack of folders, each with its entries, sorted, and how many of them
 * were visited.  A folder's entries live in the arena above the mark taken
 * when it was entered and go when it is left, so memory is bounded by the
 * folders on the way down, not by the tree.
 */

#define TREE_MAGIC 0x5a4d8030
#define ARENA_MAX ((size_t)256 << 20)

struct item {
	struct item *next; /* as listed */
	const char *name;
	struct file_stat stat;
};

struct level {
	arena_mark mark;
	size_t path_n; /* of the folder, in t->path */
	struct item *listed;
	void **sorted; /* struct item */
	unsigned n, visited;
};

struct tree {
	unsigned magic;
	struct sandbox *sb;
	const struct tree_ops *ops;
	void *owner;
	struct loop_deferred next;
	struct file_op *op; /* the list verb under way */
	struct arena arena;
	int depth; /* of the folder being visited; -1: none yet */
	struct level level[TREE_DEPTH_MAX];
	uint64_t from; /* where to go on listing */
	unsigned entries;
	int listing, waiting, failed;
	unsigned flags; /* of the list verb */
	struct error error;
	char path[LIMIT_PATH]; /* "" is the workspace itself */
};

static void
end(struct tree *t)
{
	if (t->op != NULL)
		file_op_cancel(t->op);
	loop_undefer(&t->next);
	arena_release(&t->arena);
	t->magic = 0;
	pool_give(t);
}

static void
fail(struct tree *t, enum error_code code, int os_errno, const char *what)
{
	if (!t->failed)
		error_set(&t->error, code, os_errno, "%s: %s", t->path, what);
	t->failed = 1;
}

static int
is_component(struct span name)
{
	return name.n > 0 && !span_is(name, ".") && !span_is(name, "..") &&
	       span_find(name, '/', 0) == name.n &&
	       span_find(name, '\0', 0) == name.n;
}

static int
compare(const void *p, const void *q, const void *with)
{
	const struct item *a = p, *b = q;

	(void)with;
	return strcmp(a->name, b->name);
}

/* All entries of the folder are known: put them in order. */
static void
sort(struct tree *t)
{
	struct level *l = &t->level[t->depth];
	unsigned i = 0;

	t->listing = 0;
	if (l->n == 0)
		return;
	l->sorted = arena_alloc(&t->arena, l->n * sizeof l->sorted[0]);
	if (l->sorted == NULL) {
		fail(t, ERROR_TOO_BIG, 0, "too many names");
		return;
	}
	for (struct item *item = l->listed; item != NULL; item = item->next)
		l->sorted[i++] = item;
	sort_pointers(l->sorted, l->n, compare, NULL);
}

static void
add(struct tree *t, const struct file_entry *entry)
{
	struct level *l = &t->level[t->depth];
	struct item *item;

	if (!is_component(entry->name)) {
		fail(t, ERROR_SANDBOX_LOST, 0,
		    "the sandbox names what cannot be a file");
		return;
	}
	item = arena_alloc(&t->arena, sizeof *item);
	if (item != NULL)
		item->name =
		    arena_strndup(&t->arena, entry->name.p, entry->name.n);
	if (item == NULL || item->name == NULL ||
	    ++t->entries > TREE_ENTRIES_MAX) {
		fail(t, ERROR_TOO_BIG, 0, "too many files");
		return;
	}
	item->stat = entry->stat;
	item->next = l->listed;
	l->listed = item;
	l->n++;
}

static void
not_listed(struct tree *t, const struct error *e)
{
	/* Gone meanwhile, or no folder any more: it has no entries. */
	if (e->code == ERROR_NOT_FOUND && t->depth > 0) {
		sort(t);
		return;
	}
	if (e->code == ERROR_DENIED && (t->flags & FILE_OURS) == 0) {
		t->flags |= FILE_OURS;
		return;
	}
	if (e->code == ERROR_DENIED && t->ops->shut != NULL) {
		sort(t);
		t->ops->shut(t, t->path, t->owner);
		return;
	}
	t->error = *e;
	t->failed = 1;
}

static void
listed(struct file_op *op, const struct file_result *r, void *owner)
{
	struct tree *t = owner;
	struct span rest = r->bytes;
	struct file_entry entry;

	(void)op;
	CHECK_OBJ(t, TREE_MAGIC);
	t->op = NULL;
	loop_defer(&t->next);
	if (r->error != NULL) {
		not_listed(t, r->error);
		return;
	}
	while (!t->failed && file_entry_next(&rest, &entry))
		add(t, &entry);
	t->from = r->next;
	if (r->at_end && !t->failed)
		sort(t);
}

static void
list(struct tree *t)
{
	t->op = sandbox_list(t->sb, t->path[0] != '\0' ? t->path : ".", t->from,
	    FILE_NOFOLLOW | t->flags, listed, t, &t->error);
	if (t->op == NULL)
		t->failed = 1;
}

static void
too_deep(struct tree *t, const char *what)
{
	if (t->ops->shut != NULL)
		t->ops->shut(t, t->path, t->owner);
	else
		fail(t, ERROR_TOO_BIG, 0, what);
}

/* The folder in t->path becomes the innermost. */
static void
enter(struct tree *t)
{
	if (t->depth + 1 == TREE_DEPTH_MAX) {
		too_deep(t, "too many folders deep");
		return;
	}
	t->flags = 0;
	t->level[++t->depth] = (struct level){
	    .mark = arena_save(&t->arena), .path_n = strlen(t->path)};
	t->from = 0;
	t->listing = 1;
}

/* Offer the next entry of the innermost folder; 0: there is none. */
static int
visit(struct tree *t)
{
	struct level *l = &t->level[t->depth];
	size_t at = l->path_n == 0 ? 0 : l->path_n + 1, n;
	struct tree_entry entry;
	enum tree_way way;
	struct item *item;

	t->path[l->path_n] = '\0';
	if (l->visited == l->n)
		return 0;
	item = l->sorted[l->visited++];
	n = strlen(item->name);
	if (at + n + 1 > sizeof t->path) {
		too_deep(t, "the path is too long");
		return 1;
	}
	if (at > 0)
		t->path[at - 1] = '/';
	memcpy(t->path + at, item->name, n + 1);
	entry = (struct tree_entry){.path = t->path, .stat = item->stat};
	way = t->ops->entry(t, &entry, t->owner);
	t->waiting = way == TREE_WAIT;
	if (item->stat.kind == FILE_DIR && way != TREE_PAST)
		enter(t);
	return 1;
}

/* The innermost folder is done with. */
static void
leave(struct tree *t)
{
	arena_reset(&t->arena, t->level[t->depth].mark);
	t->depth--;
}

static void
run(struct loop_deferred *d)
{
	struct tree *t = container_of(d, struct tree, next);
	const struct tree_ops *ops = t->ops;
	void *owner = t->owner;
	struct error e;
	int failed;

	CHECK_OBJ(t, TREE_MAGIC);
	while (!t->failed && !t->waiting && t->op == NULL && t->depth >= 0) {
		if (t->listing)
			list(t);
		else if (!visit(t))
			leave(t);
	}
	if (!t->failed && t->depth >= 0)
		return;
	e = t->error;
	failed = t->failed;
	end(t);
	ops->done(failed ? &e : NULL, owner);
}

struct tree *
tree_start(struct loop *loop, struct sandbox *sb, const char *path,
    const struct tree_ops *ops, void *owner, struct error *e)
{
	struct tree *t = pool_take(sizeof *t, NULL);

	if (t == NULL || strlen(path) >= sizeof t->path) {
		pool_give(t);
		error_set(e, ERROR_FULL, 0, "memory to walk a workspace");
		return NULL;
	}
	memset(t, 0, sizeof *t);
	t->magic = TREE_MAGIC;
	t->sb = sb;
	t->ops = ops;
	t->owner = owner;
	t->depth = -1;
	arena_init(&t->arena, ARENA_MAX);
	if (strcmp(path, ".") != 0)
		memcpy(t->path, path, strlen(path) + 1);
	loop_deferred_init(&t->next, loop, run);
	enter(t);
	loop_defer(&t->next);
	return t;
}

void
tree_next(struct tree *t)
{
	CHECK_OBJ(t, TREE_MAGIC);
	t->waiting = 0;
	loop_defer(&t->next);
}

void
tree_cancel(struct tree *t)
{
	if (t == NULL)
		return;
	CHECK_OBJ(t, TREE_MAGIC);
	end(t);
}
