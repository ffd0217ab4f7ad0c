#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "engine/base/error.h"

static void
the_system_s_reason_is_appended(void **state)
{
	struct error e;

	(void)state;
	assert_int_equal(
	    error_set(&e, ERROR_CONNECT, ECONNREFUSED, "connect %s", "h:1"),
	    -1);
	assert_string_equal(e.text, "connect h:1: Connection refused");
	assert_int_equal(e.code, ERROR_CONNECT);
	assert_int_equal(e.os_errno, ECONNREFUSED);
}

static void
a_long_text_is_cut_but_keeps_the_reason(void **state)
{
	char word[1000];
	struct error e;

	(void)state;
	memset(word, 'x', sizeof word);
	word[sizeof word - 1] = '\0';
	error_set(&e, ERROR_IO, ENOSPC, "write %s", word);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_non_null(strstr(e.text, "x: No space left on device"));
}

static void
a_cut_never_splits_a_character(void **state)
{
	struct error e;
	char word[1000];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		size_t n;

		memset(word, 'x', shift);
		for (n = shift; n + 4 < sizeof word; n += 4)
			memcpy(word + n, "\xf0\x9f\x90\x9d", 4);
		word[n] = '\0';
		error_set(&e, ERROR_IO, 0, "%s", word);
		n = strlen(e.text);
		assert_true(n > sizeof e.text - 5);
		assert_int_equal((n - shift) % 4, 0);
	}
}

static void
a_text_is_one_line_of_utf8(void **state)
{
	struct error e;

	(void)state;
	error_set(
	    &e, ERROR_SYNTAX, 0, "got %s", "a\nb\x1b[2J\xff\xc3 \xc2\x9b");
	assert_string_equal(e.text, "got a b [2J?? ??");
}

static void
wrapping_puts_what_was_tried_in_front(void **state)
{
	struct error e;
	char word[1000];

	(void)state;
	error_set(&e, ERROR_NOT_FOUND, ENOENT, "open a.json");
	assert_int_equal(error_wrap(&e, "agent %d", 7), -1);
	assert_string_equal(
	    e.text, "agent 7: open a.json: No such file or directory");
	assert_int_equal(e.code, ERROR_NOT_FOUND);

	memset(word, 'y', sizeof word);
	word[sizeof word - 1] = '\0';
	error_wrap(&e, "%s", word);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	error_set(&e, ERROR_NOT_FOUND, 0, "%s", word);
	error_wrap(&e, "short");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_memory_equal(e.text, "short: yyy", 10);
}

static void
an_error_can_be_told_anew_in_its_own_words(void **state)
{
	struct error e;

	(void)state;
	error_set(&e, ERROR_TIMEOUT, 0, "no answer");
	error_set(&e, ERROR_MODEL_UNREACHABLE, 0, "6 times: %s", e.text);
	assert_string_equal(e.text, "6 times: no answer");
}

static void
the_table_says_what_a_code_means(void **state)
{
	(void)state;
	assert_string_equal(error_name(ERROR_MODEL_TLS), "model_tls");
	assert_true(error_is_retryable(ERROR_MODEL_UNREACHABLE));
	assert_false(error_is_retryable(ERROR_MODEL_TLS));
	assert_int_equal(error_exit_status(ERROR_CONFIG), 78);
	assert_int_equal(error_exit_status(ERROR_LOCKED), 75);
	assert_string_equal(
	    error_meaning(ERROR_NONE), "no error has been recorded");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_system_s_reason_is_appended),
	    cmocka_unit_test(a_long_text_is_cut_but_keeps_the_reason),
	    cmocka_unit_test(a_cut_never_splits_a_character),
	    cmocka_unit_test(a_text_is_one_line_of_utf8),
	    cmocka_unit_test(wrapping_puts_what_was_tried_in_front),
	    cmocka_unit_test(an_error_can_be_told_anew_in_its_own_words),
	    cmocka_unit_test(the_table_says_what_a_code_means),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
