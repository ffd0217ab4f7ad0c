#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "config/agent_family.h"
#include "engine/base/alloc_guard.h"
#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/capacity.h"
#include "engine/role.h"
#include "engine/sched.h"
#include "sandbox/sandbox.h"
#include "tools/mcp.h"

/* Runs decided in one turn of the loop. */
#define DECIDE_MAX 256

/* A run's commands that outlive their calls, on an average. */
#define PROCESSES_PER_RUN 8

/* A turn of the loop that is worth a line with -v. */
#define LAG_TOLD_US 50000

/* --- the scheduler's ports --- */

static void
feed(void *owner)
{
	struct engine *en = owner;

	uint64_t lag_us = loop_lag_us(en->loop);

	lag_add(&en->lag, lag_us);
	if (lag_us > LAG_TOLD_US)
		trace(NULL, EV_LOOP_LAG, 0, (int64_t)lag_us);
	keeper_feed(&en->keeper);
	en->source->feed(en->owner);
}

static int
is_dirty(void *owner)
{
	struct engine *en = owner;

	return en->source->is_dirty(en->owner);
}

static void
record(void *owner)
{
	struct engine *en = owner;

	en->source->record(en->owner);
}

static enum sched_store
as_sched(enum store_answer answer)
{
	switch (answer) {
	case STORE_READY:
		return SCHED_STORE_READY;
	case STORE_LATER:
		return SCHED_STORE_LATER;
	case STORE_FAILED:
		break;
	}
	return SCHED_STORE_FAILED;
}

static enum sched_store
begin(void *owner)
{
	struct engine *en = owner;

	return as_sched(store_begin(en->supplies.store, &en->error));
}

static enum sched_store
commit(void *owner)
{
	struct engine *en = owner;

	return as_sched(store_commit(en->supplies.store, &en->error));
}

static void
store_failed(void *owner)
{
	struct engine *en = owner;

	en->was_stopped = 1;
	loop_break(en->loop);
}

static void
drained(void *owner)
{
	struct engine *en = owner;

	en->was_stopped = 1;
	en->source->drained(en->owner);
	if (en->is_finishing)
		loop_break(en->loop);
}

static const struct sched_ports sched_ports = {
    .feed = feed,
    .is_dirty = is_dirty,
    .begin = begin,
    .record = record,
    .commit = commit,
    .failed = store_failed,
    .drained = drained,
};

/* --- stopping --- */

static void
stop_now(void *owner)
{
	struct engine *en = owner;

	en->was_stopped = 1;
	loop_break(en->loop);
}

static void
stop_for(void *stopper, const struct error *e)
{
	engine_fail(stopper, e);
}

static void
drained_too_long(struct loop_timer *t)
{
	stop_now(container_of(t, struct engine, drain_timer));
}

static void
lingered_enough(struct loop_timer *t)
{
	loop_break(container_of(t, struct engine, linger_timer)->loop);
}

static void
drain(void *owner)
{
	struct engine *en = owner;

	en->is_draining = 1;
	keeper_stop(&en->keeper);
	en->source->draining(en->owner);
	sched_drain(en->supplies.sched);
	if (en->drain_ms > 0)
		loop_timer_start(&en->drain_timer, en->drain_ms);
}

struct search {
	const char *id;
	int found;
};

static void
cancel_if_it_is(struct run *run, void *owner)
{
	struct search *search = owner;
	const struct errand *er = run_owner(run);

	if (strcmp(er->id, search->id) != 0)
		return;
	search->found = 1;
	run_post(run, RUN_EV_CANCEL);
}

static int
cancel(const char *id, void *owner)
{
	struct engine *en = owner;
	struct search search = {id, 0};

	sched_each(en->supplies.sched, cancel_if_it_is, &search);
	return search.found;
}

/* --- opening, each part in its turn --- */

/* Connections and sandboxes take descriptors; what we may have is enough. */
static void
raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int
open_store(
    struct engine *en, const struct engine_settings *set, struct error *e)
{
	char path[LIMIT_PATH];

