#include "engine/mock/say.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/mock/ask.h"
#include "engine/mock/rule.h"
#include "net/item.h"
#include "net/json_write.h"

/* --- items --- */

static const enum item_kind kinds[] = {
    [MOCK_CALL_FUNCTION] = ITEM_FUNCTION_CALL,
    [MOCK_CALL_CUSTOM] = ITEM_CUSTOM_TOOL_CALL,
    [MOCK_CALL_SHELL] = ITEM_SHELL_CALL,
    [MOCK_CALL_PATCH] = ITEM_APPLY_PATCH_CALL,
};

/* {"type":"output_text",...}, with or without its text. */
static void
write_content(struct json_writer *w, const struct mock_part *p, int whole)
{
	struct span text = whole ? p->text : (struct span){"", 0};

	json_write_object(w);
	if (p->kind == MOCK_REFUSAL) {
		json_put_str(w, "type", "refusal");
		json_put_span(w, "refusal", text);
	} else {
		json_put_str(w, "type", "output_text");
		json_put_array(w, "annotations");
		json_write_end(w);
		json_put_array(w, "logprobs");
		json_write_end(w);
		json_put_span(w, "text", text);
	}
	json_write_end(w);
}

static void
write_message(struct json_writer *w, const struct mock_part *p, int whole)
{
	json_put_str(w, "role", "assistant");
	json_put_array(w, "content");
	if (whole)
		write_content(w, p, 1);
	json_write_end(w);
}

static void
write_summary(struct json_writer *w, struct span text)
{
	json_write_object(w);
	json_put_str(w, "type", "summary_text");
	json_put_span(w, "text", text);
	json_write_end(w);
}

static void
write_reasoning(const struct mock_say *s, struct json_writer *w,
    const struct mock_part *p, int whole)
{
	json_put_array(w, "summary");
	if (whole)
		write_summary(w, p->text);
	json_write_end(w);
	if (!s->ask->wants_encrypted)
		return;
	json_write_key(w, "encrypted_content");
	json_write_string_begin(w);
	json_write_string_add(w, span_of("mock:"));
	json_write_string_add(w, span_of(p->id));
	json_write_string_end(w);
}

static void
write_call(struct json_writer *w, const struct mock_part *p, int whole)
{
	struct span payload = whole ? p->payload : (struct span){"", 0};

	json_put_str(w, "call_id", p->call_id);
	switch (p->call) {
	case MOCK_CALL_FUNCTION:
		json_put_span(w, "name", p->tool);
		json_put_span(w, "arguments", payload);
		break;
	case MOCK_CALL_CUSTOM:
		json_put_span(w, "name", p->tool);
		json_put_span(w, "input", payload);
		break;
	case MOCK_CALL_SHELL:
		json_put_raw(w, "action", p->payload);
		break;
	case MOCK_CALL_PATCH:
		json_put_raw(w, "operation", p->payload);
		break;
	}
}

/* One item, as it is added (empty) or when it is done. */
static void
write_item(const struct mock_say *s, struct json_writer *w,
    const struct mock_part *p, int whole)
{
	enum item_kind kind = ITEM_MESSAGE;

	if (p->kind == MOCK_ITEM) {
		json_write_raw(w, p->item);
		return;
	}
	if (p->kind == MOCK_REASONING)
		kind = ITEM_REASONING;
	else if (p->kind == MOCK_TOOL)
		kind = kinds[p->call];
	json_write_object(w);
	json_put_str(w, "id", p->id);
	json_put_str(w, "type", item_type(kind));
	if (kind != ITEM_REASONING)
		json_put_str(w, "status", whole ? "completed" : "in_progress");
	if (kind == ITEM_MESSAGE)
		write_message(w, p, whole);
	else if (kind == ITEM_REASONING)
		write_reasoning(s, w, p, whole);
	else
		write_call(w, p, whole);
	json_write_end(w);
}

/* --- the response --- */

static void
write_usage(struct json_writer *w, const struct mock_usage *u)
{
	json_put_object(w, "usage");
	json_put_int(w, "input_tokens", u->input_tokens);
	json_put_object(w, "input_tokens_details");
	json_put_int(w, "cached_tokens", u->cached_tokens);
	json_put_int(w, "cache_write_tokens", 0);
	json_write_end(w);
	json_put_int(w, "output_tokens", u->output_tokens);
	json_put_object(w, "output_tokens_details");
	json_put_int(w, "reasoning_tokens", u->reasoning_tokens);
	json_write_end(w);
	json_put_int(w, "total_tokens", u->input_tokens + u->output_tokens);
	json_write_end(w);
}

/* Settings that the client did not choose, at the API's defaults. */
static void
write_settings(struct json_writer *w)
{
	json_put_null(w, "error");
	json_put_null(w, "incomplete_details");
	json_put_null(w, "instructions");
	json_put_null(w, "max_output_tokens");
	json_put_object(w, "metadata");
	json_write_end(w);
	json_put_bool(w, "parallel_tool_calls", 1);
	json_put_null(w, "previous_response_id");
	json_put_object(w, "reasoning");
	json_put_null(w, "effort");
	json_put_null(w, "summary");
	json_write_end(w);
	json_put_bool(w, "store", 0);
	json_put_int(w, "temperature", 1);
	json_put_object(w, "text");
	json_put_object(w, "format");
	json_put_str(w, "type", "text");
	json_write_end(w);
	json_write_end(w);
	json_put_str(w, "tool_choice", "auto");
	json_put_array(w, "tools");
	json_write_end(w);
	json_put_int(w, "top_p", 1);
	json_put_str(w, "truncation", "disabled");
}

