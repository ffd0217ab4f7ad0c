/* cancel_agent: stops an agent that was started, and all that it started. */

#include "tools/builtin.h"
#include "tools/subagent_tool.h"

extern const char tools_cancel_agent_txt[], tools_cancel_agent_json[];

static void
heard(struct tool_call *call)
{
	const struct subagent *s = call->state;
	struct json_writer w;

	if (s->status == SUBAGENT_RUNNING)
		return;
	json_write_init(&w, &call->text);
	json_write_object(&w);
	subagent_put(&w, s, 1);
	json_write_end(&w);
	tool_call_answer_text(call);
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	const struct tool_agents *agents = subagent_ports(call);
	struct subagent *s;

	if (agents == NULL)
		return -1;
	s = subagent_find(call, subagent_argument(call, args, "agent_id"));
	if (s == NULL)
		return -1;
	call->state = s;
	agents->cancel(call->box->host.owner, s);
	heard(call); /* when it was over already */
	return 0;
}

static void
stop(struct tool_call *call)
{
	(void)call; /* what was asked for happens anyway */
}

const struct tool tool_cancel_agent = {
    .name = "cancel_agent",
    .native = TOOL_FUNCTION,
    .description = tools_cancel_agent_txt,
    .schema = tools_cancel_agent_json,
    .takes_no_place = 1,
    .start = start,
    .stop = stop,
    .heard = heard,
};
