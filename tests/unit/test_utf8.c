#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/text.h"
#include "net/utf8.h"

static void
good_text_passes_and_bad_text_stops_at_its_first_byte(void **state)
{
	static const struct {
		const char *s;
		size_t at;
	} cases[] = {
	    {"", 0},
	    {"plain ascii text", 16},
	    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9},
	    {"\xf4\x8f\xbf\xbf", 4},
	    {"abc\xc0\x80", 3},      /* overlong */
	    {"a\xe0\x9f\xbf", 1},    /* overlong */
	    {"\xed\xa0\x80", 0},     /* surrogate */
	    {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
	    {"\xf5\x80\x80\x80", 0},
	    {"x\x80", 1},
	    {"12345678\xe2\x82", 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(utf8_check(span_of(cases[i].s)), cases[i].at);
}

static void
wrong_sequences_become_one_mark_for_each_maximal_part(void **state)
{
	static const struct {
		const char *s, *want;
	} cases[] = {
	    {"a\xff"
	     "b",
		"a\xef\xbf\xbd"
		"b"},
	    {"\xe2\x82", "\xef\xbf\xbd"},
	    {"\xe2\x82x", "\xef\xbf\xbdx"},
	    {"\xf0\x9f\x98", "\xef\xbf\xbd"},
	    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	    {"\xc3\xa9\xc3", "\xc3\xa9\xef\xbf\xbd"},
	};
	struct text t;

	(void)state;
	text_init(&t, 4096);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		text_clear(&t);
		utf8_add_valid(&t, span_of(cases[i].s));
		assert_string_equal(t.p, cases[i].want);
	}
	text_release(&t);
}

static void
cuts_fall_between_characters(void **state)
{
	struct span s = span_of("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	static const size_t floors[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};

	(void)state;
	for (size_t i = 0; i <= s.n; i++) {
		assert_int_equal(utf8_floor(s, i), floors[i]);
		assert_int_equal(utf8_tail(span_slice(s, 0, i)), i - floors[i]);
	}
	assert_int_equal(utf8_tail(span_of("\xff")), 0);
	assert_int_equal(utf8_tail(span_of("\x80\x80\x80")), 0);
	assert_int_equal(utf8_count(s), 4);
}

static void
every_character_survives_the_round_trip(void **state)
{
	char bytes[4];
	size_t n, got;

	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n = utf8_encode(c, bytes);
		assert_true(utf8_at((struct span){bytes, n}, 0, &got) == c);
		assert_int_equal(got, n);
	}
	assert_int_equal(utf8_encode(0xd800, bytes), 3);
	assert_memory_equal(bytes, UTF8_REPLACEMENT, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		good_text_passes_and_bad_text_stops_at_its_first_byte),
	    cmocka_unit_test(
		wrong_sequences_become_one_mark_for_each_maximal_part),
	    cmocka_unit_test(cuts_fall_between_characters),
	    cmocka_unit_test(every_character_survives_the_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
