#include "net/tls_name.h"

#include <strings.h>

#include "net/address.h"

static int
same(struct span a, struct span b)
{
	return a.n == b.n && a.n > 0 && strncasecmp(a.p, b.p, a.n) == 0;
}

static struct span
without_final_dot(struct span s)
{
	return s.n > 0 && s.p[s.n - 1] == '.' ? span_slice(s, 0, s.n - 1) : s;
}

int
tls_name_matches(struct span pattern, struct span host)
{
	struct span rest;
	size_t dot;

	host = without_final_dot(host);
	if (pattern.n == 0 || memchr(pattern.p, '\0', pattern.n) != NULL)
		return 0;
	if (span_find(pattern, '*', 0) == pattern.n)
		return same(pattern, host);
	if (!span_has_prefix(pattern, span_of("*.")) ||
	    span_find(pattern, '*', 1) < pattern.n)
		return 0;
	rest = span_slice(pattern, 2, pattern.n);
	if (span_find(rest, '.', 0) >= rest.n)
		return 0;
	dot = span_find(host, '.', 0);
	return dot > 0 && dot < host.n &&
	       same(rest, span_slice(host, dot + 1, host.n));
}

int
tls_name_is_numeric(struct span host)
{
	struct address a;

	return address_numeric(&a, host, 0) == 0;
}

int
tls_name_is_address(struct span bytes, struct span host)
{
	struct address a;
	struct span want;

	if (address_numeric(&a, host, 0) == -1)
		return 0;
	if (a.u.sa.sa_family == AF_INET)
		want = (struct span){(const char *)&a.u.in.sin_addr, 4};
	else
		want = (struct span){(const char *)&a.u.in6.sin6_addr, 16};
	return span_eq(bytes, want);
}
