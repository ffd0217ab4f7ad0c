#ifndef SKEP_ENGINE_RUN_H
#define SKEP_ENGINE_RUN_H

/*
 * A run is one agent working on one task in one sandbox.  This module is its
 * state machine and nothing else: *when* things happen.  What happens stands
 * behind the ports; see errand.h.
 *
 * Theory of operation
 *
 * A run never reacts to the outside world directly.  Everything it can wait
 * for -- a model's reply, a sandbox, a tool's result -- ends in run_post(),
 * which does nothing but leave an event in the run's inbox.  Once per turn of
 * the event loop the scheduler does, for all runs with mail:
 *
 *	decide	read the inbox, choose the next state; touch nothing outside
 *	commit	one transaction for everything decided in this turn
 *	act	start what the new state waits for: a call, a command, a timer
 *	bury	free what was closed in this turn
 *
 * So nothing leaves the process before the decision that caused it is on
 * disk, and no function below is ever re-entered from its own callbacks.
 */

#include <stdint.h>

struct error;
struct run;

enum run_state {
#define RUN_STATE(NAME, name, edges, doc) RUN_##NAME,
#include "engine/run_states.def"
	RUN_NSTATES
};

enum run_event {
	RUN_EV_SLOT = 1 << 0,       /* the scheduler has room for this run */
	RUN_EV_CALLS = 1 << 1,      /* the model asked for tool calls */
	RUN_EV_STOP = 1 << 2,       /* the model said it is done */
	RUN_EV_READY = 1 << 3,      /* its sandbox is up */
	RUN_EV_RESULTS = 1 << 4,    /* every tool call has a result */
	RUN_EV_COLLECTED = 1 << 5,  /* every output has left the sandbox */
	RUN_EV_RECORD = 1 << 6,     /* something to record; no state changes */
	RUN_EV_ERROR = 1 << 7,      /* run_error() was filled in */
	RUN_EV_CANCEL = 1 << 8,     /* stop; wins over everything else */
	RUN_EV_TOO_LONG = 1 << 9,   /* the transcript exceeds the model */
	RUN_EV_COMPACTED = 1 << 10, /* as far as it can be, it is shorter */
	RUN_EV_CHECKED = 1 << 11,   /* nothing said no */
	RUN_EV_AGAIN = 1 << 12,     /* the answer will not do: once more */
};

/*
 * What the outside world offers a run.  A function that starts something
 * returns 0, or fills in *e and returns -1.  It never calls run_post() before
 * it returns, and what it started posts exactly once unless stopped first.
 */
struct run_ports {
	/* Pure: may another turn start?  -1 and *e when a budget is spent. */
	int (*afford)(const struct run *run, struct error *e);

	/* Write what is new since the last time; in the open transaction. */
	void (*record)(struct run *run, enum run_state from, enum run_state to);

	int (*call_model)(struct run *run, struct error *e);
	int (*compact)(struct run *run, struct error *e);
	int (*check)(struct run *run, struct error *e);
	int (*build_sandbox)(struct run *run, struct error *e);
	int (*call_tools)(struct run *run, struct error *e);
	int (*collect_outputs)(struct run *run, struct error *e);

	/* What was recorded without a change of state may begin; or NULL. */
	void (*go_on)(struct run *run);

	/* It is over and on disk: abandon what is in flight; run_free(). */
	void (*ended)(struct run *run);
};

/*
 * Give up an ended run.  The pointer stays readable until this turn of the
 * loop is over, so this is safe inside any callback.  run_free(NULL) does
 * nothing.
 */
void run_free(struct run *run);

/* Leave ev in the run's inbox.  Safe from any callback, any number of times. */
void run_post(struct run *run, enum run_event ev);

/* As run_post(RUN_EV_ERROR), recording why; the first reason stays. */
void run_post_error(struct run *run, const struct error *e);

/*
 * Facts that decide reads, set before the mail that needs them: whether the
 * next step cannot do without a sandbox, whether outputs are declared, and
 * whether the first model call must wait for the sandbox (set at birth).
 */
void run_set_needs_sandbox(struct run *run, int needed);
void run_set_has_outputs(struct run *run, int has);

/* Whether something looks at its input (set at birth), or at its answer. */
void run_set_checks_input(struct run *run, int checks);
void run_set_checks_answer(struct run *run, int checks);

/* Before the next turn, the transcript is to be shortened. */
void run_set_needs_compaction(struct run *run);
void run_set_sandbox_first(struct run *run, int first);

/* It works in a sandbox that is up already and belongs to another run. */
void run_set_has_sandbox(struct run *run);

/* The same where it has a sandbox; one is not made for that. */
void run_set_tells_changes(struct run *run, int tells);

enum run_state run_state(const struct run *run);
const struct error *run_error(const struct run *run);
void *run_owner(const struct run *run);
int run_has_sandbox(const struct run *run);
const char *run_state_name(enum run_state state);
const char *run_state_meaning(enum run_state state);

/* RUN_NSTATES when name is none of ours. */
enum run_state run_state_from_name(const char *name);
int run_state_is_end(enum run_state state);

/* Is a model called in it, so that it needs a place among such calls? */
int run_state_calls_model(enum run_state state);

/* May a run go from one state to another? */
int run_state_leads_to(enum run_state from, enum run_state to);

#endif
