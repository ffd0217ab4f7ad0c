/*
 * The members of an agent that name other agents.
 */

#include <string.h>

#include "config/agent_family.h"
#include "config/agent_private.h"
#include "config/table_private.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "net/json.h"
#include "net/json_schema.h"
#include "net/json_write.h"

/* With "transfer_to_" before it, it is still a name of a tool. */
#define NAME_MAX_BYTES 48

/* --- agents: a name to a file or an agent --- */

static int
is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && n <= NAME_MAX_BYTES && s[n] == '\0';
}

static int
link_read(struct table_reader *r, int key, struct agent_link *link)
{
	int v = json_value(r->doc, key);
	struct json_place at;
	const char *path;

	if (table_text(r, key, &link->name) == -1)
		return -1;
	if (!is_name(link->name))
		return table_complain(r, key,
		    "a name is 1 to %d letters, digits, '_' and '-'",
		    NAME_MAX_BYTES);
	json_place(r->doc, key, &at);
	link->line = at.line;
	link->column = at.column;
	if (json_type(r->doc, v) == JSON_OBJECT) {
		link->agent = agent_read_value(r, v, link->name);
		return link->agent == NULL ? -1 : 0;
	}
	if (json_type(r->doc, v) != JSON_STRING)
		return table_complain_type(r, v, "an agent's file or an agent");
	if (table_text(r, v, &path) == -1 ||
	    (link->file = table_path(r, span_of(path))) == NULL)
		return -1;
	link->agent = agent_read_file(r, v, link->file, link->name);
	return link->agent == NULL ? -1 : 0;
}

static int
links_read(struct table_reader *r, int v, void *at)
{
	struct agent *a = container_of(at, struct agent, agents);
	struct agent_link *list;
	unsigned n = 0;
	int status = 0;

	if (v == -1)
		return 0; /* a -c for an agent that is not there */
	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an object of agents");
	if (json_size(r->doc, v) > AGENTS_MAX)
		return table_complain(
		    r, v, "%d agents are the most", AGENTS_MAX);
	list = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *list);
	if (list == NULL)
		return table_full(r);
	for (int key = json_first(r->doc, v); key != -1;
	     key = json_next(r->doc, v, key)) {
		list[n] = (struct agent_link){.name = NULL};
		if (link_read(r, key, &list[n]) == -1)
			status = -1;
		else
			n++;
	}
	a->agents = list;
	a->agents_n = n;
	return status;
}

/* A file by its path: files may name each other in circles. */
static void
links_write(struct json_writer *w, const char *key, const void *at)
{
	const struct agent *a = container_of(at, struct agent, agents);

	if (a->agents_n == 0)
		return;
	json_put_object(w, key);
	for (unsigned i = 0; i < a->agents_n; i++) {
		const struct agent_link *link = &a->agents[i];

		json_write_key(w, link->name);
		if (link->file != NULL)
			json_write_str(w, link->file);
		else
			table_put(&agent_table, link->agent, TABLE_ALL, w);
	}
	json_write_end(w);
}

static void
links_schema(struct json_writer *w)
{
	json_put_str(w, "type", "object");
	json_put_object(w, "additionalProperties");
	json_put_array(w, "type");
	json_write_str(w, "string");
	json_write_str(w, "object");
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom agent_links_custom = {
    links_read, links_write, links_schema};

/* --- handoffs: names, or objects with more --- */

static const char *const filter_names[] = {
    [HANDOFF_NONE] = "none",
    [HANDOFF_REMOVE_ALL_TOOLS] = "remove_all_tools",
    NULL,
};

#define HANDOFF(member) .offset = offsetof(struct agent_handoff, member)

static const struct field handoff_fields[] = {
    {"agent", FIELD_TEXT, FIELD_REQUIRED, HANDOFF(name),
	.doc = "a name in \"agents\""},
    {"description", FIELD_TEXT, FIELD_NULLABLE, HANDOFF(description),
	.doc = "what the model is told of the transfer"},
    {"input_filter", FIELD_CHOICE, HANDOFF(filter), .names = filter_names,
	.doc = "what the next agent does not see of the conversation"},
    {"nest_history", FIELD_BOOL, HANDOFF(nest_history),
	.doc = "tell the next agent the conversation in one message"},
    {"input", FIELD_JSON, FIELD_OBJECT_ONLY, HANDOFF(input),
	.doc = "JSON Schema of what the model says with the transfer"},
    {.name = NULL},
};

static const struct table handoff_table = {
    .name = "handoff",
    .doc = "An agent that may take the run over.",
    .bytes = sizeof(struct agent_handoff),
    .fields = handoff_fields,
};

static int
input_check(struct table_reader *r, int v, struct span schema)
{
	struct json_doc d;
	struct error e;
	int status = 0;

	if (schema.n == 0)
		return 0;
	json_doc_init(&d);
	if (json_parse(&d, schema, JSON_UNIQUE, &e) == -1 ||
	    json_schema_check(&d, 0, &e) == -1)
		status = table_complain(r, v, "input: %s", e.text);
	json_doc_release(&d);
	return status;
}

static int
handoff_read(struct table_reader *r, int v, const struct agent *a,
    struct agent_handoff *list, unsigned n)
{
	struct agent_handoff *h = &list[n];

	table_defaults(&handoff_table, h);
	if (json_type(r->doc, v) == JSON_STRING) {
		if (table_text(r, v, &h->name) == -1)
			return -1;
	} else if (table_read(r, &handoff_table, v, h) == -1) {
		return -1;
	}
	h->to = agent_link(a, h->name);
	if (h->to == NULL)
		return table_complain(
		    r, v, "\"%s\" is no name in \"agents\"", h->name);
	for (unsigned i = 0; i < n; i++)
		if (list[i].to == h->to)
			return table_complain(
			    r, v, "\"%s\" stands here twice", h->name);
	return input_check(r, v, h->input);
}

static int
handoffs_read(struct table_reader *r, int v, void *at)
{
	struct agent *a = container_of(at, struct agent, handoffs);
	struct agent_handoff *list;
	unsigned n = 0;
	int status = 0;

	if (json_type(r->doc, v) != JSON_ARRAY)
		return table_complain_type(r, v, "a list of agents' names");
	list = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *list);
	if (list == NULL)
		return table_full(r);
	for (int i = json_first(r->doc, v); i != -1;
	     i = json_next(r->doc, v, i)) {
		if (handoff_read(r, i, a, list, n) == -1)
			status = -1;
		else
			n++;
	}
	a->handoffs = list;
	a->handoffs_n = n;
	return status;
}

static void
handoffs_write(struct json_writer *w, const char *key, const void *at)
{
	const struct agent *a = container_of(at, struct agent, handoffs);

	if (a->handoffs_n == 0)
		return;
	json_put_array(w, key);
	for (unsigned i = 0; i < a->handoffs_n; i++)
		table_put(&handoff_table, &a->handoffs[i], 0, w);
	json_write_end(w);
}

static void
handoffs_schema(struct json_writer *w)
{
	json_put_str(w, "type", "array");
	json_put_object(w, "items");
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_object(w);
	table_schema_of(&handoff_table, w);
	json_write_end(w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom agent_handoffs_custom = {
    handoffs_read, handoffs_write, handoffs_schema};

const struct agent_link *
agent_link(const struct agent *a, const char *name)
{
	for (unsigned i = 0; i < a->agents_n; i++)
		if (strcmp(a->agents[i].name, name) == 0)
			return &a->agents[i];
	return NULL;
}
