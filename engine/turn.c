#include "engine/turn.h"

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/transcript.h"
#include "net/provider.h"

void
turn_init(struct turn *t)
{
	*t = (struct turn){NULL, 0, 0};
}

static int
no_memory(struct error *e)
{
	return error_set(e, ERROR_INTERNAL, 0,
	    "the run's memory is full: its transcript is too long");
}

/* Add one item; what it points at lies in the transcript's own copy. */
static int
take_item(struct turn *t, struct span json, struct transcript *tr,
    struct arena *scratch, uint32_t number, int64_t at_ms, struct text *said,
    struct error *e)
{
	struct item item;

	if (transcript_add(tr, json, number, at_ms) == -1)
		return no_memory(e);
	if (item_parse(&item, tr->json[tr->n - 1], scratch, e) == -1) {
		e->code = ERROR_MODEL_PROTOCOL;
		return error_wrap(e, "the model's answer has a bad item");
	}
	if (item.kind == ITEM_MESSAGE)
		item_add_text(&item, said);
	if (item.kind == ITEM_COMPACTION)
		tr->forgotten = tr->n - 1; /* it stands for what was before */
	if (item_part(item.kind) != ITEM_PART_CALL)
		return 0;
	if (t->calls == LIMIT_TOOL_CALLS_PER_TURN)
		return error_set(e, ERROR_MODEL_PROTOCOL, 0,
		    "the model asked for more than %d tool calls in one turn",
		    LIMIT_TOOL_CALLS_PER_TURN);
	t->call[t->calls++] = (struct turn_call){.item = item};
	return 0;
}

int
turn_take_reply(struct turn *t, const struct model_reply *reply,
    struct transcript *tr, struct arena *scratch, uint32_t number,
    int64_t at_ms, struct text *said, struct error *e)
{
	unsigned most = reply->items < LIMIT_TOOL_CALLS_PER_TURN
			    ? reply->items
			    : LIMIT_TOOL_CALLS_PER_TURN;

	turn_init(t);
	t->call = arena_alloc(scratch, most * sizeof *t->call);
	if (t->call == NULL)
		return no_memory(e);
	for (unsigned i = 0; i < reply->items; i++)
		if (take_item(t, reply_item(reply, i), tr, scratch, number,
			at_ms, said, e) == -1)
			return -1;
	return text_overflowed(said) ? no_memory(e) : 0;
}

int
turn_put_answers(
    struct turn *t, struct transcript *tr, uint32_t number, int64_t at_ms)
{
	CHECK(t->answered == t->calls);
	for (unsigned i = 0; i < t->calls; i++)
		if (transcript_add(tr, t->call[i].answer, number, at_ms) == -1)
			return -1;
	return 0;
}
