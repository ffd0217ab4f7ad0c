/*
 * From the description to one run's workspace: two manifests made one,
 * variables replaced, sources found.
 */

#include <stdlib.h>
#include <string.h>

#include "config/manifest_private.h"
#include "config/vars.h"
#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"

static int
full(struct error *e)
{
	return error_set(e, ERROR_FULL, 0, "out of memory");
}

/* --- sources --- */

/*
 * Join folder and path and take "." and ".." out, as text: nothing may be
 * opened to find out.  ".." above the root stays there.
 */
static const char *
plain_path(struct arena *arena, const char *folder, const char *path)
{
	size_t n = 0;
	struct span rest;
	char *joined, *out;

	joined = path[0] == '/' ? arena_strndup(arena, path, strlen(path))
				: arena_printf(arena, "%s/%s", folder, path);
	if (joined == NULL)
		return NULL;
	out = arena_alloc(arena, strlen(joined) + 2);
	if (out == NULL)
		return NULL;
	for (rest = span_of(joined); rest.p != NULL;) {
		struct span part = span_cut(&rest, '/');

		if (part.n == 0 || span_is(part, "."))
			continue;
		if (span_is(part, "..")) {
			while (n > 0 && out[--n] != '/')
				;
			continue;
		}
		out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	out[n] = '\0';
	return out;
}

/* What of path lies below folder, "." for itself, or NULL. */
static const char *
part_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	if (strncmp(path, folder, n) != 0)
		return NULL;
	if (path[n] == '\0')
		return ".";
	return path[n] == '/' ? path + n + 1 : NULL;
}

int
manifest_source(struct arena *arena, const struct manifest *m,
    const struct manifest_entry *entry, const char **folder, const char **below,
    struct error *e)
{
	const char *path = plain_path(arena, entry->folder, entry->src);
	const char *base = plain_path(arena, entry->folder, ".");

	if (path == NULL || base == NULL)
		return full(e);
	*folder = base[0] == '\0' ? "/" : base;
	*below = part_below(path, base);
	for (unsigned i = 0; *below == NULL && i < m->grants_n; i++) {
		*folder = plain_path(arena, "/", m->grants[i].host_path);
		if (*folder == NULL)
			return full(e);
		*below = part_below(path, *folder);
	}
	if (*below != NULL)
		return 0;
	return error_set(e, ERROR_MANIFEST, 0,
	    "outside_base_dir: source %s lies outside %s; put it there, or add a path grant for "
	    "its folder to the agent's manifest",
	    entry->src, entry->folder);
}

/* --- variables --- */

static int
expand_text(struct arena *arena, struct span s, const struct vars *vars,
    struct span *out, struct error *e)
{
	struct text t;
	int status = -1;

	text_init(&t, LIMIT_CONFIG_FILE);
	if (vars_expand(s, vars, &t, e) == 0) {
		out->p = arena_strndup(arena, t.p != NULL ? t.p : "", t.n);
		out->n = t.n;
		status = out->p != NULL ? 0 : full(e);
	}
	text_release(&t);
	return status;
}

/* A path or name in place; 1 when it held a variable, 0, or -1 and *e. */
static int
expand_name(struct arena *arena, const char **name, const struct vars *vars,
    struct error *e)
{
	struct span s;

	if (*name == NULL || !vars_occur(span_of(*name)))
		return 0;
	if (expand_text(arena, span_of(*name), vars, &s, e) == -1)
		return -1;
	if (s.n == 0 || memchr(s.p, '\0', s.n) != NULL)
		return error_set(e, ERROR_MANIFEST, 0,
		    "its source is no path once its variables are in");
	*name = s.p;
	return 1;
}

static int
expand_git(struct arena *arena, struct manifest_git *git,
    const struct vars *vars, struct error *e)
{
	const char **names[] = {&git->repo, &git->ref, &git->subpath};
	const char *member;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (expand_name(arena, names[i], vars, e) == -1)
			return -1;
		/* A value that looks like a variable is none. */
		if (*names[i] != NULL && vars_occur(span_of(*names[i])))
			return error_set(e, ERROR_MANIFEST, 0,
			    "${ cannot stand in the %s",
			    i == 0   ? "repo"
			    : i == 1 ? "ref"
				     : "subpath");
	}
	return manifest_git_check(git, &member, e);
}

static int
expand_entry(struct arena *arena, const struct manifest *m,
    struct manifest_entry *entry, const struct vars *vars, struct error *e)
{
	const char *folder, *below;
	int changed = expand_name(arena, &entry->src, vars, e);

	if (changed == -1 || (changed == 1 && manifest_source(arena, m, entry,
						  &folder, &below, e) == -1))
		return -1;
	if (entry->type == ENTRY_GIT_REPO)
		return expand_git(arena, &entry->git, vars, e);
	if (entry->type == ENTRY_FILE && !entry->is_base64 &&
	    vars_occur(entry->content))
		return expand_text(
		    arena, entry->content, vars, &entry->content, e);
	return 0;
}

const struct manifest *
manifest_expand(struct arena *arena, const struct manifest *m,
    const struct vars *vars, struct error *e)
{
	struct manifest_entry *entries;
	struct manifest *out;

	if (!m->has_variables)
		return m;
	out = arena_alloc(arena, sizeof *out);
	entries = arena_alloc(arena, (m->entries_n + 1) * sizeof *entries);
	if (out == NULL || entries == NULL) {
		full(e);
		return NULL;
	}
	*out = *m;
	memcpy(entries, m->entries, m->entries_n * sizeof *entries);
	for (unsigned i = 0; i < m->entries_n; i++)
		if (expand_entry(arena, out, &entries[i], vars, e) == -1) {
			error_wrap(e, "manifest entry %s", entries[i].path);
			if (e->code != ERROR_FULL)
				e->code = ERROR_MANIFEST;
			return NULL;
		}
	out->entries = entries;
	out->has_variables = 0;
	return out;
}

