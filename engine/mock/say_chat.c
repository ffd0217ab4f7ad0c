#include <inttypes.h>
#include <stdio.h>

#include "engine/mock/ask.h"
#include "engine/mock/rule.h"
#include "engine/mock/say.h"
#include "net/json_write.h"

#define SCRATCH_MAX ((size_t)64 << 20)

static const char *
finish_reason(const struct mock_parts *parts)
{
	return parts->calls ? "tool_calls" : "stop";
}

static void
write_usage(struct json_writer *w, const struct mock_usage *u)
{
	json_put_object(w, "usage");
	json_put_int(w, "prompt_tokens", u->input_tokens);
	json_put_int(w, "completion_tokens", u->output_tokens);
	json_put_int(w, "total_tokens", u->input_tokens + u->output_tokens);
	json_put_object(w, "prompt_tokens_details");
	json_put_int(w, "cached_tokens", u->cached_tokens);
	json_write_end(w);
	json_put_object(w, "completion_tokens_details");
	json_put_int(w, "reasoning_tokens", u->reasoning_tokens);
	json_write_end(w);
	json_write_end(w);
}

static void
write_name(const struct mock_say *s, struct json_writer *w, const char *object)
{
	char id[40];

	snprintf(id, sizeof id, "chatcmpl-%016" PRIx64, s->ask->fingerprint);
	json_put_str(w, "id", id);
	json_put_str(w, "object", object);
	json_put_int(w, "created", s->created);
	json_put_span(w, "model", s->ask->model);
}

/* --- whole --- */

/* All texts of a kind, joined; null when there is none. */
static void
write_texts(const struct mock_parts *parts, struct json_writer *w,
    const char *key, enum mock_reply_kind kind)
{
	unsigned n = 0;

	json_write_key(w, key);
	for (unsigned i = 0; i < parts->n; i++) {
		if (parts->part[i].kind != kind)
			continue;
		if (n++ == 0)
			json_write_string_begin(w);
		json_write_string_add(w, parts->part[i].text);
	}
	if (n > 0)
		json_write_string_end(w);
	else
		json_write_null(w);
}

static int
has_kind(const struct mock_parts *parts, enum mock_reply_kind kind)
{
	for (unsigned i = 0; i < parts->n; i++)
		if (parts->part[i].kind == kind)
			return 1;
	return 0;
}

/*
 * There are only function tools here; a custom one takes {"input": text},
 * built in scratch.
 */
static struct span
arguments_of(const struct mock_part *p, struct text *scratch)
{
	struct json_writer w;

	if (p->call != MOCK_CALL_CUSTOM)
		return p->payload;
	json_write_init(&w, scratch);
	json_write_object(&w);
	json_put_span(&w, "input", p->payload);
	json_write_end(&w);
	return text_span(scratch);
}

static void
write_calls(const struct mock_parts *parts, struct json_writer *w)
{
	json_put_array(w, "tool_calls");
	for (unsigned i = 0; i < parts->n; i++) {
		const struct mock_part *p = &parts->part[i];
		struct text scratch;

		if (p->kind != MOCK_TOOL)
			continue;
		text_init(&scratch, SCRATCH_MAX);
		json_write_object(w);
		json_put_str(w, "id", p->call_id);
		json_put_str(w, "type", "function");
		json_put_object(w, "function");
		json_put_span(w, "name", p->tool);
		json_put_span(w, "arguments", arguments_of(p, &scratch));
		json_write_end(w);
		json_write_end(w);
		text_release(&scratch);
	}
	json_write_end(w);
}

static void
say_whole(struct mock_say *s)
{
	struct json_writer w;

	json_write_init(&w, s->body);
	json_write_object(&w);
	write_name(s, &w, "chat.completion");
	json_put_array(&w, "choices");
	json_write_object(&w);
	json_put_int(&w, "index", 0);
	json_put_object(&w, "message");
	json_put_str(&w, "role", "assistant");
	write_texts(s->parts, &w, "content", MOCK_TEXT);
	write_texts(s->parts, &w, "refusal", MOCK_REFUSAL);
	if (has_kind(s->parts, MOCK_REASONING))
		write_texts(s->parts, &w, "reasoning_content", MOCK_REASONING);
	if (s->parts->calls)
		write_calls(s->parts, &w);
	json_write_end(&w);
	json_put_null(&w, "logprobs");
	json_put_str(&w, "finish_reason", finish_reason(s->parts));
	json_write_end(&w);
	json_write_end(&w);
	write_usage(&w, &s->parts->usage);
	json_write_end(&w);
}

