#include "net/provider_private.h"

#include <string.h>

#include "net/sse.h"

/*
 * The answers of Chat Completions: pieces of one message.  Usage may come in
 * a chunk of its own behind the last choice, so the answer is whole when the
 * stream ends after a finish_reason, or at [DONE].
 */

/* --- pieces --- */

static enum piece_kind
piece_of(enum block_kind kind)
{
	return kind == BLOCK_TEXT        ? PIECE_TEXT
	       : kind == BLOCK_REASONING ? PIECE_REASONING
					 : PIECE_ARGUMENTS;
}

/* What is no string, or an empty one, adds nothing. */
static int
feed(struct model_reply *r, enum block_kind kind, int v)
{
	struct span raw = json_raw(&r->doc, v);
	struct reply_block *b;

	if (raw.n <= 2 || raw.p[0] != '"')
		return 0;
	b = block_find(r, kind, 0);
	if (b == NULL)
		b = block_add(r, kind, 0);
	if (b == NULL)
		return -1;
	return reply_piece(r, piece_of(kind), b, raw);
}

/* Content is a string, or, of some servers, a list of parts. */
static int
feed_content(struct model_reply *r, int content)
{
	const struct json_doc *d = &r->doc;

	if (json_type(d, content) != JSON_ARRAY)
		return feed(r, BLOCK_TEXT, content);
	for (int v = json_first(d, content); v != -1;
	     v = json_next(d, content, v))
		if (feed(r, BLOCK_TEXT, json_get(d, v, "text")) == -1)
			return -1;
	return 0;
}

/* Arguments as an object, of some servers, become the string they should be. */
static int
feed_arguments(struct model_reply *r, struct reply_block *b, int v)
{
	if (json_type(&r->doc, v) == JSON_STRING)
		return block_append(r, b, json_inner(&r->doc, v));
	if (json_type(&r->doc, v) != JSON_OBJECT)
		return 0;
	text_clear(&r->told);
	json_escape(json_raw(&r->doc, v), &r->told);
	return block_append(r, b, text_span(&r->told));
}

/*
 * The block a piece of a call belongs to.  Some servers number all calls 0,
 * some do not number them, some give no ids: another id, or a name where one
 * is known, begins another call.
 */
static struct reply_block *
call_block(struct model_reply *r, int v, struct span id, int named)
{
	int64_t index = json_int_or(&r->doc, json_get(&r->doc, v, "index"), -1);
	struct reply_block *b = block_find(r, BLOCK_CALL, index);

	if (b != NULL && id.n > 0 && b->id.n > 0 &&
	    !span_eq(text_span(&b->id), id))
		b = NULL;
	if (b != NULL && index == -1 && id.n == 0 && named && b->name.n > 0)
		b = NULL;
	if (b == NULL)
		b = block_add(
		    r, BLOCK_CALL, index != -1 ? index : INT64_MAX - r->blocks);
	return b;
}

static int
feed_call(struct model_reply *r, int v)
{
	const struct json_doc *d = &r->doc;
	int function = json_get(d, v, "function"), id = json_get(d, v, "id");
	int name = json_get(d, function, "name");
	struct span given = json_type(d, id) == JSON_STRING
				? json_inner(d, id)
				: (struct span){NULL, 0};
	struct reply_block *b =
	    call_block(r, v, given, json_type(d, name) == JSON_STRING);

	if (b == NULL)
		return -1;
	if (b->id.n == 0)
		text_add(&b->id, given);
	if (b->name.n == 0 && json_type(d, name) == JSON_STRING)
		text_add(&b->name, json_inner(d, name));
	if (text_overflowed(&b->id) || text_overflowed(&b->name))
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "a tool call with an endless id or name");
	return feed_arguments(r, b, json_get(d, function, "arguments"));
}

static int
feed_calls(struct model_reply *r, int list)
{
	const struct json_doc *d = &r->doc;

	if (json_type(d, list) != JSON_ARRAY)
		return 0;
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v))
		if (feed_call(r, v) == -1)
			return -1;
	return 0;
}

/* A delta, or a whole message. */
static int
feed_message(struct model_reply *r, int v)
{
	const struct json_doc *d = &r->doc;
	int thought = json_get(d, v, "reasoning_content");

	if (json_type(d, thought) != JSON_STRING)
		thought = json_get(d, v, "reasoning");
	if (feed(r, BLOCK_REASONING, thought) == -1 ||
	    feed_content(r, json_get(d, v, "content")) == -1 ||
	    feed(r, BLOCK_REFUSAL, json_get(d, v, "refusal")) == -1)
		return -1;
	return feed_calls(r, json_get(d, v, "tool_calls"));
}

/* --- chunks --- */

/* Some servers send "" with every chunk: that is no reason. */
static void
note_stop(struct model_reply *r, int v)
{
	if (json_type(&r->doc, v) != JSON_STRING ||
	    json_inner(&r->doc, v).n == 0)
		return;
	if (json_is(&r->doc, v, "length"))
		r->stop = STOP_LENGTH;
	else if (json_is(&r->doc, v, "content_filter"))
		r->stop = STOP_FILTER;
	else
		r->stop = STOP_DONE;
}

