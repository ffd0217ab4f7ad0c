#include "engine/errand.h"

#include <string.h>

#include "config/vars.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/text.h"
#include "engine/guards.h"
#include "engine/keeper.h"
#include "engine/role.h"
#include "engine/sched.h"
#include "net/json.h"
#include "net/model_call.h"
#include "sandbox/outputs.h"
#include "sandbox/sandbox.h"

#define KEEP_MAX (LIMIT_TRANSCRIPT + 4 * LIMIT_TASK_LINE)
#define SCRATCH_MAX (LIMIT_ANSWER + 64 * MIB)

int64_t
errand_now(void)
{
	return os->wall_ms();
}

void
stopwatch_start(struct stopwatch *w, const struct loop *l)
{
	if (w->since == 0)
		w->since = loop_now_ms(l) + 1;
}

void
stopwatch_stop(struct stopwatch *w, const struct loop *l)
{
	if (w->since != 0)
		w->total += loop_now_ms(l) + 1 - w->since;
	w->since = 0;
}

/* --- the wall budget: a timer that stands still while the run waits --- */

static void
wall_expired(struct loop_timer *t)
{
	struct errand *er = container_of(t, struct errand, wall);
	const char *trouble =
	    er->model == NULL ? "" : model_call_trouble(er->model);
	struct error e;

	error_set(&e, ERROR_BUDGET_WALL, 0,
	    "%g seconds are used and the run has not finished%s%s; raise "
	    "budget.wall_seconds",
	    er->budget.wall_seconds,
	    trouble[0] == '\0' ? "" : "; last the model call failed: ",
	    trouble);
	er->wall_left_ms = 0;
	run_post_error(er->run, &e);
}

void
errand_clock_run(struct errand *er)
{
	stopwatch_stop(&er->waited, er->supplies->loop);
	if (er->budget.wall_seconds > 0 && !loop_timer_is_active(&er->wall))
		loop_timer_start(&er->wall, er->wall_left_ms);
}

void
errand_clock_stop(struct errand *er)
{
	stopwatch_start(&er->waited, er->supplies->loop);
	if (!loop_timer_is_active(&er->wall))
		return;
	er->wall_left_ms = loop_timer_left_ms(&er->wall);
	loop_timer_stop(&er->wall);
}

/* --- birth --- */

struct errand *
errand_new(struct supplies *s, void *owner)
{
	struct errand *er = slab_take(&s->errands);

	if (er == NULL)
		return NULL;
	er->supplies = s;
	er->role = er->first = &s->role[0];
	er->watch = s->watch;
	family_init(&er->family);
	list_init(&er->programs);
	er->owner = owner;
	arena_init(&er->keep, KEEP_MAX);
	arena_init(&er->scratch, SCRATCH_MAX);
	transcript_init(&er->transcript, &er->keep);
	turn_init(&er->turn);
	list_init(&er->files);
	list_init(&er->changed);
	loop_timer_init(&er->wall, s->loop, wall_expired);
	return er;
}

static void
give_memory_back(struct errand *er)
{
	transcript_release(&er->transcript);
	arena_release(&er->scratch);
	arena_release(&er->keep);
}

void
errand_drop(struct errand *er)
{
	give_memory_back(er);
	slab_give(&er->supplies->errands, er);
}

int
errand_read_task(struct errand *er, struct span line, uint64_t number,
    const char *folder, struct error *e)
{
	return task_read(&er->task, &er->keep, line, number, folder, e);
}

static struct vars
vars_of(const struct errand *er)
{
	return (struct vars){
	    .input = er->task.input,
	    .custom_id = er->task.custom_id,
	    .task = er->task.variables,
	    .agent = er->role->agent->variables,
	};
}

static int
add_user_message(struct errand *er, struct span input, struct error *e)
{
	struct text item;
	int answer;

	text_init(&item, 8 * LIMIT_TASK_LINE);
	item_write_message(&item, "user", input);
	answer = text_overflowed(&item)
		     ? -1
		     : transcript_add(
			   &er->transcript, text_span(&item), 0, er->queued_ms);
	text_release(&item);
	return answer == 0
		   ? 0
		   : error_set(e, ERROR_BAD_TASK, 0, "the input is too long");
}

/*
 * An input is a template only when all its names are of the known kinds:
 * "${HOME}" in a script that a task quotes is no name of ours.  What a model
 * tells another agent is none at all.
 */
static int
add_input(struct errand *er, struct error *e)
{
	struct span input = er->task.input;
	struct vars vars = vars_of(er);
	struct error ignored;
	struct text text;
	size_t at;
	int answer;

	vars.input = (struct span){NULL, 0};
	if (er->family.depth > 0 || !vars_occur(input) ||
	    vars_check(input, &at, &ignored) == -1)
		return add_user_message(er, input, e);
	text_init(&text, 4 * LIMIT_TASK_LINE);
	answer = vars_expand(input, &vars, &text, e);
	if (answer == 0)
		answer = add_user_message(er, text_span(&text), e);
	text_release(&text);
	return answer;
}

/* The items of an OpenAI batch line, as they are. */
static int
add_items(struct errand *er, struct error *e)
{
	struct json_doc doc;
	int answer;

	json_doc_init(&doc);
	answer = json_parse(&doc, er->task.items, 0, e);
	for (int v = json_first(&doc, 0); answer == 0 && v != -1;
	     v = json_next(&doc, 0, v))
		if (transcript_add(&er->transcript, json_raw(&doc, v), 0,
			er->queued_ms) == -1)
			answer = error_set(
			    e, ERROR_BAD_TASK, 0, "the input is too long");
	json_doc_release(&doc);
	return answer;
}

