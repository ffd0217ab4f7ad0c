#include "net/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"

static const struct {
	const char *name;
	uint16_t port;
} schemes[] = {
    [URL_HTTP] = {"http://", 80},
    [URL_HTTPS] = {"https://", 443},
    [URL_UNIX] = {"http+unix://", 0},
};

static int
bad(struct span s, struct error *e, const char *what)
{
	return error_set(e, ERROR_SYNTAX, 0, "the URL \"%.*s\": %s",
	    s.n > 200 ? 200 : (int)s.n, s.p, what);
}

static struct span
take(struct span *rest, size_t n)
{
	struct span s = span_slice(*rest, 0, n);

	*rest = span_slice(*rest, n, rest->n);
	return s;
}

static int
is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f || c == '\\')
			return 0;
	}
	return 1;
}

/* An address without brackets; its family or 0. */
static uint8_t
address_family(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, address) == 1)
		return 4;
	return inet_pton(AF_INET6, host, address) == 1 ? 6 : 0;
}

/* "7", "0x7f": what old resolvers read as a part of an address. */
static int
is_numeric(const char *label)
{
	if (label[0] == '0' && label[1] == 'x')
		return strspn(label + 2, "0123456789abcdef") ==
		       strlen(label + 2);
	return strspn(label, "0123456789") == strlen(label);
}

/* Letters, digits, "-", "_" and "."; the last label is not a number. */
static int
is_name(const char *host)
{
	const char *last = strrchr(host, '.');

	if (is_numeric(last == NULL ? host : last + 1))
		return 0;
	return host[0] != '.' && strstr(host, "..") == NULL &&
	       strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") ==
		   strlen(host);
}

static int
parse_host(struct url *u, struct span s, struct span host, int bracketed,
    struct arena *a, struct error *e)
{
	char *copy;

