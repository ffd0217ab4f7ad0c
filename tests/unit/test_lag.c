/* Quantiles of the loop's turns. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/lag.h"

static void
nothing_measured_is_nothing(void **state)
{
	struct lag l = {0};

	(void)state;
	assert_int_equal(lag_quantile(&l, 0.99), 0);
}

static void
quantiles_are_close_and_never_above_the_longest(void **state)
{
	struct lag l = {0};

	(void)state;
	for (uint64_t us = 1; us <= 10000; us++)
		lag_add(&l, us);
	assert_int_equal(l.max_us, 10000);
	assert_in_range(lag_quantile(&l, 0.5), 5000, 5000 * 1.13);
	assert_in_range(lag_quantile(&l, 0.99), 9900, 10000);
	assert_int_equal(lag_quantile(&l, 1), 10000);
}

static void
one_long_turn_in_a_thousand_is_not_the_p99(void **state)
{
	struct lag l = {0};

	(void)state;
	for (int i = 0; i < 999; i++)
		lag_add(&l, 100);
	lag_add(&l, 5000000);
	assert_in_range(lag_quantile(&l, 0.99), 100, 113);
	assert_int_equal(lag_quantile(&l, 1), 5000000);
	lag_add(&l, UINT64_MAX / 4);
	assert_true(lag_quantile(&l, 1) == UINT64_MAX / 4);
}

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    cmocka_unit_test(nothing_measured_is_nothing),
	    cmocka_unit_test(quantiles_are_close_and_never_above_the_longest),
	    cmocka_unit_test(one_long_turn_in_a_thousand_is_not_the_p99),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
