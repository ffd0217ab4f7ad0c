/*
 * Reading an object by its table: defaults, then members and what overrides
 * them, then checks across members; every fault with its place.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/complaint.h"
#include "config/nearest.h"
#include "config/overrides.h"
#include "config/table_private.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_write.h"

/* --- complaining --- */

int
table_complain(struct table_reader *r, int v, const char *fmt, ...)
{
	struct json_place at = {0, 0, 0};
	char place[160] = "", text[480];
	const char *path = v == -1 ? r->path : place;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* Finding a place is linear; more are only counted. */
	if (r->doc != NULL && v != -1 && r->complaints->n < COMPLAINTS_KEPT) {
		if (!r->is_override)
			json_place(r->doc, v, &at);
		json_path(r->doc, v, place, sizeof place);
	}
	return complain(r->complaints, ERROR_SYNTAX, r->file, at.line,
	    at.column, "%s%s%s", path, path[0] != '\0' ? ": " : "", text);
}

int
table_complain_type(struct table_reader *r, int v, const char *wanted)
{
	return table_complain(r, v, "this is %s; give %s",
	    json_type_name(json_type(r->doc, v)), wanted);
}

int
table_full(struct table_reader *r)
{
	return complain(
	    r->complaints, ERROR_FULL, r->file, 0, 0, "out of memory");
}

/* --- defaults --- */

static void
preset(const struct field *f, char *base)
{
	void *at = base + f->offset;

	switch (f->type) {
	case FIELD_BOOL:
	case FIELD_CHOICE:
		*(int *)at = (int)f->preset;
		break;
	case FIELD_FLAGS:
		*(unsigned *)at = (unsigned)f->preset;
		break;
	case FIELD_INT:
		*(int64_t *)at = (int64_t)f->preset;
		break;
	case FIELD_REAL:
		*(double *)at = f->preset;
		break;
	case FIELD_COUNT:
	case FIELD_SIZE:
	case FIELD_TIME:
		*(uint64_t *)at = (uint64_t)f->preset;
		break;
	case FIELD_TEXT:
	case FIELD_PATH:
		*(const char **)at = f->preset_text;
		break;
	case FIELD_BYTES:
	case FIELD_JSON:
		*(struct span *)at = span_of(f->preset_text);
		break;
	case FIELD_OBJECT:
		table_defaults(f->table, at);
		break;
	case FIELD_TEXTS:
	case FIELD_NAMED:
	case FIELD_SECRET:
	case FIELD_LIST:
	case FIELD_CUSTOM:
	case FIELD_NOTHING:
		break;
	}
}

void
table_defaults(const struct table *t, void *at)
{
	memset(at, 0, t->bytes);
	for (const struct field *f = t->fields; f->name != NULL; f++)
		preset(f, at);
}

/* --- overrides --- */

/* Make name the last part of r->path; the length to go back to. */
static size_t
enter(struct table_reader *r, const char *name)
{
	size_t before = r->path_n;
	int n = snprintf(r->path + before, TABLE_PATH_MAX - before, "%s%s",
	    before > 0 ? "." : "", name);

	r->path_n += (size_t)n;
	if (r->path_n >= TABLE_PATH_MAX)
		r->path_n = TABLE_PATH_MAX - 1;
	return before;
}

static void
leave(struct table_reader *r, size_t before)
{
	r->path_n = before;
	r->path[before] = '\0';
}

/* A text is taken as it stands; anything else is JSON, or else a text. */
static int
is_text(const struct field *f)
{
	return f->type == FIELD_TEXT || f->type == FIELD_PATH ||
	       f->type == FIELD_BYTES || f->type == FIELD_CHOICE;
}

static int
parse_override(
    struct json_doc *d, const struct field *f, const char *text, struct text *t)
{
	struct error ignored;
	size_t at;

	if (!is_text(f)) {
		text_add_str(t, text);
		if (!text_overflowed(t) && t->n > 0 &&
		    json_relax(t->p, t->n, &at, &ignored) == 0 &&
		    json_parse(d, text_span(t), JSON_UNIQUE, &ignored) == 0)
			return 0;
		text_clear(t);
	}
	text_add_char(t, '"');
	json_escape(span_of(text), t);
	text_add_char(t, '"');
	return json_parse(d, text_span(t), JSON_UNIQUE, &ignored);
}

