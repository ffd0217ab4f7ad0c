#include "net/provider_private.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/pool.h"

/* What all dialects do with an answer: keep items, end it. */

/* --- items --- */

static int
room_for_item(struct model_reply *r)
{
	struct reply_item *more;
	size_t got;

	if (r->items < r->items_size)
		return 0;
	if (r->items >= LIMIT_REPLY_ITEMS)
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "an answer of more than %d items", LIMIT_REPLY_ITEMS);
	more = pool_take((r->items + 1) * 2 * sizeof(*more), &got);
	if (more == NULL)
		return reply_fail(
		    r, ERROR_INTERNAL, 1, "no memory for an answer's items");
	if (r->items > 0)
		memcpy(more, r->item, r->items * sizeof(*more));
	pool_give(r->item);
	r->item = more;
	r->items_size = (unsigned)(got / sizeof(*more));
	return 0;
}

/* A call: its ceilings, and that no other has its id. */
static int
admit_call(struct model_reply *r, const struct item *it)
{
	struct span id;

	if (++r->calls > LIMIT_TOOL_CALLS_PER_TURN)
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "more than %d tool calls in one answer",
		    LIMIT_TOOL_CALLS_PER_TURN);
	if (it->payload.n > LIMIT_TOOL_ARGUMENTS)
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "a tool call with arguments of more than %zu bytes",
		    LIMIT_TOOL_ARGUMENTS);
	for (unsigned i = 0; i < r->items; i++) {
		id = (struct span){
		    r->bytes.p + r->item[i].call_at, r->item[i].call_n};
		if (id.n > 0 && span_eq(id, it->call_id))
			return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
			    "two tool calls with the id \"%.*s\"",
			    id.n > 64 ? 64 : (int)id.n, id.p);
	}
	return 0;
}

/* Append s; line ends, which can only stand between tokens, become spaces. */
static void
add_on_one_line(struct text *t, struct span s)
{
	size_t from = t->n;

	text_add(t, s);
	if (text_overflowed(t) ||
	    (memchr(s.p, '\n', s.n) == NULL && memchr(s.p, '\r', s.n) == NULL))
		return;
	for (size_t i = from; i < t->n; i++)
		if (t->p[i] == '\n' || t->p[i] == '\r')
			t->p[i] = ' ';
}

/* The word is looked for first: most messages do not hold it. */
static void
note_refusal(struct model_reply *r, const struct item *it)
{
	if (it->payload.n == 0 ||
	    memmem(it->payload.p, it->payload.n, "refusal", 7) == NULL)
		return;
	text_clear(&r->told);
	if (item_add_refusal(it, &r->told))
		r->refused = 1;
}

/* Where a span of the item lies once the item is at the end of bytes. */
static size_t
moved(const struct model_reply *r, const struct item *it, struct span part)
{
	return r->bytes.n + (size_t)(part.p - it->json.p);
}

static int
keep(struct model_reply *r, const struct item *it)
{
	struct reply_item *slot;

	if (item_part(it->kind) == ITEM_PART_CALL && admit_call(r, it) == -1)
		return -1;
	if (room_for_item(r) == -1)
		return -1;
	if (it->kind == ITEM_MESSAGE)
		note_refusal(r, it);
	slot = &r->item[r->items];
	*slot = (struct reply_item){.at = r->bytes.n, .n = it->json.n};
	/* An id with escapes lies in the arena: it is not compared again. */
	if (item_part(it->kind) == ITEM_PART_CALL &&
	    it->call_id.p > it->json.p &&
	    it->call_id.p < it->json.p + it->json.n) {
		slot->call_at = moved(r, it, it->call_id);
		slot->call_n = it->call_id.n;
	}
	add_on_one_line(&r->bytes, it->json);
	if (text_overflowed(&r->bytes))
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "an answer of more than %zu bytes", LIMIT_ANSWER);
	r->items++;
	return 0;
}

static int
keep_or_fail(struct model_reply *r, int bad, const struct item *it,
    const struct error *e)
{
	if (!bad)
		return keep(r, it);
	return reply_fail(r,
	    e->code == ERROR_FULL ? ERROR_INTERNAL : ERROR_MODEL_PROTOCOL, 0,
	    "%s", e->text);
}

int
reply_keep(struct model_reply *r, int v)
{
	struct arena scratch;
	struct error e;
	struct item it;
	int kept;

	arena_init(&scratch, LIMIT_TOOL_ARGUMENTS);
	kept = item_read(&it, &r->doc, v, &scratch, &e);
	kept = keep_or_fail(r, kept, &it, &e);
	arena_release(&scratch);
	return kept;
}

int
reply_keep_json(struct model_reply *r, struct span json)
{
	struct arena scratch;
	struct error e;
	struct item it;
	int kept;

	arena_init(&scratch, LIMIT_TOOL_ARGUMENTS);
	kept = item_parse(&it, json, &scratch, &e);
	kept = keep_or_fail(r, kept, &it, &e);
	arena_release(&scratch);
	return kept;
}

/* --- ends --- */

int
reply_done(struct model_reply *r)
{
	if (!r->refused || r->calls > 0) {
		r->end = REPLY_DONE;
		return 0;
	}
	return reply_fail(r, ERROR_MODEL_REFUSED, 1, "the model refused%s%.*s",
	    r->told.n > 0 ? ": " : "", r->told.n > 300 ? 300 : (int)r->told.n,
	    r->told.n > 0 ? r->told.p : "");
}

int
reply_incomplete(struct model_reply *r, struct span reason)
{
	reply_fail(r, ERROR_MODEL_INCOMPLETE, 1,
	    "the model stopped before it was done: %.*s",
	    reason.n > 64 ? 64 : (int)reason.n, reason.n == 0 ? "" : reason.p);
	r->end = REPLY_INCOMPLETE;
	return -1;
}

int
reply_said_error(struct model_reply *r, int v)
{
	int is_final, message;
	enum error_code code = provider_error_code(&r->doc, v, &is_final);
	struct span name;

	r->is_too_long = provider_says_too_long(&r->doc, v);
	text_clear(&r->told);
	if (json_type(&r->doc, v) == JSON_STRING) {
		name = (struct span){"error", 5};
		message = v;
	} else {
		name = json_inner(&r->doc, json_get(&r->doc, v, "code"));
		if (name.n == 0 || span_is(name, "null"))
			name =
			    json_inner(&r->doc, json_get(&r->doc, v, "type"));
		message = json_get(&r->doc, v, "message");
	}
	json_string_add(&r->doc, message, &r->told);
	return reply_fail(r, code, is_final, "%.*s: %.*s",
	    name.n > 64 ? 64 : (int)name.n, name.n > 0 ? name.p : "",
	    r->told.n > 300 ? 300 : (int)r->told.n,
	    r->told.p == NULL ? "" : r->told.p);
}

void
reply_note(const struct model_reply *r, int v, struct text *t)
{
	if (json_type(&r->doc, v) != JSON_STRING)
		return;
	text_clear(t);
	json_string_add(&r->doc, v, t);
}

uint64_t
reply_tokens(const struct model_reply *r, int v)
{
	int64_t n = json_int_or(&r->doc, v, 0);

	return n > 0 ? (uint64_t)n : 0;
}
