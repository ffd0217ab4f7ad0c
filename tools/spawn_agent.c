/* spawn_agent: starts an agent and goes on. */

#include "tools/builtin.h"
#include "tools/subagent_tool.h"

extern const char tools_spawn_agent_txt[], tools_spawn_agent_json[];

static int
start(struct tool_call *call, const struct json_doc *args)
{
	const struct tool_agents *agents = subagent_ports(call);
	struct span name = subagent_argument(call, args, "agent");
	struct span input = subagent_argument(call, args, "input");
	const struct subagent *s;
	struct json_writer w;

	if (agents == NULL)
		return -1;
	s = agents->start(call->box->host.owner, name, input, &call->text);
	if (s == NULL)
		return -1;
	json_write_init(&w, &call->text);
	json_write_object(&w);
	subagent_put(&w, s, 0);
	json_write_end(&w);
	tool_call_answer_text(call);
	return 0;
}

const struct tool tool_spawn_agent = {
    .name = "spawn_agent",
    .native = TOOL_FUNCTION,
    .description = tools_spawn_agent_txt,
    .schema = tools_spawn_agent_json,
    .brings = "wait_agent",
    .takes_no_place = 1,
    .start = start,
};
