#include "config/task.h"

#include <string.h>

#include "config/complaint.h"
#include "config/cwd.h"
#include "config/manifest.h"
#include "config/table_private.h"
#include "config/task_private.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "net/json.h"

#define CUSTOM_ID_MAX 512 /* bytes */

/* --- members that need more than one look --- */

static int
where_read(struct table_reader *r, int v, void *at)
{
	(void)r;
	*(int *)at = v;
	return 0;
}

static void
input_schema(struct json_writer *w)
{
	(void)w; /* a text or a list of items */
}

static const struct field_custom where_custom = {
    where_read, NULL, input_schema};

static int
manifest_read_member(struct table_reader *r, int v, void *at)
{
	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "a manifest");
	return manifest_read(r, v, at);
}

static void
manifest_schema(struct json_writer *w)
{
	table_schema_of(&manifest_table, w);
}

static const struct field_custom manifest_custom = {
    manifest_read_member, NULL, manifest_schema};

static const char *const class_names[] = {
    [CLASS_NONE] = "default",
    [CLASS_DRAFT] = "draft",
    [CLASS_DELIVERY] = "delivery",
    [CLASS_PRIVILEGED] = "privileged",
    NULL,
};

#define LINE(member) .offset = offsetof(struct task_written, member)

static const struct field task_fields[] = {
    {"custom_id", FIELD_TEXT, FIELD_REQUIRED, LINE(custom_id),
	.doc = "what the result is found by; once in a batch"},
    {"input", FIELD_CUSTOM, LINE(input_at), .custom = &where_custom,
	.doc = "what the agent is asked: a text, or a list of items"},
    {"manifest", FIELD_CUSTOM, FIELD_NULLABLE, LINE(manifest),
	.custom = &manifest_custom,
	.doc = "entries and environment beside the agent's"},
    {"cwd", FIELD_CUSTOM, FIELD_NULLABLE, LINE(cwd), .custom = &cwd_custom,
	.doc = "instead of the agent's"},
    {"class", FIELD_CHOICE, LINE(class), .names = class_names,
	.doc = "how much is at stake"},
    {"budget", FIELD_OBJECT, LINE(budget), .table = &task_budget_table,
	.doc = "instead of the agent's"},
    {"variables", FIELD_NAMED, FIELD_NULLABLE, LINE(variables),
	.doc = "values for ${variables.NAME}"},
    {"method", FIELD_TEXT, LINE(method), .doc = "of a Batch API line: POST"},
    {"url", FIELD_TEXT, LINE(url),
	.doc = "of a Batch API line: /v1/responses or /v1/chat/completions"},
    {"body", FIELD_CUSTOM, LINE(body_at), .custom = &where_custom,
	.doc = "of a Batch API line: the request"},
    {.name = NULL},
};

/* --- the input --- */

static int
check_list(struct table_reader *r, int v, enum json_type also)
{
	if (v == -1 || json_type(r->doc, v) == JSON_ARRAY ||
	    json_type(r->doc, v) == also)
		return 0;
	return table_complain_type(r, v,
	    also == JSON_STRING ? "a text or a list of items"
				: "a list of messages");
}

/* A line of OpenAI's Batch API. */
static int
read_body(struct table_reader *r, int v, struct task_written *t)
{
	struct json_doc *d = r->doc;
	int body = t->body_at;
	struct task_source_values from = {
	    .input = json_get(d, body, "input"),
	    .messages = json_get(d, body, "messages"),
	    .instructions = json_get(d, body, "instructions"),
	};

	if (t->input_at != 0)
		return table_complain(
		    r, t->input_at, "input and body: give one of them");
	if (json_type(d, body) != JSON_OBJECT)
		return table_complain_type(r, body, "a request: an object");
	if (t->method != NULL && strcmp(t->method, "POST") != 0)
		return table_complain(
		    r, json_get(d, v, "method"), "the method is POST");
	if (t->url != NULL && strcmp(t->url, "/v1/responses") != 0 &&
	    strcmp(t->url, "/v1/chat/completions") != 0)
		return table_complain(r, json_get(d, v, "url"),
		    "%.64s is no model call; known are /v1/responses and "
		    "/v1/chat/completions",
		    t->url);
	if (json_type(d, from.instructions) == JSON_NULL)
		from.instructions = -1;
	if (from.instructions != -1 &&
	    json_type(d, from.instructions) != JSON_STRING)
		return table_complain_type(r, from.instructions, "a text");
	if ((from.input == -1) == (from.messages == -1))
		return table_complain(
		    r, body, "the body needs input or messages, one of them");
	if (check_list(r, from.input, JSON_STRING) == -1 ||
	    check_list(r, from.messages, JSON_ARRAY) == -1)
		return -1;
	return task_items(r, &from, t);
}

