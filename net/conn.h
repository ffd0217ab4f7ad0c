#ifndef SKEP_NET_CONN_H
#define SKEP_NET_CONN_H

/*
 * One connection being made: resolve, connect, shake hands; one operation
 * with one deadline and one cancel, whatever step it is in.
 */

#include <stdint.h>

#include "engine/base/loop.h"
#include "engine/base/span.h"
#include "net/address.h"
#include "net/tcp.h"

struct dns;
struct dns_query;
struct error;
struct proxy;
struct stream;
struct tls_client;

/* How far a connection, or the request on it, had come. */
enum net_stage {
	NET_QUEUE,   /* waiting for a place */
	NET_RESOLVE, /* the name */
	NET_CONNECT, /* the socket */
	NET_TLS,     /* the handshake */
	NET_REQUEST, /* sent or being sent, nothing answered */
	NET_HEAD,    /* part of a head came */
	NET_BODY,    /* the head came */
};
const char *net_stage_name(enum net_stage s);

struct conn_settings {
	struct loop *loop;
	struct dns *dns;
	struct tls_client *tls;    /* NULL: plain */
	const struct proxy *proxy; /* to go by way of; NULL: directly */
	struct span host;          /* a name, a numeric address, or a path */
	uint16_t port;
	int is_unix;         /* host is the path of a socket */
	int only_loopback;   /* refuse what a name resolves to otherwise */
	uint32_t timeout_ms; /* of the whole; 0: none */
};

/* stream is the caller's; NULL when e says why there is none. */
typedef void conn_done_fn(
    void *owner, struct stream *stream, const struct error *e);

struct conn_op; /* one connection being made */

/* Everything in settings is kept.  NULL and *e when memory is short. */
struct conn_op *conn_start(const struct conn_settings *settings,
    conn_done_fn *done, void *owner, struct error *e);
void conn_cancel(struct conn_op *op);
enum net_stage conn_stage(const struct conn_op *op);

#endif
