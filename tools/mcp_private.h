#ifndef SKEP_TOOLS_MCP_PRIVATE_H
#define SKEP_TOOLS_MCP_PRIVATE_H

/*
 * The inside of the MCP client:
 *
 *	mcp.c		the servers of an agent, from start to end
 *	mcp_link.c	a link: its states, its requests, their ends
 *	mcp_speak.c	what is said and heard, in every revision
 *	mcp_inputs.c	what a server asks of us
 *	mcp_stdio.c	lines to and from a process in a sandbox
 *	mcp_http.c	messages posted, answers as JSON or as events
 *	mcp_params.c	arguments that must stand in header fields too
 *	mcp_list.c	what the servers offer, at start-up
 *	mcp_pins.c	what it was when it was accepted
 *	mcp_call.c	a tool call of the model
 *	mcp_result.c	what came of it, for the model
 *	mcp_offers.c	resources and prompts, as tools
 *	mcp_auth.c	tokens
 *
 * A link's life:
 *
 *	IDLE -> STARTING -> GREETING -> READY -> DOWN -> STARTING ...
 *
 * Requests wait on the link until it is READY.  When it goes DOWN all that
 * were sent end with an error, as they may or may not have been carried out;
 * those that were not go on waiting for the next start, which is later each
 * time, up to LINK_FAILURES_MAX times in a row.  The protocol of 2026-07-28
 * has no greeting: once a server is known to speak it, its links are READY as
 * soon as they can carry bytes.
 */

#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/secret.h"
#include "engine/base/slab.h"
#include "engine/base/text.h"
#include "net/http.h"
#include "net/json.h"
#include "net/jsonrpc.h"
#include "net/sse.h"
#include "tools/call.h"
#include "tools/mcp.h"
#include "tools/output.h"

#define MCP_MAGIC 0x70016d01u
#define MCP_LINK_MAGIC 0x70016d02u
#define MCP_REQUEST_MAGIC 0x70016d03u

#define MCP_MESSAGE_MAX (16 * MIB)
#define MCP_HEADERS_MAX 16
#define MCP_FIELDS_MAX 64 /* of one request, mirrored arguments included */
#define MCP_TOOLS_MAX 512 /* listed by one server */
#define MCP_PAGES_MAX 64  /* of one list */
#define MCP_MEMBERS_MAX 6
#define MCP_ROUNDS_MAX 8 /* of input_required in one call */
#define LINK_FAILURES_MAX 5
#define LINK_SAID_MAX 400  /* of its standard error, for messages */
#define LINK_NOISE_MAX 100 /* lines on its standard output that are no JSON */

enum mcp_revision {
	MCP_UNKNOWN,
#define REVISION(NAME, text, stateless) MCP_##NAME,
#include "tools/mcp_revisions.def"
	MCP_REVISIONS
};

#define MCP_LATEST_LEGACY MCP_2025_11_25
#define MCP_LATEST MCP_2026_07_28

const char *mcp_revision_text(enum mcp_revision r); /* "" when unknown */
enum mcp_revision mcp_revision_of(struct span text);
int mcp_revision_is_stateless(enum mcp_revision r);

struct mcp_auth;
struct mcp_link;
struct mcp_request;

/* --- what is offered --- */

/* An argument that is mirrored in the field Mcp-Param-NAME. */
struct mcp_param {
	struct span argument, field;
};

struct mcp_tool {
	struct tool tool; /* first: what the registry knows */
	struct mcp_server *server;
	struct span name;        /* the server's own */
	struct span description; /* in the arena, NUL-terminated */
	struct span schema;
	const struct mcp_param *param;
	unsigned params;
	char digest[HASH_TEXT_MAX];
	enum mcp_pin pin;
	const char *why;
};

