/*
 * Environment, users and groups of a manifest.
 *
 * A variable is a text, a typed value {"type", "value"}, or an entry object
 * {"description", "ephemeral", "value"} whose value is a typed value.  Only
 * {"value": "x"} alone may leave its type out.
 */

#include <string.h>

#include "config/manifest_private.h"
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
	s = json_inner(r->doc, type);
	if (!json_is(r->doc, type, "str"))
		return table_complain(r, type,
		    "Unknown env value type `%.*s`. Registered types: str",
		    s.n < 64 ? (int)s.n : 64, s.p);
	if (value == -1)
		return table_complain(r, v, "\"value\" is missing");
	for (int key = json_first(r->doc, v); key != -1;
	     key = json_next(r->doc, v, key))
		if (!json_is(r->doc, key, "type") &&
		    !json_is(r->doc, key, "value"))
			return table_complain(
			    r, key, "unknown key; known are type, value");
	return text_value(r, value, out);
}

static int
value_read(struct table_reader *r, int v, void *at)
{
	struct manifest_variable *out =
	    container_of(at, struct manifest_variable, value);

	return typed_value(r, v, out);
}

static const struct field_custom value_custom = {value_read, NULL, NULL};

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
environment_write(struct json_writer *w, const char *key, const void *at)
{
	const struct manifest *m =
	    container_of(at, struct manifest, environment);

	json_put_object(w, key);
	json_put_object(w, "value");
	for (unsigned i = 0; i < m->environment_n; i++) {
		const struct manifest_variable *v = &m->environment[i];

		if (v->description == NULL && !v->ephemeral) {
			json_put_span(w, v->name, v->value);
			continue;
		}
		json_put_object(w, v->name);
		if (v->description != NULL)
			json_put_str(w, "description", v->description);
		json_put_bool(w, "ephemeral", v->ephemeral);
		json_put_object(w, "value");
		json_put_str(w, "type", "str");
		json_put_span(w, "value", v->value);
		json_write_end(w);
		json_write_end(w);
	}
	json_write_end(w);
	json_write_end(w);
}

static void
environment_schema(struct json_writer *w)
{
	json_put_str(w, "type", "object");
}

const struct field_custom manifest_environment_custom = {
    environment_read, environment_write, environment_schema};

/* --- users and groups --- */

struct user {
	const char *name;
};

static int
check_name(struct table_reader *r, int v, const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	if (n == 0 || n > 32 || name[n] != '\0' || strcmp(name, "root") == 0)
		return table_complain(r, v,
		    "\"%.64s\" is not a name for a user or group; use up to "
		    "32 of a-z 0-9 _ -, but not root",
		    name);
	return 0;
}

static int
user_check(struct table_reader *r, int v, void *at)
{
	const struct user *u = at;

	return check_name(r, v, u->name);
}

static const struct field user_fields[] = {
    {"name", FIELD_TEXT, FIELD_REQUIRED, .offset = offsetof(struct user, name),
	.doc = "the user's name"},
    {.name = NULL},
};

static const struct table user_table = {
    .name = "user",
    .doc = "A user.",
    .bytes = sizeof(struct user),
    .fields = user_fields,
    .check = user_check,
};

static int
users_read(struct table_reader *r, int v, void *at)
{
	struct text_list *out = at;
	const char **names;
	struct user user;
	unsigned n = 0;
	int status = 0;

	if (json_type(r->doc, v) != JSON_ARRAY)
		return table_complain_type(r, v, "a list of {\"name\": NAME}");
	names = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *names);
	if (names == NULL)
		return table_complain(r, v, "out of memory");
	for (int i = json_first(r->doc, v); i != -1;
	     i = json_next(r->doc, v, i)) {
		if (table_read(r, &user_table, i, &user) == -1)
			status = -1;
		else
			names[n++] = user.name;
	}
	*out = (struct text_list){names, n};
	return status;
}

static void
users_write(struct json_writer *w, const char *key, const void *at)
{
	const struct text_list *l = at;

	json_put_array(w, key);
	for (unsigned i = 0; i < l->n; i++) {
		json_write_object(w);
		json_put_str(w, "name", l->at[i]);
		json_write_end(w);
	}
	json_write_end(w);
}

static void
users_schema(struct json_writer *w)
{
	json_put_str(w, "type", "array");
	json_put_object(w, "items");
	table_schema_of(&user_table, w);
	json_write_end(w);
}

const struct field_custom manifest_users_custom = {
    users_read, users_write, users_schema};

static int
group_check(struct table_reader *r, int v, void *at)
{
	const struct manifest_group *g = at;

	return check_name(r, v, g->name);
}

static const struct field group_fields[] = {
    {"name", FIELD_TEXT, FIELD_REQUIRED,
	.offset = offsetof(struct manifest_group, name),
	.doc = "the group's name"},
    {"users", FIELD_CUSTOM, .offset = offsetof(struct manifest_group, users),
	.custom = &manifest_users_custom, .doc = "who belongs to it"},
    {.name = NULL},
};

const struct table manifest_group_table = {
    .name = "group",
    .doc = "A group.",
    .bytes = sizeof(struct manifest_group),
    .fields = group_fields,
    .check = group_check,
};
