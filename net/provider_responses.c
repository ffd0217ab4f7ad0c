#include "net/provider_private.h"

#include <string.h>

#include "net/sse.h"

/*
 * The Responses API.  Items are its own and go back as they came; state is
 * kept by us (store: false), so reasoning travels encrypted inside its item,
 * in front of the call that it led to.
 */

/* --- the request --- */

#define ENCRYPTED "reasoning.encrypted_content"

static const char *const reserved[] = {
    "model", "input", "instructions", "tools", "stream", NULL};

static void
write_tool(struct json_writer *w, const struct tool_spec *tool)
{
	static const char *const types[] = {
	    [TOOL_FUNCTION] = "function",
	    [TOOL_CUSTOM] = "custom",
	    [TOOL_SHELL] = "shell",
	    [TOOL_LOCAL_SHELL] = "local_shell",
	    [TOOL_APPLY_PATCH] = "apply_patch",
	};

	if (tool->kind == TOOL_RAW) {
		json_write_raw(w, tool->parameters);
		return;
	}
	json_write_object(w);
	json_put_str(w, "type", types[tool->kind]);
	if (tool->kind == TOOL_FUNCTION || tool->kind == TOOL_CUSTOM) {
		json_put_span(w, "name", tool->name);
		json_put_span(w, "description", tool->description);
	}
	if (tool->kind == TOOL_FUNCTION && tool->parameters.n > 0)
		json_put_raw(w, "parameters", tool->parameters);
	if (tool->kind == TOOL_CUSTOM && tool->parameters.n > 0)
		json_put_raw(w, "format", tool->parameters);
	if (tool->kind == TOOL_SHELL)
		json_put_raw(w, "environment", span_of("{\"type\":\"local\"}"));
	if (tool->kind == TOOL_FUNCTION)
		json_put_bool(w, "strict", tool->strict);
	json_write_end(w);
}

/* The API refuses longer keys; of a digest, the end tells it apart. */
#define CACHE_KEY_MAX 64

static struct span
last_bytes(struct span s, size_t n)
{
	return s.n > n ? span_slice(s, s.n - n, s.n) : s;
}

/* What include must hold when nothing is stored at the server's side. */
static void
write_include(struct json_writer *w, const struct extras *s, int stored)
{
	const struct json_doc *d = &s->doc;
	int list = extras_get(s, "include"), has_it = 0;

	if (json_type(d, list) != JSON_ARRAY && stored)
		return;
	json_put_array(w, "include");
	if (json_type(d, list) == JSON_ARRAY)
		for (int v = json_first(d, list); v != -1;
		     v = json_next(d, list, v)) {
			json_write_raw(w, json_raw(d, v));
			has_it |= json_is(d, v, ENCRYPTED);
		}
	if (!has_it && !stored)
		json_write_str(w, ENCRYPTED);
	json_write_end(w);
}

/* "text": what settings say of it, and the form of a structured answer. */
static void
write_text(struct json_writer *w, const struct extras *s,
    const struct model_request *q)
{
	const struct json_doc *d = &s->doc;
	int text = extras_get(s, "text");

	json_put_object(w, "text");
	if (json_type(d, text) == JSON_OBJECT)
		for (int k = json_first(d, text); k != -1;
		     k = json_next(d, text, k)) {
			if (json_is(d, k, "format"))
				continue;
			json_write_key_span(w, json_inner(d, k));
			json_write_raw(w, json_raw(d, json_value(d, k)));
		}
	json_put_object(w, "format");
	json_put_str(w, "type", "json_schema");
	json_put_span(w, "name",
	    q->schema_name.n > 0 ? q->schema_name : span_of("answer"));
	json_put_raw(w, "schema", q->schema);
	json_put_bool(w, "strict", 1);
	json_write_end(w);
	json_write_end(w);
}

