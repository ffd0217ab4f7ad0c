#include "tools/args.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/text.h"
#include "net/json.h"
#include "net/utf8.h"

/* Schemas are ours and nest little; arguments deeper than this are skipped. */
#define DEPTH_MAX 8

struct check {
	const struct json_doc *schema, *args;
	struct text *complaint;
	char path[128]; /* of the value that is looked at */
};

static int
is_integer(const struct json_doc *d, int v)
{
	int64_t n;

	return json_int(d, v, INT64_MIN, INT64_MAX, &n) == 0;
}

static int
has_type(const struct json_doc *d, int v, struct span type)
{
	static const struct {
		const char *name;
		enum json_type type;
	} types[] = {
	    {"string", JSON_STRING},
	    {"number", JSON_NUMBER},
	    {"object", JSON_OBJECT},
	    {"array", JSON_ARRAY},
	    {"null", JSON_NULL},
	};
	enum json_type is = json_type(d, v);

	if (span_is(type, "boolean"))
		return is == JSON_TRUE || is == JSON_FALSE;
	if (span_is(type, "integer"))
		return is == JSON_NUMBER && is_integer(d, v);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (span_is(type, types[i].name))
			return is == types[i].type;
	return 0;
}

/* Is the value of one of the schema's types?  Names the first of them. */
static int
type_fits(const struct check *c, int schema, int v, struct span *wanted)
{
	const struct json_doc *s = c->schema;
	int type = json_get(s, schema, "type");

	if (type == -1)
		return 1;
	if (json_type(s, type) == JSON_STRING) {
		*wanted = json_inner(s, type);
		return has_type(c->args, v, *wanted);
	}
	*wanted = json_inner(s, json_at(s, type, 0));
	for (int t = json_first(s, type); t != -1; t = json_next(s, type, t))
		if (has_type(c->args, v, json_inner(s, t)))
			return 1;
	return 0;
}