	if (state_dir_choose(&en->state, set->state, e) == -1 ||
	    state_dir_own(&en->state, e) == -1 ||
	    state_dir_file(&en->state, "skep.db", path, e) == -1)
		return -1;
	en->supplies.state_path = en->state.path;
	en->supplies.store = store_open(path,
	    set->settings->durability == DURABILITY_FULL ? STORE_FULL
							 : STORE_NORMAL,
	    e);
	if (en->supplies.store == NULL)
		return -1;
	en->supplies.last_number = store_last_number(en->supplies.store);
	return 0;
}

static struct role_settings
role_settings_of(const struct engine *en, const struct engine_settings *set,
    const struct sched_limits *limits)
{
	return (struct role_settings){
	    .loop = en->loop,
	    .endpoint =
		{
		    .plain_anywhere = set->settings->http_allowed,
		    .calls_max = limits->models_max,
		    .dns_servers = set->settings->dns_servers,
		},
	    .runs_max = limits->active_max + limits->children_max,
	    .state_path = en->state.path,
	};
}

/* What people should know of a role's tool servers, line by line. */
static void
note_servers(const struct engine_settings *set, const struct role *role)
{
	struct span notes =
	    role->mcp == NULL ? (struct span){NULL, 0} : mcp_notes(role->mcp);

	while (notes.n > 0 && set->note != NULL)
		set->note(set->noter, span_cut(&notes, '\n'));
}

/* Tool servers are asked before the first run, in sandboxes of their own. */
static int
connect_roles(struct engine *en, const struct engine_settings *set,
    const struct sched_limits *limits, struct error *e)
{
	struct supplies *s = &en->supplies;
	struct role_settings with = role_settings_of(en, set, limits);

	for (unsigned i = 0; i < s->roles; i++) {
		if (role_connect(&s->role[i], &with, s->host, e) == -1)
			return -1;
		note_servers(set, &s->role[i]);
	}
	return 0;
}

/* Each role in its turn: a run may come to play any of them. */
static int
open_roles(struct engine *en, const struct engine_settings *set,
    const struct sched_limits *limits, struct error *e)
{
	struct supplies *s = &en->supplies;
	struct agent_family family;
	struct role_settings with = role_settings_of(en, set, limits);

	agent_family(set->agent, &family);
	if (keeper_open(&en->keeper, s, set->agent, en->state.path, e) == -1)
		return -1;
	s->keeper = &en->keeper;
	s->role = calloc(family.n + KEEPER_ROLES, sizeof *s->role);
	if (s->role == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for agents");
	with.others = s->role;
	for (unsigned i = 0; i < family.n; i++) {
		with.others_n = s->roles++;
		if (role_open(&s->role[i], family.member[i], &with, e) == -1)
			return -1;
	}
	for (unsigned i = 0; keeper_is_on(&en->keeper) && i < KEEPER_ROLES;
	     i++) {
		with.others_n = s->roles++;
		if (role_open(&s->role[s->roles - 1],
			&en->keeper.phase_agent[i], &with, e) == -1)
			return -1;
	}
	if (keeper_is_on(&en->keeper))
		keeper_start(&en->keeper, &s->role[family.n]);
	return 0;
}

static int
open_tools(
    struct engine *en, const struct sched_limits *limits, struct error *e)
{
	unsigned runs = limits->runs_max + limits->children_max;
	struct tools_limits most = {
	    .boxes_max = runs,
	    .calls_max = capacity_calls(&en->supplies, limits),
	    .processes_max = runs * PROCESSES_PER_RUN + limits->commands_max,
	};

	en->supplies.tools = tools_new(en->loop, &most, e);
	return en->supplies.tools == NULL ? -1 : 0;
}

/* Every profile that a sandbox may be built with, once; how many. */
static unsigned
list_profiles(const struct supplies *s, const struct profile **out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->roles; i++) {
		const struct mcp_specs *servers =
		    &s->role[i].agent->mcp_servers;

		for (unsigned k = 0; k < servers->n; k++)
			if (servers->at[k].profile != NULL)
				out[n++] = servers->at[k].profile;
	}

	for (unsigned i = 0; i < s->roles; i++) {
		const struct profile *p = s->role[i].agent->sandbox.profile;
		unsigned at = 0;

		while (at < n && out[at] != p)
			at++;
		if (at == n)
			out[n++] = p;
	}
	return n;
}

