/*
 * The declared outputs of an agent: a path in the workspace, or a folder to be
 * delivered as one archive.
 */

#include <string.h>

#include "config/agent_private.h"
#include "config/manifest.h"
#include "config/table_private.h"
#include "engine/base/arena.h"
#include "net/json.h"
#include "net/json_write.h"

static const char *const archive_names[] = {"tar", NULL};

struct output {
	const char *path;
	int archive;
};

static const struct field output_fields[] = {
    {"path", FIELD_TEXT, FIELD_REQUIRED,
	.offset = offsetof(struct output, path),
	.doc = "a folder of the workspace"},
    {"archive", FIELD_CHOICE, FIELD_REQUIRED,
	.offset = offsetof(struct output, archive), .names = archive_names,
	.doc = "what it is delivered as: PATH.tar"},
    {.name = NULL},
};

static const struct table output_table = {
    .name = "output",
    .doc = "A folder that is delivered as one file.",
    .bytes = sizeof(struct output),
    .fields = output_fields,
};

/* A path as it is kept; NULL after a complaint. */
static const char *
read_path(struct table_reader *r, int v, const char *text, int is_archive)
{
	struct span s = span_of(text);
	const char *path;
	struct error e;

	if (manifest_path(r->arena, s, &path, &e) == -1) {
		table_complain(r, v, "%s", e.text);
		return NULL;
	}
	if (is_archive)
		path = arena_printf(r->arena, OUTPUT_ARCHIVE "%s", path);
	else if (s.n > 0 && s.p[s.n - 1] == '/' && strcmp(path, ".") != 0)
		path = arena_printf(r->arena, "%s/", path);
	if (path == NULL)
		table_full(r);
	return path;
}

static const char *
read_one(struct table_reader *r, int v)
{
	struct output output;
	const char *text;

	if (json_type(r->doc, v) == JSON_OBJECT) {
		if (table_read(r, &output_table, v, &output) == -1)
			return NULL;
		return read_path(r, v, output.path, 1);
	}
	if (json_type(r->doc, v) != JSON_STRING) {
		table_complain_type(
		    r, v, "a path, or {\"path\": PATH, \"archive\": \"tar\"}");
		return NULL;
	}
	if (table_text(r, v, &text) == -1)
		return NULL;
	return read_path(r, v, text, 0);
}

static int
outputs_read(struct table_reader *r, int v, void *at)
{
	struct text_list *out = at;
	const char **paths;
	unsigned n = 0;
	int status = 0;

	if (json_type(r->doc, v) != JSON_ARRAY)
		return table_complain_type(r, v, "a list of paths");
	paths = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *paths);
	if (paths == NULL)
		return table_full(r);
	for (int i = json_first(r->doc, v); i != -1;
	     i = json_next(r->doc, v, i)) {
		paths[n] = read_one(r, i);
		if (paths[n++] == NULL)
			status = -1;
	}
	*out = (struct text_list){paths, n};
	return status;
}

static void
outputs_write(struct json_writer *w, const char *key, const void *at)
{
	const struct text_list *l = at;
	const size_t n = strlen(OUTPUT_ARCHIVE);

	json_put_array(w, key);
	for (unsigned i = 0; i < l->n; i++) {
		if (strncmp(l->at[i], OUTPUT_ARCHIVE, n) != 0) {
			json_write_str(w, l->at[i]);
			continue;
		}
		json_write_object(w);
		json_put_str(w, "path", l->at[i] + n);
		json_put_str(w, "archive", archive_names[0]);
		json_write_end(w);
	}
	json_write_end(w);
}

static void
outputs_schema(struct json_writer *w)
{
	json_put_str(w, "type", "array");
	json_put_object(w, "items");
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_object(w);
	table_schema_of(&output_table, w);
	json_write_end(w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom agent_outputs_custom = {
    outputs_read, outputs_write, outputs_schema};
