#ifndef SKEP_CONFIG_OVERRIDES_H
#define SKEP_CONFIG_OVERRIDES_H

/*
 * How any setting of a file is overridden.
 *
 * Precedence: -c key=value, then the environment, then the file, then what is
 * built in.  A key is the path of a member: model.base_url, budget.turns,
 * engine.runs.  Its variable is SKEP_ and the path in capitals with '_' for
 * '.': SKEP_MODEL_BASE_URL.  Keys that begin with "engine." are the engine's,
 * all others the agent's.  A value is read as JSON where the member is not a
 * text, and as it stands where it is one.
 */

#include "engine/base/span.h"

struct arena;
struct error;

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
	int ignores_environment; /* only -c counts */
};

/* Add "key=value" from a -c; text is kept.  USAGE and *e when it is neither. */
int overrides_add(struct overrides *o, struct arena *arena, const char *text,
    struct error *e);

/*
 * The override of the member at path, or NULL: the last -c of that key, else
 * its environment variable (then a new one in arena).  Marks it as used.
 */
const struct override *overrides_get(
    struct overrides *o, struct arena *arena, const char *path);

/* True when a -c names something below path. */
int overrides_below(const struct overrides *o, const char *path);

#endif
