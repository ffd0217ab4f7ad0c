#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/adapt.h"

/*
 * A server that takes so many requests at once and answers each after its
 * time, and a client that keeps it as busy as the limit allows.  Refused
 * requests come back after a second.
 */
#define SLOTS 4096

struct world {
	uint64_t now;
	unsigned capacity, service_ms;
	struct adapt a;
	struct {
		uint64_t ends; /* 0: free */
		unsigned epoch;
		int refused;
	} slot[SLOTS];
	uint64_t back[8192]; /* when refused ones return */
	unsigned nback;
	unsigned in_flight, at_server, todo;
	unsigned sent, refused, answered;
	uint32_t random;
};

static unsigned
dice(struct world *w, unsigned n)
{
	w->random = w->random * 1664525 + 1013904223;
	return (w->random >> 8) % n;
}

static void
send_one(struct world *w)
{
	unsigned i = 0;

	while (w->slot[i].ends != 0)
		i++;
	w->slot[i].epoch = adapt_sent(&w->a);
	w->slot[i].refused = w->at_server >= w->capacity;
	w->in_flight++;
	w->sent++;
	if (w->slot[i].refused) {
		w->slot[i].ends = w->now + 2;
	} else {
		w->at_server++;
		w->slot[i].ends =
		    w->now + w->service_ms / 2 + 1 + dice(w, w->service_ms);
	}
}

static void
end_one(struct world *w, unsigned i)
{
	w->slot[i].ends = 0;
	if (w->slot[i].refused) {
		w->refused++;
		w->in_flight--;
		adapt_refused(&w->a, w->slot[i].epoch, w->in_flight, w->now);
		w->back[w->nback++] = w->now + 1000;
	} else {
		w->answered++;
		adapt_accepted(&w->a, w->in_flight, w->now);
		w->in_flight--;
		w->at_server--;
	}
}

static void
step(struct world *w)
{
	w->now++;
	for (unsigned i = 0; i < SLOTS; i++)
		if (w->slot[i].ends != 0 && w->slot[i].ends <= w->now)
			end_one(w, i);
	for (unsigned i = 0; i < w->nback; i++)
		if (w->back[i] <= w->now) {
			w->back[i--] = w->back[--w->nback];
			w->todo++;
		}
	while (w->todo > 0 && w->in_flight < w->a.limit) {
		send_one(w);
		w->todo--;
	}
	if (w->todo > 0)
		adapt_tick(&w->a, w->now);
}

static struct world *
begin(unsigned todo, unsigned capacity, unsigned service_ms)
{
	static struct world w;

	memset(&w, 0, sizeof w);
	w.todo = todo;
	w.capacity = capacity;
	w.service_ms = service_ms;
	w.random = 42;
	w.now = 1000;
	adapt_init(&w.a, 1000, w.now);
	return &w;
}

static void
a_hard_limit_is_found_and_kept_to(void **state)
{
	static const unsigned capacities[] = {5, 50, 200};
	static const unsigned services[] = {20, 200, 2000};

	(void)state;
	for (int c = 0; c < 3; c++) {
		for (int s = 0; s < 3; s++) {
			struct world *w = begin(2000 + 40 * capacities[c],
			    capacities[c], services[s]);
			unsigned total = w->todo, early = 0;
			uint64_t began = w->now, ideal;

			while (w->answered < total * 9 / 10) {
				step(w);
				if (w->sent <= 200)
					early = w->refused;
			}
			ideal = (uint64_t)(total * 9 / 10) * (services[s] + 1) /
				capacities[c];
			if ((w->now - began) * 9 > ideal * 10 + 18000)
				fail_msg("%u by %u: %llu ms, ideal %llu",
				    capacities[c], services[s],
				    (unsigned long long)(w->now - began),
				    (unsigned long long)ideal);
			if (capacities[c] >= 50 &&
			    (w->refused - early) * 100 > w->sent * 2)
				fail_msg("%u by %u: %u of %u refused",
				    capacities[c], services[s],
				    w->refused - early, w->sent);
		}
	}
}

static void
a_limit_that_changes_is_followed(void **state)
{
	struct world *w = begin(100000, 100, 200);

	(void)state;
	while (w->answered < 3000)
		step(w);
	assert_in_range(w->a.limit, 85, 115);
	w->capacity = 50;
	while (w->answered < 5000)
		step(w);
	assert_in_range(w->a.limit, 40, 60);
	w->capacity = 200;
	while (w->answered < 9000)
		step(w);
	assert_in_range(w->a.limit, 150, 260);
}

static void
without_refusals_the_ceiling_is_reached_soon(void **state)
{
	struct world *w = begin(3000, 100000, 30000);

	(void)state;
	while (w->now < 3000)
		step(w); /* long before the first answer */
	assert_int_equal(w->a.limit, 1000);
	assert_int_equal(w->in_flight, 1000);
}

static void
a_server_that_always_refuses_gets_one_at_a_time(void **state)
{
	struct world *w = begin(1000, 0, 100);

	(void)state;
	while (w->now < 30000)
		step(w);
	assert_in_range(w->a.limit, 1, 3);
	w->capacity = 100; /* and recovers */
	while (w->now < 60000)
		step(w);
	assert_true(w->answered >= 1000);
}

static void
the_limit_is_never_zero_nor_above_its_ceiling(void **state)
{
	struct adapt a;

	(void)state;
	adapt_init(&a, 3, 0);
	for (unsigned i = 0; i < 100; i++)
		adapt_refused(&a, adapt_sent(&a), 0, i);
	assert_int_equal(a.limit, 1);
	for (unsigned i = 0; i < 100; i++)
		adapt_accepted(&a, 3, i);
	assert_int_equal(a.limit, 3);
	adapt_init(&a, 0, 0);
	assert_int_equal(a.limit, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hard_limit_is_found_and_kept_to),
	    cmocka_unit_test(a_limit_that_changes_is_followed),
	    cmocka_unit_test(without_refusals_the_ceiling_is_reached_soon),
	    cmocka_unit_test(a_server_that_always_refuses_gets_one_at_a_time),
	    cmocka_unit_test(the_limit_is_never_zero_nor_above_its_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
