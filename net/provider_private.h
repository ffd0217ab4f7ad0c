#ifndef SKEP_NET_PROVIDER_PRIVATE_H
#define SKEP_NET_PROVIDER_PRIVATE_H

/* What the dialects share; included by net/provider*.c only. */

#include "net/item.h"
#include "net/json_write.h"
#include "net/provider.h"

/* --- replies --- */

/* End the reply with an error: -1. */
int reply_fail(struct model_reply *r, enum error_code code, int is_final,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Keep a finished item of r->doc: 0, or -1 as reply_fail(). */
int reply_keep(struct model_reply *r, int v);

/* The same, given as its JSON. */
int reply_keep_json(struct model_reply *r, struct span json);

/* The answer is whole: 0; -1 when it is a refusal. */
int reply_done(struct model_reply *r);

/* The server stopped early, for the reason it names: -1. */
int reply_incomplete(struct model_reply *r, struct span reason);

/* The server says that it failed; v is {code, message, ...}: -1. */
int reply_said_error(struct model_reply *r, int v);

/*
 * A piece of text, reasoning or arguments, a raw JSON value (what is no
 * string adds nothing): the watch is told, and it is appended to b (or NULL;
 * then arguments are only counted).  0, or -1 as reply_fail().
 */
int reply_piece(struct model_reply *r, enum piece_kind kind,
    struct reply_block *b, struct span raw);

/*
 * The event in r->doc was a piece, the value v, and nothing else; the next
 * one is probably another, if it differs from this one in nothing that
 * reply_fix() names.  Anything but a piece ends the expectation, so what an
 * event means may depend on r's blocks.
 */
void reply_expect(struct model_reply *r, enum piece_kind kind,
    const struct reply_block *b, int v);
void reply_fix(struct model_reply *r, int v);

/* 1: data was the piece expected, and is taken; 0: it was not; -1. */
int reply_next_piece(struct model_reply *r, struct span data);

/* Append a string of r->doc to *t, replacing what was there. */
void reply_note(const struct model_reply *r, int v, struct text *t);

/* A token count, never negative. */
uint64_t reply_tokens(const struct model_reply *r, int v);

/* An {code, type, message} object says that the model's window is too small. */
int provider_says_too_long(const struct json_doc *d, int v);

/* What an {code, type, message} object means; *is_final as in the header. */
enum error_code provider_error_code(
    const struct json_doc *d, int v, int *is_final);

/* Why the model stopped, where that comes before the answer's end. */
enum reply_stop {
	STOP_NONE, /* not said yet */
	STOP_DONE,
	STOP_LENGTH,
	STOP_WINDOW,
	STOP_FILTER,
	STOP_REFUSAL,
};

/*
 * A block is an item that still comes, of dialects that send their items in
 * pieces.  Pieces are joined as they are written in JSON, escapes and all:
 * that is what the item will need, and halves of a surrogate pair that were
 * torn apart meet again.
 */
enum block_kind {
	BLOCK_TEXT,
	BLOCK_REFUSAL,
	BLOCK_REASONING,
	BLOCK_CALL,
	BLOCK_OTHER, /* raw is the server's own object */
};

struct reply_block {
	enum block_kind kind;
	int64_t index;    /* the server's number for it */
	struct text id;   /* of a call, escaped */
	struct text name; /* of a call, escaped */
	struct text body; /* text or arguments, escaped */
	struct text raw;  /* a signature, escaped; or an object */
};

/* The newest block of that kind and index (-1: any), or NULL. */
struct reply_block *block_find(
    const struct model_reply *r, enum block_kind kind, int64_t index);
/* A new one; NULL as reply_fail(). */
struct reply_block *block_add(
    struct model_reply *r, enum block_kind kind, int64_t index);
/* Append a piece: 0, or -1 as reply_fail(). */
int block_append(
    struct model_reply *r, struct reply_block *b, struct span escaped);
/* Keep all blocks as items, in order: 0, or -1 as reply_fail(). */
int block_keep_all(struct model_reply *r);
/* Keep all, then end as r->stop says. */
int reply_stopped(struct model_reply *r);

void reply_drop_blocks(struct model_reply *r);

/* --- requests --- */

/*
 * Members of q->settings.  Those that build() itself writes are refused:
 * names in the list (ended by NULL).  0, or -1 and *e.
 */
struct extras {
	struct json_doc doc;
};
int extras_read(struct extras *s, const struct model_request *q,
    const char *const *reserved, struct error *e);
void extras_release(struct extras *s);
/* The value of a member, or -1. */
int extras_get(const struct extras *s, const char *name);
/* Write all members but those in the list (ended by NULL). */
void extras_write(
    const struct extras *s, struct json_writer *w, const char *const *except);

/* All items of q, parsed, in arena a; NULL and *e. */
struct arena;
struct item *build_items(
    const struct model_request *q, struct arena *a, struct error *e);

/* The most tokens that either q or the setting of that name allows; 0: any. */
uint64_t build_limit(
    const struct extras *s, const struct model_request *q, const char *name);

/*
 * Native tools where only functions are to be had: "apply_patch" and custom
 * tools take {"input": string}, "shell" takes what its action would hold.
 */
struct span function_name(const struct tool_spec *tool);
void function_write_schema(struct json_writer *w, const struct tool_spec *tool);
/* A call's name and its arguments as a JSON object. */
struct span function_name_of(const struct item *call);
void function_write_arguments(const struct item *call, struct text *t);

/* The tool that a structured answer of the Messages API is given to. */
#define MESSAGES_ANSWER_TOOL "final_answer"

int chat_build(
    const struct model_request *q, struct text *body, struct error *e);
int messages_build(
    const struct model_request *q, struct text *body, struct error *e);

/* After the last byte: 0, or -1 and *e. */
int build_done(const struct json_writer *w, struct error *e);

#endif
