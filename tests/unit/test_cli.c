/* The command line: parsing by table, and the words of its values. */

#include "tests/unit/config_test.h"

#include "config/nearest.h"
#include "config/overrides.h"
#include "config/units.h"
#include "config/vars.h"
#include <stdlib.h>

#include "engine/cli.h"

static int
never(struct cli *cli)
{
	(void)cli;
	return 0;
}

static const struct option_spec options[] = {
    {"flag", 'f', OPTION_FLAG, 0, NULL, "a flag"},
    {"text", 't', OPTION_TEXT, OPTION_REPEATS, "T", "a text"},
    {"pick", 0, OPTION_TEXT, 0, "one|two", "a choice"},
    {"size", 0, OPTION_SIZE, 0, "SIZE", "a size"},
    {"time", 0, OPTION_TIME, 0, "TIME", "a time"},
    {"count", 'n', OPTION_COUNT, 0, "N", "a count"},
    {"real", 0, OPTION_REAL, 0, "X", "a number"},
    {.name = NULL},
};

static struct command command = {
    .name = "try",
    .summary = "nothing",
    .arguments = "[WORD...]",
    .options = options,
    .operands_max = -1,
    .run = never,
};

static struct cli cli;
static char *argv[16];
static char words[16][64];

/* Parse a line of words separated by one space. */
static int
parse(const char *line, struct error *e)
{
	struct span rest = span_of(line);
	int n = 0;

	cli_init(&cli, &command);
	arena_init(&cli.arena, 1 << 20);
	while (rest.p != NULL) {
		struct span word = span_cut(&rest, ' ');

		snprintf(
		    words[n], sizeof words[n], "%.*s", (int)word.n, word.p);
		argv[n] = words[n];
		n++;
	}
	argv[n] = NULL;
	return cli_parse(&cli, n, argv, e);
}

static void
done(void)
{
	arena_release(&cli.arena);
}

static void
options_are_read_in_every_form(void **state)
{
	static const char *const lines[] = {
	    "-f -t a -n 3 x y",
	    "x --flag --text=a --count 3 y",
	    "-fta -n3 x y",
	    "x -f --text a --count=3 -- y",
	};
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		assert_int_equal(parse(lines[i], &e), 0);
		assert_true(cli_has(&cli, "flag"));
		assert_string_equal(cli_text(&cli, "text", NULL), "a");
		assert_int_equal(cli_count(&cli, "count", 0), 3);
		assert_int_equal(cli.operands, 2);
		assert_string_equal(cli.operand[0], "x");
		assert_string_equal(cli.operand[1], "y");
		assert_null(cli.operand[2]);
		done();
	}
}

static void
the_last_wins_and_all_can_be_walked(void **state)
{
	const struct cli_given *g;
	unsigned at = 0, n = 0;
	struct error e;

	(void)state;
	assert_int_equal(parse("-t a -t b --text=c", &e), 0);
	assert_string_equal(cli_text(&cli, "text", NULL), "c");
	while ((g = cli_next(&cli, "text", &at)) != NULL)
		assert_int_equal(g->text[0], 'a' + (int)n++);
	assert_int_equal(n, 3);
	assert_false(cli_has(&cli, "flag"));
	assert_int_equal(cli_count(&cli, "count", 9), 9);
	done();
}

static void
a_dash_alone_and_what_follows_two_are_operands(void **state)
{
	struct error e;

	(void)state;
	assert_int_equal(parse("- -- -f --text", &e), 0);
	assert_int_equal(cli.operands, 3);
	assert_false(cli_has(&cli, "flag"));
	done();
}

static void
a_command_may_end_options_at_its_first_operand(void **state)
{
	struct error e;

	(void)state;
	command.flags = COMMAND_STOPS_EARLY;
	assert_int_equal(parse("-f ls -t -- x", &e), 0);
	command.flags = 0;
	assert_int_equal(cli.operands, 4);
	assert_string_equal(cli.operand[1], "-t");
	assert_string_equal(cli.operand[2], "--");
	done();
}

static void
mistakes_are_usage_errors_that_help(void **state)
{
	static const char *const lines[][2] = {
	    {"--flg", "did you mean '--flag'?"},
	    {"--flag=1", "takes no value"},
	    {"--text", "--text needs a value"},
	    {"-ft", "-t needs a value"},
	    {"-fz", "there is no option '-z'"},
	    {"--pick=three", "--pick takes one|two, not 'three'"},
	    {"--size=1Q", "a size such as"},
	    {"--time=1d", "a time such as"},
	    {"--count=-1", "a whole number"},
	    {"--count=99999999999", "a whole number"},
	    {"--real=x", "a number such as"},
	};
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		assert_int_equal(parse(lines[i][0], &e), -1);
		assert_int_equal(e.code, ERROR_USAGE);
		assert_non_null(strstr(e.text, lines[i][1]));
		done();
	}
}

static void
too_many_options_are_refused(void **state)
{
	static char *many[CLI_OPTIONS_MAX + 2];
	static char flag[] = "-f";
	struct error e;

	(void)state;
	for (size_t i = 0; i <= CLI_OPTIONS_MAX; i++)
		many[i] = flag;
	cli_init(&cli, &command);
	arena_init(&cli.arena, 1 << 20);
	assert_int_equal(cli_parse(&cli, CLI_OPTIONS_MAX + 1, many, &e), -1);
	done();
}

/* --- values --- */

