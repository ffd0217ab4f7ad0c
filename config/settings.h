#ifndef SKEP_CONFIG_SETTINGS_H
#define SKEP_CONFIG_SETTINGS_H

/*
 * Settings of the engine, and how any setting is overridden.
 *
 * Precedence: -c key=value, then the environment, then the file, then what is
 * built in.  A key is the path of a member: model.base_url, budget.turns,
 * engine.runs.  Its variable is SKEP_ and the path in capitals with '_' for
 * '.': SKEP_MODEL_BASE_URL.  Keys that begin with "engine." are the engine's,
 * all others the agent's.  A value is read as JSON where the member is not a
 * text, and as it stands where it is one.
 *
 * The engine's file is settings.json in $XDG_CONFIG_HOME/skep (~/.config/skep);
 * it may be absent.
 */

#include <stdint.h>

#include "engine/base/span.h"

struct arena;
struct complaints;
struct error;
struct text;

struct override {
	const char *key;   /* "model.base_url" */
	const char *value; /* as it was given */
	const char *from;  /* "-c model.base_url", for messages */
	int used;          /* a table knew the key */
};

#define OVERRIDES_MAX 256

struct overrides {
	struct override at[OVERRIDES_MAX];
	unsigned n;
	int ignores_environment; /* for tests and `check` */
};

/* Add "key=value" from a -c; text is kept.  USAGE and *e when it is neither. */
int overrides_add(struct overrides *o, struct arena *arena, const char *text,
    struct error *e);

enum durability { DURABILITY_NORMAL, DURABILITY_FULL };

struct settings {
	uint64_t runs;         /* at once: -j */
	uint64_t sandboxes;    /* alive at once; 0: as many as runs */
	uint64_t commands;     /* running at once */
	uint64_t model_calls;  /* in flight at once; 0: as many as runs */
	uint64_t memory_bytes; /* ceiling of the pool */
	enum durability durability;
	double drain_seconds; /* how long the first signal lets runs go on */
	int http_allowed;     /* plain http:// to other hosts than loopback */
};

/* Read it; the file's absence is fine.  -1 and complaints. */
int settings_load(struct settings *s, struct arena *arena,
    const struct overrides *overrides, struct complaints *c);

void settings_write(
    const struct settings *s, unsigned indent, struct text *out);

#endif
