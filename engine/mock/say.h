#ifndef SKEP_ENGINE_MOCK_SAY_H
#define SKEP_ENGINE_MOCK_SAY_H

/*
 * The bytes of an answer, in each of the three dialects, streamed or whole.
 * Everything is written at once into one text; `pauses` remembers where the
 * stream rests between two pieces.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/text.h"

struct json_writer;
struct mock_ask;
struct mock_part;
struct mock_parts;

struct mock_say {
	const struct mock_ask *ask;
	const struct mock_parts *parts;
	struct text *body;
	struct text *pauses; /* size_t offsets into body */
	int64_t created;     /* Unix time */
	int64_t sequence;    /* number of the next event */
};

void mock_say_responses(struct mock_say *s);
void mock_say_chat(struct mock_say *s);
void mock_say_messages(struct mock_say *s);

/* {"error": {...}} as the dialect of ask words it. */
void mock_say_error(const struct mock_ask *ask, int status, const char *message,
    struct text *body);

/* --- for the dialects --- */

/* Begin "event: type" (unless type is NULL) and "data: {"; end it. */
void mock_event_begin(
    struct mock_say *s, struct json_writer *w, const char *type);
void mock_event_end(struct mock_say *s, struct json_writer *w);

/* The stream rests here. */
void mock_pause(struct mock_say *s);

/* Characters of a piece, by the rule's timing. */
int64_t mock_piece_chars(const struct mock_say *s);

#endif
