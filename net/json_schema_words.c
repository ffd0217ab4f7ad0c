#include "net/json_schema_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/utf8.h"

/* The keywords of JSON Schema that look at one value only. */

/* --- equality --- */

static int
same_scalar(const struct json_doc *a, int v, const struct json_doc *b, int w)
{
	double x, y;
	struct text text;
	int same;

	switch (json_type(a, v)) {
	case JSON_NUMBER:
		if (span_eq(json_inner(a, v), json_inner(b, w)))
			return 1;
		return json_real(a, v, &x) == 0 && json_real(b, w, &y) == 0 &&
		       x == y;
	case JSON_STRING:
		text_init(&text, json_inner(a, v).n);
		json_string_add(a, v, &text);
		same = json_is_span(b, w, text_span(&text));
		text_release(&text);
		return same;
	default:
		return json_size(a, v) == json_size(b, w);
	}
}

/* Tokens stand in the order of the text, so a walk over both compares all. */
int
schema_same(const struct json_doc *a, int v, const struct json_doc *b, int w)
{
	int end = a->token[v].end;

	for (; v < a->tokens && a->token[v].start < end; v++, w++)
		if (json_type(a, v) != json_type(b, w) ||
		    !same_scalar(a, v, b, w))
			return 0;
	return 1;
}

/* --- types --- */

static int
is_whole(const struct json_doc *d, int v)
{
	double x;

	return json_real(d, v, &x) == 0 && x == floor(x);
}

static int
has_type(
    const struct json_doc *schema, int name, const struct json_doc *d, int v)
{
	static const struct {
		const char *name;
		enum json_type type;
	} types[] = {{"object", JSON_OBJECT}, {"array", JSON_ARRAY},
	    {"string", JSON_STRING}, {"number", JSON_NUMBER},
	    {"boolean", JSON_TRUE}, {"boolean", JSON_FALSE},
	    {"null", JSON_NULL}};
	enum json_type type = json_type(d, v);

	if (json_is(schema, name, "integer"))
		return type == JSON_NUMBER && is_whole(d, v);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (types[i].type == type &&
		    json_is(schema, name, types[i].name))
			return 1;
	return 0;
}

static int
check_type(const struct json_doc *schema, int type, struct json_doc *doc, int v,
    struct error *e)
{
	struct span want = json_raw(schema, type);

	if (json_type(schema, type) == JSON_STRING &&
	    has_type(schema, type, doc, v))
		return 0;
	if (json_type(schema, type) == JSON_ARRAY)
		for (int t = json_first(schema, type); t != -1;
		     t = json_next(schema, type, t))
			if (has_type(schema, t, doc, v))
				return 0;
	return json_fail(doc, v, e, "expected %.*s, found %s",
	    want.n > 100 ? 100 : (int)want.n, want.p,
	    json_type_name(json_type(doc, v)));
}

/* --- values --- */

static int
check_enum(const struct json_doc *schema, int list, struct json_doc *doc, int v,
    struct error *e)
{
	struct span want = json_raw(schema, list);

	for (int i = json_first(schema, list); i != -1;
	     i = json_next(schema, list, i))
		if (schema_same(schema, i, doc, v))
			return 0;
	return json_fail(doc, v, e, "expected one of %.*s",
	    want.n > 200 ? 200 : (int)want.n, want.p);
}

static int
check_const(const struct json_doc *schema, int value, struct json_doc *doc,
    int v, struct error *e)
{
	struct span want = json_raw(schema, value);

	if (schema_same(schema, value, doc, v))
		return 0;
	return json_fail(doc, v, e, "expected %.*s",
	    want.n > 200 ? 200 : (int)want.n, want.p);
}