	if (host.n == 0)
		return bad(s, e, "it has no host");
	if (host.n > URL_HOST_MAX)
		return bad(s, e, "its host is too long");
	copy = arena_strndup(a, host.p, host.n);
	if (copy == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for a URL");
	for (char *c = copy; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	u->is_ip = address_family(copy);
	if (bracketed != (u->is_ip == 6))
		return bad(s, e, "IPv6 addresses, and only they, stand in []");
	if (u->is_ip == 0 && !is_name(copy))
		return bad(s, e, "its host is not a name or an address");
	u->host = span_of(copy);
	return 0;
}

static int
parse_port(struct url *u, struct span s, struct span port, struct error *e)
{
	unsigned long long n;

	if (span_to_u64(port, 65535, &n) == -1 || n == 0)
		return bad(s, e, "its port is not a number from 1 to 65535");
	u->port = (uint16_t)n;
	u->port_given = n != schemes[u->scheme].port;
	return 0;
}

static int
parse_authority(struct url *u, struct span s, struct span at, struct arena *a,
    struct error *e)
{
	struct span host;
	int bracketed = at.n > 0 && at.p[0] == '[';

	if (span_find(at, '@', 0) < at.n)
		return bad(span_of("..."), e,
		    "it holds a user name; credentials belong elsewhere");
	if (bracketed) {
		take(&at, 1);
		host = take(&at, span_find(at, ']', 0));
		if (at.n == 0)
			return bad(s, e, "its [ is not closed");
		take(&at, 1);
	} else {
		host = take(&at, span_find(at, ':', 0));
	}
	u->port = schemes[u->scheme].port;
	if (at.n > 0 && at.p[0] != ':')
		return bad(s, e, "something stands behind its host");
	if (at.n > 1 && parse_port(u, s, span_slice(at, 1, at.n), e) == -1)
		return -1;
	return parse_host(u, s, host, bracketed, a, e);
}

/* http+unix: the host is the encoded path of a socket. */
static int
parse_socket(struct url *u, struct span s, struct span host, struct arena *a,
    struct error *e)
{
	struct text path;
	int r;

	text_init(&path, LIMIT_URL);
	r = url_decode(host, &path);
	if (r == -1 || path.n == 0 || path.p[0] != '/' ||
	    memchr(path.p, '\0', path.n) != NULL) {
		text_release(&path);
		return bad(
		    s, e, "its host is not the encoded path of a socket");
	}
	u->host = arena_span(a, text_span(&path));
	text_release(&path);
	if (u->host.p == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for a URL");
	return 0;
}

static int
parse_target(
    struct url *u, struct span target, struct arena *a, struct error *e)
{
	struct span slash = span_of("/");
	char *copy;
	size_t lead = target.n == 0 || target.p[0] != '/';

	target = span_slice(target, 0, span_find(target, '#', 0));
	copy = arena_alloc(a, target.n + lead + 1);
	if (copy == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for a URL");
	memcpy(copy, slash.p, lead);
	if (target.n > 0)
		memcpy(copy + lead, target.p, target.n);
	u->target = (struct span){copy, target.n + lead};
	return 0;
}

/* The scheme's index when s begins with it. */
static int
parse_scheme(struct span *rest)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		size_t n = strlen(schemes[i].name);

		if (span_is_nocase(span_slice(*rest, 0, n), schemes[i].name)) {
			take(rest, n);
			return (int)i;
		}
	}
	return -1;
}

int
url_parse(struct url *u, struct span s, struct arena *a, struct error *e)
{
	struct span rest = s, authority;
	int scheme = parse_scheme(&rest);
	size_t n = 0;

	*u = (struct url){.scheme = URL_HTTP};
	if (s.n > LIMIT_URL)
		return error_set(e, ERROR_SYNTAX, 0, "a URL that is too long");
	if (scheme == -1)
		return bad(s, e, "it must begin with http:// or https://");
	if (!is_plain(s))
		return error_set(e, ERROR_SYNTAX, 0,
		    "a URL with spaces, backslashes or characters that must "
		    "be percent-encoded");
	u->scheme = (enum url_scheme)scheme;
	while (n < rest.n && strchr("/?#", rest.p[n]) == NULL)
		n++;
	authority = take(&rest, n);
	if (u->scheme == URL_UNIX
		? parse_socket(u, s, authority, a, e) == -1
		: parse_authority(u, s, authority, a, e) == -1)
		return -1;
	return parse_target(u, rest, a, e);
}

int
url_same_origin(const struct url *a, const struct url *b)
{
	return a->scheme == b->scheme && a->port == b->port &&
	       span_eq(a->host, b->host);
}

int
url_is_loopback(const struct url *u)
{
	if (u->scheme == URL_UNIX)
		return 1;
	if (u->is_ip == 4)
		return span_has_prefix(u->host, span_of("127."));
	if (u->is_ip == 6)
		return span_is(u->host, "::1");
	return span_is(u->host, "localhost") ||
	       span_has_suffix(u->host, span_of(".localhost"));
}

void
url_add_host(const struct url *u, struct text *t)
{
	if (u->scheme == URL_UNIX) {
		text_add_str(t, "localhost");
		return;
	}
	if (u->is_ip == 6)
		text_add_char(t, '[');
	text_add(t, u->host);
	if (u->is_ip == 6)
		text_add_char(t, ']');
	if (u->port_given)
		text_printf(t, ":%u", u->port);
}

void
url_add(const struct url *u, struct text *t)
{
	text_add_str(t, schemes[u->scheme].name);
	if (u->scheme == URL_UNIX)
		url_encode(u->host, 0, t);
	else
		url_add_host(u, t);
	text_add(t, u->target);
}

void
url_encode(struct span s, int keep_slash, struct text *t)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i], letter = c | 0x20;

		if ((letter >= 'a' && letter <= 'z') ||
		    (c >= '0' && c <= '9') || (keep_slash && c == '/') ||
		    (c != '\0' && strchr("-._~", c) != NULL))
			text_add_char(t, (char)c);
		else
			text_printf(t, "%%%02X", c);
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
url_decode(struct span s, struct text *t)
{
	int high, low;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			text_add_char(t, s.p[i]);
			continue;
		}
		if (s.n - i < 3)
			return -1;
		high = hex_digit(s.p[i + 1]);
		low = hex_digit(s.p[i + 2]);
		if (high == -1 || low == -1)
			return -1;
		text_add_char(t, (char)(high << 4 | low));
		i += 2;
	}
	return text_overflowed(t) ? -1 : 0;
}
