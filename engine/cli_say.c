/*
 * How a command speaks to its user: results to standard output, all else to
 * standard error, and errors as JSON where that was asked for.
 */

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/complaint.h"
#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/terminal.h"
#include "net/json_write.h"

#define LINE_MAX_BYTES 8192

/* Write all, also to a descriptor that somebody made non-blocking. */
static int
write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = os->write(fd, s.p, s.n);

		if (n >= 0)
			s = span_slice(s, (size_t)n, s.n);
		else if (errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			(void)poll(&p, 1, -1);
		} else if (errno != EINTR)
			return -1;
	}
	return 0;
}

int
cli_write(struct span s, struct error *e)
{
	const int is_tty = isatty(STDOUT_FILENO);
	char escape[TERMINAL_ESCAPE];

	while (s.n > 0) {
		size_t n = s.n, plain = n;
		struct span out;

		if (is_tty)
			plain = terminal_json(s, escape, &n);
		out = plain > 0 ? span_slice(s, 0, plain) : span_of(escape);
		if (write_all(STDOUT_FILENO, out) == -1)
			return error_set(
			    e, ERROR_IO, errno, "write to standard output");
		s = span_slice(s, plain > 0 ? plain : n, s.n);
	}
	return 0;
}

/*
 * One line on standard error, made harmless for a terminal; that nobody reads
 * it is no reason to stop.
 */
static void
say(const char *before, const char *text)
{
	struct text line;

	text_init(&line, 4 * LINE_MAX_BYTES);
	text_add_str(&line, before);
	terminal_neutral(span_of(text), 0, &line);
	text_add_char(&line, '\n');
	(void)write_all(STDERR_FILENO, text_span(&line));
	text_release(&line);
}

static void
say_json(const char *code, const char *message, const struct complaint *at)
{
	struct json_writer w;
	struct text line;
	struct error ignored;

	text_init(&line, 4 * LINE_MAX_BYTES);
	json_write_init(&w, &line);
	json_write_object(&w);
	json_put_object(&w, "error");
	json_put_str(&w, "code", code);
	json_put_str(&w, "message", message);
	if (at != NULL && at->file != NULL)
		json_put_str(&w, "file", at->file);
	if (at != NULL && at->line > 0) {
		json_put_uint(&w, "line", at->line);
		json_put_uint(&w, "column", at->column);
	}
	json_write_end(&w);
	json_write_end(&w);
	text_add_char(&line, '\n');
	(void)cli_write(text_span(&line), &ignored);
	text_release(&line);
}

int
cli_fail(struct cli *cli, const struct error *e)
{
	if (cli->json)
		say_json(error_name(e->code), e->text, NULL);
	else
		say("skep: ", e->text);
	return error_exit_status(e->code);
}

int
cli_usage(struct cli *cli, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], hint[LINE_MAX_BYTES + 128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (cli->command != NULL)
		snprintf(hint, sizeof hint, "%s (see skep %s --help)", text,
		    cli->command->name);
	else
		snprintf(hint, sizeof hint, "%s (see skep --help)", text);
	if (cli->json)
		say_json(error_name(ERROR_USAGE), hint, NULL);
	else
		say("skep: ", hint);
	return EX_USAGE;
}

int
cli_complain(struct cli *cli, const struct complaints *c, int status)
{
	const struct complaint *one;
	struct text line;

	text_init(&line, LINE_MAX_BYTES);
	for (one = c->first; one != NULL; one = one->next) {
		if (cli->json) {
			say_json(error_name(one->code), one->text, one);
			continue;
		}
		text_clear(&line);
		complaint_print(one, &line);
		if (!text_overflowed(&line))
			say("", line.p);
	}
	text_release(&line);
	if (c->n > COMPLAINTS_KEPT)
		cli_note(cli, "and %u more faults", c->n - COMPLAINTS_KEPT);
	return status;
}

void
cli_note(const struct cli *cli, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	if (cli->quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	say("skep: ", text);
}

const char *
cli_state_folder(struct cli *cli, struct error *e)
{
	const char *given = cli_text(cli, "state", NULL);
	const char *xdg = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	const char *path;

	if (given != NULL)
		return given;
	/* The specification says to ignore a relative one. */
	if (xdg != NULL && xdg[0] == '/')
		path = arena_printf(&cli->arena, "%s/skep", xdg);
	else if (home != NULL && home[0] == '/')
		path = arena_printf(&cli->arena, "%s/.local/state/skep", home);
	else {
		error_set(e, ERROR_CONFIG, 0,
		    "neither XDG_STATE_HOME nor HOME is set: say --state DIR");
		return NULL;
	}
	if (path == NULL)
		error_set(e, ERROR_FULL, 0, "out of memory");
	return path;
}
