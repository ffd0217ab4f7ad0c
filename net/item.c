#include "net/item.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_write.h"

static const struct {
	const char *type;
	enum item_part part;
	const char *payload;
} kinds[] = {
#define ITEM(KIND, type, part, payload) {#type, ITEM_PART_##part, payload},
#include "net/items.def"
    {"", ITEM_PART_OTHER, ""},
};

const char *
item_type(enum item_kind kind)
{
	return kinds[kind].type;
}

enum item_part
item_part(enum item_kind kind)
{
	return kinds[kind].part;
}

enum item_kind
item_answer_kind(enum item_kind call)
{
	/* An answer stands behind its call in the table. */
	return kinds[call].part == ITEM_PART_CALL ? call + 1 : ITEM_OTHER;
}

static enum item_kind
kind_of(struct span type)
{
	enum item_kind kind = 0;

	while (kind < ITEM_OTHER && !span_is(type, kinds[kind].type))
		kind++;
	return kind;
}

/* A string member; empty when it is missing, no string, or a is full. */
static struct span
member(const struct json_doc *d, int object, const char *key, struct arena *a)
{
	struct span s;

	if (json_string(d, json_get(d, object, key), a, &s) == -1)
		return (struct span){"", 0};
	return s;
}

static int
lacks(const struct item *it, struct error *e, const char *what)
{
	return error_set(e, ERROR_SYNTAX, 0, "a %s item without %s",
	    item_type(it->kind), what);
}

/* What is needed to answer a call. */
static int
check_call(const struct item *it, struct error *e)
{
	if (it->call_id.n == 0)
		return lacks(it, e, "its call_id");
	if (it->payload.n == 0)
		return lacks(it, e, kinds[it->kind].payload);
	if ((it->kind == ITEM_FUNCTION_CALL ||
		it->kind == ITEM_CUSTOM_TOOL_CALL) &&
	    it->name.n == 0)
		return lacks(it, e, "a name");
	return 0;
}

int
item_read(struct item *it, const struct json_doc *d, int object,
    struct arena *a, struct error *e)
{
	if (json_type(d, object) != JSON_OBJECT)
		return error_set(e, ERROR_SYNTAX, 0,
		    "an item is an object, not %s",
		    json_type_name(json_type(d, object)));
	*it = (struct item){.json = json_raw(d, object)};
	it->type = member(d, object, "type", a);
	it->role = member(d, object, "role", a);
	it->kind = kind_of(it->type);
	if (it->type.n == 0 && it->role.n > 0)
		it->kind = ITEM_MESSAGE;
	it->id = member(d, object, "id", a);
	it->call_id = member(d, object, "call_id", a);
	if (it->kind == ITEM_MCP_APPROVAL_REQUEST)
		it->call_id = it->id;
	if (it->kind == ITEM_MCP_APPROVAL_RESPONSE)
		it->call_id = member(d, object, "approval_request_id", a);
	it->name = member(d, object, "name", a);
	it->status = member(d, object, "status", a);
	it->payload = json_raw(d, json_get(d, object, kinds[it->kind].payload));
	if (arena_overflowed(a))
		return error_set(e, ERROR_FULL, 0, "no memory for an item");
	if (item_part(it->kind) == ITEM_PART_CALL)
		return check_call(it, e);
	return 0;
}

int
item_parse(struct item *it, struct span json, struct arena *a, struct error *e)
{
	struct json_doc d;
	int r;

	json_doc_init(&d);
	r = json_parse(&d, json, 0, e);
	if (r == 0)
		r = item_read(it, &d, 0, a, e);
	json_doc_release(&d);
	return r;
}

void
item_add_payload(const struct item *it, struct text *t)
{
	if (it->payload.n >= 2 && it->payload.p[0] == '"')
		json_unescape(span_slice(it->payload, 1, it->payload.n - 1), t);
	else
		text_add(t, it->payload);
}

/* Append the member of each content part of one of the types. */
static int
add_parts(const struct item *it, const char *const *types, const char *key,
    struct text *t)
{
	struct json_doc d;
	struct error e;
	int found = 0, part, type;

	if (it->kind != ITEM_MESSAGE || it->payload.n == 0)
		return 0;
	json_doc_init(&d);
	if (json_parse(&d, it->payload, 0, &e) == -1) {
		json_doc_release(&d);
		return 0;
	}
	if (json_type(&d, 0) == JSON_STRING && strcmp(key, "text") == 0) {
		json_string_add(&d, 0, t);
		found = 1;
	}
	part = json_type(&d, 0) == JSON_ARRAY ? json_first(&d, 0) : -1;
	for (; part != -1; part = json_next(&d, 0, part)) {
		type = json_get(&d, part, "type");
		for (int i = 0; types[i] != NULL; i++)
			if (json_is(&d, type, types[i])) {
				json_string_add(&d, json_get(&d, part, key), t);
				found = 1;
			}
	}
	json_doc_release(&d);
	return found;
}

/* Append a member that is a string. */
static int
add_member(const struct item *it, const char *key, struct text *t)
{
	struct json_doc d;
	struct error e;
	int v = -1;

	json_doc_init(&d);
	if (json_parse(&d, it->json, 0, &e) == 0)
		v = json_get(&d, 0, key);
	json_string_add(&d, v, t);
	json_doc_release(&d);
	return v != -1;
}

int
item_add_text(const struct item *it, struct text *t)
{
	static const char *const types[] = {
	    "output_text", "input_text", "text", NULL};

	if (it->kind == ITEM_COMPACTION)
		return add_member(it, "summary", t);
	return add_parts(it, types, "text", t);
}

int
item_add_refusal(const struct item *it, struct text *t)
{
	static const char *const types[] = {"refusal", NULL};

	return add_parts(it, types, "refusal", t);
}

/* --- writing --- */

void
item_write_message(struct text *t, const char *role, struct span content)
{
	struct json_writer w;

	json_write_init(&w, t);
	json_write_object(&w);
	json_put_str(&w, "type", "message");
	json_put_str(&w, "role", role);
	json_put_array(&w, "content");
	json_write_object(&w);
	json_put_str(&w, "type",
	    strcmp(role, "assistant") == 0 ? "output_text" : "input_text");
	json_put_span(&w, "text", content);
	json_write_end(&w);
	json_write_end(&w);
	json_write_end(&w);
}

static void
begin_answer(struct json_writer *w, struct text *t, enum item_kind kind,
    struct span call_id)
{
	json_write_init(w, t);
	json_write_object(w);
	json_put_str(w, "type", item_type(kind));
	json_put_span(w, "call_id", call_id);
}

void
item_write_function_output(
    struct text *t, struct span call_id, struct span output)
{
	struct json_writer w;

	begin_answer(&w, t, ITEM_FUNCTION_CALL_OUTPUT, call_id);
	json_put_span(&w, "output", output);
	json_write_end(&w);
}

void
item_write_custom_output(
    struct text *t, struct span call_id, struct span output)
{
	struct json_writer w;

	begin_answer(&w, t, ITEM_CUSTOM_TOOL_CALL_OUTPUT, call_id);
	json_put_span(&w, "output", output);
	json_write_end(&w);
}

void
item_write_patch_output(
    struct text *t, struct span call_id, int ok, struct span output)
{
	struct json_writer w;

	begin_answer(&w, t, ITEM_APPLY_PATCH_CALL_OUTPUT, call_id);
	json_put_str(&w, "status", ok ? "completed" : "failed");
	json_put_span(&w, "output", output);
	json_write_end(&w);
}