static int
needs_sandboxes(const struct supplies *s)
{
	for (unsigned i = 0; i < s->roles; i++)
		if (role_needs_sandbox(&s->role[i]))
			return 1;
	return 0;
}

static int
wants_layers(const struct supplies *s)
{
	for (unsigned i = 0; i < s->roles; i++)
		if (s->role[i].agent->sandbox.workspace == WORKSPACE_LAYERED)
			return 1;
	return 0;
}

/* Sandboxes of tool servers. */
static unsigned
servers_max(const struct supplies *s, const struct sched_limits *limits)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->roles; i++)
		n += mcp_sandboxes_max(&s->role[i].agent->mcp_servers,
		    limits->active_max + limits->children_max);
	return n;
}

static int
open_sandboxes(struct engine *en, const struct engine_settings *set,
    const struct sched_limits *limits, struct error *e)
{
	struct supplies *s = &en->supplies;
	const struct profile *profiles[AGENTS_MAX * (1 + MCP_SERVERS_MAX)];
	unsigned servers = servers_max(s, limits);
	struct sandbox_host_settings host = {
	    .sandboxes_max = capacity_sandboxes(s, limits) + servers,
	    .commands_max =
		(limits->runs_max + limits->children_max) * PROCESSES_PER_RUN +
		servers,
	    .netns_ready = limits->active_max < 16 ? limits->active_max : 16,
	    .cgroups_ready = limits->active_max < 16 ? limits->active_max : 16,
	    .warm = (unsigned)set->settings->warm,
	    .profiles = profiles,
	    .profiles_n = list_profiles(s, profiles),
	};

	if (!needs_sandboxes(s))
		return 0; /* there will be no sandbox at all */
	if (wants_layers(s)) {
		if (state_dir_layers(&en->state, en->layers, e) == -1)
			return -1;
		host.layers = en->layers;
	}
	if (set->zygote_error != NULL &&
	    set->zygote_error->code != ERROR_NONE) {
		*e = *set->zygote_error;
		e->code = ERROR_SANDBOX_UNAVAILABLE;
		return -1;
	}
	s->host = sandbox_host_new(en->loop, set->zygote, &host, e);
	return s->host == NULL ? -1 : 0;
}

static unsigned
as_count(uint64_t wanted, unsigned instead)
{
	if (wanted == 0)
		return instead;
	return wanted > 1000000 ? 1000000 : (unsigned)wanted;
}

static struct sched_limits
limits_of(const struct engine_settings *set)
{
	const struct settings *s = set->settings;
	unsigned jobs = as_count(set->jobs, as_count(s->runs, 64));

	return (struct sched_limits){
	    .runs_max = jobs + set->queued,
	    .active_max = jobs,
	    .decide_max = DECIDE_MAX,
	    .models_max = as_count(s->model_calls, jobs),
	    .sandboxes_max = as_count(s->sandboxes, jobs),
	    .commands_max = as_count(s->commands, jobs),
	};
}

void
engine_init(struct engine *en)
{
	memset(en, 0, sizeof *en);
	en->state.fd = en->state.lock_fd = en->control.fd = -1;
}

