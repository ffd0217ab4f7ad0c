/*
 * The JSON Schema (draft 2020-12) of a kind of file.
 */

#include "config/table_private.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/json_write.h"

static void
put_number(struct json_writer *w, const char *key, double v)
{
	json_put_real(w, key, v);
}

static void
write_names(struct json_writer *w, const char *const *names)
{
	json_put_array(w, "enum");
	for (int i = 0; names[i] != NULL; i++)
		json_write_str(w, names[i]);
	json_write_end(w);
}

static void
write_type_list(struct json_writer *w, const char *a, const char *b)
{
	json_put_array(w, "type");
	json_write_str(w, a);
	json_write_str(w, b);
	json_write_end(w);
}

static void
begin_items(struct json_writer *w)
{
	json_put_str(w, "type", "array");
	json_put_object(w, "items");
}

/* What the reader accepts for a type, before its default and doc. */
static void
write_type(struct json_writer *w, const struct field *f)
{
	switch (f->type) {
	case FIELD_BOOL:
		json_put_str(w, "type", "boolean");
		break;
	case FIELD_INT:
	case FIELD_COUNT:
	case FIELD_REAL:
		json_put_str(
		    w, "type", f->type == FIELD_REAL ? "number" : "integer");
		put_number(w, "minimum", f->min);
		put_number(w, "maximum", f->max);
		break;
	case FIELD_SIZE:
		write_type_list(w, "integer", "string");
		json_put_int(w, "minimum", 0);
		json_put_str(w, "pattern", "^[0-9]+(\\.[0-9]+)?[KMGT]?$");
		break;
	case FIELD_TIME:
		write_type_list(w, "number", "string");
		json_put_int(w, "minimum", 0);
		json_put_str(w, "pattern", "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)?$");
		break;
	case FIELD_CHOICE:
		write_names(w, f->names);
		break;
	case FIELD_FLAGS:
		begin_items(w);
		write_names(w, f->names);
		json_write_end(w);
		break;
	case FIELD_TEXT:
	case FIELD_PATH:
	case FIELD_BYTES:
		json_put_str(w, "type", "string");
		break;
	case FIELD_JSON:
		if (f->flags & FIELD_OBJECT_ONLY)
			json_put_str(w, "type", "object");
		break;
	case FIELD_TEXTS:
		begin_items(w);
		json_put_str(w, "type", "string");
		json_write_end(w);
		break;
	case FIELD_NAMED:
		json_put_str(w, "type", "object");
		json_put_object(w, "additionalProperties");
		json_put_array(w, "type");
		json_write_str(w, "string");
		json_write_str(w, "number");
		json_write_str(w, "boolean");
		json_write_end(w);
		json_write_end(w);
		break;
	case FIELD_SECRET:
		table_secret_schema(w);
		break;
	case FIELD_OBJECT:
		table_schema_of(f->table, w);
		break;
	case FIELD_LIST:
		begin_items(w);
		table_schema_of(f->table, w);
		json_write_end(w);
		break;
	case FIELD_CUSTOM:
		if (f->custom->schema != NULL)
			f->custom->schema(w);
		break;
	case FIELD_NOTHING:
		break;
	}
}

static void
write_preset(struct json_writer *w, const struct field *f)
{
	switch (f->type) {
	case FIELD_INT:
	case FIELD_COUNT:
	case FIELD_REAL:
	case FIELD_SIZE:
		if (f->preset != 0)
			put_number(w, "default", f->preset);
		break;
	case FIELD_TIME:
		if (f->preset != 0)
			put_number(w, "default", f->preset / 1000);
		break;
	case FIELD_CHOICE:
		json_put_str(w, "default", f->names[(int)f->preset]);
		break;
	case FIELD_TEXT:
	case FIELD_BYTES:
		if (f->preset_text != NULL)
			json_put_str(w, "default", f->preset_text);
		break;
	default:
		break;
	}
}

/* An object's own description is its table's; a member's says its use. */
static void
write_property(struct json_writer *w, const struct field *f)
{
	int nullable = f->flags & FIELD_NULLABLE;

	json_put_object(w, f->name);
	if (f->type != FIELD_OBJECT)
		json_put_str(w, "description", f->doc);
	if (nullable) {
		json_put_array(w, "anyOf");
		json_write_object(w);
		json_put_str(w, "type", "null");
		json_write_end(w);
		json_write_object(w);
	}
	write_type(w, f);
	write_preset(w, f);
	if (nullable) {
		json_write_end(w);
		json_write_end(w);
	}
	json_write_end(w);
}

/* "type" chooses among subschemas, so its value is fixed in each. */
static void
write_tag(struct json_writer *w, const struct table *t)
{
	json_put_object(w, "type");
	json_put_str(w, "const", t->name);
	json_write_end(w);
}

static void
write_required(struct json_writer *w, const struct table *t)
{
	json_put_array(w, "required");
	if (t->tagged)
		json_write_str(w, "type");
	for (const struct field *f = t->fields; f->name != NULL; f++)
		if (f->flags & FIELD_REQUIRED)
			json_write_str(w, f->name);
	json_write_end(w);
}

void
table_schema_of(const struct table *t, struct json_writer *w)
{
	json_put_str(w, "description", t->doc);
	json_put_str(w, "type", "object");
	json_put_object(w, "properties");
	if (t->tagged)
		write_tag(w, t);
	for (const struct field *f = t->fields; f->name != NULL; f++)
		if (!t->tagged || strcmp(f->name, "type") != 0)
			write_property(w, f);
	json_write_end(w);
	write_required(w, t);
	json_put_bool(w, "additionalProperties", 0);
}

void
table_schema(const struct table *t, struct text *out)
{
	struct json_writer w;

	json_write_init_pretty(&w, out, 2);
	json_write_object(&w);
	json_put_str(
	    &w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_put_str(&w, "title", t->name);
	table_schema_of(t, &w);
	if (t->defs != NULL) {
		json_put_object(&w, "$defs");
		t->defs(&w);
		json_write_end(&w);
	}
	json_write_end(&w);
	text_add_char(out, '\n');
}