/* --- streamed --- */

/* One chunk, open inside its delta; close() ends it. */
static void
open_chunk(struct mock_say *s, struct json_writer *w)
{
	mock_event_begin(s, w, NULL);
	write_name(s, w, "chat.completion.chunk");
	json_put_array(w, "choices");
	json_write_object(w);
	json_put_int(w, "index", 0);
	json_put_object(w, "delta");
}

static void
close_chunk(struct mock_say *s, struct json_writer *w, const char *reason)
{
	json_write_end(w);
	json_put_str(w, "finish_reason", reason);
	json_write_end(w);
	json_write_end(w);
	mock_event_end(s, w);
}

static void
stream_text(struct mock_say *s, const char *key, struct span rest)
{
	struct json_writer w;
	struct span piece;

	while (mock_piece(&rest, mock_piece_chars(s), &piece)) {
		open_chunk(s, &w);
		json_put_span(&w, key, piece);
		close_chunk(s, &w, NULL);
		mock_pause(s);
	}
}

static void
open_call(struct mock_say *s, struct json_writer *w, unsigned index)
{
	open_chunk(s, w);
	json_put_array(w, "tool_calls");
	json_write_object(w);
	json_put_int(w, "index", index);
}

static void
close_call(struct mock_say *s, struct json_writer *w)
{
	json_write_end(w); /* function */
	json_write_end(w);
	json_write_end(w);
	close_chunk(s, w, NULL);
}

static void
stream_call(struct mock_say *s, const struct mock_part *p, unsigned index)
{
	struct span rest, piece;
	struct json_writer w;
	struct text scratch;

	text_init(&scratch, SCRATCH_MAX);
	rest = arguments_of(p, &scratch);
	open_call(s, &w, index);
	json_put_str(&w, "id", p->call_id);
	json_put_str(&w, "type", "function");
	json_put_object(&w, "function");
	json_put_span(&w, "name", p->tool);
	json_put_str(&w, "arguments", "");
	close_call(s, &w);
	while (mock_piece(&rest, mock_piece_chars(s), &piece)) {
		open_call(s, &w, index);
		json_put_object(&w, "function");
		json_put_span(&w, "arguments", piece);
		close_call(s, &w);
		mock_pause(s);
	}
	text_release(&scratch);
}

static void
say_end(struct mock_say *s)
{
	struct json_writer w;

	open_chunk(s, &w);
	close_chunk(s, &w, finish_reason(s->parts));
	if (s->ask->wants_usage) {
		mock_event_begin(s, &w, NULL);
		write_name(s, &w, "chat.completion.chunk");
		json_put_array(&w, "choices");
		json_write_end(&w);
		write_usage(&w, &s->parts->usage);
		mock_event_end(s, &w);
	}
	text_add_str(s->body, "data: [DONE]\n\n");
}

void
mock_say_chat(struct mock_say *s)
{
	struct json_writer w;
	unsigned calls = 0;

	if (!s->ask->stream) {
		say_whole(s);
		return;
	}
	open_chunk(s, &w);
	json_put_str(&w, "role", "assistant");
	json_put_str(&w, "content", "");
	close_chunk(s, &w, NULL);
	for (unsigned i = 0; i < s->parts->n; i++) {
		const struct mock_part *p = &s->parts->part[i];

		if (p->kind == MOCK_TEXT)
			stream_text(s, "content", p->text);
		else if (p->kind == MOCK_REFUSAL)
			stream_text(s, "refusal", p->text);
		else if (p->kind == MOCK_REASONING)
			stream_text(s, "reasoning_content", p->text);
		else if (p->kind == MOCK_TOOL)
			stream_call(s, p, calls++);
	}
	say_end(s);
}
