#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>

#include "engine/base/span.h"

#define S(s) ((struct span){(s), sizeof(s) - 1})

static void
text_is_compared_with_and_without_case(void **state)
{
	(void)state;
	assert_true(span_is(S("abc"), "abc"));
	assert_false(span_is(S("abc"), "abcd"));
	assert_true(span_is_nocase(S("Content-Type"), "content-tYPE"));
	assert_false(span_is_nocase(S("Content"), "content-type"));
	assert_false(span_is_nocase(S("content-type"), "content"));
	assert_false(span_is_nocase(S("a\0b"), "a"));
	assert_true(span_is_nocase(span_of(NULL), ""));
	assert_true(span_compare(S("ab"), S("abc")) < 0);
	assert_true(span_compare(S("b"), S("abc")) > 0);
	assert_int_equal(span_compare(S("abc"), S("abc")), 0);
}

static void
parts_are_found(void **state)
{
	struct span a = S("one two two");

	(void)state;
	assert_true(span_has_prefix(a, S("one")));
	assert_false(span_has_prefix(S("on"), S("one")));
	assert_true(span_has_suffix(a, S("two")));
	assert_true(span_has_suffix(a, S("")));
	assert_int_equal(span_find(a, 't', 0), 4);
	assert_int_equal(span_find(a, 't', 5), 8);
	assert_int_equal(span_find(a, 'x', 0), a.n);
	assert_int_equal(span_find(a, 'o', 99), a.n);
	assert_int_equal(span_search(a, S("two"), 0), 4);
	assert_int_equal(span_search(a, S("two"), 5), 8);
	assert_int_equal(span_search(a, S("three"), 0), a.n);
	assert_int_equal(span_search(a, S(""), 3), 3);
	assert_true(span_is(span_slice(a, 4, 7), "two"));
	assert_true(span_is(span_slice(a, 8, 99), "two"));
	assert_int_equal(span_slice(a, 9, 3).n, 0);
	assert_true(span_is(span_trim(S(" \t x y\r\n")), "x y"));
	assert_int_equal(span_trim(S(" \n")).n, 0);
}

static void
a_list_is_cut_piece_by_piece(void **state)
{
	struct span rest = S("a,,b");

	(void)state;
	assert_true(span_is(span_cut(&rest, ','), "a"));
	assert_true(span_is(span_cut(&rest, ','), ""));
	assert_non_null(rest.p);
	assert_true(span_is(span_cut(&rest, ','), "b"));
	assert_null(rest.p);
}

static void
numbers_are_whole_and_bounded(void **state)
{
	unsigned long long n = 7;

	(void)state;
	assert_int_equal(span_to_u64(S("0"), 0, &n), 0);
	assert_true(n == 0);
	assert_int_equal(
	    span_to_u64(S("18446744073709551615"), ULLONG_MAX, &n), 0);
	assert_true(n == ULLONG_MAX);
	assert_int_equal(
	    span_to_u64(S("18446744073709551616"), ULLONG_MAX, &n), -1);
	assert_int_equal(span_to_u64(S("100"), 99, &n), -1);
	assert_int_equal(span_to_u64(S("9"), 5, &n), -1);
	assert_int_equal(span_to_u64(S(""), 99, &n), -1);
	assert_int_equal(span_to_u64(S("+1"), 99, &n), -1);
	assert_int_equal(span_to_u64(S("1 "), 99, &n), -1);
	assert_true(n == ULLONG_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_is_compared_with_and_without_case),
	    cmocka_unit_test(parts_are_found),
	    cmocka_unit_test(a_list_is_cut_piece_by_piece),
	    cmocka_unit_test(numbers_are_whole_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
