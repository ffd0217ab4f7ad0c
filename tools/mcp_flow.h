#ifndef SKEP_TOOLS_MCP_FLOW_H
#define SKEP_TOOLS_MCP_FLOW_H

/*
 * OAuth 2.1 towards a tool server: from a challenge to a token.
 *
 *	PROTECTED  what the server says of itself (RFC 9728)
 *	ISSUER     what its authorisation server says of itself (RFC 8414, or
 *	           OpenID's discovery)
 *	REGISTER   who we are there: known by hand, by an address that
 *	           describes us, or registered now (RFC 7591)
 *	PERSON     somebody logs in with a browser and is sent back to us (with
 *	           PKCE, and the issuer in the answer checked: RFC 9207)
 *	TOKEN      the token is fetched (for the server's address: RFC 8707)
 *
 * Programs with credentials of their own skip PERSON; a token that can be
 * refreshed begins at TOKEN.  Every address must be https or on this machine.
 * What the server names as its resource must be its own address, what an
 * issuer calls itself the address that led to it.  Where a server says
 * nothing of itself, its own root is the issuer, as servers of 2025-03-26
 * had it.
 */

#include <stdint.h>

#include "engine/base/span.h"
#include "engine/base/text.h"

struct error;
struct http_client;
struct mcp_flow;
struct mcp_spec;

/* What is kept of a login. */
struct mcp_grant_kept {
	struct text access, refresh, scope;
	struct text issuer, token_endpoint, resource;
	struct text client_id, client_secret, method;
	int64_t expires_ms; /* Unix; 0: not known */
};
void mcp_grant_init(struct mcp_grant_kept *g);
void mcp_grant_release(struct mcp_grant_kept *g); /* wipes */
void mcp_grant_copy(
    struct mcp_grant_kept *to, const struct mcp_grant_kept *from);

struct mcp_flow_settings {
	struct http_client *http;
	const struct mcp_spec *spec;
	struct span client_secret; /* of spec; or empty */
	struct span private_key;   /* PEM; or empty */
	int plain_anywhere;
	struct span challenge;  /* WWW-Authenticate; or empty */
	struct span scope_more; /* asked for beside what is named */
	const struct mcp_grant_kept *before; /* the last login, or NULL */
	int refresh; /* with the token of before, nothing else */
	/* Send a person to this address; NULL: there is nobody. */
	void (*show)(void *owner, struct span url);
};

/* error NULL: *grant is the new one, borrowed.  The flow is over. */
typedef void mcp_flow_done_fn(struct mcp_flow *f,
    const struct mcp_grant_kept *grant, const struct error *error, void *owner);

/* Spans are copied.  NULL and *e.  done is never called before it returns. */
struct mcp_flow *mcp_flow_start(const struct mcp_flow_settings *s,
    mcp_flow_done_fn *done, void *owner, struct error *e);
void mcp_flow_free(struct mcp_flow *f); /* NULL is fine; in done() too */

#endif