struct mcp_server {
	struct mcp *mcp;
	const struct mcp_spec *spec;
	char identity[HASH_TEXT_MAX]; /* of how it is reached */
	enum mcp_revision revision;   /* once it is known */
	int has_tools;                /* it said so */
	int is_shy; /* the probe was too much for it: greet it at once */
	struct http_origin *origin;
	struct url url;
	struct span target;                    /* of its URL */
	const char **argv;                     /* of its command */
	struct secret secret[MCP_HEADERS_MAX]; /* of headers or environment */
	struct mcp_auth *auth;
	struct mcp_link *shared; /* or NULL */
	struct mcp_tool *tool;
	unsigned tools, pages;
	struct error error; /* why it could not be listed */
};

struct mcp {
	unsigned magic;
	struct mcp_settings set;
	struct arena arena; /* for good: names, schemas */
	struct http_client *http;
	struct slab links, requests;
	struct list closing; /* links that end politely */
	unsigned servers;
	struct mcp_server server[MCP_SERVERS_MAX];
	struct list links_listing; /* links while listing */
	unsigned listing;          /* servers that have not told yet */
	struct mcp_offer *offer;   /* see mcp_offers.c */
	struct text notes;         /* lines for people */
};

/* --- links --- */

enum link_state {
	LINK_IDLE,
	LINK_STARTING, /* its sandbox is being built */
	LINK_GREETING, /* who are you, and what do you speak? */
	LINK_READY,
	LINK_DOWN,    /* until the timer says that it may start again */
	LINK_CLOSING, /* nobody waits for it any more */
};

struct mcp_transport {
	/* Begin; link_started() or link_down() follows, not before return. */
	int (*start)(struct mcp_link *l, struct error *e);
	/* Send q->body; what fails is told by request_fail() or link_down(),
	   never before this returns. */
	void (*send)(struct mcp_link *l, struct mcp_request *q);
	/* A message nobody waits for; takes no ownership of it. */
	void (*post)(struct mcp_link *l, struct span message);
	/* q was sent and is given up: tell the server. */
	void (*forget)(struct mcp_link *l, struct mcp_request *q);
	/* Let go of what is under way for q, in silence. */
	void (*drop)(struct mcp_link *l, struct mcp_request *q);
	/* Let everything go at once. */
	void (*stop)(struct mcp_link *l);
	/* The greeting is over; may be NULL. */
	void (*ready)(struct mcp_link *l);
	/* Say good-bye; 1 when link_gone() will be called, 0 for at once. */
	int (*part)(struct mcp_link *l);
};

extern const struct mcp_transport mcp_stdio, mcp_http;

struct mcp_link {
	unsigned magic;
	struct mcp_server *server;
	struct list_node node; /* of list, or of mcp->closing */
	struct list *list;     /* of a toolbox, or NULL */
	const struct mcp_transport *transport;
	enum link_state state;
	enum mcp_revision revision;
	struct list requests;
	int64_t next_id;
	unsigned failures; /* since it last answered */
	struct loop_timer timer;
	struct loop_deferred go; /* to be called from the loop */
	struct error error;      /* why it is DOWN */
	int asked_again;         /* discover was repeated already */
	int probing;             /* discover is on its way */

	/* stdio */
	struct sandbox *sandbox;
	struct exec *exec;
	struct text line; /* of its standard output, not whole yet */
	struct text out;  /* not taken by its standard input yet */
	char said[LINK_SAID_MAX];
	size_t said_n;
	unsigned noise;

	/* http */
	struct text session;
};

/* A member of "params": its value is JSON. */
struct mcp_member {
	const char *key; /* kept: a literal */
	struct span json;
};

struct mcp_answer {
	const struct error *error; /* NULL: there is a result */
	int64_t code;              /* of the server's error object, or 0 */
	const struct json_doc *doc;
	int result;
};

/* The request is gone when this returns. */
typedef void mcp_done_fn(
    struct mcp_request *q, const struct mcp_answer *a, void *owner);