/* The part that is the same in each request of an agent comes first. */
static void
write_prefix(struct json_writer *w, const struct extras *s,
    const struct model_request *q)
{
	static const char *const ours[] = {"include", "store", "text",
	    "max_output_tokens", "prompt_cache_key", NULL};
	int stored = json_bool_or(
	    &s->doc, extras_get(s, "store"), q->previous_response_id.n > 0);

	json_put_span(w, "model", q->model);
	if (q->instructions.n > 0)
		json_put_span(w, "instructions", q->instructions);
	if (q->ntools > 0) {
		json_put_array(w, "tools");
		for (size_t i = 0; i < q->ntools; i++)
			write_tool(w, &q->tools[i]);
		json_write_end(w);
	}
	extras_write(s, w, ours);
	if (q->schema.n > 0)
		write_text(w, s, q);
	else if (extras_get(s, "text") != -1)
		json_put_raw(
		    w, "text", json_raw(&s->doc, extras_get(s, "text")));
	json_put_bool(w, "store", stored);
	write_include(w, s, stored);
	if (extras_get(s, "prompt_cache_key") != -1)
		json_put_raw(w, "prompt_cache_key",
		    json_raw(&s->doc, extras_get(s, "prompt_cache_key")));
	else if (q->cache_key.n > 0)
		json_put_span(w, "prompt_cache_key",
		    last_bytes(q->cache_key, CACHE_KEY_MAX));
}

static void
write_limit(struct json_writer *w, const struct extras *s,
    const struct model_request *q)
{
	int64_t set =
	    json_int_or(&s->doc, extras_get(s, "max_output_tokens"), 0);
	uint64_t limit = q->max_output_tokens;

	if (set > 0 && (limit == 0 || (uint64_t)set < limit))
		limit = (uint64_t)set;
	if (limit > 0)
		json_put_uint(w, "max_output_tokens", limit);
}

static void
write_compaction(struct json_writer *w, uint64_t tokens)
{
	json_put_array(w, "context_management");
	json_write_object(w);
	json_put_str(w, "type", "compaction");
	json_put_uint(w, "compact_threshold", tokens);
	json_write_end(w);
	json_write_end(w);
}

static int
build(const struct model_request *q, struct text *body, struct error *e)
{
	struct extras s;
	struct json_writer w;

	if (extras_read(&s, q, reserved, e) == -1) {
		extras_release(&s);
		return -1;
	}
	json_write_init(&w, body);
	json_write_object(&w);
	write_prefix(&w, &s, q);
	write_limit(&w, &s, q);
	if (q->previous_response_id.n > 0)
		json_put_span(
		    &w, "previous_response_id", q->previous_response_id);
	if (q->compact_tokens > 0 && extras_get(&s, "context_management") == -1)
		write_compaction(&w, q->compact_tokens);
	json_put_bool(&w, "stream", q->stream);
	json_put_array(&w, "input");
	for (size_t i = 0; i < q->nitems; i++)
		json_write_raw(&w, q->items[i]);
	json_write_end(&w);
	json_write_end(&w);
	extras_release(&s);
	return build_done(&w, e);
}

/* --- the reply --- */

static void
read_usage(struct model_reply *r, int usage)
{
	const struct json_doc *d = &r->doc;
	int in = json_get(d, usage, "input_tokens_details");
	int out = json_get(d, usage, "output_tokens_details");

	if (json_type(d, usage) != JSON_OBJECT)
		return;
	r->usage = (struct usage){
	    .input_tokens = reply_tokens(r, json_get(d, usage, "input_tokens")),
	    .cached_tokens = reply_tokens(r, json_get(d, in, "cached_tokens")),
	    .cache_write_tokens =
		reply_tokens(r, json_get(d, in, "cache_write_tokens")),
	    .output_tokens =
		reply_tokens(r, json_get(d, usage, "output_tokens")),
	    .reasoning_tokens =
		reply_tokens(r, json_get(d, out, "reasoning_tokens")),
	    .known = 1,
	};
}

/* A response object: names, usage, and the items if none came before. */
static int
read_response(struct model_reply *r, int response)
{
	const struct json_doc *d = &r->doc;
	int output = json_get(d, response, "output");

	reply_note(r, json_get(d, response, "id"), &r->id);
	reply_note(r, json_get(d, response, "model"), &r->model);
	read_usage(r, json_get(d, response, "usage"));
	if (r->items > 0 || json_type(d, output) != JSON_ARRAY)
		return 0;
	for (int v = json_first(d, output); v != -1;
	     v = json_next(d, output, v))
		if (reply_keep(r, v) == -1)
			return -1;
	return 0;
}

/*
 * A response that has come to the end which its status names, or else the
 * event that brought it.
 */
