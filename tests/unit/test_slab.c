#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/slab.h"

struct thing {
	char bytes[100];
};

static void
slots_are_zeroed_and_used_again(void **state)
{
	static const struct thing zero;
	struct thing *t[10];
	struct slab s;
	struct error e;

	(void)state;
	assert_int_equal(slab_init(&s, "things", sizeof *t[0], 10, &e), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 10; i++) {
			t[i] = slab_take(&s);
			assert_non_null(t[i]);
			assert_int_equal((uintptr_t)t[i] % 16, 0);
			assert_memory_equal(t[i], &zero, sizeof zero);
			memset(t[i], i + 1, sizeof *t[i]);
		}
		assert_null(slab_take(&s));
		for (int i = 0; i < 10; i++) {
			assert_int_equal(t[i]->bytes[0], i + 1);
			assert_int_equal(t[i]->bytes[99], i + 1);
		}
		for (int i = 0; i < 10; i++)
			slab_give(&s, t[(i * 7 + round) % 10]);
		assert_int_equal(s.used, 0);
	}
	assert_int_equal(s.used_peak, 10);
	slab_give(&s, NULL);
	slab_release(&s);
	slab_release(&s);
}

static void
a_million_slots_cost_nothing_until_used(void **state)
{
	struct slab s;
	struct error e;

	(void)state;
	assert_int_equal(slab_init(&s, "big", 65536, 1000000, &e), 0);
	assert_non_null(slab_take(&s));
	slab_release(&s);
	assert_int_equal(slab_init(&s, "huge", SIZE_MAX / 4, 100, &e), -1);
	assert_int_equal(e.code, ERROR_FULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_are_zeroed_and_used_again),
	    cmocka_unit_test(a_million_slots_cost_nothing_until_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
