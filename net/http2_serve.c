/* What comes in on an HTTP/2 connection of the server: requests. */

#include <stdio.h>

#include "engine/base/check.h"
#include "net/http2_server_private.h"

/* The request takes too long, or the peer does not fetch its answer. */
static void
too_late(struct loop_timer *t)
{
	struct exchange *x = container_of(t, struct exchange, deadline);
	struct server_connection *c = x->conn;

	server_connection_enter(c);
	if (!x->is_told)
		c->server->counts.refused++;
	server_h2_reset(c->h2, x, NGHTTP2_CANCEL);
	server_connection_leave(c);
}

/*
 * nghttp2 knows what is open and what was lately; for an older number it
 * would only ignore the head.  A peer that opens streams out of order is
 * broken, unless the head (trailers, then) crossed a reset of ours.
 */
static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
	struct server_h2 *k = server_h2_of(user);

	if (hd->type != NGHTTP2_HEADERS || hd->stream_id % 2 == 0 ||
	    hd->stream_id > k->last_id ||
	    nghttp2_session_find_stream(session, hd->stream_id) != NULL ||
	    h2_has_given_up(&k->h2, hd->stream_id))
		return 0;
	k->h2.complaint = "a stream was opened out of order";
	nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
	return 0;
}

static int
on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	(void)session;
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		h2_give_up(&server_h2_of(user)->h2, frame->hd.stream_id);
	return 0;
}

static int
on_begin_headers(
    nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct server_h2 *k = server_h2_of(user);
	struct server *s = k->conn->server;
	struct exchange *x;

	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && k->is_closing) {
		/* GOAWAY has not named it: the peer will ask elsewhere, and
		   must not be answered here as well. */
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE,
		    frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
	} else if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		x = exchange_new(k->conn);
		if (x == NULL)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		x->stream_id = k->last_id = frame->hd.stream_id;
		loop_timer_init(&x->deadline, s->loop, too_late);
		loop_timer_start(&x->deadline, s->set.request_ms);
		nghttp2_session_set_stream_user_data(session, x->stream_id, x);
	}
	return h2_fields_begin(&k->h2) == -1
		   ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
		   : 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t namelen, const uint8_t *value, size_t valuelen,
    uint8_t flags, void *user)
{
	struct server_h2 *k = server_h2_of(user);

	(void)session;
	(void)frame;
	(void)flags;
	/* Too big: noted there, answered with 431 when the head is whole. */
	h2_fields_add(&k->h2, (struct span){(const char *)name, namelen},
	    (struct span){(const char *)value, valuelen});
	return 0;
}

static void
refuse(struct server_h2 *k, struct exchange *x, int status)
{
	char text[80];

	(void)k;
	x->server->counts.refused++;
	snprintf(text, sizeof text, "%d %s\n", status, http_reason(status));
	x->after = AFTER_CLOSE; /* the peer need not send the rest */
	server_answer(x, status, "text/plain", span_of(text));
}

static void
got_head(struct server_h2 *k, struct exchange *x)
{
	struct http_head *head = &k->conn->server->head;
	struct span authority;

	if (k->h2.fields == NULL || x->head != NULL)
		return; /* trailers say nothing to us */
	h2_fields_head(&k->h2, head, &authority);
	if (authority.n > 0 && http_field_get(head, "host").p == NULL &&
	    head->fields < LIMIT_HTTP_FIELDS)
		head->field[head->fields++] =
		    (struct http_field){span_of("host"), authority};
	if (k->h2.fields->is_too_big) {
		refuse(k, x, 431);
		return;
	}
	if (exchange_keep_head(x, head, text_span(&k->h2.fields->text)) == -1)
		server_h2_reset(k, x, NGHTTP2_INTERNAL_ERROR);
}

static int
on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *p, size_t n, void *user)
{
	struct server_h2 *k = server_h2_of(user);
	struct exchange *x = server_h2_exchange(k, id);

	(void)flags;
	nghttp2_session_consume(session, id, n);
	if (x == NULL || x->has_head)
		return 0;
	text_add(&x->body, (struct span){(const char *)p, n});
	if (text_overflowed(&x->body))
		refuse(k, x, 413);
	return 0;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct server_h2 *k = server_h2_of(user);
	struct exchange *x;

	(void)session;
	if (h2_count(&k->h2, frame) == -1)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS) {
		x = server_h2_exchange(k, frame->hd.stream_id);
		if (x != NULL)
			got_head(k, x);
		h2_fields_end(&k->h2);
	}
	if ((frame->hd.type == NGHTTP2_HEADERS ||
		frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		x = server_h2_exchange(k, frame->hd.stream_id);
		if (x != NULL && x->head != NULL && !x->has_head) {
			loop_timer_stop(&x->deadline);
			exchange_tell(x);
		}
	}
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct server_h2 *k = server_h2_of(user);
	struct exchange *x = server_h2_exchange(k, id);

	(void)session;
	if (x == NULL)
		return 0;
	if (code == NGHTTP2_NO_ERROR)
		h2_earn(&k->h2);
	loop_timer_stop(&x->deadline);
	exchange_free(x);
	return 0;
}

nghttp2_session_callbacks *
server_h2_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(
	    cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
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
