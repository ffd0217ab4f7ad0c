#ifndef SKEP_ENGINE_KEEPER_H
#define SKEP_ENGINE_KEEPER_H

/*
 * The keeper of a memory (memory.h): what an engine learns from its runs, in
 * the background.
 *
 * Theory of operation
 *
 * A run that ends leaves its rollout with the keeper, which costs it one
 * write; its result does not wait for more.  Then the keeper has runs of its
 * own made, one at a time, by the same scheduler as all others, each with a
 * budget of its own, recorded in the store and shown by skep ps:
 *
 *	phase one	one for each rollout: a model without tools reads it and
 *			says what is worth keeping, as JSON of a fixed form
 *	phase two	when no rollout is left: an agent with commands and
 *			patches, in a sandbox of the remembering agent's own
 *			profile, brings handbook and summary up to date in a
 *			copy of the memory; what it leaves there is taken over
 *			if it is text of a bearable size
 *
 * Neither can widen anything: they have no tools but those, no skills, no
 * memory, no other agents, no network but the profile's, and what they write
 * is text that is shown as data later.
 *
 * What cannot be done now is done by the next engine on the state directory:
 * a rollout without a raw memory is pending, and so is a choice of raw
 * memories that differs from the one that phase two saw last.  When a phase
 * fails because the model cannot be reached, the keeper stops trying; when it
 * fails for what the rollout is, that rollout is passed over.
 *
 * An engine whose tasks are done goes on until the keeper is idle, but not
 * longer than memory.linger, and not when it was told to stop.
 */

#include "config/agent.h"
#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/memory.h"

struct errand;
struct role;
struct supplies;
struct text;

#define KEEPER_ROLES 2
#define KEEPER_PENDING_MAX 4096 /* rollouts; what is beyond waits on disk */

enum keeper_phase { KEEPER_IDLE, KEEPER_ONE, KEEPER_TWO };

struct keeper {
	struct supplies *supplies;
	const struct agent *agent; /* whose memory it is; NULL: no keeper */
	struct memory memory;
	struct arena arena; /* of the agents below */
	struct agent phase_agent[KEEPER_ROLES];
	const struct role *role; /* KEEPER_ROLES of them */

	enum keeper_phase phase;
	struct errand *errand;           /* under way; NULL when idle */
	char current[MEMORY_ID_MAX + 1]; /* rollout that it is about */
	const char *state;               /* how that ended */
	char (*pending)[MEMORY_ID_MAX + 1];
	unsigned first, n;  /* a ring */
	int has_overflowed; /* more are on disk than it could hold */
	int must_consolidate;
	int is_stopped;     /* starts nothing any more */
	struct error error; /* the first thing that went wrong, or NONE */
};

/*
 * Make ready for agent's memory in state; gives the agents whose roles must be
 * opened.  0, or -1 and *e.  An agent without a memory that grows: 0, and
 * keeper_is_on() is false.
 */
int keeper_open(struct keeper *k, struct supplies *s, const struct agent *agent,
    const char *state, struct error *e);
int keeper_is_on(const struct keeper *k);

/* The roles of phase_agent[], open; and what earlier engines left undone. */
void keeper_start(struct keeper *k, const struct role *role);

/* A run ended: keep its rollout. */
void keeper_take(struct keeper *k, const struct errand *er);

/* Once a turn of the loop: start what there is to do, if there is room. */
void keeper_feed(struct keeper *k);

/*
 * Nothing else is left to do: see whether rollouts are on disk that there was
 * no room to remember.  May take as long as there are files.
 */
void keeper_look_again(struct keeper *k);

/* Is there something under way, or to be done? */
int keeper_is_busy(const struct keeper *k);

void keeper_stop(struct keeper *k); /* start nothing more */
void keeper_close(struct keeper *k);

#endif