int
table_override(struct table_reader *r, const struct field *f, const char *text,
    const char *from, char *base)
{
	struct table_reader o = *r;
	struct json_doc d;
	struct text t;
	int status;

	json_doc_init(&d);
	text_init(&t, LIMIT_CONFIG_FILE);
	o.file = from;
	o.doc = &d;
	o.is_override = 1;
	o.overrides = NULL;
	o.folder = NULL; /* paths on a command line are from where we are */
	if (parse_override(&d, f, text, &t) == -1)
		status = complain(r->complaints, ERROR_SYNTAX, from, 0, 0,
		    "this value cannot be read; give JSON or a text");
	else
		status = table_value(&o, f, 0, base);
	text_release(&t);
	json_doc_release(&d);
	return status;
}

/* --- one member --- */

/* What is read over may have brought it. */
static int
is_there(const struct field *f, const char *base)
{
	const void *at = base + f->offset;

	return f->type == FIELD_TEXT && *(const char *const *)at != NULL;
}

static int
read_field(struct table_reader *r, const struct field *f, int object, int v,
    char *base)
{
	const struct override *o = NULL;
	size_t before = enter(r, f->name);
	int status = 0;

	if (r->overrides != NULL && f->type != FIELD_OBJECT)
		o = overrides_get(r->overrides, r->arena, r->path);
	if (v != -1 && json_type(r->doc, v) == JSON_NULL &&
	    f->flags & FIELD_NULLABLE)
		v = -1;
	if (o != NULL && f->flags & FIELD_NULLABLE &&
	    strcmp(o->value, "null") == 0)
		status = 0; /* taken out */
	else if (o != NULL)
		status = table_override(r, f, o->value, o->from, base);
	else if (v != -1 || f->type == FIELD_OBJECT ||
		 (r->overrides != NULL &&
		     overrides_below(r->overrides, r->path)))
		status = table_value(r, f, v, base);
	else if (f->flags & FIELD_REQUIRED && !is_there(f, base))
		status = table_complain(
		    r, object, "\"%s\" is missing; it is %s", f->name, f->doc);
	leave(r, before);
	return status;
}

/* --- objects --- */

static const struct field *
field_of(const struct table *t, const struct json_doc *d, int key)
{
	for (const struct field *f = t->fields; f->name != NULL; f++)
		if (json_is(d, key, f->name))
			return f;
	return NULL;
}

/* "name, model, ..." as far as it fits. */
static void
list_names(const struct table *t, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (const struct field *f = t->fields; f->name != NULL; f++) {
		if (f->name[0] == '$')
			continue;
		if (n + strlen(f->name) + 6 > size)
			break;
		n += (size_t)snprintf(
		    out + n, size - n, "%s%s", n > 0 ? ", " : "", f->name);
	}
}

static int
unknown_key(struct table_reader *r, const struct table *t, int key)
{
	struct nearest near;
	char hint[NEAREST_HINT], names[256];
	struct span inner = json_inner(r->doc, key);

	if (r->complaints->n >= COMPLAINTS_KEPT)
		return table_complain(r, key, "unknown key");
	nearest_init(&near, inner);
	for (const struct field *f = t->fields; f->name != NULL; f++)
		nearest_offer(&near, f->name);
	if (near.name != NULL)
		return table_complain(
		    r, key, "unknown key%s", nearest_hint(&near, hint));
	list_names(t, names, sizeof names);
	return table_complain(r, key, "unknown key; known are %s", names);
}

static int
check_keys(struct table_reader *r, const struct table *t, int object)
{
	int status = 0;

	for (int key = json_first(r->doc, object); key != -1;
	     key = json_next(r->doc, object, key))
		if (field_of(t, r->doc, key) == NULL)
			status = unknown_key(r, t, key);
	return status;
}

int
table_read(struct table_reader *r, const struct table *t, int v, void *at)
{
	table_defaults(t, at);
	return table_read_over(r, t, v, at);
}

int
table_read_over(struct table_reader *r, const struct table *t, int v, void *at)
{
	int status = 0;

	if (v != -1 && json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an object");
	if (v != -1)
		status = check_keys(r, t, v);
	for (const struct field *f = t->fields; f->name != NULL; f++)
		if (read_field(r, f, v,
			v == -1 ? -1 : json_get(r->doc, v, f->name), at) == -1)
			status = -1;
	if (status == 0 && t->check != NULL)
		status = t->check(r, v, at);
	return status;
}
