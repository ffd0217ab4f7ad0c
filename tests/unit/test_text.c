#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/pool.h"
#include "engine/base/text.h"

static void
pieces_lie_together_and_end_in_nul(void **state)
{
	struct text t;

	(void)state;
	text_init(&t, 100000);
	assert_int_equal(text_span(&t).n, 0);
	text_add_str(&t, "a");
	text_add_char(&t, 'b');
	text_add(&t, (struct span){"\0c", 2});
	text_printf(&t, "%d%s", 42, "!");
	assert_int_equal(t.n, 7);
	assert_memory_equal(t.p, "ab\0c42!", 8);
	for (int i = 0; i < 1000; i++)
		text_printf(&t, "%04d.", i);
	assert_int_equal(t.n, 5007);
	assert_string_equal(t.p + 5002, "0999.");
	assert_false(text_overflowed(&t));
	text_drop(&t, 5002);
	assert_string_equal(t.p, "0999.");
	text_release(&t);
	assert_null(t.p);
	assert_int_equal(pool_in_use(), 0);
}

static void
overflow_sticks_until_cleared(void **state)
{
	struct text t;

	(void)state;
	text_init(&t, 5);
	text_add_str(&t, "12345");
	assert_false(text_overflowed(&t));
	text_add_char(&t, '6');
	assert_true(text_overflowed(&t));
	text_clear(&t);
	text_add_str(&t, "123");
	text_printf(&t, "%s", "456");
	assert_true(text_overflowed(&t));
	text_add_str(&t, "4");
	assert_null(text_room(&t, 1, NULL));
	assert_string_equal(t.p, "123");
	text_clear(&t);
	assert_string_equal(t.p, "");
	text_printf(&t, "%s", "12345");
	assert_string_equal(t.p, "12345");
	assert_false(text_overflowed(&t));
	text_release(&t);
}

static void
a_text_can_be_appended_to_itself(void **state)
{
	struct text t;

	(void)state;
	text_init(&t, 10000);
	text_add_str(&t, "0123456789");
	for (int i = 0; i < 9; i++)
		text_add(&t, text_span(&t));
	assert_int_equal(t.n, 5120);
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(t.p[i], '0' + (int)(i % 10));
	text_release(&t);
}

static void
room_is_given_up_to_the_ceiling(void **state)
{
	struct text t;
	size_t room;
	char *p;

	(void)state;
	text_init(&t, 300);
	p = text_room(&t, 1, &room);
	assert_non_null(p);
	assert_int_equal(room, 255);
	memset(p, 'x', room);
	text_added(&t, room);
	p = text_room(&t, 1, &room);
	assert_int_equal(room, 45);
	memset(p, 'y', room);
	text_added(&t, room);
	assert_int_equal(t.n, 300);
	assert_int_equal(t.p[300], '\0');
	assert_null(text_room(&t, 1, &room));
	text_release(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pieces_lie_together_and_end_in_nul),
	    cmocka_unit_test(overflow_sticks_until_cleared),
	    cmocka_unit_test(a_text_can_be_appended_to_itself),
	    cmocka_unit_test(room_is_given_up_to_the_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
