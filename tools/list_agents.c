/* list_agents: those that were started, and how they are. */

#include "tools/builtin.h"
#include "tools/subagent_tool.h"

extern const char tools_list_agents_txt[], tools_list_agents_json[];

static int
start(struct tool_call *call, const struct json_doc *args)
{
	const struct tool_agents *agents = subagent_ports(call);
	const struct subagent *s;
	struct json_writer w;

	(void)args;
	if (agents == NULL)
		return -1;
	json_write_init(&w, &call->text);
	json_write_object(&w);
	json_put_array(&w, "agents");
	for (unsigned i = 0; (s = agents->at(call->box->host.owner, i)) != NULL;
	     i++) {
		json_write_object(&w);
		subagent_put(&w, s, 0);
		json_write_end(&w);
	}
	json_write_end(&w);
	json_write_end(&w);
	tool_call_answer_text(call);
	return 0;
}

const struct tool tool_list_agents = {
    .name = "list_agents",
    .native = TOOL_FUNCTION,
    .description = tools_list_agents_txt,
    .schema = tools_list_agents_json,
    .brings = "cancel_agent",
    .takes_no_place = 1,
    .start = start,
};