static void
read_usage(struct model_reply *r, int usage)
{
	const struct json_doc *d = &r->doc;
	int in = json_get(d, usage, "prompt_tokens_details");
	int out = json_get(d, usage, "completion_tokens_details");
	int cached = json_get(d, in, "cached_tokens");

	if (json_type(d, usage) != JSON_OBJECT)
		return;
	if (cached == -1)
		cached = json_get(d, usage, "prompt_cache_hit_tokens");
	r->usage = (struct usage){
	    .input_tokens =
		reply_tokens(r, json_get(d, usage, "prompt_tokens")),
	    .cached_tokens = reply_tokens(r, cached),
	    .output_tokens =
		reply_tokens(r, json_get(d, usage, "completion_tokens")),
	    .reasoning_tokens =
		reply_tokens(r, json_get(d, out, "reasoning_tokens")),
	    .known = 1,
	};
}

/* The choice that counts: the first, index 0. */
static int
feed_choices(struct model_reply *r, int choices, const char *message)
{
	const struct json_doc *d = &r->doc;
	int choice =
	    json_type(d, choices) == JSON_ARRAY ? json_first(d, choices) : -1;

	if (choice == -1 ||
	    json_int_or(d, json_get(d, choice, "index"), 0) != 0)
		return 0;
	if (feed_message(r, json_get(d, choice, message)) == -1)
		return -1;
	note_stop(r, json_get(d, choice, "finish_reason"));
	return 0;
}

static int
feed_chunk(struct model_reply *r, const char *message)
{
	const struct json_doc *d = &r->doc;

	if (r->id.n == 0)
		reply_note(r, json_get(d, 0, "id"), &r->id);
	if (r->model.n == 0)
		reply_note(r, json_get(d, 0, "model"), &r->model);
	read_usage(r, json_get(d, 0, "usage"));
	return feed_choices(r, json_get(d, 0, "choices"), message);
}

/*
 * The member of a delta that is its one string and no role: where there is
 * nothing else in it; else -1.
 */
static int
only_piece(const struct json_doc *d, int delta)
{
	int found = -1, v;

	for (int key = json_first(d, delta); key != -1;
	     key = json_next(d, delta, key)) {
		v = json_value(d, key);
		if (json_type(d, v) == JSON_NULL || json_is(d, key, "role"))
			continue;
		if (found != -1 || json_type(d, v) != JSON_STRING)
			return -1;
		found = key;
	}
	return found;
}

/* The block that a member of a delta continues, or NULL. */
static struct reply_block *
block_of(const struct model_reply *r, int key)
{
	if (json_is(&r->doc, key, "content"))
		return block_find(r, BLOCK_TEXT, 0);
	if (json_is(&r->doc, key, "reasoning_content") ||
	    json_is(&r->doc, key, "reasoning"))
		return block_find(r, BLOCK_REASONING, 0);
	return NULL;
}

/* Everything in v that is no container, or leads to none, stays as it is. */
static void
fix_members(struct model_reply *r, int v, int but)
{
	const struct json_doc *d = &r->doc;

	for (int key = json_first(d, v); key != -1; key = json_next(d, v, key))
		if (key != but)
			reply_fix(r, json_value(d, key));
}

/* Nearly every chunk is one choice with one piece of text. */
static void
expect_another(struct model_reply *r)
{
	const struct json_doc *d = &r->doc;
	int choices = json_get(d, 0, "choices");
	int choice = json_first(d, choices);
	int delta = json_get(d, choice, "delta");
	int key = only_piece(d, delta);
	struct reply_block *b = key == -1 ? NULL : block_of(r, key);

	if (b == NULL || r->id.n == 0 || r->model.n == 0 ||
	    json_size(d, choices) != 1 ||
	    json_int_or(d, json_get(d, choice, "index"), 0) != 0)
		return; /* not one that feed_choices() takes */
	reply_expect(r, piece_of(b->kind), b, json_value(d, key));
	fix_members(r, choice, -1);
	fix_members(r, delta, key);
	reply_fix(r, json_get(d, 0, "usage"));
	reply_fix(r, json_get(d, 0, "error"));
}

static int
event(struct model_reply *r, const struct sse_event *ev)
{
	int error = json_get(&r->doc, 0, "error");

	(void)ev;
	if (json_type(&r->doc, error) == JSON_OBJECT ||
	    json_type(&r->doc, error) == JSON_STRING)
		return reply_said_error(r, error);
	if (feed_chunk(r, "delta") == -1)
		return -1;
	expect_another(r);
	return 0;
}

static int
finish(struct model_reply *r)
{
	if (r->stop == STOP_NONE && !(r->done_marked && r->blocks > 0))
		return reply_fail(r, ERROR_MODEL_UNAVAILABLE, 0,
		    "the answer ended after %llu events without a "
		    "finish_reason",
		    (unsigned long long)r->events);
	return reply_stopped(r);
}

static int
whole(struct model_reply *r)
{
	if (json_size(&r->doc, json_get(&r->doc, 0, "choices")) == 0)
		return reply_fail(
		    r, ERROR_MODEL_PROTOCOL, 0, "an answer without choices");
	if (feed_chunk(r, "message") == -1)
		return -1;
	return reply_stopped(r);
}

const struct provider_ops provider_chat = {
    .name = "chat",
    .path = "/chat/completions",
    .key_field = "authorization",
    .key_prefix = "Bearer ",
    .done_marker = 1,
    .build = chat_build,
    .event = event,
    .whole = whole,
    .finish = finish,
};
