#include "engine/cli.h"

#include <stdio.h>
#include <string.h>

#include "config/nearest.h"
#include "config/units.h"
#include "engine/base/check.h"
#include "engine/base/text.h"

static const struct option_spec common[] = {
    {"state", 0, OPTION_TEXT, 0, "DIR",
	"the state directory (default $XDG_STATE_HOME/skep or "
	"~/.local/state/skep)"},
    {"set", 'c', OPTION_TEXT, OPTION_REPEATS, "KEY=VALUE",
	"override any setting of the agent or the engine"},
    {"json", 0, OPTION_FLAG, 0, NULL,
	"standard output is JSON Lines, errors included"},
    {"quiet", 'q', OPTION_FLAG, 0, NULL, "no progress, no notes"},
    {"verbose", 'v', OPTION_FLAG, OPTION_REPEATS, NULL,
	"trace events on standard error; twice: more"},
    {"help", 'h', OPTION_FLAG, 0, NULL, "this text"},
    {.name = NULL},
};

static const struct command *const commands[] = {
#define COMMAND(name) &cmd_##name,
#include "engine/cmd/commands.def"
};

#define COMMANDS (sizeof commands / sizeof commands[0])

void
cli_init(struct cli *cli, const struct command *command)
{
	/* The arrays are large and need no clearing. */
	cli->command = command;
	cli->zygote = (struct zygote){0};
	cli->zygote_error.code = ERROR_NONE;
	cli->operands = 0;
	cli->operand = NULL;
	cli->json = cli->quiet = cli->verbose = 0;
	cli->overrides.n = 0;
	cli->overrides.ignores_environment = 0;
	cli->given_n = 0;
}

const struct command *
cli_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

const struct command *
cli_command_at(size_t i)
{
	return i < COMMANDS ? commands[i] : NULL;
}

const struct option_spec *
cli_common_options(void)
{
	return common;
}

/* --- looking options up --- */

static const struct option_spec *
find_in(const struct option_spec *o, struct span name)
{
	for (; o != NULL && o->name != NULL; o++)
		if (span_is(name, o->name))
			return o;
	return NULL;
}

static const struct option_spec *
find_long(const struct command *command, struct span name)
{
	const struct option_spec *o = find_in(command->options, name);

	return o != NULL ? o : find_in(common, name);
}

