#include "net/provider_private.h"

#include <string.h>

#include "engine/base/arena.h"

/* Native tools and calls as functions, for APIs that know nothing else. */

/* --- tools --- */

struct span
function_name(const struct tool_spec *tool)
{
	if (tool->name.n > 0)
		return tool->name;
	if (tool->kind == TOOL_LOCAL_SHELL)
		return span_of("local_shell");
	return span_of(tool->kind == TOOL_SHELL ? "shell" : "apply_patch");
}

void
function_write_schema(struct json_writer *w, const struct tool_spec *tool)
{
	static const char input[] =
	    "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":"
	    "\"string\"}},\"required\":[\"input\"],"
	    "\"additionalProperties\":false}";
	static const char shell[] =
	    "{\"type\":\"object\",\"properties\":{\"commands\":{\"type\":"
	    "\"array\",\"items\":{\"type\":\"string\"}},\"timeout_ms\":"
	    "{\"type\":\"integer\"},\"max_output_length\":{\"type\":"
	    "\"integer\"}},\"required\":[\"commands\"],"
	    "\"additionalProperties\":false}";
	static const char local_shell[] =
	    "{\"type\":\"object\",\"properties\":{\"command\":{\"type\":"
	    "\"array\",\"items\":{\"type\":\"string\"}},\"env\":{\"type\":"
	    "\"object\"},\"working_directory\":{\"type\":\"string\"},"
	    "\"timeout_ms\":{\"type\":\"integer\"}},\"required\":"
	    "[\"command\"],\"additionalProperties\":false}";
	static const char nothing[] = "{\"type\":\"object\",\"properties\":{}}";

	if (tool->kind == TOOL_SHELL)
		json_write_raw(w, span_of(shell));
	else if (tool->kind == TOOL_LOCAL_SHELL)
		json_write_raw(w, span_of(local_shell));
	else if (tool->kind != TOOL_FUNCTION)
		json_write_raw(w, span_of(input));
	else if (tool->parameters.n > 0)
		json_write_raw(w, tool->parameters);
	else
		json_write_raw(w, span_of(nothing));
}

/* --- calls --- */

struct span
function_name_of(const struct item *call)
{
	if (call->name.n > 0)
		return call->name;
	switch (call->kind) {
	case ITEM_SHELL_CALL:
		return span_of("shell");
	case ITEM_LOCAL_SHELL_CALL:
		return span_of("local_shell");
	case ITEM_APPLY_PATCH_CALL:
		return span_of("apply_patch");
	default:
		return call->type;
	}
}

static int
is_object(struct span json)
{
	struct json_doc d;
	struct error e;
	int yes;

	json_doc_init(&d);
	yes =
	    json_parse(&d, json, 0, &e) == 0 && json_type(&d, 0) == JSON_OBJECT;
	json_doc_release(&d);
	return yes;
}

/* {"input": text} */
static void
write_input(const struct item *call, struct text *t)
{
	struct json_writer w;
	int string = call->payload.p[0] == '"';

	json_write_init(&w, t);
	json_write_object(&w);
	json_write_key(&w, "input");
	if (string) {
		json_write_raw(&w, call->payload);
	} else {
		json_write_span(&w, call->payload);
	}
	json_write_end(&w);
}

void
function_write_arguments(const struct item *call, struct text *t)
{
	struct text arguments;

	if (call->kind == ITEM_CUSTOM_TOOL_CALL ||
	    call->kind == ITEM_APPLY_PATCH_CALL) {
		write_input(call, t);
		return;
	}
	text_init(&arguments, 2 * LIMIT_TOOL_ARGUMENTS);
	item_add_payload(call, &arguments);
	if (is_object(text_span(&arguments)))
		text_add(t, text_span(&arguments));
	else
		write_input(call, t);
	text_release(&arguments);
}

/* --- requests --- */

struct item *
build_items(const struct model_request *q, struct arena *a, struct error *e)
{
	struct item *items = arena_alloc(a, (q->nitems + 1) * sizeof(*items));

	if (items == NULL) {
		error_set(e, ERROR_TOO_BIG, 0, "too many items in a request");
		return NULL;
	}
	for (size_t i = 0; i < q->nitems; i++)
		if (item_parse(&items[i], q->items[i], a, e) == -1) {
			error_wrap(e, "item %zu", i);
			return NULL;
		}
	return items;
}

uint64_t
build_limit(
    const struct extras *s, const struct model_request *q, const char *name)
{
	int64_t set = json_int_or(&s->doc, extras_get(s, name), 0);

	if (set > 0 &&
	    (q->max_output_tokens == 0 || (uint64_t)set < q->max_output_tokens))
		return (uint64_t)set;
	return q->max_output_tokens;
}
