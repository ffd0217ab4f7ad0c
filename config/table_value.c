/*
 * Reading one value by its field: numbers, quantities, names, texts, paths.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/nearest.h"
#include "config/table_private.h"
#include "config/units.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "net/json.h"

/* --- numbers --- */

static int
read_int(struct table_reader *r, const struct field *f, int v, int64_t *out)
{
	char wanted[96];

	if (json_int(r->doc, v, (int64_t)f->min, (int64_t)f->max, out) == 0)
		return 0;
	snprintf(wanted, sizeof wanted, "a whole number from %.0f to %.0f",
	    f->min, f->max);
	if (json_type(r->doc, v) != JSON_NUMBER)
		return table_complain_type(r, v, wanted);
	return table_complain(r, v, "out of range; give %s", wanted);
}

static int
read_count(struct table_reader *r, const struct field *f, int v, uint64_t *out)
{
	int64_t value;

	if (read_int(r, f, v, &value) == -1)
		return -1;
	*out = (uint64_t)value;
	return 0;
}

static int
read_real(struct table_reader *r, const struct field *f, int v, double *out)
{
	char wanted[96];

	if (json_real(r->doc, v, out) == 0 && *out >= f->min && *out <= f->max)
		return 0;
	*out = f->preset;
	snprintf(
	    wanted, sizeof wanted, "a number from %g to %g", f->min, f->max);
	if (json_type(r->doc, v) != JSON_NUMBER)
		return table_complain_type(r, v, wanted);
	return table_complain(r, v, "out of range; give %s", wanted);
}

/* Sizes and times: a number, or a text with a unit. */
static int
read_quantity(
    struct table_reader *r, const struct field *f, int v, uint64_t *out)
{
	int is_time = f->type == FIELD_TIME;
	struct span raw = json_raw(r->doc, v);
	uint64_t value;
	int status = -1;

	if (json_type(r->doc, v) == JSON_STRING)
		raw = json_inner(r->doc, v);
	if (json_type(r->doc, v) == JSON_STRING ||
	    json_type(r->doc, v) == JSON_NUMBER)
		status =
		    is_time ? units_time(raw, &value) : units_size(raw, &value);
	if (status == -1)
		return table_complain_type(r, v,
		    is_time ? "seconds, or a time such as \"250ms\" or \"2h\""
			    : "bytes, or a size such as \"64M\"");
	if ((f->max > 0 && (double)value > f->max) || (double)value < f->min)
		return table_complain(r, v, "out of range");
	*out = value;
	return 0;
}

/* --- names --- */

static int
name_index(struct table_reader *r, const char *const *names, int v, int *out)
{
	struct nearest near;
	char list[320], hint[NEAREST_HINT];
	size_t n = 0;
	int i;

	if (json_type(r->doc, v) == JSON_STRING)
		for (i = 0; names[i] != NULL; i++)
			if (json_is(r->doc, v, names[i])) {
				*out = i;
				return 0;
			}
	list[0] = '\0';
	nearest_init(&near, json_inner(r->doc, v));
	for (i = 0; names[i] != NULL; i++) {
		nearest_offer(&near, names[i]);
		if (n < sizeof list)
			n += (size_t)snprintf(list + n, sizeof list - n,
			    "%s\"%s\"", i > 0 ? ", " : "", names[i]);
	}
	if (json_type(r->doc, v) != JSON_STRING)
		return table_complain_type(r, v, list);
	return table_complain(r, v, "unknown value \"%.*s\"; known are %s%s",
	    (int)(near.word.n < 64 ? near.word.n : 64), near.word.p, list,
	    nearest_hint(&near, hint));
}

static int
read_flags(
    struct table_reader *r, const char *const *names, int v, unsigned *out)
{
	unsigned flags = 0;
	int status = 0, bit;

	if (json_type(r->doc, v) != JSON_ARRAY)
		return table_complain_type(r, v, "a list of names");
	for (int i = json_first(r->doc, v); i != -1;
	     i = json_next(r->doc, v, i)) {
		if (name_index(r, names, i, &bit) == -1)
			status = -1;
		else
			flags |= 1u << bit;
	}
	*out = flags;
	return status;
}

