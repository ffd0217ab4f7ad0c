#ifndef SKEP_ENGINE_SCHED_H
#define SKEP_ENGINE_SCHED_H

/*
 * The scheduler owns every run and decides which may move.  It is the only
 * code that knows the order decide, commit, act, bury; see run.h.
 *
 * Admission: -j bounds the runs past QUEUED; gates bound model calls, live
 * sandboxes and commands, each by itself (gate.h).  A run that waits at a
 * gate holds nothing that another run could be waiting for, so gates cannot
 * lock each other.
 *
 * Children: a run may start others and wait for them, holding its sandbox
 * and, when a program of its calls them, the place of a command.  They work
 * in its place: -j does not count them, and draining waits for them as for
 * any step of their parent.  Sandboxes and commands have a gate for each
 * depth, so a run waits only for runs of its own depth, these at most for
 * deeper ones, and the deepest for nobody.
 *
 * Draining: nothing new starts.  A run whose step is over enters its next
 * state, which is committed but not acted on: that is its checkpoint.  Only
 * the way out (OUTPUTS and the ends) is still walked.
 */

#include <stddef.h>

#include "engine/gate.h"
#include "engine/run.h"

struct error;
struct loop;
struct sched;

#define SCHED_DEPTH_MAX 8

struct sched_limits {
	unsigned runs_max; /* admitted at once; all memory is taken up front */
	unsigned children_max;  /* beside these */
	unsigned active_max;    /* past QUEUED at once: -j */
	unsigned decide_max;    /* runs decided in one turn of the loop */
	unsigned models_max;    /* model calls in flight */
	unsigned sandboxes_max; /* alive, those being destroyed included; of
				   each depth */
	unsigned commands_max;  /* running in all sandboxes of a depth */
};

enum sched_store {
	SCHED_STORE_READY,
	SCHED_STORE_LATER, /* somebody else holds the lock for a moment */
	SCHED_STORE_FAILED,
};

/* What the scheduler asks of the engine; owner is the last argument of new. */
struct sched_ports {
	/* Before anything else, each turn: sched_admit() what there is room
	   for, unless draining. */
	void (*feed)(void *owner);

	/* Is there something to record beside runs? */
	int (*is_dirty)(void *owner);

	enum sched_store (*begin)(void *owner); /* open a transaction */
	void (*record)(void *owner);            /* what is_dirty() spoke of */
	enum sched_store (*commit)(void *owner);

	/* begin or commit failed for good: nothing acts any more. */
	void (*failed)(void *owner);

	/* Draining, and no run is in the middle of anything; once. */
	void (*drained)(void *owner);
};

/* NULL and *e if out of memory.  Keeps loop and ports. */
struct sched *sched_new(struct loop *loop, const struct sched_ports *ports,
    const struct sched_limits *limits, void *owner, struct error *e);
void sched_free(struct sched *sched);

/* How many runs are in state now. */
unsigned sched_count(const struct sched *sched, enum run_state state);

/* Runs that hold one of the -j slots now. */
unsigned sched_active(const struct sched *sched);

/* How many sched_admit() would succeed now. */
unsigned sched_room(const struct sched *sched);

/* Admit a run; it belongs to sched until it ends.  NULL if full. */
struct run *sched_admit(
    struct sched *sched, const struct run_ports *ports, void *owner);

/*
 * Admit one that another run waits for, depth (1..SCHED_DEPTH_MAX) below a
 * task's.  NULL if full.
 */
struct run *sched_admit_child(struct sched *sched,
    const struct run_ports *ports, void *owner, unsigned depth);

/* The ceiling on commands of runs as deep as this one, for who runs tools. */
struct gate *sched_commands(struct sched *sched, const struct run *run);
const struct gate *sched_models(const struct sched *sched);

/* How many sandboxes are alive now, and were at once at most. */
unsigned sched_sandboxes(const struct sched *sched);
unsigned sched_sandboxes_peak(const struct sched *sched);

/* Does the run wait for a place at the gate of its state? */
int sched_run_waits(const struct run *run);

/* Start nothing new from now on; see above. */
void sched_drain(struct sched *sched);

/* Take another turn soon although no run has mail. */
void sched_wake(struct sched *sched);

/* Call fn for every run that has not ended; fn may post, not free. */
void sched_each(
    struct sched *sched, void (*fn)(struct run *run, void *owner), void *owner);

#endif
