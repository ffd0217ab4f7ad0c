#include "engine/sched.h"

#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/slab.h"
#include "engine/run_private.h"

/* How long another process may keep the store from us at a time. */
#define STORE_RETRY_MS 5

struct sched {
	struct loop *loop;
	const struct sched_ports *ports;
	void *owner;
	struct sched_limits limits;
	struct loop_turn turn;
	struct loop_timer retry; /* runs while the store is to be asked again */

	struct slab runs;
	struct run_lists lists; /* how runs make themselves noticed */
	struct gate models;
	struct gate sandboxes[SCHED_DEPTH_MAX + 1]; /* by depth */
	struct gate commands[SCHED_DEPTH_MAX + 1];  /* likewise */
	unsigned sandboxes_peak;
	unsigned active;   /* runs that hold a slot */
	unsigned children; /* admitted and not buried */
	unsigned draining : 1;
	unsigned drained : 1;
	unsigned failed : 1;
	unsigned woken : 1;
};

static unsigned
min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void
offer_slot(struct run *run)
{
	if (!(run->inbox & RUN_EV_SLOT))
		run_post(run, RUN_EV_SLOT);
}

/*
 * Give slots to the runs that have queued longest.  Children were given
 * theirs when they came, and pass through.
 */
static void
fill_slots(struct sched *s)
{
	struct list *queued = &s->lists.by_state[RUN_QUEUED];
	struct list_node *n = list_first(queued);
	unsigned left = s->limits.active_max - s->active;

	if (s->draining)
		return;
	for (; left > 0 && n != NULL; n = list_next(queued, n)) {
		struct run *run = container_of(n, struct run, in_state);

		if (run->depth > 0)
			continue;
		offer_slot(run);
		left--;
	}
}

static void
decide(struct sched *s)
{
	unsigned left = min(s->lists.ready.length, s->limits.decide_max);

	for (; left > 0; left--) {
		struct list_node *n = list_first(&s->lists.ready);
		struct run *run = container_of(n, struct run, in_ready);

		list_remove(&s->lists.ready, n);
		run_decide(run);
	}
}

static int
holds_slot(const struct run *run, enum run_state state)
{
	return run->depth == 0 && state != RUN_QUEUED &&
	       !run_state_is_end(state);
}

/* Tell the store about one run and settle what its move took or gave back. */
static void
record(struct sched *s, struct run *run)
{
	run->ports->record(run, run->recorded, run->state);
	s->active += (unsigned)holds_slot(run, run->state);
	s->active -= (unsigned)holds_slot(run, run->recorded);
	if (run->recorded != run->state) {
		gate_leave(&run->model);
		if (!gate_holds(&run->sandbox))
			gate_leave(&run->sandbox);
	}
	run->recorded = run->state;
}

/*
 * Make every decision of this turn durable.  Unless the answer is READY,
 * nothing of this turn is on disk and nothing may act on it.
 */
static enum sched_store
commit(struct sched *s)
{
	int dirty = s->ports->is_dirty(s->owner);
	enum sched_store answer;

	if (s->lists.touched.length == 0 && !dirty)
		return SCHED_STORE_READY;
	answer = s->ports->begin(s->owner);
	if (answer != SCHED_STORE_READY)
		return answer;
	if (dirty)
		s->ports->record(s->owner);
	for (struct list_node *n = list_first(&s->lists.touched); n != NULL;
	     n = list_next(&s->lists.touched, n))
		record(s, container_of(n, struct run, in_touched));
	CHECK(s->active <= s->limits.active_max);
	return s->ports->commit(s->owner);
}

static void
passed_model(struct gate_ticket *t)
{
	run_act(container_of(t, struct run, model));
}

static void
passed_sandbox(struct gate_ticket *t)
{
	run_act(container_of(t, struct run, sandbox));
}

static int
is_way_out(enum run_state state)
{
	return state == RUN_OUTPUTS || run_state_is_end(state);
}

/* Start what the state that run entered waits for, if there is room. */
static void
act_on(struct sched *s, struct run *run)
{
	run->entered = 0;
	if (s->draining && run->depth == 0 && !is_way_out(run->state))
		list_append(&s->lists.parked, &run->in_touched);
	else if (run_state_calls_model(run->state))
		gate_ask(&s->models, &run->model, passed_model);
	else if (run->state == RUN_SANDBOX)
		gate_ask(
		    &s->sandboxes[run->depth], &run->sandbox, passed_sandbox);
	else
		run_act(run);
}