int
engine_open(struct engine *en, const struct engine_settings *set,
    const struct engine_source *source, void *owner, struct error *e)
{
	struct supplies *s = &en->supplies;
	struct sched_limits limits = limits_of(set);

	en->source = source;
	en->owner = owner;
	en->drain_ms = (uint64_t)(set->settings->drain_seconds * 1000);
	s->watch = &source->watch;
	s->watcher = owner;
	s->stop = stop_for;
	s->stopper = en;
	s->outputs_dir = set->outputs_dir;
	s->outputs_dir_is_one = set->outputs_dir_is_one;
	raise_descriptor_limit();
	if (open_store(en, set, e) == -1)
		return -1;
	en->loop = s->loop = loop_new(e);
	if (en->loop == NULL || open_roles(en, set, &limits, e) == -1)
		return -1;
	limits.children_max = capacity_children(s, limits.active_max);
	limits.runs_max += (unsigned)keeper_is_on(&en->keeper);
	if (open_tools(en, &limits, e) == -1 ||
	    open_sandboxes(en, set, &limits, e) == -1 ||
	    connect_roles(en, set, &limits, e) == -1 ||
	    slab_init(&s->errands, "errands", sizeof(struct errand),
		limits.runs_max + limits.children_max, e) == -1)
		return -1;
	s->sched = sched_new(en->loop, &sched_ports, &limits, en, e);
	if (s->sched == NULL || control_start(&en->control, en->loop,
				    &en->state, cancel, en, e) == -1)
		return -1;
	loop_timer_init(&en->drain_timer, en->loop, drained_too_long);
	loop_timer_init(&en->linger_timer, en->loop, lingered_enough);
	signals_start(&en->signals, en->loop, drain, stop_now, en);
	return 0;
}

void
engine_run(struct engine *en)
{
	check_dump = errand_dump;
	alloc_guard_arm(); /* start-up is over */
	loop_run(en->loop);
	alloc_guard_report();
	alloc_guard_disarm();
}

void
engine_finish(struct engine *en)
{
	keeper_look_again(&en->keeper);
	if (en->is_draining || !keeper_is_busy(&en->keeper)) {
		loop_break(en->loop);
		return;
	}
	if (en->is_finishing)
		return;
	en->is_finishing = 1;
	loop_timer_start(&en->linger_timer, en->keeper.agent->memory.linger_ms);
	if (en->source->learning != NULL)
		en->source->learning(en->owner);
}

void
engine_fail(struct engine *en, const struct error *e)
{
	if (en->error.code == ERROR_NONE)
		en->error = *e;
	en->was_stopped = 1;
	loop_break(en->loop);
}

/* A run that is still there is abandoned; the store knows how far it came. */
static void
abandon(struct run *run, void *owner)
{
	(void)owner;
	errand_abandon(run_owner(run));
}

void
engine_close(struct engine *en)
{
	struct supplies *s = &en->supplies;

	control_stop(&en->control);
	if (en->signals.owner != NULL)
		signals_stop(&en->signals);
	if (en->drain_timer.loop != NULL) {
		loop_timer_stop(&en->drain_timer);
		loop_timer_stop(&en->linger_timer);
	}
	if (s->sched != NULL)
		sched_each(s->sched, abandon, NULL);
	for (unsigned i = 0; i < s->roles; i++)
		role_disconnect(&s->role[i]);
	sandbox_host_free(s->host);
	sched_free(s->sched);
	slab_release(&s->errands);
	if (s->tools != NULL)
		tools_free(s->tools);
	for (unsigned i = 0; i < s->roles; i++)
		role_close(&s->role[i]);
	free(s->role);
	keeper_close(&en->keeper);
	store_close(s->store);
	if (en->loop != NULL)
		loop_free(en->loop);
	state_dir_close(&en->state);
}

void
engine_account(const struct engine *en, struct text *out)
{
	const struct sched *s = en->supplies.sched;

	text_printf(out,
	    "%llu turns of the loop, p50 %.3f ms, p99 %.3f ms, longest %.3f "
	    "ms; %.1f MB of the pool at most; at most %u model calls, %u "
	    "sandboxes at once",
	    (unsigned long long)en->lag.turns,
	    (double)lag_quantile(&en->lag, 0.5) / 1000,
	    (double)lag_quantile(&en->lag, 0.99) / 1000,
	    (double)en->lag.max_us / 1000, (double)pool_peak() / 1e6,
	    sched_models(s)->taken_peak, sched_sandboxes_peak(s));
}

int
engine_signal_status(const struct engine *en)
{
	return en->was_stopped && en->signals.signo != 0
		   ? 128 + en->signals.signo
		   : 0;
}

const struct error *
engine_memory_trouble(const struct engine *en)
{
	const struct error *e = &en->keeper.error;

	return e->code == ERROR_NONE ? NULL : e;
}
