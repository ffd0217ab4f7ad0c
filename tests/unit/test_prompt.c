/* The prompt: its order, what is left out, and that it stays the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/agent.h"
#include "engine/base/text.h"
#include "engine/prompt.h"
#include "engine/role.h"
#include "engine/survey.h"

static struct agent agent;
static struct role role;
static struct text out;

static int
begin(void **state)
{
	(void)state;
	agent = (struct agent){.name = "a"};
	role = (struct role){.agent = &agent};
	text_init(&out, PROMPT_MAX);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	text_release(&out);
	return 0;
}

static const char *
written(const char *instructions, const struct survey_found *found)
{
	struct prompt_facts facts = {.role = &role,
	    .instructions = span_of(instructions),
	    .found = found};
	struct error e;

	text_clear(&out);
	assert_int_equal(prompt_write(&facts, &out, &e), 0);
	return out.p == NULL ? "" : out.p;
}

static void
with_tool(const char *name)
{
	struct error e;

	assert_int_equal(toolset_add(&role.toolset, name, &e), 0);
}

static void
comes_in_this_order(const char *text, const char *const *parts)
{
	for (; *parts != NULL; parts++) {
		const char *at = strstr(text, *parts);

		if (at == NULL)
			fail_msg("%s is missing in or out of order", *parts);
		else
			text = at + strlen(*parts);
	}
}

static void
sections_stand_in_the_known_order(void **state)
{
	static const char *const order[] = {"Base.\n\n# Agent instructions\n\n",
	    "Count.\n\n# Sandbox capability instructions\n\n", "exec_command",
	    "\n\nEditing: ", "\n\n# Filesystem\n\n", "\n\n/workspace", NULL};

	(void)state;
	agent.base_instructions = span_of("Base.\n");
	with_tool("exec_command");
	with_tool("apply_patch");
	comes_in_this_order(written("Count.\n", NULL), order);
}

static void
our_base_prompt_stands_where_none_is_given(void **state)
{
	(void)state;
	with_tool("exec_command");
	assert_memory_equal(written("x", NULL), "You are an agent", 16);
	agent.base_instructions = (struct span){"", 0};
	assert_memory_equal(
	    written("x", NULL), "# Agent instructions\n\nx\n", 24);
}

static void
an_agent_without_a_sandbox_is_told_its_instructions_as_they_are(void **state)
{
	(void)state;
	assert_string_equal(written("Be kind.", NULL), "Be kind.");
	assert_string_equal(written("", NULL), "");
}

static void
what_has_nothing_to_say_leaves_no_heading(void **state)
{
	(void)state;
	with_tool("view_image");
	assert_null(strstr(written("", NULL), "# Agent instructions"));
	assert_null(strstr(out.p, "# Sandbox capability"));
	assert_null(strstr(out.p, "\n\n\n"));
}

static void
only_the_end_differs_with_the_workspace(void **state)
{
	struct survey_found found = {.tree = span_of("/workspace\n`-- a\n")};
	struct text first;
	size_t same = 0;

	(void)state;
	with_tool("exec_command");
	text_init(&first, PROMPT_MAX);
	(void)written("x", &found);
	text_add(&first, text_span(&out));
	found.tree = span_of("/workspace\n`-- b\n");
	(void)written("x", &found);
	while (same < first.n && first.p[same] == out.p[same])
		same++;
	assert_string_equal(first.p + same, "a");
	text_release(&first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		sections_stand_in_the_known_order, begin, end),
	    cmocka_unit_test_setup_teardown(
		our_base_prompt_stands_where_none_is_given, begin, end),
	    cmocka_unit_test_setup_teardown(
		an_agent_without_a_sandbox_is_told_its_instructions_as_they_are,
		begin, end),
	    cmocka_unit_test_setup_teardown(
		what_has_nothing_to_say_leaves_no_heading, begin, end),
	    cmocka_unit_test_setup_teardown(
		only_the_end_differs_with_the_workspace, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
