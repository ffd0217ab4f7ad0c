/*
 * The texts of --help, from the same tables that parse.
 */

#include <stdio.h>
#include <string.h>

#include "engine/base/text.h"
#include "engine/cli.h"

#define LEFT 28 /* columns of the option itself */
#define RIGHT 78

/* Append words of s from column on, broken at RIGHT, indented by indent. */
static void
add_wrapped(struct text *out, const char *s, unsigned column, unsigned indent)
{
	unsigned at = column;
	struct span rest = span_of(s);

	while (rest.p != NULL) {
		struct span word = span_cut(&rest, ' ');

		if (at > indent && at + 1 + word.n > RIGHT) {
			text_printf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			text_add_char(out, ' ');
			at++;
		}
		text_add(out, word);
		at += (unsigned)word.n;
	}
	text_add_char(out, '\n');
}

static void
add_pair(struct text *out, const char *left, const char *right)
{
	unsigned n = (unsigned)strlen(left);

	text_printf(out, "  %s", left);
	if (n + 4 > LEFT)
		text_printf(out, "\n%*s", LEFT, "");
	else
		text_printf(out, "%*s", (int)(LEFT - 2 - n), "");
	add_wrapped(out, right, LEFT, LEFT);
}

static void
add_options(struct text *out, const struct option_spec *o)
{
	char left[128];

	for (; o != NULL && o->name != NULL; o++) {
		char letter[5] = "    ";

		if (o->flags & OPTION_HIDDEN)
			continue;
		if (o->letter != 0)
			snprintf(letter, sizeof letter, "-%c, ", o->letter);
		snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name,
		    o->argument != NULL ? " " : "",
		    o->argument != NULL ? o->argument : "");
		add_pair(out, left, o->doc);
	}
}

/* Paragraphs are split by newlines in the table. */
static void
add_paragraphs(struct text *out, const char *s)
{
	char line[2048];
	struct span rest = span_of(s);

	while (rest.p != NULL) {
		struct span p = span_cut(&rest, '\n');

		if (p.n == 0)
			continue;
		snprintf(line, sizeof line, "%.*s", (int)p.n, p.p);
		text_add_char(out, '\n');
		add_wrapped(out, line, 0, 0);
	}
}

static void
help_of_skep(struct text *out)
{
	const struct command *c;

	text_add_str(out,
	    "usage: skep COMMAND [OPTION...] [ARGUMENT...]\n\n"
	    "Runs many AI agents at once, each in a sandbox of its own.\n\n"
	    "Commands:\n");
	for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++)
		add_pair(out, c->name, c->summary);
	text_add_str(out, "\nWith every command:\n");
	add_options(out, cli_common_options());
	text_add_str(out, "\n'skep COMMAND --help' tells about one of them; "
			  "'skep --version' the version.\n");
}

static void
add_usage(struct text *out, const struct command *command)
{
	char line[256];
	int n = snprintf(line, sizeof line, "usage: skep %s", command->name);

	text_add_str(out, line);
	snprintf(line, sizeof line, "[OPTION...]%s%s",
	    command->arguments[0] != '\0' ? " " : "", command->arguments);
	add_wrapped(out, line, (unsigned)n, 4);
}

void
cli_help(const struct command *command, struct text *out)
{
	if (command == NULL) {
		help_of_skep(out);
		return;
	}
	add_usage(out, command);
	text_printf(out, "\nskep %s: %s.\n", command->name, command->summary);
	if (command->text != NULL)
		add_paragraphs(out, command->text);
	if (command->options != NULL && command->options->name != NULL) {
		text_add_str(out, "\nOptions:\n");
		add_options(out, command->options);
	}
	text_add_str(out, "\nWith every command:\n");
	add_options(out, cli_common_options());
}
