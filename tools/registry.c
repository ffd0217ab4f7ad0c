#include "tools/registry.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "tools/builtin.h"
#include "tools/call.h"

static const struct tool *const builtins[] = {
    &tool_exec_command,
    &tool_write_stdin,
    &tool_shell,
    &tool_local_shell,
    &tool_apply_patch,
    &tool_view_image,
    &tool_load_skill,
    &tool_spawn_agent,
    &tool_wait_agent,
    &tool_list_agents,
    &tool_cancel_agent,
};

#define BUILTINS (sizeof builtins / sizeof builtins[0])

static const struct tool *
find(struct span name)
{
	for (size_t i = 0; i < BUILTINS; i++)
		if (span_is(name, builtins[i]->name))
			return builtins[i];
	return NULL;
}

int
tool_exists(const char *name)
{
	return find(span_of(name)) != NULL;
}

static int
has(const struct toolset *set, const struct tool *tool)
{
	for (unsigned i = 0; i < set->n; i++)
		if (set->tool[i] == tool)
			return 1;
	return 0;
}

int
toolset_has(const struct toolset *set, const char *name)
{
	for (unsigned i = 0; i < set->n; i++)
		if (strcmp(set->tool[i]->name, name) == 0)
			return 1;
	return 0;
}

int
toolset_is_sandboxed(const struct toolset *set)
{
	for (unsigned i = 0; i < set->n; i++)
		if (set->tool[i]->needs_sandbox)
			return 1;
	return 0;
}

int
toolset_add(struct toolset *set, const char *name, struct error *e)
{
	const struct tool *tool = find(span_of(name));
	char known[400] = "";
	size_t n = 0;

	for (size_t i = 0; tool == NULL && i < BUILTINS && n < sizeof known;
	     i++)
		n += (size_t)snprintf(known + n, sizeof known - n, "%s%s",
		    i > 0 ? ", " : "", builtins[i]->name);
	if (tool == NULL)
		return error_set(e, ERROR_CONFIG, 0,
		    "there is no tool \"%s\"; those there are: %s", name,
		    known);
	if (has(set, tool))
		return 0;
	if (set->n == TOOLS_MAX)
		return error_set(e, ERROR_CONFIG, 0,
		    "an agent has at most %d tools", TOOLS_MAX);
	set->tool[set->n++] = tool;
	return tool->brings == NULL ? 0 : toolset_add(set, tool->brings, e);
}

int
toolset_add_tool(struct toolset *set, const struct tool *tool, struct error *e)
{
	if (find(span_of(tool->name)) != NULL || toolset_has(set, tool->name))
		return error_set(e, ERROR_CONFIG, 0,
		    "there is another tool \"%s\"", tool->name);
	if (set->n == TOOLS_MAX)
		return error_set(e, ERROR_CONFIG, 0,
		    "an agent has at most %d tools", TOOLS_MAX);
	set->tool[set->n++] = tool;
	return 0;
}

void
toolset_replace(
    struct toolset *set, const struct tool *old, const struct tool *tool)
{
	for (unsigned i = 0; i < set->n; i++)
		if (set->tool[i] == old)
			set->tool[i] = tool;
}

size_t
toolset_specs(
    const struct toolset *set, int has_native_tools, struct tool_spec *out)
{
	for (unsigned i = 0; i < set->n; i++) {
		const struct tool *tool = set->tool[i];
		enum tool_kind kind =
		    has_native_tools ? tool->native : TOOL_FUNCTION;

		out[i] = (struct tool_spec){.kind = kind,
		    .name = span_of(tool->name),
		    .description = span_trim(span_of(tool->description)),
		    .parameters = span_trim(span_of(
			kind == TOOL_CUSTOM ? tool->format : tool->schema))};
	}
	return set->n;
}

const struct tool *
toolset_find(const struct toolset *set, const struct item *call)
{
	for (unsigned i = 0; i < set->n; i++) {
		const struct tool *tool = set->tool[i];

		if (call->kind == ITEM_FUNCTION_CALL ||
		    call->kind == ITEM_CUSTOM_TOOL_CALL) {
			if (span_is(call->name, tool->name))
				return tool;
		} else if (tool->native != TOOL_FUNCTION &&
			   tool->native_item == call->kind)
			return tool;
	}
	return NULL;
}

int
toolset_needs_sandbox(const struct toolset *set, const struct item *call)
{
	const struct tool *tool = toolset_find(set, call);

	return tool != NULL && tool->needs_sandbox;
}

int
toolset_takes_place(const struct toolset *set, const struct item *call)
{
	const struct tool *tool = toolset_find(set, call);

	return tool == NULL || !tool->takes_no_place;
}

int
toolset_starts_agent(const struct toolset *set, const struct item *call)
{
	const struct tool *tool = toolset_find(set, call);

	return tool != NULL && tool->starts_agent;
}

int
toolset_ends_turn(const struct toolset *set, const struct item *call)
{
	const struct tool *tool = toolset_find(set, call);

	return tool != NULL && tool->ends_turn;
}