struct mcp_request {
	unsigned magic;
	struct mcp_link *link;
	struct list_node node; /* of link->requests */
	int64_t id;            /* of the last message that was sent for it */
	const char *method;
	struct mcp_member member[MCP_MEMBERS_MAX]; /* of "params" */
	unsigned members, asked;    /* the first of them were asked for */
	enum mcp_revision revision; /* that the message is dressed in */
	struct span name;           /* for Mcp-Name; in arena */
	struct arena arena;         /* of name and members */
	char parent[56];            /* traceparent; "" when there is none */
	struct text body;
	struct text fields; /* mirrored arguments: name NUL value NUL ... */
	struct loop_timer timer;
	uint32_t timeout_ms;
	int is_greeting; /* the link's own: need not wait */
	int is_sent;
	int is_post; /* a message without an answer */
	int listens; /* to what the server says of its own accord */
	unsigned rounds;
	struct error failure; /* to be told from the loop */
	struct loop_deferred fails;
	mcp_done_fn *done;
	void *owner;

	/* http */
	struct http_call *call;
	struct span slice;
	int status;
	int is_stream;
	int is_resumed; /* by GET, after the stream had ended */
	unsigned resumes, logins;
	struct sse sse;
	struct text reply;
	struct text challenge; /* WWW-Authenticate */
	struct text event_id;
	struct loop_timer again;
	struct list_node in_auth; /* it waits for a token */
};

/*
 * A link to server for whoever holds list (NULL: for nobody but the caller);
 * the one that is in it already, or a new one.  NULL and *e (FULL).
 */
struct mcp_link *link_get(
    struct mcp_server *server, struct list *list, struct error *e);
/* Give it up: its requests end without being called back. */
void link_close(struct mcp_link *l);
/* At the end of everything: those that part, at once. */
void links_free(struct list *closing);
/* From a transport: nothing is left of a link that parted. */
void link_gone(struct mcp_link *l);
/* From a transport: bytes can be sent now. */
void link_started(struct mcp_link *l);
/* It failed, or the server did; *e is copied. */
void link_down(struct mcp_link *l, const struct error *e);
/* The greeting is over. */
void link_ready(struct mcp_link *l);

/* What is asked; spans are borrowed. */
struct mcp_question {
	const char *method; /* kept: a literal */
	const struct mcp_member *member;
	unsigned members;
	struct span name;   /* for Mcp-Name; or empty */
	struct span fields; /* see struct mcp_request */
	const char *parent; /* traceparent, or NULL */
	uint32_t timeout_ms;
};

/* NULL and *e (FULL).  done never comes before it returns. */
struct mcp_request *mcp_ask(struct mcp_link *l, const struct mcp_question *ask,
    mcp_done_fn *done, void *owner, struct error *e);
/* Give it up; the server is told.  NULL is fine. */
void mcp_forget(struct mcp_request *q);

/* For the inside: end q. */
void request_fail(struct mcp_request *q, const struct error *e);
void request_fail_soon(struct mcp_request *q, const struct error *e);
void request_end(struct mcp_request *q, const struct mcp_answer *a);
void request_send(struct mcp_request *q);
/* A request of the link's own, or a message without an answer. */
struct mcp_request *request_new(struct mcp_link *l, const char *method);
/* Add a member; json and text (which becomes JSON) are copied. */
void request_put(struct mcp_request *q, const char *key, struct span json);
void request_put_text(struct mcp_request *q, const char *key, struct span s);
void request_free(struct mcp_request *q);

/* --- mcp_speak.c --- */

/* Begin the greeting of a link that can carry bytes. */
void mcp_greet(struct mcp_link *l);
/* Write q's message into q->body, with a new id. */
void mcp_write_request(struct mcp_request *q);
void mcp_write_cancel(const struct mcp_request *q, struct text *out);
/*
 * One message came; q is the request whose exchange it came in, or NULL when
 * all share one stream.  1: it ended q's exchange, and q may be gone.  -1 and
 * *e: no JSON (SYNTAX) or against the protocol; the message was not used.
 */
int mcp_heard(struct mcp_link *l, struct mcp_request *q, struct span message,
    struct error *e);

/* --- mcp_inputs.c --- */

