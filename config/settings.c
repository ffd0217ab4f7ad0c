#include "config/settings.h"

#include <stdlib.h>
#include <unistd.h>

#include "config/complaint.h"
#include "config/nearest.h"
#include "config/overrides.h"
#include "config/source.h"
#include "config/table.h"
#include "engine/base/arena.h"

#define PREFIX "engine"
#define COUNT_MAX 1e6
#define SECONDS_MAX 86400.0

static const char *const durability_names[] = {
    [DURABILITY_NORMAL] = "normal",
    [DURABILITY_FULL] = "full",
    NULL,
};

#define AT(member) .offset = offsetof(struct settings, member)

static const struct field settings_fields[] = {
    {"$schema", FIELD_NOTHING, .doc = "where an editor finds the schema"},
    {"runs", FIELD_COUNT, AT(runs), .min = 1, .max = COUNT_MAX, .preset = 64,
	.doc = "runs at once, where -j says nothing"},
    {"sandboxes", FIELD_COUNT, AT(sandboxes), .max = COUNT_MAX,
	.doc = "sandboxes alive at once; 0: as many as runs"},
    {"warm", FIELD_COUNT, AT(warm), .max = 64,
	.doc = "sandboxes made ahead of time, of each profile that is used"},
    {"commands", FIELD_COUNT, AT(commands), .max = COUNT_MAX,
	.doc = "commands running at once; 0: four a processor"},
    {"model_calls", FIELD_COUNT, AT(model_calls), .max = COUNT_MAX,
	.doc = "model calls in flight at once; 0: as many as runs"},
    {"durability", FIELD_CHOICE, AT(durability), .names = durability_names,
	.doc = "normal survives any crash of skep, full also power loss"},
    {"drain_seconds", FIELD_REAL, AT(drain_seconds), .max = SECONDS_MAX,
	.preset = 30, .doc = "how long the first signal lets runs go on"},
    {"http_allowed", FIELD_BOOL, AT(http_allowed),
	.doc = "plain http:// to other hosts than this one"},
    {"dns_servers", FIELD_TEXT, AT(dns_servers),
	.doc = "ADDRESS[:PORT],... instead of those of /etc/resolv.conf"},
    {.name = NULL},
};

const struct table settings_table = {
    .name = "settings",
    .doc = "Settings of the engine.",
    .bytes = sizeof(struct settings),
    .fields = settings_fields,
};

/* $XDG_CONFIG_HOME/skep/settings.json or the like; NULL: nowhere to look. */
static const char *
default_path(struct arena *arena)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (xdg != NULL && xdg[0] == '/')
		return arena_printf(arena, "%s/skep/settings.json", xdg);
	if (home != NULL && home[0] == '/')
		return arena_printf(
		    arena, "%s/.config/skep/settings.json", home);
	return NULL;
}

static void
complain_unused(
    struct arena *arena, const struct overrides *o, struct complaints *c)
{
	struct nearest near;
	char hint[NEAREST_HINT];

	for (unsigned i = 0; i < o->n; i++) {
		const struct override *one = &o->at[i];
		const struct field *f;

		if (one->used || strncmp(one->key, PREFIX ".", 7) != 0)
			continue;
		nearest_init(&near, span_of(one->key));
		for (f = settings_fields; f->name != NULL; f++) {
			const char *name =
			    arena_printf(arena, PREFIX ".%s", f->name);

			if (name != NULL)
				nearest_offer(&near, name);
		}
		complain(c, ERROR_CONFIG, one->from, 0, 0,
		    "there is no such setting%s", nearest_hint(&near, hint));
	}
}

int
settings_load_file(struct settings *s, struct arena *arena, const char *path,
    struct overrides *overrides, struct complaints *c)
{
	struct table_reader r = {.arena = arena,
	    .complaints = c,
	    .overrides = overrides,
	    .path_n = sizeof PREFIX - 1,
	    .path = PREFIX};
	unsigned before = c->n;
	struct source source;
	int v = -1;

	if (path != NULL) {
		if (source_open(&source, arena, path, c) == -1)
			return -1;
		r.file = path;
		r.folder = source.folder;
		r.doc = &source.doc;
		v = 0;
	}
	(void)table_read(&r, &settings_table, v, s);
	if (overrides != NULL)
		complain_unused(arena, overrides, c);
	if (path != NULL)
		source_release(&source);
	return c->n == before ? 0 : -1;
}

int
settings_load(struct settings *s, struct arena *arena,
    struct overrides *overrides, struct complaints *c)
{
	const char *path = default_path(arena);

	if (path != NULL && access(path, F_OK) == -1)
		path = NULL;
	return settings_load_file(s, arena, path, overrides, c);
}
