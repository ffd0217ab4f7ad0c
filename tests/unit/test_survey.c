/* What a survey makes of a real workspace, whatever is in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "config/agent.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/survey.h"
#include "tests/unit/sandbox_test.h"

static struct sandbox_test t;
static struct sandbox *sb;
static struct agent agent;
static struct arena keep;
static struct survey_found found;
static struct error failure;
static int over;

static int
fresh(void **state)
{
	struct error e;

	(void)state;
	memset(&t, 0, sizeof t);
	memset(&found, 0, sizeof found);
	if (zygote_start(&t.zygote, &e) == -1) {
		print_message("%s\n", e.text);
		return -1;
	}
	st_open(&t);
	st_local(&t, NULL);
	arena_init(&keep, 1 * MIB);
	agent = (struct agent){.name = "a", .agents_md = 1};
	sb = t.host == NULL ? NULL : st_create(&t, NULL);
	return sb == NULL ? -1 : 0;
}

static int
done(void **state)
{
	(void)state;
	st_destroy(&t, sb);
	st_close(&t);
	arena_release(&keep);
	return pool_in_use() == 0 ? 0 : -1;
}

static void
ended(const struct error *error, void *owner)
{
	(void)owner;
	failure = error == NULL ? (struct error){.code = ERROR_NONE} : *error;
	over = 1;
	loop_break(t.loop);
}

static void
look(const char *cwd)
{
	struct survey_order order = {.loop = t.loop,
	    .sandbox = sb,
	    .agent = &agent,
	    .cwd = cwd,
	    .keep = &keep};
	struct error e;

	over = 0;
	memset(&found, 0, sizeof found);
	assert_non_null(survey_start(&order, &found, ended, NULL, &e));
	st_until(&t, &over);
}

/* Make the workspace by a command and look at it. */
static void
look_after(const char *command)
{
	st_sh(&t, sb, command);
	assert_int_equal(t.report.exit, 0);
	look(NULL);
	assert_int_equal(failure.code, ERROR_NONE);
}

static int
tree_has(const char *part)
{
	const char *tree = arena_strndup(&keep, found.tree.p, found.tree.n);

	return strstr(tree, part) != NULL;
}

static int
rules_have(const char *part)
{
	return span_search(found.rules, span_of(part), 0) < found.rules.n;
}

static void
an_empty_workspace_has_only_a_root(void **state)
{
	(void)state;
	look_after("true");
	assert_true(span_is(found.tree, "/workspace"));
	assert_int_equal(found.rules.n, 0);
}

static void
bookkeeping_is_not_shown(void **state)
{
	(void)state;
	look_after("mkdir -p r/.git/objects r/.github && touch r/.git/x r/a");
	assert_true(tree_has("a "));
	assert_true(tree_has(".github/"));
	assert_false(tree_has(".git/"));
	assert_false(tree_has(".skep"));
}

static void
nothing_outside_the_workspace_is_read(void **state)
{
	(void)state;
	look_after("ln -s /etc/shadow AGENTS.md");
	assert_int_equal(found.rules.n, 0);
	look_after("rm AGENTS.md; ln -s /etc/passwd AGENTS.md");
	assert_int_equal(found.rules.n, 0);
	look_after("rm AGENTS.md; ln -s ../../../etc/passwd AGENTS.md");
	assert_int_equal(found.rules.n, 0);
	look_after("rm AGENTS.md; ln -s /proc/self/environ AGENTS.md");
	assert_int_equal(found.rules.n, 0);
	look_after("rm AGENTS.md; ln -s AGENTS.md AGENTS.md");
	assert_int_equal(found.rules.n, 0);
}

static void
a_link_within_the_workspace_is_followed(void **state)
{
	(void)state;
	look_after("echo Tabs only. >CLAUDE.md; ln -s CLAUDE.md AGENTS.md");
	assert_true(rules_have("Tabs only."));
}

static void
what_is_no_text_is_passed_over(void **state)
{
	(void)state;
	look_after("mkfifo AGENTS.md");
	assert_int_equal(found.rules.n, 0);
	look_after("rm AGENTS.md; mkdir AGENTS.md");
	assert_int_equal(found.rules.n, 0);
	look_after("rmdir AGENTS.md; head -c 4096 /dev/urandom >AGENTS.md");
	assert_int_equal(found.rules.n, 0);
	look_after("rm AGENTS.md; printf 'a\\000b' >AGENTS.md");
	assert_int_equal(found.rules.n, 0);
	look_after("rm AGENTS.md; printf ' \\n\\t ' >AGENTS.md");
	assert_int_equal(found.rules.n, 0);
	look_after("rm AGENTS.md; : >AGENTS.md; chmod 0 AGENTS.md");
	assert_int_equal(found.rules.n, 0);
}

static void
a_gibibyte_is_read_as_far_as_it_is_shown(void **state)
{
	(void)state;
	look_after("yes rules | head -c 40000 >AGENTS.md; "
		   "truncate -s 1G AGENTS.md 2>/dev/null || true");
	assert_true(rules_have("[cut: 32768 of "));
	assert_true(found.rules.n < 33 * KIB);
	assert_true(pool_peak() < 64 * MIB);
}

static void
a_cwd_reached_by_a_link_is_none(void **state)
{
	(void)state;
	st_sh(&t, sb, "mkdir real; ln -s real link; ln -s /etc out");
	look("real");
	assert_int_equal(failure.code, ERROR_NONE);
	look("link");
	assert_int_equal(failure.code, ERROR_MANIFEST);
	look("out");
	assert_int_equal(failure.code, ERROR_MANIFEST);
	look("gone");
	assert_int_equal(failure.code, ERROR_MANIFEST);
}

static void
a_deep_and_wide_tree_is_looked_at_only_above(void **state)
{
	(void)state;
	look_after("for i in $(seq 300); do mkdir -p d/$i/e/f; done");
	assert_true(tree_has("... (truncated "));
	assert_false(tree_has("/e/f"));
	assert_true(found.tree.n < 20 * KIB);
}

static void
a_folder_that_is_shut_is_drawn_like_others(void **state)
{
	(void)state;
	look_after("mkdir shut open; touch open/f; chmod 0 shut; true");
	assert_true(tree_has("open/f"));
	assert_true(tree_has("shut/"));
}

static void
a_survey_can_be_given_up_at_any_time(void **state)
{
	struct survey_order order = {
	    .loop = t.loop, .sandbox = sb, .agent = &agent, .keep = &keep};
	struct survey *s;
	struct error e;

	(void)state;
	over = 0;
	for (int ms = 0; ms < 4; ms++) {
		s = survey_start(&order, &found, ended, NULL, &e);
		assert_non_null(s);
		if (ms > 0 && ms < 3)
			st_for_ms(&t, 0);
		if (!over)
			survey_cancel(s);
		over = 0;
	}
	survey_cancel(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fresh, done)
	    T(an_empty_workspace_has_only_a_root),
	    T(bookkeeping_is_not_shown),
	    T(nothing_outside_the_workspace_is_read),
	    T(a_link_within_the_workspace_is_followed),
	    T(what_is_no_text_is_passed_over),
	    T(a_gibibyte_is_read_as_far_as_it_is_shown),
	    T(a_cwd_reached_by_a_link_is_none),
	    T(a_deep_and_wide_tree_is_looked_at_only_above),
	    T(a_folder_that_is_shut_is_drawn_like_others),
	    T(a_survey_can_be_given_up_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
