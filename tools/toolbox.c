/*
 * Toolboxes and calls: from an item of the model's to the item that answers.
 */

#include "tools/tool.h"

#include <stdlib.h>

#include "config/conduct.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "tools/args.h"
#include "tools/call.h"
#include "tools/mcp.h"
#include "tools/process.h"
#include "tools/registry.h"

/* A native answer escapes and repeats; what does not fit is told instead. */
#define TEXT_MAX (8 * LIMIT_OUTPUT_KEPT)
#define ANSWER_MAX (6 * TEXT_MAX)
#define ARENA_MAX (4 * LIMIT_TOOL_ARGUMENTS)

#define TROUBLE \
	"An error occurred while running the tool. Please try again. Error: "

/* --- all runs --- */

struct tools *
tools_new(struct loop *loop, const struct tools_limits *limits, struct error *e)
{
	struct tools *t = calloc(1, sizeof *t);

	if (t == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for tools");
		return NULL;
	}
	t->loop = loop;
	if (slab_init(&t->boxes, "toolboxes", sizeof(struct toolbox),
		limits->boxes_max, e) == -1 ||
	    slab_init(&t->calls, "tool calls", sizeof(struct tool_call),
		limits->calls_max, e) == -1 ||
	    slab_init(&t->processes, "processes", sizeof(struct process),
		limits->processes_max, e) == -1) {
		tools_free(t);
		return NULL;
	}
	return t;
}

void
tools_free(struct tools *tools)
{
	if (tools == NULL)
		return;
	CHECK(tools->boxes.used == 0);
	slab_release(&tools->boxes);
	slab_release(&tools->calls);
	slab_release(&tools->processes);
	free(tools);
}

/* --- one run --- */

struct toolbox *
toolbox_new(struct tools *tools, const struct toolset *set,
    const struct tool_host *host, struct error *e)
{
	struct toolbox *box = slab_take(&tools->boxes);

	if (box == NULL) {
		error_set(e, ERROR_FULL, 0, "all %u toolboxes are in use",
		    tools->boxes.slots);
		return NULL;
	}
	box->magic = TOOLBOX_MAGIC;
	box->tools = tools;
	box->set = set;
	box->host = *host;
	list_init(&box->calls);
	list_init(&box->processes);
	list_init(&box->links);
	text_init(&box->pruned, 4096);
	return box;
}

void
toolbox_set_tools(struct toolbox *box, const struct toolset *set,
    const struct tool_programs *programs)
{
	CHECK_OBJ(box, TOOLBOX_MAGIC);
	box->set = set;
	box->host.programs = programs;
}

void
toolbox_set_skills(struct toolbox *box, const struct skills *skills)
{
	CHECK_OBJ(box, TOOLBOX_MAGIC);
	box->host.skills = skills;
}

void
toolbox_leave_sandbox(struct toolbox *box)
{
	struct list_node *n;

	CHECK_OBJ(box, TOOLBOX_MAGIC);
	CHECK(box->calls.length == 0);
	while ((n = list_first(&box->processes)) != NULL)
		process_free(container_of(n, struct process, link));
}

void
toolbox_free(struct toolbox *box)
{
	struct list_node *n;

	if (box == NULL)
		return;
	CHECK_OBJ(box, TOOLBOX_MAGIC);
	while ((n = list_first(&box->calls)) != NULL)
		tool_call_free(container_of(n, struct tool_call, link));
	toolbox_leave_sandbox(box);
	mcp_links_close(&box->links);
	text_release(&box->pruned);
	box->magic = 0;
	slab_give(&box->tools->boxes, box);
}

/* --- answers --- */

struct sandbox *
tool_call_sandbox(const struct tool_call *call)
{
	return call->box->host.sandbox(call->box->host.owner);
}

const char *
tool_call_path(struct tool_call *call, const char *path)
{
	const char *cwd = call->box->host.cwd;

	if (cwd == NULL || path[0] == '/')
		return path;
	return arena_printf(&call->arena, "%s/%s", cwd, path);
}

void
toolbox_environment(
    const struct toolbox *box, const char *command, struct exec_spec *spec)
{
	if (box->host.environment != NULL)
		box->host.environment(box->host.owner, command, spec);
}

uint64_t
tool_call_wall_us(const struct tool_call *call)
{
	return loop_now_us(call->box->tools->loop) - call->started_us;
}

