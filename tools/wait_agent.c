/* wait_agent: until agents that were started have ended, or a time passes. */

#include "tools/builtin.h"
#include "tools/subagent_tool.h"

#define WAIT_MS 300000
#define WAIT_MIN_MS 1000
#define WAIT_MAX_MS 3600000

extern const char tools_wait_agent_txt[], tools_wait_agent_json[];

struct wait {
	struct tool_call *call;
	struct loop_timer timer;
	int for_any; /* one is enough */
	unsigned n;
	struct subagent *agent[]; /* in the order of the model's list */
};

static void
answer(struct wait *wait, int timed_out)
{
	struct tool_call *call = wait->call;
	struct json_writer w;

	loop_timer_stop(&wait->timer);
	json_write_init(&w, &call->text);
	json_write_object(&w);
	json_put_array(&w, "agents");
	for (unsigned i = 0; i < wait->n; i++) {
		json_write_object(&w);
		subagent_put(&w, wait->agent[i], 1);
		json_write_end(&w);
	}
	json_write_end(&w);
	json_put_bool(&w, "timed_out", timed_out);
	json_write_end(&w);
	tool_call_answer_text(call);
}

static int
is_over(const struct wait *wait)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < wait->n; i++)
		ended += wait->agent[i]->status != SUBAGENT_RUNNING;
	return ended == wait->n || (wait->for_any && ended > 0);
}

static void
heard(struct tool_call *call)
{
	if (is_over(call->state))
		answer(call->state, 0);
}

static void
timed_out(struct loop_timer *t)
{
	answer(container_of(t, struct wait, timer), 1);
}

/* All that were started, when the model names none. */
static struct wait *
wait_for_all(struct tool_call *call)
{
	const struct tool_host *host = &call->box->host;
	unsigned n = 0;
	struct wait *wait;

	while (host->agents->at(host->owner, n) != NULL)
		n++;
	wait =
	    arena_alloc(&call->arena, sizeof *wait + n * sizeof wait->agent[0]);
	if (wait == NULL || n == 0) {
		text_add_str(&call->text, "you have started no agents");
		return NULL;
	}
	wait->n = n;
	for (unsigned i = 0; i < n; i++)
		wait->agent[i] = host->agents->at(host->owner, i);
	return wait;
}

static struct wait *
wait_for_named(struct tool_call *call, const struct json_doc *args, int list)
{
	size_t n = (size_t)json_size(args, list);
	struct wait *wait =
	    arena_alloc(&call->arena, sizeof *wait + n * sizeof wait->agent[0]);
	struct span id;

	if (wait == NULL) {
		text_add_str(&call->text, "the arguments are too long");
		return NULL;
	}
	wait->n = 0;
	for (int v = json_first(args, list); v != -1;
	     v = json_next(args, list, v)) {
		if (json_string(args, v, &call->arena, &id) == -1)
			id = (struct span){"", 0};
		wait->agent[wait->n] = subagent_find(call, id);
		if (wait->agent[wait->n++] == NULL)
			return NULL;
	}
	return wait;
}

static uint64_t
timeout_ms(const struct json_doc *args)
{
	int64_t ms =
	    json_int_or(args, json_get(args, 0, "timeout_ms"), WAIT_MS);

	if (ms < WAIT_MIN_MS)
		return WAIT_MIN_MS;
	return ms > WAIT_MAX_MS ? WAIT_MAX_MS : (uint64_t)ms;
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	int list = json_get(args, 0, "agent_ids");
	struct wait *wait;

	if (subagent_ports(call) == NULL)
		return -1;
	wait = json_type(args, list) == JSON_ARRAY && json_size(args, list) > 0
		   ? wait_for_named(call, args, list)
		   : wait_for_all(call);
	if (wait == NULL)
		return -1;
	wait->call = call;
	wait->for_any =
	    span_is(subagent_argument(call, args, "wait_for"), "any");
	loop_timer_init(&wait->timer, call->box->tools->loop, timed_out);
	if (is_over(wait)) {
		answer(wait, 0);
		return 0;
	}
	call->state = wait;
	loop_timer_start(&wait->timer, timeout_ms(args));
	return 0;
}

static void
stop(struct tool_call *call)
{
	struct wait *wait = call->state;

	loop_timer_stop(&wait->timer);
}

const struct tool tool_wait_agent = {
    .name = "wait_agent",
    .native = TOOL_FUNCTION,
    .description = tools_wait_agent_txt,
    .schema = tools_wait_agent_json,
    .brings = "list_agents",
    .takes_no_place = 1,
    .start = start,
    .stop = stop,
    .heard = heard,
};