static int
ended(struct model_reply *r, int response, const char *otherwise)
{
	const struct json_doc *d = &r->doc;
	int status = json_get(d, response, "status");
	int error = json_get(d, response, "error");
	int details = json_get(d, response, "incomplete_details");
	struct span name =
	    status == -1 ? span_of(otherwise) : json_inner(d, status);

	if (json_type(d, response) != JSON_OBJECT)
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "a closing event without its response");
	if (json_type(d, error) == JSON_OBJECT || span_is(name, "failed") ||
	    span_is(name, "cancelled")) {
		read_usage(r, json_get(d, response, "usage"));
		return reply_said_error(r, error);
	}
	if (read_response(r, response) == -1)
		return -1;
	if (span_is(name, "incomplete"))
		return reply_incomplete(
		    r, json_inner(d, json_get(d, details, "reason")));
	return reply_done(r);
}

static int
on_created(struct model_reply *r)
{
	int response = json_get(&r->doc, 0, "response");

	reply_note(r, json_get(&r->doc, response, "id"), &r->id);
	reply_note(r, json_get(&r->doc, response, "model"), &r->model);
	return 0;
}

static int
on_item_added(struct model_reply *r)
{
	r->argument_bytes = 0;
	return 0;
}

static int
on_item_done(struct model_reply *r)
{
	return reply_keep(r, json_get(&r->doc, 0, "item"));
}

static int
on_completed(struct model_reply *r)
{
	return ended(r, json_get(&r->doc, 0, "response"), "completed");
}

static int
on_incomplete(struct model_reply *r)
{
	return ended(r, json_get(&r->doc, 0, "response"), "incomplete");
}

static int
on_failed(struct model_reply *r)
{
	return ended(r, json_get(&r->doc, 0, "response"), "failed");
}

static int
on_error(struct model_reply *r)
{
	int inner = json_get(&r->doc, 0, "error");

	return reply_said_error(
	    r, json_type(&r->doc, inner) == JSON_OBJECT ? inner : 0);
}

/* Events that are not here mean nothing to us, today or yet. */
static const struct {
	const char *type;
	int (*on)(struct model_reply *r);
} events[] = {
    {"response.output_item.added", on_item_added},
    {"response.output_item.done", on_item_done},
    {"response.created", on_created},
    {"response.completed", on_completed},
    {"response.incomplete", on_incomplete},
    {"response.failed", on_failed},
    {"error", on_error},
};

/* Most events are one of these. */
static const struct {
	const char *type;
	enum piece_kind kind;
} deltas[] = {
    {"response.output_text.delta", PIECE_TEXT},
    {"response.reasoning_summary_text.delta", PIECE_REASONING},
    {"response.reasoning_text.delta", PIECE_REASONING},
    {"response.function_call_arguments.delta", PIECE_ARGUMENTS},
    {"response.custom_tool_call_input.delta", PIECE_ARGUMENTS},
    {"response.mcp_call_arguments.delta", PIECE_ARGUMENTS},
};

static int
on_delta(struct model_reply *r, int type, enum piece_kind kind)
{
	int delta = json_get(&r->doc, 0, "delta");

	if (json_type(&r->doc, type) == JSON_STRING) {
		reply_expect(r, kind, NULL, delta);
		reply_fix(r, type);
	}
	return reply_piece(r, kind, NULL, json_raw(&r->doc, delta));
}

static int
event(struct model_reply *r, const struct sse_event *ev)
{
	int type = json_get(&r->doc, 0, "type");
	struct span name = type == -1 ? ev->type : json_inner(&r->doc, type);

	for (size_t i = 0; i < sizeof(deltas) / sizeof(*deltas); i++)
		if (span_is(name, deltas[i].type))
			return on_delta(r, type, deltas[i].kind);
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		if (span_is(name, events[i].type))
			return events[i].on(r);
	return 0;
}

static int
whole(struct model_reply *r)
{
	return ended(r, 0, "completed");
}

static int
finish(struct model_reply *r)
{
	return reply_fail(r, ERROR_MODEL_UNAVAILABLE, 0,
	    "the answer ended after %llu events without its closing event",
	    (unsigned long long)r->events);
}

const struct provider_ops provider_responses = {
    .name = "responses",
    .path = "/responses",
    .key_field = "authorization",
    .key_prefix = "Bearer ",
    .has_native_tools = 1,
    .build = build,
    .event = event,
    .whole = whole,
    .finish = finish,
};
