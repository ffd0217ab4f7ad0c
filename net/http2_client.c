/*
 * HTTP/2 on a connection of the client: many calls at a time.
 *
 * A paused call must neither be told anything nor hold up the others: the
 * connection's window is always given back at once, the stream's only when
 * its owner has the bytes, so at most one stream window lies in call->held.
 */

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/http2_private.h"
#include "net/http_private.h"
#include "net/stream.h"

#define STREAMS_MAX 1000 /* that we put on one connection */
#define PING_AFTER_MS 30000
#define PING_WAIT_MS 10000

struct client_h2 {
	struct h2 h2;
	struct http_connection *conn;
	struct loop_deferred flush;
	struct loop_timer ping;
	int is_closing; /* GOAWAY: no new calls */
	int was_pinged, was_resumed;
	struct http_call *telling; /* NULL again when its owner cancels it */
};

static struct client_h2 *
of_h2(void *user)
{
	return container_of((struct h2 *)user, struct client_h2, h2);
}

static struct http_call *
call_of(struct client_h2 *k, int32_t id)
{
	return nghttp2_session_get_stream_user_data(k->h2.session, id);
}

/* The call and its stream know each other no longer. */
static void
part_ways(struct client_h2 *k, struct http_call *call)
{
	if (call->stream_id != 0)
		nghttp2_session_set_stream_user_data(
		    k->h2.session, call->stream_id, NULL);
	call->stream_id = 0;
}

static void
reset(struct client_h2 *k, struct http_call *call, uint32_t code)
{
	int32_t id = call->stream_id;

	part_ways(k, call);
	if (id != 0)
		nghttp2_submit_rst_stream(
		    k->h2.session, NGHTTP2_FLAG_NONE, id, code);
	loop_defer(&k->flush);
}

/* The last call has left: keep the connection, or close it. */
static void
rest_or_close(struct client_h2 *k)
{
	struct http_connection *c = k->conn;

	if (c->is_doomed || c->calls.length > 0 || c->state != CONNECTION_BUSY)
		return;
	loop_timer_stop(&k->ping);
	if (k->is_closing)
		connection_close(c);
	else
		connection_rest(c);
}

static void
end_call(struct client_h2 *k, struct http_call *call,
    const struct http_head *trailers)
{
	k->conn->served++;
	h2_earn(&k->h2);
	part_ways(k, call);
	call_end(call, trailers);
	rest_or_close(k);
}

static void
fail_call(struct client_h2 *k, struct http_call *call, const struct error *e)
{
	part_ways(k, call);
	call_fail(call, e);
	rest_or_close(k);
}

static void
break_protocol(struct client_h2 *k, struct http_call *call, uint32_t code,
    enum error_code error, const char *what)
{
	struct error e;

	error_set(&e, error, 0, "HTTP/2: %s", what);
	reset(k, call, code);
	fail_call(k, call, &e);
}

/* The whole connection is over; calls that may be sent again are. */
static void
break_off(struct client_h2 *k, const struct error *e)
{
	struct http_connection *c = k->conn;
	struct list_node *n;

	connection_close(c);
	while ((n = list_first(&c->calls)) != NULL) {
		struct http_call *call =
		    container_of(n, struct http_call, node);

		part_ways(k, call);
		if (call->has_ended && call->held.n == 0)
			call_end(call, NULL);
		else
			call_lost(call, e);
	}
}

/* --- nghttp2's callbacks --- */

