#ifndef SKEP_ENGINE_RUN_PRIVATE_H
#define SKEP_ENGINE_RUN_PRIVATE_H

/*
 * The inside of a run: for run.c and sched.c, nobody else.
 *
 * run.c never calls the scheduler.  A run files itself in the lists that it
 * was given at birth, and the scheduler, who owns them, reads them once per
 * turn; so the arrows between the two point one way.
 */

#include "engine/base/error.h"
#include "engine/base/list.h"
#include "engine/gate.h"
#include "engine/run.h"

#define RUN_MAGIC 0x52554e21U

enum run_next {
	RUN_WAIT, /* nothing more to decide until new mail arrives */
	RUN_MORE, /* a new state was entered; decide again */
};

/* Where runs wait to be noticed; the scheduler's, lent to every run. */
struct run_lists {
	struct list by_state[RUN_NSTATES];
	struct list ready;   /* has mail */
	struct list touched; /* has something to record, or to act on */
	struct list parked;  /* entered a state while draining: not acted on */
	struct list graveyard; /* freed in this turn, reusable in the next */
};

struct run {
	unsigned magic;
	enum run_state state;
	enum run_state recorded; /* the last state told to the store */
	unsigned inbox;          /* enum run_event bits not yet decided on */
	struct run_lists *lists;
	const struct run_ports *ports;
	void *owner;

	struct list_node in_state;   /* by_state[state] or graveyard, always */
	struct list_node in_ready;   /* ready, while inbox != 0 */
	struct list_node in_touched; /* touched, or parked */
	struct gate_ticket model;    /* held while a model call is in flight */
	struct gate_ticket sandbox;  /* held while a sandbox is alive */

	unsigned entered : 1;          /* the state's act is still to come */
	unsigned has_sandbox : 1;      /* one is up */
	unsigned needs_sandbox : 1;    /* set by the model's last reply */
	unsigned checks_input : 1;     /* still to be looked at */
	unsigned checks_answer : 1;    /* once there is one */
	unsigned is_stopping : 1;      /* the model is done; checks are next */
	unsigned has_outputs : 1;      /* the agent declares outputs */
	unsigned depth : 8;            /* below a task's run */
	unsigned sandbox_first : 1;    /* up before the first model call */
	unsigned tells_changes : 1;    /* what changed in its sandbox, if any */
	unsigned needs_compaction : 1; /* before its next turn */

	struct error error; /* why it failed, if it did */
};

/* Empty the inbox into at most a few state changes. */
void run_decide(struct run *run);

/* Start what the current state waits for.  The store has committed. */
void run_act(struct run *run);

/* It has something to record. */
void run_touch(struct run *run);

#endif
