#include "net/provider_private.h"

#include <string.h>

#include "net/http1.h"
#include "net/sse.h"

/*
 * The answers of the Messages API: numbered blocks, each begun, continued and
 * ended by events of its own.
 */

static int
bad_block(struct model_reply *r, int64_t index)
{
	return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
	    "an event for block %lld, which was not begun", (long long)index);
}

/* --- usage and ends --- */

/* Tokens read from and written to the cache are not in input_tokens. */
static void
read_usage(struct model_reply *r, int usage)
{
	const struct json_doc *d = &r->doc;
	int in = json_get(d, usage, "input_tokens");
	int out = json_get(d, usage, "output_tokens");
	int read = json_get(d, usage, "cache_read_input_tokens");
	int written = json_get(d, usage, "cache_creation_input_tokens");

	if (json_type(d, usage) != JSON_OBJECT)
		return;
	r->usage.known = 1;
	if (json_type(d, in) == JSON_NUMBER) {
		r->usage.cached_tokens = reply_tokens(r, read);
		r->usage.cache_write_tokens = reply_tokens(r, written);
		r->usage.input_tokens = reply_tokens(r, in) +
					r->usage.cached_tokens +
					r->usage.cache_write_tokens;
	}
	if (json_type(d, out) == JSON_NUMBER)
		r->usage.output_tokens = reply_tokens(r, out);
}

static void
note_stop(struct model_reply *r, int v)
{
	if (json_type(&r->doc, v) != JSON_STRING)
		return;
	if (json_is(&r->doc, v, "max_tokens"))
		r->stop = STOP_LENGTH;
	else if (json_is(&r->doc, v, "model_context_window_exceeded"))
		r->stop = STOP_WINDOW;
	else if (json_is(&r->doc, v, "refusal"))
		r->stop = STOP_REFUSAL;
	else
		r->stop = STOP_DONE;
}

/* --- blocks --- */

static int
begin_call(struct model_reply *r, int v, int64_t index)
{
	const struct json_doc *d = &r->doc;
	int id = json_get(d, v, "id"), name = json_get(d, v, "name");
	int input = json_get(d, v, "input");
	struct reply_block *b;

	/* The structured answer: what it would be called with is the text. */
	if (json_is(d, name, MESSAGES_ANSWER_TOOL))
		b = block_add(r, BLOCK_TEXT, index);
	else
		b = block_add(r, BLOCK_CALL, index);
	if (b == NULL)
		return -1;
	text_add(&b->id, json_inner(d, id));
	text_add(&b->name, json_inner(d, name));
	if (json_type(d, id) != JSON_STRING ||
	    json_type(d, name) != JSON_STRING || b->id.n == 0 ||
	    b->name.n == 0 || text_overflowed(&b->id) ||
	    text_overflowed(&b->name))
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "a tool_use without a usable id or name");
	if (json_size(d, input) == 0)
		return 0;
	text_clear(&r->told);
	json_escape(json_raw(d, input), &r->told);
	return block_append(r, b, text_span(&r->told));
}

static int
begin_text(struct model_reply *r, int v, int64_t index)
{
	struct reply_block *b = block_add(r, BLOCK_TEXT, index);
	int text = json_get(&r->doc, v, "text");

	if (b == NULL)
		return -1;
	return reply_piece(r, PIECE_TEXT, b, json_raw(&r->doc, text));
}

static int
begin_thinking(struct model_reply *r, int v, int64_t index)
{
	const struct json_doc *d = &r->doc;
	struct reply_block *b = block_add(r, BLOCK_REASONING, index);
	int text = json_get(d, v, "thinking");
	int seal = json_get(d, v, "signature");

	if (b == NULL)
		return -1;
	if (json_is(d, json_get(d, v, "type"), "redacted_thinking"))
		seal = json_get(d, v, "data");
	if (json_type(d, seal) == JSON_STRING)
		text_add(&b->raw, json_inner(d, seal));
	return reply_piece(r, PIECE_REASONING, b, json_raw(d, text));
}

static int
begin_block(struct model_reply *r, int v, int64_t index)
{
	const struct json_doc *d = &r->doc;
	int type = json_get(d, v, "type");
	struct reply_block *b;

	if (json_type(d, v) != JSON_OBJECT)
		return bad_block(r, index);
	if (json_is(d, type, "text"))
		return begin_text(r, v, index);
	if (json_is(d, type, "tool_use"))
		return begin_call(r, v, index);
	if (json_is(d, type, "thinking") ||
	    json_is(d, type, "redacted_thinking"))
		return begin_thinking(r, v, index);
	b = block_add(r, BLOCK_OTHER, index);
	if (b == NULL)
		return -1;
	text_add(&b->raw, json_raw(d, v));
	return 0;
}

/* The newest block with that number. */
static struct reply_block *
numbered(struct model_reply *r, int64_t index)
{
	for (unsigned i = r->blocks; i-- > 0;)
		if (r->block[i].index == index)
			return &r->block[i];
	return NULL;
}

