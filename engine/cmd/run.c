/*
 * skep run: one run, shown live; the final answer on standard output.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/launch.h"
#include "engine/solo.h"
#include "net/utf8.h"

/* All of standard input, one final newline less. */
static int
read_prompt(struct text *out, struct error *e)
{
	ssize_t n = -1;

	do {
		size_t room;
		char *p = text_room(out, 64 * KIB, &room);

		if (p == NULL)
			return error_set(e, ERROR_TOO_BIG, 0,
			    "the prompt is longer than %zu bytes",
			    LIMIT_TASK_LINE);
		n = os->read(STDIN_FILENO, p, room);
		if (n > 0)
			text_added(out, (size_t)n);
	} while (n > 0 || (n == -1 && errno == EINTR));
	if (n == -1)
		return error_set(
		    e, ERROR_NO_INPUT, errno, "read standard input");
	if (out->n > 0 && out->p[out->n - 1] == '\n')
		out->p[--out->n] = '\0';
	return 0;
}

/* The prompt as given, or from standard input when it is "-" or absent. */
static int
find_prompt(struct cli *cli, struct text *out, struct error *e)
{
	const char *given = cli->operands > 1 ? cli->operand[1] : NULL;

	if (given != NULL && strcmp(given, "-") != 0)
		text_add_str(out, given);
	else if (given == NULL && isatty(STDIN_FILENO))
		return error_set(e, ERROR_USAGE, 0,
		    "give a PROMPT, or \"-\" to read it from standard input");
	else if (read_prompt(out, e) == -1)
		return -1;
	if (out->n == 0)
		return error_set(e, ERROR_USAGE, 0, "the prompt is empty");
	if (utf8_check(text_span(out)) != out->n)
		return error_set(e, ERROR_SYNTAX, 0, "the prompt is not UTF-8");
	return 0;
}

static int
work(struct cli *cli, struct launch *l, struct solo *s, struct span prompt)
{
	struct solo_settings settings = {
	    .prompt = prompt,
	    .json = cli->json,
	    .quiet = cli->quiet,
	};
	struct error e;
	int status;

	l->engine.jobs = 1;
	l->engine.outputs_dir_is_one = 1;
	if (solo_open(s, &settings, &l->engine, &e) == -1)
		return launch_refused(cli, &e);
	if (solo_run(s, &e) == -1)
		return cli_fail(cli, &e);
	launch_tell_memory(cli, &s->engine);
	status = engine_signal_status(&s->engine);
	if (status != 0 && !(s->is_over && outlet_is_empty(&s->outlet)))
		return status;
	if (s->status == RUN_FINISHED)
		return EXIT_SUCCESS;
	if (!cli->json)
		cli_note(cli, "%s: %s", error_name(s->failure.code),
		    s->failure.text);
	return EXIT_FAILURE;
}

static int
run(struct cli *cli)
{
	struct launch l;
	struct text prompt;
	struct solo *s;
	struct error e;
	int status;

	text_init(&prompt, LIMIT_TASK_LINE);
	status = find_prompt(cli, &prompt, &e) == -1 ? cli_fail(cli, &e) : 0;
	if (status == 0)
		status = launch_prepare(&l, cli);
	s = status == 0 ? calloc(1, sizeof *s) : NULL;
	if (s != NULL) {
		status = work(cli, &l, s, text_span(&prompt));
		solo_close(s);
		free(s);
	} else if (status == 0) {
		status = EX_OSERR;
	}
	text_release(&prompt);
	return status;
}

const struct command cmd_run = {
    .name = "run",
    .summary = "one run, shown live; the final answer on standard output",
    .arguments = "AGENT [PROMPT]",
    .text = "AGENT is a JSON file or a folder with agent.json.  PROMPT \"-\" "
	    "reads standard input.  With --json each event is one line, and "
	    "the last carries the whole result.",
    .options = options_run,
    .operands_min = 1,
    .operands_max = 2,
    .flags = COMMAND_SANDBOXES,
    .run = run,
};
