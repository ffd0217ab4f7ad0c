#ifndef SKEP_ENGINE_BUDGET_H
#define SKEP_ENGINE_BUDGET_H

/*
 * What a run may spend and what it has spent.  Pure arithmetic: every check
 * comes before the spending, on what the next turn will cost at the least.
 * A transcript only grows, so a turn takes no fewer input tokens than the one
 * before it did.
 */

#include <stdint.h>

#include "config/budget.h"

struct error;

/* What a run has spent; its usage in results and in the store. */
struct spending {
	uint64_t turns, model_calls, tool_calls;
	uint64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
	double usd;
};

/* One model call's tokens, as the server counts them. */
struct call_tokens {
	uint64_t input, cached, output, reasoning;
};

/* Without a price of their own, cached tokens cost what others do. */
double prices_cost(const struct prices *p, const struct call_tokens *t);

/* Add a call that was answered. */
void spending_add(
    struct spending *s, const struct prices *p, const struct call_tokens *t);

uint64_t spending_tokens(const struct spending *s);

/* The narrower of both in every part: a task may not widen its agent's. */
void budget_narrow(struct budget *b, const struct budget *by);

/*
 * May another turn start?  last: the call before it, zeroed at first.
 * -1 and *e: BUDGET_TURNS, BUDGET_TOKENS, BUDGET_USD.  Time is not asked: the
 * run has a timer for it.
 */
int budget_afford(const struct budget *b, const struct prices *p,
    const struct spending *s, const struct call_tokens *last, struct error *e);

#endif
