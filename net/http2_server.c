/*
 * HTTP/2 on a connection of the server: many exchanges at a time.
 *
 * A body that an owner writes waits in x->out until nghttp2 fetches it, so
 * a stream whose window is shut fills up to its ceiling and stops there.
 */

#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/http2_private.h"
#include "net/server_private.h"
#include "net/stream.h"

struct server_h2 {
	struct h2 h2;
	struct server_connection *conn;
	unsigned long long seen_out; /* bytes that the peer had taken */
	int is_closing, is_lingering;
	int32_t last_id; /* the highest that was opened */
	struct text raw; /* to be written past all framing, the last thing */
	int is_broken;   /* it was */
};

static struct server_h2 *
of_h2(void *user)
{
	return container_of((struct h2 *)user, struct server_h2, h2);
}

static struct exchange *
exchange_of(struct server_h2 *k, int32_t id)
{
	return nghttp2_session_get_stream_user_data(k->h2.session, id);
}

/* The stream is closed or given up: nothing of it is heard any more. */
static void
drop(struct server_h2 *k, struct exchange *x)
{
	nghttp2_session_set_stream_user_data(k->h2.session, x->stream_id, NULL);
	loop_timer_stop(&x->deadline);
	exchange_free(x);
}

static void
reset(struct server_h2 *k, struct exchange *x, uint32_t code)
{
	nghttp2_submit_rst_stream(
	    k->h2.session, NGHTTP2_FLAG_NONE, x->stream_id, code);
	drop(k, x);
	loop_defer(&k->conn->flush);
}

/* The request takes too long, or the peer does not fetch its answer. */
static void
too_late(struct loop_timer *t)
{
	struct exchange *x = container_of(t, struct exchange, deadline);
	struct server_connection *c = x->conn;

	server_connection_enter(c);
	if (!x->is_told)
		c->server->counts.refused++;
	reset(c->h2, x, NGHTTP2_CANCEL);
	server_connection_leave(c);
}

/* --- requests --- */

/*
 * nghttp2 knows what is open and what was lately; for an older number it
 * would only ignore the head.  A peer that opens streams out of order is
 * broken, unless the head (trailers, then) crossed a reset of ours.
 */
static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
	struct server_h2 *k = of_h2(user);

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
		h2_give_up(&of_h2(user)->h2, frame->hd.stream_id);
	return 0;
}

static int
on_begin_headers(
    nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct server_h2 *k = of_h2(user);
	struct server *s = k->conn->server;
	struct exchange *x;

	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
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
	struct server_h2 *k = of_h2(user);

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
		reset(k, x, NGHTTP2_INTERNAL_ERROR);
}

