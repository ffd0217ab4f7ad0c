#include "config/conduct.h"

#include <stddef.h>

#include "config/table.h"
#include "config/table_private.h"
#include "engine/base/arena.h"
#include "net/json.h"
#include "net/json_write.h"

#define TIMEOUT_MAX 86400.0

/* --- guardrails --- */

#define AT(member) .offset = offsetof(struct guardrail, member)

static const struct field guardrail_fields[] = {
    {"name", FIELD_TEXT, FIELD_REQUIRED, AT(name),
	.doc = "what it is called when it says no"},
    {"command", FIELD_TEXT, FIELD_NULLABLE, AT(command),
	.doc = "a shell command in the sandbox, given the text as its standard "
	       "input; a status other than 0 says no"},
    {"instructions", FIELD_BYTES, FIELD_NULLABLE, AT(instructions),
	.doc = "what a model is to look for instead"},
    {"model", FIELD_TEXT, FIELD_NULLABLE, AT(model),
	.doc = "that model's name at the agent's server; the agent's own if "
	       "left out"},
    {"timeout_seconds", FIELD_TIME, AT(timeout_ms), .preset = 60000,
	.doc = "how long a command may take"},
    {.name = NULL},
};

static int
guardrail_check(struct table_reader *r, int v, void *at)
{
	const struct guardrail *g = at;

	if ((g->command != NULL) == (g->instructions.n > 0))
		return table_complain(r, v,
		    "a guardrail has a command, or instructions for a model; "
		    "give one of them");
	return 0;
}

static const struct table guardrail_table = {
    .name = "guardrail",
    .doc = "What looks at a text and may say no.",
    .bytes = sizeof(struct guardrail),
    .fields = guardrail_fields,
    .check = guardrail_check,
};

#define LIST(name_, doc_)                                             \
	{                                                             \
#		name_, FIELD_LIST,                                   \
		    .offset = offsetof(struct guardrails, name_.at),  \
		    .offset_n = offsetof(struct guardrails, name_.n), \
		    .table = &guardrail_table, .doc = doc_            \
	}

static const struct field guardrails_fields[] = {
    LIST(input, "look at the task before the first turn"),
    LIST(output, "look at the final answer"),
    {.name = NULL},
};

const struct table guardrails_table = {
    .name = "guardrails",
    .doc = "What looks at an agent's input and its answer.",
    .bytes = sizeof(struct guardrails),
    .fields = guardrails_fields,
};

static int
has_command(const struct guardrail_list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->at[i].command != NULL)
			return 1;
	return 0;
}

int
guardrails_need_sandbox(const struct guardrails *g)
{
	return has_command(&g->input) || has_command(&g->output);
}

/* --- what follows from a tool's result --- */

static const char *const use_names[] = {
    [TOOL_USE_RUN_AGAIN] = "run_llm_again",
    [TOOL_USE_STOP_FIRST] = "stop_on_first_tool",
};

#define USES (sizeof use_names / sizeof use_names[0])

static int
use_read(struct table_reader *r, int v, void *at)
{
	struct tool_conduct *out = at;
	int names = json_get(r->doc, v, "stop_at");

	for (unsigned i = 0; i < USES; i++)
		if (json_is(r->doc, v, use_names[i])) {
			out->use = (enum tool_use)i;
			return 0;
		}
	if (json_type(r->doc, v) != JSON_OBJECT || names == -1 ||
	    json_size(r->doc, v) != 1)
		return table_complain(r, v,
		    "give \"run_llm_again\", \"stop_on_first_tool\" or "
		    "{\"stop_at\": [NAME, ...]}");
	out->use = TOOL_USE_STOP_AT;
	return table_texts(r, names, &out->stop_at);
}

static void
use_write(struct json_writer *w, const char *key, const void *at)
{
	const struct tool_conduct *c = at;

	if (c->use == TOOL_USE_RUN_AGAIN)
		return;
	if (c->use != TOOL_USE_STOP_AT) {
		json_put_str(w, key, use_names[c->use]);
		return;
	}
	json_put_object(w, key);
	json_put_array(w, "stop_at");
	for (unsigned i = 0; i < c->stop_at.n; i++)
		json_write_str(w, c->stop_at.at[i]);
	json_write_end(w);
	json_write_end(w);
}

static void
put_names_schema(struct json_writer *w)
{
	json_put_object(w, "properties");
	json_put_object(w, "stop_at");
	json_put_str(w, "type", "array");
	json_put_object(w, "items");
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_end(w);
	json_write_end(w);
}

static void
use_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_array(w, "enum");
	for (unsigned i = 0; i < USES; i++)
		json_write_str(w, use_names[i]);
	json_write_end(w);
	json_write_end(w);
	json_write_object(w);
	json_put_str(w, "type", "object");
	put_names_schema(w);
	json_put_array(w, "required");
	json_write_str(w, "stop_at");
	json_write_end(w);
	json_put_bool(w, "additionalProperties", 0);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom tool_use_custom = {use_read, use_write, use_schema};

/* --- how long a tool may take --- */

double
tool_timeout_of(const struct tool_timeouts *t, struct span name)
{
	double all = 0;

	for (unsigned i = 0; i < t->n; i++) {
		if (span_is(name, t->at[i].name))
			return t->at[i].seconds;
		if (span_is(span_of("*"), t->at[i].name))
			all = t->at[i].seconds;
	}
	return all;
}

static int
seconds_read(struct table_reader *r, int v, double *out)
{
	if (json_real(r->doc, v, out) == 0 && *out >= 0.001 &&
	    *out <= TIMEOUT_MAX)
		return 0;
	return table_complain(
	    r, v, "give seconds: a number from 0.001 to %.0f", TIMEOUT_MAX);
}

static int
timeouts_read(struct table_reader *r, int v, void *at)
{
	struct tool_timeouts *out = at;
	int is_all = json_type(r->doc, v) != JSON_OBJECT, status = 0;
	size_t room = is_all ? 1 : (size_t)json_size(r->doc, v);
	struct tool_timeout *list =
	    arena_alloc(r->arena, (room + 1) * sizeof *list);
	unsigned n = 0;

	if (list == NULL)
		return table_full(r);
	if (is_all) {
		list[n].name = "*";
		status = seconds_read(r, v, &list[n++].seconds);
	}
	for (int key = is_all ? -1 : json_first(r->doc, v); key != -1;
	     key = json_next(r->doc, v, key)) {
		if (table_text(r, key, &list[n].name) == -1 ||
		    seconds_read(
			r, json_value(r->doc, key), &list[n].seconds) == -1)
			status = -1;
		else
			n++;
	}
	*out = (struct tool_timeouts){list, status == 0 ? n : 0};
	return status;
}

static void
timeouts_write(struct json_writer *w, const char *key, const void *at)
{
	const struct tool_timeouts *t = at;

	if (t->n == 0)
		return;
	json_put_object(w, key);
	for (unsigned i = 0; i < t->n; i++)
		json_put_fixed(w, t->at[i].name, t->at[i].seconds, 3);
	json_write_end(w);
}

static void
timeouts_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "number");
	json_write_end(w);
	json_write_object(w);
	json_put_str(w, "type", "object");
	json_put_object(w, "additionalProperties");
	json_put_str(w, "type", "number");
	json_write_end(w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom tool_timeouts_custom = {
    timeouts_read, timeouts_write, timeouts_schema};