/* Everything that the first turn needs.  -1 and *e: the task cannot be run. */
static int
prepare(struct errand *er, struct error *e)
{
	int answer = er->task.items.n > 0 ? add_items(er, e) : add_input(er, e);

	if (answer == 0)
		answer = errand_write_prompt(er, e);
	if (answer == -1)
		e->code = ERROR_BAD_TASK;
	return answer;
}

static void
name_it(struct errand *er, const struct store_found *found)
{
	unsigned char bytes[RUN_ID_HEX / 2];

	if (found != NULL) {
		er->number = found->number;
		er->attempts = found->attempts + 1;
		memcpy(er->id, found->id, sizeof er->id);
		return;
	}
	er->number = ++er->supplies->last_number;
	er->attempts = 1;
	CHECK(os->random(bytes, sizeof bytes) == 0);
	hex_encode(bytes, sizeof bytes, er->id);
}

/* It has a run: everything up to its first turn. */
static void
begin(
    struct errand *er, const struct store_found *found, const struct error *bad)
{
	struct error e;

	name_it(er, found);
	er->queued_ms = errand_now();
	memcpy(er->trace.name, er->id, sizeof er->id);
	er->budget = er->role->agent->budget;
	budget_narrow(&er->budget, &er->task.budget);
	er->wall_left_ms = (uint64_t)(er->budget.wall_seconds * 1000);
	run_set_sandbox_first(
	    er->run, errand_must_look(er) ||
			 guardrails_need_sandbox(&er->role->agent->guardrails));
	run_set_checks_input(er->run, er->role->agent->guardrails.input.n > 0);
	run_set_has_outputs(er->run, er->role->outputs[0] != NULL);
	if (bad != NULL)
		run_post_error(er->run, bad);
	else if (prepare(er, &e) == -1)
		run_post_error(er->run, &e);
}

void
errand_admit(
    struct errand *er, const struct store_found *found, const struct error *bad)
{
	er->profile = er->role->agent->sandbox.profile;
	er->run = sched_admit(er->supplies->sched, &errand_ports, er);
	CHECK(er->run != NULL);
	begin(er, found, bad);
}

/* Nobody outside looks at a child: its parent has its answer. */
static const struct errand_watch nobody;

int
errand_admit_child(struct errand *er)
{
	er->watch = &nobody;
	er->run = sched_admit_child(
	    er->supplies->sched, &errand_ports, er, er->family.depth);
	if (er->run == NULL)
		return -1;
	if (er->shares_sandbox)
		run_set_has_sandbox(er->run);
	begin(er, NULL, NULL);
	return 0;
}

const struct role *
supplies_role(const struct supplies *s, const struct agent *a)
{
	unsigned i = 0;

	while (i < s->roles && s->role[i].agent != a)
		i++;
	CHECK(i < s->roles);
	return &s->role[i];
}

/* --- life --- */

void
errand_fail(struct errand *er, const struct error *e, enum error_code instead)
{
	struct error told = *e;

	if (told.code == ERROR_NONE || told.code > ERROR_INTERNAL)
		told.code = instead;
	run_post_error(er->run, &told);
}

int
errand_afford(const struct run *run, struct error *e)
{
	const struct errand *er = run_owner(run);

	if (budget_afford(&er->budget, &er->role->agent->prices, &er->spent,
		&er->last, e) == -1)
		return -1;
	return family_afford(er, e);
}

/* --- death --- */

static void
gone(void *owner)
{
	struct errand *er = owner;

	errand_trace_ends(er);
	family_left(er);
	run_free(er->run);
	slab_give(&er->supplies->errands, er);
}

static void
stop_what_is_in_flight(struct errand *er)
{
	loop_timer_stop(&er->wall);
	if (er->model != NULL)
		model_call_cancel(er->model);
	er->model = NULL;
	guards_cancel(er->guards);
	er->guards = NULL;
	survey_cancel(er->survey);
	er->survey = NULL;
	if (er->outputs != NULL)
		outputs_cancel(er->outputs);
	er->outputs = NULL;
	errand_cancel_changes(er);
	for (unsigned i = 0; i < er->turn.calls; i++) {
		gate_leave(&er->turn.call[i].place);
		tool_call_free(er->turn.call[i].call);
		er->turn.call[i].call = NULL;
	}
	er->turn.calls = 0;
	toolbox_free(er->toolbox);
	er->toolbox = NULL;
	errand_drop_programs(er);
}

static void
ended(struct run *run)
{
	struct errand *er = run_owner(run);

	er->is_over = 1;
	stop_what_is_in_flight(er);
	keeper_take(er->supplies->keeper, er);
	if (er->watch->ended != NULL)
		er->watch->ended(er);
	family_ended(er);
	give_memory_back(er);
	if (family_lets_go(er))
		errand_bury(er);
}

void
errand_bury(struct errand *er)
{
	struct sandbox *sandbox = er->shares_sandbox ? NULL : er->sandbox;

	er->sandbox = NULL;
	if (sandbox != NULL)
		sandbox_destroy_then(sandbox, gone, er);
	else
		gone(er);
}

void
errand_abandon(struct errand *er)
{
	errand_trace_ends(er);
	stop_what_is_in_flight(er);
	give_memory_back(er);
}

const struct run_ports errand_ports = {
    .afford = errand_afford,
    .record = errand_record,
    .call_model = errand_call_model,
    .compact = errand_compact,
    .check = errand_check,
    .build_sandbox = errand_build_sandbox,
    .call_tools = errand_call_tools,
    .go_on = errand_go_on,
    .collect_outputs = errand_collect_outputs,
    .ended = ended,
};
