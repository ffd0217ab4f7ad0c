/*
 * Values that hold others: lists, objects of texts, JSON kept as it stands.
 */

#include <string.h>

#include "config/overrides.h"
#include "config/table_private.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_write.h"

int
table_texts(struct table_reader *r, int v, struct text_list *out)
{
	const char **at;
	unsigned n = 0;
	int status = 0;

	if (json_type(r->doc, v) != JSON_ARRAY)
		return table_complain_type(r, v, "a list of texts");
	at = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *at);
	if (at == NULL)
		return table_full(r);
	for (int i = json_first(r->doc, v); i != -1;
	     i = json_next(r->doc, v, i)) {
		if (table_text(r, i, &at[n]) == -1)
			status = -1;
		else
			n++;
	}
	*out = (struct text_list){at, n};
	return status;
}

int
table_list(struct table_reader *r, const struct field *f, int v, char *base)
{
	struct overrides *overrides = r->overrides;
	size_t size = f->table->bytes;
	unsigned n = 0;
	int status = 0;
	char *items;

	if (json_type(r->doc, v) != JSON_ARRAY)
		return table_complain_type(r, v, "a list of objects");
	items =
	    arena_alloc(r->arena, ((size_t)json_size(r->doc, v) + 1) * size);
	if (items == NULL)
		return table_full(r);
	r->overrides = NULL;
	for (int i = json_first(r->doc, v); i != -1;
	     i = json_next(r->doc, v, i))
		if (table_read(r, f->table, i, items + n++ * size) == -1)
			status = -1;
	r->overrides = overrides;
	*(void **)(void *)(base + f->offset) = items;
	*(unsigned *)(void *)(base + f->offset_n) = n;
	return status;
}

/* --- objects of texts --- */

/* Numbers and truth values are texts to whoever writes "n": 3. */
static int
named_value(struct table_reader *r, int v, struct span *out)
{
	struct span s;

	switch (json_type(r->doc, v)) {
	case JSON_STRING:
		if (json_string(r->doc, v, r->arena, &s) == -1)
			return table_full(r);
		break;
	case JSON_NUMBER:
	case JSON_TRUE:
	case JSON_FALSE:
		s = json_raw(r->doc, v);
		break;
	default:
		return table_complain_type(r, v, "a text");
	}
	out->p = arena_strndup(r->arena, s.p, s.n);
	out->n = s.n;
	return out->p != NULL ? 0 : table_full(r);
}

/* For the few overrides; a document's keys are known to differ. */
static void
put(struct named_text *at, unsigned *n, const char *name, struct span value)
{
	unsigned i;

	for (i = 0; i < *n && strcmp(at[i].name, name) != 0; i++)
		;
	if (i == *n)
		(*n)++;
	at[i].name = name;
	at[i].value = value;
}

/* The part of an override's key below what is being read, or NULL. */
static const char *
below(const struct table_reader *r, const struct override *o)
{
	if (strncmp(o->key, r->path, r->path_n) != 0 ||
	    o->key[r->path_n] != '.' || o->key[r->path_n + 1] == '\0')
		return NULL;
	return o->key + r->path_n + 1;
}

int
table_named(struct table_reader *r, int v, struct named_list *out)
{
	unsigned more = r->overrides != NULL ? r->overrides->n : 0, n = 0;
	struct named_text *at;
	const char *name;
	struct span value;
	int status = 0;

	if (v != -1 && json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an object of texts");
	at = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + more + 1) * sizeof *at);
	if (at == NULL)
		return table_full(r);
	for (int key = json_first(r->doc, v); key != -1;
	     key = json_next(r->doc, v, key)) {
		if (table_text(r, key, &name) == -1 ||
		    named_value(r, json_value(r->doc, key), &value) == -1)
			status = -1;
		else
			at[n++] = (struct named_text){name, value};
	}
	for (unsigned i = 0; i < more; i++) {
		struct override *o = &r->overrides->at[i];

		if ((name = below(r, o)) == NULL)
			continue;
		put(at, &n, name, span_of(o->value));
		o->used = 1;
	}
	*out = (struct named_list){at, n};
	return status;
}

/* --- JSON kept as it stands --- */

#define SET_DEPTH 16

