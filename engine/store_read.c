#include "engine/store_read.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/text.h"
#include "engine/store_private.h"

#define PREFIX_MIN 1

#define RUN_COLUMNS                                                           \
	"number, id, custom_id, agent_name, state, line, attempts,"           \
	" created_ms, started_ms, changed_ms, ended_ms, turns, model_calls,"  \
	" tool_calls, input_tokens, cached_tokens, output_tokens,"            \
	" reasoning_tokens, usd, error_code, error_message, result, written," \
	" agent_now, depth,"                                                  \
	" (SELECT p.id FROM runs AS p WHERE p.number = runs.parent)"

static struct store_cursor *
open_cursor(struct store *s, const char *text, struct error *e)
{
	struct store_cursor *c = calloc(1, sizeof *c);

	if (c == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for a look-up");
		return NULL;
	}
	c->store = s;
	if (sqlite3_prepare_v2(s->db, text, -1, &c->statement, NULL) !=
	    SQLITE_OK) {
		store_error(s->db, e, "look up");
		store_cursor_close(c);
		return NULL;
	}
	return c;
}

struct store_cursor *
store_runs(struct store *s, int only_unfinished, struct error *e)
{
	return open_cursor(s,
	    only_unfinished ? "SELECT " RUN_COLUMNS " FROM runs"
			      " WHERE ended_ms IS NULL ORDER BY number DESC"
			    : "SELECT " RUN_COLUMNS " FROM runs"
			      " ORDER BY number DESC",
	    e);
}

static struct store_cursor *
open_for_run(struct store *s, const char *text, int64_t number, struct error *e)
{
	struct store_cursor *c = open_cursor(s, text, e);

	if (c != NULL)
		sqlite3_bind_int64(c->statement, 1, number);
	return c;
}

struct store_cursor *
store_one_run(struct store *s, int64_t number, struct error *e)
{
	return open_for_run(
	    s, "SELECT " RUN_COLUMNS " FROM runs WHERE number = ?1", number, e);
}

/* The path of numbers is what depth-first order is. */
struct store_cursor *
store_runs_below(struct store *s, int64_t number, struct error *e)
{
	return open_for_run(s,
	    "WITH RECURSIVE below(n, path) AS ("
	    " SELECT number, printf('%019d', number) FROM runs"
	    " WHERE parent = ?1 UNION ALL"
	    " SELECT r.number, path || printf('%019d', r.number)"
	    " FROM runs AS r, below WHERE r.parent = below.n)"
	    " SELECT " RUN_COLUMNS " FROM below JOIN runs ON number = n"
	    " ORDER BY path",
	    number, e);
}

struct store_cursor *
store_items(struct store *s, int64_t number, uint64_t from_seq, struct error *e)
{
	struct store_cursor *c = open_for_run(s,
	    "SELECT seq, turn, at_ms, json FROM items"
	    " WHERE run = ?1 AND seq >= ?2 ORDER BY seq",
	    number, e);

	if (c != NULL)
		sqlite3_bind_int64(c->statement, 2, (int64_t)from_seq);
	return c;
}

struct store_cursor *
store_calls(struct store *s, int64_t number, struct error *e)
{
	return open_for_run(s,
	    "SELECT seq, turn, kind, name, call_id, outcome, what, began_ms,"
	    " ended_ms FROM calls WHERE run = ?1 ORDER BY seq",
	    number, e);
}

