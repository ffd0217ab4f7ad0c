/* Records of a transaction and the engine's own look-ups. */

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/text.h"
#include "engine/store.h"
#include "engine/store_private.h"

/* NULL when the transaction has failed already: then do nothing. */
static sqlite3_stmt *
start(struct store *s, enum store_statement which)
{
	CHECK(s->in_transaction);
	return s->failed ? NULL : s->statement[which];
}

static void
finish(struct store *s, sqlite3_stmt *st)
{
	if (sqlite3_step(st) != SQLITE_DONE && !s->failed) {
		store_error(s->db, &s->error, "record");
		s->failed = 1;
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

static void
bind_int(sqlite3_stmt *st, int i, int64_t v)
{
	sqlite3_bind_int64(st, i, v);
}

static void
bind_count(sqlite3_stmt *st, int i, uint64_t v)
{
	sqlite3_bind_int64(st, i, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

static void
bind_span(sqlite3_stmt *st, int i, struct span s)
{
	if (s.p != NULL)
		sqlite3_bind_text64(
		    st, i, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
}

static void
bind_digest(sqlite3_stmt *st, int i, const struct digest *d)
{
	sqlite3_bind_blob(st, i, d->byte, sizeof d->byte, SQLITE_STATIC);
}

void
store_run_add(struct store *s, const struct store_run *run)
{
	sqlite3_stmt *st = start(s, STATEMENT_RUN_ADD);

	if (st == NULL)
		return;
	CHECK(run->number > s->last_number);
	s->last_number = run->number;
	bind_int(st, 1, run->number);
	bind_span(st, 2, span_of(run->id));
	bind_digest(st, 3, &run->agent);
	bind_digest(st, 4, &run->task);
	bind_span(st, 5, run->agent_name);
	bind_span(st, 6, run->custom_id);
	bind_count(st, 7, run->line);
	bind_int(st, 8, run->created_ms);
	if (run->parent != 0)
		bind_int(st, 9, run->parent);
	bind_int(st, 10, run->depth);
	finish(s, st);
}

static void
drop(struct store *s, enum store_statement which, int64_t number)
{
	sqlite3_stmt *st = start(s, which);

	if (st == NULL)
		return;
	bind_int(st, 1, number);
	finish(s, st);
}

void
store_run_again(struct store *s, int64_t number, uint64_t line, int64_t at_ms)
{
	sqlite3_stmt *st = start(s, STATEMENT_RUN_AGAIN);

	if (st == NULL)
		return;
	bind_int(st, 1, number);
	bind_count(st, 2, line);
	bind_int(st, 3, at_ms);
	finish(s, st);
	drop(s, STATEMENT_ITEMS_DROP, number);
	drop(s, STATEMENT_CALLS_DROP, number);
	drop(s, STATEMENT_ITEMS_DROP_BELOW, number);
	drop(s, STATEMENT_CALLS_DROP_BELOW, number);
	drop(s, STATEMENT_RUNS_DROP_BELOW, number);
}

void
store_run_agent(struct store *s, int64_t number, struct span name)
{
	sqlite3_stmt *st = start(s, STATEMENT_RUN_AGENT);

	if (st == NULL)
		return;
	bind_int(st, 1, number);
	bind_span(st, 2, name);
	finish(s, st);
}

void
store_run_cut_below(struct store *s, int64_t number, int64_t at_ms)
{
	sqlite3_stmt *st = start(s, STATEMENT_RUNS_CUT_BELOW);

	if (st == NULL)
		return;
	bind_int(st, 1, number);
	bind_int(st, 2, at_ms);
	finish(s, st);
}

void
store_run_state(
    struct store *s, int64_t number, enum run_state state, int64_t at_ms)
{
	sqlite3_stmt *st = start(s, STATEMENT_RUN_STATE);

	if (st == NULL)
		return;
	bind_int(st, 1, number);
	bind_span(st, 2, span_of(run_state_name(state)));
	bind_int(st, 3, at_ms);
	finish(s, st);
}

void
store_run_usage(struct store *s, int64_t number, const struct spending *u)
{
	sqlite3_stmt *st = start(s, STATEMENT_RUN_USAGE);

	if (st == NULL)
		return;
	bind_int(st, 1, number);
	bind_count(st, 2, u->turns);
	bind_count(st, 3, u->model_calls);
	bind_count(st, 4, u->tool_calls);
	bind_count(st, 5, u->input_tokens);
	bind_count(st, 6, u->cached_tokens);
	bind_count(st, 7, u->output_tokens);
	bind_count(st, 8, u->reasoning_tokens);
	sqlite3_bind_double(st, 9, u->usd);
	finish(s, st);
}

void
store_run_end(struct store *s, int64_t number, const struct store_end *end)
{
	sqlite3_stmt *st = start(s, STATEMENT_RUN_END);

	CHECK(run_state_is_end(end->state));
	if (st == NULL)
		return;
	bind_int(st, 1, number);
	bind_span(st, 2, span_of(run_state_name(end->state)));
	bind_int(st, 3, end->at_ms);
	bind_span(st, 4, end->error_code);
	bind_span(st, 5, end->error_message);
	bind_span(st, 6, end->result);
	finish(s, st);
}

void
store_run_written(struct store *s, int64_t number)
{
	drop(s, STATEMENT_RUN_WRITTEN, number);
}

void
store_item_add(struct store *s, int64_t number, uint64_t seq, uint64_t turn,
    int64_t at_ms, struct span json)
{
	sqlite3_stmt *st = start(s, STATEMENT_ITEM_ADD);

	if (st == NULL)
		return;
	bind_int(st, 1, number);
	bind_count(st, 2, seq);
	bind_count(st, 3, turn);
	bind_int(st, 4, at_ms);
	bind_span(st, 5, json);
	finish(s, st);
}

void
store_call_begin(struct store *s, int64_t number, uint64_t seq,
    const char *kind, uint64_t turn, struct span name, struct span call_id,
    int64_t at_ms)
{
	sqlite3_stmt *st = start(s, STATEMENT_CALL_BEGIN);

	if (st == NULL)
		return;
	bind_int(st, 1, number);
	bind_count(st, 2, seq);
	bind_count(st, 3, turn);
	bind_span(st, 4, span_of(kind));
	bind_span(st, 5, name);
	bind_span(st, 6, call_id);
	bind_int(st, 7, at_ms);
	finish(s, st);
}

void
store_call_end(struct store *s, int64_t number, uint64_t seq,
    const char *outcome, struct span what, int64_t at_ms)
{
	sqlite3_stmt *st = start(s, STATEMENT_CALL_END);

	if (st == NULL)
		return;
	bind_int(st, 1, number);
	bind_count(st, 2, seq);
	bind_span(st, 3, span_of(outcome));
	bind_span(st, 4, what);
	bind_int(st, 5, at_ms);
	finish(s, st);
}

/* A column of text into a fixed array, cut when too long. */
static void
copy_column(sqlite3_stmt *st, int i, char *out, size_t size)
{
	struct span s = store_column(st, i);
	size_t n = s.n < size ? s.n : size - 1;

	if (n > 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

static void
read_found(sqlite3_stmt *st, struct store_found *out)
{
	char state[24];

	out->number = sqlite3_column_int64(st, 0);
	copy_column(st, 1, out->id, sizeof out->id);
	copy_column(st, 2, state, sizeof state);
	out->state = run_state_from_name(state);
	out->is_written = sqlite3_column_int(st, 3);
	out->attempts = (uint64_t)sqlite3_column_int64(st, 4);
	out->task_differs = sqlite3_column_int(st, 5);
}

int
store_find(struct store *s, const struct digest *agent, struct span custom_id,
    const struct digest *task, uint64_t line, struct store_found *out,
    struct error *e)
{
	int named = custom_id.p != NULL;
	sqlite3_stmt *st =
	    s->statement[named ? STATEMENT_FIND : STATEMENT_FIND_LINE];
	int rc;

	bind_digest(st, 1, agent);
	bind_digest(st, 3, task);
	if (named)
		bind_span(st, 2, custom_id);
	else
		bind_count(st, 4, line);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		read_found(st, out);
	else if (rc != SQLITE_DONE)
		store_error(s->db, e, "look up a run");
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

int
store_result(struct store *s, int64_t number, struct text *out, struct error *e)
{
	sqlite3_stmt *st = s->statement[STATEMENT_RESULT];
	struct span line = {NULL, 0};
	int rc;

	bind_int(st, 1, number);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		line = store_column(st, 0);
	else if (rc != SQLITE_DONE)
		store_error(s->db, e, "read a result");
	text_add(out, line);
	sqlite3_reset(st);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return -1;
	return line.p != NULL;
}
