/* Settings of the engine: defaults, file, environment, flags. */

#include "tests/unit/config_test.h"

#include <stdlib.h>

#include "config/overrides.h"
#include "config/settings.h"

static struct settings settings;
static struct overrides overrides;

static int
load(const char *text)
{
	if (text != NULL)
		write_file("s.json", text);
	return settings_load_file(&settings, &arena,
	    text != NULL ? path_of("s.json") : NULL, &overrides, &complaints);
}

static void
set(const char *text)
{
	struct error e;

	assert_int_equal(overrides_add(&overrides, &arena, text, &e), 0);
}

static int
fresh(void **state)
{
	memset(&overrides, 0, sizeof overrides);
	return begin_case(state);
}

static void
without_a_file_there_are_defaults(void **state)
{
	(void)state;
	assert_int_equal(load(NULL), 0);
	assert_int_equal(settings.runs, 64);
	assert_int_equal(settings.durability, DURABILITY_NORMAL);
	assert_false(settings.http_allowed);
}

static void
flags_come_before_the_environment_before_the_file(void **state)
{
	(void)state;
	assert_int_equal(load("{\"runs\":3,\"durability\":\"full\"}"), 0);
	assert_int_equal(settings.runs, 3);
	assert_int_equal(settings.durability, DURABILITY_FULL);
	setenv("SKEP_ENGINE_RUNS", "4", 1);
	assert_int_equal(load("{\"runs\":3}"), 0);
	assert_int_equal(settings.runs, 4);
	set("engine.runs=5");
	set("engine.durability=full");
	assert_int_equal(load("{\"runs\":3}"), 0);
	assert_int_equal(settings.runs, 5);
	assert_int_equal(settings.durability, DURABILITY_FULL);
	unsetenv("SKEP_ENGINE_RUNS");
}

static void
mistakes_are_named_where_they_were_made(void **state)
{
	(void)state;
	assert_int_equal(load("{\"runs\":0,\"rnus\":1}"), -1);
	assert_complaint("s.json:1:9: runs: out of range");
	assert_complaint("did you mean 'runs'?");
	complaints_init(&complaints, &arena);
	setenv("SKEP_ENGINE_RUNS", "many", 1);
	assert_int_equal(load(NULL), -1);
	assert_complaint("SKEP_ENGINE_RUNS: ");
	unsetenv("SKEP_ENGINE_RUNS");
	complaints_init(&complaints, &arena);
	set("engine.rnus=5");
	set("budget.turns=5"); /* the agent's: not our business */
	assert_int_equal(load(NULL), -1);
	assert_complaint("-c engine.rnus: there is no such setting; did you "
			 "mean 'engine.runs'?");
	assert_int_equal(complaints.n, 1);
}

#define FRESH(f) cmocka_unit_test_setup_teardown(f, fresh, end_case)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FRESH(without_a_file_there_are_defaults),
	    FRESH(flags_come_before_the_environment_before_the_file),
	    FRESH(mistakes_are_named_where_they_were_made),
	};

	return run(tests, sizeof tests / sizeof tests[0]);
}
