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

static const struct profile *load(struct arena *arena, const char *folder,
    const char *name, struct complaints *c, int depth);

/* The profile named by "extends", or draft; NULL after a complaint. */
static const struct profile *
find_parent(struct table_reader *r, int v, int depth)
{
	unsigned before = r->complaints->n;
	const struct profile *parent;
	const char *name;

	if (table_text(r, v, &name) == -1)
		return NULL;
	if (depth == EXTENDS_DEPTH) {
		table_complain(r, v, "more than %d profiles extend each other",
		    EXTENDS_DEPTH);
		return NULL;
	}
	parent = load(r->arena, r->folder, name, r->complaints, depth + 1);
	if (parent == NULL && r->complaints->n == before)
		table_complain(r, v, "it cannot be read");
	return parent;
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

static int
read_profile(
    struct table_reader *r, int v, const struct profile **out, int depth)
{
	int extends = json_get(r->doc, v, "extends");
	const struct profile *parent = profile_builtin("draft");
	struct profile *p = arena_alloc(r->arena, sizeof *p);
	struct error e;

	if (p == NULL)
		return table_complain(r, v, "out of memory");
	if (extends != -1 && (parent = find_parent(r, extends, depth)) == NULL)
		return -1;
	*p = *parent;
	p->name = p->description = NULL;
	if (table_read_over(r, &profile_table, v, p) == -1 ||
	    check_user(r, v, p) == -1)
		return -1;
	if (extends != -1 && profile_check_narrower(p, parent, &e) == -1)
		return table_complain(r, extends, "%s", e.text);
	if (p->name == NULL)
		p->name = extends != -1 ? parent->name : "custom";
	*out = p;
	return 0;
}

int
profile_read(struct table_reader *r, int v, const struct profile **out)
{
	return read_profile(r, v, out, 0);
}

static const struct profile *
unknown(const char *name, struct complaints *c)
{
	struct nearest near;
	char hint[NEAREST_HINT];
	const struct profile *p;

	nearest_init(&near, span_of(name));
	for (unsigned i = 0; (p = profile_builtin_at(i)) != NULL; i++)
		nearest_offer(&near, p->name);
	complain(c, ERROR_CONFIG, NULL, 0, 0,
	    "there is no profile \"%s\"%s; built in are draft, delivery, "
	    "privileged and bare, and a file has a / or .json in its name",
	    name, nearest_hint(&near, hint));
	return NULL;
}

/* A file beside the one that names it, or where we are. */
static const char *
file_path(struct arena *arena, const char *folder, const char *name)
{
	if (folder == NULL || name[0] == '/')
		return arena_strndup(arena, name, strlen(name));
	return arena_printf(arena, "%s/%s", folder, name);
}

static const struct profile *
load(struct arena *arena, const char *folder, const char *name,
    struct complaints *c, int depth)
{
	const struct profile *p = profile_builtin(name);
	struct table_reader r = {.arena = arena, .complaints = c};
	struct source s;

	if (p != NULL)
		return p;
	if (strchr(name, '/') == NULL &&
	    !span_has_suffix(span_of(name), span_of(".json")))
		return unknown(name, c);
	name = file_path(arena, folder, name);
	if (name == NULL || source_open(&s, arena, name, c) == -1)
		return NULL;
	r.file = name;
	r.folder = s.folder;
	r.doc = &s.doc;
	if (read_profile(&r, 0, &p, depth) == -1)
		p = NULL;
	source_release(&s);
	return p;
}

const struct profile *
profile_load(struct arena *arena, const char *folder, const char *name,
    struct complaints *c)
{
	unsigned before = c->n;
	const struct profile *p = load(arena, folder, name, c, 0);

	return c->n == before ? p : NULL;
}
