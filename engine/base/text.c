#include "engine/base/text.h"

#include <stdint.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"

void
text_init(struct text *t, size_t bytes_max)
{
	*t = (struct text){.bytes_max = bytes_max};
}

void
text_release(struct text *t)
{
	pool_give(t->p);
	text_init(t, t->bytes_max);
}

/* Make room for n more bytes and the NUL; -1 on overflow, which sticks. */
static int
grow(struct text *t, size_t n)
{
	size_t size;
	char *p;

	if (t->overflowed)
		return -1;
	if (n > t->bytes_max - t->n || n >= SIZE_MAX - t->n) {
		t->overflowed = 1;
		return -1;
	}
	if (t->p != NULL && t->n + n < t->size)
		return 0;
	p = pool_take(t->n + n + 1, &size);
	if (p == NULL) {
		t->overflowed = 1;
		return -1;
	}
	if (t->n > 0)
		memcpy(p, t->p, t->n);
	p[t->n] = '\0';
	pool_give(t->p);
	t->p = p;
	t->size = size;
	return 0;
}

/*
 * The bytes of s may lie in t itself; growing would free them under us, so
 * they are found again by their offset.
 */
void
text_add(struct text *t, struct span s)
{
	size_t at = 0;
	int inside = t->p != NULL && s.p >= t->p && s.p < t->p + t->size;

	if (s.n == 0)
		return;
	if (inside)
		at = (size_t)(s.p - t->p);
	if (grow(t, s.n) == -1)
		return;
	memmove(t->p + t->n, inside ? t->p + at : s.p, s.n);
	t->n += s.n;
	t->p[t->n] = '\0';
}

void
text_add_char(struct text *t, char c)
{
	if (grow(t, 1) == -1)
		return;
	t->p[t->n++] = c;
	t->p[t->n] = '\0';
}

void
text_add_str(struct text *t, const char *s)
{
	text_add(t, span_of(s));
}

void
text_vprintf(struct text *t, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	if (t->overflowed)
		return;
	va_copy(again, ap);
	n = vsnprintf(
	    t->p == NULL ? NULL : t->p + t->n, t->size - t->n, fmt, ap);
	if (n >= 0 && (t->p == NULL || (size_t)n >= t->size - t->n ||
			  (size_t)n > t->bytes_max - t->n)) {
		if (t->p != NULL)
			t->p[t->n] = '\0';
		if (grow(t, (size_t)n) == 0)
			n = vsnprintf(t->p + t->n, t->size - t->n, fmt, again);
		else
			n = 0;
	}
	va_end(again);
	CHECK(n >= 0);
	t->n += (size_t)n;
}

void
text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vprintf(t, fmt, ap);
	va_end(ap);
}

char *
text_room(struct text *t, size_t n, size_t *room)
{
	size_t left = t->bytes_max - t->n;

	if (grow(t, n) == -1)
		return NULL;
	if (room != NULL) {
		*room = t->size - t->n - 1;
		if (*room > left)
			*room = left;
	}
	return t->p + t->n;
}

void
text_added(struct text *t, size_t n)
{
	if (n == 0)
		return;
	CHECK(t->p != NULL);
	CHECK(n < t->size - t->n);
	t->n += n;
	t->p[t->n] = '\0';
}

void
text_drop(struct text *t, size_t n)
{
	CHECK(n <= t->n);
	if (n == 0)
		return;
	memmove(t->p, t->p + n, t->n - n + 1);
	t->n -= n;
}

void
text_cut(struct text *t, size_t n)
{
	CHECK(n <= t->n);
	if (n == t->n)
		return;
	t->n = n;
	t->p[n] = '\0';
}
