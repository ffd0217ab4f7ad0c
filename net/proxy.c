#include "net/proxy.h"

#include <strings.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "engine/base/secret.h"
#include "engine/base/text.h"
#include "net/address.h"
#include "net/base64.h"
#include "net/http1.h"
#include "net/stream.h"
#include "net/url.h"

#define PROXY_MAGIC 0x9205e701u

/* --- which --- */

static int
add_authorization(
    struct proxy *p, struct span user, struct arena *a, struct error *e)
{
	struct text plain, encoded;
	int r = -1;

	text_init(&plain, 4096);
	text_init(&encoded, 8192);
	text_add_str(&encoded, "Basic ");
	if (url_decode(user, &plain) == 0) {
		base64_encode(text_span(&plain), &encoded);
		p->authorization = arena_span(a, text_span(&encoded));
		if (p->authorization.p != NULL && !text_overflowed(&encoded))
			r = 0;
	}
	if (plain.p != NULL)
		wipe(plain.p, plain.n);
	if (encoded.p != NULL)
		wipe(encoded.p, encoded.n);
	text_release(&plain);
	text_release(&encoded);
	if (r == -1)
		error_set(e, ERROR_CONFIG, 0,
		    "the proxy's user name and password cannot be read");
	return r;
}

int
proxy_parse(struct proxy *p, struct span text, struct arena *a, struct error *e)
{
	struct span http = span_of("http://"), rest = text, user;
	struct text clean;
	struct error hidden;
	struct url u;
	size_t at;
	int r;

	memset(p, 0, sizeof *p);
	if (span_has_prefix(rest, http))
		rest = span_slice(rest, http.n, rest.n);
	else if (span_search(rest, span_of("://"), 0) < rest.n)
		goto bad; /* TLS to the proxy itself, SOCKS */
	at = span_find(rest, '@', 0);
	if (at < rest.n) {
		user = span_slice(rest, 0, at);
		rest = span_slice(rest, at + 1, rest.n);
		if (add_authorization(p, user, a, e) == -1)
			return -1;
	}
	text_init(&clean, 4096);
	text_add(&clean, http);
	text_add(&clean, rest);
	r = url_parse(&u, text_span(&clean), a, &hidden);
	text_release(&clean);
	if (r == -1)
		goto bad;
	p->host = u.host;
	p->port = u.port_given ? u.port : 3128;
	return 0;
bad:
	return error_set(
	    e, ERROR_CONFIG, 0, "the proxy must be given as http://HOST:PORT");
}

static int
is_in_network(const struct address *a, struct span network)
{
	size_t slash = span_find(network, '/', 0), bytes;
	const unsigned char *p, *q;
	unsigned long long bits;
	struct address n;

	if (address_numeric(&n, span_slice(network, 0, slash), 0) == -1 ||
	    n.u.sa.sa_family != a->u.sa.sa_family)
		return 0;
	if (a->u.sa.sa_family == AF_INET) {
		p = (const unsigned char *)&a->u.in.sin_addr;
		q = (const unsigned char *)&n.u.in.sin_addr;
		bytes = 4;
	} else {
		p = (const unsigned char *)&a->u.in6.sin6_addr;
		q = (const unsigned char *)&n.u.in6.sin6_addr;
		bytes = 16;
	}
	bits = 8 * bytes;
	if (slash < network.n &&
	    span_to_u64(
		span_slice(network, slash + 1, network.n), bits, &bits) == -1)
		return 0;
	if (memcmp(p, q, bits / 8) != 0)
		return 0;
	return bits % 8 == 0 ||
	       ((p[bits / 8] ^ q[bits / 8]) >> (8 - bits % 8)) == 0;
}

static int
is_at_or_below(struct span host, struct span domain)
{
	struct span tail;

	if (domain.n > 0 && domain.p[0] == '.')
		domain = span_slice(domain, 1, domain.n);
	if (domain.n == 0 || host.n < domain.n)
		return 0;
	tail = span_slice(host, host.n - domain.n, host.n);
	if (strncasecmp(tail.p, domain.p, domain.n) != 0)
		return 0;
	return host.n == domain.n || host.p[host.n - domain.n - 1] == '.';
}

static int
entry_holds(const struct url *u, struct span entry)
{
	size_t colon = span_find(entry, ':', 0);
	unsigned long long port;
	struct address a;

	if (span_is(entry, "*"))
		return 1;
	/* One colon is a port's; more are an address's. */
	if (colon < entry.n && span_find(entry, ':', colon + 1) == entry.n) {
		if (span_to_u64(span_slice(entry, colon + 1, entry.n), 65535,
			&port) == -1 ||
		    port != u->port)
			return 0;
		entry = span_slice(entry, 0, colon);
	}
	if (address_numeric(&a, u->host, 0) == 0)
		return is_in_network(&a, entry);
	return is_at_or_below(u->host, entry);
}

int
proxy_is_excepted(const struct url *u, struct span no_proxy)
{
	while (no_proxy.p != NULL)
		if (entry_holds(u, span_trim(span_cut(&no_proxy, ','))))
			return 1;
	return 0;
}

/* --- the tunnel --- */

