#ifndef SKEP_ENGINE_LISTING_H
#define SKEP_ENGINE_LISTING_H

/*
 * What ps, show, log and cancel have in common: the state directory opened
 * for reading, a run found by what the user calls it, its row as JSON.
 */

#include "engine/state_dir.h"
#include "engine/store_read.h"

struct cli;
struct text;

struct listing {
	struct state_dir dir;
	struct store *store;
	int owner; /* pid of the engine that owns it; 0: none */
};

/* -1 and *e: NOT_FOUND (no state), VERSION, IO. */
int listing_open(struct listing *l, struct cli *cli, struct error *e);
void listing_close(struct listing *l);

/* The run that a person means; -1 and *e.  Close the cursor. */
struct store_cursor *listing_find(struct listing *l, const char *name,
    struct store_row_run *row, struct error *e);

/*
 * "running" for what a live engine works on; an unfinished run without one is
 * "unfinished".  Otherwise the state's name.
 */
const char *listing_status(
    const struct listing *l, const struct store_row_run *row);

/* Append the row as one JSON object. */
void listing_write(
    const struct listing *l, const struct store_row_run *row, struct text *out);

/* Append how long ago, "12s", "3m", "5h", "2d". */
void listing_age(int64_t at_ms, struct text *out);

#endif
