/*
 * skep cancel: ask the engine that works on a run to stop it; a run that
 * nobody works on is ended in the store.
 */

#include <stdlib.h>
#include <string.h>

#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/control.h"
#include "engine/listing.h"
#include "engine/result.h"

/* The result of a run that ends without an engine. */
static void
write_result(const struct store_row_run *row, const char *id,
    const struct error *why, struct text *out)
{
	struct result r = {
	    .custom_id = row->custom_id,
	    .run_id = id,
	    .status = RUN_CANCELLED,
	    .error = why,
	    .line = row->line,
	    .usage = row->usage,
	    .timing =
		{
		    .queued_ms = row->created_ms,
		    .started_ms = row->started_ms,
		    .finished_ms = os->wall_ms(),
		},
	    .attempts = row->attempts,
	};

	result_write(&r, out);
}

static int
end_in_store(struct listing *l, const struct store_row_run *row, const char *id,
    struct error *e)
{
	struct state_dir dir = l->dir;
	char path[LIMIT_PATH];
	struct store_end end = {.state = RUN_CANCELLED};
	struct error why;
	struct text line;
	struct store *s = NULL;
	int answer = -1;

	dir.fd = dir.lock_fd = -1;
	error_set(&why, ERROR_CANCELLED, 0, "somebody asked it to stop");
	text_init(&line, MIB);
	if (state_dir_own(&dir, e) == 0 &&
	    state_dir_file(&dir, "skep.db", path, e) == 0)
		s = store_open(path, STORE_NORMAL, e);
	if (s != NULL && store_begin(s, e) == STORE_READY) {
		write_result(row, id, &why, &line);
		end.result = text_span(&line);
		end.error_code = span_of(error_name(why.code));
		end.error_message = span_of(why.text);
		end.at_ms = os->wall_ms();
		store_run_end(s, row->number, &end);
		answer = store_commit(s, e) == STORE_READY ? 0 : -1;
	}
	store_close(s);
	state_dir_close(&dir);
	text_release(&line);
	return answer;
}

static int
cancel(struct listing *l, const struct store_row_run *row, struct error *e)
{
	char id[RUN_ID_BYTES];
	int answer;

	if (row->ended_ms != 0)
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "run %.*s has ended already", (int)row->id.n, row->id.p);
	memcpy(id, row->id.p, row->id.n < RUN_ID_HEX ? row->id.n : RUN_ID_HEX);
	id[RUN_ID_HEX] = '\0';
	if (l->owner == 0)
		return end_in_store(l, row, id, e);
	answer = control_cancel(&l->dir, id, e);
	if (answer == 0)
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "the engine does not work on run %s (any more)", id);
	return answer == -1 ? -1 : 0;
}

static int
run(struct cli *cli)
{
	struct store_cursor *c = NULL;
	struct store_row_run row;
	struct listing l;
	struct error e;
	int failed =
	    listing_open(&l, cli, &e) == -1 ||
	    (c = listing_find(&l, cli->operand[0], &row, &e)) == NULL ||
	    cancel(&l, &row, &e) == -1;

	if (!failed)
		cli_note(cli, "run %.*s is cancelled", (int)row.id.n, row.id.p);
	store_cursor_close(c);
	listing_close(&l);
	return failed ? cli_fail(cli, &e) : EXIT_SUCCESS;
}

const struct command cmd_cancel = {
    .name = "cancel",
    .summary = "stop one run; the others go on",
    .arguments = "RUN",
    .text = "RUN is a run's id, any unique prefix of it, or a custom_id.",
    .options = options_cancel,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
