#ifndef SKEP_ENGINE_ROLE_H
#define SKEP_ENGINE_ROLE_H

/*
 * A role is an agent made ready to work: its digest, the endpoint of its
 * model, what its tools are and how the model is told of them, its declared
 * outputs.  The engine makes all roles before anything runs; a run plays one
 * at a time.  Immutable once it is open.
 */

#include <stddef.h>

#include "config/agent.h"
#include "engine/base/arena.h"
#include "engine/base/hash.h"
#include "engine/base/text.h"
#include "engine/endpoint.h"
#include "engine/environment.h"
#include "engine/memory.h"
#include "tools/tool.h"

struct error;
struct loop;
struct mcp;
struct model_endpoint;
struct sandbox_host;

struct role {
	const struct agent *agent; /* kept */
	struct digest digest;      /* the agent's, as bytes */
	char profile_digest[HASH_TEXT_MAX];
	struct endpoint endpoint; /* unused when another role's will do */
	struct model_endpoint *model;
	struct toolset toolset;
	struct tool_spec spec[TOOLS_MAX]; /* as its API is told */
	size_t specs;
	struct mcp *mcp;                    /* its tool servers, or NULL */
	const char **outputs;               /* declared; NULL-terminated */
	struct environment_secrets secrets; /* of its manifest */
	struct span settings_later;  /* the model's, once a tool was called */
	struct arena arena;          /* of what is made for this agent alone */
	struct memory memory;        /* that its runs are shown, if any */
	struct git_remotes *remotes; /* NULL: it fetches nothing */
	/* The prompt of its runs where it is the same for all; or n == 0. */
	struct text prompt;
};

/* What roles are made with. */
struct role_settings {
	struct loop *loop;
	struct endpoint_settings endpoint;
	const struct role *others; /* open already: what they have is shared */
	unsigned others_n;
	unsigned runs_max; /* that talk to tool servers at once */
	const char *state_path;
};

/*
 * Keeps agent.  -1 and *e: CONFIG, NO_INPUT, MODEL_TLS, FULL; then
 * role_close() all the same.  *role is zeroed before.
 */
int role_open(struct role *role, const struct agent *agent,
    const struct role_settings *settings, struct error *e);

/*
 * Ask its tool servers what they offer, running the loop until they have
 * told, and add their tools.  host: NULL when no server needs one; kept.  -1
 * and *e.
 */
int role_connect(struct role *role, const struct role_settings *settings,
    struct sandbox_host *host, struct error *e);

/* Before host goes: end what runs in it. */
void role_disconnect(struct role *role);

/* No call may be under way.  A zeroed one is fine. */
void role_close(struct role *role);

/* Can a run in this role start other agents? */
int role_starts_agents(const struct role *role);

/* Will a run in this role ever need a sandbox? */
int role_needs_sandbox(const struct role *role);

/* Do its tools work in one, so that the model must be told about it? */
int role_is_sandboxed(const struct role *role);

#endif
