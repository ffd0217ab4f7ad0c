#include "net/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"

void
json_place_of(struct span text, size_t offset, struct json_place *at)
{
	*at = (struct json_place){offset, 1, 1};
	if (offset > text.n)
		at->offset = offset = text.n;
	for (size_t i = 0; i < offset; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '\n') {
			at->line++;
			at->column = 1;
		} else if ((c & 0xc0) != 0x80) {
			at->column++;
		}
	}
}

void
json_place(const struct json_doc *d, int v, struct json_place *at)
{
	struct span raw = json_raw(d, v);

	json_place_of(
	    d->text, raw.p == NULL ? 0 : (size_t)(raw.p - d->text.p), at);
}

/* The child of container that v is or lies in; its number in *nth. */
static int
child_with(const struct json_doc *d, int container, int v, int *nth)
{
	int at = json_first(d, container), next;

	for (*nth = 0; at != -1; at = next, ++*nth) {
		next = json_next(d, container, at);
		if (next == -1 || v < next)
			return at;
	}
	return -1;
}

void
json_path(const struct json_doc *d, int v, char *out, size_t size)
{
	size_t n = 0;
	int at = 0, child, nth;
	struct span key;

	out[0] = '\0';
	while (at != -1 && at < v && n < size) {
		child = child_with(d, at, v, &nth);
		if (child == -1)
			return;
		if (json_type(d, at) == JSON_OBJECT) {
			key = json_inner(d, child);
			n += (size_t)snprintf(out + n, size - n, "%s%.*s",
			    n > 0 ? "." : "", key.n > 64 ? 64 : (int)key.n,
			    key.p);
			at = v == child ? v : child + 1;
		} else {
			n += (size_t)snprintf(out + n, size - n, "[%d]", nth);
			at = child;
		}
	}
}

int
json_fail(struct json_doc *d, int v, struct error *e, const char *fmt, ...)
{
	char path[160], text[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_place(d, v, &d->fault);
	json_path(d, v, path, sizeof(path));
	if (path[0] == '\0')
		return error_set(e, ERROR_SYNTAX, 0, "%s", text);
	return error_set(e, ERROR_SYNTAX, 0, "%s: %s", path, text);
}

int
json_fail_in(const struct json_doc *d, const char *file, struct error *e)
{
	return error_wrap(e, "%s:%u:%u", file, d->fault.line, d->fault.column);
}

int
json_want(struct json_doc *d, int object, const char *key, enum json_type type,
    int *out, struct error *e)
{
	int v = json_get(d, object, key);

	if (v == -1)
		return json_fail(d, object, e, "\"%s\" is missing", key);
	if (json_type(d, v) != type)
		return json_fail(d, v, e, "expected %s, found %s",
		    json_type_name(type), json_type_name(json_type(d, v)));
	*out = v;
	return 0;
}

int
json_want_string(struct json_doc *d, int object, const char *key,
    struct arena *a, struct span *out, struct error *e)
{
	int v;

	if (json_want(d, object, key, JSON_STRING, &v, e) == -1)
		return -1;
	if (json_string(d, v, a, out) == -1) {
		json_fail(d, v, e, "no memory for this string");
		e->code = ERROR_FULL;
		return -1;
	}
	return 0;
}

int
json_want_int(struct json_doc *d, int object, const char *key, int64_t min,
    int64_t max, int64_t *out, struct error *e)
{
	int v;

	if (json_want(d, object, key, JSON_NUMBER, &v, e) == -1)
		return -1;
	if (json_int(d, v, min, max, out) == -1)
		return json_fail(d, v, e,
		    "expected a whole number from %lld to %lld", (long long)min,
		    (long long)max);
	return 0;
}

int
json_want_real(struct json_doc *d, int object, const char *key, double min,
    double max, double *out, struct error *e)
{
	int v;

	if (json_want(d, object, key, JSON_NUMBER, &v, e) == -1)
		return -1;
	if (json_real(d, v, out) == -1 || *out < min || *out > max)
		return json_fail(
		    d, v, e, "expected a number from %g to %g", min, max);
	return 0;
}

int
json_want_bool(
    struct json_doc *d, int object, const char *key, int *out, struct error *e)
{
	int v = json_get(d, object, key);

	if (v == -1)
		return json_fail(d, object, e, "\"%s\" is missing", key);
	*out = json_bool_or(d, v, -1);
	if (*out == -1)
		return json_fail(d, v, e, "expected true or false, found %s",
		    json_type_name(json_type(d, v)));
	return 0;
}