static int
on_begin_headers(
    nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct client_h2 *k = of_h2(user);
	struct http_call *call = call_of(k, frame->hd.stream_id);

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
	struct client_h2 *k = of_h2(user);
	struct http_call *call = call_of(k, frame->hd.stream_id);
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
		fail_call(k, call, &e);
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
			end_call(k, call, head);
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
	struct client_h2 *k = of_h2(user);
	struct http_call *call = call_of(k, id);

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
		end_call(k, call, NULL);
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
	struct client_h2 *k = of_h2(user);
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
		call = call_of(k, frame->hd.stream_id);
		if (call != NULL)
			got_head(k, call, is_last);
		h2_fields_end(&k->h2);
	}
	if ((frame->hd.type == NGHTTP2_HEADERS ||
		frame->hd.type == NGHTTP2_DATA) &&
	    is_last) {
		call = call_of(k, frame->hd.stream_id);
		if (call != NULL)
			got_end_of_stream(k, call);
	}
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct client_h2 *k = of_h2(user);
	struct http_call *call = call_of(k, id);
	struct error e;

	(void)session;
	if (call == NULL)
		return 0;
	call->stream_id = 0; /* nghttp2 forgets it now */
	if (call->has_ended && call->has_head) {
		/* Bytes of a paused call are still to be told. */
		if (call->held.n == 0 && !call->is_paused)
			end_call(k, call, NULL);
		return 0;
	}
	if (code == NGHTTP2_PROTOCOL_ERROR && k->h2.complaint != NULL) {
		error_set(&e, ERROR_PROTOCOL, 0, "HTTP/2: %s", k->h2.complaint);
		fail_call(k, call, &e);
		return 0;
	}
	error_set(&e, ERROR_CLOSED, 0, "the server reset the stream: %s",
	    nghttp2_http2_strerror(code));
	if (code != NGHTTP2_REFUSED_STREAM) {
		fail_call(k, call, &e);
		return 0;
	}
	call_refused(call, &e);
	rest_or_close(k);
	return 0;
}

static nghttp2_session_callbacks *
callbacks_new(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
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
		end_call(k, call, NULL);
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

static void
serve_resumed(struct client_h2 *k)
{
	struct http_call *call;

	if (!k->was_resumed)
		return;
	k->was_resumed = 0;
	while (!k->conn->is_doomed && (call = find_resumed(k)) != NULL)
		release_held(k, call);
}

/* --- the stream --- */

/* After anything that was done: write, and see whether it is all over. */
static void
go_on(struct client_h2 *k)
{
	struct http_connection *c = k->conn;
	struct http_client *client = c->origin->client;
	struct error e;

	if (c->is_doomed)
		return;
	if (h2_write(&k->h2, client->out, sizeof client->out, &e) == -1) {
		break_off(k, &e);
	} else if (h2_is_over(&k->h2)) {
		/* Ended by the server's GOAWAY, or by what it did wrong. */
		if (k->is_closing && k->h2.complaint == NULL)
			error_set(&e, ERROR_CLOSED, 0,
			    "HTTP/2: the server ended the connection");
		else
			error_set(&e, ERROR_PROTOCOL, 0, "HTTP/2: %s",
			    k->h2.complaint != NULL
				? k->h2.complaint
				: "the frames make no sense");
		break_off(k, &e);
	}
	wipe(client->out, sizeof client->out);
}

static void
ready(struct stream *s, int what)
{
	struct http_connection *c = s->owner;
	struct http_client *client = c->origin->client;
	struct client_h2 *k = c->h2;
	struct error e;

	connection_enter_callback(c);
	if ((what & LOOP_READ) &&
	    h2_read(&k->h2, client->in, sizeof client->in, &e) == -1) {
		h2_write(&k->h2, client->out, sizeof client->out,
		    &(struct error){0});
		break_off(k, &e);
	}
	go_on(k);
	if (!c->is_doomed)
		h2_want(&k->h2);
	connection_leave_callback(c);
}

static void
flush(struct loop_deferred *d)
{
	struct client_h2 *k = container_of(d, struct client_h2, flush);
	struct http_connection *c = k->conn;

	connection_enter_callback(c);
	serve_resumed(k);
	go_on(k);
	if (!c->is_doomed)
		h2_want(&k->h2);
	connection_leave_callback(c);
}

/* Nothing came for long: is anybody there? */
static void
ping(struct loop_timer *t)
{
	struct client_h2 *k = container_of(t, struct client_h2, ping);
	struct http_connection *c = k->conn;
	uint64_t quiet = loop_now_ms(t->loop) - k->h2.heard_ms;
	struct error e;

	connection_enter_callback(c);
	if (quiet < PING_AFTER_MS) {
		k->was_pinged = 0;
		loop_timer_start(t, PING_AFTER_MS - quiet);
	} else if (!k->was_pinged) {
		k->was_pinged = 1;
		nghttp2_submit_ping(k->h2.session, NGHTTP2_FLAG_NONE, NULL);
		loop_timer_start(t, PING_WAIT_MS);
		loop_defer(&k->flush);
	} else {
		error_set(
		    &e, ERROR_TIMEOUT, 0, "the server does not answer a ping");
		break_off(k, &e);
	}
	connection_leave_callback(c);
}

/* --- requests --- */

static ssize_t
read_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t n,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct http_call *call = call_of(of_h2(user), id);
	size_t filled;

	(void)session;
	(void)source;
	if (call == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	filled = call_fill(call, (char *)p, n);
	call_sent(call, filled);
	if (call->is_sent)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)filled;
}

