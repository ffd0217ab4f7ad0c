#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "tools/diff.h"
#include "tools/patch.h"

/* What file becomes with diff, or "error: " and why it does not. */
static void
expect_update(const char *file, const char *diff, const char *expected)
{
	struct error e = {0};
	struct text out;

	text_init(&out, MIB);
	if (diff_update(span_of(file), span_of(diff), &out, &e) == -1) {
		text_clear(&out);
		text_printf(&out, "error: %s", e.text);
	}
	assert_string_equal(out.p == NULL ? "" : out.p, expected);
	text_release(&out);
}

static void
expect_create(const char *diff, const char *expected)
{
	struct error e = {0};
	struct text out;

	text_init(&out, MIB);
	if (diff_create(span_of(diff), &out, &e) == -1) {
		text_clear(&out);
		text_printf(&out, "error: %s", e.text);
	}
	assert_string_equal(out.p == NULL ? "" : out.p, expected);
	text_release(&out);
}

static void
diffs_give_what_models_expect_of_the_format(void **state)
{
	static const char *const golden[][3] = {
	    {"a\nb\nc\n", "@@\n-b\n+B", "a\nB\nc\n"},
	    {"a\nb\nc\n", "-b\n+B", "a\nB\nc\n"},
	    {"a\nb\nc", "@@\n c\n+d", "a\nb\nc\nd"},
	    {"a\nb\nc\n", "@@\n+z", "z\na\nb\nc\n"},
	    {"", "@@\n+a", "a\n"},
	    {"x\ny\nx\ny\n", "@@\n-y\n+1\n@@\n-y\n+2", "x\n1\nx\n2\n"},
	    {"x\ny\n", "@@\n-y\n+1\n@@\n-x\n+2",
		"error: Invalid Context 2:\nx"},
	    {"a\r\nb\nc\r\n", "@@\n-b\n+B", "a\r\nB\r\nc\r\n"},
	    {"a\n\nb\n", "@@\n a\n\n-b\n+B", "a\n\nB\n"},
	    {"a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n+B", "a\nB\n"},
	    {"a\nb\n", "@@x\n-b\n+B",
		"error: Nothing in this section - index=0 @@x"},
	    {"a\nb\n", "*** Foo", "error: Invalid Line: *** Foo"},
	    {"a\nb\n", "@@",
		"error: Nothing in this section - index=1 *** End Patch"},
	    {"a\nb\nc\nd\n", "@@\n-a\n+A\n b\n-c\n+C", "A\nb\nC\nd\n"},
	    {"a\nb\nc\nd\n", "@@\n-a\n+A\n-b\n+B", "A\nB\nc\nd\n"},
	    {"  foo()\n", "@@\n-foo()\n+bar()", "bar()\n"},
	    {"a\nb\n", "@@\n-zzz\n+B", "error: Invalid Context 0:\nzzz"},
	    {"a\nb\n", "@@\n-a\n-b", ""},
	    {"a\nb\n", "@@ nope\n-b\n+B", "a\nB\n"},
	    {"\342\200\234q\342\200\235\n", "@@\n-\"q\"\n+x",
		"error: Invalid Context 0:\n\"q\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++)
		expect_update(golden[i][0], golden[i][1], golden[i][2]);
	expect_create("+hello\n+world", "hello\nworld");
	expect_create("+hello\n+world\n+", "hello\nworld\n");
	expect_create("hello", "error: Invalid Add File Line: hello");
}

static void
the_end_of_a_file_is_its_last_line(void **state)
{
	(void)state;
	expect_update(
	    "a\nb\na\nb\n", "@@\n a\n-b\n+B\n*** End of File", "a\nb\na\nB\n");
	expect_update("a\nb\n", "@@\n+c\n*** End of File", "a\nb\nc\n");
	expect_update("a\nb", "@@\n+c\n*** End of File", "a\nb\nc");
	expect_update("", "@@\n+c\n*** End of File", "c\n");
	expect_update("a\nb\n", "@@\n-x\n*** End of File",
	    "error: Invalid EOF Context 0:\nx");
}

static void
anchors_move_the_cursor_down(void **state)
{
	const char *file = "def f\n x\ndef g\n x\n";

	(void)state;
	expect_update(file, "@@ def g\n- x\n+ y", "def f\n x\ndef g\n y\n");
	expect_update(file, "@@   def g  \n- x\n+ y", "def f\n x\ndef g\n y\n");
	expect_update(
	    file, "@@ def f\n@@ def g\n- x\n+ y", "def f\n x\ndef g\n y\n");
	expect_update(file, "@@ def g\n@@ def f\n- x\n+ y",
	    "error: Invalid Anchor 3:\ndef f");
	expect_update(file, "@@\n-def f\n+def h\n*** End of File\n x",
	    "error: Invalid Line:\n x");
}

static void
a_line_is_split_at_newlines_only(void **state)
{
	(void)state;
	expect_update("a\fb\nc\n", "@@\n-a\fb\n+d\ve", "d\ve\nc\n");
	expect_update("a\nb\nc", "@@\n-c\n+C", "a\nb\nC");
	expect_update("a\n", "", "a\n");
}

static void
a_diff_that_would_stall_the_engine_is_refused(void **state)
{
	struct error e = {0};
	struct text file, diff, out;

	(void)state;
	text_init(&file, 16 * MIB);
	text_init(&diff, 16 * MIB);
	text_init(&out, 16 * MIB);
	for (int i = 0; i < 100000; i++)
		text_printf(&file, "%d\n", i);
	for (int i = 0; i < 100000; i++)
		text_add_str(&diff, "@@ nowhere\n+x\n");
	assert_int_equal(
	    diff_update(text_span(&file), text_span(&diff), &out, &e), -1);
	assert_int_equal(e.code, ERROR_TOO_BIG);
	text_release(&file);
	text_release(&diff);
	text_release(&out);
}

/* --- envelopes --- */

/* "kind path>to|diff;" for every operation, or the error. */
static void
expect_patch(const char *input, const char *expected)
{
	struct error e = {0};
	struct arena a;
	struct patch p;
	struct text out;

	arena_init(&a, MIB);
	text_init(&out, MIB);
	text_add_str(&out, "");
	if (patch_parse(&p, span_of(input), &a, &e) == -1)
		text_printf(&out, "error: %s", e.text);
	else
		for (unsigned i = 0; i < p.ops; i++) {
			text_add_char(&out, "CUD"[p.op[i].kind]);
			text_add_char(&out, ' ');
			text_add(&out, p.op[i].path);
			if (p.op[i].to.n > 0) {
				text_add_char(&out, '>');
				text_add(&out, p.op[i].to);
			}
			text_add_char(&out, '|');
			text_add(&out, p.op[i].diff);
			text_add_char(&out, ';');
		}
	assert_string_equal(out.p, expected);
	text_release(&out);
	arena_release(&a);
}

#define PATCH(body) "*** Begin Patch\n" body "*** End Patch"

static void
an_envelope_is_cut_into_operations(void **state)
{
	(void)state;
	expect_patch(PATCH("*** Add File: a\n+1\n+2\n*** Delete File: b\n"
			   "*** Update File: c\n*** Move to: d\n@@\n-x\n+y\n"),
	    "C a|+1\n+2;D b|;U c>d|@@\n-x\n+y;");
	expect_patch(PATCH("*** Add File: a\n+1\n") "\n", "C a|+1;");
	expect_patch("*** Begin Patch\r\n*** Delete File:  dir\\b \r\n"
		     "*** End Patch\r\n",
	    "D dir/b|;");
	expect_patch(PATCH("*** Update File: c\n@@\n x\n*** End of File\n"),
	    "U c|@@\n x\n*** End of File;");
}

static void
a_bad_envelope_is_told_in_the_words_models_know(void **state)
{
	(void)state;
	expect_patch("*** Begin Patch \n",
	    "error: apply_patch input must start with '*** Begin Patch'");
	expect_patch(
	    "", "error: apply_patch input must start with '*** Begin Patch'");
	expect_patch("*** Begin Patch\n*** Delete File: a\n",
	    "error: apply_patch input must end with '*** End Patch'");
	expect_patch(PATCH("*** Delete File: a\n") "\n\n",
	    "error: apply_patch input must end with '*** End Patch'");
	expect_patch("*** Begin Patch",
	    "error: apply_patch input must end with '*** End Patch'");
	expect_patch(PATCH(""),
	    "error: apply_patch input must include at least one file "
	    "operation");
	expect_patch(PATCH("*** Rename File: a\n"),
	    "error: Invalid apply_patch file operation header: "
	    "*** Rename File: a");
	expect_patch(PATCH("*** Add File:  \n+x\n"),
	    "error: Missing path in apply_patch header: *** Add File:  ");
	expect_patch(
	    PATCH("*** Add File: a\nx\n"), "error: Invalid Add File line: x");
	expect_patch(PATCH("*** Add File: a\n"),
	    "error: Add File patch for a must include at least one + line");
	expect_patch(PATCH("*** Delete File: a\n-x\n"),
	    "error: Delete File patch for a must not include a diff");
	expect_patch(PATCH("*** Update File: a\n*** Move to: b\n"),
	    "error: Update File patch for a must include a hunk");
}

static void
operations_may_come_as_json(void **state)
{
	(void)state;
	expect_patch("  {\"type\":\"create_file\",\"path\":\"a\","
		     "\"diff\":\"+1\\n+2\"}",
	    "C a|+1\n+2;");
	expect_patch("{\"operations\":[{\"type\":\"delete_file\","
		     "\"path\":\"a\"},{\"type\":\"update_file\",\"path\":"
		     "\"b\",\"diff\":\"@@\",\"move_to\":\"c\"}]}",
	    "D a|;U b>c|@@;");
	expect_patch("[{\"type\":\"delete_file\",\"path\":\"a\"}]", "D a|;");
	expect_patch(
	    "{\"operation\":{\"type\":\"delete_file\",\"path\":\"a\"}}",
	    "D a|;");
	expect_patch("{\"type\":\"touch\"}",
	    "error: Invalid apply_patch operation type: touch");
	expect_patch("{\"type\":\"delete_file\"}",
	    "error: apply_patch operation is missing a path");
	expect_patch("{\"type\":\"create_file\",\"path\":\"a\"}",
	    "error: apply_patch operation create_file is missing a diff");
	expect_patch("{\"type\":\"delete_file\",\"path\":\"\"}",
	    "error: apply_patch path must be non-empty");
	expect_patch("[]",
	    "error: apply_patch input must include at least one file "
	    "operation");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(diffs_give_what_models_expect_of_the_format),
	    cmocka_unit_test(the_end_of_a_file_is_its_last_line),
	    cmocka_unit_test(anchors_move_the_cursor_down),
	    cmocka_unit_test(a_line_is_split_at_newlines_only),
	    cmocka_unit_test(a_diff_that_would_stall_the_engine_is_refused),
	    cmocka_unit_test(an_envelope_is_cut_into_operations),
	    cmocka_unit_test(a_bad_envelope_is_told_in_the_words_models_know),
	    cmocka_unit_test(operations_may_come_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
