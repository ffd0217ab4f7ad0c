#ifndef SKEP_NET_ITEM_H
#define SKEP_NET_ITEM_H

/*
 * An item is one entry of a transcript: a message, a tool call, a tool's
 * result, reasoning.  Its one true form is its JSON as the Responses API
 * writes it; struct item only points at the parts that we act upon.  What we
 * do not understand stays in the bytes and goes back to the model unchanged.
 */

#include <stddef.h>

#include "engine/base/span.h"

struct arena;
struct error;
struct json_doc;
struct text;

enum item_kind {
#define ITEM(KIND, type, part, payload) ITEM_##KIND,
#include "net/items.def"
	ITEM_OTHER, /* of a type that is not in the table */
};

enum item_part {
	ITEM_PART_MODEL,
	ITEM_PART_CALL,
	ITEM_PART_ANSWER,
	ITEM_PART_SERVER,
	ITEM_PART_OTHER,
};

struct item {
	enum item_kind kind;
	struct span json;    /* all of it, one object */
	struct span type;    /* as sent: "function_call" */
	struct span id;      /* the server's; empty when there is none */
	struct span call_id; /* links a call and its answer */
	struct span name;    /* of a function or custom tool */
	struct span role;    /* of a message */
	struct span status;
	/*
	 * Raw JSON of the member that the kind acts upon: a string with its
	 * quotes (arguments, input), an object (action, operation), an array.
	 */
	struct span payload;
};

const char *item_type(enum item_kind kind);
enum item_part item_part(enum item_kind kind);

/* The kind that answers a call. */
enum item_kind item_answer_kind(enum item_kind call);

/*
 * Read one item.  Spans point into json, or into arena a where an escape had
 * to be resolved.  A message may lack "type".  -1 and *e (SYNTAX, FULL) when
 * json is no object, or a call lacks what is needed to answer it.
 */
int item_parse(
    struct item *it, struct span json, struct arena *a, struct error *e);

/* The same from an object of a parsed document. */
int item_read(struct item *it, const struct json_doc *d, int object,
    struct arena *a, struct error *e);

/*
 * The payload as text: a string unescaped, anything else as its JSON.
 * Appends.  This is a call's arguments, input, action or operation.
 */
void item_add_payload(const struct item *it, struct text *t);

/*
 * Append what a message says (output_text, input_text parts), or what our own
 * compaction wrote; 1 if any.
 */
int item_add_text(const struct item *it, struct text *t);

/* Append a message's refusal; 1 if it has one. */
int item_add_refusal(const struct item *it, struct text *t);

/*
 * Append what an answer says, as text: a string, the text parts of a list,
 * or the streams, exit code and time-out of each command of a shell.
 */
void item_add_output(const struct item *it, struct text *t);

/* Items that we write; each appends one JSON object without a newline. */
void item_write_message(struct text *t, const char *role, struct span content);
void item_write_function_output(
    struct text *t, struct span call_id, struct span output);
void item_write_custom_output(
    struct text *t, struct span call_id, struct span output);
void item_write_patch_output(
    struct text *t, struct span call_id, int ok, struct span output);

#endif
