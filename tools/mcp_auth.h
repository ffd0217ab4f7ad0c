#ifndef SKEP_TOOLS_MCP_AUTH_H
#define SKEP_TOOLS_MCP_AUTH_H

/*
 * The token for a server that is reached by HTTP: kept below the state
 * directory when a person gave it (mcp_tokens.c), fetched by the program
 * itself where it has credentials, renewed when the server refuses it.  It is
 * sent to the address of the server that it was given for, and nowhere else.
 */

struct error;
struct mcp_auth;
struct mcp_request;
struct mcp_server;
struct secret;

/* Reads what is kept, and secrets.  NULL and *e. */
struct mcp_auth *mcp_auth_new(struct mcp_server *s, struct error *e);
void mcp_auth_free(struct mcp_auth *a); /* NULL is fine */

/* What is sent as "Authorization: Bearer", or NULL.  a may be NULL. */
const struct secret *mcp_auth_token(const struct mcp_auth *a);

/*
 * The server answered with 401 or 403: get a token and send q again, or end
 * it with words about what a person can do.
 */
void mcp_auth_refused(struct mcp_request *q);
/* q is over and waits no longer. */
void mcp_auth_forget(struct mcp_request *q);

#endif
