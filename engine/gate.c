#include "engine/gate.h"

#include "engine/base/check.h"

void
gate_init(struct gate *g, unsigned places_max)
{
	CHECK(places_max > 0);
	g->places_max = places_max;
	g->taken = g->taken_peak = 0;
	list_init(&g->waiting);
}

void
gate_ask(struct gate *g, struct gate_ticket *t,
    void (*passed)(struct gate_ticket *t))
{
	CHECK(t->gate == NULL);
	t->gate = g;
	t->holds = 0;
	t->passed = passed;
	list_append(&g->waiting, &t->in_line);
}

void
gate_leave(struct gate_ticket *t)
{
	struct gate *g = t->gate;

	if (g == NULL)
		return;
	if (t->holds) {
		CHECK(g->taken > 0);
		g->taken--;
	} else {
		list_remove(&g->waiting, &t->in_line);
	}
	t->gate = NULL;
	t->holds = 0;
}

unsigned
gate_serve(struct gate *g)
{
	unsigned served = 0;

	while (g->taken < g->places_max && g->waiting.length > 0) {
		struct gate_ticket *t = container_of(
		    list_first(&g->waiting), struct gate_ticket, in_line);

		list_remove(&g->waiting, &t->in_line);
		t->holds = 1;
		g->taken++;
		if (g->taken > g->taken_peak)
			g->taken_peak = g->taken;
		served++;
		t->passed(t);
	}
	return served;
}

int
gate_holds(const struct gate_ticket *t)
{
	return t->holds;
}
