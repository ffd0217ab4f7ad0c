#include "engine/run.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/run_private.h"

#define TO(NAME) (1U << RUN_##NAME)

static enum run_next enter(struct run *run, enum run_state to);

/* Take ev out of the inbox; true if it was there. */
static int
take(struct run *run, enum run_event ev)
{
	int had = (run->inbox & ev) != 0;

	run->inbox &= ~(unsigned)ev;
	return had;
}

/*
 * Decide: one function per state.  It reads the inbox, it may enter another
 * state, and it touches nothing outside the run.
 */

/* Another turn, if the budget has one left. */
static enum run_next
enter_model(struct run *run)
{
	if (run->ports->afford(run, &run->error) == -1)
		return enter(run, RUN_FAILED);
	return enter(run, run->needs_compaction ? RUN_COMPACTION : RUN_MODEL);
}

/* The first turn, when nothing is to look at the input before. */
static enum run_next
enter_first_turn(struct run *run)
{
	if (!run->checks_input)
		return enter_model(run);
	if (run->ports->afford(run, &run->error) == -1)
		return enter(run, RUN_FAILED);
	return enter(run, RUN_CHECKS);
}

/* The answer stands: what is left is to carry things out. */
static enum run_next
leave(struct run *run)
{
	run->needs_sandbox = 0; /* no calls are left to be made */
	if (!run->has_outputs && !(run->tells_changes && run->has_sandbox))
		return enter(run, RUN_FINISHED);
	if (!run->has_sandbox)
		return enter(run, RUN_SANDBOX);
	return enter(run, RUN_OUTPUTS);
}

/* There is an answer. */
static enum run_next
stop(struct run *run)
{
	if (!run->checks_answer)
		return leave(run);
	run->is_stopping = 1;
	return enter(run, RUN_CHECKS);
}

static enum run_next
decide_queued(struct run *run)
{
	if (!take(run, RUN_EV_SLOT))
		return RUN_WAIT;
	if (!run->sandbox_first || run->has_sandbox)
		return enter_first_turn(run);
	if (run->ports->afford(run, &run->error) == -1)
		return enter(run, RUN_FAILED);
	return enter(run, RUN_SANDBOX);
}

static enum run_next
decide_model(struct run *run)
{
	if (take(run, RUN_EV_TOO_LONG)) {
		run->needs_compaction = 1;
		return enter_model(run);
	}
	if (take(run, RUN_EV_CALLS)) {
		if (run->needs_sandbox && !run->has_sandbox)
			return enter(run, RUN_SANDBOX);
		return enter(run, RUN_TOOLS);
	}
	if (take(run, RUN_EV_AGAIN))
		return enter(run, RUN_CHECKS);
	if (take(run, RUN_EV_STOP))
		return stop(run);
	return RUN_WAIT;
}

static enum run_next
decide_checks(struct run *run)
{
	if (!take(run, RUN_EV_CHECKED))
		return RUN_WAIT;
	if (run->is_stopping)
		return leave(run);
	run->checks_input = 0;
	return enter_model(run);
}

static enum run_next
decide_compaction(struct run *run)
{
	if (!take(run, RUN_EV_COMPACTED))
		return RUN_WAIT;
	run->needs_compaction = 0;
	return enter_model(run);
}

static enum run_next
decide_sandbox(struct run *run)
{
	if (!take(run, RUN_EV_READY))
		return RUN_WAIT;
	run->has_sandbox = 1;
	if (run->sandbox_first) {
		run->sandbox_first = 0;
		return enter_first_turn(run);
	}
	return enter(run, run->needs_sandbox ? RUN_TOOLS : RUN_OUTPUTS);
}

static enum run_next
decide_tools(struct run *run)
{
	if (take(run, RUN_EV_STOP))
		return stop(run);
	if (take(run, RUN_EV_RESULTS))
		return enter_model(run);
	return RUN_WAIT;
}

static enum run_next
decide_outputs(struct run *run)
{
	if (take(run, RUN_EV_COLLECTED))
		return enter(run, RUN_FINISHED);
	return RUN_WAIT;
}

static enum run_next
decide_ended(struct run *run)
{
	run->inbox = 0; /* late mail for a run that is over */
	return RUN_WAIT;
}

#define decide_finished decide_ended
#define decide_failed decide_ended
#define decide_cancelled decide_ended

/*
 * Act: one function per state, run after the commit.  It may only start
 * things; what they come to arrives by run_post().
 */

static int
act_queued(struct run *run)
{
	(void)run; /* the scheduler finds queued runs by state */
	return 0;
}

static int
act_model(struct run *run)
{
	return run->ports->call_model(run, &run->error);
}

static int
act_compaction(struct run *run)
{
	return run->ports->compact(run, &run->error);
}

static int
act_checks(struct run *run)
{
	return run->ports->check(run, &run->error);
}

static int
act_sandbox(struct run *run)
{
	return run->ports->build_sandbox(run, &run->error);
}

static int
act_tools(struct run *run)
{
	return run->ports->call_tools(run, &run->error);
}

