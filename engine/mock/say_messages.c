#include <inttypes.h>
#include <stdio.h>

#include "engine/mock/ask.h"
#include "engine/mock/rule.h"
#include "engine/mock/say.h"
#include "net/json_write.h"

#define SCRATCH_MAX ((size_t)64 << 20)

static const char *
stop_reason(const struct mock_parts *parts)
{
	if (parts->refuses)
		return "refusal";
	return parts->calls ? "tool_use" : "end_turn";
}

/* What is in the cache is not part of input_tokens in this dialect. */
static void
write_usage(struct json_writer *w, const struct mock_usage *u, int64_t output)
{
	json_put_object(w, "usage");
	json_put_int(w, "input_tokens", u->input_tokens - u->cached_tokens);
	json_put_int(w, "cache_creation_input_tokens", 0);
	json_put_int(w, "cache_read_input_tokens", u->cached_tokens);
	json_put_int(w, "output_tokens", output);
	json_write_end(w);
}

/* The message up to its content, which the caller writes. */
static void
write_message(const struct mock_say *s, struct json_writer *w)
{
	char id[32];

	snprintf(id, sizeof id, "msg_%016" PRIx64, s->ask->fingerprint);
	json_put_str(w, "id", id);
	json_put_str(w, "type", "message");
	json_put_str(w, "role", "assistant");
	json_put_span(w, "model", s->ask->model);
	json_put_array(w, "content");
}

/* Only these have a block; an item of another API is none. */
static int
has_block(const struct mock_part *p)
{
	return p->kind != MOCK_ITEM;
}

/* Input as JSON: a custom tool's text is {"input": text}. */
static struct span
input_of(const struct mock_part *p, struct text *scratch)
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
write_block(struct json_writer *w, const struct mock_part *p, struct span input,
    int whole)
{
	struct span text = whole ? p->text : (struct span){"", 0};

	json_write_object(w);
	if (p->kind == MOCK_TOOL) {
		json_put_str(w, "type", "tool_use");
		json_put_str(w, "id", p->call_id);
		json_put_span(w, "name", p->tool);
		json_put_raw(w, "input", whole ? input : span_of("{}"));
	} else if (p->kind == MOCK_REASONING) {
		json_put_str(w, "type", "thinking");
		json_put_span(w, "thinking", text);
		json_put_str(w, "signature", whole ? p->id : "");
	} else {
		json_put_str(w, "type", "text");
		json_put_span(w, "text", text);
	}
	json_write_end(w);
}

static void
say_whole(struct mock_say *s)
{
	struct json_writer w;

	json_write_init(&w, s->body);
	json_write_object(&w);
	write_message(s, &w);
	for (unsigned i = 0; i < s->parts->n; i++) {
		const struct mock_part *p = &s->parts->part[i];
		struct text scratch;

		text_init(&scratch, SCRATCH_MAX);
		if (has_block(p))
			write_block(&w, p, input_of(p, &scratch), 1);
		text_release(&scratch);
	}
	json_write_end(&w);
	json_put_str(&w, "stop_reason", stop_reason(s->parts));
	json_put_null(&w, "stop_sequence");
	write_usage(&w, &s->parts->usage, s->parts->usage.output_tokens);
	json_write_end(&w);
}

/* --- streamed --- */

static void
say_delta(struct mock_say *s, unsigned index, const char *type, const char *key,
    struct span piece)
{
	struct json_writer w;

	mock_event_begin(s, &w, "content_block_delta");
	json_put_int(&w, "index", index);
	json_put_object(&w, "delta");
	json_put_str(&w, "type", type);
	json_put_span(&w, key, piece);
	json_write_end(&w);
	mock_event_end(s, &w);
}

static void
stream_block(struct mock_say *s, const struct mock_part *p, unsigned index)
{
	const char *type = "text_delta", *key = "text";
	struct span rest = p->text, piece;
	struct json_writer w;
	struct text scratch;

	text_init(&scratch, SCRATCH_MAX);
	if (p->kind == MOCK_TOOL) {
		type = "input_json_delta";
		key = "partial_json";
		rest = input_of(p, &scratch);
	} else if (p->kind == MOCK_REASONING) {
		type = "thinking_delta";
		key = "thinking";
	}
	mock_event_begin(s, &w, "content_block_start");
	json_put_int(&w, "index", index);
	json_write_key(&w, "content_block");
	write_block(&w, p, rest, 0);
	mock_event_end(s, &w);
	while (mock_piece(&rest, mock_piece_chars(s), &piece)) {
		say_delta(s, index, type, key, piece);
		mock_pause(s);
	}
	if (p->kind == MOCK_REASONING)
		say_delta(
		    s, index, "signature_delta", "signature", span_of(p->id));
	mock_event_begin(s, &w, "content_block_stop");
	json_put_int(&w, "index", index);
	mock_event_end(s, &w);
	text_release(&scratch);
}

static void
say_start(struct mock_say *s)
{
	struct json_writer w;

	mock_event_begin(s, &w, "message_start");
	json_put_object(&w, "message");
	write_message(s, &w);
	json_write_end(&w);
	json_put_null(&w, "stop_reason");
	json_put_null(&w, "stop_sequence");
	write_usage(&w, &s->parts->usage, 1);
	json_write_end(&w);
	mock_event_end(s, &w);
}

static void
say_end(struct mock_say *s)
{
	struct json_writer w;

	mock_event_begin(s, &w, "message_delta");
	json_put_object(&w, "delta");
	json_put_str(&w, "stop_reason", stop_reason(s->parts));
	json_put_null(&w, "stop_sequence");
	json_write_end(&w);
	json_put_object(&w, "usage");
	json_put_int(&w, "output_tokens", s->parts->usage.output_tokens);
	json_write_end(&w);
	mock_event_end(s, &w);
	mock_event_begin(s, &w, "message_stop");
	mock_event_end(s, &w);
}

void
mock_say_messages(struct mock_say *s)
{
	unsigned index = 0;

	if (!s->ask->stream) {
		say_whole(s);
		return;
	}
	say_start(s);
	for (unsigned i = 0; i < s->parts->n; i++)
		if (has_block(&s->parts->part[i]))
			stream_block(s, &s->parts->part[i], index++);
	say_end(s);
}
