/*
 * skep ps: the runs of a state directory, newest first.
 */

#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/listing.h"
#include "engine/terminal.h"

#define FLUSH_BYTES (64 * KIB)

static void
add_padded(struct text *out, struct span s, unsigned columns)
{
	size_t at = out->n;

	terminal_fit(s, columns, out);
	for (unsigned used =
		 terminal_width(span_slice(text_span(out), at, out->n));
	     used < columns + 2; used++)
		text_add_char(out, ' ');
}

static void
add_heading(struct text *out)
{
	text_printf(out, "%-16s  %-10s  %-24s  %-16s  %5s  %8s  %4s\n", "RUN",
	    "STATUS", "CUSTOM_ID", "AGENT", "TURNS", "TOKENS", "AGE");
}

/* What a task calls it, or whose child it is. */
static void
add_name(const struct store_row_run *row, struct text *out)
{
	if (row->parent.p != NULL)
		text_printf(out, "of %.*s", (int)row->parent.n, row->parent.p);
	else if (row->custom_id.p == NULL)
		text_add_char(out, '-');
	else
		text_add(out, row->custom_id);
}

static void
add_row(
    const struct listing *l, const struct store_row_run *row, struct text *out)
{
	struct text age, name;

	text_init(&age, 64);
	text_init(&name, LIMIT_TASK_LINE);
	add_name(row, &name);
	listing_age(row->created_ms, &age);
	add_padded(out, row->id, 16);
	add_padded(out, span_of(listing_status(l, row)), 10);
	add_padded(out, text_span(&name), 24);
	add_padded(out, row->agent_name, 16);
	text_printf(out, "%5llu  %8llu  %4s\n",
	    (unsigned long long)row->usage.turns,
	    (unsigned long long)spending_tokens(&row->usage), age.p);
	text_release(&age);
	text_release(&name);
}

static int
list(struct cli *cli, struct listing *l, struct text *out, struct error *e)
{
	struct store_cursor *c = store_runs(l->store, 0, e);
	struct store_row_run row;
	int got = -1;

	if (!cli->json)
		add_heading(out);
	while (c != NULL && (got = store_next_run(c, &row, e)) == 1) {
		if (cli->json) {
			listing_write(l, &row, out);
			text_add_char(out, '\n');
		} else {
			add_row(l, &row, out);
		}
		if (out->n < FLUSH_BYTES)
			continue;
		if (cli_write(text_span(out), e) == -1) {
			got = -1;
			break;
		}
		text_clear(out);
	}
	store_cursor_close(c);
	return got == -1 ? -1 : cli_write(text_span(out), e);
}

static int
run(struct cli *cli)
{
	struct listing l;
	struct text out;
	struct error e;
	int status = EXIT_SUCCESS;

	text_init(&out, 16 * MIB);
	if (listing_open(&l, cli, &e) == -1 || list(cli, &l, &out, &e) == -1)
		status = cli_fail(cli, &e);
	text_release(&out);
	listing_close(&l);
	return status;
}

const struct command cmd_ps = {
    .name = "ps",
    .summary = "the runs of a state directory, newest first",
    .arguments = "",
    .text = "Reads the state directory also while an engine owns it.",
    .options = options_ps,
    .operands_min = 0,
    .operands_max = 0,
    .run = run,
};
