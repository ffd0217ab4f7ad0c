/*
 * TOOLS, too: calls of programs in the sandbox (tools/program.h).  A call is
 * recorded in the transaction after it was asked for, begins when that is
 * committed, and its end goes into the next one.  Programs whose commands
 * outlive their turn wait while the model thinks: they are served in TOOLS
 * alone.
 */

#include "config/agent.h"
#include "engine/base/check.h"
#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/role.h"
#include "tools/program.h"

/* What was once written into a file may be found and sent by accident. */
static int
scrub(struct errand *er, struct program_call *call)
{
	struct span before = call->item.json, after;
	struct error ignored;

	if (er->environment.secrets == NULL)
		return 0;
	after =
	    environment_scrub(er->environment.secrets, before, &call->arena);
	if (after.p == before.p)
		return 0;
	return after.p == NULL
		   ? -1
		   : item_parse(&call->item, after, &call->arena, &ignored);
}

static int
ask(void *owner, struct program_call *call, struct text *complaint)
{
	struct errand *er = owner;
	int64_t most = er->role->agent->code_mode.calls;

	if ((int64_t)er->program_calls >= most) {
		text_printf(complaint,
		    "programs of this run have called tools %lld times, which "
		    "is the most",
		    (long long)most);
		return -1;
	}
	if (scrub(er, call) == -1) {
		text_add_str(complaint, "there is no memory for this call");
		return -1;
	}
	er->program_calls++;
	list_append(&er->programs, &call->in_run);
	run_post(er->run, RUN_EV_RECORD);
	return 0;
}

static struct span
over(void *owner, struct program_call *call, struct span answer)
{
	struct errand *er = owner;

	call->is_over = 1;
	call->is_cut = answer.n == 0;
	call->ended_ms = errand_now();
	if (call->has_begun)
		family_count_tool_call(er);
	if (!er->is_over)
		run_post(er->run, RUN_EV_RECORD);
	if (er->environment.secrets == NULL || answer.n == 0)
		return answer;
	return environment_scrub(er->environment.secrets, answer, &call->arena);
}

static const struct tool_programs ports = {ask, over};

const struct tool_programs *
errand_programs(const struct errand *er)
{
	return er->role->agent->code_mode.enabled ? &ports : NULL;
}

static struct program_call *
call_at(struct list_node *n)
{
	return container_of(n, struct program_call, in_run);
}

static void
forget(struct errand *er, struct program_call *call)
{
	list_remove(&er->programs, &call->in_run);
	program_call_free(call);
}

static void
record_one(
    struct errand *er, struct program_call *c, enum run_state to, int64_t now)
{
	struct store *store = er->supplies->store;
	struct span none = {NULL, 0};
	int is_end = run_state_is_end(to);

	if (!c->is_recorded && to == RUN_TOOLS && !c->is_over) {
		c->is_recorded = 1;
		c->seq = ++er->calls;
		store_call_begin(store, er->number, c->seq, "program",
		    er->spent.turns, c->item.name, c->item.call_id, now);
	} else if (c->is_recorded && (c->is_over || is_end)) {
		store_call_end(store, er->number, c->seq,
		    c->is_cut || !c->is_over ? "cut" : "answered", none,
		    c->is_over ? c->ended_ms : now);
	}
}

void
errand_record_programs(struct errand *er, enum run_state to, int64_t now)
{
	struct list_node *n = list_first(&er->programs), *next;

	for (; n != NULL; n = next) {
		struct program_call *c = call_at(n);

		next = list_next(&er->programs, n);
		record_one(er, c, to, now);
		if (c->is_over && c->program == NULL)
			forget(er, c);
	}
}

void
errand_go_on(struct run *run)
{
	struct errand *er = run_owner(run);
	struct list_node *n = list_first(&er->programs), *next;

	if (run_state(run) != RUN_TOOLS)
		return;
	for (; n != NULL; n = next) {
		struct program_call *c = call_at(n);

		next = list_next(&er->programs, n);
		if (!c->is_recorded || c->has_begun || c->is_over)
			continue;
		c->has_begun = 1;
		program_call_begin(c);
	}
}

void
errand_drop_programs(struct errand *er)
{
	struct list_node *n;

	while ((n = list_first(&er->programs)) != NULL)
		forget(er, call_at(n));
}
