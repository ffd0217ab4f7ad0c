#include "net/server.h"

#include <errno.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "net/server_private.h"
#include "net/stream.h"

#define CONNECTIONS_MAX 4096
#define STREAMS_MAX 1000
#define BODY_MAX (64 * MIB)
#define REQUEST_MS 30000
#define IDLE_MS 60000
#define WRITE_MS 60000

/* --- exchanges --- */

struct exchange *
exchange_new(struct server_connection *c)
{
	struct exchange *x = pool_take(sizeof *x, NULL);
	struct server *s = c->server;

	if (x == NULL)
		return NULL;
	memset(x, 0, sizeof *x);
	x->magic = EXCHANGE_MAGIC;
	x->server = s;
	x->conn = c;
	x->length_left = -1;
	text_init(&x->head_bytes, LIMIT_HTTP_HEAD);
	text_init(&x->body, s->set.request_body_max);
	buf_init(&x->out, LIMIT_SERVER_UNSENT);
	list_append(&c->exchanges, &x->node);
	return x;
}

/* Spans into the bytes follow them; a literal stays where it is. */
static struct span
moved(struct span s, struct span from, const char *to)
{
	if (s.p >= from.p && s.p < from.p + from.n)
		s.p = to + (s.p - from.p);
	return s;
}

int
exchange_keep_head(
    struct exchange *x, const struct http_head *head, struct span bytes)
{
	size_t size = offsetof(struct http_head, field) +
		      head->fields * sizeof head->field[0];
	const char *to;

	text_add(&x->head_bytes, bytes);
	x->head = pool_take(size, NULL);
	if (x->head == NULL || text_overflowed(&x->head_bytes))
		return -1;
	to = x->head_bytes.p;
	memcpy(x->head, head, size);
	x->head->method = moved(head->method, bytes, to);
	x->head->target = moved(head->target, bytes, to);
	x->head->upgrade = moved(head->upgrade, bytes, to);
	for (unsigned i = 0; i < head->fields; i++) {
		x->head->field[i].name = moved(head->field[i].name, bytes, to);
		x->head->field[i].value =
		    moved(head->field[i].value, bytes, to);
	}
	return 0;
}

void
exchange_tell(struct exchange *x)
{
	struct server *s = x->server;

	x->is_told = 1;
	s->counts.requests++;
	if (++s->counts.exchanges > s->counts.exchanges_peak)
		s->counts.exchanges_peak = s->counts.exchanges;
	s->ops->request(s->owner, x);
}

static void
let_go(struct exchange *x)
{
	CHECK(!x->is_ended);
	x->is_ended = 1;
	if (x->is_told)
		x->server->counts.exchanges--;
}

void
exchange_free(struct exchange *x)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (x->is_told && !x->is_ended) {
		let_go(x);
		x->server->ops->gone(x->server->owner, x);
	}
	list_remove(&x->conn->exchanges, &x->node);
	if (x->stream_id != 0)
		loop_timer_stop(&x->deadline);
	text_release(&x->head_bytes);
	text_release(&x->body);
	text_release(&x->raw);
	buf_release(&x->out);
	pool_give(x->head);
	x->magic = 0;
	pool_give(x);
}

void
exchange_has_room(struct exchange *x)
{
	if (!x->is_short || x->is_ended ||
	    x->conn->protocol->room(x) < LIMIT_SERVER_UNSENT / 2)
		return;
	x->is_short = 0;
	if (x->is_told)
		x->server->ops->writable(x->server->owner, x);
}

struct span
exchange_method(const struct exchange *x)
{
	return x->head->method;
}

struct span
exchange_target(const struct exchange *x)
{
	return x->head->target;
}

struct span
exchange_field(const struct exchange *x, const char *name)
{
	return http_field_get(x->head, name);
}

struct span
exchange_body(const struct exchange *x)
{
	return text_span(&x->body);
}

int
exchange_is_http2(const struct exchange *x)
{
	return x->stream_id != 0;
}

void
exchange_set_user(struct exchange *x, void *user)
{
	x->user = user;
}

void *
exchange_user(const struct exchange *x)
{
	return x->user;
}

/* --- answering --- */

void
server_head(struct exchange *x, int status, const struct http_field *fields,
    unsigned nfields, int64_t length)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	CHECK(!x->is_ended && !x->has_head);
	x->has_head = 1;
	x->status = status;
	x->length_left = length;
	if (status == 204 || status == 304 ||
	    (x->head != NULL && span_is(x->head->method, "HEAD")))
		x->drops_body = 1;
	x->conn->protocol->head(x, fields, nfields, length);
}

