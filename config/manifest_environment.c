/*
 * The environment of a manifest.
 *
 * A variable is a text, a typed value {"type", "value"}, or an entry object
 * {"description", "ephemeral", "value"} whose value is a typed value.  Only
 * {"value": "x"} alone may leave its type out.  The types:
 *
 *	{"type": "str", "value": "x"}
 *	{"type": "secret", "value": {"env": "NAME"}, "commands": ["gh *"]}
 */

#include <string.h>

#include "config/manifest_private.h"
#include "config/table_private.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "net/json.h"
#include "net/json_write.h"

/* --- the environment --- */

static int
text_value(struct table_reader *r, int v, struct manifest_variable *out)
{
	const char *text;

	if (table_text(r, v, &text) == -1)
		return -1;
	out->value = span_of(text);
	return 0;
}

/* --- typed values --- */

static int
str_value(struct table_reader *r, int v, struct manifest_variable *out)
{
	return text_value(r, json_get(r->doc, v, "value"), out);
}

static int
secret_value(struct table_reader *r, int v, struct manifest_variable *out)
{
	int value = json_get(r->doc, v, "value");
	int commands = json_get(r->doc, v, "commands");

	if (r->untrusted)
		return table_complain(r, v,
		    "a task cannot name secrets; they stand in the agent or "
		    "its manifest file");
	if (table_secret(r, value, &out->secret) == -1)
		return -1;
	out->value = span_of("");
	if (commands == -1)
		return table_complain(r, v,
		    "\"commands\" is missing; list the command lines that "
		    "are given this secret, such as \"gh *\"");
	if (table_texts(r, commands, &out->commands) == -1)
		return -1;
	for (unsigned i = 0; i < out->commands.n; i++)
		if (strspn(out->commands.at[i], "*? ") ==
		    strlen(out->commands.at[i]))
			return table_complain(r, commands,
			    "\"%s\" fits every command; name a program",
			    out->commands.at[i]);
	if (out->commands.n == 0)
		return table_complain(r, commands,
		    "no command is given this secret; leave it out");
	return 0;
}

/* The registry: a type, who reads it, and the members that it has. */
static const struct {
	const char *name, *members;
	int (*read)(
	    struct table_reader *r, int v, struct manifest_variable *out);
} value_types[] = {
    {"secret", "type, value, commands", secret_value},
    {"str", "type, value", str_value},
};

#define VALUE_TYPES (sizeof value_types / sizeof value_types[0])

static int
check_members(struct table_reader *r, int v, const char *members)
{
	for (int key = json_first(r->doc, v); key != -1;
	     key = json_next(r->doc, v, key)) {
		struct span rest = span_of(members);
		int known = 0;

		while (rest.p != NULL)
			known |= json_is_span(
			    r->doc, key, span_trim(span_cut(&rest, ',')));
		if (!known)
			return table_complain(
			    r, key, "unknown key; known are %s", members);
	}
	return 0;
}

static int
typed_value(struct table_reader *r, int v, struct manifest_variable *out)
{
	int type = json_get(r->doc, v, "type"), value;
	struct span s;

	if (json_type(r->doc, v) == JSON_STRING)
		return text_value(r, v, out);
	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "a text or a typed value");
	value = json_get(r->doc, v, "value");
	if (type == -1 && json_size(r->doc, v) == 1 &&
	    json_type(r->doc, value) == JSON_STRING)
		return text_value(r, value, out);
	if (json_type(r->doc, type) != JSON_STRING)
		return table_complain(r, v,
		    "env value mapping must include a string `type` field");
	for (size_t i = 0; i < VALUE_TYPES; i++) {
		if (!json_is(r->doc, type, value_types[i].name))
			continue;
		if (value == -1)
			return table_complain(r, v, "\"value\" is missing");
		if (check_members(r, v, value_types[i].members) == -1)
			return -1;
		return value_types[i].read(r, v, out);
	}
	s = json_inner(r->doc, type);
	return table_complain(r, type,
	    "Unknown env value type `%.*s`. Registered types: secret, str",
	    s.n < 64 ? (int)s.n : 64, s.p);
}

static int
value_read(struct table_reader *r, int v, void *at)
{
	struct manifest_variable *out =
	    container_of(at, struct manifest_variable, value);

	return typed_value(r, v, out);
}

/* {"type": {"const": NAME}, "value": ...}, open for more. */
static void
open_type(struct json_writer *w, const char *name)
{
	json_write_object(w);
	json_put_str(w, "type", "object");
	json_put_object(w, "properties");
	json_put_object(w, "type");
	json_put_str(w, "const", name);
	json_write_end(w);
}

static void
close_type(struct json_writer *w, const char *more)
{
	json_write_end(w);
	json_put_array(w, "required");
	json_write_str(w, "value");
	if (more != NULL)
		json_write_str(w, more);
	json_write_end(w);
	json_put_bool(w, "additionalProperties", 0);
	json_write_end(w);
}

