#ifndef SKEP_ENGINE_GATE_H
#define SKEP_ENGINE_GATE_H

/*
 * A gate is a ceiling on how many of something may be in use at once: model
 * calls, sandboxes, commands.  A ticket asks for a place and waits in line;
 * the scheduler lets the first in line pass while there is room, and only in
 * the act part of a turn, so passing a gate may start things.
 *
 * Leaving a gate, or giving up the wait, is one call in any state.
 */

#include "engine/base/list.h"

struct gate {
	unsigned places_max;
	unsigned taken;
	unsigned taken_peak;
	struct list waiting;
};

struct gate_ticket {
	struct list_node in_line;
	struct gate *gate; /* NULL: neither waits nor holds a place */
	int holds;
	void (*passed)(struct gate_ticket *t);
};

void gate_init(struct gate *g, unsigned places_max);

/* Get in line; passed() runs later, once, from gate_serve(). */
void gate_ask(struct gate *g, struct gate_ticket *t,
    void (*passed)(struct gate_ticket *t));

/* Give the place back, or stop waiting.  Fine when neither is the case. */
void gate_leave(struct gate_ticket *t);

/* Let tickets pass while there are places; how many passed. */
unsigned gate_serve(struct gate *g);

int gate_holds(const struct gate_ticket *t);

#endif
