/* What became of a run, as a line of its rollout. */

#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/memory.h"
#include "engine/result.h"
#include "net/json_write.h"

/* One item longer than this is left out; more than this together is halved. */
#define ITEM_MAX (1 * MIB)
#define ITEMS_MAX (6 * MIB)
#define INPUT_MAX (1 * MIB)

static const char *
terminal_state(const struct errand *er)
{
	const struct error *why = er->result.error;

	if (er->result.status == RUN_FINISHED)
		return "completed";
	if (er->result.status == RUN_CANCELLED)
		return "cancelled";
	if (why != NULL && why->code == ERROR_BUDGET_TURNS)
		return "max_turns_exceeded";
	if (why != NULL && why->code == ERROR_DENIED)
		return "guardrail_tripped";
	return "failed";
}

/* Is this one of the items that a memory is made from? */
static int
is_wanted(struct span json, struct arena *arena)
{
	arena_mark mark = arena_save(arena);
	struct error ignored;
	struct item item;
	int wanted = 0;

	if (item_parse(&item, json, arena, &ignored) == 0)
		wanted = item.kind != ITEM_REASONING &&
			 item.kind != ITEM_COMPACTION &&
			 item.kind != ITEM_IMAGE_GENERATION_CALL &&
			 !(item.kind == ITEM_MESSAGE &&
			     (span_is(item.role, "developer") ||
				 span_is(item.role, "system")));
	arena_reset(arena, mark);
	return wanted && json.n <= ITEM_MAX;
}

static void
put_omitted(struct json_writer *w, unsigned n)
{
	json_write_object(w);
	json_put_str(w, "type", "omitted");
	json_put_uint(w, "items", n);
	json_write_end(w);
}

/* All that is wanted; of too much, the beginning and the end. */
static void
put_items(struct json_writer *w, const struct transcript *t, struct arena *a)
{
	size_t all = 0, before = 0;
	unsigned omitted = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->entry[i].turn > 0 && is_wanted(t->json[i], a))
			all += t->json[i].n;
	json_put_array(w, "generated_items");
	for (size_t i = 0; i < t->n; i++) {
		struct span json = t->json[i];

		if (t->entry[i].turn == 0 || !is_wanted(json, a))
			continue;
		before += json.n;
		if (all > ITEMS_MAX && before > ITEMS_MAX / 2 &&
		    all - before > ITEMS_MAX / 2) {
			omitted++;
			continue;
		}
		if (omitted > 0)
			put_omitted(w, omitted);
		omitted = 0;
		json_write_raw(w, json);
	}
	json_write_end(w);
}

static void
put_input(struct json_writer *w, const struct errand *er)
{
	if (er->task.items.n > 0 && er->task.items.n <= INPUT_MAX)
		json_put_raw(w, "input", er->task.items);
	else
		json_put_span(
		    w, "input", span_slice(er->task.input, 0, INPUT_MAX));
}

static void
put_end(struct json_writer *w, const struct errand *er)
{
	const struct error *why = er->result.error;
	int has_answer = er->result.status == RUN_FINISHED;

	json_put_object(w, "terminal_metadata");
	json_put_str(w, "terminal_state", terminal_state(er));
	json_put_str(
	    w, "exception_type", why == NULL ? NULL : error_name(why->code));
	json_put_str(w, "exception_message", why == NULL ? NULL : why->text);
	json_put_bool(w, "has_final_output", has_answer);
	json_write_end(w);
	if (has_answer)
		json_put_span(
		    w, "final_output", span_slice(er->answer, 0, INPUT_MAX));
}

int
memory_add_rollout(
    const struct memory *m, const struct errand *er, struct error *e)
{
	char path[MEMORY_ID_MAX + 32], now[RESULT_TIME_BYTES];
	struct json_writer w;
	struct arena arena;
	struct text line;
	int status;

	if (er->spent.turns == 0)
		return 1;
	result_time(errand_now(), now);
	snprintf(path, sizeof path, MEMORY_SESSIONS "/%s.jsonl", er->id);
	text_init(&line, 2 * MEMORY_ROLLOUT_MAX);
	arena_init(&arena, 16 * MIB);
	json_write_init(&w, &line);
	json_write_object(&w);
	json_put_str(&w, "updated_at", now);
	json_put_str(&w, "rollout_id", er->id);
	put_input(&w, er);
	put_items(&w, &er->transcript, &arena);
	put_end(&w, er);
	json_write_end(&w);
	text_add_char(&line, '\n');
	status =
	    json_write_done(&w) == 0
		? memory_append(m, path, text_span(&line), e)
		: error_set(e, ERROR_TOO_BIG, 0, "the rollout is too long");
	arena_release(&arena);
	text_release(&line);
	return status;
}
