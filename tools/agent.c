/* An agent as a function: it works on the input, and its answer is ours. */

#include "tools/subagent_tool.h"

extern const char tools_agent_json[];

static void
heard(struct tool_call *call)
{
	const struct subagent *s = call->state;

	if (s->status == SUBAGENT_RUNNING)
		return;
	if (s->status == SUBAGENT_FINISHED) {
		subagent_add_output(s, &call->text);
		tool_call_answer_text(call);
		return;
	}
	text_printf(&call->text,
	    "the agent %s was not able to finish: ", subagent_tool_name(call));
	text_add(&call->text, s->trouble);
	tool_call_answer_trouble(call);
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	const struct tool_agents *agents = subagent_ports(call);
	struct span input = subagent_argument(call, args, "input");

	if (agents == NULL)
		return -1;
	call->state = agents->start(call->box->host.owner,
	    span_of(subagent_tool_name(call)), input, &call->text);
	return call->state == NULL ? -1 : 0;
}

static void
stop(struct tool_call *call)
{
	call->box->host.agents->cancel(call->box->host.owner, call->state);
}

const struct tool tool_agent = {
    .native = TOOL_FUNCTION,
    .schema = tools_agent_json,
    .takes_no_place = 1,
    .starts_agent = 1,
    .start = start,
    .stop = stop,
    .heard = heard,
};
