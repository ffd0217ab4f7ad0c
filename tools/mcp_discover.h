#ifndef SKEP_TOOLS_MCP_DISCOVER_H
#define SKEP_TOOLS_MCP_DISCOVER_H

/* Where servers describe themselves, and whether that can be believed. */

#include "engine/base/span.h"

struct error;
struct json_doc;
struct text;

/*
 * Append candidate number i (from 0): where the server at url says who may
 * let one in, and where an issuer describes itself.  0 when there is no more.
 */
int mcp_protected_address(struct span url, unsigned i, struct text *out);
int mcp_issuer_address(struct span issuer, unsigned i, struct text *out);

/* "https://host:port" of url. */
void mcp_origin_add(struct span url, struct text *out);

/* resource is url, or above it in its server. */
int mcp_resource_matches(struct span resource, struct span url);

/* Is s an element of the list? */
int mcp_list_has(const struct json_doc *d, int list, const char *s);

/* Append words of more that are not among those of out. */
void mcp_scope_add(struct span more, struct text *out);

/* Append "&name=value" (without '&' first), encoded. */
void mcp_form_add(struct text *out, const char *name, struct span value);

/* Parameter name of a query, decoded; 0 when there is none. */
int mcp_query_get(struct span query, const char *name, struct text *out);

/* Base64 for addresses, without padding. */
void mcp_base64url(struct span s, struct text *out);

#endif