static int
step(struct store_cursor *c, struct error *e)
{
	switch (sqlite3_step(c->statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return store_error(c->store->db, e, "look up");
	}
}

static uint64_t
count(sqlite3_stmt *st, int i)
{
	return (uint64_t)sqlite3_column_int64(st, i);
}

int
store_next_run(
    struct store_cursor *c, struct store_row_run *row, struct error *e)
{
	sqlite3_stmt *st = c->statement;
	int got = step(c, e);

	if (got != 1)
		return got;
	row->number = sqlite3_column_int64(st, 0);
	row->id = store_column(st, 1);
	row->custom_id = store_column(st, 2);
	row->agent_name = store_column(st, 3);
	row->state =
	    run_state_from_name((const char *)sqlite3_column_text(st, 4));
	row->line = count(st, 5);
	row->attempts = count(st, 6);
	row->created_ms = sqlite3_column_int64(st, 7);
	row->started_ms = sqlite3_column_int64(st, 8);
	row->changed_ms = sqlite3_column_int64(st, 9);
	row->ended_ms = sqlite3_column_int64(st, 10);
	row->usage.turns = count(st, 11);
	row->usage.model_calls = count(st, 12);
	row->usage.tool_calls = count(st, 13);
	row->usage.input_tokens = count(st, 14);
	row->usage.cached_tokens = count(st, 15);
	row->usage.output_tokens = count(st, 16);
	row->usage.reasoning_tokens = count(st, 17);
	row->usage.usd = sqlite3_column_double(st, 18);
	row->error_code = store_column(st, 19);
	row->error_message = store_column(st, 20);
	row->result = store_column(st, 21);
	row->is_written = sqlite3_column_int(st, 22);
	row->agent_now = store_column(st, 23);
	row->depth = (unsigned)sqlite3_column_int(st, 24);
	row->parent = store_column(st, 25);
	return 1;
}

int
store_next_item(
    struct store_cursor *c, struct store_row_item *row, struct error *e)
{
	int got = step(c, e);

	if (got != 1)
		return got;
	row->seq = count(c->statement, 0);
	row->turn = count(c->statement, 1);
	row->at_ms = sqlite3_column_int64(c->statement, 2);
	row->json = store_column(c->statement, 3);
	return 1;
}

int
store_next_call(
    struct store_cursor *c, struct store_row_call *row, struct error *e)
{
	int got = step(c, e);

	if (got != 1)
		return got;
	row->seq = count(c->statement, 0);
	row->turn = count(c->statement, 1);
	row->kind = store_column(c->statement, 2);
	row->name = store_column(c->statement, 3);
	row->call_id = store_column(c->statement, 4);
	row->outcome = store_column(c->statement, 5);
	row->what = store_column(c->statement, 6);
	row->began_ms = sqlite3_column_int64(c->statement, 7);
	row->ended_ms = sqlite3_column_int64(c->statement, 8);
	return 1;
}

void
store_cursor_close(struct store_cursor *c)
{
	if (c == NULL)
		return;
	sqlite3_finalize(c->statement);
	free(c);
}

/* Name up to three candidates in *e. */
static int
ambiguous(struct store_cursor *c, struct span name, struct span first,
    struct error *e)
{
	struct error ignored;
	char text[96];
	size_t n = first.n < RUN_ID_HEX ? first.n : RUN_ID_HEX;

	memcpy(text, first.p, n);
	for (int more = 0; more < 2 && step(c, &ignored) == 1; more++) {
		struct span id = store_column(c->statement, 1);

		if (id.n > RUN_ID_HEX)
			id.n = RUN_ID_HEX;
		text[n++] = ',';
		text[n++] = ' ';
		memcpy(text + n, id.p, id.n);
		n += id.n;
	}
	return error_set(e, ERROR_NOT_FOUND, 0,
	    "\"%.*s\" is the beginning of several runs: %.*s",
	    (int)(name.n < 64 ? name.n : 64), name.p, (int)n, text);
}

/* 1 found, 0 none, -1 and *e: failed or several. */
static int
resolve_prefix(
    struct store *s, struct span name, int64_t *number, struct error *e)
{
	struct store_cursor *c = open_cursor(s,
	    "SELECT number, id FROM runs WHERE id >= ?1 AND id < ?1 || 'g'"
	    " ORDER BY id LIMIT 4",
	    e);
	char first[RUN_ID_BYTES];
	struct span id;
	int got;

	if (c == NULL)
		return -1;
	sqlite3_bind_text64(
	    c->statement, 1, name.p, name.n, SQLITE_STATIC, SQLITE_UTF8);
	got = step(c, e);
	if (got == 1) {
		*number = sqlite3_column_int64(c->statement, 0);
		id = store_column(c->statement, 1);
		if (id.n > RUN_ID_HEX)
			id.n = RUN_ID_HEX;
		memcpy(first, id.p, id.n);
		if (step(c, e) == 1) {
			sqlite3_reset(c->statement);
			step(c, e);
			got = ambiguous(c, name, (struct span){first, id.n}, e);
		}
	}
	store_cursor_close(c);
	return got;
}

static int
resolve_custom_id(
    struct store *s, struct span name, int64_t *number, struct error *e)
{
	struct store_cursor *c = open_cursor(s,
	    "SELECT number FROM runs WHERE custom_id = ?1"
	    " ORDER BY number DESC LIMIT 1",
	    e);
	int got;

	if (c == NULL)
		return -1;
	sqlite3_bind_text64(
	    c->statement, 1, name.p, name.n, SQLITE_STATIC, SQLITE_UTF8);
	got = step(c, e);
	if (got == 1)
		*number = sqlite3_column_int64(c->statement, 0);
	store_cursor_close(c);
	return got;
}

static int
is_id_prefix(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (strchr("0123456789abcdef", name.p[i]) == NULL)
			return 0;
	return name.n >= PREFIX_MIN && name.n <= RUN_ID_HEX;
}

int
store_resolve(
    struct store *s, struct span name, int64_t *number, struct error *e)
{
	int got = resolve_custom_id(s, name, number, e);

	if (got == 0 && is_id_prefix(name))
		got = resolve_prefix(s, name, number, e);
	if (got == 0)
		error_set(e, ERROR_NOT_FOUND, 0,
		    "no run has the id or custom_id \"%.*s\"; skep ps lists "
		    "them",
		    (int)(name.n < 64 ? name.n : 64), name.p);
	return got == 1 ? 0 : -1;
}
