#ifndef SKEP_NET_HTTP2_CLIENT_PRIVATE_H
#define SKEP_NET_HTTP2_CLIENT_PRIVATE_H

/*
 * The inside of the client's side of HTTP/2: http2_client.c (a connection),
 * http2_request.c (what goes out for a call), http2_answer.c (what comes in).
 *
 * A call and its stream know each other by call->stream_id and the stream's
 * user data; the call may end before the stream, and the other way round.
 */

#include "net/http2_private.h"
#include "net/http_private.h"

struct client_h2 {
	struct h2 h2;
	struct http_connection *conn;
	struct loop_deferred flush;
	struct loop_timer ping;
	int is_closing;    /* GOAWAY: no new calls */
	int32_t at_stream; /* whose frame is being read; 0: the connection's */
	int was_pinged, was_resumed;
	struct http_call *telling; /* NULL again when its owner cancels it */
};

/* The connection of nghttp2's user; the call of a stream, or NULL. */
struct client_h2 *client_h2_of(void *user);
struct http_call *client_h2_call(struct client_h2 *k, int32_t id);

/* --- http2_client.c: how calls leave a connection --- */

/* The call and its stream know each other no longer. */
void client_h2_part(struct client_h2 *k, struct http_call *call);
/* So, and the server is told. */
void client_h2_reset(
    struct client_h2 *k, struct http_call *call, uint32_t code);
/* The last call may have left: keep the connection, or close it. */
void client_h2_rest_or_close(struct client_h2 *k);
/* Each ends the call. */
void client_h2_end(struct client_h2 *k, struct http_call *call,
    const struct http_head *trailers);
void client_h2_fail(
    struct client_h2 *k, struct http_call *call, const struct error *e);

/* --- http2_request.c --- */

/* Give the call a stream; -1 when there is none. */
int client_h2_submit(struct client_h2 *k, struct http_call *call);

/* --- http2_answer.c --- */

/* nghttp2's callbacks; NULL when memory is short. */
nghttp2_session_callbacks *client_h2_callbacks(void);
/* Tell calls that were resumed what was held back for them. */
void client_h2_serve_resumed(struct client_h2 *k);

#endif
