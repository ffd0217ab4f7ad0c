/*
 * CHECKS: what came in, or the answer, is looked at by guardrails; or an
 * answer that is not in its form is sent back to the model, once.
 */

#include "engine/answer.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/guards.h"
#include "engine/role.h"
#include "net/item.h"
#include "net/json.h"
#include "net/model_call.h"

#define WITHHELD "Output withheld by an output guardrail."

extern const char tools_answer_repair_txt[];

static const struct guardrails *
rails(const struct errand *er)
{
	return &er->role->agent->guardrails;
}

/* --- an answer in the wrong form --- */

/* The text of tools/answer_repair.txt with why in it. */
static void
write_repair(struct span why, struct text *out)
{
	struct span text = span_of(tools_answer_repair_txt);
	struct span mark = span_of("${why}");
	size_t at = span_search(text, mark, 0);

	CHECK(at < text.n);
	text_add(out, span_slice(text, 0, at));
	text_add(out, why);
	text_add(out, span_trim(span_slice(text, at + mark.n, text.n)));
}

static int
ask_again(struct errand *er, const struct error *why)
{
	struct text told, item;
	int answer;

	text_init(&told, 64 * KIB);
	text_init(&item, 256 * KIB);
	write_repair(span_of(why->text), &told);
	item_write_message(&item, "user", text_span(&told));
	answer = text_overflowed(&item)
		     ? -1
		     : transcript_add(&er->transcript, text_span(&item),
			   (uint32_t)er->spent.turns, errand_now());
	text_release(&told);
	text_release(&item);
	return answer;
}

int
errand_check_form(struct errand *er, struct span said)
{
	struct error e;

	if (answer_check(er->role->agent->answer_schema, said, &e) == 0)
		return 0;
	er->check = CHECK_FORM;
	if (e.code != ERROR_MODEL_PROTOCOL || er->answer_repaired ||
	    ask_again(er, &e) == -1) {
		if (e.code == ERROR_MODEL_PROTOCOL)
			e.code = ERROR_MODEL_INCOMPLETE;
		errand_fail(er, &e, ERROR_INTERNAL);
		return -1;
	}
	er->answer_repaired = 1;
	if (er->watch->turn_finished != NULL)
		er->watch->turn_finished(er);
	run_post(er->run, RUN_EV_AGAIN);
	return -1;
}

/* --- an answer --- */

int
errand_holds_answer(const struct errand *er)
{
	return rails(er)->output.n > 0;
}

void
errand_stop(struct errand *er, struct span said, size_t from)
{
	er->answer = arena_span(&er->keep, said);
	er->check = CHECK_OUTPUT;
	if (errand_holds_answer(er))
		er->transcript.held = er->transcript.n - from;
	run_set_checks_answer(er->run, errand_holds_answer(er));
	if (er->watch->turn_finished != NULL)
		er->watch->turn_finished(er);
	run_post(er->run, RUN_EV_STOP);
}

/* What nobody may see is not stored either: one item takes its place. */
static void
withhold(struct errand *er)
{
	struct transcript *t = &er->transcript;
	size_t at = t->n - t->held;
	struct text item;
	struct span json;

	if (t->held == 0)
		return;
	text_init(&item, 4 * KIB);
	item_write_message(&item, "assistant", span_of(WITHHELD));
	json = arena_span(&er->keep, text_span(&item));
	text_release(&item);
	if (json.p == NULL)
		t->n = at;
	else {
		t->json[at] = json;
		t->n = at + 1;
	}
	t->held = 0;
	er->answer = span_of(WITHHELD);
}

/* --- guardrails --- */

static void
used(void *owner, const struct usage *usage)
{
	errand_count_tokens(owner, usage);
}

static void
done(void *owner, const struct error *error)
{
	struct errand *er = owner;

	er->guards = NULL;
	errand_clock_run(er);
	if (error != NULL && er->check == CHECK_OUTPUT)
		withhold(er);
	er->transcript.held = 0;
	if (error != NULL)
		errand_fail(er, error, ERROR_MODEL_UNAVAILABLE);
	else
		run_post(er->run, RUN_EV_CHECKED);
}

int
errand_check(struct run *run, struct error *e)
{
	static const struct guards_ops ops = {.used = used, .done = done};
	static const struct guardrail_list none;
	struct errand *er = run_owner(run);
	struct guards_order order = {
	    .loop = er->supplies->loop,
	    .list = &none,
	    .sandbox = run_has_sandbox(run) ? er->sandbox : NULL,
	    .environment = &er->environment,
	    .model = er->role->model,
	    .model_name = er->role->agent->model.name,
	};

	errand_clock_run(er);
	if (er->check == CHECK_INPUT) {
		order.list = &rails(er)->input;
		order.what = "input";
		order.text = er->task.input;
	} else if (er->check == CHECK_OUTPUT) {
		order.list = &rails(er)->output;
		order.what = "output";
		order.text = er->answer;
	}
	er->guards = guards_start(&order, &ops, er, e);
	if (er->guards != NULL)
		return 0;
	e->code = ERROR_INTERNAL;
	return -1;
}

/* --- tools whose result is the answer --- */

static int
stops_at(const struct tool_conduct *c, const struct item *call)
{
	switch (c->use) {
	case TOOL_USE_STOP_FIRST:
		return 1;
	case TOOL_USE_STOP_AT:
		for (unsigned i = 0; i < c->stop_at.n; i++)
			if (span_is(call->name.n > 0 ? call->name : call->type,
				c->stop_at.at[i]))
				return 1;
		return 0;
	default:
		return 0;
	}
}

int
errand_stops_at_tool(struct errand *er, size_t from)
{
	const struct tool_conduct *c = &er->role->agent->tool_use;
	unsigned i = 0;
	struct item item;
	struct text said;
	struct error e;

	while (i < er->turn.calls && !stops_at(c, &er->turn.call[i].item))
		i++;
	if (i == er->turn.calls)
		return 0;
	text_init(&said, LIMIT_ANSWER);
	if (item_parse(&item, er->turn.call[i].answer, &er->scratch, &e) == 0)
		item_add_output(&item, &said);
	errand_stop(er, text_span(&said), from);
	text_release(&said);
	return 1;
}
