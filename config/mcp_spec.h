#ifndef SKEP_CONFIG_MCP_SPEC_H
#define SKEP_CONFIG_MCP_SPEC_H

/*
 * "mcp_servers" of an agent: tool servers that speak the Model Context
 * Protocol, by name.  A server is either a command, which runs in a sandbox
 * of its own, or an address.
 */

#include <stdint.h>

#include "config/secret_ref.h"
#include "config/text_list.h"

struct agent_header;
struct field_custom;
struct profile;
struct span;

#define MCP_SERVERS_MAX 32
#define MCP_NAME_MAX 32 /* bytes of a server's name */

enum mcp_grant { MCP_GRANT_CODE, MCP_GRANT_CLIENT };
enum mcp_elicitation { MCP_DECLINE, MCP_DEFAULTS };

struct mcp_oauth {
	int is_given;
	int grant;             /* enum mcp_grant */
	const char *client_id; /* registered by hand; or NULL */
	const char *client_metadata_url;
	struct secret_ref client_secret, private_key;
	const char *scope;     /* NULL: what the server asks for */
	int64_t redirect_port; /* 0: any */
};

struct mcp_spec {
	const char *name;

	const char *command; /* or NULL */
	struct text_list args;
	const struct agent_header *env; /* values or references */
	unsigned env_n;
	const struct profile
	    *profile; /* of its sandbox; no clock of commands */
	int shared;   /* one for all runs of an engine */

	const char *url; /* or NULL */
	const struct agent_header *headers;
	unsigned headers_n;
	const char *ca_file;
	struct mcp_oauth oauth;

	struct text_list allow_tools, block_tools;
	struct text_list allow_resources, block_resources;
	int prompts;
	int elicitation; /* enum mcp_elicitation */
	int required;    /* without it nothing runs */
	double connect_seconds, call_seconds;
};

struct mcp_specs {
	const struct mcp_spec *at;
	unsigned n;
};

extern const struct field_custom mcp_specs_custom;

/* By name; NULL when there is none. */
const struct mcp_spec *mcp_specs_get(
    const struct mcp_specs *l, const char *name);

/*
 * Does any pattern (those of file names in a shell, '*' matching '/' too)
 * match s?
 */
int mcp_pattern_match(const struct text_list *patterns, struct span s);

#endif
