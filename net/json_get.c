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

static int
is_container(const struct json_token *t)
{
	return t->kind == JSON_KIND_OBJECT || t->kind == JSON_KIND_ARRAY;
}

enum json_type
json_type(const struct json_doc *d, int v)
{
	const struct json_token *t = token(d, v);

	if (t == NULL)
		return JSON_NONE;
	switch (t->kind) {
	case JSON_KIND_OBJECT:
		return JSON_OBJECT;
	case JSON_KIND_ARRAY:
		return JSON_ARRAY;
	case JSON_KIND_STRING:
		return JSON_STRING;
	default:
		break;
	}
	switch (d->text.p[t->start]) {
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

const char *
json_type_name(enum json_type type)
{
	static const char *const names[] = {"nothing", "null", "false", "true",
	    "a number", "a string", "an array", "an object"};

	return names[type];
}

/*
 * The first token behind value v.  Tokens lie in the order of their starts,
 * so behind a container it is found by doubling steps, then by halves; a
 * container of scalars needs one look.
 */
static int
behind(const struct json_doc *d, int v)
{
	const struct json_token *t = &d->token[v];
	int low, high, step = 1, mid;

	if (!is_container(t))
		return v + 1;
	low = v + 1 + t->size * (t->kind == JSON_KIND_OBJECT ? 2 : 1);
	for (high = low; high < d->tokens && d->token[high].start < t->end;
	     step *= 2) {
		low = high + 1;
		high = step < d->tokens - high ? high + step : d->tokens;
	}
	while (low < high) {
		mid = low + (high - low) / 2;
		if (d->token[mid].start < t->end)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int
json_first(const struct json_doc *d, int container)
{
	const struct json_token *t = token(d, container);

	if (t == NULL || !is_container(t) || t->size == 0)
		return -1;
	return container + 1;
}

int
json_next(const struct json_doc *d, int container, int at)
{
	const struct json_token *t = &d->token[container];
	int next = behind(d, at + (t->kind == JSON_KIND_OBJECT));

	return next < d->tokens && d->token[next].start < t->end ? next : -1;
}

int
json_value(const struct json_doc *d, int key)
{
	return key + 1 < d->tokens && key >= 0 ? key + 1 : -1;
}

/* The same letters: all that is to compare where no key has an escape. */
static int
reads(const struct json_doc *d, const struct json_token *t, struct span s)
{
	return span_eq(
	    (struct span){d->text.p + t->start, (size_t)(t->end - t->start)},
	    s);
}

int
json_get_span(const struct json_doc *d, int object, struct span key)
{
	const struct json_token *t = token(d, object);
	int found = -1, k = object + 1;

	if (t == NULL || t->kind != JSON_KIND_OBJECT)
		return -1;
	for (int i = t->size; i > 0; i--, k = behind(d, k + 1))
		if (d->plain_keys ? reads(d, &d->token[k], key)
				  : json_is_span(d, k, key))
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

	return t != NULL && is_container(t) ? t->size : 0;
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
