#ifndef SKEP_NET_SERVER_H
#define SKEP_NET_SERVER_H

/*
 * A small, strict HTTP server, plain or TLS: for the scripted model server
 * and later for control interfaces.
 *
 * Theory of operation
 *
 * A request that breaks the grammar, is too big or too slow is answered with
 * 400, 408, 413, 414 or 431 and its connection closed; the owner never sees
 * it.  Every other request becomes an exchange, shown to the owner once,
 * whole, with its body.  The owner answers when it likes: server_head(),
 * then server_write() as often as it takes, then server_end().  What the peer
 * does not read is buffered up to LIMIT_SERVER_UNSENT bytes; then
 * server_write() takes less than offered, and writable() says when to go on.
 *
 * When the peer goes away first, gone() ends the exchange.  After gone(), or
 * server_end(), or one of the rude ends, the exchange may not be touched.
 *
 * One exchange at a time on an HTTP/1.1 connection (a pipelined request waits
 * unread), many on one of HTTP/2.
 */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/span.h"
#include "net/address.h"
#include "net/http1.h"
#include "net/tls.h"

#define LIMIT_SERVER_UNSENT (64 * KIB)
#define LIMIT_SERVER_RAW (16 * KIB)

struct exchange;
struct loop;
struct server;

struct server_settings {
	struct address at;        /* port 0: any */
	struct tls_server *tls;   /* kept; NULL: plain */
	unsigned connections_max; /* 0: 4,096; beyond, accepting waits */
	unsigned streams_max;     /* of one HTTP/2 connection; 0: 1,000 */
	size_t request_body_max;  /* 0: 64 MiB */
	uint32_t request_ms; /* from its first byte to its last; 0: 30,000 */
	uint32_t idle_ms;    /* of a kept connection; 0: 60,000 */
	uint32_t write_ms;   /* without the peer reading a byte; 0: 60,000 */
};

struct server_ops {
	/* A whole request; see the exchange_ getters.  Must end some day. */
	void (*request)(void *owner, struct exchange *x);
	/* There is room again after server_write() took less than all. */
	void (*writable)(void *owner, struct exchange *x);
	/* The peer went away before the end. */
	void (*gone)(void *owner, struct exchange *x);
};

/* ops is kept. */
struct server *server_new(struct loop *l, const struct server_settings *s,
    const struct server_ops *ops, void *owner, struct error *e);
/* Closes everything at once; gone() is called for open exchanges. */
void server_free(struct server *s);

/* Accept no more, close what is idle, let exchanges end. */
void server_drain(struct server *s);

/* Where it listens, the port filled in. */
const struct address *server_address(const struct server *s);

struct server_counts {
	unsigned connections, connections_peak;
	unsigned exchanges, exchanges_peak;             /* in flight */
	unsigned long long accepted, requests, refused; /* refused: 4xx by us */
};
void server_counts(const struct server *s, struct server_counts *out);

/* --- exchanges; spans are valid until the exchange ends --- */

struct span exchange_method(const struct exchange *x);
struct span exchange_target(const struct exchange *x);
/* Name without regard to case; p == NULL when absent. */
struct span exchange_field(const struct exchange *x, const char *name);
struct span exchange_body(const struct exchange *x);
int exchange_is_http2(const struct exchange *x);
/* A place for the owner's own pointer. */
void exchange_set_user(struct exchange *x, void *user);
void *exchange_user(const struct exchange *x);

/* --- answering --- */

/*
 * length: of the body; -1: not known (chunked, or until close for 1.0).
 * Fields are borrowed; Content-Length, Transfer-Encoding and Connection are
 * ours.  An answer to HEAD has no body: server_write() drops it.
 */
void server_head(struct exchange *x, int status,
    const struct http_field *fields, unsigned nfields, int64_t length);

/* How many bytes were taken; all of them, unless the peer is slow. */
size_t server_write(struct exchange *x, struct span bytes);

/* The answer is complete.  Less body than promised closes the connection. */
void server_end(struct exchange *x);

/* All at once, for short answers; body beyond what fits in memory is FULL. */
void server_answer(
    struct exchange *x, int status, const char *content_type, struct span body);

/*
 * After the answers that are under way the connection is to end: the peer is
 * told so in order (GOAWAY; Connection: close, if the head is still to come).
 */
void server_goaway(struct exchange *x);

/*
 * Rude ends, for a scripted server: reset the connection; close it without
 * an end; write bytes past all framing and close.  All first let out what was
 * written.  On HTTP/2 the first two reset the stream; raw bytes (at most
 * LIMIT_SERVER_RAW) go between frames, and end every exchange of the
 * connection.
 */
void server_reset(struct exchange *x);
void server_close(struct exchange *x);
void server_raw(struct exchange *x, struct span bytes);

#endif
