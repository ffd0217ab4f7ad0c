/*
 * TOOLS: the calls of a turn run side by side, each at its own place among
 * the commands of all runs; their answers go to the model in the order in
 * which it asked.
 */

#include "engine/base/check.h"
#include "engine/errand.h"
#include "engine/handoff.h"
#include "engine/role.h"
#include "engine/sched.h"

static struct sandbox *
lend_sandbox(void *owner)
{
	const struct errand *er = owner;

	return run_has_sandbox(er->run) ? er->sandbox : NULL;
}

static void
lend_environment(void *owner, const char *command, struct exec_spec *spec)
{
	struct errand *er = owner;

	environment_fill(&er->environment, command, spec);
}

static void
all_answered(struct errand *er)
{
	size_t before = er->transcript.n;
	struct error e;

	er->used_tools = 1;

	stopwatch_stop(&er->tools_time, er->supplies->loop);
	if (turn_put_answers(&er->turn, &er->transcript,
		(uint32_t)er->spent.turns, errand_now()) == -1) {
		error_set(&e, ERROR_INTERNAL, 0,
		    "the run's memory is full: its transcript is too long");
		run_post_error(er->run, &e);
		return;
	}
	if (handoff_carry_out(er, &e) == -1) {
		errand_fail(er, &e, ERROR_INTERNAL);
		return;
	}
	if (errand_stops_at_tool(er, before))
		return;
	if (er->watch->turn_finished != NULL)
		er->watch->turn_finished(er);
	errand_note_length(er);
	run_post(er->run, RUN_EV_RESULTS);
}

static void
answered(struct tool_call *handle, struct span answer, void *owner)
{
	struct turn_call *call = owner;
	struct errand *er = call->errand;
	struct error e;

	CHECK(call->call == handle);
	gate_leave(&call->place);
	if (er->supplies->sched != NULL)
		sched_wake(er->supplies->sched); /* a place is free */
	if (er->environment.secrets != NULL)
		answer = environment_scrub(
		    er->environment.secrets, answer, &er->scratch);
	call->answer = arena_span(&er->scratch, answer);
	call->ended_ms = errand_now();
	trace(&er->trace, EV_TOOL_CALL, (int32_t)call->seq,
	    call->ended_ms - call->began_ms);
	call->call = NULL;
	tool_call_free(handle);
	if (call->answer.p == NULL) {
		error_set(&e, ERROR_INTERNAL, 0,
		    "no memory for the answer of a tool call");
		run_post_error(er->run, &e);
		return;
	}
	er->turn.answered++;
	family_count_tool_call(er);
	if (er->watch->tool_output != NULL)
		er->watch->tool_output(er, call);
	if (er->turn.answered == er->turn.calls)
		all_answered(er);
	else
		run_post(er->run, RUN_EV_RECORD);
}

static void
begin(struct turn_call *call)
{
	struct errand *er = call->errand;
	struct error e;

	if (er->watch->tool_called != NULL)
		er->watch->tool_called(er, call);
	call->call =
	    tool_call_start(er->toolbox, &call->item, answered, call, &e);
	if (call->call == NULL)
		errand_fail(er, &e, ERROR_INTERNAL);
}

static void
passed(struct gate_ticket *t)
{
	begin(container_of(t, struct turn_call, place));
}

/* One that starts an agent waits here while as many as may be are at work. */
static void
begin_or_wait(struct turn_call *call)
{
	struct errand *er = call->errand;

	call->is_waiting =
	    toolset_starts_agent(&er->role->toolset, &call->item) &&
	    !family_has_room(er);
	if (!call->is_waiting)
		begin(call);
}

void
errand_go_on_calling(struct errand *er)
{
	for (unsigned i = 0; i < er->turn.calls && family_has_room(er); i++)
		if (er->turn.call[i].is_waiting)
			begin_or_wait(&er->turn.call[i]);
}

int
errand_call_tools(struct run *run, struct error *e)
{
	struct errand *er = run_owner(run);
	struct supplies *s = er->supplies;
	struct tool_host host = {.sandbox = lend_sandbox,
	    .agents = &family_ports,
	    .programs = errand_programs(er),
	    .owner = er,
	    .cwd = errand_cwd(er),
	    .run = er->id,
	    .skills = &er->role->agent->skills,
	    .environment = lend_environment,
	    .timeouts = &er->role->agent->tool_timeouts};

	errand_clock_run(er);
	if (er->toolbox == NULL) {
		er->toolbox =
		    toolbox_new(s->tools, &er->role->toolset, &host, e);
		if (er->toolbox == NULL) {
			e->code = ERROR_INTERNAL;
			return -1;
		}
	}
	stopwatch_start(&er->tools_time, s->loop);
	for (unsigned i = 0; i < er->turn.calls; i++) {
		struct turn_call *call = &er->turn.call[i];

		if (toolset_takes_place(&er->role->toolset, &call->item))
			gate_ask(sched_commands(s->sched, run), &call->place,
			    passed);
		else
			begin_or_wait(call);
	}
	errand_go_on(run);
	return 0;
}
