#include "net/provider_private.h"

#include <string.h>

#include "engine/base/pool.h"

static void
release_block(struct reply_block *b)
{
	text_release(&b->id);
	text_release(&b->name);
	text_release(&b->body);
	text_release(&b->raw);
}

void
reply_drop_blocks(struct model_reply *r)
{
	for (unsigned i = 0; i < r->blocks; i++)
		release_block(&r->block[i]);
	r->blocks = 0;
}

struct reply_block *
block_find(const struct model_reply *r, enum block_kind kind, int64_t index)
{
	for (unsigned i = r->blocks; i-- > 0;)
		if (r->block[i].kind == kind &&
		    (index == -1 || r->block[i].index == index))
			return &r->block[i];
	return NULL;
}

static int
room_for_block(struct model_reply *r)
{
	struct reply_block *more;
	size_t got;

	if (r->blocks < r->blocks_size)
		return 0;
	if (r->blocks >= LIMIT_REPLY_ITEMS)
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "an answer of more than %d items", LIMIT_REPLY_ITEMS);
	more = pool_take((r->blocks + 2) * 2 * sizeof(*more), &got);
	if (more == NULL)
		return reply_fail(
		    r, ERROR_INTERNAL, 1, "no memory for an answer's items");
	if (r->blocks > 0)
		memcpy(more, r->block, r->blocks * sizeof(*more));
	pool_give(r->block);
	r->block = more;
	r->blocks_size = (unsigned)(got / sizeof(*more));
	return 0;
}

struct reply_block *
block_add(struct model_reply *r, enum block_kind kind, int64_t index)
{
	unsigned calls = 0;
	struct reply_block *b;

	for (unsigned i = 0; i < r->blocks; i++)
		calls += r->block[i].kind == BLOCK_CALL;
	if (kind == BLOCK_CALL && calls >= LIMIT_TOOL_CALLS_PER_TURN) {
		reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "more than %d tool calls in one answer",
		    LIMIT_TOOL_CALLS_PER_TURN);
		return NULL;
	}
	if (room_for_block(r) == -1)
		return NULL;
	b = &r->block[r->blocks++];
	b->kind = kind;
	b->index = index;
	text_init(&b->id, 4096);
	text_init(&b->name, 4096);
	text_init(
	    &b->body, kind == BLOCK_CALL ? LIMIT_TOOL_ARGUMENTS : LIMIT_ANSWER);
	text_init(&b->raw, LIMIT_ANSWER);
	return b;
}

int
block_append(struct model_reply *r, struct reply_block *b, struct span escaped)
{
	text_add(&b->body, escaped);
	if (!text_overflowed(&b->body))
		return 0;
	return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
	    b->kind == BLOCK_CALL
		? "a tool call with arguments of more than %zu bytes"
		: "a text of more than %zu bytes",
	    b->body.bytes_max);
}

/* --- blocks become items --- */

static void
put_escaped(struct json_writer *w, const char *key, struct span escaped)
{
	json_write_key(w, key);
	json_write_string_begin(w);
	json_write_string_add_escaped(w, escaped);
	json_write_string_end(w);
}

static void
write_message(struct json_writer *w, const struct reply_block *b)
{
	int refusal = b->kind == BLOCK_REFUSAL;

	json_put_str(w, "type", "message");
	json_put_str(w, "role", "assistant");
	json_put_str(w, "status", "completed");
	json_put_array(w, "content");
	json_write_object(w);
	json_put_str(w, "type", refusal ? "refusal" : "output_text");
	put_escaped(w, refusal ? "refusal" : "text", text_span(&b->body));
	if (!refusal) {
		json_put_array(w, "annotations");
		json_write_end(w);
	}
	json_write_end(w);
	json_write_end(w);
}

static void
write_reasoning(struct json_writer *w, const struct reply_block *b)
{
	json_put_str(w, "type", "reasoning");
	json_put_array(w, "summary");
	json_write_end(w);
	json_put_array(w, "content");
	if (b->body.n > 0) {
		json_write_object(w);
		json_put_str(w, "type", "reasoning_text");
		put_escaped(w, "text", text_span(&b->body));
		json_write_end(w);
	}
	json_write_end(w);
	if (b->raw.n > 0)
		put_escaped(w, "encrypted_content", text_span(&b->raw));
}

/* For servers that name no ids: the same call of an answer, the same id. */
static void
invent_id(struct model_reply *r, struct reply_block *b)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	const struct text *of[] = {&r->id, &b->name, &b->body};

	for (int t = 0; t < 3; t++)
		for (size_t i = 0; i < of[t]->n; i++) {
			hash ^= (unsigned char)of[t]->p[i];
			hash *= UINT64_C(0x100000001b3);
		}
	text_printf(&b->id, "call_%016llx_%u", (unsigned long long)hash,
	    (unsigned)(b - r->block));
}

static void
write_call(struct model_reply *r, struct json_writer *w, struct reply_block *b)
{
	if (b->id.n == 0)
		invent_id(r, b);
	json_put_str(w, "type", "function_call");
	put_escaped(w, "call_id", text_span(&b->id));
	put_escaped(w, "name", text_span(&b->name));
	put_escaped(w, "arguments",
	    b->body.n > 0 ? text_span(&b->body) : span_of("{}"));
	json_put_str(w, "status", "completed");
}

static void
write_block(struct model_reply *r, struct json_writer *w, struct reply_block *b)
{
	json_write_object(w);
	switch (b->kind) {
	case BLOCK_TEXT:
	case BLOCK_REFUSAL:
		write_message(w, b);
		break;
	case BLOCK_REASONING:
		write_reasoning(w, b);
		break;
	case BLOCK_CALL:
		write_call(r, w, b);
		break;
	case BLOCK_OTHER:
		json_put_str(w, "type", "messages_content");
		json_put_raw(w, "block", text_span(&b->raw));
		break;
	}
	json_write_end(w);
}

int
block_keep_all(struct model_reply *r)
{
	struct json_writer w;
	struct text json;
	int kept = 0;

	text_init(&json, LIMIT_ANSWER);
	for (unsigned i = 0; i < r->blocks && kept == 0; i++) {
		struct reply_block *b = &r->block[i];

		if (b->kind != BLOCK_CALL && b->body.n == 0 && b->raw.n == 0)
			continue;
		text_clear(&json);
		json_write_init(&w, &json);
		write_block(r, &w, b);
		if (json_write_done(&w) == -1)
			kept = reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
			    "an answer of more than %zu bytes", LIMIT_ANSWER);
		else
			kept = reply_keep_json(r, text_span(&json));
	}
	text_release(&json);
	reply_drop_blocks(r);
	return kept;
}

int
reply_stopped(struct model_reply *r)
{
	if (block_keep_all(r) == -1)
		return -1;
	switch ((enum reply_stop)r->stop) {
	case STOP_LENGTH:
		return reply_incomplete(r, span_of("max_output_tokens"));
	case STOP_WINDOW:
		r->is_too_long = 1;
		return reply_incomplete(
		    r, span_of("model_context_window_exceeded"));
	case STOP_FILTER:
		return reply_incomplete(r, span_of("content_filter"));
	case STOP_REFUSAL:
		r->refused = 1;
		r->calls = 0;
		return reply_done(r);
	case STOP_NONE:
	case STOP_DONE:
		break;
	}
	return reply_done(r);
}
