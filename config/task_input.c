/*
 * The input of a task as items of the Responses API, from whatever shape the
 * line has: a list of items, or chat messages.
 */

#include <string.h>

#include "config/table_private.h"
#include "config/task_private.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_write.h"

#define ITEMS_BYTES (4 * LIMIT_TASK_LINE)

struct building {
	struct table_reader *r;
	struct json_writer w;
	struct text items; /* the array */
	struct text said;  /* the text of user messages */
};

/* --- content --- */

static void
add_said(struct building *b, int v, int is_user)
{
	if (!is_user)
		return;
	if (b->said.n > 0)
		text_add_char(&b->said, '\n');
	json_string_add(b->r->doc, v, &b->said);
}

/* The text of a content part of either API, or -1. */
static int
part_text(const struct json_doc *d, int part)
{
	int type = json_get(d, part, "type");

	if (json_is(d, type, "text") || json_is(d, type, "input_text") ||
	    json_is(d, type, "output_text"))
		return json_get(d, part, "text");
	return -1;
}

static void
put_string(struct building *b, const char *key, int v)
{
	json_write_key(&b->w, key);
	json_write_string_begin(&b->w);
	json_write_string_add_escaped(&b->w, json_inner(b->r->doc, v));
	json_write_string_end(&b->w);
}

static void
write_text_part(struct building *b, int v, int is_answer)
{
	json_write_object(&b->w);
	json_put_str(&b->w, "type", is_answer ? "output_text" : "input_text");
	put_string(b, "text", v);
	json_write_end(&b->w);
}

/* A part of a chat message. */
static int
write_part(struct building *b, int part, int is_answer, int is_user)
{
	struct json_doc *d = b->r->doc;
	int text = part_text(d, part), url;

	if (json_type(d, text) == JSON_STRING) {
		write_text_part(b, text, is_answer);
		add_said(b, text, is_user);
		return 0;
	}
	url = json_get(d, json_get(d, part, "image_url"), "url");
	if (json_is(d, json_get(d, part, "type"), "image_url") &&
	    json_type(d, url) == JSON_STRING) {
		json_write_object(&b->w);
		json_put_str(&b->w, "type", "input_image");
		put_string(b, "image_url", url);
		json_write_end(&b->w);
		return 0;
	}
	return table_complain(
	    b->r, part, "unknown content part; known are text and image_url");
}

static int
write_content(struct building *b, int content, int is_answer, int is_user)
{
	struct json_doc *d = b->r->doc;
	int status = 0;

	json_put_array(&b->w, "content");
	if (json_type(d, content) == JSON_STRING) {
		write_text_part(b, content, is_answer);
		add_said(b, content, is_user);
	} else if (json_type(d, content) == JSON_ARRAY) {
		for (int i = json_first(d, content); i != -1 && status == 0;
		     i = json_next(d, content, i))
			status = write_part(b, i, is_answer, is_user);
	} else {
		status = table_complain_type(
		    b->r, content, "a text or a list of parts");
	}
	json_write_end(&b->w);
	return status;
}

/* --- chat messages --- */

static int
write_tool_calls(struct building *b, int calls)
{
	struct json_doc *d = b->r->doc;

	for (int i = json_first(d, calls); i != -1;
	     i = json_next(d, calls, i)) {
		int function = json_get(d, i, "function");
		int id = json_get(d, i, "id");
		int name = json_get(d, function, "name");
		int arguments = json_get(d, function, "arguments");

		if (json_type(d, id) != JSON_STRING ||
		    json_type(d, name) != JSON_STRING ||
		    json_type(d, arguments) != JSON_STRING)
			return table_complain(b->r, i,
			    "a tool call needs id, function.name and "
			    "function.arguments");
		json_write_object(&b->w);
		json_put_str(&b->w, "type", "function_call");
		put_string(b, "call_id", id);
		put_string(b, "name", name);
		put_string(b, "arguments", arguments);
		json_write_end(&b->w);
	}
	return 0;
}

static int
write_tool_answer(struct building *b, int message)
{
	struct json_doc *d = b->r->doc;
	int id = json_get(d, message, "tool_call_id");
	int content = json_get(d, message, "content");

	if (json_type(d, id) != JSON_STRING ||
	    json_type(d, content) != JSON_STRING)
		return table_complain(b->r, message,
		    "a tool message needs tool_call_id and content");
	json_write_object(&b->w);
	json_put_str(&b->w, "type", "function_call_output");
	put_string(b, "call_id", id);
	put_string(b, "output", content);
	json_write_end(&b->w);
	return 0;
}

