#ifndef SKEP_ENGINE_STORE_READ_H
#define SKEP_ENGINE_STORE_READ_H

/*
 * What people ask the store: which runs, what is known of one, what it said.
 * Spans in a row are borrowed until the cursor moves or closes.
 */

#include <stdint.h>

#include "engine/store.h"

struct store_cursor;

struct store_row_run {
	int64_t number;
	struct span id, custom_id, agent_name; /* custom_id.p may be NULL */
	struct span agent_now; /* who has taken it over; p == NULL: nobody */
	struct span parent;    /* the id of who started it; or p == NULL */
	unsigned depth;
	enum run_state state;
	uint64_t line, attempts;
	int64_t created_ms, started_ms, changed_ms, ended_ms; /* 0: not yet */
	struct spending usage;
	struct span error_code, error_message, result;
	int is_written;
};

struct store_row_item {
	uint64_t seq, turn;
	int64_t at_ms;
	struct span json;
};

struct store_row_call {
	uint64_t seq, turn;
	struct span kind, name, call_id, outcome, what;
	int64_t began_ms, ended_ms; /* 0: still under way */
};

/*
 * The run that name names: its custom_id (the newest), its id, or any unique
 * prefix of that.  -1 and *e: NOT_FOUND, which names
 * the candidates when there are several.
 */
int store_resolve(
    struct store *s, struct span name, int64_t *number, struct error *e);

/* All runs, newest first; or only the one with this number. */
struct store_cursor *store_runs(
    struct store *s, int only_unfinished, struct error *e);
struct store_cursor *store_one_run(
    struct store *s, int64_t number, struct error *e);
/* Those that a run started, and theirs, each after who started it. */
struct store_cursor *store_runs_below(
    struct store *s, int64_t number, struct error *e);
struct store_cursor *store_items(
    struct store *s, int64_t number, uint64_t from_seq, struct error *e);
struct store_cursor *store_calls(
    struct store *s, int64_t number, struct error *e);

/* The next row: 1, or 0 at the end, or -1 and *e. */
int store_next_run(
    struct store_cursor *c, struct store_row_run *row, struct error *e);
int store_next_item(
    struct store_cursor *c, struct store_row_item *row, struct error *e);
int store_next_call(
    struct store_cursor *c, struct store_row_call *row, struct error *e);

void store_cursor_close(struct store_cursor *c);

#endif
