/* Budgets: each is checked before the turn that would break it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "engine/budget.h"

static const struct prices prices = {
    .input = 2, .cached_input = 0.5, .output = 10};
static const struct call_tokens nothing;
static struct error e;

static enum error_code
refusal(const struct budget *b, const struct spending *s,
    const struct call_tokens *last)
{
	return budget_afford(b, &prices, s, last, &e) == 0 ? ERROR_NONE
							   : e.code;
}

static void
no_limit_is_no_limit(void **state)
{
	struct budget b = {0};
	struct spending s = {.turns = 1000000,
	    .input_tokens = UINT64_MAX,
	    .output_tokens = UINT64_MAX,
	    .usd = 1e9};

	(void)state;
	assert_int_equal(refusal(&b, &s, &nothing), ERROR_NONE);
}

static void
the_last_turn_is_allowed_and_not_one_more(void **state)
{
	struct budget b = {.turns = 3};
	struct spending s = {.turns = 2};

	(void)state;
	assert_int_equal(refusal(&b, &s, &nothing), ERROR_NONE);
	s.turns = 3;
	assert_int_equal(refusal(&b, &s, &nothing), ERROR_BUDGET_TURNS);
	assert_non_null(strstr(e.text, "budget.turns"));
}

static void
a_turn_that_cannot_fit_is_not_begun(void **state)
{
	struct budget b = {.tokens = 1000};
	struct spending s = {0};
	struct call_tokens call = {.input = 400, .output = 100};

	(void)state;
	spending_add(&s, &prices, &call);
	assert_int_equal(spending_tokens(&s), 500);
	assert_int_equal(refusal(&b, &s, &call), ERROR_NONE);
	call.input = 450;
	call.output = 51;
	spending_add(&s, &prices, &call); /* 1001 by now */
	assert_int_equal(refusal(&b, &s, &call), ERROR_BUDGET_TOKENS);
	s = (struct spending){.input_tokens = 601};
	call.input = 400; /* 601 + 400: one too many */
	assert_int_equal(refusal(&b, &s, &call), ERROR_BUDGET_TOKENS);
	s.input_tokens = 600;
	assert_int_equal(refusal(&b, &s, &call), ERROR_NONE);
}

static void
money_counts_cached_tokens_at_their_price(void **state)
{
	struct budget b = {.usd = 0.01};
	struct spending s = {0};
	struct call_tokens call = {.input = 1000, .cached = 600, .output = 100};

	(void)state;
	spending_add(&s, &prices, &call);
	/* 400 x 2 + 600 x 0.5 + 100 x 10 millionths */
	assert_true(s.usd > 0.002099 && s.usd < 0.002101);
	assert_int_equal(refusal(&b, &s, &call), ERROR_NONE);
	s.usd = 0.0096; /* the next one costs 0.0005 at the least */
	assert_int_equal(refusal(&b, &s, &call), ERROR_BUDGET_USD);
	assert_true(prices_cost(&(struct prices){.input = 2}, &call) ==
		    0.002); /* no price for cached ones: that of the others */
	call.cached = 5000; /* a server that counts wrong */
	assert_true(prices_cost(&prices, &call) >= 0);
}

static void
a_task_may_only_narrow(void **state)
{
	struct budget b = {
	    .turns = 10, .tokens = 0, .usd = 0.5, .wall_seconds = 60};
	struct budget by = {
	    .turns = 20, .tokens = 5, .usd = 0.1, .wall_seconds = 0};

	(void)state;
	budget_narrow(&b, &by);
	assert_int_equal(b.turns, 10);
	assert_int_equal(b.tokens, 5);
	assert_true(b.usd == 0.1);
	assert_true(b.wall_seconds == 60);
}

static void
counters_do_not_wrap(void **state)
{
	struct spending s = {.input_tokens = UINT64_MAX - 1};
	struct call_tokens call = {.input = 5};
	struct budget b = {.tokens = INT64_MAX};

	(void)state;
	spending_add(&s, &prices, &call);
	assert_true(s.input_tokens == UINT64_MAX);
	assert_int_equal(refusal(&b, &s, &call), ERROR_BUDGET_TOKENS);
}

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    cmocka_unit_test(no_limit_is_no_limit),
	    cmocka_unit_test(the_last_turn_is_allowed_and_not_one_more),
	    cmocka_unit_test(a_turn_that_cannot_fit_is_not_begun),
	    cmocka_unit_test(money_counts_cached_tokens_at_their_price),
	    cmocka_unit_test(a_task_may_only_narrow),
	    cmocka_unit_test(counters_do_not_wrap),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
