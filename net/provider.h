#ifndef SKEP_NET_PROVIDER_H
#define SKEP_NET_PROVIDER_H

/*
 * A provider is one dialect of model API.  It turns a request into the bytes
 * of a body, and the events (or the whole JSON) of the answer into items,
 * usage and an end.  It never sees a socket, a run or a clock, so recorded
 * bytes test all of it.
 *
 * Life of a reply: reply_init(); then for a streamed answer reply_event()
 * for each event and reply_finish() at the stream's end, or for a plain one
 * reply_whole(); then read items, usage, end; reply_release().  Nothing of
 * a reply that did not reach REPLY_DONE may be kept.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/span.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_shape.h"

struct http_field;
struct sse_event;

/* --- the request --- */

enum tool_kind {
	TOOL_FUNCTION,    /* arguments are JSON after a schema */
	TOOL_CUSTOM,      /* input is free text, maybe after a grammar */
	TOOL_SHELL,       /* native shell: shell_call items */
	TOOL_LOCAL_SHELL, /* its older form: local_shell_call items */
	TOOL_APPLY_PATCH, /* native patches: apply_patch_call items */
	TOOL_RAW,         /* parameters is the whole tool object */
};

struct tool_spec {
	enum tool_kind kind;
	struct span name, description;
	struct span parameters; /* JSON: a function's schema; a custom tool's
				   format; a raw tool */
	int strict;
};

/*
 * What to ask.  Everything is borrowed during build.  The same agent must
 * give the same model, instructions, tools and settings each time: they form
 * the prefix that the server caches, byte for byte.
 */
struct model_request {
	struct span model;
	struct span instructions;
	const struct span *items; /* JSON of each, in order */
	size_t nitems;
	const struct tool_spec *tools;
	size_t ntools;
	struct span settings; /* a JSON object of body members, or empty */
	struct span schema;   /* of a structured answer, or empty */
	struct span schema_name;
	struct span cache_key; /* prompt_cache_key, or empty */
	struct span previous_response_id;
	uint64_t max_output_tokens; /* 0: not limited by us */
	/*
	 * Where the server can do it, it makes one compaction item of what
	 * lies before, once a request has that many tokens; 0: never.
	 */
	uint64_t compact_tokens;
	int stream;
};

/* --- the reply --- */

struct usage {
	uint64_t input_tokens; /* all of them, cached included */
	uint64_t cached_tokens;
	uint64_t cache_write_tokens;
	uint64_t output_tokens; /* reasoning included */
	uint64_t reasoning_tokens;
	int known; /* the server said */
};

enum reply_end {
	REPLY_OPEN,       /* not at its end */
	REPLY_DONE,       /* finished as it should */
	REPLY_INCOMPLETE, /* length or filter; see error */
	REPLY_FAILED,     /* the server says that it failed; see error */
};

struct reply_item {
	size_t at, n;           /* in struct model_reply's bytes */
	size_t call_at, call_n; /* of a call, its id, still escaped */
};

/* Called with text as it comes; unescaped, whole characters. */
struct reply_watch {
	void (*text)(void *owner, struct span text);
	void (*reasoning)(void *owner, struct span text);
	void *owner;
};

struct reply_block; /* a block of a reply that is still being streamed */

/* What a piece of a streamed answer adds to. */
enum piece_kind { PIECE_NONE, PIECE_TEXT, PIECE_REASONING, PIECE_ARGUMENTS };

/*
 * What the next event is taken for if it has the last one's shape, and its
 * fixed leaves are the same: one more piece of the same thing.
 */
struct reply_next {
	enum piece_kind kind;
	unsigned leaf;  /* that is the piece */
	uint32_t fixed; /* bit i: leaf i */
	int block;      /* the block that it continues; -1: none */
	struct json_shape shape;
};

struct model_reply {
	const struct provider_ops *ops;
	enum reply_end end;
	struct usage usage;
	struct text bytes;       /* JSON of the finished items, end to end */
	struct reply_item *item; /* pool block */
	unsigned items, items_size;
	unsigned calls;
	struct reply_block *block; /* pool block */
	unsigned blocks, blocks_size;
	struct text id;      /* the server's name for this answer */
	struct text model;   /* which model really answered */
	struct text told;    /* scratch: text for the watch */
	struct json_doc doc; /* of the event being read */
	struct reply_next next;
	struct reply_watch watch;
	/*
	 * Why it did not end well: MODEL_UNAVAILABLE, MODEL_RATE_LIMITED,
	 * MODEL_REJECTED, MODEL_AUTH, MODEL_INCOMPLETE, MODEL_REFUSED or
	 * MODEL_PROTOCOL.  is_final: trying again cannot help.
	 */
	struct error error;
	int is_final;
	int is_too_long; /* the request does not fit the model's window */
	int refused;
	int stop;        /* enum reply_stop, of dialects that say it early */
	int done_marked; /* "[DONE]" came */
	uint64_t events;
	size_t received;       /* bytes of events so far */
	size_t argument_bytes; /* of the call that is being told now */
};

struct provider_ops {
	const char *name; /* "responses" */
	const char *path; /* behind base_url: "/responses" */
	/* How the key is sent: name of the field, what stands before it. */
	const char *key_field, *key_prefix;
	/* Further fields of every request, ended by a name of length 0. */
	const struct http_field *fields;
	int done_marker;      /* "[DONE]" closes the stream */
	int has_native_tools; /* TOOL_CUSTOM, TOOL_SHELL, TOOL_APPLY_PATCH */

	/* Append the body.  -1 and *e: SYNTAX (settings), TOO_BIG, CONFIG. */
	int (*build)(
	    const struct model_request *q, struct text *body, struct error *e);
	/* One event.  -1: r->error says why, and the answer is over. */
	int (*event)(struct model_reply *r, const struct sse_event *ev);
	/* A whole JSON answer in r->doc. */
	int (*whole)(struct model_reply *r);
	/* The stream has ended. */
	int (*finish)(struct model_reply *r);
};

extern const struct provider_ops provider_responses;
extern const struct provider_ops provider_chat;
extern const struct provider_ops provider_messages;

/* By the name in an agent file; NULL when there is none. */
const struct provider_ops *provider_find(struct span name);

void reply_init(struct model_reply *r, const struct provider_ops *ops,
    const struct reply_watch *watch);
void reply_release(struct model_reply *r);
/* Forget everything, for another attempt. */
void reply_clear(struct model_reply *r);

/*
 * 0: go on (end may have been reached).  -1: r->error, r->is_final; the call
 * is over.
 */
int reply_event(struct model_reply *r, const struct sse_event *ev);
/* The body of a plain answer; borrowed. */
int reply_whole(struct model_reply *r, struct span body);
/* The stream has ended; -1 when that was too early. */
int reply_finish(struct model_reply *r);

/* JSON of finished item i. */
struct span reply_item(const struct model_reply *r, unsigned i);

/*
 * What the body of an answer with an error status means: the server's words
 * go to *e with a code (NONE when the body does not say more than the
 * status), is_final as in struct retry_case.
 */
void provider_read_error(
    int status, struct span body, struct error *e, int *is_final);

/* Does such a body say that the request is longer than the model's window? */
int provider_is_too_long(struct span body);

#endif
