#ifndef SKEP_CONFIG_SETTINGS_H
#define SKEP_CONFIG_SETTINGS_H

/*
 * Settings of the engine; overrides.h says how each can be overridden.
 *
 * The engine's file is settings.json in $XDG_CONFIG_HOME/skep (~/.config/skep);
 * it may be absent.
 */

#include <stdint.h>

#include "engine/base/span.h"

struct arena;
struct complaints;
struct error;
struct overrides;
struct table;

enum durability { DURABILITY_NORMAL, DURABILITY_FULL };

struct settings {
	uint64_t runs;        /* at once: -j */
	uint64_t sandboxes;   /* alive at once; 0: as many as runs */
	uint64_t warm;        /* sandboxes made ahead of time */
	uint64_t commands;    /* running at once; 0: four a processor */
	uint64_t model_calls; /* in flight at once; 0: as many as runs */
	enum durability durability;
	double drain_seconds; /* how long the first signal lets runs go on */
	int http_allowed;     /* plain http:// to other hosts than loopback */
	const char *dns_servers; /* "127.0.0.1:53,..."; NULL: the system's */
};

/* Read it; the file's absence is fine.  -1 and complaints. */
int settings_load(struct settings *s, struct arena *arena,
    struct overrides *overrides, struct complaints *c);

/* The same from this file; path and overrides may be NULL. */
int settings_load_file(struct settings *s, struct arena *arena,
    const char *path, struct overrides *overrides, struct complaints *c);

extern const struct table settings_table;

#endif