/* The members of a response object; the caller opens and closes it. */
static void
write_response(const struct mock_say *s, struct json_writer *w, int whole)
{
	char id[32];

	snprintf(id, sizeof id, "resp_%016" PRIx64, s->ask->fingerprint);
	json_put_str(w, "id", id);
	json_put_str(w, "object", "response");
	json_put_int(w, "created_at", s->created);
	json_put_str(w, "status", whole ? "completed" : "in_progress");
	json_put_span(w, "model", s->ask->model);
	json_put_array(w, "output");
	for (unsigned i = 0; whole && i < s->parts->n; i++)
		write_item(s, w, &s->parts->part[i], 1);
	json_write_end(w);
	write_settings(w);
	if (whole)
		write_usage(w, &s->parts->usage);
	else
		json_put_null(w, "usage");
}

/* --- the stream --- */

static void
begin(struct mock_say *s, struct json_writer *w, const char *type)
{
	mock_event_begin(s, w, type);
	json_put_int(w, "sequence_number", s->sequence++);
}

static void
say_response(struct mock_say *s, const char *type, int whole)
{
	struct json_writer w;

	begin(s, &w, type);
	json_put_object(&w, "response");
	write_response(s, &w, whole);
	json_write_end(&w);
	mock_event_end(s, &w);
}

static void
say_item(struct mock_say *s, const char *type, unsigned i, int whole)
{
	struct json_writer w;

	begin(s, &w, type);
	json_put_int(&w, "output_index", i);
	json_write_key(&w, "item");
	write_item(s, &w, &s->parts->part[i], whole);
	mock_event_end(s, &w);
}

/* How the text of an item streams: events, and names of their members. */
struct stream_kind {
	const char *delta, *done, *whole; /* whole: the member of done */
	const char *index;                /* "content_index", or NULL */
	const char *part_added, *part_done;
};

static const struct stream_kind text_stream = {"response.output_text.delta",
    "response.output_text.done", "text", "content_index",
    "response.content_part.added", "response.content_part.done"};
static const struct stream_kind refusal_stream = {"response.refusal.delta",
    "response.refusal.done", "refusal", "content_index",
    "response.content_part.added", "response.content_part.done"};
static const struct stream_kind reasoning_stream = {
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done", "text", "summary_index",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done"};
static const struct stream_kind function_stream = {
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done", "arguments", NULL, NULL, NULL};
static const struct stream_kind custom_stream = {
    "response.custom_tool_call_input.delta",
    "response.custom_tool_call_input.done", "input", NULL, NULL, NULL};

static const struct stream_kind *
stream_of(const struct mock_part *p)
{
	switch (p->kind) {
	case MOCK_TEXT:
		return &text_stream;
	case MOCK_REFUSAL:
		return &refusal_stream;
	case MOCK_REASONING:
		return &reasoning_stream;
	case MOCK_TOOL:
		if (p->call == MOCK_CALL_FUNCTION)
			return &function_stream;
		return p->call == MOCK_CALL_CUSTOM ? &custom_stream : NULL;
	case MOCK_ITEM:
		break;
	}
	return NULL;
}

static void
begin_at(struct mock_say *s, struct json_writer *w, const char *type,
    const struct stream_kind *k, unsigned i)
{
	begin(s, w, type);
	json_put_str(w, "item_id", s->parts->part[i].id);
	json_put_int(w, "output_index", i);
	if (k->index != NULL)
		json_put_int(w, k->index, 0);
}

static void
say_part(struct mock_say *s, const char *type, const struct stream_kind *k,
    unsigned i, int whole)
{
	const struct mock_part *p = &s->parts->part[i];
	struct json_writer w;

	if (type == NULL)
		return;
	begin_at(s, &w, type, k, i);
	json_write_key(&w, "part");
	if (p->kind == MOCK_REASONING)
		write_summary(&w, whole ? p->text : (struct span){"", 0});
	else
		write_content(&w, p, whole);
	mock_event_end(s, &w);
}

static void
say_pieces(struct mock_say *s, const struct stream_kind *k, unsigned i)
{
	const struct mock_part *p = &s->parts->part[i];
	struct span rest = p->kind == MOCK_TOOL ? p->payload : p->text, piece;
	struct span whole = rest;
	struct json_writer w;

	while (mock_piece(&rest, mock_piece_chars(s), &piece)) {
		begin_at(s, &w, k->delta, k, i);
		json_put_span(&w, "delta", piece);
		if (k == &text_stream) {
			json_put_array(&w, "logprobs");
			json_write_end(&w);
		}
		mock_event_end(s, &w);
		mock_pause(s);
	}
	begin_at(s, &w, k->done, k, i);
	json_put_span(&w, k->whole, whole);
	if (k == &text_stream) {
		json_put_array(&w, "logprobs");
		json_write_end(&w);
	}
	if (k == &function_stream)
		json_put_span(&w, "name", p->tool);
	mock_event_end(s, &w);
}

static void
say_stream(struct mock_say *s)
{
	say_response(s, "response.created", 0);
	say_response(s, "response.in_progress", 0);
	for (unsigned i = 0; i < s->parts->n; i++) {
		const struct stream_kind *k = stream_of(&s->parts->part[i]);

		say_item(s, "response.output_item.added", i, 0);
		if (k != NULL) {
			say_part(s, k->part_added, k, i, 0);
			say_pieces(s, k, i);
			say_part(s, k->part_done, k, i, 1);
		}
		say_item(s, "response.output_item.done", i, 1);
	}
	say_response(s, "response.completed", 1);
}

void
mock_say_responses(struct mock_say *s)
{
	struct json_writer w;

	if (s->ask->stream) {
		say_stream(s);
		return;
	}
	json_write_init(&w, s->body);
	json_write_object(&w);
	write_response(s, &w, 1);
	json_write_end(&w);
}
