#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"

int
address_numeric(struct address *a, struct span host, uint16_t port)
{
	char text[INET6_ADDRSTRLEN + 1];

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_slice(host, 1, host.n - 1);
	if (host.n == 0 || host.n >= sizeof text)
		return -1;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, text, &a->u.in.sin_addr) == 1) {
		a->u.in.sin_family = AF_INET;
		a->n = sizeof a->u.in;
	} else if (inet_pton(AF_INET6, text, &a->u.in6.sin6_addr) == 1) {
		a->u.in6.sin6_family = AF_INET6;
		a->n = sizeof a->u.in6;
	} else {
		return -1;
	}
	address_set_port(a, port);
	return 0;
}

int
address_unix(struct address *a, struct span path, struct error *e)
{
	memset(a, 0, sizeof *a);
	if (path.n == 0 || path.n >= sizeof a->u.un.sun_path ||
	    memchr(path.p, '\0', path.n) != NULL)
		return error_set(e, ERROR_SYNTAX, 0,
		    "the path of a socket must have 1 to %zu bytes, not %zu",
		    sizeof a->u.un.sun_path - 1, path.n);
	a->u.un.sun_family = AF_UNIX;
	memcpy(a->u.un.sun_path, path.p, path.n);
	a->n = sizeof a->u.un;
	return 0;
}

/* Split "HOST:PORT" at its last colon. */
static int
split_port(struct span text, struct span *host, uint16_t *port)
{
	unsigned long long value;
	size_t colon = text.n;

	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0 ||
	    span_to_u64(span_slice(text, colon, text.n), 65535, &value) == -1)
		return -1;
	*host = span_slice(text, 0, colon - 1);
	*port = (uint16_t)value;
	return 0;
}

int
address_parse(struct address *a, struct span text, struct error *e)
{
	struct span host;
	uint16_t port;

	if (span_has_prefix(text, span_of("unix:")))
		return address_unix(a, span_slice(text, 5, text.n), e);
	if (split_port(text, &host, &port) == -1)
		goto bad;
	if (span_is(host, "localhost"))
		host = span_of("127.0.0.1");
	if (span_find(host, ':', 0) < host.n && host.p[0] != '[')
		goto bad; /* an IPv6 address needs its brackets here */
	if (address_numeric(a, host, port) == 0)
		return 0;
bad:
	return error_set(e, ERROR_SYNTAX, 0,
	    "\"%.*s\" is not ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH",
	    (int)(text.n < 100 ? text.n : 100), text.n == 0 ? "" : text.p);
}

void
address_set_port(struct address *a, uint16_t port)
{
	if (a->u.sa.sa_family == AF_INET)
		a->u.in.sin_port = htons(port);
	else if (a->u.sa.sa_family == AF_INET6)
		a->u.in6.sin6_port = htons(port);
}

uint16_t
address_port(const struct address *a)
{
	if (a->u.sa.sa_family == AF_INET)
		return ntohs(a->u.in.sin_port);
	if (a->u.sa.sa_family == AF_INET6)
		return ntohs(a->u.in6.sin6_port);
	return 0;
}

int
address_is_loopback(const struct address *a)
{
	const struct in6_addr *in6 = &a->u.in6.sin6_addr;

	switch (a->u.sa.sa_family) {
	case AF_UNIX:
		return 1;
	case AF_INET:
		return ntohl(a->u.in.sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(in6) ||
		       (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
	default:
		return 0;
	}
}

void
address_text(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN] = "?";

	switch (a->u.sa.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a->u.in.sin_addr, ip, sizeof ip);
		snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", ip, address_port(a));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &a->u.in6.sin6_addr, ip, sizeof ip);
		snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", ip, address_port(a));
		break;
	case AF_UNIX:
		snprintf(out, ADDRESS_TEXT_MAX, "unix:%s", a->u.un.sun_path);
		break;
	default:
		snprintf(out, ADDRESS_TEXT_MAX, "no address");
	}
}
