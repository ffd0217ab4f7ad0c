/*
 * Arguments that stand in header fields too, so that what is between us and
 * the server can act upon them without reading bodies: a property of the
 * schema names its field in "x-mcp-header".
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/base64.h"
#include "net/http1.h"
#include "tools/mcp_private.h"

#define PARAMS_MAX 32
#define PREFIX "Mcp-Param-"

static int
is_primitive(const struct json_doc *d, int property)
{
	int type = json_get(d, property, "type");

	return json_is(d, type, "string") || json_is(d, type, "integer") ||
	       json_is(d, type, "boolean");
}

static int
is_taken(const struct mcp_param *list, unsigned n, struct span field)
{
	for (unsigned i = 0; i < n; i++)
		if (span_is_nocase(field, list[i].field.p))
			return 1;
	return 0;
}

/* The field that property v wants, or 0 when it wants none. */
static int
read_one(const struct json_doc *d, int key, struct arena *a,
    struct mcp_param *list, unsigned *n, const char **why)
{
	int v = json_value(d, key), name = json_get(d, v, "x-mcp-header");
	struct span field;
	char *copy;

	if (name == -1)
		return 0;
	if (*n == PARAMS_MAX) {
		*why = "too many arguments want header fields";
		return -1;
	}
	if (json_string(d, name, a, &field) == -1 || !http_is_token(field)) {
		*why = "a header field that an argument wants has no usable "
		       "name";
		return -1;
	}
	if (!is_primitive(d, v)) {
		*why = "an argument that is no text, whole number or truth "
		       "value wants a header field";
		return -1;
	}
	copy = arena_printf(a, PREFIX "%.*s", (int)field.n, field.p);
	if (copy == NULL || is_taken(list, *n, span_of(copy))) {
		*why = "two arguments want one header field";
		return -1;
	}
	if (json_string(d, key, a, &list[*n].argument) == -1)
		return -1;
	list[*n].argument = arena_span(a, list[*n].argument);
	list[(*n)++].field = span_of(copy);
	return 0;
}

int
mcp_params_read(const struct json_doc *schema, struct arena *a,
    const struct mcp_param **out, unsigned *n, const char **why)
{
	int all = json_get(schema, 0, "properties");
	struct mcp_param list[PARAMS_MAX], *kept;

	*n = 0;
	*out = NULL;
	*why = "no memory";
	for (int key = json_first(schema, all); key != -1;
	     key = json_next(schema, all, key))
		if (read_one(schema, key, a, list, n, why) == -1)
			return -1;
	if (*n == 0)
		return 0;
	kept = arena_alloc(a, *n * sizeof *kept);
	if (kept == NULL)
		return -1;
	memcpy(kept, list, *n * sizeof *kept);
	*out = kept;
	return 0;
}

void
mcp_field_add(struct span s, struct text *out)
{
	int plain = span_eq(span_trim(s), s) &&
		    !span_has_prefix(s, span_of("=?base64?"));

	for (size_t i = 0; i < s.n && plain; i++)
		plain = s.p[i] >= ' ' && s.p[i] <= '~';
	if (plain) {
		text_add(out, s);
		return;
	}
	text_add_str(out, "=?base64?");
	base64_encode(s, out);
	text_add_str(out, "?=");
}

void
mcp_params_write(
    const struct mcp_tool *t, const struct json_doc *args, struct text *out)
{
	struct text value;

	text_init(&value, LIMIT_HTTP_LINE);
	for (unsigned i = 0; i < t->params; i++) {
		int v = json_get_span(args, 0, t->param[i].argument);
		enum json_type type = json_type(args, v);

		if (type == JSON_NONE || type == JSON_NULL ||
		    type == JSON_ARRAY || type == JSON_OBJECT)
			continue;
		text_clear(&value);
		if (type == JSON_STRING)
			json_string_add(args, v, &value);
		else
			text_add(&value, json_raw(args, v));
		text_add(out, t->param[i].field);
		text_add_char(out, '\0');
		mcp_field_add(text_span(&value), out);
		text_add_char(out, '\0');
	}
	text_release(&value);
}