/* Members of "capabilities" into an open object. */
void mcp_write_capabilities(const struct mcp_spec *spec, struct json_writer *w);
/* A request of the server's: the whole answer into out. */
void mcp_answer_request(const struct mcp_spec *spec, const struct json_doc *d,
    const struct jsonrpc *m, struct text *out);
/*
 * The result asks for inputs before the call can end: "inputResponses" into
 * out.  -1 and *e: it asks for what we have not.
 */
int mcp_answer_inputs(const struct mcp_spec *spec, const struct json_doc *d,
    int result, struct text *out, struct error *e);

/* --- mcp_params.c --- */

/*
 * The arguments that the schema wants in fields, in arena.  -1 and *why: a
 * tool that may not be used.
 */
int mcp_params_read(const struct json_doc *schema, struct arena *a,
    const struct mcp_param **out, unsigned *n, const char **why);
/* s as the value of a field: as it stands where it can, else encoded. */
void mcp_field_add(struct span s, struct text *out);
/* The fields of a call. */
void mcp_params_write(
    const struct mcp_tool *t, const struct json_doc *args, struct text *out);

/* --- mcp_list.c --- */

/* The name that models use: SERVER__TOOL in what they accept; in arena. */
const char *mcp_full_name(
    struct arena *a, const char *server, struct span tool);
/* One tool of a list into t; it may turn out MCP_BAD.  -1: no memory. */
int mcp_tool_read(struct mcp_server *s, struct mcp_tool *t,
    const struct json_doc *d, int v, struct error *e);

/* --- mcp_call.c --- */

/* A call of the model's that waits for a server. */
struct mcp_call {
	struct tool_call *call;
	struct mcp_server *server;
	struct mcp_request *request;
	/* The answer, while it is spilled. */
	struct text all;
	size_t taken;
	struct output output;
	int spills;
	struct text images; /* elements of the answer's list, commas between */
};

/* Ask the server of c; done as mcp_ask(). */
int mcp_call_ask(
    struct mcp_call *c, const struct mcp_question *q, mcp_done_fn *done);
/* A new one in the call's arena, or NULL and a complaint in its text. */
struct mcp_call *mcp_call_new(struct tool_call *call, struct mcp_server *s);
void mcp_call_stop(struct tool_call *call);
/* Answer with the error. */
void mcp_call_fail(struct mcp_call *c, const struct error *e);
/* Answer with what is in c->all, cut and spilled, and c->images. */
void mcp_call_tell(struct mcp_call *c);
int mcp_call_start(struct tool_call *call, const struct json_doc *args);

/* --- mcp_result.c --- */

/* What a result of tools/call says, into c->all and c->images. */
void mcp_result_add(struct mcp_call *c, const struct json_doc *d, int result);
/* One block of content: of a tool, a prompt or (contents) a resource. */
void mcp_content_add(struct mcp_call *c, const struct json_doc *d, int block);
void mcp_resource_add(struct mcp_call *c, const struct json_doc *d, int v);

/* --- mcp_offers.c --- */

/* Tools for resources and prompts, where the agent wants some. */
int mcp_offers_add(struct mcp *m, struct toolset *set, struct error *e);

/* --- mcp_tokens.c --- */

struct mcp_grant_kept;
int mcp_tokens_load(
    struct mcp_server *s, struct mcp_grant_kept *g, struct error *e);
/* An empty one is forgotten. */
int mcp_tokens_store(
    struct mcp_server *s, const struct mcp_grant_kept *g, struct error *e);

/* --- mcp_file.c: small files below STATE/mcp --- */

/* -1 and *e; a missing file is empty. */
int mcp_file_read(
    const char *state, const char *name, struct text *out, struct error *e);
int mcp_file_write(
    const char *state, const char *name, struct span s, struct error *e);

/* --- mcp_pins.c --- */

/* Set each tool's pin, keeping digests of those seen for the first time. */
int mcp_pins_apply(struct mcp_server *s, struct error *e);

#endif
