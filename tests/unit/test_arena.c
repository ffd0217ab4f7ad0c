#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"

static void
memory_is_zeroed_aligned_and_given_back(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 1 * MIB);
	assert_int_equal(pool_in_use(), 0);
	for (size_t size = 0; size < 3000; size += 7) {
		char *p = arena_alloc(&a, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 'x', size);
		if (size % 5 == 0)
			arena_reset(&a, 0);
	}
	assert_true(a.peak > 3000);
	arena_release(&a);
	assert_int_equal(pool_in_use(), 0);
}

static void
copies_are_made_in_it(void **state)
{
	struct arena a;
	struct span s;

	(void)state;
	arena_init(&a, 1 * MIB);
	assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
	s = arena_span(&a, span_of("abc"));
	assert_true(span_is(s, "abc"));
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	arena_release(&a);
}

static void
a_mark_gives_back_what_came_after_it(void **state)
{
	struct arena a;
	arena_mark mark;
	char *kept;
	size_t in_use;

	(void)state;
	arena_init(&a, 10 * MIB);
	kept = arena_strndup(&a, "kept", 4);
	mark = arena_save(&a);
	in_use = pool_in_use();
	for (int i = 0; i < 1000; i++)
		assert_non_null(arena_alloc(&a, 1000));
	arena_reset(&a, mark);
	assert_int_equal(pool_in_use(), in_use);
	assert_string_equal(kept, "kept");
	arena_reset(&a, 0);
	assert_int_equal(pool_in_use(), 0);
	arena_release(&a);
}

static void
overflow_sticks_until_reset_below_it(void **state)
{
	struct arena a;
	arena_mark before, after;

	(void)state;
	arena_init(&a, 1000);
	assert_non_null(arena_alloc(&a, 500));
	before = arena_save(&a);
	assert_null(arena_alloc(&a, 501));
	assert_true(arena_overflowed(&a));
	after = arena_save(&a);
	assert_null(arena_alloc(&a, 1));
	arena_reset(&a, after);
	assert_true(arena_overflowed(&a));
	assert_null(arena_alloc(&a, 1));
	arena_reset(&a, before);
	assert_false(arena_overflowed(&a));
	assert_non_null(arena_alloc(&a, 100));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_strndup(&a, "", SIZE_MAX));
	arena_reset(&a, 0);
	assert_non_null(arena_alloc(&a, 1));
	arena_release(&a);
}

static void
an_exhausted_pool_is_an_overflow_too(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, SIZE_MAX / 2);
	assert_null(arena_alloc(&a, POOL_BLOCK_MAX));
	assert_true(arena_overflowed(&a));
	arena_release(&a);
	assert_false(arena_overflowed(&a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memory_is_zeroed_aligned_and_given_back),
	    cmocka_unit_test(copies_are_made_in_it),
	    cmocka_unit_test(a_mark_gives_back_what_came_after_it),
	    cmocka_unit_test(overflow_sticks_until_reset_below_it),
	    cmocka_unit_test(an_exhausted_pool_is_an_overflow_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
