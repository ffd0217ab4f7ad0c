#ifndef SKEP_ENGINE_MOCK_ASK_H
#define SKEP_ENGINE_MOCK_ASK_H

/*
 * What a request to the scripted model server asks, whichever API it speaks:
 * the facts that rules match and templates use.
 */

#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/span.h"
#include "engine/base/text.h"

struct error;
struct json_doc;

/* Where a request's header fields are; p == NULL for one that is absent. */
struct mock_fields {
	struct span (*get)(const void *owner, const char *name);
	const void *owner;
};

enum mock_api { MOCK_RESPONSES, MOCK_CHAT, MOCK_MESSAGES };

struct mock_ask {
	struct arena arena; /* everything but the texts lives here */
	enum mock_api api;
	struct mock_fields fields;
	struct span model;
	struct text input;       /* all user messages, a newline between */
	struct text last_output; /* of the last tool result */
	int64_t turn;            /* model turns in the request */
	int64_t attempt;
	int stream;
	int wants_usage;     /* chat: in the stream as well */
	int wants_encrypted; /* responses: reasoning.encrypted_content */
	int has_shell;       /* declared as native tools */
	int has_apply_patch;
	uint64_t body_bytes;
	uint64_t fingerprint; /* of the body: all names are made from it */
};

/* An empty one; mock_ask_release() gives back what reading took. */
void mock_ask_init(struct mock_ask *ask, enum mock_api api);
void mock_ask_release(struct mock_ask *ask);

/* Read the body; -1 and *e when it is no request of the API. */
int mock_ask_read(struct mock_ask *ask, struct span body,
    const struct mock_fields *fields, struct error *e);

/* The value of a header field; p == NULL when there is none. */
struct span mock_ask_header(const struct mock_ask *ask, const char *name);

/* --- for the dialects (ask_*.c) --- */

/* A user message begins: its text is appended to ask->input behind it. */
void mock_ask_add_input(struct mock_ask *ask, const struct json_doc *d, int v);

/* Append a string, or the text parts of an array, to t. */
void mock_ask_add_content(struct text *t, const struct json_doc *d, int v);

int mock_ask_responses(
    struct mock_ask *ask, const struct json_doc *d, struct error *e);
int mock_ask_chat(
    struct mock_ask *ask, const struct json_doc *d, struct error *e);
int mock_ask_messages(
    struct mock_ask *ask, const struct json_doc *d, struct error *e);

#endif
