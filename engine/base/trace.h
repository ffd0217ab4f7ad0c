#ifndef SKEP_BASE_TRACE_H
#define SKEP_BASE_TRACE_H

/*
 * Structured events.  events.def declares each with its level and meaning;
 * a call site names one and a few numbers, never a sentence.  Each run keeps
 * a ring of its last TRACE_RING events, which a failed CHECK prints.  With -v
 * events also go to standard error, one line each.
 *
 * A trace may be lost; what recovery needs is in the store.
 */

#include <stdint.h>

#define TRACE_RING 64

enum trace_event {
#define EVENT(NAME, name, level, doc) EV_##NAME,
#include "engine/base/events.def"
	TRACE_NEVENTS
};

struct trace_entry {
	uint64_t at_us;
	uint16_t event;
	uint16_t turn;
	int32_t a;
	int64_t b;
};

struct trace_ring {
	char name[24]; /* the object's prefix in every line: a run's id */
	uint16_t turn; /* the model turn; the owner counts it */
	unsigned written;
	struct trace_entry entry[TRACE_RING];
};

/* 0: errors only ... 3: everything; lines go to fd 2. */
void trace_level(int level);

/* ring may be NULL for events of the engine itself. */
void trace(struct trace_ring *ring, enum trace_event ev, int32_t a, int64_t b);

/* Print a ring, oldest first, to fd; async-signal-safe. */
void trace_dump(const struct trace_ring *ring, int fd);

const char *trace_name(enum trace_event ev);

#endif
