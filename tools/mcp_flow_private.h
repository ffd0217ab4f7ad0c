#ifndef SKEP_TOOLS_MCP_FLOW_PRIVATE_H
#define SKEP_TOOLS_MCP_FLOW_PRIVATE_H

/*
 * The inside of a login: mcp_flow.c (from the challenge to the issuer),
 * mcp_flow_person.c (who we are, and a person's browser), mcp_flow_token.c
 * (the token itself).
 */

#include "config/mcp_spec.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "net/json.h"
#include "tools/mcp_flow.h"

#define FLOW_MAGIC 0x70016f01u

struct http_fetch;
struct server;

/* How a client shows who it is, or'ed. */
enum method { METHOD_BASIC = 1, METHOD_POST = 2, METHOD_NONE = 4 };

struct mcp_flow {
	unsigned magic;
	struct mcp_flow_settings set;
	struct text secret, key, challenge, more; /* what set points to */
	struct mcp_grant_kept grant;              /* that is being made */
	struct http_fetch *fetch;
	void (*step)(struct mcp_flow *f, const struct json_doc *d);
	int status;
	unsigned candidate;
	int is_legacy; /* nobody described the server */

	struct text authorize, registrar; /* endpoints */
	struct text issuer_scopes;        /* all that the issuer knows */
	int takes_metadata, names_issuer; /* of the issuer */
	int methods;                      /* enum method, or'ed */

	struct server *listener;
	struct text redirect, state, verifier;
	struct error error;
	struct loop_deferred over;
	mcp_flow_done_fn *done;
	void *owner;
};

/* Texts of a flow; wiping releases. */
void flow_text_init(struct text *t);
void flow_text_wipe(struct text *t);
void flow_text_set(struct text *t, struct span s);

/* Something hard to guess, for addresses. */
void flow_random(struct text *out);

/* The flow is over, with these words. */
void flow_fail(struct mcp_flow *f, const char *why);

/* Ask; step goes on, with the answer when it is an object, and f->status. */
void flow_fetch(struct mcp_flow *f, const char *method, struct span url,
    struct span type, struct span body, struct span authorization,
    void (*step)(struct mcp_flow *f, const struct json_doc *d));

/* Append a member that is a text; 1 when it was there. */
int flow_take(
    const struct json_doc *d, int object, const char *key, struct text *out);

/* REGISTER and what follows: the issuer is known. */
void flow_find_client(struct mcp_flow *f);

/* TOKEN, by each kind of grant. */
void flow_ask_by_refresh(struct mcp_flow *f);
void flow_ask_by_credentials(struct mcp_flow *f);
void flow_ask_by_code(struct mcp_flow *f, struct span code);
void flow_got_token(struct mcp_flow *f, const struct json_doc *d);
/* The server of tokens said no: its words end the flow. */
void flow_refused(struct mcp_flow *f, const struct json_doc *d);

#endif