static int
read_input(struct table_reader *r, struct task_written *t)
{
	struct task_source_values from = {t->input_at, -1, -1};
	struct span s;

	if (t->input_at == 0)
		return table_complain(
		    r, 0, "\"input\" is missing: what the agent is asked");
	if (check_list(r, t->input_at, JSON_STRING) == -1)
		return -1;
	if (json_type(r->doc, t->input_at) == JSON_ARRAY)
		return task_items(r, &from, t);
	if (json_string(r->doc, t->input_at, r->arena, &s) == -1)
		return table_full(r);
	t->input.p = arena_strndup(r->arena, s.p, s.n);
	t->input.n = s.n;
	return t->input.p != NULL ? 0 : table_full(r);
}

/* --- custom_id --- */

static int
check_custom_id(struct table_reader *r, int v, const char *id)
{
	size_t n = strlen(id);

	if (n == 0)
		return table_complain(r, v, "it is empty");
	if (n > CUSTOM_ID_MAX)
		return table_complain(
		    r, v, "it is longer than %d bytes", CUSTOM_ID_MAX);
	return 0;
}

static int
line_check(struct table_reader *r, int v, void *at)
{
	struct task_written *t = at;

	if (check_custom_id(
		r, json_get(r->doc, v, "custom_id"), t->custom_id) == -1)
		return -1;
	if (t->body_at != 0)
		return read_body(r, v, t);
	if (t->method != NULL || t->url != NULL)
		return table_complain(r, v,
		    "method and url without a body; a Batch API line has all "
		    "three");
	return read_input(r, t);
}

const struct table task_table = {
    .name = "task",
    .doc = "A task: one line of a batch.",
    .bytes = sizeof(struct task_written),
    .fields = task_fields,
    .check = line_check,
};

/* --- reading --- */

/* The custom_id of a line that has other faults, if it can be read. */
static void
salvage_custom_id(struct table_reader *r, struct task *t)
{
	int v = json_get(r->doc, 0, "custom_id");
	struct span s;

	if (json_type(r->doc, v) == JSON_STRING &&
	    json_string(r->doc, v, r->arena, &s) == 0 && s.n > 0 &&
	    s.n <= CUSTOM_ID_MAX && memchr(s.p, '\0', s.n) == NULL)
		t->custom_id = arena_span(r->arena, s);
}

static int
parse(struct table_reader *r, struct span line)
{
	struct json_doc *d = r->doc;
	struct error e;

	if (line.n > LIMIT_TASK_LINE)
		return complain(r->complaints, ERROR_BAD_TASK, r->file, 1, 1,
		    "the line has %zu bytes; at most %zu are read", line.n,
		    (size_t)LIMIT_TASK_LINE);
	if (line.n > 0 && memchr(line.p, '\0', line.n) != NULL)
		return complain(r->complaints, ERROR_BAD_TASK, r->file, 1, 1,
		    "the line contains a NUL byte, so it is not JSON");
	if (json_parse(d, line, JSON_UNIQUE, &e) == 0)
		return 0;
	complain(
	    r->complaints, e.code, r->file, 1, d->fault.column, "%s", e.text);
	/* A key that stands twice does not hide the custom_id. */
	(void)json_parse(d, line, 0, &e);
	return -1;
}

static void
take(struct task *t, const struct task_written *line)
{
	t->custom_id = span_of(line->custom_id);
	t->input = line->input;
	t->items = line->items;
	t->manifest = line->manifest;
	t->cwd = line->cwd;
	t->class = line->class;
	t->budget = line->budget;
	t->variables = line->variables;
}

int
task_check(struct task *t, struct arena *arena, struct span line,
    uint64_t number, const char *file, const char *folder, struct complaints *c)
{
	struct complaint *before = c->last;
	struct json_doc doc;
	struct task_written written;
	struct table_reader r = {.arena = arena,
	    .complaints = c,
	    .doc = &doc,
	    .file = file,
	    .folder = folder,
	    .untrusted = 1};
	int status;

	*t = (struct task){.line = number};
	hash_of(line, &t->digest);
	json_doc_init(&doc);
	status = parse(&r, line);
	if (status == 0)
		status = table_read(&r, &task_table, 0, &written);
	if (status == 0)
		take(t, &written);
	else
		salvage_custom_id(&r, t);
	json_doc_release(&doc);
	/* To the document every line is the first. */
	before = before != NULL ? before->next : c->first;
	for (; before != NULL; before = before->next)
		before->line = (unsigned)number;
	return status;
}

int
task_read(struct task *t, struct arena *arena, struct span line,
    uint64_t number, const char *folder, struct error *e)
{
	const struct complaint *one;
	struct complaints c;

	complaints_init(&c, arena);
	if (task_check(t, arena, line, number, NULL, folder, &c) == 0)
		return 0;
	one = c.first;
	if (one == NULL || one->code == ERROR_FULL)
		return error_set(e, ERROR_FULL, 0, "out of memory");
	return error_set(
	    e, ERROR_BAD_TASK, 0, "column %u: %s", one->column, one->text);
}