static int complain(struct check *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
complain(struct check *c, const char *fmt, ...)
{
	va_list ap;

	if (c->path[0] != '\0')
		text_printf(c->complaint, "`%s` ", c->path);
	va_start(ap, fmt);
	text_vprintf(c->complaint, fmt, ap);
	va_end(ap);
	return -1;
}

static int
check_bounds(struct check *c, int schema, int v)
{
	const struct json_doc *s = c->schema;
	enum json_type type = json_type(c->args, v);
	int64_t least, most, is;

	if (type == JSON_NUMBER &&
	    json_int(c->args, v, INT64_MIN, INT64_MAX, &is) == 0) {
		least = json_int_or(s, json_get(s, schema, "minimum"), is);
		most = json_int_or(s, json_get(s, schema, "maximum"), is);
		if (is < least)
			return complain(c,
			    "must be at least %" PRId64 ", not %" PRId64, least,
			    is);
		if (is > most)
			return complain(c,
			    "must be at most %" PRId64 ", not %" PRId64, most,
			    is);
	}
	if (type == JSON_STRING) {
		least = json_int_or(s, json_get(s, schema, "minLength"), 0);
		if ((uint64_t)least > utf8_count(json_inner(c->args, v)))
			return complain(c, "must not be empty");
	}
	if (type == JSON_ARRAY) {
		is = json_size(c->args, v);
		least = json_int_or(s, json_get(s, schema, "minItems"), is);
		most = json_int_or(s, json_get(s, schema, "maxItems"), is);
		if (is < least)
			return complain(c, "must not be empty");
		if (is > most)
			return complain(c,
			    "has %" PRId64 " elements; at most %" PRId64
			    " are taken",
			    is, most);
	}
	return 0;
}

static int
check_enum(struct check *c, int schema, int v)
{
	const struct json_doc *s = c->schema;
	int allowed = json_get(s, schema, "enum");

	if (allowed == -1 || json_type(c->args, v) != JSON_STRING)
		return 0;
	for (int a = json_first(s, allowed); a != -1;
	     a = json_next(s, allowed, a))
		if (span_eq(json_inner(s, a), json_inner(c->args, v)))
			return 0;
	return complain(c, "must be one of %.*s", (int)json_raw(s, allowed).n,
	    json_raw(s, allowed).p);
}

static int check_value(struct check *c, int schema, int v, int depth);

/* Look at a value below path; path is as before afterwards. */
static int
check_below(
    struct check *c, int schema, int v, struct span name, int at, int depth)
{
	size_t n = strlen(c->path);
	int rc;

	if (at >= 0)
		snprintf(c->path + n, sizeof c->path - n, "[%d]", at);
	else
		snprintf(c->path + n, sizeof c->path - n, "%s%.*s",
		    n > 0 ? "." : "", (int)(name.n < 64 ? name.n : 64), name.p);
	rc = check_value(c, schema, v, depth + 1);
	if (rc == 0)
		c->path[n] = '\0';
	return rc;
}

static int
is_required(const struct check *c, int schema, struct span name)
{
	const struct json_doc *s = c->schema;
	int required = json_get(s, schema, "required");

	for (int r = json_first(s, required); r != -1;
	     r = json_next(s, required, r))
		if (json_is_span(s, r, name))
			return 1;
	return 0;
}

/* Name what may be given, so that the model need not guess. */
static int
complain_unknown(struct check *c, int properties, struct span name)
{
	const struct json_doc *s = c->schema;
	const char *between = "";

	complain(c, "has no argument `%.*s`; it takes ",
	    (int)(name.n < 64 ? name.n : 64), name.p);
	for (int k = json_first(s, properties); k != -1;
	     k = json_next(s, properties, k)) {
		text_printf(c->complaint, "%s`%.*s`", between,
		    (int)json_inner(s, k).n, json_inner(s, k).p);
		between = ", ";
	}
	return -1;
}

static int
check_object(struct check *c, int schema, int v, int depth)
{
	const struct json_doc *s = c->schema, *a = c->args;
	int properties = json_get(s, schema, "properties"), k, value;
	int closed = json_bool_or(s,
			 json_get(s, schema, "additionalProperties"), 1) == 0;

	for (k = json_first(a, v); k != -1; k = json_next(a, v, k)) {
		struct span name = json_inner(a, k);
		int property = json_get_span(s, properties, name);

		if (property == -1 && closed)
			return complain_unknown(c, properties, name);
		value = json_value(a, k);
		if (property == -1 || (json_type(a, value) == JSON_NULL &&
					  !is_required(c, schema, name)))
			continue;
		if (check_below(c, property, value, name, -1, depth) == -1)
			return -1;
	}
	for (k = json_first(s, properties); k != -1;
	     k = json_next(s, properties, k)) {
		struct span name = json_inner(s, k);

		if (json_get_span(a, v, name) == -1 &&
		    is_required(c, schema, name))
			return complain(c, "the argument `%.*s` is missing",
			    (int)name.n, name.p);
	}
	return 0;
}

static int
check_value(struct check *c, int schema, int v, int depth)
{
	struct span wanted;
	int items = json_get(c->schema, schema, "items"), at = 0;

	if (depth > DEPTH_MAX)
		return 0;
	if (!type_fits(c, schema, v, &wanted))
		return complain(c, "must be %s %.*s, not %s",
		    wanted.n > 0 && strchr("aeio", wanted.p[0]) ? "an" : "a",
		    (int)wanted.n, wanted.p,
		    json_type_name(json_type(c->args, v)));
	if (check_bounds(c, schema, v) == -1 || check_enum(c, schema, v) == -1)
		return -1;
	if (json_type(c->args, v) == JSON_OBJECT)
		return check_object(c, schema, v, depth);
	if (json_type(c->args, v) != JSON_ARRAY || items == -1)
		return 0;
	for (int e = json_first(c->args, v); e != -1;
	     e = json_next(c->args, v, e))
		if (check_below(c, items, e, span_of(""), at++, depth) == -1)
			return -1;
	return 0;
}

int
args_check(const struct json_doc *schema, const struct json_doc *args,
    struct text *complaint)
{
	struct check c = {
	    .schema = schema, .args = args, .complaint = complaint};

	return check_value(&c, 0, 0, 0);
}
