/*
 * Profiles in files, and what they extend.
 */

#include <string.h>

#include "config/complaint.h"
#include "config/nearest.h"
#include "config/profile.h"
#include "config/source.h"
#include "config/table.h"
#include "engine/base/arena.h"

#define EXTENDS_DEPTH 8 /* profiles in a chain */

static int by_name(struct table_reader *r, int v, const char *name, int depth,
    const struct profile **out);

/* The profile named by "extends". */
static int
find_parent(
    struct table_reader *r, int v, int depth, const struct profile **out)
{
	const char *name;

	if (table_text(r, v, &name) == -1)
		return -1;
	if (depth == EXTENDS_DEPTH)
		return table_complain(r, v,
		    "more than %d profiles extend each other", EXTENDS_DEPTH);
	return by_name(r, v, name, depth + 1, out);
}

static int
check_user(struct table_reader *r, int v, const struct profile *p)
{
	size_t n = strspn(p->user, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	if (n == 0 || n > 32 || p->user[n] != '\0' ||
	    strcmp(p->user, "root") == 0)
		return table_complain(r, json_get(r->doc, v, "user"),
		    "not a name for the user; use up to 32 of a-z 0-9 _ -, "
		    "but not root");
	return 0;
}

/* A file without a name is called like the file. */
static const char *
name_of(struct table_reader *r, int v)
{
	const char *slash = strrchr(r->file, '/');
	struct span s = span_of(slash != NULL ? slash + 1 : r->file);
	struct span end = span_of(".json");

	if (v != 0)
		return "custom";
	if (span_has_suffix(s, end))
		s.n -= end.n;
	return arena_strndup(r->arena, s.p, s.n);
}

static int
read_profile(
    struct table_reader *r, int v, const struct profile **out, int depth)
{
	int extends = json_get(r->doc, v, "extends");
	const struct profile *parent = profile_builtin("draft");
	struct profile *p = arena_alloc(r->arena, sizeof *p);
	char digest[HASH_TEXT_MAX];
	struct error e;

	if (p == NULL)
		return table_complain(r, v, "out of memory");
	if (extends != -1 && find_parent(r, extends, depth, &parent) == -1)
		return -1;
	*p = *parent;
	p->name = p->description = NULL;
	if (table_read_over(r, &profile_table, v, p) == -1 ||
	    check_user(r, v, p) == -1)
		return -1;
	if (extends != -1 && profile_check_narrower(p, parent, &e) == -1)
		return table_complain(r, extends,
		    "%s; without \"extends\" it stands for itself", e.text);
	if (p->name == NULL && (p->name = name_of(r, v)) == NULL)
		return table_complain(r, v, "out of memory");
	if (table_digest(&profile_table, p, digest) == -1)
		return table_complain(r, v, "the profile is too large");
	*out = p;
	return 0;
}

int
profile_read(struct table_reader *r, int v, const struct profile **out)
{
	return read_profile(r, v, out, 0);
}

static int
load_file(struct arena *arena, const char *path, struct complaints *c,
    int depth, const struct profile **out)
{
	struct table_reader r = {.arena = arena, .complaints = c, .file = path};
	unsigned before = c->n;
	struct source s;

	if (source_open(&s, arena, path, c) == -1)
		return -1;
	r.folder = s.folder;
	r.doc = &s.doc;
	(void)read_profile(&r, 0, out, depth);
	source_release(&s);
	return c->n == before ? 0 : -1;
}

static int
unknown(struct table_reader *r, int v, const char *name)
{
	struct nearest near;
	char hint[NEAREST_HINT];
	const struct profile *p;

	nearest_init(&near, span_of(name));
	for (unsigned i = 0; (p = profile_builtin_at(i)) != NULL; i++)
		nearest_offer(&near, p->name);
	return table_complain(r, v,
	    "there is no profile \"%s\"%s; built in are draft, delivery, "
	    "privileged and bare, and a file has a / or .json in its name",
	    name, nearest_hint(&near, hint));
}

static int
by_name(struct table_reader *r, int v, const char *name, int depth,
    const struct profile **out)
{
	const struct profile *p = profile_builtin(name);

	if (p != NULL) {
		*out = p;
		return 0;
	}
	if (strchr(name, '/') == NULL &&
	    !span_has_suffix(span_of(name), span_of(".json")))
		return unknown(r, v, name);
	name = table_path(r, span_of(name));
	if (name == NULL || (v != -1 && table_exists(r, v, name) == -1))
		return -1;
	return load_file(r->arena, name, r->complaints, depth, out);
}

int
profile_read_name(
    struct table_reader *r, int v, const char *name, const struct profile **out)
{
	return by_name(r, v, name, 0, out);
}

const struct profile *
profile_load_file(struct arena *arena, const char *path, struct complaints *c)
{
	const struct profile *p = NULL;

	return load_file(arena, path, c, 0, &p) == 0 ? p : NULL;
}

const struct profile *
profile_load(struct arena *arena, const char *folder, const char *name,
    struct complaints *c)
{
	struct table_reader r = {
	    .arena = arena, .complaints = c, .folder = folder};
	const struct profile *p = NULL;

	return by_name(&r, -1, name, 0, &p) == 0 ? p : NULL;
}
