#include "config/memory.h"

#include <string.h>

#include "config/agent.h"
#include "config/table_private.h"
#include "net/json.h"
#include "net/json_write.h"

#define PHASE(member) .offset = offsetof(struct memory_phase, member)

static const struct field phase_fields[] = {
    {"model", FIELD_TEXT, FIELD_NULLABLE, PHASE(model),
	.doc = "a model of the agent's server; else the agent's own"},
    {"budget", FIELD_OBJECT, PHASE(budget), .table = &agent_budget_table,
	.doc = "what such a run may spend"},
    {.name = NULL},
};

static const struct table phase_table = {
    .name = "phase",
    .doc = "A run that makes memories.",
    .bytes = sizeof(struct memory_phase),
    .fields = phase_fields,
};

#define MEMORY(member) .offset = offsetof(struct agent_memory, member)

static const struct field fields[] = {
    {"name", FIELD_TEXT, FIELD_NULLABLE, MEMORY(name),
	.doc = "what it is called in the state directory; else as the agent"},
    {"read", FIELD_BOOL, MEMORY(read), .preset = 1,
	.doc = "whether runs are shown what it holds"},
    {"generate", FIELD_BOOL, MEMORY(generate), .preset = 1,
	.doc = "whether runs add to it"},
    {"kept", FIELD_INT, MEMORY(kept), .min = 1, .max = 4096, .preset = 256,
	.doc = "how many runs it is made of at most: the newest"},
    {"linger", FIELD_TIME, MEMORY(linger_ms), .max = 86400000.0,
	.preset = 600000,
	.doc = "how long to go on learning when all tasks are done"},
    {"phase_one", FIELD_OBJECT, MEMORY(phase_one), .table = &phase_table,
	.doc = "the run that says what is worth keeping of another"},
    {"phase_two", FIELD_OBJECT, MEMORY(phase_two), .table = &phase_table,
	.doc = "the run that makes a handbook and a summary of it all"},
    {.name = NULL},
};

static const struct table memory_table = {
    .name = "memory",
    .doc = "What an agent remembers from one run to the next.",
    .bytes = sizeof(struct agent_memory),
    .fields = fields,
};

static int
memory_read(struct table_reader *r, int v, void *at)
{
	struct agent_memory *m = at;
	enum json_type type = json_type(r->doc, v);

	if (type != JSON_OBJECT && type != JSON_TRUE && type != JSON_FALSE)
		return table_complain_type(r, v, "true, false, or an object");
	table_defaults(&memory_table, m);
	m->is_on = type != JSON_FALSE;
	if (type != JSON_OBJECT)
		return 0;
	if (table_read(r, &memory_table, v, m) == -1)
		return -1;
	m->is_on = 1;
	return 0;
}

static void
memory_write(struct json_writer *w, const char *key, const void *at)
{
	const struct agent_memory *m = at;

	if (!m->is_on)
		return;
	json_write_key(w, key);
	table_put(&memory_table, m, 0, w);
}

static void
memory_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "boolean");
	json_write_end(w);
	json_write_object(w);
	table_schema_of(&memory_table, w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom memory_custom = {
    memory_read, memory_write, memory_schema};

static int
is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

int
memory_name_check(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > MEMORY_NAME_MAX || !is_alphanumeric(name[0]))
		return -1;
	for (size_t i = 1; i < n; i++)
		if (!is_alphanumeric(name[i]) && strchr("._-", name[i]) == NULL)
			return -1;
	return 0;
}

static int
overlaps(const struct manifest *m)
{
	size_t n = strlen(MEMORY_FOLDER);

	for (unsigned i = 0; m != NULL && i < m->entries_n; i++)
		if (strncmp(m->entries[i].path, MEMORY_FOLDER, n) == 0 &&
		    (m->entries[i].path[n] == '\0' ||
			m->entries[i].path[n] == '/'))
			return 1;
	return 0;
}

int
memory_settle(struct table_reader *r, int v, struct agent *a)
{
	int at = json_get(r->doc, v, "memory");
	struct agent_memory *m = &a->memory;

	if (!m->is_on)
		return 0;
	if (m->name == NULL)
		m->name = a->name;
	if (m->name == NULL || memory_name_check(m->name) == -1)
		return table_complain(r, at,
		    "memory: \"%.80s\" cannot be its name; give memory.name of "
		    "letters, digits, '.', '_' and '-'",
		    m->name == NULL ? "" : m->name);
	if (!m->read && !m->generate)
		return table_complain(r, at,
		    "memory: at least one of read and generate must be on");
	if (m->read && a->tools.n == 0)
		return table_complain(r, at,
		    "memory: it is read with a tool, such as exec_command");
	if (overlaps(a->manifest))
		return table_complain(r, at,
		    "memory: the manifest has an entry at " MEMORY_FOLDER
		    ", which is where the memory goes");
	return 0;
}