static struct span
add_lower(struct text *t, struct span s)
{
	size_t from = t->n;

	for (size_t i = 0; i < s.n; i++)
		text_add_char(t, s.p[i] >= 'A' && s.p[i] <= 'Z'
				     ? (char)(s.p[i] | 0x20)
				     : s.p[i]);
	return (struct span){t->p + from, s.n};
}

/*
 * The head as name and value pairs in t, which must not move meanwhile: it
 * has room for all from the beginning.
 */
static size_t
request_fields(
    struct client_h2 *k, struct http_call *call, nghttp2_nv *nv, struct text *t)
{
	struct http_head *head = &k->conn->origin->client->head;
	struct span before, value;
	size_t n = 4;

	call_read_head(call, head);
	nv[0] = h2_nv(span_of(":method"), head->method);
	nv[1] = h2_nv(span_of(":scheme"),
	    span_of(k->conn->origin->tls != NULL ? "https" : "http"));
	nv[2] = h2_nv(span_of(":authority"), http_field_get(head, "host"));
	nv[3] = h2_nv(span_of(":path"), head->target);
	for (unsigned i = 0; i < head->fields; i++) {
		const struct http_field *f = &head->field[i];
		const struct secret *secret = call_secret_of(call, f, &before);

		if (span_is_nocase(f->name, "host"))
			continue;
		value = f->value;
		if (secret != NULL) {
			size_t from = t->n;

			text_add(t, before);
			text_add(t, secret_reveal(secret));
			value = (struct span){t->p + from, t->n - from};
		}
		nv[n] = h2_nv(add_lower(t, f->name), value);
		if (secret != NULL)
			nv[n].flags = NGHTTP2_NV_FLAG_NO_INDEX;
		n++;
	}
	return n;
}

static int
submit(struct client_h2 *k, struct http_call *call)
{
	nghttp2_nv nv[LIMIT_HTTP_FIELDS + 4];
	nghttp2_data_provider body = {.read_callback = read_body};
	size_t size = call->head.n + 1, head_bytes = call->head.n, n;
	struct text t;
	int32_t id = -1;

	for (unsigned i = 0; i < call->nsecrets; i++) {
		size += secret_reveal(call->secret[i].secret).n;
		head_bytes += secret_reveal(call->secret[i].secret).n;
	}
	text_init(&t, size);
	if (text_room(&t, size - 1, NULL) != NULL) {
		n = request_fields(k, call, nv, &t);
		id = nghttp2_submit_request(k->h2.session, NULL, nv, n,
		    call->body_bytes > 0 ? &body : NULL, call);
		wipe(t.p, t.n);
	}
	text_release(&t);
	if (id < 0)
		return -1;
	call->stream_id = id;
	call_sent(call, head_bytes); /* the head's part of the cursor */
	return 0;
}

