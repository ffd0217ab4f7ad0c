#ifndef SKEP_TOOLS_SUBAGENT_TOOL_H
#define SKEP_TOOLS_SUBAGENT_TOOL_H

/* What the tools about other agents share; for the files of tools/ only. */

#include "tools/call.h"
#include "tools/subagents.h"

/* A tool that is made for one agent, and whom it is about. */
struct subagent_tool {
	struct tool tool;
	const char *name;
};

extern const struct tool tool_transfer, tool_agent; /* to be copied */

const char *subagent_tool_name(const struct tool_call *call);

/* What the engine does about agents; NULL when it has none: then complains. */
const struct tool_agents *subagent_ports(struct tool_call *call);

/* A text of args in the call's arena; n == 0 when it is not there. */
struct span subagent_argument(
    struct tool_call *call, const struct json_doc *args, const char *name);

/* The one with this id; NULL, and complains. */
struct subagent *subagent_find(struct tool_call *call, struct span id);

/* Its members, into an open object; what it said only when wanted. */
void subagent_put(
    struct json_writer *w, const struct subagent *s, int with_output);

/* Append what it said, cut as output of a command would be. */
void subagent_add_output(const struct subagent *s, struct text *out);

const char *subagent_status_name(enum subagent_status status);

#endif