size_t
server_write(struct exchange *x, struct span bytes)
{
	size_t n = bytes.n, room;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	CHECK(!x->is_ended && x->has_head);
	if (x->length_left >= 0)
		CHECK(n <= (uint64_t)x->length_left);
	room = x->conn->protocol->room(x);
	if (n > room) {
		n = room;
		x->is_short = 1;
	}
	if (n == 0)
		return 0;
	if (x->length_left >= 0)
		x->length_left -= (int64_t)n;
	if (!x->drops_body)
		x->conn->protocol->write(x, span_slice(bytes, 0, n));
	return n;
}

void
server_end(struct exchange *x)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	CHECK(x->has_head);
	let_go(x);
	if (x->length_left > 0 && !x->drops_body)
		x->after = AFTER_CUT;
	x->conn->protocol->end(x);
}

void
server_answer(
    struct exchange *x, int status, const char *content_type, struct span body)
{
	struct http_field f = {span_of("Content-Type"), span_of(content_type)};

	server_head(x, status, &f, 1, (int64_t)body.n);
	/* An answer is small: what the ceiling of a slow peer does not hold
	   is allowed here, once, and drains before anything else happens. */
	x->out.bytes_max = LIMIT_SERVER_UNSENT + body.n;
	server_write(x, body);
	server_end(x);
}

void
server_goaway(struct exchange *x)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (exchange_is_http2(x))
		x->conn->protocol->drain(x->conn);
	else
		x->after = AFTER_CLOSE;
}

static void
be_rude(struct exchange *x, enum server_after after)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	let_go(x);
	x->after = after;
	x->conn->protocol->rude(x);
}

void
server_reset(struct exchange *x)
{
	be_rude(x, AFTER_RESET);
}

void
server_close(struct exchange *x)
{
	be_rude(x, AFTER_CUT);
}

void
server_raw(struct exchange *x, struct span bytes)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (exchange_is_http2(x)) {
		text_init(&x->raw, LIMIT_SERVER_RAW);
		text_add(&x->raw, bytes);
		be_rude(x, AFTER_RAW);
	} else {
		buf_write(&x->out, bytes);
		be_rude(x, AFTER_CUT);
	}
}

/* --- connections --- */

static void
connection_free(struct server_connection *c)
{
	struct server *s = c->server;
	struct list_node *n;

	CHECK_OBJ(c, SERVER_CONN_MAGIC);
	c->in_callback = 1; /* gone() may not close it a second time */
	loop_undefer(&c->flush);
	while ((n = list_first(&c->exchanges)) != NULL)
		exchange_free(container_of(n, struct exchange, node));
	if (c->protocol != NULL)
		c->protocol->closed(c);
	loop_timer_stop(&c->deadline);
	stream_close(c->stream);
	list_remove(&s->connections, &c->node);
	c->magic = 0;
	slab_give(&s->slab, c);
	s->listener.connections--;
	if (!s->is_draining)
		tcp_listener_resume(&s->listener);
}

void
server_connection_enter(struct server_connection *c)
{
	CHECK_OBJ(c, SERVER_CONN_MAGIC);
	CHECK(!c->in_callback);
	c->in_callback = 1;
}

void
server_connection_leave(struct server_connection *c)
{
	c->in_callback = 0;
	if (c->is_doomed)
		connection_free(c);
}

void
server_connection_close(struct server_connection *c)
{
	c->is_doomed = 1;
	if (!c->in_callback)
		connection_free(c);
	else
		stream_want(c->stream, LOOP_NOTHING);
}

static void
opened(struct server_connection *c)
{
	loop_timer_stop(&c->deadline);
	c->protocol = &http1_server_protocol;
	if (c->server->set.tls != NULL &&
	    strcmp(tls_alpn(c->stream), "h2") == 0)
		c->protocol = &http2_server_protocol;
	c->protocol->opened(c);
}

void
server_connection_switch(struct server_connection *c,
    const struct server_protocol *to, struct span bytes)
{
	loop_undefer(&c->flush);
	loop_timer_stop(&c->deadline);
	c->protocol->closed(c);
	c->protocol = to;
	to->opened(c);
	to->feed(c, bytes);
}

/* What a refused peer still sends is read past TLS and thrown away. */
static void
discard(struct stream *st, int want)
{
	struct server_connection *c = st->owner;
	ssize_t n = os->read(st->fd, c->server->in, sizeof c->server->in);

	(void)want;
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		server_connection_close(c);
}

