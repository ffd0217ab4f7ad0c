#ifndef SKEP_NET_PROXY_H
#define SKEP_NET_PROXY_H

/*
 * Reaching a server by way of an HTTP proxy's CONNECT: which proxy, for whom,
 * and the tunnel itself.  TLS runs inside it, so the proxy sees a name and a
 * port only.
 */

#include <stdint.h>

#include "engine/base/span.h"

struct arena;
struct error;
struct loop;
struct url;

struct proxy {
	struct span host;
	uint16_t port;
	struct span authorization; /* "Basic ..."; or empty */
};

/*
 * "http://user:password@host:port", of which only the host is required.
 * Spans in arena a; the error does not repeat the text.  -1 and *e (CONFIG).
 */
int proxy_parse(
    struct proxy *p, struct span text, struct arena *a, struct error *e);

/*
 * True when NO_PROXY's list says that u is reached directly: "*", a name and
 * all below it (with or without a leading dot), an address, a network
 * ("10.0.0.0/8"), each with an optional port.
 */
int proxy_is_excepted(const struct url *u, struct span no_proxy);

struct proxy_op; /* a tunnel being made */

/* fd is the caller's, or -1 when e says why there is no tunnel. */
typedef void proxy_done_fn(void *owner, int fd, const struct error *e);

/* Takes fd, connected to the proxy; p, host are kept.  NULL and *e: FULL. */
struct proxy_op *proxy_start(struct loop *l, const struct proxy *p, int fd,
    struct span host, uint16_t port, proxy_done_fn *done, void *owner,
    struct error *e);
void proxy_cancel(struct proxy_op *op);

#endif