/* A number that a keyword limits; what is counted depends on the type. */
static int
measure(const struct json_doc *d, int v, enum json_type of, double *out)
{
	struct text text;

	if (json_type(d, v) != of)
		return -1;
	if (of == JSON_NUMBER)
		return json_real(d, v, out);
	if (of != JSON_STRING) {
		*out = json_size(d, v);
		return 0;
	}
	text_init(&text, json_inner(d, v).n);
	json_string_add(d, v, &text);
	*out = (double)utf8_count(text_span(&text));
	text_release(&text);
	return 0;
}

static int
is_multiple(double x, double of)
{
	double ratio = x / of;

	return fabs(ratio - round(ratio)) <= 1e-9 * fabs(ratio);
}

enum bound { LEAST, MOST, ABOVE, BELOW, MULTIPLE };

static int
is_within(enum bound bound, double x, double limit)
{
	switch (bound) {
	case LEAST:
		return x >= limit;
	case MOST:
		return x <= limit;
	case ABOVE:
		return x > limit;
	case BELOW:
		return x < limit;
	case MULTIPLE:
		return limit <= 0 || is_multiple(x, limit);
	}
	return 1;
}

static const struct {
	const char *word;
	enum json_type of;
	enum bound bound;
	const char *what;
} bounds[] = {
    {"minimum", JSON_NUMBER, LEAST, "a number of at least"},
    {"maximum", JSON_NUMBER, MOST, "a number of at most"},
    {"exclusiveMinimum", JSON_NUMBER, ABOVE, "a number above"},
    {"exclusiveMaximum", JSON_NUMBER, BELOW, "a number below"},
    {"multipleOf", JSON_NUMBER, MULTIPLE, "a multiple of"},
    {"minLength", JSON_STRING, LEAST, "characters, at least"},
    {"maxLength", JSON_STRING, MOST, "characters, at most"},
    {"minItems", JSON_ARRAY, LEAST, "elements, at least"},
    {"maxItems", JSON_ARRAY, MOST, "elements, at most"},
    {"minProperties", JSON_OBJECT, LEAST, "members, at least"},
    {"maxProperties", JSON_OBJECT, MOST, "members, at most"},
};

static int
check_bounds(const struct json_doc *schema, int s, struct json_doc *doc, int v,
    struct error *e)
{
	double x, limit;

	for (size_t i = 0; i < sizeof(bounds) / sizeof(*bounds); i++) {
		if (json_type(doc, v) != bounds[i].of ||
		    json_real(schema, json_get(schema, s, bounds[i].word),
			&limit) == -1 ||
		    measure(doc, v, bounds[i].of, &x) == -1)
			continue;
		if (!is_within(bounds[i].bound, x, limit))
			return json_fail(doc, v, e, "expected %s %.17g",
			    bounds[i].what, limit);
	}
	return 0;
}

static int
check_required(const struct json_doc *schema, int list, struct json_doc *doc,
    int v, struct error *e)
{
	struct text name;
	int found;

	for (int i = json_first(schema, list); i != -1;
	     i = json_next(schema, list, i)) {
		struct span inner = json_inner(schema, i);

		text_init(&name, inner.n);
		json_string_add(schema, i, &name);
		found = json_get_span(doc, v, text_span(&name));
		text_release(&name);
		if (found == -1)
			return json_fail(doc, v, e, "\"%.*s\" is missing",
			    inner.n > 100 ? 100 : (int)inner.n, inner.p);
	}
	return 0;
}

int
schema_scalars(const struct json_doc *schema, int s, struct json_doc *doc,
    int v, struct error *e)
{
	int type = json_get(schema, s, "type");
	int list = json_get(schema, s, "enum");
	int value = json_get(schema, s, "const");

	if (type != -1 && check_type(schema, type, doc, v, e) == -1)
		return -1;
	if (list != -1 && check_enum(schema, list, doc, v, e) == -1)
		return -1;
	if (value != -1 && check_const(schema, value, doc, v, e) == -1)
		return -1;
	if (json_type(doc, v) == JSON_OBJECT &&
	    check_required(
		schema, json_get(schema, s, "required"), doc, v, e) == -1)
		return -1;
	return check_bounds(schema, s, doc, v, e);
}
