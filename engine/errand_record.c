/* What the store is told of an errand, inside the turn's transaction. */

#include <unistd.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/role.h"
#include "sandbox/sandbox.h"

/* For errand_dump() alone: whose last events a failed CHECK should show. */
static const struct trace_ring *moved_last;

void
errand_dump(void)
{
	if (moved_last != NULL)
		trace_dump(moved_last, STDERR_FILENO);
}

void
errand_trace_ends(const struct errand *er)
{
	if (moved_last == &er->trace)
		moved_last = NULL;
}

static void
record_birth(struct errand *er)
{
	struct supplies *s = er->supplies;

	if (er->attempts > 1) {
		store_run_again(
		    s->store, er->number, er->task.line, er->queued_ms);
		return;
	}
	struct store_run row = {
	    .number = er->number,
	    .agent = er->role->digest,
	    .parent = er->family.parent == NULL ? 0 : er->family.parent->number,
	    .depth = er->family.depth,
	    .task = er->task.digest,
	    .agent_name = span_of(er->role->agent->name),
	    .custom_id = er->task.custom_id,
	    .line = er->task.line,
	    .created_ms = er->queued_ms,
	};

	if (row.custom_id.n == 0 || row.parent != 0)
		row.custom_id = (struct span){NULL, 0};
	for (size_t i = 0; i < sizeof row.id; i++)
		row.id[i] = er->id[i];
	store_run_add(s->store, &row);
}

static void
record_items(struct errand *er)
{
	struct transcript *tr = &er->transcript;

	if (tr->note.n > 0)
		store_item_add(er->supplies->store, er->number, ++tr->stored,
		    tr->note_entry.turn, tr->note_entry.at_ms, tr->note);
	tr->note.n = 0;
	for (; tr->recorded < tr->n - tr->held; tr->recorded++)
		store_item_add(er->supplies->store, er->number, ++tr->stored,
		    tr->entry[tr->recorded].turn, tr->entry[tr->recorded].at_ms,
		    tr->json[tr->recorded]);
}

/* The model call of the turn that was just entered, and its end. */
static void
record_model_call(struct errand *er, enum run_state to, int64_t now)
{
	struct supplies *s = er->supplies;
	const struct error *why = run_error(er->run);

	if (er->call_open) {
		int ok = to != RUN_FAILED && to != RUN_CANCELLED;

		er->call_open = 0;
		store_call_end(s->store, er->number, er->model_seq,
		    ok ? "answered" : run_state_name(to),
		    ok ? (struct span){NULL, 0} : span_of(why->text), now);
	}
	if (!run_state_calls_model(to))
		return;
	er->call_open = 1;
	er->model_seq = ++er->calls;
	store_call_begin(s->store, er->number, er->model_seq,
	    run_state_name(to), er->spent.turns,
	    span_of(er->role->agent->model.name), (struct span){NULL, 0}, now);
}

static void
record_tool_calls(struct errand *er, enum run_state to, int64_t now)
{
	struct supplies *s = er->supplies;

	for (unsigned i = 0; i < er->turn.calls; i++) {
		struct turn_call *c = &er->turn.call[i];
		int is_cut = run_state_is_end(to) && c->answer.n == 0;

		if (to == RUN_TOOLS && !c->begin_recorded) {
			c->begin_recorded = 1;
			c->began_ms = now;
			store_call_begin(s->store, er->number, c->seq, "tool",
			    er->spent.turns,
			    c->item.name.n > 0 ? c->item.name : c->item.type,
			    c->item.call_id, now);
		}
		if (!c->begin_recorded || c->end_recorded ||
		    (c->answer.n == 0 && !is_cut))
			continue;
		c->end_recorded = 1;
		store_call_end(s->store, er->number, c->seq,
		    is_cut ? "cut" : "answered", (struct span){NULL, 0},
		    is_cut ? now : c->ended_ms);
	}
}

static void
fill_timing(struct errand *er, int64_t now)
{
	const struct loop *l = er->supplies->loop;
	struct result_timing *t = &er->result.timing;

	stopwatch_stop(&er->model_time, l);
	stopwatch_stop(&er->waited, l);
	stopwatch_stop(&er->sandbox_time, l);
	stopwatch_stop(&er->tools_time, l);
	*t = (struct result_timing){
	    .queued_ms = er->queued_ms,
	    .started_ms = er->started_ms,
	    .finished_ms = now,
	    .wall_ms = er->has_started ? loop_now_ms(l) - er->started_at : 0,
	    .model_ms = er->model_time.total,
	    .waited_ms = er->waited.total,
	    .sandbox_ms = er->sandbox_time.total,
	    .tools_ms = er->tools_time.total,
	};
}