/* The typed values, into an open array. */
static void
value_schemas(struct json_writer *w)
{
	open_type(w, "str");
	json_put_object(w, "value");
	json_put_str(w, "type", "string");
	json_write_end(w);
	close_type(w, NULL);
	open_type(w, "secret");
	json_put_object(w, "value");
	table_secret_schema(w);
	json_write_end(w);
	json_put_object(w, "commands");
	json_put_str(w, "type", "array");
	json_put_object(w, "items");
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_end(w);
	close_type(w, "commands");
}

static void
value_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	value_schemas(w);
	json_write_end(w);
}

static const struct field_custom value_custom = {
    value_read, NULL, value_schema};

static const struct field variable_fields[] = {
    {"description", FIELD_TEXT, FIELD_NULLABLE,
	.offset = offsetof(struct manifest_variable, description),
	.doc = "for people and the model"},
    {"ephemeral", FIELD_BOOL,
	.offset = offsetof(struct manifest_variable, ephemeral),
	.doc = "not part of snapshots"},
    {"value", FIELD_CUSTOM, FIELD_REQUIRED,
	.offset = offsetof(struct manifest_variable, value),
	.custom = &value_custom, .doc = "a text or a typed value"},
    {.name = NULL},
};

static const struct table variable_table = {
    .name = "variable",
    .doc = "A variable of the environment.",
    .bytes = sizeof(struct manifest_variable),
    .fields = variable_fields,
};

static int
is_name(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && s[n] == '\0' && (s[0] < '0' || s[0] > '9');
}

static int
read_variable(struct table_reader *r, int key, struct manifest_variable *out)
{
	int v = json_value(r->doc, key), status;
	const char *name;

	if (table_text(r, key, &name) == -1)
		return -1;
	if (!is_name(name))
		return table_complain(r, key,
		    "not a name of a variable; use letters, digits and _");
	*out = (struct manifest_variable){.name = name};
	if (json_type(r->doc, v) == JSON_OBJECT &&
	    json_get(r->doc, v, "type") == -1 &&
	    json_type(r->doc, json_get(r->doc, v, "value")) != JSON_STRING)
		status = table_read(r, &variable_table, v, out);
	else
		status = typed_value(r, v, out);
	out->name = name;
	return status;
}

static int
environment_read(struct table_reader *r, int v, void *at)
{
	struct manifest *m = container_of(at, struct manifest, environment);
	struct manifest_variable *list;
	int status = 0, inner;
	unsigned n = 0;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(
		    r, v, "an object {\"value\": {NAME: VALUE}}");
	inner = json_get(r->doc, v, "value");
	if (json_size(r->doc, v) == 1 &&
	    json_type(r->doc, inner) == JSON_OBJECT)
		v = inner;
	list = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *list);
	if (list == NULL)
		return table_complain(r, v, "out of memory");
	for (int key = json_first(r->doc, v); key != -1;
	     key = json_next(r->doc, v, key)) {
		if (read_variable(r, key, &list[n]) == -1)
			status = -1;
		else
			n++;
	}
	m->environment = list;
	m->environment_n = n;
	return status;
}

static void
write_value(struct json_writer *w, const struct manifest_variable *v)
{
	json_put_object(w, "value");
	if (v->secret.kind == SECRET_NOWHERE) {
		json_put_str(w, "type", "str");
		json_put_span(w, "value", v->value);
	} else {
		json_put_str(w, "type", "secret");
		json_write_key(w, "value");
		secret_ref_write(&v->secret, w);
		json_put_array(w, "commands");
		for (unsigned i = 0; i < v->commands.n; i++)
			json_write_str(w, v->commands.at[i]);
		json_write_end(w);
	}
	json_write_end(w);
}

static void
environment_write(struct json_writer *w, const char *key, const void *at)
{
	const struct manifest *m =
	    container_of(at, struct manifest, environment);

	json_put_object(w, key);
	json_put_object(w, "value");
	for (unsigned i = 0; i < m->environment_n; i++) {
		const struct manifest_variable *v = &m->environment[i];

		if (v->description == NULL && !v->ephemeral &&
		    v->secret.kind == SECRET_NOWHERE) {
			json_put_span(w, v->name, v->value);
			continue;
		}
		json_put_object(w, v->name);
		if (v->description != NULL)
			json_put_str(w, "description", v->description);
		json_put_bool(w, "ephemeral", v->ephemeral);
		write_value(w, v);
		json_write_end(w);
	}
	json_write_end(w);
	json_write_end(w);
}

/* One variable: a text, a typed value, or an object around one. */
static void
variable_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	value_schemas(w);
	json_write_object(w);
	table_schema_of(&variable_table, w);
	json_write_end(w);
	json_write_end(w);
}

static void
environment_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	for (int wrapped = 1; wrapped >= 0; wrapped--) {
		json_write_object(w);
		json_put_str(w, "type", "object");
		if (wrapped) {
			json_put_object(w, "properties");
			json_put_object(w, "value");
			json_put_str(w, "type", "object");
		}
		json_put_object(w, "additionalProperties");
		variable_schema(w);
		json_write_end(w);
		if (wrapped) {
			json_write_end(w);
			json_write_end(w);
			json_put_bool(w, "additionalProperties", 0);
		}
		json_write_end(w);
	}
	json_write_end(w);
}

const struct field_custom manifest_environment_custom = {
    environment_read, environment_write, environment_schema};
