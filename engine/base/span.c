#include "engine/base/span.h"

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int
span_is_nocase(struct span a, const char *s)
{
	for (size_t i = 0; i < a.n; i++)
		if (s[i] == '\0' || lower(a.p[i]) != lower(s[i]))
			return 0;
	return s[a.n] == '\0';
}

int
span_has_prefix(struct span a, struct span prefix)
{
	return a.n >= prefix.n && span_eq((struct span){a.p, prefix.n}, prefix);
}

int
span_has_suffix(struct span a, struct span suffix)
{
	return a.n >= suffix.n &&
	       span_eq(span_slice(a, a.n - suffix.n, a.n), suffix);
}

size_t
span_find(struct span a, char c, size_t from)
{
	const char *at;

	if (from >= a.n)
		return a.n;
	at = memchr(a.p + from, c, a.n - from);
	return at == NULL ? a.n : (size_t)(at - a.p);
}

size_t
span_search(struct span a, struct span needle, size_t from)
{
	const char *at;

	if (needle.n == 0)
		return from < a.n ? from : a.n;
	if (from >= a.n)
		return a.n;
	at = memmem(a.p + from, a.n - from, needle.p, needle.n);
	return at == NULL ? a.n : (size_t)(at - a.p);
}

static int
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span a)
{
	while (a.n > 0 && is_space(a.p[0]))
		a.p++, a.n--;
	while (a.n > 0 && is_space(a.p[a.n - 1]))
		a.n--;
	return a;
}

struct span
span_cut(struct span *rest, char c)
{
	size_t at = span_find(*rest, c, 0);
	struct span part = span_slice(*rest, 0, at);

	if (at == rest->n)
		*rest = (struct span){NULL, 0};
	else
		*rest = span_slice(*rest, at + 1, rest->n);
	return part;
}

int
span_to_u64(struct span a, unsigned long long max, unsigned long long *out)
{
	unsigned long long value = 0, digit;

	if (a.n == 0)
		return -1;
	for (size_t i = 0; i < a.n; i++) {
		if (a.p[i] < '0' || a.p[i] > '9')
			return -1;
		digit = (unsigned long long)(a.p[i] - '0');
		if (digit > max || value > (max - digit) / 10)
			return -1;
		value = value * 10 + digit;
	}
	*out = value;
	return 0;
}

int
span_compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (order != 0)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}
