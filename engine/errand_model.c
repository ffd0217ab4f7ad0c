/* MODEL: one model turn, from the transcript to the reply's items in it. */

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/handoff.h"
#include "engine/role.h"
#include "net/model_call.h"

static void
told_text(void *owner, struct span text)
{
	struct errand *er = owner;

	if (er->watch->text != NULL && !errand_holds_answer(er))
		er->watch->text(er, text);
}

static void
told_restarted(void *owner)
{
	struct errand *er = owner;

	if (er->watch->restarted != NULL)
		er->watch->restarted(er);
}

void
errand_model_placed(void *owner, int has_place)
{
	struct errand *er = owner;

	if (has_place)
		errand_clock_run(er);
	else
		errand_clock_stop(er);
}

void
errand_model_over(struct errand *er)
{
	er->model = NULL;
	errand_clock_run(er);
	stopwatch_stop(&er->model_time, er->supplies->loop);
}

void
errand_count_tokens(struct errand *er, const struct usage *u)
{
	er->last = (struct call_tokens){
	    .input = u->input_tokens,
	    .cached = u->cached_tokens,
	    .output = u->output_tokens,
	    .reasoning = u->reasoning_tokens,
	};
	family_count_tokens(er, &er->last);
}

/* Does any call of this turn need a sandbox? */
static int
needs_sandbox(struct errand *er)
{
	int needed = 0;

	for (unsigned i = 0; i < er->turn.calls; i++) {
		struct turn_call *call = &er->turn.call[i];

		call->errand = er;
		call->seq = ++er->calls;
		call->needs_sandbox =
		    toolset_needs_sandbox(&er->role->toolset, &call->item) != 0;
		needed |= call->needs_sandbox;
	}
	return needed;
}

static void
remember(struct errand *er, struct span *kept, struct span now)
{
	if (now.n > 0 && !span_eq(*kept, now))
		*kept = arena_span(&er->keep, now);
}

static void
done(void *owner, const struct model_result *r)
{
	struct errand *er = owner;
	size_t before = er->transcript.n;
	struct text said;
	struct error e;

	errand_model_over(er);
	er->overflow = NULL; /* it fits */
	trace(&er->trace, EV_MODEL_CALL, (int32_t)r->attempts,
	    (int64_t)r->timing.total_ms);
	errand_count_tokens(er, &r->reply->usage);
	remember(er, &er->model_name, text_span(&r->reply->model));
	remember(er, &er->request_id, r->request_id);
	text_init(&said, LIMIT_ANSWER);
	if (turn_take_reply(&er->turn, r->reply, &er->transcript, &er->scratch,
		(uint32_t)er->spent.turns, errand_now(), &said, &e) == -1) {
		text_release(&said);
		errand_fail(er, &e, ERROR_INTERNAL);
		return;
	}
	if (er->turn.calls > 0) {
		run_set_needs_sandbox(er->run, needs_sandbox(er));
		run_post(er->run, RUN_EV_CALLS);
	} else if (errand_check_form(er, text_span(&said)) == 0)
		errand_stop(er, text_span(&said), before);
	text_release(&said);
}

static void
failed(void *owner, const struct model_failure *f)
{
	struct errand *er = owner;

	errand_model_over(er);
	trace(&er->trace, EV_MODEL_CALL, (int32_t)f->attempts,
	    (int64_t)f->timing.total_ms);
	if (f->usage.known)
		errand_count_tokens(er, &f->usage);
	remember(er, &er->request_id, f->request_id);
	if (!f->is_too_long || !errand_overflowed(er, &f->error))
		errand_fail(er, &f->error, ERROR_MODEL_UNAVAILABLE);
}

static const struct model_call_ops ops = {
    .text = told_text,
    .restarted = told_restarted,
    .placed = errand_model_placed,
    .done = done,
    .failed = failed,
};

int
errand_call_model(struct run *run, struct error *e)
{
	struct errand *er = run_owner(run);
	const struct supplies *s = er->supplies;
	const struct role *role = er->role;
	struct model_request q = {
	    .model = span_of(role->agent->model.name),
	    .instructions = er->prompt,
	    .tools = role->spec,
	    .ntools = role->specs,
	    .settings = er->used_tools ? role->settings_later
				       : role->agent->model.settings,
	    .schema = role->agent->answer_schema,
	    .cache_key = span_of(role->agent->digest),
	    .compact_tokens =
		role->agent->compaction.enabled
		    ? (uint64_t)role->agent->compaction.threshold_tokens
		    : 0,
	    .stream = 1,
	};

	if (errand_looks_into_parents(er)) { /* and then this again */
		if (errand_survey(er, e) == 0)
			return 0;
		e->code = ERROR_INTERNAL;
		return -1;
	}
	/* The turn before this one is over: so is its memory. */
	turn_init(&er->turn);
	arena_release(&er->scratch);
	(void)transcript_forget(&er->transcript); /* else all is sent again */
	if (handoff_show(er, e) == -1)
		return -1;
	q.items = er->transcript.json;
	q.nitems = er->transcript.n;
	if (er->spent.turns == 1 && er->watch->started != NULL)
		er->watch->started(er);
	if (er->watch->turn_started != NULL)
		er->watch->turn_started(er);
	er->model = model_call_start(role->model, &q, &ops, er, e);
	if (er->model == NULL) {
		if (e->code > ERROR_INTERNAL)
			e->code = e->code == ERROR_TOO_BIG
				      ? ERROR_MODEL_REJECTED
				      : ERROR_INTERNAL;
		return -1;
	}
	stopwatch_start(&er->model_time, s->loop);
	return 0;
}
