#include "engine/events_out.h"

#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/network.h"
#include "engine/role.h"
#include "net/json_write.h"

static void
begin(struct json_writer *w, struct text *out, const char *event,
    const struct errand *er)
{
	char at[RESULT_TIME_BYTES];

	result_time(errand_now(), at);
	json_write_init(w, out);
	json_write_object(w);
	json_put_str(w, "event", event);
	json_put_str(w, "run_id", er->id);
	json_put_str(w, "at", at);
}

static void
begin_in_turn(struct json_writer *w, struct text *out, const char *event,
    const struct errand *er)
{
	begin(w, out, event, er);
	json_put_uint(w, "turn", er->spent.turns);
}

void
event_run_started(const struct errand *er, struct text *out)
{
	struct json_writer w;

	begin(&w, out, "run.started", er);
	json_put_str(&w, "agent", er->role->agent->name);
	json_put_str(&w, "model", er->role->agent->model.name);
	json_write_end(&w);
}

void
event_turn_started(const struct errand *er, struct text *out)
{
	struct json_writer w;

	begin_in_turn(&w, out, "turn.started", er);
	json_write_end(&w);
}

void
event_text_delta(const struct errand *er, struct span text, struct text *out)
{
	struct json_writer w;

	begin_in_turn(&w, out, "text.delta", er);
	json_put_span(&w, "text", text);
	json_write_end(&w);
}

void
event_text_restarted(const struct errand *er, struct text *out)
{
	struct json_writer w;

	begin_in_turn(&w, out, "text.restarted", er);
	json_write_end(&w);
}

/* The name of a function; of a native call, its type. */
static void
put_call(struct json_writer *w, const struct turn_call *call)
{
	json_put_span(w, "call_id", call->item.call_id);
	json_put_span(w, "name",
	    call->item.name.n > 0 ? call->item.name : call->item.type);
}

void
event_tool_called(
    const struct errand *er, const struct turn_call *call, struct text *out)
{
	struct json_writer w;

	begin_in_turn(&w, out, "tool.called", er);
	put_call(&w, call);
	json_put_raw(&w, "arguments", call->item.payload);
	json_write_end(&w);
}

void
event_tool_output(
    const struct errand *er, const struct turn_call *call, struct text *out)
{
	struct json_writer w;

	begin_in_turn(&w, out, "tool.output", er);
	put_call(&w, call);
	json_put_raw(&w, "item", call->answer);
	json_write_end(&w);
}

void
event_turn_finished(const struct errand *er, struct text *out)
{
	struct json_writer w;

	begin_in_turn(&w, out, "turn.finished", er);
	json_put_object(&w, "usage");
	result_put_usage(&w, &er->spent);
	json_write_end(&w);
	json_write_end(&w);
}

void
event_agent_updated(const struct errand *er, struct text *out)
{
	struct json_writer w;

	begin_in_turn(&w, out, "agent.updated", er);
	json_put_str(&w, "agent", er->role->agent->name);
	json_write_end(&w);
}

/* Whom it is about: the run below, and who started it. */
static void
put_child(struct json_writer *w, const struct errand *child)
{
	json_put_str(w, "agent_run_id", child->id);
	json_put_str(w, "parent", child->family.parent->id);
	json_put_uint(w, "depth", child->family.depth);
	json_put_str(w, "agent", child->first->agent->name);
}

void
event_agent_started(
    const struct errand *er, const struct errand *child, struct text *out)
{
	struct json_writer w;

	begin_in_turn(&w, out, "agent.started", er);
	put_child(&w, child);
	json_write_end(&w);
}

void
event_agent_finished(
    const struct errand *er, const struct errand *child, struct text *out)
{
	struct json_writer w;

	begin_in_turn(&w, out, "agent.finished", er);
	put_child(&w, child);
	json_put_str(&w, "status", run_state_name(child->result.status));
	json_put_object(&w, "usage");
	result_put_usage(&w, &child->spent);
	json_write_end(&w);
	json_write_end(&w);
}

void
event_run_finished(const struct errand *er, struct text *out)
{
	struct json_writer w;

	begin(&w, out, "run.finished", er);
	json_put_str(&w, "status", run_state_name(er->result.status));
	json_put_raw(&w, "result", er->result_line);
	network_put(er->supplies, &w);
	json_write_end(&w);
}
