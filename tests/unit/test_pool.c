#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"

static int
fresh(void **state)
{
	struct error e;

	(void)state;
	pool_stop();
	return pool_start(256 * MIB, &e);
}

static void
blocks_are_powers_of_two_aligned_to_themselves(void **state)
{
	size_t got;

	(void)state;
	for (size_t size = 1; size <= POOL_BLOCK_MAX; size = size * 3 + 1) {
		char *p = pool_take(size, &got);

		assert_non_null(p);
		assert_true(got >= size);
		assert_true(got == POOL_BLOCK_MIN || got / 2 < size);
		assert_int_equal((uintptr_t)p % got, 0);
		p[0] = p[got - 1] = 'x';
		assert_int_equal(pool_in_use(), got);
		pool_give(p);
		assert_int_equal(pool_in_use(), 0);
	}
	assert_null(pool_take(POOL_BLOCK_MAX + 1, NULL));
}

static void
running_out_is_an_answer_and_nothing_is_lost(void **state)
{
	char *big[4];
	void *first = NULL, *p;
	unsigned n = 0;

	(void)state;
	for (n = 0; (p = pool_take(POOL_BLOCK_MAX, NULL)) != NULL; n++)
		big[n] = p;
	assert_int_equal(n, 2);
	assert_null(pool_take(1, NULL));
	pool_give(big[0]);
	/* The same memory in the smallest size, to the last block ... */
	for (n = 0; (p = pool_take(1, NULL)) != NULL; n++) {
		memcpy(p, &first, sizeof first);
		first = p;
	}
	assert_int_equal(n, POOL_BLOCK_MAX / POOL_BLOCK_MIN);
	while (first != NULL) {
		p = first;
		memcpy(&first, p, sizeof first);
		pool_give(p);
	}
	/* ... joins again, but for the page that its class keeps. */
	assert_non_null(pool_take(POOL_BLOCK_MAX / 2, NULL));
	pool_give(big[1]);
	assert_non_null(pool_take(POOL_BLOCK_MAX, NULL));
}

static void
a_big_block_gives_its_pages_back(void **state)
{
	unsigned char resident[16];
	char *p = pool_take(64 * KIB, NULL);

	(void)state;
	memset(p, 'x', 64 * KIB);
	assert_int_equal(mincore(p, 64 * KIB, resident), 0);
	assert_int_equal(resident[0] & 1, 1);
	pool_give(p);
	assert_int_equal(mincore(p, 64 * KIB, resident), 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(resident[i] & 1, 0);
}

/* Random sizes and order, every block filled and compared. */
static void
blocks_never_overlap(void **state)
{
	static struct {
		unsigned char *p, fill;
		size_t n;
	} held[500];
	uint32_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		unsigned i;
		size_t n;

		seed = seed * 1664525 + 1013904223;
		i = (seed >> 8) % 500;
		if (held[i].p != NULL) {
			for (size_t k = 0; k < held[i].n; k += 61)
				assert_int_equal(held[i].p[k], held[i].fill);
			pool_give(held[i].p);
			held[i].p = NULL;
			continue;
		}
		n = ((size_t)1 << (seed >> 28)) * ((seed >> 20 & 15) + 1);
		held[i].p = pool_take(n, NULL);
		assert_non_null(held[i].p);
		held[i].n = n;
		held[i].fill = (unsigned char)round;
		memset(held[i].p, held[i].fill, n);
	}
	for (unsigned i = 0; i < 500; i++)
		pool_give(held[i].p);
	assert_int_equal(pool_in_use(), 0);
	assert_true(pool_peak() > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(
		blocks_are_powers_of_two_aligned_to_themselves, fresh),
	    cmocka_unit_test_setup(
		running_out_is_an_answer_and_nothing_is_lost, fresh),
	    cmocka_unit_test_setup(a_big_block_gives_its_pages_back, fresh),
	    cmocka_unit_test_setup(blocks_never_overlap, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
