#include "net/provider_private.h"

#include <string.h>

#include "engine/base/arena.h"

/*
 * The Messages API.  What users say and what tools answer are both messages
 * of the user; a turn of either side is one message of blocks.  Two cache
 * breakpoints: behind the instructions, which the tools stand in front of,
 * and at the end, so that the next request finds all of this one.
 */

#define OUTPUT_TOKENS 8192 /* the API wants a limit; all models take this one */
#define CACHE "{\"type\":\"ephemeral\"}"

static const char *const reserved[] = {
    "model", "messages", "tools", "stream", "system", NULL};

struct messages {
	struct json_writer w;
	const struct item *items;
	size_t n;
	struct text text;
};

static int
is_assistants(const struct item *it)
{
	if (it->kind == ITEM_MESSAGE)
		return span_is(it->role, "assistant");
	return item_part(it->kind) != ITEM_PART_ANSWER;
}

/* --- blocks --- */

static void
end_block(struct messages *m, int is_last)
{
	if (is_last)
		json_put_raw(&m->w, "cache_control", span_of(CACHE));
	json_write_end(&m->w);
}

static void
write_text(struct messages *m, struct span text, int is_last)
{
	if (span_trim(text).n == 0) /* the API refuses these */
		return;
	json_write_object(&m->w);
	json_put_str(&m->w, "type", "text");
	json_put_span(&m->w, "text", text);
	end_block(m, is_last);
}

/* A picture: a data URL's bytes, or where it lies. */
static void
write_image(struct messages *m, struct span url, int is_last)
{
	struct json_writer *w = &m->w;
	size_t comma = span_find(url, ',', 0);
	struct span head = span_slice(url, 0, comma);

	json_write_object(w);
	json_put_str(w, "type", "image");
	json_put_object(w, "source");
	if (span_has_prefix(url, span_of("data:")) &&
	    span_has_suffix(head, span_of(";base64"))) {
		json_put_str(w, "type", "base64");
		json_put_span(w, "media_type", span_slice(head, 5, head.n - 7));
		json_put_span(w, "data", span_slice(url, comma + 1, url.n));
	} else {
		json_put_str(w, "type", "url");
		json_put_span(w, "url", url);
	}
	json_write_end(w);
	end_block(m, is_last);
}

/* The parts of a list as blocks; the string of an answer is not one. */
static void
write_parts(struct messages *m, const struct json_doc *d, int is_last)
{
	int next;

	for (int v = json_first(d, 0); v != -1; v = next) {
		int image = json_get(d, v, "image_url");
		int text = json_get(d, v, "text");

		next = json_next(d, 0, v);
		text_clear(&m->text);
		if (json_type(d, image) == JSON_STRING) {
			json_string_add(d, image, &m->text);
			write_image(
			    m, text_span(&m->text), is_last && next == -1);
		} else {
			json_string_add(d, text, &m->text);
			write_text(
			    m, text_span(&m->text), is_last && next == -1);
		}
	}
}

/* --- the user's side --- */

static int
is_list_of_parts(const struct item *it, struct json_doc *d)
{
	struct error e;

	return it->payload.n > 0 && it->kind != ITEM_SHELL_CALL_OUTPUT &&
	       json_parse(d, it->payload, 0, &e) == 0 &&
	       json_type(d, 0) == JSON_ARRAY;
}

static void
write_message(struct messages *m, const struct item *it, int is_last)
{
	struct json_doc d;

	json_doc_init(&d);
	if (is_list_of_parts(it, &d)) {
		write_parts(m, &d, is_last);
	} else {
		text_clear(&m->text);
		item_add_text(it, &m->text);
		write_text(m, text_span(&m->text), is_last);
	}
	json_doc_release(&d);
}

static void
write_answer(struct messages *m, const struct item *it, int is_last)
{
	struct json_writer *w = &m->w;
	struct json_doc d;

	json_doc_init(&d);
	json_write_object(w);
	json_put_str(w, "type", "tool_result");
	json_put_span(w, "tool_use_id", it->call_id);
	if (is_list_of_parts(it, &d)) {
		json_put_array(w, "content");
		write_parts(m, &d, 0);
		json_write_end(w);
	} else {
		text_clear(&m->text);
		item_add_output(it, &m->text);
		json_put_span(w, "content", text_span(&m->text));
	}
	if (it->kind == ITEM_APPLY_PATCH_CALL_OUTPUT &&
	    span_is(it->status, "failed"))
		json_put_bool(w, "is_error", 1);
	end_block(m, is_last);
	json_doc_release(&d);
}

/* Results of tools must stand in front of everything else. */
static void
write_users(struct messages *m, size_t from, size_t to)
{
	size_t last = from;

	for (size_t i = from; i < to; i++)
		if (m->items[i].kind == ITEM_MESSAGE ||
		    m->items[last].kind != ITEM_MESSAGE)
			last = i;
	for (size_t i = from; i < to; i++)
		if (m->items[i].kind != ITEM_MESSAGE)
			write_answer(m, &m->items[i], to == m->n && i == last);
	for (size_t i = from; i < to; i++)
		if (m->items[i].kind == ITEM_MESSAGE)
			write_message(m, &m->items[i], to == m->n && i == last);
}

/* --- the assistant's side --- */

