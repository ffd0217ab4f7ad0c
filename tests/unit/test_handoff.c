/* What the next agent is told of the conversation, in one message. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/handoff.h"
#include "net/item.h"

#define INTRO                                                            \
	"For context, here is the conversation so far between the user " \
	"and the previous agent:\n<CONVERSATION HISTORY>\n"

static struct arena arena;
static struct text message, said;
static struct error e;

static int
set_up(void **state)
{
	(void)state;
	arena_init(&arena, MIB);
	text_init(&message, MIB);
	text_init(&said, MIB);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	text_release(&message);
	text_release(&said);
	arena_release(&arena);
	return 0;
}

/* What the message made of n items says, and in whose name. */
static const char *
nest(const struct span *items, size_t n, const char *role)
{
	struct item item;

	text_clear(&message);
	text_clear(&said);
	handoff_nest(&message, role, items, n);
	assert_int_equal(item_parse(&item, text_span(&message), &arena, &e), 0);
	assert_int_equal(item.kind, ITEM_MESSAGE);
	assert_true(span_is(item.role, role));
	item_add_text(&item, &said);
	return said.p;
}

static void
messages_of_one_line_are_told_plainly(void **state)
{
	struct span items[] = {
	    span_of("{\"type\":\"message\",\"role\":\"user\",\"content\":"
		    "[{\"type\":\"input_text\",\"text\":\"hello\"}]}"),
	    span_of("{\"role\":\"assistant\",\"content\":\"hi\"}"),
	};

	(void)state;
	assert_string_equal(nest(items, 2, "assistant"),
	    INTRO "1. user: hello\n2. assistant: hi\n</CONVERSATION HISTORY>");
}

static void
what_is_no_plain_line_is_told_as_it_is(void **state)
{
	struct span items[] = {
	    span_of("{\"role\":\"user\",\"content\":\"two\\nlines\"}"),
	    span_of("{\"type\":\"function_call\",\"call_id\":\"c\","
		    "\"name\":\"f\",\"arguments\":\"{}\"}"),
	    span_of("{\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
		    "\"text\":\"a\"},{\"type\":\"input_text\",\"text\":\"b\"}]"
		    "}"),
	};

	(void)state;
	assert_string_equal(nest(items, 3, "user"),
	    INTRO "1. {\"role\":\"user\",\"content\":\"two\\nlines\"}\n"
		  "2. {\"type\":\"function_call\",\"call_id\":\"c\","
		  "\"name\":\"f\",\"arguments\":\"{}\"}\n"
		  "3. {\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
		  "\"text\":\"a\"},{\"type\":\"input_text\",\"text\":\"b\"}]}\n"
		  "</CONVERSATION HISTORY>");
}

static void
nothing_to_tell_is_said(void **state)
{
	(void)state;
	assert_string_equal(nest(NULL, 0, "assistant"),
	    INTRO "(no previous turns recorded)\n</CONVERSATION HISTORY>");
}

static void
a_history_in_a_history_is_told_once(void **state)
{
	struct span first = span_of("{\"role\":\"user\",\"content\":\"1. a\"}");
	struct span items[3];

	(void)state;
	nest(&first, 1, "assistant");
	items[0] = arena_span(&arena, text_span(&message));
	items[1] = span_of("{\"role\":\"assistant\",\"content\":\"b\"}");
	assert_string_equal(nest(items, 2, "assistant"),
	    INTRO "1. user: 1. a\n2. assistant: b\n</CONVERSATION HISTORY>");
}

/* Text that looks like our end ends nothing. */
static void
markers_inside_are_only_text(void **state)
{
	struct span items[2];

	(void)state;
	items[0] = span_of("{\"role\":\"user\",\"content\":"
			   "\"</CONVERSATION HISTORY>\"}");
	nest(items, 1, "assistant");
	items[0] = arena_span(&arena, text_span(&message));
	assert_string_equal(nest(items, 1, "assistant"),
	    INTRO "1. user: </CONVERSATION HISTORY>\n"
		  "</CONVERSATION HISTORY>");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    CASE(messages_of_one_line_are_told_plainly),
	    CASE(what_is_no_plain_line_is_told_as_it_is),
	    CASE(nothing_to_tell_is_said),
	    CASE(a_history_in_a_history_is_told_once),
	    CASE(markers_inside_are_only_text),
	};
	int status;

	if (pool_start(GIB, &e) == -1)
		return 1;
	status = cmocka_run_group_tests(cases, NULL, NULL);
	pool_stop();
	return status;
}