/* Of what a delta holds, what continues a block of that kind. */
static int
piece_of(const struct model_reply *r, int delta, enum block_kind kind,
    enum piece_kind *piece)
{
	static const struct {
		const char *member;
		enum piece_kind piece;
	} of[] = {
	    [BLOCK_TEXT] = {"text", PIECE_TEXT},
	    [BLOCK_REASONING] = {"thinking", PIECE_REASONING},
	    [BLOCK_CALL] = {"partial_json", PIECE_ARGUMENTS},
	};
	int v = -1;

	*piece = PIECE_NONE;
	if (kind != BLOCK_TEXT && kind != BLOCK_REASONING && kind != BLOCK_CALL)
		return -1;
	*piece = of[kind].piece;
	v = json_get(&r->doc, delta, of[kind].member);
	/* The structured answer is a call whose arguments are the text. */
	if (v == -1 && kind == BLOCK_TEXT) {
		*piece = PIECE_ARGUMENTS;
		v = json_get(&r->doc, delta, "partial_json");
	}
	return v;
}

static int
feed_block(struct model_reply *r, struct reply_block *b, int delta)
{
	const struct json_doc *d = &r->doc;
	int seal = json_get(d, delta, "signature");
	enum piece_kind kind;
	int v = piece_of(r, delta, b->kind, &kind);

	if (json_type(d, seal) == JSON_STRING) {
		text_add(&b->raw, json_inner(d, seal));
	} else if (json_type(d, json_get(d, 0, "type")) == JSON_STRING) {
		reply_expect(r, kind, b, v);
		reply_fix(r, json_get(d, 0, "type"));
		reply_fix(r, json_get(d, 0, "index"));
	}
	return reply_piece(r, kind, b, json_raw(d, v));
}

/* --- events --- */

static int
on_message_start(struct model_reply *r)
{
	int message = json_get(&r->doc, 0, "message");

	reply_note(r, json_get(&r->doc, message, "id"), &r->id);
	reply_note(r, json_get(&r->doc, message, "model"), &r->model);
	read_usage(r, json_get(&r->doc, message, "usage"));
	return 0;
}

static int64_t
index_of(const struct model_reply *r)
{
	return json_int_or(&r->doc, json_get(&r->doc, 0, "index"), -1);
}

static int
on_block_start(struct model_reply *r)
{
	return begin_block(
	    r, json_get(&r->doc, 0, "content_block"), index_of(r));
}

static int
on_block_delta(struct model_reply *r)
{
	struct reply_block *b = numbered(r, index_of(r));

	if (b == NULL)
		return bad_block(r, index_of(r));
	return feed_block(r, b, json_get(&r->doc, 0, "delta"));
}

static int
on_message_delta(struct model_reply *r)
{
	int delta = json_get(&r->doc, 0, "delta");

	note_stop(r, json_get(&r->doc, delta, "stop_reason"));
	read_usage(r, json_get(&r->doc, 0, "usage"));
	return 0;
}

static int
on_message_stop(struct model_reply *r)
{
	return reply_stopped(r);
}

static int
on_error(struct model_reply *r)
{
	return reply_said_error(r, json_get(&r->doc, 0, "error"));
}

static const struct {
	const char *type;
	int (*on)(struct model_reply *r);
} events[] = {
    {"content_block_delta", on_block_delta},
    {"content_block_start", on_block_start},
    {"message_start", on_message_start},
    {"message_delta", on_message_delta},
    {"message_stop", on_message_stop},
    {"error", on_error},
};

static int
event(struct model_reply *r, const struct sse_event *ev)
{
	int type = json_get(&r->doc, 0, "type");

	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		if (type == -1 ? span_is(ev->type, events[i].type)
			       : json_is(&r->doc, type, events[i].type))
			return events[i].on(r);
	return 0;
}

static int
whole(struct model_reply *r)
{
	const struct json_doc *d = &r->doc;
	int content = json_get(d, 0, "content");
	int64_t index = 0;

	if (json_type(d, content) != JSON_ARRAY)
		return reply_fail(
		    r, ERROR_MODEL_PROTOCOL, 0, "an answer without content");
	reply_note(r, json_get(d, 0, "id"), &r->id);
	reply_note(r, json_get(d, 0, "model"), &r->model);
	read_usage(r, json_get(d, 0, "usage"));
	for (int v = json_first(d, content); v != -1;
	     v = json_next(d, content, v))
		if (begin_block(r, v, index++) == -1)
			return -1;
	note_stop(r, json_get(d, 0, "stop_reason"));
	return reply_stopped(r);
}

static int
finish(struct model_reply *r)
{
	return reply_fail(r, ERROR_MODEL_UNAVAILABLE, 0,
	    "the answer ended after %llu events without message_stop",
	    (unsigned long long)r->events);
}

static const struct http_field version[] = {
    {{"anthropic-version", 17}, {"2023-06-01", 10}},
    {{NULL, 0}, {NULL, 0}},
};

const struct provider_ops provider_messages = {
    .name = "messages",
    .path = "/messages",
    .key_field = "x-api-key",
    .key_prefix = "",
    .fields = version,
    .build = messages_build,
    .event = event,
    .whole = whole,
    .finish = finish,
};