static void
http2_attach(struct http_connection *c, struct http_call *call)
{
	struct client_h2 *k = c->h2;
	struct error e;

	call->stage = NET_REQUEST;
	call->has_head = call->has_ended = call->interim = 0;
	buf_init(&call->held, H2_WINDOW_STREAM + BUF_BLOCK);
	call->timing.connected_us =
	    loop_now_us(c->origin->client->loop) - call->started_us;
	if (call->first_byte_ms > 0)
		loop_timer_start(&call->deadline, call->first_byte_ms);
	if (!loop_timer_is_active(&k->ping))
		loop_timer_start(&k->ping, PING_AFTER_MS);
	if (submit(k, call) == -1) {
		error_set(&e, ERROR_FULL, 0, "HTTP/2: no more streams");
		k->is_closing = 1;
		connection_enter_callback(c);
		fail_call(k, call, &e);
		connection_leave_callback(c);
		return;
	}
	loop_defer(&k->flush);
}

static int
http2_has_room(const struct http_connection *c)
{
	const struct client_h2 *k = c->h2;
	uint32_t theirs = nghttp2_session_get_remote_settings(
	    k->h2.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	return !k->is_closing && c->calls.length < STREAMS_MAX &&
	       c->calls.length < theirs &&
	       nghttp2_session_check_request_allowed(k->h2.session);
}

static void
http2_abandon(struct http_connection *c, struct http_call *call)
{
	struct client_h2 *k = c->h2;

	if (k->telling == call)
		k->telling = NULL;
	if (c->is_doomed)
		return;
	reset(k, call, NGHTTP2_CANCEL);
	/* The rest of what a call's end means, at the end of the turn. */
	if (!c->in_callback) {
		connection_enter_callback(c);
		rest_or_close(k);
		connection_leave_callback(c);
	} else {
		rest_or_close(k);
	}
}

static void
http2_resume(struct http_connection *c, struct http_call *call)
{
	struct client_h2 *k = c->h2;

	(void)call;
	k->was_resumed = 1;
	loop_defer(&k->flush);
}

/* --- the protocol's verbs --- */

static int
http2_opened(struct http_connection *c, struct error *e)
{
	nghttp2_session_callbacks *cb = callbacks_new();
	struct client_h2 *k = pool_take(sizeof *k, NULL);
	int r;

	if (k == NULL || cb == NULL) {
		pool_give(k);
		nghttp2_session_callbacks_del(cb);
		return error_set(e, ERROR_FULL, 0, "no memory for HTTP/2");
	}
	memset(k, 0, sizeof *k);
	c->h2 = k;
	k->conn = c;
	loop_deferred_init(&k->flush, c->origin->client->loop, flush);
	loop_timer_init(&k->ping, c->origin->client->loop, ping);
	r = h2_init(
	    &k->h2, c->stream, c->origin->client->loop, 0, cb, STREAMS_MAX, e);
	nghttp2_session_callbacks_del(cb);
	if (r == -1)
		return -1;
	stream_own(c->stream, ready, c);
	stream_want(c->stream, LOOP_READ);
	loop_defer(&k->flush);
	return 0;
}

static void
http2_closed(struct http_connection *c)
{
	struct client_h2 *k = c->h2;

	if (k == NULL)
		return;
	loop_undefer(&k->flush);
	loop_timer_stop(&k->ping);
	h2_release(&k->h2);
	pool_give(k);
	c->h2 = NULL;
}

const struct http_protocol http2_protocol = {
    .alpn = "h2",
    .opened = http2_opened,
    .has_room = http2_has_room,
    .attach = http2_attach,
    .abandon = http2_abandon,
    .resume = http2_resume,
    .closed = http2_closed,
};
