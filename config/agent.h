#ifndef SKEP_CONFIG_AGENT_H
#define SKEP_CONFIG_AGENT_H

/*
 * An agent: the immutable specification of who works.  Read from a JSON file
 * or a folder holding agent.json, with what the environment and -c put over
 * it (overrides.h).  All it names -- instructions, profile, manifest -- is
 * read with it, so one digest stands for everything.  How the model is reached
 * (address, keys, certificates, patience) and what it costs is not part of the
 * digest: a batch goes on where it was when the gateway moves.
 */

#include <stdint.h>

#include "config/budget.h"
#include "config/conduct.h"
#include "config/git_host.h"
#include "config/manifest.h"
#include "config/mcp_spec.h"
#include "config/memory.h"
#include "config/secret_ref.h"
#include "config/skills.h"
#include "config/text_list.h"
#include "engine/base/hash.h"

struct arena;
struct complaints;
struct overrides;
struct profile;
struct table;

enum model_api { API_RESPONSES, API_CHAT, API_MESSAGES };

struct agent_header {
	const char *name;
	const char *value;        /* NULL: */
	struct secret_ref secret; /* this instead */
};

struct agent_retry {
	int64_t attempts; /* the first included */
	int64_t base_ms, max_ms;
	double retry_after_max_seconds;
};

#define AGENT_PINS_MAX 4

/* How it is reached is compared by endpoint_is_same(), member by member. */
struct agent_model {
	enum model_api api;
	const char *name;
	const char *base_url; /* without a final '/' */
	struct secret_ref api_key;
	const struct agent_header *headers;
	unsigned headers_n;
	const char *ca_file; /* absolute paths, or NULL */
	const char *client_cert;
	struct secret_ref client_key;
	struct text_list pins; /* pin.h; of the server's keys */
	const char *proxy;     /* NULL: as the environment says; or "none" */
	double first_byte_seconds, idle_seconds;
	struct span
	    settings; /* a JSON object, sent along as it is; or n == 0 */
	struct agent_retry retry;
};

enum sandbox_backend { BACKEND_LOCAL, BACKEND_NULL };

enum workspace_kind { WORKSPACE_PLAIN, WORKSPACE_LAYERED };

struct agent_sandbox {
	enum sandbox_backend backend;
	const struct profile *profile; /* with the root file system below */
	const char *rootfs;            /* "host", "dir:PATH"; NULL: profile's */
	enum workspace_kind workspace;
	int changes;     /* results list what changed in the workspace */
	int has_profile; /* its own; else that of who starts it */
	int share;       /* as a subagent it works in its starter's sandbox */
};

/* Another agent, by the name that this one gives it. */
struct agent_link {
	const char *name; /* of letters, digits, '_' and '-' */
	const struct agent *agent;
	const char *file;      /* NULL: it stands in this one's file */
	unsigned line, column; /* where it is named */
};

enum handoff_filter { HANDOFF_NONE, HANDOFF_REMOVE_ALL_TOOLS };

/* A transfer of the run to another agent, offered to the model. */
struct agent_handoff {
	const char *name; /* of a link */
	const struct agent_link *to;
	const char *description;    /* NULL: made from the agent's */
	enum handoff_filter filter; /* what the next one sees of before */
	int nest_history;           /* it sees one text that tells it all */
	struct span input;          /* JSON Schema of arguments; or n == 0 */
};

/* What the model may start; a run's children can only have less. */
struct agent_subagents {
	int64_t depth;   /* 0: none may be started */
	int64_t at_once; /* of one run */
	int64_t total;   /* below one run, over its whole life */
};

/* Programs that the model writes may call its tools. */
struct agent_code_mode {
	int enabled;
	int64_t calls; /* of all programs of a run */
};

struct agent_compaction {
	int enabled;
	int64_t threshold_tokens; /* of a request, at which it is due */
	int64_t keep_tokens;      /* of the last turns, kept as they are */
	int64_t summary_tokens;   /* at most */
};

/* No path of a workspace begins so: what follows is delivered as a tar. */
#define OUTPUT_ARCHIVE "/tar/"

struct agent {
	const char *file;   /* the JSON file it was read from */
	const char *folder; /* absolute; paths are relative to it */
	const char *name;
	const char *description; /* for agents that may call it; or NULL */
	struct agent_model model;
	struct span instructions;        /* may hold ${...} */
	struct span base_instructions;   /* p == NULL: ours; n == 0: none */
	struct span answer_schema;       /* JSON Schema; or n == 0 */
	const struct manifest *manifest; /* NULL: an empty workspace */
	const struct git_host *git_hosts;
	unsigned git_hosts_n;
	const char *cwd; /* below the root of the workspace; NULL: the root */
	const char *run_as; /* of the manifest's users; NULL: the profile's */
	struct guardrails guardrails;
	struct tool_conduct tool_use;
	struct tool_timeouts tool_timeouts;
	int agents_md; /* AGENTS.md files go into the prompt */
	struct skills skills;
	struct agent_memory memory;
	/* Normalised; a final '/' is kept.  Or OUTPUT_ARCHIVE and a folder. */
	struct text_list outputs;
	struct text_list tools;
	struct span hosted_tools; /* a JSON array; or n == 0 */
	struct mcp_specs mcp_servers;
	struct agent_sandbox sandbox;
	struct agent_compaction compaction;
	struct agent_code_mode code_mode;
	struct budget budget;
	struct prices prices;
	struct named_list variables;
	const struct agent_link *agents;
	unsigned agents_n;
	const struct agent_handoff *handoffs;
	unsigned handoffs_n;
	struct agent_subagents subagents;
	char digest[HASH_TEXT_MAX]; /* of the canonical form */
};

/* The link of this name, or NULL. */
const struct agent_link *agent_link(const struct agent *a, const char *name);

/*
 * Read path (a file, or a folder with agent.json) in arena; overrides may be
 * NULL.  NULL and complaints.  No secret is read; only the files that hold
 * one are asked for.  All that it links to is read with it and is as good.
 */
struct agent *agent_load(struct arena *arena, const char *path,
    struct overrides *overrides, struct complaints *c);

/* Its kind of file. */
extern const struct table agent_table;

const char *model_api_name(enum model_api api);

#endif
