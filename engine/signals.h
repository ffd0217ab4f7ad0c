#ifndef SKEP_ENGINE_SIGNALS_H
#define SKEP_ENGINE_SIGNALS_H

/*
 * INT and TERM to an engine: the first drains (no new runs; running ones
 * finish their step), the second stops at once.  HUP stops at once.
 */

#include "engine/base/loop.h"

struct signals {
	struct loop_signal interrupt, terminate, hang_up;
	int came;  /* how many so far */
	int signo; /* the last one; 0: none */
	void (*drain)(void *owner);
	void (*stop)(void *owner);
	void *owner;
};

void signals_start(struct signals *s, struct loop *l,
    void (*drain)(void *owner), void (*stop)(void *owner), void *owner);
void signals_stop(struct signals *s);

#endif