/* --- texts --- */

int
table_text(struct table_reader *r, int v, const char **out)
{
	struct span s;
	char *copy;

	if (json_type(r->doc, v) != JSON_STRING)
		return table_complain_type(r, v, "a text");
	if (json_string(r->doc, v, r->arena, &s) == -1)
		return table_full(r);
	if (s.n > 0 && memchr(s.p, '\0', s.n) != NULL)
		return table_complain(
		    r, v, "a NUL character stands in this text; remove it");
	copy = arena_strndup(r->arena, s.p, s.n);
	if (copy == NULL)
		return table_full(r);
	*out = copy;
	return 0;
}

static int
read_bytes(struct table_reader *r, int v, struct span *out)
{
	struct span s;
	char *copy;

	if (json_type(r->doc, v) != JSON_STRING)
		return table_complain_type(r, v, "a text");
	if (json_string(r->doc, v, r->arena, &s) == -1)
		return table_full(r);
	copy = arena_strndup(r->arena, s.p, s.n);
	if (copy == NULL)
		return table_full(r);
	*out = (struct span){copy, s.n};
	return 0;
}

const char *
table_path(struct table_reader *r, struct span path)
{
	const char *out;

	if ((path.n > 0 && path.p[0] == '/') || r->folder == NULL)
		out = arena_strndup(r->arena, path.p, path.n);
	else
		out = arena_printf(r->arena, "%s/%.*s",
		    strcmp(r->folder, "/") == 0 ? "" : r->folder, (int)path.n,
		    path.p);
	if (out == NULL)
		table_full(r);
	return out;
}

int
table_exists(struct table_reader *r, int v, const char *path)
{
	if (access(path, R_OK) == 0)
		return 0;
	return table_complain(r, v, "%s: %s", path, strerror(errno));
}

static int
read_path(struct table_reader *r, int v, const char **out)
{
	const char *text, *path;

	if (table_text(r, v, &text) == -1)
		return -1;
	if (text[0] == '\0')
		return table_complain(r, v, "this path is empty");
	path = table_path(r, span_of(text));
	if (path == NULL)
		return -1;
	*out = path;
	return 0;
}

/* --- everything --- */

static int
read_bool(struct table_reader *r, int v, int *out)
{
	int value = json_bool_or(r->doc, v, -1);

	if (value == -1)
		return table_complain_type(r, v, "true or false");
	*out = value;
	return 0;
}

int
table_value(struct table_reader *r, const struct field *f, int v, void *base)
{
	void *at = (char *)base + f->offset;

	switch (f->type) {
	case FIELD_BOOL:
		return read_bool(r, v, at);
	case FIELD_INT:
		return read_int(r, f, v, at);
	case FIELD_COUNT:
		return read_count(r, f, v, at);
	case FIELD_REAL:
		return read_real(r, f, v, at);
	case FIELD_SIZE:
	case FIELD_TIME:
		return read_quantity(r, f, v, at);
	case FIELD_CHOICE:
		return name_index(r, f->names, v, at);
	case FIELD_FLAGS:
		return read_flags(r, f->names, v, at);
	case FIELD_TEXT:
		return table_text(r, v, at);
	case FIELD_PATH:
		return read_path(r, v, at);
	case FIELD_BYTES:
		return read_bytes(r, v, at);
	case FIELD_JSON:
		return table_json(r, f, v, at);
	case FIELD_TEXTS:
		return table_texts(r, v, at);
	case FIELD_NAMED:
		return table_named(r, v, at);
	case FIELD_SECRET:
		return table_secret(r, v, at);
	case FIELD_OBJECT:
		return table_read_over(r, f->table, v, at);
	case FIELD_LIST:
		return table_list(r, f, v, base);
	case FIELD_CUSTOM:
		return f->custom->read(r, v, at);
	case FIELD_NOTHING:
		return 0;
	}
	return 0;
}
