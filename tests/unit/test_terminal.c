/* Whatever a model says, a terminal only shows it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/terminal.h"

static struct text out;

static const char *
neutral(const char *s, size_t n, int keep)
{
	text_clear(&out);
	terminal_neutral((struct span){s, n}, keep, &out);
	return out.p;
}

#define NEUTRAL(literal, keep) neutral(literal, sizeof literal - 1, keep)

static void
controls_are_shown_not_obeyed(void **state)
{
	(void)state;
	assert_string_equal(NEUTRAL("a\033[2Jb\007", 0), "a␛[2Jb␇");
	assert_string_equal(NEUTRAL("a\0b\177", 0), "a␀b␡");
	assert_string_equal(NEUTRAL("x\rovertype", 1), "x␍overtype");
	assert_string_equal(NEUTRAL("\xc2\x9b"
				    "31m",
				0),
	    "�31m"); /* C1 CSI */
	assert_string_equal(NEUTRAL("\x9b"
				    "31m",
				0),
	    "�31m");
}

static void
lines_stay_where_they_may(void **state)
{
	(void)state;
	assert_string_equal(
	    NEUTRAL("a\r\nb\tc\n", TERMINAL_LINES), "a\nb\tc\n");
	assert_string_equal(NEUTRAL("a\r\nb\tc", 0), "a b c");
}

static void
nothing_reorders_or_hides_text(void **state)
{
	(void)state;
	assert_string_equal(NEUTRAL("a\u202eb\u2066c\u200bd", 0), "a�b�c�d");
	assert_string_equal(NEUTRAL("über 日本", 0), "über 日本");
	assert_string_equal(NEUTRAL("\xff\xfe", 0), "��");
}

static const char *
fit(const char *s, unsigned columns)
{
	text_clear(&out);
	terminal_fit(span_of(s), columns, &out);
	return out.p;
}

static void
long_text_is_cut_at_the_width(void **state)
{
	(void)state;
	assert_string_equal(fit("abc", 3), "abc");
	assert_string_equal(fit("abcd", 3), "ab…");
	assert_string_equal(fit("日本語", 5), "日本…");
	assert_string_equal(fit("日本語", 4), "日…");
	assert_string_equal(fit("日本語", 6), "日本語");
	assert_string_equal(fit("a\nb", 9), "a b");
	assert_int_equal(terminal_width(span_of("日本a")), 5);
}

static void
a_file_is_no_terminal(void **state)
{
	struct terminal t;

	(void)state;
	setenv("TERM", "xterm-256color", 1);
	terminal_look(&t, 99);
	assert_false(t.is_tty);
	assert_false(t.can_move);
	assert_false(t.has_colour);
	assert_true(t.columns >= 20);
}

static void
json_is_written_otherwise_where_a_terminal_would_obey(void **state)
{
	char escape[TERMINAL_ESCAPE];
	const struct span s = span_of("ab\xc2\x9b"
				      "31m\xf3\xa0\x80\x81");
	size_t n;

	(void)state;
	assert_int_equal(terminal_json(s, escape, &n), 2);
	assert_int_equal(terminal_json(span_slice(s, 2, s.n), escape, &n), 0);
	assert_string_equal(escape, "\\u009b");
	assert_int_equal(n, 2);
	assert_int_equal(terminal_json(span_slice(s, 4, s.n), escape, &n), 3);
	assert_int_equal(terminal_json(span_slice(s, 7, s.n), escape, &n), 0);
	assert_string_equal(escape, "\\udb40\\udc01");
	assert_int_equal(n, 4);
	assert_int_equal(terminal_json(span_of(""), escape, &n), 0);
}

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    cmocka_unit_test(controls_are_shown_not_obeyed),
	    cmocka_unit_test(lines_stay_where_they_may),
	    cmocka_unit_test(nothing_reorders_or_hides_text),
	    cmocka_unit_test(long_text_is_cut_at_the_width),
	    cmocka_unit_test(
		json_is_written_otherwise_where_a_terminal_would_obey),
	    cmocka_unit_test(a_file_is_no_terminal),
	};
	struct error e;
	int status;

	if (pool_start(GIB, &e) == -1)
		return 1;
	text_init(&out, MIB);
	status = cmocka_run_group_tests(cases, NULL, NULL);
	text_release(&out);
	pool_stop();
	return status;
}
