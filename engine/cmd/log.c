/*
 * skep log: a run's transcript, for people or (--raw) as its items.
 */

#include <poll.h>
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/listing.h"
#include "engine/terminal.h"
#include "net/item.h"
#include "net/json_write.h"

#define FOLLOW_EVERY_MS 200

/* One item for people: a heading and its text, neutralised. */
static void
add_for_people(const struct store_row_item *row, struct text *out)
{
	struct arena arena;
	struct item item;
	struct text text;
	struct error e;

	arena_init(&arena, LIMIT_ANSWER);
	text_init(&text, LIMIT_ANSWER);
	if (item_parse(&item, row->json, &arena, &e) == -1) {
		text_add(&text, row->json);
		item.type = span_of("item");
		item.role = item.name = (struct span){NULL, 0};
	} else if ((item.kind != ITEM_MESSAGE &&
		       item.kind != ITEM_COMPACTION) ||
		   !item_add_text(&item, &text)) {
		item_add_payload(&item, &text);
	}
	text_printf(out, "--- turn %llu, ", (unsigned long long)row->turn);
	terminal_fit(item.role.n > 0 ? item.role : item.type, 40, out);
	if (item.name.n > 0) {
		text_add_char(out, ' ');
		terminal_fit(item.name, 40, out);
	}
	text_add_char(out, '\n');
	terminal_neutral(text_span(&text), TERMINAL_LINES, out);
	if (out->n > 0 && out->p[out->n - 1] != '\n')
		text_add_char(out, '\n');
	text_release(&text);
	arena_release(&arena);
}

static void
add_as_json(const struct store_row_item *row, struct text *out)
{
	struct json_writer w;

	json_write_init(&w, out);
	json_write_object(&w);
	json_put_uint(&w, "seq", row->seq);
	json_put_uint(&w, "turn", row->turn);
	json_put_int(&w, "at_ms", row->at_ms);
	json_put_raw(&w, "item", row->json);
	json_write_end(&w);
	text_add_char(out, '\n');
}

/* What is new from *next on, which moves; -1 and *e. */
static int
print_from(struct cli *cli, struct listing *l, int64_t number, uint64_t *next,
    struct error *e)
{
	struct store_cursor *c = store_items(l->store, number, *next, e);
	struct store_row_item row;
	struct text out;
	int got = -1;

	text_init(&out, 2 * LIMIT_ANSWER);
	while (c != NULL && (got = store_next_item(c, &row, e)) == 1) {
		*next = row.seq + 1;
		if (cli_has(cli, "raw")) {
			text_add(&out, row.json);
			text_add_char(&out, '\n');
		} else if (cli->json) {
			add_as_json(&row, &out);
		} else {
			add_for_people(&row, &out);
		}
		if (cli_write(text_span(&out), e) == -1) {
			got = -1;
			break;
		}
		text_clear(&out);
	}
	text_release(&out);
	store_cursor_close(c);
	return got;
}

/* 1: it goes on; 0: it has ended, or nobody works on it; -1 and *e. */
static int
goes_on(struct listing *l, int64_t number, struct error *e)
{
	struct store_cursor *c = store_one_run(l->store, number, e);
	struct store_row_run row;
	int got = c == NULL ? -1 : store_next_run(c, &row, e);

	if (got == 1)
		got = row.ended_ms == 0 && state_dir_owner(&l->dir) != 0;
	store_cursor_close(c);
	return got;
}

static int
print(struct cli *cli, struct listing *l, struct error *e)
{
	struct store_row_run row;
	struct store_cursor *c = listing_find(l, cli->operand[0], &row, e);
	int64_t number = c == NULL ? 0 : row.number;
	uint64_t next = 0;
	int more;

	if (c == NULL)
		return -1;
	store_cursor_close(c);
	do {
		/* Asked first: what came before the end is printed. */
		more = cli_has(cli, "follow") ? goes_on(l, number, e) : 0;
		if (more == -1 || print_from(cli, l, number, &next, e) == -1)
			return -1;
		if (more)
			poll(NULL, 0, FOLLOW_EVERY_MS);
	} while (more);
	return 0;
}

static int
run(struct cli *cli)
{
	struct listing l;
	struct error e;
	int failed =
	    listing_open(&l, cli, &e) == -1 || print(cli, &l, &e) == -1;

	listing_close(&l);
	return failed ? cli_fail(cli, &e) : EXIT_SUCCESS;
}

const struct command cmd_log = {
    .name = "log",
    .summary = "a run's transcript",
    .arguments = "RUN",
    .text = "RUN is a run's id, any unique prefix of it, or a custom_id.  "
	    "--raw prints each item as it was sent or received, one a line; "
	    "-f goes on until the run ends.",
    .options = options_log,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