static const struct option_spec *
find_letter(const struct command *command, char letter)
{
	const struct option_spec *o;

	for (o = command->options; o != NULL && o->name != NULL; o++)
		if (o->letter == letter)
			return o;
	for (o = common; o->name != NULL; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static void
offer_all(struct nearest *n, const struct option_spec *o)
{
	for (; o != NULL && o->name != NULL; o++)
		if (!(o->flags & OPTION_HIDDEN))
			nearest_offer(n, o->name);
}

static int
unknown_option(const struct cli *cli, struct span name, struct error *e)
{
	struct nearest n;
	char hint[16 + NEAREST_HINT] = "";

	nearest_init(&n, name);
	offer_all(&n, cli->command->options);
	offer_all(&n, common);
	if (n.name != NULL)
		snprintf(hint, sizeof hint, "; did you mean '--%s'?", n.name);
	return error_set(e, ERROR_USAGE, 0, "there is no option '--%.*s'%s",
	    (int)name.n, name.p, hint);
}

/* --- values --- */

/* Argument "a|b|c" lists the only values; "DIR" is a name for the help. */
static int
is_choice(const struct option_spec *o)
{
	return o->argument != NULL && strchr(o->argument, '|') != NULL &&
	       strpbrk(o->argument, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
}

static int
check_choice(const struct option_spec *o, const char *text, struct error *e)
{
	struct span rest = span_of(o->argument);

	while (rest.p != NULL)
		if (span_is(span_cut(&rest, '|'), text))
			return 0;
	return error_set(e, ERROR_USAGE, 0, "--%s takes %s, not '%s'", o->name,
	    o->argument, text);
}

static int
read_value(struct cli_given *g, struct error *e)
{
	const struct option_spec *o = g->option;
	struct span s = span_of(g->text);
	unsigned long long count;
	const char *wanted = NULL;

	switch (o->type) {
	case OPTION_FLAG:
		break;
	case OPTION_TEXT:
		if (is_choice(o))
			return check_choice(o, g->text, e);
		break;
	case OPTION_COUNT:
		if (span_to_u64(s, UINT32_MAX, &count) == -1)
			wanted = "a whole number";
		else
			g->value.count = count;
		break;
	case OPTION_REAL:
		if (units_number(s, &g->value.real) == -1)
			wanted = "a number such as 2 or 0.5";
		break;
	case OPTION_SIZE:
		if (units_size(s, &g->value.count) == -1)
			wanted = "a size such as 64M (K, M, G)";
		break;
	case OPTION_TIME:
		if (units_time(s, &g->value.count) == -1)
			wanted = "a time such as 30 or 250ms (ms, s, m, h)";
		break;
	}
	if (wanted != NULL)
		return error_set(e, ERROR_USAGE, 0, "--%s takes %s, not '%s'",
		    o->name, wanted, g->text);
	return 0;
}

static int
give(struct cli *cli, const struct option_spec *o, const char *text,
    struct error *e)
{
	struct cli_given *g = &cli->given[cli->given_n];

	if (cli->given_n == CLI_OPTIONS_MAX)
		return error_set(
		    e, ERROR_USAGE, 0, "more than %d options", CLI_OPTIONS_MAX);
	*g = (struct cli_given){.option = o, .text = text};
	if (o->type != OPTION_FLAG && read_value(g, e) == -1)
		return -1;
	cli->given_n++;
	if (strcmp(o->name, "json") == 0)
		cli->json = 1;
	else if (strcmp(o->name, "quiet") == 0)
		cli->quiet = 1;
	else if (strcmp(o->name, "verbose") == 0)
		cli->verbose++;
	else if (strcmp(o->name, "set") == 0)
		return overrides_add(&cli->overrides, &cli->arena, text, e);
	return 0;
}

/* --- parsing --- */

static int
needs_value(const char *name, struct error *e)
{
	return error_set(e, ERROR_USAGE, 0, "%s needs a value", name);
}

/* arg is "--name" or "--name=value"; *i moves on when the next is taken. */
static int
parse_long(struct cli *cli, int argc, char **argv, int *i, struct error *e)
{
	struct span rest = span_of(argv[*i] + 2);
	struct span name = span_cut(&rest, '=');
	const struct option_spec *o = find_long(cli->command, name);

	if (o == NULL)
		return unknown_option(cli, name, e);
	if (o->type == OPTION_FLAG) {
		if (rest.p != NULL)
			return error_set(
			    e, ERROR_USAGE, 0, "--%s takes no value", o->name);
		return give(cli, o, NULL, e);
	}
	if (rest.p != NULL)
		return give(cli, o, rest.p, e);
	if (*i + 1 >= argc)
		return needs_value(argv[*i], e);
	return give(cli, o, argv[++*i], e);
}

/* arg is "-abc", "-j8" or "-j 8". */
static int
parse_letters(struct cli *cli, int argc, char **argv, int *i, struct error *e)
{
	const char *p;

	for (p = argv[*i] + 1; *p != '\0'; p++) {
		const struct option_spec *o = find_letter(cli->command, *p);

		if (o == NULL)
			return error_set(
			    e, ERROR_USAGE, 0, "there is no option '-%c'", *p);
		if (o->type == OPTION_FLAG) {
			if (give(cli, o, NULL, e) == -1)
				return -1;
			continue;
		}
		if (p[1] != '\0')
			return give(cli, o, p + 1, e);
		if (*i + 1 >= argc) {
			const char name[] = {'-', *p, '\0'};

			return needs_value(name, e);
		}
		return give(cli, o, argv[++*i], e);
	}
	return 0;
}

/*
 * Options and operands may be mixed; operands are gathered at the front of
 * argv, in their order.
 */
static int
parse_all(struct cli *cli, int argc, char **argv, struct error *e)
{
	int i, over = 0, status = 0;

	cli->operand = argv;
	for (i = 0; i < argc && status == 0; i++) {
		const char *arg = argv[i];

		if (over || arg[0] != '-' || arg[1] == '\0') {
			argv[cli->operands++] = argv[i];
			if (cli->command->flags & COMMAND_STOPS_EARLY)
				over = 1;
		} else if (strcmp(arg, "--") == 0)
			over = 1;
		else if (arg[1] == '-')
			status = parse_long(cli, argc, argv, &i, e);
		else
			status = parse_letters(cli, argc, argv, &i, e);
	}
	/* A fault must be told as JSON even when --json comes behind it. */
	for (; status == -1 && i < argc && strcmp(argv[i], "--") != 0; i++)
		cli->json |= strcmp(argv[i], "--json") == 0;
	if (status == 0)
		argv[cli->operands] = NULL;
	return status;
}

int
cli_parse(struct cli *cli, int argc, char **argv, struct error *e)
{
	const struct command *c = cli->command;

	if (parse_all(cli, argc, argv, e) == -1)
		return -1;
	if (cli_has(cli, "help"))
		return 0;
	if (cli->operands < c->operands_min)
		return error_set(e, ERROR_USAGE, 0,
		    "too few arguments: skep %s %s", c->name, c->arguments);
	if (c->operands_max >= 0 && cli->operands > c->operands_max)
		return error_set(e, ERROR_USAGE, 0,
		    "'%s' is one argument too many: skep %s %s",
		    cli->operand[c->operands_max], c->name, c->arguments);
	return 0;
}

/* --- what was given --- */

const struct cli_given *
cli_next(const struct cli *cli, const char *name, unsigned *at)
{
	const struct option_spec *o = find_long(cli->command, span_of(name));

	CHECK(o != NULL);
	while (*at < cli->given_n) {
		const struct cli_given *g = &cli->given[(*at)++];

		if (g->option == o)
			return g;
	}
	return NULL;
}

const struct cli_given *
cli_get(const struct cli *cli, const char *name)
{
	const struct cli_given *g, *last = NULL;
	unsigned at = 0;

	while ((g = cli_next(cli, name, &at)) != NULL)
		last = g;
	return last;
}

int
cli_has(const struct cli *cli, const char *name)
{
	return cli_get(cli, name) != NULL;
}

const char *
cli_text(const struct cli *cli, const char *name, const char *instead)
{
	const struct cli_given *g = cli_get(cli, name);

	return g != NULL ? g->text : instead;
}

uint64_t
cli_count(const struct cli *cli, const char *name, uint64_t instead)
{
	const struct cli_given *g = cli_get(cli, name);

	return g != NULL ? g->value.count : instead;
}

double
cli_real(const struct cli *cli, const char *name, double instead)
{
	const struct cli_given *g = cli_get(cli, name);

	return g != NULL ? g->value.real : instead;
}