static void
serve_sandboxes(struct sched *s)
{
	unsigned alive;

	for (unsigned i = 0; i <= SCHED_DEPTH_MAX; i++)
		gate_serve(&s->sandboxes[i]);
	alive = sched_sandboxes(s);
	if (alive > s->sandboxes_peak)
		s->sandboxes_peak = alive;
}

static void
act(struct sched *s)
{
	unsigned left = s->lists.touched.length;

	for (; left > 0; left--) {
		struct list_node *n = list_first(&s->lists.touched);
		struct run *run = container_of(n, struct run, in_touched);

		list_remove(&s->lists.touched, n);
		if (run->entered)
			act_on(s, run);
		else if (run->ports->go_on != NULL)
			run->ports->go_on(run);
	}
	/* When draining, only those are in line that a step waits for. */
	gate_serve(&s->models);
	serve_sandboxes(s);
	for (unsigned i = 0; i <= SCHED_DEPTH_MAX; i++)
		gate_serve(&s->commands[i]);
}

/* The dead have no mail, nothing to act on, and no kind any more. */
static void
bury(struct sched *s)
{
	while (s->lists.graveyard.length > 0) {
		struct list_node *n = list_first(&s->lists.graveyard);
		struct run *run = container_of(n, struct run, in_state);

		if (list_is_linked(&run->in_ready))
			list_remove(&s->lists.ready, &run->in_ready);
		if (list_is_linked(&run->in_touched))
			list_remove(&s->lists.touched, &run->in_touched);
		gate_leave(&run->model);
		gate_leave(&run->sandbox);
		s->children -= (unsigned)(run->depth > 0);
		run->magic = 0;
		list_remove(&s->lists.graveyard, n);
		slab_give(&s->runs, run);
		s->woken = 1; /* there is room to feed */
	}
}

/* Those in the middle of a step, and those on their way out. */
static unsigned
unsettled(const struct sched *s)
{
	return s->active - s->lists.parked.length;
}

static void
turn(struct loop_turn *t)
{
	struct sched *s = container_of(t, struct sched, turn);

	if (s->failed)
		return;
	s->woken = 0;
	s->ports->feed(s->owner);
	fill_slots(s);
	decide(s);
	switch (commit(s)) {
	case SCHED_STORE_FAILED:
		s->failed = 1;
		s->ports->failed(s->owner);
		return;
	case SCHED_STORE_LATER:
		loop_timer_start(&s->retry, STORE_RETRY_MS);
		loop_turn_again(&s->turn, 0);
		return;
	case SCHED_STORE_READY:
		break;
	}
	act(s);
	bury(s);
	if (s->draining && !s->drained && unsettled(s) == 0 &&
	    s->lists.touched.length == 0) {
		s->drained = 1;
		s->ports->drained(s->owner);
	}
	loop_turn_again(&s->turn, s->lists.ready.length > 0 ||
				      s->lists.touched.length > 0 || s->woken);
}

static void
ask_store_again(struct loop_timer *t)
{
	struct sched *s = container_of(t, struct sched, retry);

	loop_turn_again(&s->turn, 1);
}

struct sched *
sched_new(struct loop *loop, const struct sched_ports *ports,
    const struct sched_limits *limits, void *owner, struct error *e)
{
	struct sched *s;

	CHECK(limits->active_max > 0);
	CHECK(limits->decide_max > 0);
	CHECK(limits->runs_max >= limits->active_max);

	s = calloc(1, sizeof *s);
	if (s == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for the scheduler");
		return NULL;
	}
	if (slab_init(&s->runs, "runs", sizeof(struct run),
		limits->runs_max + limits->children_max, e) == -1) {
		free(s);
		return NULL;
	}
	s->loop = loop;
	s->ports = ports;
	s->owner = owner;
	s->limits = *limits;

	list_init(&s->lists.ready);
	list_init(&s->lists.touched);
	list_init(&s->lists.parked);
	list_init(&s->lists.graveyard);
	for (unsigned i = 0; i < RUN_NSTATES; i++)
		list_init(&s->lists.by_state[i]);
	gate_init(&s->models, limits->models_max);
	for (unsigned i = 0; i <= SCHED_DEPTH_MAX; i++) {
		gate_init(&s->sandboxes[i], limits->sandboxes_max);
		gate_init(&s->commands[i], limits->commands_max);
	}

	loop_turn_start(&s->turn, loop, turn);
	loop_timer_init(&s->retry, loop, ask_store_again);
	return s;
}