/* --- merging --- */

static int
by_path(const void *a, const void *b)
{
	const struct manifest_entry *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

/* The entries of a manifest by path, for look-up. */
struct index {
	const struct manifest_entry **at;
	unsigned n;
};

static int
index_init(struct index *index, struct arena *arena, const struct manifest *m,
    struct error *e)
{
	index->n = m->entries_n;
	index->at = arena_alloc(arena, (index->n + 1) * sizeof index->at[0]);
	if (index->at == NULL)
		return full(e);
	for (unsigned i = 0; i < index->n; i++)
		index->at[i] = &m->entries[i];
	qsort(index->at, index->n, sizeof index->at[0], by_path);
	return 0;
}

static const struct manifest_entry *
index_find(const struct index *index, const char *path)
{
	struct manifest_entry wanted = {.path = path};
	const struct manifest_entry *key = &wanted, *const * found;

	found =
	    bsearch(&key, index->at, index->n, sizeof index->at[0], by_path);
	return found != NULL ? *found : NULL;
}

/* The entry of index at path or above it, the nearest; a folder or not. */
static const struct manifest_entry *
at_or_above(const struct index *index, const char *path, int itself)
{
	char above[LIMIT_PATH];
	size_t n = strlen(path);
	const struct manifest_entry *found = NULL;

	memcpy(above, path, n + 1);
	if (itself && (found = index_find(index, above)) != NULL)
		return found;
	while (n-- > 0 && found == NULL)
		if (above[n] == '/') {
			above[n] = '\0';
			found = index_find(index, above);
		}
	return found;
}

/*
 * Base entries that more replaces: those at the same path, and those below
 * one of more's -- unless both only say that a folder is there.
 */
static int
is_replaced(const struct index *more, const struct manifest_entry *entry)
{
	const struct manifest_entry *other = index_find(more, entry->path);

	if (other != NULL)
		return other->type != ENTRY_DIR || entry->type != ENTRY_DIR;
	other = at_or_above(more, entry->path, 0);
	return other != NULL && other->type != ENTRY_DIR;
}

static unsigned
merge_entries(struct manifest_entry *out, const struct manifest *base,
    const struct manifest *more, const struct index *more_at,
    const struct index *base_at)
{
	unsigned n = 0;

	for (unsigned i = 0; i < base->entries_n; i++)
		if (!is_replaced(more_at, &base->entries[i]))
			out[n++] = base->entries[i];
	for (unsigned i = 0; i < more->entries_n; i++) {
		const struct manifest_entry *entry = &more->entries[i];
		const struct manifest_entry *old =
		    index_find(base_at, entry->path);

		/* A folder that both have is there already. */
		if (old == NULL || old->type != ENTRY_DIR ||
		    entry->type != ENTRY_DIR)
			out[n++] = *entry;
	}
	return n;
}

/* No file of base may stand above an entry of more. */
static int
check_merge(const struct manifest *more, const struct index *more_at,
    const struct index *base_at, struct error *e)
{
	for (unsigned i = 0; i < more->entries_n; i++) {
		const char *path = more->entries[i].path;
		const struct manifest_entry *above =
		    at_or_above(base_at, path, 0);

		if (above == NULL || index_find(more_at, above->path) != NULL)
			continue;
		if (!entry_type_is_folder(above->type))
			return error_set(e, ERROR_MANIFEST, 0,
			    "manifest path lies below a file of the agent's "
			    "manifest: %s",
			    path);
	}
	return 0;
}

static int
merge_environment(struct arena *arena, struct manifest *out,
    const struct manifest *more, struct error *e)
{
	unsigned n = out->environment_n;
	struct manifest_variable *all =
	    arena_alloc(arena, (n + more->environment_n + 1) * sizeof *all);

	if (all == NULL)
		return full(e);
	if (n > 0)
		memcpy(all, out->environment, n * sizeof *all);
	for (unsigned i = 0; i < more->environment_n; i++) {
		unsigned at = 0;

		while (at < out->environment_n &&
		       strcmp(all[at].name, more->environment[i].name) != 0)
			at++;
		if (at == out->environment_n)
			at = n++;
		all[at] = more->environment[i];
	}
	out->environment = all;
	out->environment_n = n;
	return 0;
}

const struct manifest *
manifest_merge(struct arena *arena, const struct manifest *base,
    const struct manifest *more, struct error *e)
{
	struct index base_at, more_at;
	struct manifest_entry *entries;
	struct manifest *out;

	if (base == NULL || more == NULL)
		return base == NULL ? more : base;
	out = arena_alloc(arena, sizeof *out);
	entries = arena_alloc(arena,
	    ((size_t)base->entries_n + more->entries_n + 1) * sizeof *entries);
	if (out == NULL || entries == NULL) {
		full(e);
		return NULL;
	}
	*out = *base;
	if (index_init(&base_at, arena, base, e) == -1 ||
	    index_init(&more_at, arena, more, e) == -1 ||
	    check_merge(more, &more_at, &base_at, e) == -1 ||
	    merge_environment(arena, out, more, e) == -1)
		return NULL;
	if (manifest_users_merge(arena, out, more) == -1) {
		full(e);
		return NULL;
	}
	out->entries = entries;
	out->entries_n = merge_entries(entries, base, more, &more_at, &base_at);
	out->has_variables |= more->has_variables;
	return out;
}