static int
write_message(struct building *b, int message)
{
	struct json_doc *d = b->r->doc;
	int role = json_get(d, message, "role");
	int content = json_get(d, message, "content");
	int calls = json_get(d, message, "tool_calls");
	int is_answer = json_is(d, role, "assistant");
	int is_user = json_is(d, role, "user"), status = 0;

	if (json_is(d, role, "tool"))
		return write_tool_answer(b, message);
	if (!is_answer && !is_user && !json_is(d, role, "system") &&
	    !json_is(d, role, "developer"))
		return table_complain(b->r, role != -1 ? role : message,
		    "a message needs a role: system, developer, user, "
		    "assistant or tool");
	if (content == -1 && calls == -1)
		return table_complain(b->r, message, "a message needs content");
	if (json_type(d, content) > JSON_NULL || calls == -1) {
		json_write_object(&b->w);
		json_put_str(&b->w, "type", "message");
		put_string(b, "role", role);
		status = write_content(b, content, is_answer, is_user);
		json_write_end(&b->w);
	}
	if (status == 0 && calls != -1)
		status = write_tool_calls(b, calls);
	return status;
}

/* --- items --- */

/* The text of a user's message among items that are passed on as they are. */
static void
listen_to(struct building *b, int item)
{
	struct json_doc *d = b->r->doc;
	int content = json_get(d, item, "content");

	if (!json_is(d, json_get(d, item, "role"), "user"))
		return;
	if (json_type(d, content) == JSON_STRING)
		add_said(b, content, 1);
	for (int i = json_first(d, content);
	     json_type(d, content) == JSON_ARRAY && i != -1;
	     i = json_next(d, content, i))
		if (json_type(d, part_text(d, i)) == JSON_STRING)
			add_said(b, part_text(d, i), 1);
}

static int
write_items(struct building *b, int items)
{
	struct json_doc *d = b->r->doc;

	for (int i = json_first(d, items); i != -1;
	     i = json_next(d, items, i)) {
		if (json_type(d, i) != JSON_OBJECT)
			return table_complain_type(b->r, i, "an item");
		json_write_raw(&b->w, json_raw(d, i));
		listen_to(b, i);
	}
	return 0;
}

/* --- the whole --- */

static void
write_simple(struct building *b, const char *role, int v)
{
	json_write_object(&b->w);
	json_put_str(&b->w, "type", "message");
	json_put_str(&b->w, "role", role);
	json_put_array(&b->w, "content");
	write_text_part(b, v, 0);
	json_write_end(&b->w);
	json_write_end(&b->w);
}

static int
keep(struct building *b, struct task_written *t)
{
	struct arena *arena = b->r->arena;

	if (json_write_done(&b->w) == -1 || text_overflowed(&b->said))
		return table_complain(b->r, 0, "the input is too large");
	t->items = arena_span(arena, text_span(&b->items));
	t->input.p =
	    arena_strndup(arena, b->said.p != NULL ? b->said.p : "", b->said.n);
	t->input.n = b->said.n;
	if (t->items.p == NULL || t->input.p == NULL)
		return table_full(b->r);
	return 0;
}

int
task_items(struct table_reader *r, const struct task_source_values *from,
    struct task_written *t)
{
	struct building b = {.r = r};
	struct json_doc *d = r->doc;
	int status = 0;

	text_init(&b.items, ITEMS_BYTES);
	text_init(&b.said, ITEMS_BYTES);
	json_write_init(&b.w, &b.items);
	json_write_array(&b.w);
	if (from->instructions != -1)
		write_simple(&b, "developer", from->instructions);
	if (json_type(d, from->input) == JSON_STRING) {
		write_simple(&b, "user", from->input);
		add_said(&b, from->input, 1);
	} else if (from->input != -1) {
		status = write_items(&b, from->input);
	}
	for (int i = json_first(d, from->messages); i != -1 && status == 0;
	     i = json_next(d, from->messages, i))
		status = write_message(&b, i);
	json_write_end(&b.w);
	if (status == 0)
		status = keep(&b, t);
	text_release(&b.items);
	text_release(&b.said);
	return status;
}
