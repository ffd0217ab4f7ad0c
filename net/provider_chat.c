#include "net/provider_private.h"

#include <string.h>

#include "engine/base/arena.h"

/*
 * Chat Completions: what most servers speak, each a little differently.  Only
 * function tools; reasoning is not replayed, except where a server gave it in
 * the clear and the model then called a tool.
 */

static const char *const reserved[] = {
    "model", "messages", "tools", "stream", "stream_options", NULL};

struct chat {
	struct json_writer w;
	const struct item *items;
	size_t n;
	struct text text; /* scratch */
};

static int
is_role(const struct item *it, const char *role)
{
	return it->kind == ITEM_MESSAGE && span_is(it->role, role);
}

static int
is_call(const struct item *it)
{
	return item_part(it->kind) == ITEM_PART_CALL;
}

static int
is_answer(const struct item *it)
{
	return item_part(it->kind) == ITEM_PART_ANSWER;
}

/* --- what users say --- */

static void
write_image(struct json_writer *w, const struct json_doc *d, int part)
{
	int detail = json_get(d, part, "detail");

	json_write_object(w);
	json_put_str(w, "type", "image_url");
	json_put_object(w, "image_url");
	json_put_raw(w, "url", json_raw(d, json_get(d, part, "image_url")));
	if (json_type(d, detail) == JSON_STRING)
		json_put_raw(w, "detail", json_raw(d, detail));
	json_write_end(w);
	json_write_end(w);
}

static void
write_file(struct json_writer *w, const struct json_doc *d, int part)
{
	static const char *const names[] = {
	    "file_id", "filename", "file_data", NULL};

	json_write_object(w);
	json_put_str(w, "type", "file");
	json_put_object(w, "file");
	for (int i = 0; names[i] != NULL; i++)
		if (json_type(d, json_get(d, part, names[i])) == JSON_STRING)
			json_put_raw(w, names[i],
			    json_raw(d, json_get(d, part, names[i])));
	json_write_end(w);
	json_write_end(w);
}

static int
is_image(const struct json_doc *d, int part)
{
	return json_is(d, json_get(d, part, "type"), "input_image") &&
	       json_type(d, json_get(d, part, "image_url")) == JSON_STRING;
}

static int
is_file(const struct json_doc *d, int part)
{
	return json_is(d, json_get(d, part, "type"), "input_file");
}

/* The payload of it as a list of parts; 0 when it has none but text. */
static int
has_media(const struct item *it, struct json_doc *d)
{
	struct error e;
	int v;

	if (it->payload.n == 0 || json_parse(d, it->payload, 0, &e) == -1 ||
	    json_type(d, 0) != JSON_ARRAY)
		return 0;
	for (v = json_first(d, 0); v != -1; v = json_next(d, 0, v))
		if (is_image(d, v) || is_file(d, v))
			return 1;
	return 0;
}

static void
write_parts(struct json_writer *w, const struct json_doc *d, int with_text)
{
	for (int v = json_first(d, 0); v != -1; v = json_next(d, 0, v)) {
		int text = json_get(d, v, "text");

		if (is_image(d, v)) {
			write_image(w, d, v);
		} else if (is_file(d, v)) {
			write_file(w, d, v);
		} else if (with_text && json_type(d, text) == JSON_STRING) {
			json_write_object(w);
			json_put_str(w, "type", "text");
			json_put_raw(w, "text", json_raw(d, text));
			json_write_end(w);
		}
	}
}

static void
write_message(struct chat *c, const struct item *it)
{
	struct json_writer *w = &c->w;
	struct json_doc d;

	json_doc_init(&d);
	json_write_object(w);
	json_put_span(w, "role",
	    span_is(it->role, "developer") ? span_of("system") : it->role);
	if (has_media(it, &d)) {
		json_put_array(w, "content");
		write_parts(w, &d, 1);
		json_write_end(w);
	} else {
		text_clear(&c->text);
		item_add_text(it, &c->text);
		json_put_span(w, "content", text_span(&c->text));
	}
	json_write_end(w);
	json_doc_release(&d);
}