/*
 * Closing at once while bytes of the peer are unread would be a reset, which
 * overtakes the alert that says what was wrong.
 */
static void
shook_hands(struct stream *st, void *owner, const struct error *e)
{
	struct server_connection *c = owner;

	if (e == NULL) {
		opened(c);
		return;
	}
	shutdown(st->fd, SHUT_WR);
	loop_timer_start(&c->deadline, SERVER_LINGER_MS);
	stream_own(st, discard, c);
	stream_want(st, LOOP_READ);
}

static void
handshake_too_slow(struct loop_timer *t)
{
	server_connection_close(
	    container_of(t, struct server_connection, deadline));
}

static void
accepted(struct tcp_listener *l, int fd)
{
	struct server *s = container_of(l, struct server, listener);
	struct server_connection *c;
	struct stream *st;
	struct error e;

	s->counts.accepted++;
	if (s->set.tls != NULL)
		st = tls_server_stream(s->set.tls, fd, &e);
	else
		st = stream_new(s->loop, fd, &e);
	if (st == NULL)
		return;
	c = slab_take(&s->slab);
	CHECK(c != NULL); /* as many slots as the listener lets in */
	l->connections++;
	c->magic = SERVER_CONN_MAGIC;
	c->server = s;
	c->stream = st;
	list_init(&c->exchanges);
	list_append(&s->connections, &c->node);
	if (s->connections.length > s->counts.connections_peak)
		s->counts.connections_peak = s->connections.length;
	loop_timer_init(&c->deadline, s->loop, handshake_too_slow);
	if (s->set.tls == NULL) {
		opened(c);
		return;
	}
	loop_timer_start(&c->deadline, s->set.request_ms);
	tls_handshake_start(st, shook_hands, c);
}

/* --- the server --- */

struct server *
server_new(struct loop *l, const struct server_settings *settings,
    const struct server_ops *ops, void *owner, struct error *e)
{
	struct server *s = pool_take(sizeof *s, NULL);

	if (s == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for a server");
		return NULL;
	}
	memset(s, 0, sizeof *s);
	s->magic = SERVER_MAGIC;
	s->loop = l;
	s->set = *settings;
	s->ops = ops;
	s->owner = owner;
	list_init(&s->connections);
	if (s->set.connections_max == 0)
		s->set.connections_max = CONNECTIONS_MAX;
	if (s->set.streams_max == 0)
		s->set.streams_max = STREAMS_MAX;
	if (s->set.request_body_max == 0)
		s->set.request_body_max = BODY_MAX;
	if (s->set.request_ms == 0)
		s->set.request_ms = REQUEST_MS;
	if (s->set.idle_ms == 0)
		s->set.idle_ms = IDLE_MS;
	if (s->set.write_ms == 0)
		s->set.write_ms = WRITE_MS;
	if (slab_init(&s->slab, "server connections",
		sizeof(struct server_connection), s->set.connections_max,
		e) == -1)
		goto no_slab;
	if (tcp_listen(&s->listener, l, &s->set.at, s->set.connections_max,
		accepted, e) == -1)
		goto no_listener;
	return s;
no_listener:
	slab_release(&s->slab);
no_slab:
	pool_give(s);
	return NULL;
}

void
server_free(struct server *s)
{
	struct list_node *n;

	if (s == NULL)
		return;
	CHECK_OBJ(s, SERVER_MAGIC);
	s->is_draining = 1;
	tcp_listener_close(&s->listener);
	while ((n = list_first(&s->connections)) != NULL)
		connection_free(
		    container_of(n, struct server_connection, node));
	slab_release(&s->slab);
	s->magic = 0;
	pool_give(s);
}

void
server_drain(struct server *s)
{
	struct list_node *n, *next;

	CHECK_OBJ(s, SERVER_MAGIC);
	s->is_draining = 1;
	tcp_listener_close(&s->listener);
	for (n = list_first(&s->connections); n != NULL; n = next) {
		struct server_connection *c =
		    container_of(n, struct server_connection, node);

		next = list_next(&s->connections, n);
		if (c->protocol == NULL)
			server_connection_close(c);
		else
			c->protocol->drain(c);
	}
}

const struct address *
server_address(const struct server *s)
{
	return &s->listener.address;
}

void
server_counts(const struct server *s, struct server_counts *out)
{
	*out = s->counts;
	out->connections = s->connections.length;
}
