#ifndef SKEP_TOOLS_MCP_AUTH_H
#define SKEP_TOOLS_MCP_AUTH_H

struct mcp_auth;
struct mcp_request;
struct secret;

/* What is sent as "Authorization: Bearer", or NULL.  a may be NULL. */
const struct secret *mcp_auth_token(const struct mcp_auth *a);

/*
 * The server answered with 401 or 403: get a token and send q again, or end
 * it with words about what a person can do.
 */
void mcp_auth_refused(struct mcp_request *q);

#endif