/* --- what the model said --- */

/* Items from..to are one message of the assistant. */
static void
write_said(struct chat *c, size_t from, size_t to)
{
	text_clear(&c->text);
	for (size_t i = from; i < to; i++)
		if (c->items[i].kind == ITEM_MESSAGE &&
		    !item_add_text(&c->items[i], &c->text))
			item_add_refusal(&c->items[i], &c->text);
	json_write_key(&c->w, "content");
	if (c->text.n > 0)
		json_write_span(&c->w, text_span(&c->text));
	else
		json_write_null(&c->w);
}

/* Reasoning in the clear: a list of parts with "text". */
static void
write_thought(struct chat *c, size_t from, size_t to)
{
	struct json_doc d;
	struct error e;

	json_doc_init(&d);
	text_clear(&c->text);
	for (size_t i = from; i < to; i++) {
		if (c->items[i].kind != ITEM_REASONING ||
		    json_parse(&d, c->items[i].json, 0, &e) == -1 ||
		    json_get(&d, 0, "encrypted_content") != -1)
			continue;
		for (int list = json_get(&d, 0, "content"),
			 v = json_first(&d, list);
		     v != -1; v = json_next(&d, list, v))
			json_string_add(&d, json_get(&d, v, "text"), &c->text);
	}
	if (c->text.n > 0)
		json_put_span(&c->w, "reasoning_content", text_span(&c->text));
	json_doc_release(&d);
}

static void
write_calls(struct chat *c, size_t from, size_t to)
{
	struct json_writer *w = &c->w;

	json_put_array(w, "tool_calls");
	for (size_t i = from; i < to; i++) {
		const struct item *call = &c->items[i];

		if (!is_call(call))
			continue;
		text_clear(&c->text);
		function_write_arguments(call, &c->text);
		json_write_object(w);
		json_put_span(w, "id", call->call_id);
		json_put_str(w, "type", "function");
		json_put_object(w, "function");
		json_put_span(w, "name", function_name_of(call));
		json_put_span(w, "arguments", text_span(&c->text));
		json_write_end(w);
		json_write_end(w);
	}
	json_write_end(w);
}

static size_t
write_assistant(struct chat *c, size_t from)
{
	size_t to = from, calls = 0, messages = 0;

	for (; to < c->n && !is_answer(&c->items[to]); to++) {
		const struct item *it = &c->items[to];

		if (it->kind == ITEM_MESSAGE && !is_role(it, "assistant"))
			break;
		calls += is_call(it) != 0;
		messages += it->kind == ITEM_MESSAGE;
	}
	if (calls + messages > 0) {
		json_write_object(&c->w);
		json_put_str(&c->w, "role", "assistant");
		write_said(c, from, to);
		if (calls > 0) {
			write_thought(c, from, to);
			write_calls(c, from, to);
		}
		json_write_end(&c->w);
	}
	return to;
}

/* --- what tools answered --- */

/* Answers, then one message with the pictures that they hold. */
static size_t
write_answers(struct chat *c, size_t from)
{
	struct json_writer *w = &c->w;
	struct json_doc d;
	size_t to, media = 0;

	json_doc_init(&d);
	for (to = from; to < c->n && is_answer(&c->items[to]); to++) {
		text_clear(&c->text);
		item_add_output(&c->items[to], &c->text);
		if (has_media(&c->items[to], &d)) {
			media++;
			text_add_str(&c->text, c->text.n > 0 ? "\n" : "");
			text_add_str(&c->text, "(see the next message)");
		}
		json_write_object(w);
		json_put_str(w, "role", "tool");
		json_put_span(w, "tool_call_id", c->items[to].call_id);
		json_put_span(w, "content", text_span(&c->text));
		json_write_end(w);
	}
	if (media > 0) {
		json_write_object(w);
		json_put_str(w, "role", "user");
		json_put_array(w, "content");
		for (size_t i = from; i < to; i++)
			if (has_media(&c->items[i], &d))
				write_parts(w, &d, 0);
		json_write_end(w);
		json_write_end(w);
	}
	json_doc_release(&d);
	return to;
}