/* Reasoning that this API signed; any other is not for it. */
static void
write_thinking(struct messages *m, const struct item *it)
{
	struct json_writer *w = &m->w;
	struct json_doc d;
	struct error e;
	int list, signature;

	json_doc_init(&d);
	if (json_parse(&d, it->json, 0, &e) == -1) {
		json_doc_release(&d);
		return;
	}
	list = json_get(&d, 0, "content");
	signature = json_get(&d, 0, "encrypted_content");
	if (json_type(&d, signature) == JSON_STRING &&
	    json_type(&d, list) == JSON_ARRAY) {
		json_write_object(w);
		if (json_size(&d, list) > 0) {
			json_put_str(w, "type", "thinking");
			json_put_raw(w, "thinking",
			    json_raw(&d,
				json_get(&d, json_first(&d, list), "text")));
			json_put_raw(w, "signature", json_raw(&d, signature));
		} else {
			json_put_str(w, "type", "redacted_thinking");
			json_put_raw(w, "data", json_raw(&d, signature));
		}
		json_write_end(w);
	}
	json_doc_release(&d);
}

static void
write_call(struct messages *m, const struct item *it)
{
	text_clear(&m->text);
	function_write_arguments(it, &m->text);
	json_write_object(&m->w);
	json_put_str(&m->w, "type", "tool_use");
	json_put_span(&m->w, "id", it->call_id);
	json_put_span(&m->w, "name", function_name_of(it));
	json_put_raw(&m->w, "input", text_span(&m->text));
	json_write_end(&m->w);
}

/* A block of this API that we did not understand goes back as it came. */
static void
write_other(struct messages *m, const struct item *it)
{
	struct json_doc d;
	struct error e;

	json_doc_init(&d);
	if (span_is(it->type, "messages_content") &&
	    json_parse(&d, it->json, 0, &e) == 0 &&
	    json_type(&d, json_get(&d, 0, "block")) == JSON_OBJECT)
		json_write_raw(&m->w, json_raw(&d, json_get(&d, 0, "block")));
	json_doc_release(&d);
}

static void
write_assistants(struct messages *m, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct item *it = &m->items[i];

		if (it->kind == ITEM_MESSAGE)
			write_message(m, it, 0);
		else if (it->kind == ITEM_REASONING)
			write_thinking(m, it);
		else if (item_part(it->kind) == ITEM_PART_CALL)
			write_call(m, it);
		else
			write_other(m, it);
	}
}

static void
write_messages(struct messages *m)
{
	size_t to, empty;

	json_put_array(&m->w, "messages");
	for (size_t from = 0; from < m->n; from = to) {
		int assistant = is_assistants(&m->items[from]);

		for (to = from; to < m->n; to++)
			if (is_assistants(&m->items[to]) != assistant)
				break;
		json_write_object(&m->w);
		json_put_str(&m->w, "role", assistant ? "assistant" : "user");
		json_put_array(&m->w, "content");
		empty = m->w.out->n;
		if (assistant)
			write_assistants(m, from, to);
		else
			write_users(m, from, to);
		if (m->w.out->n == empty) /* the API refuses that */
			write_text(m, span_of("(nothing)"), 0);
		json_write_end(&m->w);
		json_write_end(&m->w);
	}
	json_write_end(&m->w);
}

/* --- the rest of the body --- */

static void
write_tool(struct json_writer *w, const struct tool_spec *tool)
{
	if (tool->kind == TOOL_RAW) {
		json_write_raw(w, tool->parameters);
		return;
	}
	json_write_object(w);
	json_put_span(w, "name", function_name(tool));
	json_put_span(w, "description", tool->description);
	json_write_key(w, "input_schema");
	function_write_schema(w, tool);
	json_write_end(w);
}

/* A structured answer is the call of a tool that takes it. */
static void
write_tools(struct json_writer *w, const struct extras *s,
    const struct model_request *q)
{
	if (q->ntools == 0 && q->schema.n == 0)
		return;
	json_put_array(w, "tools");
	for (size_t i = 0; i < q->ntools; i++)
		write_tool(w, &q->tools[i]);
	if (q->schema.n > 0) {
		json_write_object(w);
		json_put_str(w, "name", MESSAGES_ANSWER_TOOL);
		json_put_str(
		    w, "description", "Give the final answer; ends the task.");
		json_put_raw(w, "input_schema", q->schema);
		json_write_end(w);
	}
	json_write_end(w);
	if (q->schema.n > 0 && extras_get(s, "tool_choice") == -1 &&
	    extras_get(s, "thinking") == -1)
		json_put_raw(w, "tool_choice", span_of("{\"type\":\"any\"}"));
}

static void
write_body(
    struct messages *m, const struct extras *s, const struct model_request *q)
{
	static const char *const ours[] = {"max_tokens", NULL};
	struct json_writer *w = &m->w;
	uint64_t limit = build_limit(s, q, "max_tokens");

	json_write_object(w);
	json_put_span(w, "model", q->model);
	write_tools(w, s, q);
	if (q->instructions.n > 0) {
		json_put_array(w, "system");
		write_text(m, q->instructions, 1);
		json_write_end(w);
	}
	extras_write(s, w, ours);
	json_put_uint(w, "max_tokens", limit > 0 ? limit : OUTPUT_TOKENS);
	json_put_bool(w, "stream", q->stream);
	write_messages(m);
	json_write_end(w);
}

int
messages_build(
    const struct model_request *q, struct text *body, struct error *e)
{
	struct messages m = {.n = q->nitems};
	struct extras s;
	struct arena a;
	int r = -1;

	arena_init(&a, LIMIT_TRANSCRIPT);
	text_init(&m.text, LIMIT_TRANSCRIPT);
	if (extras_read(&s, q, reserved, e) == -1)
		goto out;
	m.items = build_items(q, &a, e);
	if (m.items == NULL)
		goto out;
	json_write_init(&m.w, body);
	write_body(&m, &s, q);
	r = build_done(&m.w, e);
	if (r == 0 && text_overflowed(&m.text))
		r = error_set(e, ERROR_TOO_BIG, 0, "an item is too large");
out:
	extras_release(&s);
	text_release(&m.text);
	arena_release(&a);
	return r;
}
