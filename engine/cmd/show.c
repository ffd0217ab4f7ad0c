/*
 * skep show: what is known of one run.
 */

#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/listing.h"
#include "engine/result.h"
#include "engine/terminal.h"
#include "net/json.h"
#include "net/json_write.h"

static void
add_field(struct text *out, const char *name, struct span value)
{
	text_printf(out, "%-10s ", name);
	terminal_neutral(value, 0, out);
	text_add_char(out, '\n');
}

static void
add_time(struct text *out, const char *name, int64_t at_ms)
{
	char text[RESULT_TIME_BYTES];

	if (at_ms == 0)
		return;
	result_time(at_ms, text);
	add_field(out, name, span_of(text));
}

static void
add_usage(struct text *out, const struct spending *u)
{
	text_printf(out,
	    "%-10s %llu turns, %llu model calls, %llu tool calls, %llu + %llu "
	    "tokens (%llu cached), $%.6f\n",
	    "usage", (unsigned long long)u->turns,
	    (unsigned long long)u->model_calls,
	    (unsigned long long)u->tool_calls,
	    (unsigned long long)u->input_tokens,
	    (unsigned long long)u->output_tokens,
	    (unsigned long long)u->cached_tokens, u->usd);
}

/* What changed in its workspace, one a line, as the result line has it. */
static void
add_changes(struct text *out, const struct json_doc *doc)
{
	int v = json_get(doc, 0, "changes"), omitted;
	struct text line;

	text_init(&line, 8 * LIMIT_PATH);
	for (int c = json_first(doc, v); c != -1; c = json_next(doc, v, c)) {
		struct span change =
		    json_inner(doc, json_get(doc, c, "change"));
		int bytes = json_get(doc, c, "bytes");

		text_clear(&line);
		text_add(&line, json_inner(doc, json_get(doc, c, "path")));
		if (bytes != -1) {
			struct span n = json_raw(doc, bytes);

			text_printf(&line, " (%.*s bytes)", (int)n.n, n.p);
		}
		text_printf(out, "%-10.*s ", (int)change.n, change.p);
		terminal_neutral(text_span(&line), 0, out);
		text_add_char(out, '\n');
	}
	omitted = json_get(doc, 0, "changes_omitted");
	if (omitted != -1)
		add_field(out, "and more", json_raw(doc, omitted));
	text_release(&line);
}

/* The answer, the outputs and the changes, from the result line. */
static void
add_result(struct text *out, struct span result)
{
	struct json_doc doc;
	struct error ignored;
	struct text answer;
	int v;

	json_doc_init(&doc);
	text_init(&answer, LIMIT_ANSWER);
	if (json_parse(&doc, result, 0, &ignored) == 0) {
		v = json_get(&doc, 0, "outputs");
		for (int o = json_first(&doc, v); o != -1;
		     o = json_next(&doc, v, o))
			add_field(out, "output",
			    json_inner(&doc, json_get(&doc, o, "path")));
		add_changes(out, &doc);
		json_string_add(&doc,
		    json_get(
			&doc, json_get(&doc, 0, "response"), "output_text"),
		    &answer);
	}
	if (answer.n > 0) {
		text_add_char(out, '\n');
		terminal_neutral(text_span(&answer), TERMINAL_LINES, out);
		text_add_char(out, '\n');
	}
	text_release(&answer);
	json_doc_release(&doc);
}

static int
add_calls(struct listing *l, int64_t number, struct text *out, struct error *e)
{
	struct store_cursor *c = store_calls(l->store, number, e);
	struct store_row_call row;
	int got = -1;

	while (c != NULL && (got = store_next_call(c, &row, e)) == 1) {
		text_printf(out, "%-10s turn %llu, ", "call",
		    (unsigned long long)row.turn);
		terminal_fit(row.kind, 8, out);
		text_add_char(out, ' ');
		terminal_fit(row.name, 32, out);
		text_add_str(out, ": ");
		terminal_fit(
		    row.outcome.p == NULL ? span_of("under way") : row.outcome,
		    16, out);
		if (row.ended_ms != 0)
			text_printf(out, ", %.3f s",
			    (double)(row.ended_ms - row.began_ms) / 1000);
		text_add_char(out, '\n');
	}
	store_cursor_close(c);
	return got;
}

/* "agents" and a line for each run below, moved in by its depth. */
static int
add_tree(struct listing *l, const struct store_row_run *top, struct text *out,
    struct error *e)
{
	unsigned above = top->depth;
	struct store_cursor *c = store_runs_below(l->store, top->number, e);
	struct store_row_run row;
	int got = -1;