static int
act_outputs(struct run *run)
{
	return run->ports->collect_outputs(run, &run->error);
}

static int
act_ended(struct run *run)
{
	run->ports->ended(run);
	return 0;
}

#define act_finished act_ended
#define act_failed act_ended
#define act_cancelled act_ended

static const struct {
	const char *name;
	unsigned edges;
	enum run_next (*decide)(struct run *run);
	int (*act)(struct run *run);
	const char *meaning;
} states[] = {
#define RUN_STATE(NAME, name, edges, doc) \
	[RUN_##NAME] = {#name, edges, decide_##name, act_##name, doc},
#include "engine/run_states.def"
};

/* The only place a run changes state. */
static enum run_next
enter(struct run *run, enum run_state to)
{
	CHECK_OBJ(run, RUN_MAGIC);
	CHECK(to < RUN_NSTATES);
	CHECK(states[run->state].edges & (1U << to));

	list_remove(&run->lists->by_state[run->state], &run->in_state);
	run->state = to;
	list_append(&run->lists->by_state[to], &run->in_state);
	run->entered = 1;
	run_touch(run);
	return RUN_MORE;
}

void
run_decide(struct run *run)
{
	enum run_next next = RUN_MORE;

	CHECK_OBJ(run, RUN_MAGIC);
	if (take(run, RUN_EV_RECORD))
		run_touch(run);
	if (!run_state_is_end(run->state)) {
		if (take(run, RUN_EV_CANCEL))
			enter(run, RUN_CANCELLED);
		else if (take(run, RUN_EV_ERROR))
			enter(run, RUN_FAILED);
	}
	while (next == RUN_MORE)
		next = states[run->state].decide(run);
}

void
run_act(struct run *run)
{
	CHECK_OBJ(run, RUN_MAGIC);
	if (states[run->state].act(run) == -1)
		run_post(run, RUN_EV_ERROR);
}

void
run_touch(struct run *run)
{
	if (!list_is_linked(&run->in_touched))
		list_append(&run->lists->touched, &run->in_touched);
}

void
run_post(struct run *run, enum run_event ev)
{
	CHECK_OBJ(run, RUN_MAGIC);
	run->inbox |= ev;
	if (!list_is_linked(&run->in_ready))
		list_append(&run->lists->ready, &run->in_ready);
}

void
run_post_error(struct run *run, const struct error *e)
{
	CHECK(e->code != ERROR_NONE);
	if (run->error.code == ERROR_NONE)
		run->error = *e;
	run_post(run, RUN_EV_ERROR);
}

void
run_free(struct run *run)
{
	if (run == NULL)
		return;
	CHECK_OBJ(run, RUN_MAGIC);
	CHECK(run_state_is_end(run->state));
	list_remove(&run->lists->by_state[run->state], &run->in_state);
	list_append(&run->lists->graveyard, &run->in_state);
}

void
run_set_needs_sandbox(struct run *run, int needed)
{
	run->needs_sandbox = needed != 0;
}

void
run_set_has_outputs(struct run *run, int has)
{
	run->has_outputs = has != 0;
}

void
run_set_checks_input(struct run *run, int checks)
{
	run->checks_input = checks != 0;
}

void
run_set_checks_answer(struct run *run, int checks)
{
	run->checks_answer = checks != 0;
}

void
run_set_has_sandbox(struct run *run)
{
	CHECK(run->state == RUN_QUEUED);
	run->has_sandbox = 1;
}

void
run_set_sandbox_first(struct run *run, int first)
{
	run->sandbox_first = first != 0;
}

void
run_set_tells_changes(struct run *run, int tells)
{
	run->tells_changes = tells != 0;
}

void
run_set_needs_compaction(struct run *run)
{
	run->needs_compaction = 1;
}

enum run_state
run_state(const struct run *run)
{
	return run->state;
}

const struct error *
run_error(const struct run *run)
{
	return &run->error;
}

void *
run_owner(const struct run *run)
{
	return run->owner;
}

int
run_has_sandbox(const struct run *run)
{
	return run->has_sandbox;
}

const char *
run_state_name(enum run_state state)
{
	CHECK(state < RUN_NSTATES);
	return states[state].name;
}

const char *
run_state_meaning(enum run_state state)
{
	CHECK(state < RUN_NSTATES);
	return states[state].meaning;
}

enum run_state
run_state_from_name(const char *name)
{
	enum run_state state = 0;

	while (state < RUN_NSTATES && strcmp(states[state].name, name) != 0)
		state++;
	return state;
}

int
run_state_is_end(enum run_state state)
{
	CHECK(state < RUN_NSTATES);
	return states[state].edges == 0;
}

int
run_state_calls_model(enum run_state state)
{
	return state == RUN_MODEL || state == RUN_COMPACTION ||
	       state == RUN_CHECKS;
}

int
run_state_leads_to(enum run_state from, enum run_state to)
{
	CHECK(from < RUN_NSTATES && to < RUN_NSTATES);
	return (states[from].edges & (1U << to)) != 0;
}
