/* COMPACTION: the older part of the transcript becomes a summary. */

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/compaction.h"
#include "engine/errand.h"
#include "engine/role.h"
#include "net/item.h"
#include "net/model_call.h"

extern const char tools_compaction_txt[];

static const struct agent_compaction *
settings(const struct errand *er)
{
	return &er->role->agent->compaction;
}

/* What does not fit the model, of unknown size, is cut further. */
static int
plan(const struct errand *er, int is_overflow, struct compaction_cut *cut)
{
	uint64_t keep = (uint64_t)settings(er)->keep_tokens;
	uint64_t head = (uint64_t)settings(er)->threshold_tokens / 2;
	uint64_t all = compaction_tokens(&er->transcript, 0);

	if (is_overflow && keep > all / 4)
		keep = all / 4;
	if (is_overflow && head > all / 2)
		head = all / 2;
	return compaction_plan(&er->transcript, head, keep, cut);
}

void
errand_note_length(struct errand *er)
{
	const struct transcript *t = &er->transcript;
	struct compaction_cut cut;
	/* What the server has counted, and what came behind it. */
	uint64_t tokens = er->last.input + er->last.output;
	size_t from = tokens > 0 ? t->n - er->turn.calls : 0;

	if (!settings(er)->enabled || er->compaction_failed || t->forgotten > 0)
		return;
	tokens += compaction_tokens(t, from);
	if (tokens >= (uint64_t)settings(er)->threshold_tokens &&
	    plan(er, 0, &cut))
		run_set_needs_compaction(er->run);
}

int
errand_overflowed(struct errand *er, const struct error *e)
{
	struct compaction_cut cut;

	if (!settings(er)->enabled || er->overflow != NULL ||
	    !plan(er, 1, &cut))
		return 0;
	er->overflow = arena_alloc(&er->keep, sizeof *er->overflow);
	if (er->overflow == NULL)
		return 0;
	*er->overflow = *e;
	run_post(er->run, RUN_EV_TOO_LONG);
	return 1;
}

/* --- the call --- */

/* Without a summary a run that was only long goes on as it is. */
static void
no_summary(struct errand *er)
{
	if (er->overflow != NULL) {
		errand_fail(er, er->overflow, ERROR_MODEL_REJECTED);
		return;
	}
	er->compaction_failed = 1;
	run_post(er->run, RUN_EV_COMPACTED);
}

static void
put_summary(struct errand *er, struct span summary)
{
	struct compaction_cut cut;
	struct text message, item;
	int failed = 1;

	text_init(&message, LIMIT_ANSWER);
	text_init(&item, LIMIT_ANSWER);
	if (plan(er, er->overflow != NULL, &cut)) {
		compaction_write_message(summary, &message);
		compaction_write_item(summary, &cut, &item);
		if (!text_overflowed(&message) && !text_overflowed(&item))
			failed = transcript_replace(&er->transcript, cut.head,
			    cut.cut, text_span(&message), text_span(&item),
			    (uint32_t)er->spent.turns, errand_now());
	}
	text_release(&message);
	text_release(&item);
	if (failed) {
		no_summary(er);
		return;
	}
	/* The next request is shorter than the last one was. */
	er->last = (struct call_tokens){
	    .input = compaction_tokens(&er->transcript, 0)};
	run_post(er->run, RUN_EV_COMPACTED);
}

static void
done(void *owner, const struct model_result *r)
{
	struct errand *er = owner;
	struct arena arena;
	struct text summary;
	struct item it;
	struct error e;
	struct call_tokens before = er->last;

	errand_model_over(er);
	errand_count_tokens(er, &r->reply->usage);
	er->last = before; /* of the next turn, the last turn tells more */
	arena_init(&arena, LIMIT_ANSWER);
	text_init(&summary, LIMIT_ANSWER);
	for (unsigned i = 0; i < r->reply->items; i++)
		if (item_parse(&it, reply_item(r->reply, i), &arena, &e) == 0)
			(void)item_add_text(&it, &summary);
	if (span_trim(text_span(&summary)).n > 0)
		put_summary(er, span_trim(text_span(&summary)));
	else
		no_summary(er);
	text_release(&summary);
	arena_release(&arena);
}

static void
failed(void *owner, const struct model_failure *f)
{
	struct errand *er = owner;

	struct call_tokens before = er->last;

	errand_model_over(er);
	if (f->usage.known)
		errand_count_tokens(er, &f->usage);
	er->last = before;
	no_summary(er);
}

static const struct model_call_ops ops = {
    .placed = errand_model_placed,
    .done = done,
    .failed = failed,
};

/*
 * What does not fit the model's window will not fit it in another form: then
 * half of it at most is told.
 */
static uint64_t
tokens_told(const struct errand *er)
{
	uint64_t most = (uint64_t)settings(er)->threshold_tokens;
	uint64_t half = compaction_tokens(&er->transcript, 0) / 2;

	return er->overflow != NULL && half < most ? half : most;
}

int
errand_compact(struct run *run, struct error *e)
{
	struct errand *er = run_owner(run);
	struct compaction_cut cut = {0, 0};
	struct text told, item;
	struct span span;
	struct model_request q = {
	    .model = span_of(er->role->agent->model.name),
	    .instructions = span_of(tools_compaction_txt),
	    .items = &span,
	    .nitems = 1,
	    .max_output_tokens = (uint64_t)settings(er)->summary_tokens,
	    .stream = 1,
	};

	turn_init(&er->turn);
	arena_release(&er->scratch);
	text_init(&told, LIMIT_TRANSCRIPT);
	text_init(&item, LIMIT_TRANSCRIPT);
	(void)plan(er, er->overflow != NULL, &cut);
	text_add_str(&told, "<conversation>\n");
	compaction_tell(&er->transcript, &cut, tokens_told(er), &told);
	text_add_str(&told, "\n</conversation>\n");
	item_write_message(&item, "user", text_span(&told));
	span = text_span(&item);
	er->model = model_call_start(er->role->model, &q, &ops, er, e);
	text_release(&told);
	text_release(&item);
	if (er->model == NULL) {
		e->code = ERROR_INTERNAL;
		return -1;
	}
	stopwatch_start(&er->model_time, er->supplies->loop);
	return 0;
}
