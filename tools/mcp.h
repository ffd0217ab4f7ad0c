#ifndef SKEP_TOOLS_MCP_H
#define SKEP_TOOLS_MCP_H

/*
 * Tool servers that speak the Model Context Protocol: the client's side, in
 * the revisions of mcp_revisions.def.
 *
 * Theory of operation
 *
 * The servers of an agent are asked once for what they offer, before the
 * first turn of the first run (mcp_list()).  From then on their tools are
 * tools like any other, under the name SERVER__TOOL: the model of every run
 * is shown the same bytes.  What a tool was called, said of itself and took
 * when it was first seen is kept as a digest in the state directory
 * (mcp_pins.h); a tool that changed since is not offered until a person
 * accepts it.
 *
 * A run talks to a server over a link of its own (mcp_private.h), which is
 * made at its first call and ends with it: a stdio server is a process in a
 * sandbox of its own, so what one run taught it, another cannot read.  Only a
 * server that is `shared` in the agent file has one link for all runs.
 *
 * Whatever a server does wrong is an answer for the model, in words, and
 * concerns that server only.  A call is sent once: when it is not known what
 * became of it, the model is told just that.
 */

#include "config/mcp_spec.h"
#include "engine/base/span.h"

struct error;
struct loop;
struct mcp;
struct mcp_server;
struct sandbox_host;
struct toolset;

struct mcp_settings {
	struct loop *loop;
	struct sandbox_host *host;     /* NULL: no server is a command */
	const struct mcp_specs *specs; /* kept */
	const char *state_path;        /* kept; pins and tokens live below */
	int plain_anywhere;            /* HTTP without TLS, to any host */
	unsigned runs_max;             /* that talk to servers at once */
	unsigned calls_max;            /* calls at once, of all runs */
};

/*
 * Reads secrets and certificates: at start-up only.  NULL and *e: CONFIG,
 * NO_INPUT, TLS, FULL.
 */
struct mcp *mcp_new(const struct mcp_settings *settings, struct error *e);

/* Every toolbox must be freed.  NULL is fine. */
void mcp_free(struct mcp *m);

/* End all links of a toolbox, which are on list. */
struct list;
void mcp_links_close(struct list *links);

/*
 * Ask all servers what they offer, running the loop until they have told or
 * failed, and add their tools to set.  -1 and *e when a server that is
 * required cannot be had, or two tools have one name.  set may be NULL: only
 * for the facts below.
 */
int mcp_list(struct mcp *m, struct toolset *set, struct error *e);

/* How many sandboxes the servers may need beside those of the runs. */
unsigned mcp_sandboxes_max(const struct mcp_specs *specs, unsigned runs);

/* --- for people: what was found --- */

/* Lines about tools that are not offered and servers that are not there. */
struct span mcp_notes(const struct mcp *m);

enum mcp_pin {
	MCP_PINNED,  /* as it was accepted */
	MCP_FIRST,   /* seen for the first time, and so accepted */
	MCP_CHANGED, /* not offered */
	MCP_BAD,     /* not usable, see why */
	MCP_BLOCKED, /* the agent file does not want it */
};

struct mcp_tool_facts {
	struct span name; /* as the server says */
	const char *full; /* as the model says; NULL when it is not offered */
	enum mcp_pin pin;
	const char *why; /* of MCP_BAD */
	struct span description, schema;
};

struct mcp_server_facts {
	const struct mcp_spec *spec;
	const char *revision;      /* "2025-11-25"; "" when it is not known */
	const struct error *error; /* NULL, or why it cannot be had */
	int wants_login;
	unsigned tools;
};

/* Server number i, in the order of the agent file; -1 behind the last. */
int mcp_server_facts(
    const struct mcp *m, unsigned i, struct mcp_server_facts *out);
/* Its tool number k. */
void mcp_tool_facts(
    const struct mcp *m, unsigned i, unsigned k, struct mcp_tool_facts *out);

/*
 * Accept the tools of server i as they are now: all of them, or the one of
 * that name.  -1 and *e: NOT_FOUND, CANNOT_CREATE, IO.
 */
int mcp_accept(struct mcp *m, unsigned i, const char *tool, struct error *e);

/*
 * Log in at server i, whose list is asked for first: show is given the
 * address that a person must open, and the loop runs until that person came
 * back.  0 at once when it wants no login, unless more rights are asked for.
 * What was given is kept.  -1 and *e.
 */
int mcp_login(struct mcp *m, unsigned i, struct span more,
    void (*show)(void *owner, struct span url), void *owner, struct error *e);
/* Forget it. */
int mcp_logout(struct mcp *m, unsigned i, struct error *e);

#endif