static void
write_key(struct json_writer *w, const struct json_doc *d, int key)
{
	struct text t;

	text_init(&t, LIMIT_CONFIG_FILE);
	json_string_add(d, key, &t);
	json_write_key_span(w, text_span(&t));
	text_release(&t);
}

/*
 * Write value v with the member at path (dotted) set to the JSON in new; the
 * path is a command line's and no deeper than SET_DEPTH.
 */
static void
write_set(struct json_writer *w, const struct json_doc *d, int v, char *path,
    struct span new, int depth)
{
	char *rest = depth < SET_DEPTH ? strchr(path, '.') : NULL;
	int found = 0;

	if (rest != NULL)
		*rest++ = '\0';
	json_write_object(w);
	for (int key = json_first(d, v); key != -1;
	     key = json_next(d, v, key)) {
		int value = json_value(d, key);

		write_key(w, d, key);
		if (!json_is(d, key, path)) {
			json_write_raw(w, json_raw(d, value));
			continue;
		}
		found = 1;
		if (rest != NULL && json_type(d, value) == JSON_OBJECT)
			write_set(w, d, value, rest, new, depth + 1);
		else if (rest == NULL)
			json_write_raw(w, new);
		else
			write_set(w, d, -1, rest, new, depth + 1);
	}
	if (!found) {
		json_write_key(w, path);
		if (rest != NULL)
			write_set(w, d, -1, rest, new, depth + 1);
		else
			json_write_raw(w, new);
	}
	json_write_end(w);
}

/* An override's value as JSON: itself, or a text. */
static void
add_json(struct text *t, const char *value)
{
	struct json_doc d;
	struct error ignored;

	json_doc_init(&d);
	if (json_parse(&d, span_of(value), JSON_UNIQUE, &ignored) == 0)
		text_add_str(t, value);
	else {
		text_add_char(t, '"');
		json_escape(span_of(value), t);
		text_add_char(t, '"');
	}
	json_doc_release(&d);
}

/* *out with one member set; in the arena. */
static int
set_member(struct table_reader *r, const char *path, const char *value,
    struct span *out)
{
	struct text new, all;
	struct json_doc d;
	struct json_writer w;
	struct error ignored;
	char *copy = arena_strndup(r->arena, path, strlen(path));
	int status = 0;

	json_doc_init(&d);
	text_init(&new, LIMIT_CONFIG_FILE);
	text_init(&all, LIMIT_CONFIG_FILE);
	add_json(&new, value);
	json_write_init(&w, &all);
	if (copy == NULL || json_parse(&d, out->n > 0 ? *out : span_of("{}"), 0,
				&ignored) == -1)
		status = table_full(r);
	else
		write_set(&w, &d, 0, copy, text_span(&new), 0);
	if (status == 0 && json_write_done(&w) == 0)
		*out = arena_span(r->arena, text_span(&all));
	text_release(&new);
	text_release(&all);
	json_doc_release(&d);
	return status;
}

/* Without the spaces between tokens, so that layout is not identity. */
static int
compact(struct table_reader *r, struct span raw, struct span *out)
{
	char *p = arena_alloc(r->arena, raw.n + 1);
	size_t n = 0;
	int in_string = 0;

	if (p == NULL)
		return table_full(r);
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if (!in_string && strchr(" \t\r\n", c) != NULL)
			continue;
		p[n++] = c;
		if (in_string && c == '\\' && i + 1 < raw.n)
			p[n++] = raw.p[++i];
		else if (c == '"')
			in_string = !in_string;
	}
	*out = (struct span){p, n};
	return 0;
}

int
table_json(
    struct table_reader *r, const struct field *f, int v, struct span *out)
{
	unsigned n = r->overrides != NULL ? r->overrides->n : 0;
	const char *name;

	if (v != -1 && f->flags & FIELD_OBJECT_ONLY &&
	    json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an object");
	if (v != -1 && compact(r, json_raw(r->doc, v), out) == -1)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		struct override *o = &r->overrides->at[i];

		if ((name = below(r, o)) == NULL)
			continue;
		o->used = 1;
		if (set_member(r, name, o->value, out) == -1)
			return -1;
	}
	return 0;
}