static void
write_messages(struct chat *c, const struct model_request *q)
{
	size_t i = 0;

	json_put_array(&c->w, "messages");
	if (q->instructions.n > 0) {
		json_write_object(&c->w);
		json_put_str(&c->w, "role", "system");
		json_put_span(&c->w, "content", q->instructions);
		json_write_end(&c->w);
	}
	while (i < c->n) {
		const struct item *it = &c->items[i];

		if (is_answer(it)) {
			i = write_answers(c, i);
		} else if (it->kind == ITEM_MESSAGE &&
			   !is_role(it, "assistant")) {
			write_message(c, it);
			i++;
		} else {
			i = write_assistant(c, i);
		}
	}
	json_write_end(&c->w);
}

/* --- the rest of the body --- */

static void
write_tools(struct json_writer *w, const struct model_request *q)
{
	if (q->ntools == 0)
		return;
	json_put_array(w, "tools");
	for (size_t i = 0; i < q->ntools; i++) {
		const struct tool_spec *tool = &q->tools[i];

		if (tool->kind == TOOL_RAW) {
			json_write_raw(w, tool->parameters);
			continue;
		}
		json_write_object(w);
		json_put_str(w, "type", "function");
		json_put_object(w, "function");
		json_put_span(w, "name", function_name(tool));
		json_put_span(w, "description", tool->description);
		json_write_key(w, "parameters");
		function_write_schema(w, tool);
		if (tool->strict)
			json_put_bool(w, "strict", 1);
		json_write_end(w);
		json_write_end(w);
	}
	json_write_end(w);
}

/* What the settings say, but for what we may have to change. */
static void
write_settings(struct json_writer *w, const struct extras *s,
    const struct model_request *q)
{
	static const char *const limits[] = {
	    "max_tokens", "max_completion_tokens", NULL};
	static const char *const limits_and_form[] = {
	    "max_tokens", "max_completion_tokens", "response_format", NULL};
	const char *name = extras_get(s, "max_tokens") != -1
			       ? "max_tokens"
			       : "max_completion_tokens";
	uint64_t limit = build_limit(s, q, name);

	extras_write(s, w, q->schema.n > 0 ? limits_and_form : limits);
	if (limit > 0)
		json_put_uint(w, name, limit);
	if (q->schema.n == 0)
		return;
	json_put_object(w, "response_format");
	json_put_str(w, "type", "json_schema");
	json_put_object(w, "json_schema");
	json_put_span(w, "name",
	    q->schema_name.n > 0 ? q->schema_name : span_of("answer"));
	json_put_raw(w, "schema", q->schema);
	json_put_bool(w, "strict", 1);
	json_write_end(w);
	json_write_end(w);
}

static void
write_body(
    struct chat *c, const struct extras *s, const struct model_request *q)
{
	json_write_object(&c->w);
	json_put_span(&c->w, "model", q->model);
	write_tools(&c->w, q);
	write_settings(&c->w, s, q);
	json_put_bool(&c->w, "stream", q->stream);
	if (q->stream) {
		json_put_object(&c->w, "stream_options");
		json_put_bool(&c->w, "include_usage", 1);
		json_write_end(&c->w);
	}
	write_messages(c, q);
	json_write_end(&c->w);
}

int
chat_build(const struct model_request *q, struct text *body, struct error *e)
{
	struct chat c = {.n = q->nitems};
	struct extras s;
	struct arena a;
	int r = -1;

	arena_init(&a, LIMIT_TRANSCRIPT);
	text_init(&c.text, LIMIT_TRANSCRIPT);
	if (extras_read(&s, q, reserved, e) == -1)
		goto out;
	c.items = build_items(q, &a, e);
	if (c.items == NULL)
		goto out;
	json_write_init(&c.w, body);
	write_body(&c, &s, q);
	r = build_done(&c.w, e);
	if (r == 0 && text_overflowed(&c.text))
		r = error_set(e, ERROR_TOO_BIG, 0, "an item is too large");
out:
	extras_release(&s);
	text_release(&c.text);
	arena_release(&a);
	return r;
}