/* A shell call that went wrong is answered as a command that failed. */
static void
write_failed_shell(struct tool_call *call, struct span text)
{
	struct json_writer w;

	json_write_init(&w, &call->answer);
	json_write_object(&w);
	json_put_str(&w, "type", item_type(item_answer_kind(call->kind)));
	json_put_span(&w, "call_id", call->call_id);
	if (call->kind == ITEM_LOCAL_SHELL_CALL)
		json_put_span(&w, "output", text);
	else {
		json_put_array(&w, "output");
		json_write_object(&w);
		json_put_str(&w, "stdout", "");
		json_put_span(&w, "stderr", text);
		json_put_object(&w, "outcome");
		json_put_str(&w, "type", "exit");
		json_put_int(&w, "exit_code", 1);
		json_write_end(&w);
		json_write_end(&w);
		json_write_end(&w);
	}
	json_write_end(&w);
}

/* Nobody here approves what a server asks for on a model's behalf. */
static void
write_no_approval(struct tool_call *call, struct span text)
{
	struct json_writer w;

	json_write_init(&w, &call->answer);
	json_write_object(&w);
	json_put_str(&w, "type", item_type(ITEM_MCP_APPROVAL_RESPONSE));
	json_put_span(&w, "approval_request_id", call->call_id);
	json_put_bool(&w, "approve", 0);
	json_put_span(&w, "reason", text);
	json_write_end(&w);
}

static void
write_answer(struct tool_call *call, struct span text)
{
	switch (call->kind) {
	case ITEM_SHELL_CALL:
	case ITEM_LOCAL_SHELL_CALL:
		write_failed_shell(call, text);
		break;
	case ITEM_CUSTOM_TOOL_CALL:
		item_write_custom_output(&call->answer, call->call_id, text);
		break;
	case ITEM_APPLY_PATCH_CALL:
		item_write_patch_output(
		    &call->answer, call->call_id, !call->failed, text);
		break;
	case ITEM_MCP_APPROVAL_REQUEST:
		write_no_approval(call, text);
		break;
	default:
		item_write_function_output(&call->answer, call->call_id, text);
	}
}

void
tool_call_answer_text(struct tool_call *call)
{
	text_clear(&call->answer);
	write_answer(call, text_span(&call->text));
	tool_call_answer_item(call);
}

void
tool_call_answer_item(struct tool_call *call)
{
	static const char too_long[] =
	    TROUBLE "the result is too long; ask for less output";

	CHECK_OBJ(call, TOOL_CALL_MAGIC);
	if (text_overflowed(&call->answer) || text_overflowed(&call->text)) {
		text_clear(&call->answer);
		write_answer(call, span_of(too_long));
	}
	call->state = NULL; /* nothing is under way any more */
	loop_defer(&call->answered);
}

/* The model hears what was wrong, in the words it was trained with. */
void
tool_call_answer_trouble(struct tool_call *call)
{
	struct text all;

	call->failed = 1;
	text_init(&all, TEXT_MAX);
	text_add_str(&all, TROUBLE);
	text_add(&all, text_span(&call->text));
	text_release(&call->text);
	call->text = all;
	tool_call_answer_text(call);
}

static void
answered(struct loop_deferred *d)
{
	struct tool_call *call = container_of(d, struct tool_call, answered);

	CHECK_OBJ(call, TOOL_CALL_MAGIC);
	call->done(call, text_span(&call->answer), call->owner);
}

/* --- one call --- */

static int
complain_unknown(struct tool_call *call, const struct item *item)
{
	const struct toolset *set = call->box->set;
	struct span name = item->name.n > 0 ? item->name : item->type;

	text_printf(&call->text, "there is no tool %.*s; ",
	    (int)(name.n < 100 ? name.n : 100), name.p);
	text_add_str(&call->text,
	    set->n > 0 ? "the tools are: " : "this agent has no tools");
	for (unsigned i = 0; i < set->n; i++)
		text_printf(
		    &call->text, "%s%s", i > 0 ? ", " : "", set->tool[i]->name);
	return -1;
}

static int
check_arguments(struct tool_call *call, const struct json_doc *args)
{
	struct json_doc schema;
	struct error e;
	int rc;

	if (call->kind != ITEM_FUNCTION_CALL || call->tool->checks_itself)
		return 0;
	json_doc_init(&schema);
	rc = json_parse(&schema, span_of(call->tool->schema), 0, &e);
	CHECK(rc == 0 || e.code == ERROR_FULL);
	text_printf(&call->text, "arguments of %s: ", call->tool->name);
	if (rc == -1)
		text_add_str(&call->text, e.text);
	else
		rc = args_check(&schema, args, &call->text);
	if (rc == 0)
		text_clear(&call->text);
	json_doc_release(&schema);
	return rc;
}

