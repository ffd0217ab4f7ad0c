#ifndef SKEP_BASE_SPAN_H
#define SKEP_BASE_SPAN_H

/*
 * A span is a pointer and a length into bytes that somebody else owns.
 * Parsers return spans into their input; copying is visible as
 * arena_span() or arena_strndup().  An empty span may have p == NULL.
 */

#include <stddef.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

/* For string literals and other NUL-terminated text. */
static inline struct span
span_of(const char *s)
{
	return (struct span){s, s == NULL ? 0 : strlen(s)};
}

static inline int
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline int
span_is(struct span a, const char *s)
{
	return span_eq(a, span_of(s));
}

/* ASCII case-insensitively, for HTTP. */
int span_is_nocase(struct span a, const char *s);

int span_has_prefix(struct span a, struct span prefix);
int span_has_suffix(struct span a, struct span suffix);

/* Bytes from..to of a, both clamped to its length. */
static inline struct span
span_slice(struct span a, size_t from, size_t to)
{
	if (to > a.n)
		to = a.n;
	if (from > to)
		from = to;
	if (a.p == NULL)
		return a;
	return (struct span){a.p + from, to - from};
}

/* Index of the first byte c at or after from; a.n when there is none. */
size_t span_find(struct span a, char c, size_t from);

/* Index of the first needle at or after from; a.n when there is none. */
size_t span_search(struct span a, struct span needle, size_t from);

/* Without spaces, tabs, CR and LF at both ends. */
struct span span_trim(struct span a);

/*
 * Cut the part before the first c off *rest and return it; without a c, all
 * of *rest.  *rest is left behind the c, or with p == NULL at the end.
 */
struct span span_cut(struct span *rest, char c);

/* A whole span of decimal digits; -1 unless 0 <= value <= max. */
int span_to_u64(struct span a, unsigned long long max, unsigned long long *out);

/* Order as memcmp, shorter first; for qsort and sorted tables. */
int span_compare(struct span a, struct span b);

#endif
