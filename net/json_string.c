#include "net/json.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/text.h"
#include "net/utf8.h"

static unsigned
hex4(const char *p)
{
	unsigned unit = 0;

	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)p[i];

		unit = unit << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return unit;
}

/* Read \uXXXX at s.p[*at], and its other half if it follows. */
static uint32_t
unicode_escape(struct span s, size_t *at)
{
	unsigned unit = hex4(s.p + *at + 2), low;

	*at += 6;
	if ((unit & 0xfc00) != 0xd800)
		return unit;
	if (s.n - *at < 6 || s.p[*at] != '\\' || s.p[*at + 1] != 'u')
		return UTF8_BAD;
	low = hex4(s.p + *at + 2);
	if ((low & 0xfc00) != 0xdc00)
		return UTF8_BAD;
	*at += 6;
	return 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
}

static char
short_escape(char c)
{
	switch (c) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return c;
	}
}

/*
 * The next piece of a string's inside from *at: a run without escapes, or
 * one escape resolved into buffer.
 */
static struct span
piece(struct span s, size_t *at, char buffer[4])
{
	const char *from = s.p + *at, *stop;
	size_t n = 1;

	if (*from != '\\') {
		stop = memchr(from, '\\', s.n - *at);
		n = stop == NULL ? s.n - *at : (size_t)(stop - from);
		*at += n;
		return (struct span){from, n};
	}
	CHECK(s.n - *at >= 2);
	if (from[1] == 'u') {
		CHECK(s.n - *at >= 6);
		n = utf8_encode(unicode_escape(s, at), buffer);
	} else {
		buffer[0] = short_escape(from[1]);
		*at += 2;
	}
	return (struct span){buffer, n};
}

static int
has_escape(struct span inner)
{
	return inner.n > 0 && memchr(inner.p, '\\', inner.n) != NULL;
}

void
json_unescape(struct span inner, struct text *t)
{
	char buffer[4];

	for (size_t at = 0; at < inner.n;)
		text_add(t, piece(inner, &at, buffer));
}

void
json_string_add(const struct json_doc *d, int v, struct text *t)
{
	if (json_type(d, v) == JSON_STRING)
		json_unescape(json_inner(d, v), t);
}

int
json_is_span(const struct json_doc *d, int v, struct span s)
{
	struct span inner = json_inner(d, v), part;
	char buffer[4];
	size_t done = 0;

	if (json_type(d, v) != JSON_STRING)
		return 0;
	if (inner.n == s.n && !has_escape(inner))
		return span_eq(inner, s);
	if (inner.n <= s.n)
		return 0;
	for (size_t at = 0; at < inner.n; done += part.n) {
		part = piece(inner, &at, buffer);
		if (part.n > s.n - done ||
		    memcmp(part.p, s.p + done, part.n) != 0)
			return 0;
	}
	return done == s.n;
}

int
json_is(const struct json_doc *d, int v, const char *s)
{
	return json_is_span(d, v, span_of(s));
}

int
json_string(const struct json_doc *d, int v, struct arena *a, struct span *out)
{
	struct span inner = json_inner(d, v), part;
	char buffer[4], *copy;
	size_t n = 0;

	if (json_type(d, v) != JSON_STRING)
		return -1;
	if (!has_escape(inner)) {
		*out = inner;
		return 0;
	}
	copy = arena_alloc(a, inner.n);
	if (copy == NULL)
		return -1;
	for (size_t at = 0; at < inner.n; n += part.n) {
		part = piece(inner, &at, buffer);
		memcpy(copy + n, part.p, part.n);
	}
	*out = (struct span){copy, n};
	return 0;
}
