#ifndef SKEP_NET_HTTP2_SERVER_PRIVATE_H
#define SKEP_NET_HTTP2_SERVER_PRIVATE_H

/*
 * The inside of the server's side of HTTP/2: http2_server.c (a connection),
 * http2_serve.c (what comes in), http2_reply.c (what goes out).
 */

#include "net/http2_private.h"
#include "net/server_private.h"

struct server_h2 {
	struct h2 h2;
	struct server_connection *conn;
	unsigned long long seen_out; /* bytes that the peer had taken */
	int is_closing, is_lingering;
	int32_t last_id; /* the highest that was opened */
	struct text raw; /* to be written past all framing, the last thing */
	int is_broken;   /* it was */
};

/* The connection of nghttp2's user; the exchange of a stream, or NULL. */
struct server_h2 *server_h2_of(void *user);
struct exchange *server_h2_exchange(struct server_h2 *k, int32_t id);

/* The stream is closed or given up: nothing of it is heard any more. */
void server_h2_drop(struct server_h2 *k, struct exchange *x);
/* So, and the peer is told. */
void server_h2_reset(struct server_h2 *k, struct exchange *x, uint32_t code);

/* nghttp2's callbacks; NULL when memory is short. */
nghttp2_session_callbacks *server_h2_callbacks(void);

/* As struct server_protocol says. */
void server_h2_head(struct exchange *x, const struct http_field *fields,
    unsigned nfields, int64_t length);
size_t server_h2_room(const struct exchange *x);
void server_h2_write(struct exchange *x, struct span bytes);
void server_h2_end(struct exchange *x);
void server_h2_rude(struct exchange *x);

#endif
