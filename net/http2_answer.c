/*
 * What comes in for the calls of an HTTP/2 connection.
 *
 * A paused call must neither be told anything nor hold up the others: the
 * connection's window is always given back at once, the stream's only when
 * its owner has the bytes, so at most one stream window lies in call->held.
 */

#include "engine/base/check.h"
#include "net/http2_client_private.h"

static void
break_protocol(struct client_h2 *k, struct http_call *call, uint32_t code,
    enum error_code error, const char *what)
{
	struct error e;

	error_set(&e, error, 0, "HTTP/2: %s", what);
	client_h2_reset(k, call, code);
	client_h2_fail(k, call, &e);
}

/* --- nghttp2's callbacks --- */

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
	(void)session;
	client_h2_of(user)->at_stream = hd->stream_id;
	return 0;
}

static int
on_begin_headers(
    nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct client_h2 *k = client_h2_of(user);
	struct http_call *call = client_h2_call(k, frame->hd.stream_id);

	(void)session;
	if (call != NULL && call->stage == NET_REQUEST)
		call->stage = NET_HEAD;
	return h2_fields_begin(&k->h2) == -1
		   ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
		   : 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t namelen, const uint8_t *value, size_t valuelen,
    uint8_t flags, void *user)
{
	struct client_h2 *k = client_h2_of(user);
	struct http_call *call = client_h2_call(k, frame->hd.stream_id);
	struct span n = {(const char *)name, namelen};
	struct span v = {(const char *)value, valuelen};
	struct error e;

	(void)session;
	(void)flags;
	if (h2_fields_add(&k->h2, n, v) == 0)
		return 0;
	if (call != NULL) {
		error_set(&e, ERROR_TOO_BIG, 0,
		    "HTTP/2: the head of the answer is too big");
		client_h2_fail(k, call, &e);
	}
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
}

static void
got_head(struct client_h2 *k, struct http_call *call, int is_last)
{
	struct http_head *head = &k->conn->origin->client->head;
	struct span authority;

	h2_fields_head(&k->h2, head, &authority);
	call_heard(call);
	if (call->has_head) { /* trailers; told at the end */
		if (is_last && call->held.n == 0)
			client_h2_end(k, call, head);
		return;
	}
	if (head->status < 200) {
		if (++call->interim > LIMIT_HTTP_INTERIM)
			break_protocol(k, call, NGHTTP2_PROTOCOL_ERROR,
			    ERROR_PROTOCOL, "too many interim answers");
		return;
	}
	call->has_head = 1;
	call_tell_head(call, head);
}

static void
got_data(struct client_h2 *k, struct http_call *call, struct span bytes)
{
	int32_t id = call->stream_id;

	call_heard(call);
	nghttp2_session_consume_connection(k->h2.session, bytes.n);
	if (call->is_paused || call->held.n > 0) {
		if (buf_write(&call->held, bytes) < bytes.n)
			break_protocol(k, call, NGHTTP2_FLOW_CONTROL_ERROR,
			    ERROR_PROTOCOL, "more than the window allows");
		return;
	}
	nghttp2_session_consume_stream(k->h2.session, id, bytes.n);
	call_tell_body(call, bytes);
}

static int
on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *p, size_t n, void *user)
{
	struct client_h2 *k = client_h2_of(user);
	struct http_call *call = client_h2_call(k, id);

	(void)flags;
	if (call != NULL)
		got_data(k, call, (struct span){(const char *)p, n});
	else
		nghttp2_session_consume(session, id, n);
	return 0;
}

static void
got_end_of_stream(struct client_h2 *k, struct http_call *call)
{
	call->has_ended = 1;
	if (call->has_head && call->held.n == 0 && !call->is_paused)
		client_h2_end(k, call, NULL);
}

static void
got_goaway(struct client_h2 *k, const nghttp2_frame *frame)
{
	(void)frame;
	k->is_closing = 1;
	if (k->conn->state == CONNECTION_IDLE)
		connection_close(k->conn);
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct client_h2 *k = client_h2_of(user);
	struct http_call *call = NULL;
	int is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	(void)session;
	if (h2_count(&k->h2, frame) == -1)
		return 0;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		got_goaway(k, frame);
	if (frame->hd.type == NGHTTP2_SETTINGS) {
		k->conn->is_settled = 1;
		origin_wake(k->conn->origin); /* more streams, perhaps */
	}
	if (frame->hd.type == NGHTTP2_HEADERS) {
		call = client_h2_call(k, frame->hd.stream_id);
		if (call != NULL)
			got_head(k, call, is_last);
		h2_fields_end(&k->h2);
	}
	if ((frame->hd.type == NGHTTP2_HEADERS ||
		frame->hd.type == NGHTTP2_DATA) &&
	    is_last) {
		call = client_h2_call(k, frame->hd.stream_id);
		if (call != NULL)
			got_end_of_stream(k, call);
	}
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct client_h2 *k = client_h2_of(user);
	struct http_call *call = client_h2_call(k, id);
	struct error e;

	(void)session;
	if (call == NULL)
		return 0;
	call->stream_id = 0; /* nghttp2 forgets it now */
	if (call->has_ended && call->has_head) {
		/* Bytes of a paused call are still to be told. */
		if (call->held.n == 0 && !call->is_paused)
			client_h2_end(k, call, NULL);
		return 0;
	}
	if (code == NGHTTP2_PROTOCOL_ERROR && k->h2.complaint != NULL) {
		error_set(&e, ERROR_PROTOCOL, 0, "HTTP/2: %s", k->h2.complaint);
		client_h2_fail(k, call, &e);
		return 0;
	}
	error_set(&e, ERROR_CLOSED, 0, "the server reset the stream: %s",
	    nghttp2_http2_strerror(code));
	if (code != NGHTTP2_REFUSED_STREAM) {
		client_h2_fail(k, call, &e);
		return 0;
	}
	call_refused(call, &e);
	client_h2_rest_or_close(k);
	return 0;
}

nghttp2_session_callbacks *
client_h2_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(
	    cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(
	    cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
	    cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(
	    cb, on_stream_close);
	return cb;
}

/* --- pauses --- */

/* Tell what was held back; the window opens as it is told. */
static void
release_held(struct client_h2 *k, struct http_call *call)
{
	k->telling = call;
	while (call->held.n > 0 && !call->is_paused) {
		char piece[BUF_BLOCK];
		struct span front = buf_front(&call->held);

		memcpy(piece, front.p, front.n);
		buf_drop(&call->held, front.n);
		if (call->stream_id != 0)
			nghttp2_session_consume_stream(
			    k->h2.session, call->stream_id, front.n);
		call_tell_body(call, (struct span){piece, front.n});
		if (k->telling == NULL)
			return;
	}
	k->telling = NULL;
	if (call->has_ended && call->held.n == 0 && !call->is_paused)
		client_h2_end(k, call, NULL);
}

/* A call that was resumed and has something to tell. */
static struct http_call *
find_resumed(struct client_h2 *k)
{
	struct list *calls = &k->conn->calls;
	struct list_node *n;

	for (n = list_first(calls); n != NULL; n = list_next(calls, n)) {
		struct http_call *call =
		    container_of(n, struct http_call, node);

		if (!call->is_paused && (call->held.n > 0 || call->has_ended))
			return call;
	}
	return NULL;
}

void
client_h2_serve_resumed(struct client_h2 *k)
{
	struct http_call *call;

	if (!k->was_resumed)
		return;
	k->was_resumed = 0;
	while (!k->conn->is_doomed && (call = find_resumed(k)) != NULL)
		release_held(k, call);
}
