/* HTTP/2 on a connection of the client: many calls at a time. */

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/http2_client_private.h"
#include "net/stream.h"

#define STREAMS_MAX 1000 /* that we put on one connection */
#define PING_AFTER_MS 30000
#define PING_WAIT_MS 10000

struct client_h2 *
client_h2_of(void *user)
{
	return container_of((struct h2 *)user, struct client_h2, h2);
}

struct http_call *
client_h2_call(struct client_h2 *k, int32_t id)
{
	return nghttp2_session_get_stream_user_data(k->h2.session, id);
}

void
client_h2_part(struct client_h2 *k, struct http_call *call)
{
	if (call->stream_id != 0)
		nghttp2_session_set_stream_user_data(
		    k->h2.session, call->stream_id, NULL);
	call->stream_id = 0;
}

void
client_h2_reset(struct client_h2 *k, struct http_call *call, uint32_t code)
{
	int32_t id = call->stream_id;

	client_h2_part(k, call);
	if (id != 0)
		nghttp2_submit_rst_stream(
		    k->h2.session, NGHTTP2_FLAG_NONE, id, code);
	loop_defer(&k->flush);
}

void
client_h2_rest_or_close(struct client_h2 *k)
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

void
client_h2_end(struct client_h2 *k, struct http_call *call,
    const struct http_head *trailers)
{
	k->conn->served++;
	h2_earn(&k->h2);
	if (!call->is_sent) /* the rest of its body is in vain */
		client_h2_reset(k, call, NGHTTP2_CANCEL);
	client_h2_part(k, call);
	call_end(call, trailers);
	client_h2_rest_or_close(k);
}

void
client_h2_fail(
    struct client_h2 *k, struct http_call *call, const struct error *e)
{
	client_h2_part(k, call);
	call_fail(call, e);
	client_h2_rest_or_close(k);
}

/*
 * The whole connection is over; calls that may be sent again are.  Where the
 * server broke the protocol, that is the fault of the call whose frame it
 * was: for its neighbours the connection was lost, or one bad answer would
 * be the end of hundreds.
 */
static void
break_off(struct client_h2 *k, const struct error *e)
{
	struct http_connection *c = k->conn;
	int is_shared = e->code == ERROR_PROTOCOL && c->calls.length > 1;
	struct list_node *n;
	struct error lost;

	error_set(&lost, ERROR_CLOSED, 0,
	    "the connection, which others share, was broken: %s", e->text);
	connection_close(c);
	while ((n = list_first(&c->calls)) != NULL) {
		struct http_call *call =
		    container_of(n, struct http_call, node);

		int is_guilty =
		    call->stream_id != 0 && call->stream_id == k->at_stream;

		client_h2_part(k, call);
		if (call->has_ended && call->held.n == 0)
			call_end(call, NULL);
		else
			call_lost(call, is_shared && !is_guilty ? &lost : e);
	}
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
	client_h2_serve_resumed(k);
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

/* --- calls --- */

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
	if (client_h2_submit(k, call) == -1) {
		error_set(&e, ERROR_FULL, 0, "HTTP/2: no more streams");
		k->is_closing = 1;
		connection_enter_callback(c);
		client_h2_fail(k, call, &e);
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
	client_h2_reset(k, call, NGHTTP2_CANCEL);
	/* The rest of what a call's end means, at the end of the turn. */
	if (!c->in_callback) {
		connection_enter_callback(c);
		client_h2_rest_or_close(k);
		connection_leave_callback(c);
	} else {
		client_h2_rest_or_close(k);
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

static void
http2_more(struct http_connection *c, struct http_call *call)
{
	struct client_h2 *k = c->h2;

	nghttp2_session_resume_data(k->h2.session, call->stream_id);
	loop_defer(&k->flush);
}

/* --- the protocol's verbs --- */

static int
http2_opened(struct http_connection *c, struct error *e)
{
	nghttp2_session_callbacks *cb = client_h2_callbacks();
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
    .more = http2_more,
    .closed = http2_closed,
};
