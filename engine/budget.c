#include "engine/budget.h"

#include "engine/base/error.h"

static uint64_t
add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

double
prices_cost(const struct prices *p, const struct call_tokens *t)
{
	uint64_t cached = t->cached < t->input ? t->cached : t->input;
	double cached_price = p->cached_input > 0 ? p->cached_input : p->input;

	return ((double)(t->input - cached) * p->input +
		   (double)cached * cached_price +
		   (double)t->output * p->output) /
	       1e6;
}

void
spending_add(
    struct spending *s, const struct prices *p, const struct call_tokens *t)
{
	s->model_calls++;
	s->input_tokens = add(s->input_tokens, t->input);
	s->cached_tokens = add(s->cached_tokens, t->cached);
	s->output_tokens = add(s->output_tokens, t->output);
	s->reasoning_tokens = add(s->reasoning_tokens, t->reasoning);
	s->usd += prices_cost(p, t);
}

uint64_t
spending_tokens(const struct spending *s)
{
	return add(s->input_tokens, s->output_tokens);
}

static int64_t
narrower(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

static double
narrower_real(double a, double b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

void
budget_narrow(struct budget *b, const struct budget *by)
{
	b->turns = narrower(b->turns, by->turns);
	b->tokens = narrower(b->tokens, by->tokens);
	b->usd = narrower_real(b->usd, by->usd);
	b->wall_seconds = narrower_real(b->wall_seconds, by->wall_seconds);
}

/* Would the next turn, at the least, take more than is left? */
static int
is_beyond(uint64_t limit, uint64_t spent, uint64_t next)
{
	return spent >= limit || add(spent, next) > limit;
}

int
budget_afford(const struct budget *b, const struct prices *p,
    const struct spending *s, const struct call_tokens *last, struct error *e)
{
	struct call_tokens least = {
	    .input = last->input,
	    .cached = last->input,
	};
	uint64_t tokens = spending_tokens(s);

	if (b->turns > 0 && s->turns >= (uint64_t)b->turns)
		return error_set(e, ERROR_BUDGET_TURNS, 0,
		    "all %lld turns are used and the model has not finished; "
		    "raise budget.turns",
		    (long long)b->turns);
	if (b->tokens > 0 &&
	    is_beyond((uint64_t)b->tokens, tokens, least.input))
		return error_set(e, ERROR_BUDGET_TOKENS, 0,
		    "%llu of %lld tokens are used and another turn takes at "
		    "least %llu; raise budget.tokens",
		    (unsigned long long)tokens, (long long)b->tokens,
		    (unsigned long long)least.input);
	if (b->usd > 0 &&
	    (s->usd >= b->usd || s->usd + prices_cost(p, &least) > b->usd))
		return error_set(e, ERROR_BUDGET_USD, 0,
		    "%.6f of %.6f dollars are spent and another turn costs "
		    "more than is left; raise budget.usd",
		    s->usd, b->usd);
	return 0;
}
