/* Front matter: what the index takes from it, and what check says of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/complaint.h"
#include "config/skill.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"

static struct arena arena;
static struct skill skill;
static struct complaints complaints;

static int
begin(void **state)
{
	(void)state;
	arena_init(&arena, 4 * MIB);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void
reads(const char *markdown, const char *name, const char *description)
{
	assert_int_equal(
	    skill_read(&arena, span_of(markdown), "folder", &skill), 0);
	if (!span_is(skill.name, name) ||
	    !span_is(skill.description, description))
		fail_msg("%.*s: %.*s", (int)skill.name.n, skill.name.p,
		    (int)skill.description.n, skill.description.p);
}

#define NONE "No description provided."

static void
the_index_takes_what_it_finds(void **state)
{
	(void)state;
	reads("---\nname: a\ndescription: does b\n---\nBody", "a", "does b");
	reads("---\r\nname: a\r\ndescription: b: c\r\n---\r\n", "a", "b: c");
	reads(" --- \n\n# x\nno colon\nname : \"a\"\ndescription:'b'\n --- \n",
	    "a", "b");
	reads("---\nname: \"a'\ndescription: \"\n---\n", "\"a'", "\"");
	reads("---\ndescription: d\nmetadata:\n  name: inner\n---\n", "folder",
	    "d");
}

static void
what_is_missing_has_a_default(void **state)
{
	(void)state;
	reads("", "folder", NONE);
	reads("# Title\n", "folder", NONE);
	reads("---\nname: a\n", "folder", NONE);
	reads("x\n---\nname: a\n---\n", "folder", NONE);
	reads("---\n---\n", "folder", NONE);
	reads("---\nname:\ndescription:\n---\n", "folder", NONE);
}

static void
nothing_in_it_can_begin_a_line(void **state)
{
	(void)state;
	reads("---\nname: a\x1b[2J\xff\ndescription: b\xe2\x80\xa8"
	      "# Obey\n---\n",
	    "a [2J\xef\xbf\xbd", "b # Obey");
}

static void
what_is_long_is_cut(void **state)
{
	static char long_one[20000];

	(void)state;
	memcpy(long_one, "---\nname: ", 10);
	memset(long_one + 10, 'n', 5000);
	memcpy(long_one + 5010, "\ndescription: ", 14);
	memset(long_one + 5024, 'd', 9000);
	memcpy(long_one + 14024, "\n---\n", 6);
	assert_int_equal(
	    skill_read(&arena, span_of(long_one), "folder", &skill), 0);
	assert_int_equal(skill.name.n, 64);
	assert_int_equal(skill.description.n, 1024);
}

/* The complaints, each "LINE: TEXT" of which text is a part; NULL: none. */
static void
complains(const char *markdown, unsigned line, const char *part)
{
	complaints_init(&complaints, &arena);
	skill_check(span_of(markdown), "my-skill", "SKILL.md", &complaints);
	if (part == NULL) {
		if (complaints.n > 0)
			fail_msg("%s", complaints.first->text);
		return;
	}
	for (const struct complaint *c = complaints.first; c != NULL;
	     c = c->next)
		if (c->line == line && strstr(c->text, part) != NULL)
			return;
	fail_msg("%u: %s was not among %u: %s", line, part, complaints.n,
	    complaints.n > 0 ? complaints.first->text : "-");
}

#define OK_HEAD "---\nname: my-skill\ndescription: d\n"

static void
a_good_skill_has_no_fault(void **state)
{
	(void)state;
	complains(OK_HEAD "---\n", 0, NULL);
	complains(OK_HEAD "license: MIT\ncompatibility: needs git\n"
			  "allowed-tools: Bash(git:*) Read\nmetadata:\n"
			  "  author: me\n  version: \"1\"\n---\nBody\n",
	    0, NULL);
}

static void
every_fault_has_its_line(void **state)
{
	(void)state;
	complains("Body\n", 1, "there is no front matter");
	complains("", 1, "there is no front matter");
	complains("---\nname: my-skill\n", 1, "not closed");
	complains("---\nname: other\ndescription: d\n---\n", 2, "folder is my");
	complains("---\nname: My_Skill\ndescription: d\n---\n", 2, "only a-z");
	complains("---\nname: -a\ndescription: d\n---\n", 2, "hyphen");
	complains("---\nname: a--b\ndescription: d\n---\n", 2, "two hyphens");
	complains("---\ndescription: d\n---\n", 1, "name is missing");
	complains("---\nname: my-skill\n---\n", 1, "description is missing");
	complains("---\nname: my-skill\ndescription:\n---\n", 3, "is empty");
	complains("---\nname: my-skill\ndescription: >\n  d\n---\n", 3,
	    "several lines");
	complains(OK_HEAD "descripton: x\n---\n", 4, "did you mean");
	complains(OK_HEAD "license: MIT\n  more\n---\n", 5, "without a colon");
	complains(OK_HEAD "name: my-skill\n---\n", 4, "stands twice");
	complains(OK_HEAD "compatibility:\n---\n", 4, "1 to 500");
	complains(OK_HEAD "license: x\n  a: b\n---\n", 5, "only metadata");
	complains("---\nname: my-skill\ndescription: \xff\n---\n", 1, "UTF-8");
}

static void
a_name_has_its_rules(void **state)
{
	char name[70];

	(void)state;
	assert_null(skill_name_fault(span_of("a")));
	assert_null(skill_name_fault(span_of("pdf-2-text")));
	assert_non_null(skill_name_fault(span_of("")));
	assert_non_null(skill_name_fault(span_of("a-")));
	assert_non_null(skill_name_fault(span_of("../up")));
	memset(name, 'a', sizeof name);
	assert_null(skill_name_fault((struct span){name, 64}));
	assert_non_null(skill_name_fault((struct span){name, 65}));
}

static void
the_order_is_by_name(void **state)
{
	struct skill list[3] = {{.name = span_of("b"), .folder = "1"},
	    {.name = span_of("ab"), .folder = "2"},
	    {.name = span_of("a"), .folder = "3"}};

	(void)state;
	qsort(list, 3, sizeof list[0], skill_compare);
	assert_string_equal(list[0].folder, "3");
	assert_string_equal(list[1].folder, "2");
	assert_string_equal(list[2].folder, "1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	    T(the_index_takes_what_it_finds),
	    T(what_is_missing_has_a_default),
	    T(nothing_in_it_can_begin_a_line),
	    T(what_is_long_is_cut),
	    T(a_good_skill_has_no_fault),
	    T(every_fault_has_its_line),
	    T(a_name_has_its_rules),
	    T(the_order_is_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
