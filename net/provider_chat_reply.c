#include "net/provider_private.h"

#include <string.h>

#include "net/sse.h"

/*
 * The answers of Chat Completions: pieces of one message.  Usage may come in
 * a chunk of its own behind the last choice, so the answer is whole when the
 * stream ends after a finish_reason, or at [DONE].
 */

/* --- pieces --- */

/* A raw value; what is no string, or an empty one, adds nothing. */
static int
feed_raw(struct model_reply *r, enum block_kind kind, struct span raw)
{
	struct reply_block *b;

	if (raw.n <= 2 || raw.p[0] != '"')
		return 0;
	if (kind == BLOCK_TEXT)
		reply_tell_raw(r, raw, r->watch.text);
	else if (kind == BLOCK_REASONING)
		reply_tell_raw(r, raw, r->watch.reasoning);
	b = block_find(r, kind, 0);
	if (b == NULL)
		b = block_add(r, kind, 0);
	if (b == NULL)
		return -1;
	return block_append(r, b, span_slice(raw, 1, raw.n - 1));
}

static int
feed(struct model_reply *r, enum block_kind kind, int v)
{
	return feed_raw(r, kind, json_raw(&r->doc, v));
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

/* A delta that adds text and nothing else: its text, raw; else n == 0. */
static struct span
only_text(const struct json_peek *delta)
{
	struct span text = {NULL, 0};

	for (unsigned i = 0; i < delta->members; i++) {
		const struct json_member *m = &delta->member[i];

		if (span_is(m->key, "content") && m->value.p[0] == '"')
			text = m->value;
		else if (!span_is(m->key, "role") && !span_is(m->value, "null"))
			return (struct span){NULL, 0};
	}
	return text;
}

/*
 * Nearly every chunk is one choice with one piece of text: that much is seen
 * by peeking into the choice and into its delta.
 */
static int
peek_text(struct model_reply *r, struct span choices)
{
	struct json_peek choice, delta;
	struct span index, stop, text;
	struct error e;

	choices = span_trim(span_slice(choices, 1, choices.n - 1));
	if (json_peek(&choice, choices, 0, &e) == -1 || !choice.is_whole)
		return 0;
	index = json_peek_get(&choice, "index");
	stop = json_peek_get(&choice, "finish_reason");
	if ((index.n > 0 && !span_is(index, "0")) ||
	    (stop.n > 0 && !span_is(stop, "null")) ||
	    json_peek(&delta, json_peek_get(&choice, "delta"), 0, &e) == -1 ||
	    !delta.is_whole)
		return 0;
	text = only_text(&delta);
	if (text.n == 0)
		return 0;
	return feed_raw(r, BLOCK_TEXT, text) == -1 ? -1 : 1;
}

/* Of all chunks but the first and last, only the choices are of interest. */
static int
peek(struct model_reply *r, const struct json_peek *k)
{
	struct span usage = json_peek_get(k, "usage");
	struct span choices = json_peek_get(k, "choices");
	struct error e;
	int done;

	if (r->id.n == 0 || r->model.n == 0 || choices.n < 2 ||
	    json_peek_get(k, "error").n > 0 ||
	    (usage.n > 0 && !span_is(usage, "null")))
		return 0;
	done = choices.p[0] == '[' ? peek_text(r, choices) : 0;
	if (done != 0)
		return done;
	if (json_parse_value(&r->doc, k, choices, &e) == -1)
		return reply_fail(r, ERROR_INTERNAL, 1, "%s", e.text);
	return feed_choices(r, 0, "delta") == -1 ? -1 : 1;
}

static int
event(struct model_reply *r, const struct sse_event *ev)
{
	int error = json_get(&r->doc, 0, "error");

	(void)ev;
	if (json_type(&r->doc, error) == JSON_OBJECT ||
	    json_type(&r->doc, error) == JSON_STRING)
		return reply_said_error(r, error);
	return feed_chunk(r, "delta");
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
    .peek = peek,
    .whole = whole,
    .finish = finish,
};