	while (c != NULL && (got = store_next_run(c, &row, e)) == 1) {
		text_printf(out, "%-10s %*s", "agent",
		    (int)(row.depth > above ? row.depth - above - 1 : 0) * 2,
		    "");
		terminal_fit(row.id, RUN_ID_HEX, out);
		text_add_char(out, ' ');
		terminal_fit(row.agent_name, 32, out);
		text_printf(out, ": %s, %llu turns, %llu tokens",
		    listing_status(l, &row),
		    (unsigned long long)row.usage.turns,
		    (unsigned long long)spending_tokens(&row.usage));
		if (row.error_code.p != NULL) {
			text_add_str(out, ", ");
			terminal_fit(row.error_code, 32, out);
		}
		text_add_char(out, '\n');
	}
	store_cursor_close(c);
	return got;
}

static int
show(struct listing *l, const struct store_row_run *row, struct text *out,
    struct error *e)
{
	add_field(out, "run", row->id);
	if (row->custom_id.p != NULL)
		add_field(out, "custom_id", row->custom_id);
	add_field(out, "agent", row->agent_name);
	if (row->agent_now.p != NULL)
		add_field(out, "handed to", row->agent_now);
	if (row->parent.p != NULL)
		add_field(out, "part of", row->parent);
	add_field(out, "status", span_of(listing_status(l, row)));
	if (row->line > 0)
		text_printf(
		    out, "%-10s %llu\n", "line", (unsigned long long)row->line);
	if (row->attempts > 1)
		text_printf(out, "%-10s %llu\n", "attempts",
		    (unsigned long long)row->attempts);
	add_time(out, "created", row->created_ms);
	add_time(out, "started", row->started_ms);
	add_time(out, "ended", row->ended_ms);
	add_usage(out, &row->usage);
	if (row->error_code.p != NULL) {
		add_field(out, "error", row->error_code);
		add_field(out, "", row->error_message);
	}
	if (add_calls(l, row->number, out, e) == -1 ||
	    add_tree(l, row, out, e) == -1)
		return -1;
	if (row->result.p != NULL)
		add_result(out, row->result);
	return 0;
}

/* The runs below, each as ps --json has it. */
static int
put_tree(
    struct listing *l, int64_t number, struct json_writer *w, struct error *e)
{
	struct store_cursor *c = store_runs_below(l->store, number, e);
	struct store_row_run row;
	struct text run;
	int got = -1;

	text_init(&run, MIB);
	json_put_array(w, "agents");
	while (c != NULL && (got = store_next_run(c, &row, e)) == 1) {
		text_clear(&run);
		listing_write(l, &row, &run);
		json_write_raw(w, text_span(&run));
	}
	json_write_end(w);
	text_release(&run);
	store_cursor_close(c);
	return got;
}

/* As ps --json, with the result where there is one. */
static int
show_json(struct listing *l, const struct store_row_run *row, struct text *out,
    struct error *e)
{
	int status;
	struct json_writer w;
	struct text run;

	text_init(&run, MIB);
	listing_write(l, row, &run);
	json_write_init(&w, out);
	json_write_object(&w);
	json_put_raw(&w, "run", text_span(&run));
	if (row->result.p == NULL)
		json_put_null(&w, "result");
	else
		json_put_raw(&w, "result", row->result);
	status = put_tree(l, row->number, &w, e);
	json_write_end(&w);
	text_add_char(out, '\n');
	text_release(&run);
	return status;
}

static int
run(struct cli *cli)
{
	struct store_cursor *c = NULL;
	struct store_row_run row;
	struct listing l;
	struct text out;
	struct error e;
	int failed;

	text_init(&out, 2 * LIMIT_ANSWER);
	failed = listing_open(&l, cli, &e) == -1 ||
		 (c = listing_find(&l, cli->operand[0], &row, &e)) == NULL;
	if (!failed && cli->json)
		failed = show_json(&l, &row, &out, &e) == -1;
	else if (!failed)
		failed = show(&l, &row, &out, &e) == -1;
	failed = failed || cli_write(text_span(&out), &e) == -1;
	store_cursor_close(c);
	listing_close(&l);
	text_release(&out);
	return failed ? cli_fail(cli, &e) : EXIT_SUCCESS;
}

const struct command cmd_show = {
    .name = "show",
    .summary = "what is known of one run",
    .arguments = "RUN",
    .text = "RUN is a run's id, any unique prefix of it, or a custom_id.",
    .options = options_show,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
