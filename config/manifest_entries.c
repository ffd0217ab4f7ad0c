/*
 * The entries of a manifest: a tree in the file, flat in memory.
 *
 * The tree is walked with a stack of its own, whose depth the document's
 * ceiling bounds.  Each entry is read by manifest_types.c.
 */

#include <stdlib.h>
#include <string.h>

#include "config/manifest_private.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "net/json.h"

/* --- the walk --- */

struct level {
	int object; /* whose members are the entries */
	int key;    /* the one that is being read; -1: none left */
	const char *path;
	unsigned depth;
};

struct walk {
	struct table_reader *r;
	struct manifest_entry *entries;
	unsigned n, room;
	unsigned levels;
	struct level level[LIMIT_JSON_DEPTH];
	int status;
};

static struct manifest_entry *
new_entry(struct walk *w)
{
	if (w->n == w->room) {
		unsigned room = w->room == 0 ? 16 : 2 * w->room;
		struct manifest_entry *more =
		    arena_alloc(w->r->arena, room * sizeof *more);

		if (more == NULL) {
			table_complain(w->r, -1, "out of memory");
			return NULL;
		}
		if (w->n > 0)
			memcpy(more, w->entries, w->n * sizeof *more);
		w->entries = more;
		w->room = room;
	}
	return &w->entries[w->n++];
}

/* The key's path below its folder, normalised. */
static const char *
entry_path(struct walk *w, const struct level *l)
{
	struct table_reader *r = w->r;
	const char *name, *path;
	struct error e;

	if (table_text(r, l->key, &name) == -1)
		return NULL;
	if (manifest_path(r->arena, span_of(name), &path, &e) == -1) {
		table_complain(r, l->key, "%s", e.text);
		return NULL;
	}
	if (strcmp(path, ".") == 0) {
		table_complain(r, l->key,
		    "manifest path must name something "
		    "below the root: %s",
		    name);
		return NULL;
	}
	if (l->path == NULL)
		return path;
	path = arena_printf(r->arena, "%s/%s", l->path, path);
	if (path == NULL || strlen(path) >= LIMIT_PATH) {
		table_complain(r, l->key, "this path is too long");
		return NULL;
	}
	return path;
}

static void
descend(struct walk *w, int object, const char *path, unsigned depth)
{
	struct table_reader *r = w->r;

	if (json_type(r->doc, object) != JSON_OBJECT) {
		w->status =
		    table_complain_type(r, object, "an object of entries");
		return;
	}
	CHECK(w->levels < LIMIT_JSON_DEPTH);
	w->level[w->levels++] =
	    (struct level){object, json_first(r->doc, object), path, depth};
}

/* The entry under the key of the innermost level. */
static void
step(struct walk *w)
{
	struct level *l = &w->level[w->levels - 1];
	struct table_reader *r = w->r;
	int key = l->key, v = json_value(r->doc, key), children;
	struct manifest_entry *entry;
	const char *path = entry_path(w, l);

	l->key = json_next(r->doc, l->object, key);
	entry = path != NULL ? new_entry(w) : NULL;
	if (entry == NULL || manifest_entry_read(r, v, entry) == -1) {
		w->n -= entry != NULL;
		w->status = -1;
		return;
	}
	entry->path = path;
	entry->depth = l->depth;
	entry->at = key;
	children = json_get(r->doc, v, "children");
	if (entry->type == ENTRY_DIR && children != -1 &&
	    json_type(r->doc, children) != JSON_NULL)
		descend(w, children, path, l->depth + 1);
}

/* --- collisions --- */

static int
by_path(const void *a, const void *b)
{
	const struct manifest_entry *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static const struct manifest_entry *
find(const struct manifest_entry *const *sorted, unsigned n, const char *path)
{
	struct manifest_entry wanted = {.path = path};
	const struct manifest_entry *key = &wanted, *const * found;

	found = bsearch(&key, sorted, n, sizeof *sorted, by_path);
	return found != NULL ? *found : NULL;
}

/* Something above the entry that is no folder made here. */
static int
check_above(struct table_reader *r, const struct manifest_entry *entry,
    const struct manifest_entry *const *sorted, unsigned n)
{
	char above[LIMIT_PATH];
	size_t length = strlen(entry->path);

	memcpy(above, entry->path, length + 1);
	while (length-- > 0) {
		const struct manifest_entry *parent;

		if (above[length] != '/')
			continue;
		above[length] = '\0';
		parent = find(sorted, n, above);
		if (parent != NULL && !entry_type_is_folder(parent->type))
			return table_complain(r, entry->at,
			    "manifest path lies below a file: %s", entry->path);
	}
	return 0;
}

static int
check_collisions(
    struct table_reader *r, const struct manifest_entry *entries, unsigned n)
{
	const struct manifest_entry **sorted =
	    arena_alloc(r->arena, (n + 1) * sizeof *sorted);
	int status = 0;

	if (sorted == NULL)
		return table_complain(r, -1, "out of memory");
	for (unsigned i = 0; i < n; i++)
		sorted[i] = &entries[i];
	qsort(sorted, n, sizeof *sorted, by_path);
	for (unsigned i = 1; i < n; i++)
		if (strcmp(sorted[i - 1]->path, sorted[i]->path) == 0)
			status = table_complain(r, sorted[i]->at,
			    "manifest path stands here twice: %s",
			    sorted[i]->path);
	for (unsigned i = 0; i < n; i++)
		if (check_above(r, &entries[i], sorted, n) == -1)
			status = -1;
	return status;
}

/* --- the member --- */

static int
entries_read(struct table_reader *r, int v, void *at)
{
	struct manifest *m = container_of(at, struct manifest, entries);
	struct walk w = {.r = r};

	descend(&w, v, NULL, 0);
	while (w.levels > 0) {
		if (w.level[w.levels - 1].key == -1)
			w.levels--;
		else
			step(&w);
	}
	m->entries = w.entries;
	m->entries_n = w.n;
	if (w.status == 0)
		w.status = check_collisions(r, w.entries, w.n);
	return w.status;
}

const struct field_custom manifest_entries_custom = {
    entries_read, manifest_entries_write, manifest_entries_schema};
