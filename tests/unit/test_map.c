#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/map.h"
#include "engine/base/os.h"

#define KEYS 4096

static char value[KEYS];

static void
a_full_map_says_so_but_still_replaces(void **state)
{
	struct map m;
	struct error e;

	(void)state;
	assert_int_equal(map_init(&m, 3, &e), 0);
	assert_null(map_get(&m, 0));
	assert_null(map_remove(&m, 0));
	for (uint64_t k = 0; k < 3; k++)
		assert_int_equal(map_put(&m, k, &value[k]), 0);
	assert_int_equal(map_put(&m, 3, &value[3]), -1);
	assert_int_equal(map_put(&m, 0, &value[9]), 0);
	assert_ptr_equal(map_get(&m, 0), &value[9]);
	assert_ptr_equal(map_remove(&m, 0), &value[9]);
	assert_null(map_get(&m, 0));
	assert_int_equal(map_put(&m, 3, &value[3]), 0);
	map_release(&m);
}

/* Against a plain table, through many insertions and removals. */
static void
nothing_is_lost_or_found_twice(void **state)
{
	static unsigned char held[KEYS];
	struct map m;
	struct error e;
	uint32_t seed = 7;

	(void)state;
	assert_int_equal(map_init(&m, KEYS, &e), 0);
	for (int round = 0; round < 200000; round++) {
		uint64_t i;

		seed = seed * 1664525 + 1013904223;
		i = seed >> 20;
		if (held[i])
			assert_ptr_equal(map_remove(&m, i << 12), &value[i]);
		else
			assert_int_equal(map_put(&m, i << 12, &value[i]), 0);
		held[i] ^= 1;
	}
	for (uint64_t i = 0; i < KEYS; i++)
		assert_ptr_equal(
		    map_get(&m, i << 12), held[i] ? &value[i] : NULL);
	map_release(&m);
}

/* Values of CPython 3.11, which hashes bytes with it (PYTHONHASHSEED=0). */
static void
texts_are_hashed_by_siphash_1_3(void **state)
{
	static const uint64_t zero[2];
	static const struct {
		const char *text;
		uint64_t hash;
	} known[] = {
	    {"a", UINT64_C(0x407448d2b89b1813)},
	    {"abc", UINT64_C(0xc03bc3a0042630f2)},
	    {"abcdefg", UINT64_C(0x6db12aae9070f506)},
	    {"abcdefgh", UINT64_C(0x3f7b849c0b8e35ea)},
	    {"abcdefghi", UINT64_C(0xf89b34a3d11eb6e5)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		assert_true(map_hash_keyed(zero, span_of(known[i].text)) ==
			    known[i].hash);
	assert_true(map_hash(span_of("abc")) == map_hash(span_of("abc")));
	assert_true(map_hash(span_of("abc")) != map_hash(span_of("abd")));
	for (size_t n = 0; n < 20; n++)
		assert_true(
		    map_hash((struct span){"00000000000000000000", n}) !=
		    map_hash((struct span){"00000000000000000000", n + 1}));
}

static void
randomness_and_time_come_through_the_table(void **state)
{
	char a[64], b[64];
	uint64_t before = os->now_us();

	(void)state;
	assert_int_equal(os->random(a, sizeof a), 0);
	assert_int_equal(os->random(b, sizeof b), 0);
	assert_memory_not_equal(a, b, sizeof a);
	assert_true(os->now_us() >= before);
	assert_true(os->wall_ms() > INT64_C(1600000000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_full_map_says_so_but_still_replaces),
	    cmocka_unit_test(nothing_is_lost_or_found_twice),
	    cmocka_unit_test(texts_are_hashed_by_siphash_1_3),
	    cmocka_unit_test(randomness_and_time_come_through_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
