#include "net/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"

static const struct json_token *
token(const struct json_doc *d, int v)
{
	return v >= 0 && v < d->tokens ? &d->token[v] : NULL;
}

enum json_type
json_type(const struct json_doc *d, int v)
{
	const struct json_token *t = token(d, v);

	return t == NULL ? JSON_NONE : (enum json_type)t->type;
}

const char *
json_type_name(enum json_type type)
{
	static const char *const names[] = {"nothing", "null", "false", "true",
	    "a number", "a string", "an array", "an object"};

	return names[type];
}

int
json_first(const struct json_doc *d, int container)
{
	const struct json_token *t = token(d, container);

	if (t == NULL || t->type < JSON_ARRAY || t->size == 0)
		return -1;
	return container + 1;
}

int
json_next(const struct json_doc *d, int container, int at)
{
	int next, end = d->token[container].next;

	if (d->token[container].type == JSON_OBJECT)
		next = d->token[at + 1].next;
	else
		next = d->token[at].next;
	return next < end ? next : -1;
}

int
json_value(const struct json_doc *d, int key)
{
	return key + 1 < d->tokens && key >= 0 ? key + 1 : -1;
}

int
json_get_span(const struct json_doc *d, int object, struct span key)
{
	int found = -1, k;

	if (json_type(d, object) != JSON_OBJECT)
		return -1;
	for (k = json_first(d, object); k != -1; k = json_next(d, object, k))
		if (json_is_span(d, k, key))
			found = k + 1;
	return found;
}

int
json_get(const struct json_doc *d, int object, const char *key)
{
	return json_get_span(d, object, span_of(key));
}

int
json_at(const struct json_doc *d, int array, int i)
{
	int v;

	if (json_type(d, array) != JSON_ARRAY || i < 0)
		return -1;
	for (v = json_first(d, array); v != -1 && i > 0; i--)
		v = json_next(d, array, v);
	return v;
}

int
json_size(const struct json_doc *d, int v)
{
	const struct json_token *t = token(d, v);

	return t != NULL && t->type >= JSON_ARRAY ? t->size : 0;
}

struct span
json_inner(const struct json_doc *d, int v)
{
	const struct json_token *t = token(d, v);

	if (t == NULL)
		return (struct span){NULL, 0};
	return (struct span){d->text.p + t->start, (size_t)(t->end - t->start)};
}

struct span
json_raw(const struct json_doc *d, int v)
{
	struct span s = json_inner(d, v);

	if (json_type(d, v) == JSON_STRING) {
		s.p--;
		s.n += 2;
	}
	return s;
}

int
json_int(
    const struct json_doc *d, int v, int64_t min, int64_t max, int64_t *out)
{
	struct span s = json_inner(d, v);
	int64_t value = 0;
	int minus = s.n > 0 && s.p[0] == '-';

	if (json_type(d, v) != JSON_NUMBER)
		return -1;
	for (size_t i = (size_t)minus; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, s.p[i] - '0', &value))
			return -1;
	}
	if (!minus && __builtin_sub_overflow((int64_t)0, value, &value))
		return -1;
	if (value < min || value > max)
		return -1;
	*out = value;
	return 0;
}

int64_t
json_int_or(const struct json_doc *d, int v, int64_t instead)
{
	int64_t value;

	if (json_int(d, v, INT64_MIN, INT64_MAX, &value) == -1)
		return instead;
	return value;
}

int
json_real(const struct json_doc *d, int v, double *out)
{
	struct span s = json_inner(d, v);
	char digits[512];
	double value;

	if (json_type(d, v) != JSON_NUMBER || s.n >= sizeof(digits))
		return -1;
	memcpy(digits, s.p, s.n);
	digits[s.n] = '\0';
	value = strtod(digits, NULL);
	if (!isfinite(value))
		return -1;
	*out = value;
	return 0;
}

int
json_bool_or(const struct json_doc *d, int v, int instead)
{
	switch (json_type(d, v)) {
	case JSON_TRUE:
		return 1;
	case JSON_FALSE:
		return 0;
	default:
		return instead;
	}
}