/* The payload is JSON, as its tool wants it: read it and start. */
static int
start_with_arguments(struct tool_call *call)
{
	struct json_doc args;
	struct error e;
	int rc = -1;

	json_doc_init(&args);
	if (call->input.n == 0)
		call->input = span_of("{}"); /* as some models call */
	if (json_parse(&args, call->input, 0, &e) == -1)
		text_printf(&call->text,
		    "arguments of %s are no JSON: %s (line %u, column %u)",
		    call->tool->name, e.text, args.fault.line,
		    args.fault.column);
	else if (check_arguments(call, &args) == 0)
		rc = call->tool->start(call, &args);
	json_doc_release(&args);
	return rc;
}

/* 0 when the tool is at work; -1 with a complaint in call->text. */
static int
work(struct tool_call *call, const struct item *item)
{
	struct text payload;
	int rc = -1;

	call->tool = toolset_find(call->box->set, item);
	if (call->tool == NULL)
		return complain_unknown(call, item);
	text_init(&payload, LIMIT_TOOL_ARGUMENTS);
	item_add_payload(item, &payload);
	call->input = text_span(&payload);
	if (text_overflowed(&payload))
		text_printf(&call->text,
		    "the arguments are longer than %zu bytes",
		    LIMIT_TOOL_ARGUMENTS);
	else if (call->kind == ITEM_CUSTOM_TOOL_CALL &&
		 call->tool->native == TOOL_CUSTOM)
		rc = call->tool->start(call, NULL);
	else
		rc = start_with_arguments(call);
	call->input = (struct span){NULL, 0};
	text_release(&payload);
	return rc;
}

/* --- it takes too long --- */

static void
timed_out(struct loop_timer *t)
{
	struct tool_call *call = container_of(t, struct tool_call, timeout);

	CHECK_OBJ(call, TOOL_CALL_MAGIC);
	if (call->state == NULL)
		return; /* its answer is on the way */
	call->tool->stop(call);
	call->state = NULL;
	call->failed = 1;
	text_clear(&call->text);
	text_printf(&call->text, "Tool '%s' timed out after %g seconds.",
	    call->tool->name, call->timeout_seconds);
	tool_call_answer_text(call);
}

static void
start_clock(struct tool_call *call)
{
	const struct tool_timeouts *t = call->box->host.timeouts;

	if (t == NULL || call->tool == NULL)
		return;
	call->timeout_seconds = tool_timeout_of(t, span_of(call->tool->name));
	if (call->timeout_seconds > 0)
		loop_timer_start(
		    &call->timeout, (uint64_t)(call->timeout_seconds * 1000));
}

static struct tool_call *
start_call(struct toolbox *box, const struct item *item, int by_program,
    tool_done_fn *done, void *owner, struct error *e)
{
	struct tool_call *call;
	struct span call_id = item->call_id.n > 0 ? item->call_id : item->id;

	CHECK_OBJ(box, TOOLBOX_MAGIC);
	call = slab_take(&box->tools->calls);
	if (call == NULL) {
		error_set(e, ERROR_FULL, 0, "all %u tool calls are in use",
		    box->tools->calls.slots);
		return NULL;
	}
	call->magic = TOOL_CALL_MAGIC;
	call->box = box;
	call->kind = item->kind;
	call->by_program = by_program;
	call->done = done;
	call->owner = owner;
	call->started_us = loop_now_us(box->tools->loop);
	arena_init(&call->arena, ARENA_MAX);
	text_init(&call->text, TEXT_MAX);
	text_init(&call->answer, ANSWER_MAX);
	loop_deferred_init(&call->answered, box->tools->loop, answered);
	list_append(&box->calls, &call->link);
	call->call_id = arena_span(&call->arena, call_id);
	loop_timer_init(&call->timeout, box->tools->loop, timed_out);
	if (work(call, item) == -1)
		tool_call_answer_trouble(call);
	else
		start_clock(call);
	return call;
}

struct tool_call *
tool_call_start(struct toolbox *box, const struct item *item,
    tool_done_fn *done, void *owner, struct error *e)
{
	return start_call(box, item, 0, done, owner, e);
}

struct tool_call *
tool_call_start_by_program(struct toolbox *box, const struct item *item,
    tool_done_fn *done, void *owner, struct error *e)
{
	return start_call(box, item, 1, done, owner, e);
}

void
tool_call_free(struct tool_call *call)
{
	if (call == NULL)
		return;
	CHECK_OBJ(call, TOOL_CALL_MAGIC);
	if (call->state != NULL)
		call->tool->stop(call);
	loop_undefer(&call->answered);
	loop_timer_stop(&call->timeout);
	list_remove(&call->box->calls, &call->link);
	text_release(&call->text);
	text_release(&call->answer);
	arena_release(&call->arena);
	call->magic = 0;
	slab_give(&call->box->tools->calls, call);
}
