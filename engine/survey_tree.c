/* The file system of a workspace as the prompt shows it. */

#include <stdlib.h>
#include <string.h>

#include "config/agent.h"
#include "engine/base/limits.h"
#include "engine/survey_private.h"
#include "sandbox/tree.h"

/* Entries that are counted; what a tree has beyond them is not mentioned. */
#define ENTRIES_MAX 20000

/* --- what the manifest says of its entries --- */

struct described {
	const struct manifest_entry **entry; /* by path */
	size_t n;
};

static int
by_path(const void *a, const void *b)
{
	const struct manifest_entry *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static int
is_described(const struct manifest_entry *entry)
{
	return entry->description != NULL && entry->depth < LAYOUT_DEPTH;
}

/* In order, so that a large manifest costs no more than it must. */
static struct described *
find_described(struct survey *s)
{
	const struct manifest *m = s->order.manifest;
	struct described *d = arena_alloc(&s->arena, sizeof *d);
	size_t n = 0;

	for (unsigned i = 0; m != NULL && i < m->entries_n; i++)
		n += is_described(&m->entries[i]) != 0;
	if (d == NULL || n == 0)
		return d;
	d->entry = arena_alloc(&s->arena, n * sizeof *d->entry);
	for (unsigned i = 0; d->entry != NULL && i < m->entries_n; i++)
		if (is_described(&m->entries[i]))
			d->entry[d->n++] = &m->entries[i];
	if (d->n > 0)
		qsort(d->entry, d->n, sizeof *d->entry, by_path);
	return d;
}

static struct span
description_of(const struct survey *s, const char *path)
{
	const struct described *d = s->state;
	struct manifest_entry wanted = {.path = path};
	const struct manifest_entry *key = &wanted, **found = NULL;

	if (d != NULL && d->n > 0)
		found =
		    bsearch(&key, d->entry, d->n, sizeof *d->entry, by_path);
	return found == NULL ? (struct span){NULL, 0}
			     : span_of((*found)->description);
}

/* --- the walk --- */

/* What git and skep keep in a workspace for themselves. */
static int
is_bookkeeping(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(path, ".skep") == 0 ||
	       strcmp(slash != NULL ? slash + 1 : path, ".git") == 0;
}

/* A folder of the memory: it grows, and the prompt speaks of it elsewhere. */
static int
is_kept(const struct survey *s, const char *path)
{
	return s->order.agent->memory.is_on &&
	       strncmp(path, MEMORY_FOLDER "/", sizeof MEMORY_FOLDER) == 0;
}

static unsigned
depth_of(const char *path)
{
	unsigned n = 1;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

static enum tree_way
met(struct tree *t, const struct tree_entry *entry, void *owner)
{
	struct survey *s = owner;

	(void)t;
	if (is_bookkeeping(entry->path) || s->layout.lines == ENTRIES_MAX)
		return TREE_PAST;
	layout_add(&s->layout, span_of(entry->path),
	    entry->stat.kind == FILE_DIR, description_of(s, entry->path));
	return depth_of(entry->path) < LAYOUT_DEPTH && !is_kept(s, entry->path)
		   ? TREE_ON
		   : TREE_PAST;
}

static void
walked(const struct error *error, void *owner)
{
	struct survey *s = owner;
	struct error e;
	struct text t;

	s->tree = NULL;
	if (error != NULL && error->code == ERROR_SANDBOX_LOST) {
		survey_step_done(s, error);
		return;
	}
	/* A tree too large to be walked is shown as far as that went. */
	text_init(&t, 64 * LAYOUT_CHARS);
	layout_write(&s->layout, &t);
	if (survey_keep(s, text_span(&t), &s->found->tree) == -1) {
		e = s->error;
		survey_step_done(s, &e);
	} else {
		survey_step_done(s, NULL);
	}
	text_release(&t);
}

/* It is drawn as any other folder; what is in it, nobody can say. */
static void
shut(struct tree *t, const char *path, void *owner)
{
	(void)t;
	(void)path;
	(void)owner;
}

static const struct tree_ops ops = {.entry = met, .shut = shut, .done = walked};

enum survey_answer
survey_tree(struct survey *s)
{
	layout_init(&s->layout, &s->arena);
	s->state = find_described(s);
	s->tree = tree_start(
	    s->order.loop, s->order.sandbox, ".", &ops, s, &s->error);
	return s->tree == NULL ? SURVEY_FAILED : SURVEY_STARTED;
}
