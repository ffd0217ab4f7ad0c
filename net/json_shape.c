#include "net/json_shape.h"

#include <string.h>

#include "net/json.h"
#include "net/json_guard_private.h"

_Static_assert(JSON_SHAPE_LEAVES <= 32, "a bit of json_fit for each leaf");
_Static_assert(JSON_SHAPE_BYTES <= UINT16_MAX, "leaves have small offsets");

void
json_shape_init(struct json_shape *s)
{
	text_init(&s->text, JSON_SHAPE_BYTES);
	s->leaves = 0;
}

void
json_shape_release(struct json_shape *s)
{
	text_release(&s->text);
	s->leaves = 0;
}

void
json_shape_forget(struct json_shape *s)
{
	s->leaves = 0;
}

/* --- learning --- */

static int
is_leaf(const struct json_doc *d, int v)
{
	const struct json_token *t = &d->token[v];

	if (t->kind == JSON_KIND_OBJECT || t->kind == JSON_KIND_ARRAY)
		return 0;
	/* What hangs from an object itself is a key; the root is alone. */
	return t->parent != -1 && d->token[t->parent].kind != JSON_KIND_OBJECT;
}

void
json_shape_learn(struct json_shape *s, const struct json_doc *d)
{
	struct span raw;

	s->leaves = 0;
	if (d->text.n > JSON_SHAPE_BYTES)
		return;
	for (int v = 0; v < d->tokens; v++) {
		if (!is_leaf(d, v))
			continue;
		if (s->leaves == JSON_SHAPE_LEAVES) {
			s->leaves = 0;
			return;
		}
		raw = json_raw(d, v);
		s->leaf[s->leaves].from = (uint16_t)(raw.p - d->text.p);
		s->leaf[s->leaves].to =
		    (uint16_t)(raw.p - d->text.p + (ptrdiff_t)raw.n);
		s->leaves++;
	}
	text_clear(&s->text);
	text_add(&s->text, d->text);
	if (text_overflowed(&s->text))
		s->leaves = 0;
}

int
json_shape_leaf(const struct json_shape *s, const struct json_doc *d, int v)
{
	size_t at;

	if (v == -1 || !is_leaf(d, v))
		return -1;
	at = (size_t)(json_raw(d, v).p - d->text.p);
	for (unsigned i = 0; i < s->leaves; i++)
		if (s->leaf[i].from == at)
			return (int)i;
	return -1;
}

/* --- fitting --- */

/* How many bytes a and b have in common, at most n. */
static size_t
in_common(const char *a, const char *b, size_t n)
{
	uint64_t x, y;
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		x = le64toh(x ^ y);
		if (x != 0)
			return i + (size_t)__builtin_ctzll(x) / 8;
	}
	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/* A leaf that is not plain, under the guard: where it ends, or NULL. */
static const char *
guarded_end(struct span s)
{
	struct json_guard g;
	struct feed f = {.g = &g, .p = (const uint8_t *)s.p};
	int r = 0;

	json_guard_init(&g, s.n, 0);
	f.end = f.p + s.n;
	g.state = s.p[0] == '"' ? IN_STRING : IN_NUMBER;
	g.sub = s.p[0] == '-'   ? NUMBER_MINUS
		: s.p[0] == '0' ? NUMBER_ZERO
				: NUMBER_INTEGER;
	f.p++;
	while (r == 0 && f.p < f.end && g.state != AT_END)
		r = guard_step(&f);
	return r == 0 && g.state == AT_END ? (const char *)f.p : NULL;
}

/* Where the leaf at the front of s ends; NULL: there is none. */
static const char *
leaf_end(struct span s)
{
	const uint8_t *p = (const uint8_t *)s.p, *end = p + s.n;

	if (s.n == 0)
		return NULL;
	if (*p == '"') {
		p = guard_skip_plain(p + 1, end);
		while (end - p > 1 && *p == '\\' && guard_is_escape(p[1]))
			p = guard_skip_plain(p + 2, end);
		if (p < end && *p == '"')
			return (const char *)p + 1;
		return guarded_end(s);
	}
	if (*p >= '1' && *p <= '9') {
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p < end && (*p == ',' || *p == '}'))
			return (const char *)p;
	}
	if (*p == '-' || (*p >= '0' && *p <= '9'))
		return guarded_end(s);
	for (int i = 0; i < 3; i++)
		if (span_has_prefix(s, span_of(guard_literals[i])))
			return s.p + strlen(guard_literals[i]);
	return NULL;
}

/* The leaf learnt, in a text that has been equal up to there. */
static struct span
where(const struct json_shape *s, unsigned leaf, const char *text, ptrdiff_t by)
{
	return (struct span){text + s->leaf[leaf].from + by,
	    (size_t)(s->leaf[leaf].to - s->leaf[leaf].from)};
}

int
json_shape_fits(const struct json_shape *s, struct span text, unsigned leaf,
    struct json_fit *fit)
{
	size_t a = 0, b = 0, n;
	unsigned i = 0;
	const char *end;

	*fit = (struct json_fit){.changed = 0};
	while (s->leaves > 0) {
		n = s->text.n - a < text.n - b ? s->text.n - a : text.n - b;
		n = in_common(s->text.p + a, text.p + b, n);
		a += n;
		b += n;
		/* Behind a leaf is still in it: a number may go on. */
		while (i < s->leaves && s->leaf[i].to < a)
			i++;
		if (fit->leaf.p == NULL && i > leaf)
			fit->leaf =
			    where(s, leaf, text.p, (ptrdiff_t)b - (ptrdiff_t)a);
		if (a == s->text.n && b == text.n)
			return 1;
		if (i == s->leaves || s->leaf[i].from > a)
			return 0;
		b -= a - s->leaf[i].from;
		end = leaf_end(span_slice(text, b, text.n));
		if (end == NULL)
			return 0;
		if (i == leaf)
			fit->leaf = (struct span){
			    text.p + b, (size_t)(end - text.p) - b};
		fit->changed |= UINT32_C(1) << i;
		a = s->leaf[i++].to;
		b = (size_t)(end - text.p);
	}
	return 0;
}