/* A cancelled run has no error of its own: somebody asked. */
static const struct error cancelled = {
    .code = ERROR_CANCELLED,
    .text = "somebody asked it to stop",
};
static const struct error too_long = {
    .code = ERROR_INTERNAL,
    .text = "the answer is too long for a result line",
};

static const struct error *
reason(const struct errand *er, enum run_state to)
{
	const struct error *why = run_error(er->run);

	if (to == RUN_FINISHED)
		return NULL;
	return to == RUN_CANCELLED || why->code == ERROR_NONE ? &cancelled
							      : why;
}

static void
fill_result(struct errand *er, enum run_state to, int64_t now)
{
	char *task = arena_alloc(&er->keep, HASH_TEXT_MAX);
	char *profile = arena_alloc(&er->keep, HASH_TEXT_MAX);
	struct result *r = &er->result;

	*r = (struct result){
	    .custom_id = er->task.custom_id,
	    .run_id = er->id,
	    .status = to,
	    .output_text = er->answer,
	    .error = reason(er, to),
	    .line = er->task.line,
	    .usage = er->spent,
	    .outputs = &er->files,
	    .changes = er->is_changed_known ? &er->changed : NULL,
	    .changes_omitted = er->changed_omitted,
	    .agent = er->first->agent->name,
	    .agent_digest = er->first->agent->digest,
	    .task_digest = task,
	    .profile = er->profile->name,
	    .profile_digest = profile,
	    .model = er->model_name,
	    .request_id = er->request_id,
	    .attempts = er->attempts,
	};
	if (r->custom_id.n == 0 || er->family.depth > 0)
		r->custom_id = (struct span){NULL, 0};
	if (profile != NULL)
		profile_digest(er->profile, profile);
	if (er->role != er->first)
		r->handed_to = er->role->agent->name;
	if (task != NULL)
		digest_text(&er->task.digest, task);
	fill_timing(er, now);
}

static void
record_end(struct errand *er, enum run_state to, int64_t now)
{
	struct store_end end = {.state = to, .at_ms = now};
	struct sandbox_facts facts;
	struct text line;

	fill_result(er, to, now);
	if (er->result.error != NULL) {
		end.error_code = span_of(error_name(er->result.error->code));
		end.error_message = span_of(er->result.error->text);
	}
	if (er->sandbox != NULL && run_has_sandbox(er->run)) {
		sandbox_facts(er->sandbox, &facts);
		er->result.sandbox = &facts;
		er->result.commits_n =
		    sandbox_commits(er->sandbox, &er->result.commits);
	}
	text_init(&line, POOL_BLOCK_MAX - 1);
	result_write(&er->result, &line);
	if (text_overflowed(&line)) {
		text_clear(&line);
		er->result.output_text = (struct span){"", 0};
		er->result.status = end.state = RUN_FAILED;
		er->result.error = &too_long;
		result_write(&er->result, &line);
	}
	end.result = text_span(&line);
	store_run_end(er->supplies->store, er->number, &end);
	if (er->family.working > 0)
		store_run_cut_below(er->supplies->store, er->number, now);
	er->result_line = arena_span(&er->keep, end.result);
	text_release(&line);
}

static void
start_clock(struct errand *er, int64_t now)
{
	if (er->has_started)
		return;
	er->has_started = 1;
	er->started_ms = now;
	er->started_at = loop_now_ms(er->supplies->loop);
}

void
errand_record(struct run *run, enum run_state from, enum run_state to)
{
	struct errand *er = run_owner(run);
	struct supplies *s = er->supplies;
	int64_t now = errand_now();

	if (!er->is_stored) {
		er->is_stored = 1;
		record_birth(er);
	}
	if (from == RUN_QUEUED && to != RUN_QUEUED && !run_state_is_end(to))
		start_clock(er, now);
	if (to == RUN_MODEL && from != to)
		er->spent.turns++;
	record_items(er);
	if (from != to)
		record_model_call(er, to, now);
	record_tool_calls(er, to, now);
	errand_record_programs(er, to, now);
	if (er->role_changed) {
		er->role_changed = 0;
		store_run_agent(
		    s->store, er->number, span_of(er->role->agent->name));
	}
	if (from == to)
		return;
	moved_last = &er->trace;
	er->trace.turn = (uint16_t)er->spent.turns;
	trace(&er->trace, EV_RUN_STATE, (int32_t)from, to);
	store_run_usage(s->store, er->number, &er->spent);
	if (run_state_is_end(to)) {
		record_end(er, to, now);
		return;
	}
	store_run_state(s->store, er->number, to, now);
	if (run_state_calls_model(to) || to == RUN_SANDBOX)
		errand_clock_stop(er); /* until it passes the gate */
}
