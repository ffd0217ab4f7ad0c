#ifndef SKEP_BASE_TEXT_H
#define SKEP_BASE_TEXT_H

/*
 * A text is a contiguous run of bytes that grows up to a ceiling given at
 * birth, in pool blocks.  Crossing the ceiling, or an exhausted pool, is
 * sticky: later appends do nothing and text_overflowed() is true until
 * text_clear().  Build the whole thing, then test once.
 *
 * Invariant: p[n] == '\0' whenever p != NULL.
 */

#include <stdarg.h>
#include <stddef.h>

#include "engine/base/span.h"

struct text {
	char *p;
	size_t n;
	size_t size; /* of the block at p */
	size_t bytes_max;
	int overflowed;
};

/* Empty; allocates nothing.  bytes_max is without the final NUL. */
void text_init(struct text *t, size_t bytes_max);

/* Give the block back; as after text_init() with the same ceiling. */
void text_release(struct text *t);

/* n = 0, overflow forgotten, the block kept. */
static inline void
text_clear(struct text *t)
{
	t->n = 0;
	t->overflowed = 0;
	if (t->p != NULL)
		t->p[0] = '\0';
}

void text_add(struct text *t, struct span s);
void text_add_char(struct text *t, char c);
void text_add_str(struct text *t, const char *s);
void text_printf(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *t, const char *fmt, va_list ap);

/*
 * Room for at least n more bytes behind p[n], for read(2) into it; then
 * text_added() says how many came.  NULL on overflow.
 */
char *text_room(struct text *t, size_t n, size_t *room);
void text_added(struct text *t, size_t n);

/* Drop the first n bytes; moves the rest down. */
void text_drop(struct text *t, size_t n);

/* Keep only the first n bytes; n <= t->n. */
void text_cut(struct text *t, size_t n);

static inline struct span
text_span(const struct text *t)
{
	return (struct span){t->p, t->n};
}

static inline int
text_overflowed(const struct text *t)
{
	return t->overflowed;
}

#endif
