/* transfer_to_NAME: another agent takes the run over. */

#include "tools/subagent_tool.h"

extern const char tools_transfer_json[];

static int
start(struct tool_call *call, const struct json_doc *args)
{
	const struct tool_agents *agents = subagent_ports(call);

	(void)args; /* what the model says with it stands in the transcript */
	if (agents == NULL)
		return -1;
	agents->transfer(
	    call->box->host.owner, subagent_tool_name(call), &call->text);
	tool_call_answer_text(call);
	return 0;
}

const struct tool tool_transfer = {
    .native = TOOL_FUNCTION,
    .schema = tools_transfer_json,
    .takes_no_place = 1,
    .ends_turn = 1,
    .start = start,
};