void
sched_free(struct sched *s)
{
	if (s == NULL)
		return;
	loop_turn_stop(&s->turn);
	loop_timer_stop(&s->retry);
	slab_release(&s->runs);
	free(s);
}

static struct run *
admit(
    struct sched *s, const struct run_ports *ports, void *owner, unsigned depth)
{
	struct run *run = slab_take(&s->runs);

	if (run == NULL)
		return NULL;
	*run = (struct run){
	    .magic = RUN_MAGIC,
	    .state = RUN_QUEUED,
	    .recorded = RUN_QUEUED,
	    .lists = &s->lists,
	    .ports = ports,
	    .owner = owner,
	    .depth = depth & 0xff,
	};
	list_append(&s->lists.by_state[RUN_QUEUED], &run->in_state);
	run_touch(run);
	return run;
}

struct run *
sched_admit(struct sched *s, const struct run_ports *ports, void *owner)
{
	return sched_room(s) == 0 ? NULL : admit(s, ports, owner, 0);
}

struct run *
sched_admit_child(
    struct sched *s, const struct run_ports *ports, void *owner, unsigned depth)
{
	struct run *run;

	CHECK(depth > 0 && depth <= SCHED_DEPTH_MAX);
	if (s->children == s->limits.children_max)
		return NULL;
	run = admit(s, ports, owner, depth);
	if (run == NULL)
		return NULL;
	s->children++;
	offer_slot(run);
	return run;
}

unsigned
sched_count(const struct sched *s, enum run_state state)
{
	CHECK(state < RUN_NSTATES);
	return s->lists.by_state[state].length;
}

unsigned
sched_active(const struct sched *s)
{
	return s->active;
}

unsigned
sched_room(const struct sched *s)
{
	return s->limits.runs_max - (s->runs.used - s->children);
}

struct gate *
sched_commands(struct sched *s, const struct run *run)
{
	return &s->commands[run->depth];
}

const struct gate *
sched_models(const struct sched *s)
{
	return &s->models;
}

unsigned
sched_sandboxes(const struct sched *s)
{
	unsigned alive = 0;

	for (unsigned i = 0; i <= SCHED_DEPTH_MAX; i++)
		alive += s->sandboxes[i].taken;
	return alive;
}

unsigned
sched_sandboxes_peak(const struct sched *s)
{
	return s->sandboxes_peak;
}

int
sched_run_waits(const struct run *run)
{
	return (run_state_calls_model(run->state) &&
		   !gate_holds(&run->model)) ||
	       (run->state == RUN_SANDBOX && !gate_holds(&run->sandbox));
}

/*
 * Those still in line at a gate never get in: they are parked as well.
 * Children stay; their parents' steps wait for them.
 */
static void
park_waiting(struct sched *s, struct gate *g, size_t ticket_at)
{
	struct list_node *n = list_first(&g->waiting), *next;

	for (; n != NULL; n = next) {
		struct gate_ticket *t =
		    container_of(n, struct gate_ticket, in_line);
		struct run *run = (void *)((char *)t - ticket_at);

		next = list_next(&g->waiting, n);
		if (run->depth > 0)
			continue;
		gate_leave(t);
		if (list_is_linked(&run->in_touched))
			run->entered = 1; /* parked when it is acted on */
		else
			list_append(&s->lists.parked, &run->in_touched);
	}
}

void
sched_drain(struct sched *s)
{
	if (s->draining)
		return;
	s->draining = 1;
	park_waiting(s, &s->models, offsetof(struct run, model));
	park_waiting(s, &s->sandboxes[0], offsetof(struct run, sandbox));
	sched_wake(s);
}

void
sched_wake(struct sched *s)
{
	s->woken = 1;
	loop_turn_again(&s->turn, 1);
}

void
sched_each(
    struct sched *s, void (*fn)(struct run *run, void *owner), void *owner)
{
	for (unsigned i = 0; i < RUN_NSTATES; i++) {
		struct list *l = &s->lists.by_state[i];

		if (run_state_is_end(i))
			continue;
		for (struct list_node *n = list_first(l); n != NULL;
		     n = list_next(l, n))
			fn(container_of(n, struct run, in_state), owner);
	}
}