static void
sizes_and_times_have_units(void **state)
{
	uint64_t v;
	double d;

	(void)state;
#define SIZE(text, is)                                      \
	assert_int_equal(units_size(span_of(text), &v), 0); \
	assert_int_equal(v, is)
	SIZE("0", 0);
	SIZE("1500", 1500);
	SIZE("64K", 65536);
	SIZE("1.5M", 1572864);
	SIZE("2G", 2147483648u);
	SIZE("1T", 1099511627776u);
#undef SIZE
#define TIME(text, is)                                      \
	assert_int_equal(units_time(span_of(text), &v), 0); \
	assert_int_equal(v, is)
	TIME("0", 0);
	TIME("30", 30000);
	TIME("250ms", 250);
	TIME("1.5h", 5400000);
	TIME("0.5", 500);
	TIME("2m", 120000);
#undef TIME
	for (const char *const *bad = (const char *const[]){"", "K", "-1",
		 "1KB", "1 K", "1.", ".5", "1..2", "99999999999999999999",
		 "9999999999G", "1e3", "0x10", NULL};
	     *bad != NULL; bad++)
		assert_int_equal(units_size(span_of(*bad), &v), -1);
	assert_int_equal(units_time(span_of("1d"), &v), -1);
	assert_int_equal(units_number(span_of("0.25"), &d), 0);
	assert_true(d == 0.25);
	assert_int_equal(units_number(span_of("1K"), &d), -1);
}

static const char *
near(const char *word, const char *const *names)
{
	struct nearest n;

	nearest_init(&n, span_of(word));
	for (; *names != NULL; names++)
		nearest_offer(&n, *names);
	return n.name;
}

static void
only_what_is_near_is_suggested(void **state)
{
	const char *const names[] = {
	    "batch", "bench", "check", "base_url", "api_key", "ps", NULL};

	(void)state;
	assert_string_equal(near("bacth", names), "batch");
	assert_string_equal(near("benhc", names), "bench");
	assert_string_equal(near("chek", names), "check");
	assert_string_equal(near("baseurl", names), "base_url");
	assert_string_equal(near("apikey", names), "api_key");
	assert_null(near("zebra", names));
	assert_null(near("x", names));
	assert_null(near("", names));
}

/* --- variables --- */

static void
assert_expands(const char *s, const char *is)
{
	struct named_text task[] = {{"a", span_of("${input}")}};
	struct named_text agent[] = {{"a", span_of("no")}, {"b", span_of("")}};
	struct vars vars = {.input = span_of("IN"),
	    .custom_id = {NULL, 0},
	    .task = {task, 1},
	    .agent = {agent, 2}};
	struct text t;
	struct error e;
	size_t at;

	text_init(&t, 1 << 16);
	if (is != NULL) {
		assert_int_equal(vars_expand(span_of(s), &vars, &t, &e), 0);
		assert_int_equal(vars_check(span_of(s), &at, &e), 0);
		assert_true(span_is(text_span(&t), is));
	} else {
		assert_int_equal(vars_expand(span_of(s), &vars, &t, &e), -1);
	}
	text_release(&t);
}

static void
variables_are_replaced_once_and_literals_kept(void **state)
{
	(void)state;
	assert_expands("", "");
	assert_expands("a $ b $$ c $x {input}", "a $ b $$ c $x {input}");
	assert_expands("${input}${input}", "ININ");
	assert_expands("<${variables.a}>", "<${input}>");
	assert_expands("<${variables.b}>", "<>");
	assert_expands("$${input} $$${input}", "${input} $${input}");
	assert_expands("x$${", "x${");
	assert_expands("${variables.c}", NULL);
	assert_expands("${custom_id}", NULL);
	assert_expands("${variables.}", NULL);
	assert_expands("${HOME}", NULL);
	assert_expands("${input", NULL);
	assert_expands("${}", NULL);
}

/* --- overrides --- */

static void
the_last_flag_wins_over_the_environment(void **state)
{
	struct overrides *o = arena_alloc(&arena, sizeof *o);
	struct error e;

	(void)state;
	assert_int_equal(overrides_add(o, &arena, "a.b=1", &e), 0);
	assert_int_equal(overrides_add(o, &arena, "a.b=x=y", &e), 0);
	assert_int_equal(overrides_add(o, &arena, "=1", &e), -1);
	assert_int_equal(overrides_add(o, &arena, "ab", &e), -1);
	assert_string_equal(overrides_get(o, &arena, "a.b")->value, "x=y");
	assert_true(overrides_below(o, "a"));
	assert_false(overrides_below(o, "a.b"));
	setenv("SKEP_A_C", "env", 1);
	setenv("SKEP_A_B", "env", 1);
	assert_string_equal(overrides_get(o, &arena, "a.c")->value, "env");
	assert_string_equal(overrides_get(o, &arena, "a.c")->from, "SKEP_A_C");
	assert_string_equal(overrides_get(o, &arena, "a.b")->value, "x=y");
	o->ignores_environment = 1;
	assert_null(overrides_get(o, &arena, "a.c"));
	unsetenv("SKEP_A_B");
	unsetenv("SKEP_A_C");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(options_are_read_in_every_form),
	    CASE(the_last_wins_and_all_can_be_walked),
	    CASE(a_dash_alone_and_what_follows_two_are_operands),
	    CASE(a_command_may_end_options_at_its_first_operand),
	    CASE(mistakes_are_usage_errors_that_help),
	    CASE(too_many_options_are_refused),
	    CASE(sizes_and_times_have_units),
	    CASE(only_what_is_near_is_suggested),
	    CASE(variables_are_replaced_once_and_literals_kept),
	    CASE(the_last_flag_wins_over_the_environment),
	};

	return run(tests, sizeof tests / sizeof tests[0]);
}
