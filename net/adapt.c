#include "net/adapt.h"

#include <string.h>

static unsigned
at_most(unsigned n, unsigned max)
{
	return n < max ? n : max;
}

static unsigned
at_least(unsigned n, unsigned min)
{
	return n > min ? n : min;
}

void
adapt_init(struct adapt *a, unsigned ceiling, uint64_t now_ms)
{
	memset(a, 0, sizeof *a);
	a->ceiling = at_least(ceiling, 1);
	a->limit = at_most(ADAPT_START, a->ceiling);
	a->is_starting = 1;
	a->step = 1;
	a->floor = 1;
	a->changed_ms = now_ms;
}

unsigned
adapt_sent(const struct adapt *a)
{
	return a->epoch;
}

static void
rise(struct adapt *a, uint64_t now_ms)
{
	a->limit = at_most(a->limit + a->step, a->ceiling);
	a->step = a->limit > a->refused_at ? a->step * 2 : 1;
	a->step = at_most(a->step, at_least(a->limit / 2, 1));
	a->credit = 0;
	a->changed_ms = now_ms;
}

void
adapt_accepted(struct adapt *a, unsigned in_flight, uint64_t now_ms)
{
	/* A limit that is not used proves nothing. */
	if (in_flight * 5 < a->limit * 4)
		return;
	if (a->is_starting) {
		a->limit = at_most(a->limit + 1, a->ceiling);
		return;
	}
	if (++a->credit >= a->limit)
		rise(a, now_ms);
}

void
adapt_refused(struct adapt *a, unsigned epoch, unsigned left, uint64_t now_ms)
{
	if (epoch == a->epoch) {
		a->epoch++;
		a->refused_at = at_most(left + 1, a->limit);
		a->floor = at_least(a->limit / 2, 1);
		if (!a->is_starting)
			a->limit = at_least(
			    at_most(a->limit * 9 / 10, a->limit - 1), 1);
		a->is_starting = 0;
		a->step = 1;
		a->credit = 0;
		a->changed_ms = now_ms;
	}
	/* Those that are still in flight are what the server lets in. */
	a->limit = at_least(at_most(a->limit, left), a->floor);
}

uint64_t
adapt_tick_in(const struct adapt *a, uint64_t now_ms)
{
	uint64_t period = a->is_starting ? ADAPT_START_TICK_MS : ADAPT_TICK_MS;
	uint64_t past = now_ms - a->changed_ms;

	return past < period ? period - past : 0;
}

void
adapt_tick(struct adapt *a, uint64_t now_ms)
{
	if (adapt_tick_in(a, now_ms) > 0)
		return;
	if (a->is_starting) {
		a->limit = at_most(a->limit * 2, a->ceiling);
		a->changed_ms = now_ms;
	} else {
		rise(a, now_ms);
	}
}