static int
on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *p, size_t n, void *user)
{
	struct server_h2 *k = of_h2(user);
	struct exchange *x = exchange_of(k, id);

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
	struct server_h2 *k = of_h2(user);
	struct exchange *x;

	(void)session;
	if (h2_count(&k->h2, frame) == -1)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS) {
		x = exchange_of(k, frame->hd.stream_id);
		if (x != NULL)
			got_head(k, x);
		h2_fields_end(&k->h2);
	}
	if ((frame->hd.type == NGHTTP2_HEADERS ||
		frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		x = exchange_of(k, frame->hd.stream_id);
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
	struct server_h2 *k = of_h2(user);
	struct exchange *x = exchange_of(k, id);

	(void)session;
	if (x == NULL)
		return 0;
	if (code == NGHTTP2_NO_ERROR)
		h2_earn(&k->h2);
	loop_timer_stop(&x->deadline);
	exchange_free(x);
	return 0;
}

static nghttp2_session_callbacks *
callbacks_new(void)
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

/* --- answers --- */

/* What was written is out: what is none of HTTP/2 follows. */
static void
break_connection(struct server_h2 *k, struct exchange *x)
{
	text_release(&k->raw);
	k->raw = x->raw;
	text_init(&x->raw, 0);
	loop_defer(&k->conn->flush);
}

static ssize_t
read_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t n,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct exchange *x = exchange_of(of_h2(user), id);
	size_t filled = 0;

	(void)session;
	(void)source;
	if (x == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	while (filled < n && x->out.n > 0) {
		struct span front = buf_front(&x->out);
		size_t some = front.n < n - filled ? front.n : n - filled;

		memcpy(p + filled, front.p, some);
		buf_drop(&x->out, some);
		filled += some;
	}
	if (x->out.n == 0 && x->is_told)
		loop_timer_stop(&x->deadline);
	else if (filled > 0)
		loop_timer_start(&x->deadline, x->server->set.write_ms);
	if (filled == 0 && x->is_ended && x->after == AFTER_RAW)
		break_connection(of_h2(user), x);
	if (filled == 0 && x->is_ended &&
	    (x->after == AFTER_CUT || x->after == AFTER_RESET))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets */
	if (x->out.n == 0 && x->is_ended && x->after < AFTER_CUT)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (filled == 0)
		return NGHTTP2_ERR_DEFERRED;
	return (ssize_t)filled;
}

static void
write_head(struct exchange *x, const struct http_field *fields,
    unsigned nfields, int64_t length)
{
	struct server_h2 *k = x->conn->h2;
	nghttp2_data_provider body = {.read_callback = read_body};
	nghttp2_nv nv[LIMIT_HTTP_FIELDS + 2];
	char status[12], number[24];
	struct text names;
	size_t n = 0, size = 1;

	snprintf(status, sizeof status, "%d", x->status);
	nv[n++] = h2_nv(span_of(":status"), span_of(status));
	for (unsigned i = 0; i < nfields; i++)
		size += fields[i].name.n;
	text_init(&names, size);
	if (text_room(&names, size - 1, NULL) == NULL)
		nfields = 0; /* no memory: the stream is reset below */
	for (unsigned i = 0; i < nfields && i < LIMIT_HTTP_FIELDS; i++) {
		struct span name = fields[i].name;
		char *at = names.p + names.n;

		if (span_is_nocase(name, "connection"))
			continue;
		text_add(&names, name);
		for (size_t j = 0; j < name.n; j++)
			if (at[j] >= 'A' && at[j] <= 'Z')
				at[j] |= 0x20;
		nv[n++] = h2_nv((struct span){at, name.n}, fields[i].value);
	}
	if (length >= 0 && x->status != 204 && x->status != 304) {
		snprintf(number, sizeof number, "%lld", (long long)length);
		nv[n++] = h2_nv(span_of("content-length"), span_of(number));
	}
	if (text_overflowed(&names) ||
	    nghttp2_submit_response(k->h2.session, x->stream_id, nv, n,
		x->drops_body || length == 0 ? NULL : &body) != 0)
		nghttp2_submit_rst_stream(k->h2.session, NGHTTP2_FLAG_NONE,
		    x->stream_id, NGHTTP2_INTERNAL_ERROR);
	text_release(&names);
	loop_defer(&x->conn->flush);
}

static size_t
room(const struct exchange *x)
{
	return buf_room(&x->out);
}

static void
write_body(struct exchange *x, struct span bytes)
{
	struct server_h2 *k = x->conn->h2;

	if (buf_write(&x->out, bytes) < bytes.n)
		x->after = AFTER_RESET;
	if (!loop_timer_is_active(&x->deadline))
		loop_timer_start(&x->deadline, x->server->set.write_ms);
	nghttp2_session_resume_data(k->h2.session, x->stream_id);
	loop_defer(&x->conn->flush);
}

static void
end_answer(struct exchange *x)
{
	struct server_h2 *k = x->conn->h2;

	nghttp2_session_resume_data(k->h2.session, x->stream_id);
	loop_defer(&x->conn->flush);
}

/* Without a head there is nothing to let out first. */
static void
rude_end(struct exchange *x)
{
	struct server_h2 *k = x->conn->h2;

	if (x->has_head)
		end_answer(x);
	else if (x->after == AFTER_RAW)
		break_connection(k, x);
	else
		reset(k, x, NGHTTP2_INTERNAL_ERROR);
}

/* --- the stream --- */

/* Tell owners about room; each call may end the exchange. */
static void
tell_room(struct server_connection *c)
{
	struct list_node *n, *next;

	for (n = list_first(&c->exchanges); n != NULL; n = next) {
		next = list_next(&c->exchanges, n);
		exchange_has_room(container_of(n, struct exchange, node));
	}
}

/* How long the peer may take: for a byte of what waits, or for a request. */
static void
pace(struct server_h2 *k)
{
	struct server_connection *c = k->conn;
	const struct server_settings *set = &c->server->set;
	int moved = c->stream->bytes_out != k->seen_out;

	k->seen_out = c->stream->bytes_out;
	if (k->h2.out.n > 0) {
		if (moved || !loop_timer_is_active(&c->deadline))
			loop_timer_start(&c->deadline, set->write_ms);
	} else if (c->exchanges.length > 0) {
		loop_timer_stop(&c->deadline);
	} else if (moved || !loop_timer_is_active(&c->deadline)) {
		loop_timer_start(&c->deadline, set->idle_ms);
	}
}

/*
 * All is said.  Closing while bytes of the peer are unread would be a reset,
 * which overtakes what was said: they are read for a moment, and thrown away.
 */
static void
linger(struct server_connection *c)
{
	struct server_h2 *k = c->h2;
	struct list_node *n;

	k->is_lingering = 1;
	while ((n = list_first(&c->exchanges)) != NULL)
		drop(k, container_of(n, struct exchange, node));
	stream_finish(c->stream);
	stream_want(c->stream, LOOP_READ);
	loop_timer_start(&c->deadline, SERVER_LINGER_MS);
}

static void
discard(struct server_connection *c)
{
	struct server *s = c->server;
	size_t got;

	switch (stream_read(c->stream, s->in, sizeof s->in, &got)) {
	case IO_DONE:
	case IO_WAIT:
		return;
	case IO_END:
	case IO_FAILED:
		server_connection_close(c);
	}
}

static void
go_on(struct server_connection *c)
{
	struct server_h2 *k = c->h2;
	struct server *s = c->server;
	struct error e;

	if (c->is_doomed || k->is_lingering)
		return;
	for (int i = 0; i < 4; i++) {
		if (h2_write(&k->h2, s->out, sizeof s->out, &e) == -1) {
			server_connection_close(c);
			return;
		}
		if (k->h2.out.n == 0 && k->raw.n > 0) {
			buf_write(&k->h2.out, text_span(&k->raw));
			text_clear(&k->raw);
			k->is_broken = 1;
			continue;
		}
		if (h2_is_over(&k->h2) || (k->is_broken && k->h2.out.n == 0)) {
			linger(c);
			return;
		}
		if (k->h2.out.n > 0)
			break;
		tell_room(c);
		if (!nghttp2_session_want_write(k->h2.session))
			break;
	}
	if (k->is_closing && c->exchanges.length == 0 && k->h2.out.n == 0) {
		linger(c);
		return;
	}
	pace(k);
	h2_want(&k->h2);
}

static void
ready(struct stream *st, int what)
{
	struct server_connection *c = st->owner;
	struct server_h2 *k = c->h2;
	struct server *s = c->server;
	struct error e;

	server_connection_enter(c);
	if (k->is_lingering)
		discard(c);
	else if ((what & LOOP_READ) &&
		 h2_read(&k->h2, s->in, sizeof s->in, &e) == -1) {
		h2_write(&k->h2, s->out, sizeof s->out, &e);
		server_connection_close(c);
	}
	go_on(c);
	server_connection_leave(c);
}

static void
flush_soon(struct loop_deferred *d)
{
	struct server_connection *c =
	    container_of(d, struct server_connection, flush);

	server_connection_enter(c);
	go_on(c);
	server_connection_leave(c);
}

static void
idle_too_long(struct loop_timer *t)
{
	server_connection_close(
	    container_of(t, struct server_connection, deadline));
}

static int
begin(struct server_connection *c)
{
	nghttp2_session_callbacks *cb = callbacks_new();
	struct server_h2 *k = pool_take(sizeof *k, NULL);
	struct error e;
	int r;

	if (k == NULL || cb == NULL) {
		pool_give(k);
		nghttp2_session_callbacks_del(cb);
		return -1;
	}
	memset(k, 0, sizeof *k);
	k->conn = c;
	c->h2 = k;
	r = h2_init(&k->h2, c->stream, c->server->loop, 1, cb,
	    c->server->set.streams_max, &e);
	nghttp2_session_callbacks_del(cb);
	return r;
}

static void
http2_opened(struct server_connection *c)
{
	loop_deferred_init(&c->flush, c->server->loop, flush_soon);
	loop_timer_init(&c->deadline, c->server->loop, idle_too_long);
	loop_timer_start(&c->deadline, c->server->set.idle_ms);
	if (begin(c) == -1) {
		server_connection_close(c);
		return;
	}
	stream_own(c->stream, ready, c);
	stream_want(c->stream, LOOP_READ);
	loop_defer(&c->flush);
}

static void
http2_feed(struct server_connection *c, struct span bytes)
{
	struct server_h2 *k = c->h2;
	struct error e;

	if (c->is_doomed)
		return;
	if (h2_feed(&k->h2, bytes, &e) == -1)
		server_connection_close(c);
	loop_defer(&c->flush);
}

static void
http2_drain(struct server_connection *c)
{
	struct server_h2 *k = c->h2;

	k->is_closing = 1;
	nghttp2_submit_goaway(k->h2.session, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(k->h2.session),
	    NGHTTP2_NO_ERROR, NULL, 0);
	loop_defer(&c->flush);
}

static void
http2_closed(struct server_connection *c)
{
	struct server_h2 *k = c->h2;

	if (k == NULL)
		return;
	h2_release(&k->h2);
	text_release(&k->raw);
	pool_give(k);
	c->h2 = NULL;
}

const struct server_protocol http2_server_protocol = {
    .opened = http2_opened,
    .feed = http2_feed,
    .head = write_head,
    .room = room,
    .write = write_body,
    .end = end_answer,
    .rude = rude_end,
    .drain = http2_drain,
    .closed = http2_closed,
};
