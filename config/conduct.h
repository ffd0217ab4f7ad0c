#ifndef SKEP_CONFIG_CONDUCT_H
#define SKEP_CONFIG_CONDUCT_H

/*
 * How an agent's work is watched: what looks at its input and its answer,
 * which tool's result is its answer, and how long a tool may take.
 *
 *	"guardrails": { "input":  [ {"name", "command" | "instructions", ...} ],
 *			"output": [ ... ] }
 *	"tool_use": "run_llm_again" | "stop_on_first_tool" | {"stop_at": [..]}
 *	"tool_timeout_seconds": 30 | {"exec_command": 30, "*": 120}
 */

#include <stdint.h>

#include "config/text_list.h"
#include "engine/base/span.h"

struct table;

/* One that looks: a command in the sandbox, or the model with other words. */
struct guardrail {
	const char *name;
	const char *command;      /* NULL: */
	struct span instructions; /* this for a model */
	const char *model;        /* its name; NULL: the agent's */
	uint64_t timeout_ms;      /* of a command */
};

struct guardrail_list {
	const struct guardrail *at;
	unsigned n;
};

struct guardrails {
	struct guardrail_list input, output;
};

enum tool_use { TOOL_USE_RUN_AGAIN, TOOL_USE_STOP_FIRST, TOOL_USE_STOP_AT };

struct tool_conduct {
	enum tool_use use;
	struct text_list stop_at;
};

struct tool_timeout {
	const char *name; /* "*": every tool that has none of its own */
	double seconds;
};

struct tool_timeouts {
	const struct tool_timeout *at;
	unsigned n;
};

/* Of the tool of this name; 0: it may take as long as it likes. */
double tool_timeout_of(const struct tool_timeouts *t, struct span name);

/* Is a command among them? */
int guardrails_need_sandbox(const struct guardrails *g);

extern const struct table guardrails_table;
extern const struct field_custom tool_use_custom, tool_timeouts_custom;

#endif