struct proxy_op {
	unsigned magic;
	struct stream *stream;
	const struct proxy *proxy;
	struct text out, in;
	struct http1_scan scan;
	struct http_head head;
	proxy_done_fn *done;
	void *owner;
};

void
proxy_cancel(struct proxy_op *op)
{
	if (op == NULL)
		return;
	CHECK_OBJ(op, PROXY_MAGIC);
	stream_close(op->stream);
	if (op->out.p != NULL)
		wipe(op->out.p, op->out.n);
	text_release(&op->out);
	text_release(&op->in);
	op->magic = 0;
	pool_give(op);
}

static void
finish(struct proxy_op *op, const struct error *e)
{
	proxy_done_fn *done = op->done;
	void *owner = op->owner;
	struct error mine;
	int fd = -1;

	if (e == NULL) {
		fd = stream_detach(op->stream);
		op->stream = NULL;
	} else {
		mine = *e;
		error_wrap(&mine, "the proxy %.*s:%u", (int)op->proxy->host.n,
		    op->proxy->host.p, (unsigned)op->proxy->port);
		mine.code = ERROR_CONNECT;
	}
	proxy_cancel(op);
	done(owner, fd, e == NULL ? NULL : &mine);
}

static void
answered(struct proxy_op *op)
{
	size_t head_bytes;
	struct error e;

	switch (http1_scan(&op->scan, text_span(&op->in), &head_bytes, &e)) {
	case HTTP1_MORE:
		return;
	case HTTP1_BAD:
		finish(op, &e);
		return;
	case HTTP1_DONE:
		break;
	}
	if (http1_parse_response(&op->head,
		span_slice(text_span(&op->in), 0, head_bytes),
		span_of("CONNECT"), &e) == -1) {
		finish(op, &e);
	} else if (op->head.status < 200 || op->head.status > 299) {
		error_set(&e, ERROR_CONNECT, 0, "status %d", op->head.status);
		finish(op, &e);
	} else if (op->in.n > head_bytes) {
		/* Our side speaks first in TLS: these bytes are nobody's. */
		error_set(&e, ERROR_PROTOCOL, 0, "bytes behind its answer");
		finish(op, &e);
	} else {
		finish(op, NULL);
	}
}

static void
ready(struct stream *s, int what)
{
	struct proxy_op *op = s->owner;
	struct error e;
	size_t n, room;
	char *p;

	CHECK_OBJ(op, PROXY_MAGIC);
	if ((what & LOOP_WRITE) && op->out.n > 0) {
		switch (stream_write(s, text_span(&op->out), &n)) {
		case IO_DONE:
			text_drop(&op->out, n);
			break;
		case IO_WAIT:
			break;
		case IO_END:
		case IO_FAILED:
			finish(op, &s->error);
			return;
		}
	}
	stream_want(s, op->out.n > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	if (!(what & LOOP_READ))
		return;
	/* Byte by byte would be exact; a head at a time is enough. */
	p = text_room(&op->in, 512, &room);
	if (p == NULL) {
		error_set(&e, ERROR_TOO_BIG, 0, "its answer is too long");
		finish(op, &e);
		return;
	}
	switch (stream_read(s, p, room, &n)) {
	case IO_DONE:
		text_added(&op->in, n);
		answered(op);
		return;
	case IO_WAIT:
		return;
	case IO_END:
		error_set(&e, ERROR_CLOSED, 0, "closed without an answer");
		finish(op, &e);
		return;
	case IO_FAILED:
		e = s->error;
		finish(op, &e);
		return;
	}
}

static void
write_request(struct proxy_op *op, struct span host, uint16_t port)
{
	int is_v6 = span_find(host, ':', 0) < host.n;
	const char *open = is_v6 ? "[" : "", *close = is_v6 ? "]" : "";
	struct text *t = &op->out;

	text_printf(t, "CONNECT %s%.*s%s:%u HTTP/1.1\r\nHost: %s%.*s%s:%u\r\n",
	    open, (int)host.n, host.p, close, (unsigned)port, open, (int)host.n,
	    host.p, close, (unsigned)port);
	if (op->proxy->authorization.n > 0)
		text_printf(t, "Proxy-Authorization: %.*s\r\n",
		    (int)op->proxy->authorization.n,
		    op->proxy->authorization.p);
	text_add_str(t, "\r\n");
}

struct proxy_op *
proxy_start(struct loop *l, const struct proxy *p, int fd, struct span host,
    uint16_t port, proxy_done_fn *done, void *owner, struct error *e)
{
	struct stream *s = stream_new(l, fd, e);
	struct proxy_op *op;

	if (s == NULL)
		return NULL;
	op = pool_take(sizeof *op, NULL);
	if (op == NULL) {
		stream_close(s);
		error_set(e, ERROR_FULL, 0, "no memory for a connection");
		return NULL;
	}
	memset(op, 0, sizeof *op);
	op->magic = PROXY_MAGIC;
	op->stream = s;
	op->proxy = p;
	op->done = done;
	op->owner = owner;
	text_init(&op->out, LIMIT_HTTP_LINE);
	text_init(&op->in, LIMIT_HTTP_HEAD);
	http1_scan_init(&op->scan, 1);
	write_request(op, host, port);
	stream_own(s, ready, op);
	stream_want(s, LOOP_READ | LOOP_WRITE);
	return op;
}
