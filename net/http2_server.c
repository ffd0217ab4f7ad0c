/* HTTP/2 on a connection of the server: many exchanges at a time. */

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/http2_server_private.h"
#include "net/stream.h"

struct server_h2 *
server_h2_of(void *user)
{
	return container_of((struct h2 *)user, struct server_h2, h2);
}

struct exchange *
server_h2_exchange(struct server_h2 *k, int32_t id)
{
	return nghttp2_session_get_stream_user_data(k->h2.session, id);
}

void
server_h2_drop(struct server_h2 *k, struct exchange *x)
{
	nghttp2_session_set_stream_user_data(k->h2.session, x->stream_id, NULL);
	loop_timer_stop(&x->deadline);
	exchange_free(x);
}

void
server_h2_reset(struct server_h2 *k, struct exchange *x, uint32_t code)
{
	nghttp2_submit_rst_stream(
	    k->h2.session, NGHTTP2_FLAG_NONE, x->stream_id, code);
	server_h2_drop(k, x);
	loop_defer(&k->conn->flush);
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
		server_h2_drop(k, container_of(n, struct exchange, node));
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
	nghttp2_session_callbacks *cb = server_h2_callbacks();
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

	if (k->is_closing)
		return;
	k->is_closing = 1;
	nghttp2_submit_goaway(k->h2.session, NGHTTP2_FLAG_NONE, k->last_id,
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
    .head = server_h2_head,
    .room = server_h2_room,
    .write = server_h2_write,
    .end = server_h2_end,
    .rude = server_h2_rude,
    .drain = http2_drain,
    .closed = http2_closed,
};
