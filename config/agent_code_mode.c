/*
 * The member "code_mode": true, or an object with its limits.
 */

#include "config/agent_private.h"
#include "net/json.h"
#include "net/json_write.h"

#define CODE(member) .offset = offsetof(struct agent_code_mode, member)

static const struct field code_mode_fields[] = {
    {"enabled", FIELD_BOOL, CODE(enabled), .preset = 1,
	.doc = "whether programs can call tools"},
    {"calls", FIELD_INT, CODE(calls), .min = 1, .max = 1e9, .preset = 100000,
	.doc = "calls by all programs of a run"},
    {.name = NULL},
};

static const struct table code_mode_table = {
    .name = "code_mode",
    .doc = "Programs that the model runs may call its tools.",
    .bytes = sizeof(struct agent_code_mode),
    .fields = code_mode_fields,
};

static int
code_mode_read(struct table_reader *r, int v, void *at)
{
	struct agent_code_mode *c = at;
	int enabled = json_bool_or(r->doc, v, -1);

	table_defaults(&code_mode_table, c);
	if (enabled != -1) {
		c->enabled = enabled;
		return 0;
	}
	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(
		    r, v, "true, false or {\"calls\": N}");
	return table_read(r, &code_mode_table, v, c);
}

static void
code_mode_write(struct json_writer *w, const char *key, const void *at)
{
	const struct agent_code_mode *c = at;

	if (!c->enabled)
		return;
	json_write_key(w, key);
	table_put(&code_mode_table, c, 0, w);
}

static void
code_mode_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "boolean");
	json_write_end(w);
	json_write_object(w);
	table_schema_of(&code_mode_table, w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom agent_code_mode_custom = {
    code_mode_read, code_mode_write, code_mode_schema};
