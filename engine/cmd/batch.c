/*
 * skep batch: many runs at once, one result line each, as they finish.
 */

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "engine/base/text.h"
#include "engine/batch.h"
#include "engine/cli.h"
#include "engine/launch.h"
#include "engine/network.h"
#include "engine/progress.h"

/* Runs that are read and wait for a slot, beyond those that have one. */
#define QUEUED_RUNS 64

/* Where relative sources of a task's manifest lie: beside the task file. */
static const char *
folder_of(struct cli *cli, const char *tasks)
{
	char *whole = strcmp(tasks, "-") == 0 ? realpath(".", NULL)
					      : realpath(tasks, NULL);
	const char *folder = "/";
	char *slash;

	if (whole == NULL)
		return folder;
	slash = strcmp(tasks, "-") == 0 ? NULL : strrchr(whole, '/');
	if (slash != NULL && slash != whole)
		*slash = '\0';
	if (slash != whole)
		folder = arena_strndup(&cli->arena, whole, strlen(whole));
	free(whole);
	return folder;
}

static void
note(void *owner, const char *text)
{
	progress_note(owner, text);
}

static void
account_for_engine(struct cli *cli, const struct engine *en)
{
	struct text t;

	text_init(&t, 16 * 1024);
	engine_account(en, &t);
	cli_note(cli, "%s", t.p);
	text_clear(&t);
	network_account(&en->supplies, &t);
	for (struct span rest = text_span(&t); rest.n > 0;) {
		struct span line = span_cut(&rest, '\n');

		cli_note(cli, "%.*s", (int)line.n, line.p);
	}
	text_release(&t);
}

/* 0 all good, 1 a run failed; what was interrupted says by what. */
static int
status_of(struct cli *cli, const struct batch *b, struct progress *p)
{
	const struct batch_counts *c = &b->counts;
	int status = engine_signal_status(&b->engine);

	progress_account(p);
	launch_tell_memory(cli, &b->engine);
	if (cli->verbose > 0)
		account_for_engine(cli, &b->engine);
	if (status != 0 && !batch_is_complete(b))
		return status;
	if (c->delivered == 0 && c->skipped == c->tasks)
		cli_note(cli,
		    "all %llu results are there already; nothing was left to "
		    "do",
		    (unsigned long long)c->skipped);
	if (c->skipped_bad > 0)
		cli_note(cli,
		    "%llu of the results that were there are of runs that "
		    "failed; another --state tries them anew",
		    (unsigned long long)c->skipped_bad);
	if (c->skipped == c->tasks)
		return EXIT_SUCCESS; /* it has been told before */
	return c->failed + c->cancelled + c->skipped_bad > 0 ? EXIT_FAILURE
							     : EXIT_SUCCESS;
}

static int
work(struct cli *cli, struct launch *l, struct batch *b)
{
	struct progress progress = {.is_quiet = cli->quiet};
	struct batch_settings settings = {
	    .tasks = cli->operand[1],
	    .output = cli_text(cli, "output", NULL),
	    .folder = folder_of(cli, cli->operand[1]),
	    .ordered = cli_has(cli, "ordered"),
	    .note = note,
	    .owner = &progress,
	};
	struct error e;
	int status;

	l->engine.jobs = (unsigned)cli_count(cli, "jobs", 0);
	l->engine.queued = QUEUED_RUNS;
	if (batch_open(b, &settings, &l->engine, &e) == -1)
		return launch_refused(cli, &e);
	if (b->file.torn_bytes > 0)
		cli_note(cli,
		    "%s: removed %llu bytes of a line that a crash had torn",
		    b->file.name, (unsigned long long)b->file.torn_bytes);
	progress_start(&progress, b, cli->quiet);
	status = batch_run(b, &e);
	progress_stop(&progress);
	if (status == -1) {
		progress_account(&progress);
		return cli_fail(cli, &e);
	}
	return status_of(cli, b, &progress);
}

static int
run(struct cli *cli)
{
	struct launch l;
	struct batch *b;
	int status = launch_prepare(&l, cli);

	if (status != 0)
		return status;
	if (cli_has(cli, "jobs") && cli_count(cli, "jobs", 0) == 0)
		return cli_usage(cli, "-j 0: at least one run at once");
	b = calloc(1, sizeof *b);
	if (b == NULL)
		return EX_OSERR;
	status = work(cli, &l, b);
	batch_close(b);
	free(b);
	return status;
}

const struct command cmd_batch = {
    .name = "batch",
    .summary = "many runs at once; one result line each, as they finish",
    .arguments = "AGENT TASKS.jsonl",
    .text =
	"Each line of TASKS.jsonl is a task: {\"custom_id\", \"input\"} and "
	"optionally manifest, class, budget, variables; a line made for "
	"OpenAI's Batch API works unchanged.  \"-\" is standard input.\n\n"
	"The same batch on the same state directory does only what is "
	"missing, also after kill -9.  The first INT or TERM finishes the "
	"steps that are running, the second stops at once.\n\n"
	"A run that failed or was cancelled has its result as well and is not "
	"missing: to have such tasks tried anew, give them to a batch with "
	"another --state.\n\n"
	"-v ends with what it took: turns, memory, and for each model's "
	"server requests, refusals, connections and handshakes.\n\n"
	"Ends with 0 when the runs of all tasks finished, now or before, with "
	"1 when one failed; and with 0 when all results were there already and "
	"nothing was left to do, whatever they say.",
    .options = options_batch,
    .operands_min = 2,
    .operands_max = 2,
    .flags = COMMAND_SANDBOXES,
    .run = run,
};
