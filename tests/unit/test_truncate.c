#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/utf8.h"
#include "tools/truncate.h"

#define CUT(k) "\xe2\x80\xa6" k " tokens truncated\xe2\x80\xa6"
#define NOT_CUT UINT64_MAX

static struct text in, out, want;

static int
fresh(void **state)
{
	(void)state;
	text_init(&in, 1 * MIB);
	text_init(&out, 1 * MIB);
	text_init(&want, 1 * MIB);
	return 0;
}

static int
release(void **state)
{
	(void)state;
	text_release(&in);
	text_release(&out);
	text_release(&want);
	return 0;
}

static void
repeat(struct text *t, const char *s, int n)
{
	while (n-- > 0)
		text_add_str(t, s);
}

/* in, cut to tokens_max, is want; was had tokens before. */
static void
expect(uint64_t tokens_max, uint64_t tokens)
{
	struct truncate_source s = {.text = text_span(&in)};
	uint64_t got = NOT_CUT;
	int cut;

	s.lines = truncate_lines(s.text);
	text_clear(&out);
	cut = truncate_add(&out, &s, tokens_max, &got);
	assert_int_equal(cut, tokens != NOT_CUT);
	assert_true(got == tokens);
	assert_int_equal(out.n, want.n);
	if (want.n > 0)
		assert_string_equal(out.p, want.p);
}

static void
expect_str(uint64_t tokens_max, const char *result, uint64_t tokens)
{
	text_clear(&want);
	text_add_str(&want, result);
	expect(tokens_max, tokens);
}

static void
a_tiny_budget_gets_part_of_the_marker(void **state)
{
	(void)state;
	text_add_str(&in, "stdout: pwd\nstderr: pwd");
	assert_int_equal(in.n, 23);
	expect_str(0, "", 6);
	expect_str(1,
	    "\xe2\x80\xa6"
	    "6",
	    6);
	expect_str(2,
	    "\xe2\x80\xa6"
	    "6 tok",
	    6);
	expect_str(3,
	    "\xe2\x80\xa6"
	    "6 tokens ",
	    6);
	expect_str(5,
	    "\xe2\x80\xa6"
	    "6 tokens truncate",
	    6);
	expect_str(8, "stdout: pwd\nstderr: pwd", NOT_CUT);
}

static void
what_fits_exactly_is_not_cut(void **state)
{
	(void)state;
	repeat(&in, "x", 40);
	expect_str(10, in.p, NOT_CUT);
	text_add_str(&in, "x");
	expect_str(10, "xxxxxxx" CUT("7") "xxxxxxxx", 11);
	assert_int_equal(out.n, 39);
}

static void
both_ends_stay_and_lines_are_counted(void **state)
{
	(void)state;
	repeat(&in, "a", 1000);
	text_add_str(&want, "Total output lines: 1\n\n");
	repeat(&want, "a", 75);
	text_add_str(&want, CUT("213"));
	repeat(&want, "a", 76);
	expect(50, 250);
	assert_int_equal(out.n, 200);

	text_clear(&in);
	repeat(&in, "line number\n", 40);
	expect_str(20,
	    "Total output lines: 40\n\nline number\nlin" CUT(
		"113") "er\nline number\n",
	    120);

	text_clear(&in);
	text_clear(&want);
	repeat(&in, "\n", 100);
	repeat(&want, "\n", 11);
	text_add_str(&want, CUT("20"));
	repeat(&want, "\n", 12);
	expect(12, 25);
}

static void
characters_are_not_split(void **state)
{
	(void)state;
	repeat(&in, "\xe3\x81\x82", 100);
	text_add_str(&want, "Total output lines: 1\n\n");
	repeat(&want, "\xe3\x81\x82", 5);
	text_add_str(&want, CUT("68"));
	repeat(&want, "\xe3\x81\x82", 5);
	expect(20, 75);
	assert_int_equal(out.n, 78);
	for (uint64_t n = 0; n < 80; n++) {
		struct truncate_source s = {.text = text_span(&in), .lines = 1};
		uint64_t tokens;

		text_clear(&out);
		truncate_add(&out, &s, n, &tokens);
		assert_true(out.n <= 4 * n);
		assert_int_equal(utf8_check(text_span(&out)), out.n);
	}
}

/* As if the middle had been there: same result. */
static void
a_middle_that_was_not_kept_changes_nothing(void **state)
{
	struct truncate_source s = {.gap_at = 200, .gap_bytes = 600};
	uint64_t tokens;

	(void)state;
	repeat(&in, "a", 1000);
	s.text = (struct span){in.p, 400};
	s.lines = 1;
	text_add_str(&want, "Total output lines: 1\n\n");
	repeat(&want, "a", 75);
	text_add_str(&want, CUT("213"));
	repeat(&want, "a", 76);
	assert_int_equal(truncate_add(&out, &s, 50, &tokens), 1);
	assert_string_equal(out.p, want.p);
	assert_int_equal(tokens, 250);
}

static void
lines_are_counted_with_or_without_a_last_newline(void **state)
{
	(void)state;
	assert_int_equal(truncate_lines(span_of("")), 0);
	assert_int_equal(truncate_lines(span_of("a")), 1);
	assert_int_equal(truncate_lines(span_of("a\n")), 1);
	assert_int_equal(truncate_lines(span_of("a\n\nb")), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_tiny_budget_gets_part_of_the_marker, fresh, release),
	    cmocka_unit_test_setup_teardown(
		what_fits_exactly_is_not_cut, fresh, release),
	    cmocka_unit_test_setup_teardown(
		both_ends_stay_and_lines_are_counted, fresh, release),
	    cmocka_unit_test_setup_teardown(
		characters_are_not_split, fresh, release),
	    cmocka_unit_test_setup_teardown(
		a_middle_that_was_not_kept_changes_nothing, fresh, release),
	    cmocka_unit_test(lines_are_counted_with_or_without_a_last_newline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
