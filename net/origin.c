/*
 * Origins: who may send now, and on which connection.
 *
 * Calls get places in the order in which they came, as many as the limit of
 * the origin allows; a call with a place takes an idle connection (the one
 * used last, so that the others can grow old and go), or has one opened.
 */

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "net/http_private.h"
#include "net/stream.h"
#include "net/tls.h"

static void place(struct loop_deferred *d);

static void
time_has_passed(struct loop_timer *t)
{
	struct http_origin *o = container_of(t, struct http_origin, tick);

	adapt_tick(&o->adapt, loop_now_ms(t->loop));
	origin_wake(o);
}

void
origin_init(struct http_origin *o)
{
	list_init(&o->waiting);
	list_init(&o->pending);
	for (int i = 0; i < 3; i++)
		list_init(&o->connections[i]);
	loop_deferred_init(&o->place, o->client->loop, place);
	loop_timer_init(&o->tick, o->client->loop, time_has_passed);
	adapt_init(&o->adapt, o->set.calls_max, loop_now_ms(o->client->loop));
}

void
origin_wake(struct http_origin *o)
{
	loop_defer(&o->place);
}

static int
is_refusal(int status)
{
	return status == 429 || status == 503 || status == 529;
}

void
origin_learn(struct http_origin *o, struct http_call *call, int status)
{
	uint64_t now = loop_now_ms(o->client->loop);

	o->counts.answers++;
	if (is_refusal(status)) {
		o->counts.limited++;
		adapt_refused(&o->adapt, call->epoch,
		    o->counts.in_flight > 0 ? o->counts.in_flight - 1 : 0, now);
	} else if (status < 500) {
		adapt_accepted(&o->adapt, o->counts.in_flight, now);
	}
	origin_wake(o);
}

void
http_origin_overloaded(struct http_origin *o)
{
	o->counts.limited++;
	adapt_refused(&o->adapt, adapt_sent(&o->adapt), o->counts.in_flight,
	    loop_now_ms(o->client->loop));
}

unsigned
origin_connections(const struct http_origin *o)
{
	return o->connections[CONNECTION_OPENING].length +
	       o->connections[CONNECTION_IDLE].length +
	       o->connections[CONNECTION_BUSY].length;
}

/* --- connections --- */

static void
connection_enter(struct http_connection *c, enum connection_state to)
{
	struct http_origin *o = c->origin;

	list_remove(&o->connections[c->state], &c->node);
	c->state = to;
	list_append(&o->connections[to], &c->node);
}

/* A connection has gone: its slot may be what another origin waits for. */
static void
wake_all(struct http_client *c)
{
	for (struct list_node *n = list_first(&c->origins); n != NULL;
	     n = list_next(&c->origins, n))
		origin_wake(container_of(n, struct http_origin, node));
}

static void
connection_free(struct http_connection *c)
{
	struct http_origin *o = c->origin;

	CHECK_OBJ(c, CONNECTION_MAGIC);
	CHECK(c->calls.length == 0);
	loop_timer_stop(&c->idle);
	conn_cancel(c->op);
	if (c->protocol != NULL)
		c->protocol->closed(c);
	if (c->stream != NULL) {
		o->counts.bytes_in += c->stream->bytes_in;
		o->counts.bytes_out += c->stream->bytes_out;
		stream_close(c->stream);
	}
	list_remove(&o->connections[c->state], &c->node);
	c->magic = 0;
	slab_give(&o->client->connections, c);
	wake_all(o->client);
}

void
connection_enter_callback(struct http_connection *c)
{
	CHECK_OBJ(c, CONNECTION_MAGIC);
	CHECK(!c->in_callback);
	c->in_callback = 1;
}

void
connection_leave_callback(struct http_connection *c)
{
	c->in_callback = 0;
	if (c->is_doomed)
		connection_free(c);
}

void
connection_close(struct http_connection *c)
{
	c->is_doomed = 1;
	if (!c->in_callback)
		connection_free(c);
	else if (c->stream != NULL)
		stream_want(c->stream, LOOP_NOTHING);
}

static void
idle_too_long(struct loop_timer *t)
{
	struct http_connection *c =
	    container_of(t, struct http_connection, idle);

	stream_finish(c->stream);
	connection_close(c);
}

void
connection_rest(struct http_connection *c)
{
	connection_enter(c, CONNECTION_IDLE);
	loop_timer_start(&c->idle, c->origin->set.idle_keep_ms);
	origin_wake(c->origin);
}

static void
attach(struct http_connection *c, struct http_call *call)
{
	struct http_origin *o = c->origin;

	loop_timer_stop(&c->idle);
	if (c->served > 0)
		o->counts.reused++;
	list_remove(&o->pending, &call->node);
	if (c->state != CONNECTION_BUSY)
		connection_enter(c, CONNECTION_BUSY);
	call->conn = c;
	list_append(&c->calls, &call->node);
	c->protocol->attach(c, call);
}

/* --- opening --- */

/*
 * A connection could not be made.  Whoever was already pending when it began
 * has waited for it; if other connections live, only one of them has.
 */
static void
opening_failed(struct http_origin *o, uint64_t since, enum net_stage stage,
    const struct error *e)
{
	int alone = origin_connections(o) == 0;
	struct list_node *n;

	while ((n = list_first(&o->pending)) != NULL) {
		struct http_call *call =
		    container_of(n, struct http_call, node);

		if (call->seq > since)
			break;
		call->stage = stage;
		call_fail(call, e);
		if (!alone || o->protocol == &http1_protocol)
			break;
	}
	origin_wake(o);
}

static void
note_handshake(struct http_connection *c)
{
	struct http_origin *o = c->origin;

	o->counts.connects++;
	if (o->tls == NULL)
		return;
	if (tls_was_resumed(c->stream))
		o->counts.handshakes_resumed++;
	else
		o->counts.handshakes_full++;
}

static const struct http_protocol *
protocol_of(const struct http_connection *c)
{
	const struct http_origin *o = c->origin;

	if (o->tls == NULL ? o->set.http2_unasked
			   : strcmp(tls_alpn(c->stream), "h2") == 0)
		return &http2_protocol;
	return &http1_protocol;
}

static void
opened(void *owner, struct stream *s, const struct error *e)
{
	struct http_connection *c = owner;
	struct http_origin *o = c->origin;
	uint64_t since = c->opening_since;
	struct error mine;
	enum net_stage stage;

	CHECK_OBJ(c, CONNECTION_MAGIC);
	stage = e == NULL ? NET_REQUEST : conn_stage(c->op);
	c->op = NULL;
	if (e == NULL) {
		c->stream = s;
		c->protocol = protocol_of(c);
		note_handshake(c);
		if (c->protocol->opened(c, &mine) == -1)
			e = &mine;
	}
	if (e != NULL) {
		mine = *e;
		connection_free(c);
		opening_failed(o, since, stage, &mine);
		return;
	}
	o->protocol = c->protocol;
	connection_rest(c);
}

/* All slots are taken: whose connection is idle must give it up. */
static void
reclaim_one(struct http_client *client)
{
	for (struct list_node *n = list_first(&client->origins); n != NULL;
	     n = list_next(&client->origins, n)) {
		struct http_origin *o =
		    container_of(n, struct http_origin, node);
		struct list_node *idle =
		    list_first(&o->connections[CONNECTION_IDLE]);

		if (idle == NULL)
			continue;
		connection_close(
		    container_of(idle, struct http_connection, node));
		return;
	}
}

static struct http_connection *
connection_take(struct http_client *client)
{
	struct http_connection *c = slab_take(&client->connections);

	if (c != NULL)
		return c;
	reclaim_one(client);
	return slab_take(&client->connections);
}

static int
open_one(struct http_origin *o)
{
	struct http_connection *c = connection_take(o->client);
	struct conn_settings set = {
	    .loop = o->client->loop,
	    .dns = o->client->dns,
	    .tls = o->tls,
	    .proxy = o->proxy.host.n > 0 ? &o->proxy : NULL,
	    .host = o->url.host,
	    .port = o->url.port,
	    .is_unix = o->url.scheme == URL_UNIX,
	    .only_loopback = o->tls == NULL && !o->set.plain_anywhere,
	    .timeout_ms = o->set.connect_ms,
	};
	struct error e;

	if (c == NULL)
		return -1; /* some other connection has to end first */
	c->magic = CONNECTION_MAGIC;
	c->origin = o;
	c->state = CONNECTION_OPENING;
	c->opening_since = o->seq;
	list_init(&c->calls);
	loop_timer_init(&c->idle, o->client->loop, idle_too_long);
	list_append(&o->connections[CONNECTION_OPENING], &c->node);
	if (origin_connections(o) > o->counts.connections_peak)
		o->counts.connections_peak = origin_connections(o);
	c->op = conn_start(&set, opened, c, &e);
	if (c->op != NULL)
		return 0;
	connection_free(c);
	opening_failed(o, o->seq, NET_CONNECT, &e);
	return -1;
}

static unsigned
unsettled(const struct http_origin *o)
{
	const struct list *busy = &o->connections[CONNECTION_BUSY];
	unsigned count = 0;

	for (struct list_node *n = list_first(busy); n != NULL;
	     n = list_next(busy, n))
		if (!container_of(n, struct http_connection, node)->is_settled)
			count++;
	return count;
}

/* How many connections should be opened now. */
static unsigned
openings_needed(const struct http_origin *o)
{
	unsigned opening =
	    o->connections[CONNECTION_OPENING].length + unsettled(o);
	unsigned all = origin_connections(o), want;

	/* One connection may serve all, once the protocol is known. */
	want = o->protocol == &http1_protocol ? o->pending.length : 1;
	if (want > o->pending.length)
		want = o->pending.length;
	if (want <= opening || all >= o->set.connections_max)
		return 0;
	want -= opening;
	if (want > o->set.connections_max - all)
		want = o->set.connections_max - all;
	return want;
}

/* --- places --- */

static unsigned
limit(const struct http_origin *o)
{
	unsigned n = o->set.calls_max;

	if (!o->set.limit_is_fixed && n > o->adapt.limit)
		n = o->adapt.limit;
	if (o->protocol == &http1_protocol && n > o->set.connections_max)
		n = o->set.connections_max;
	return n;
}

static struct http_connection *
usable(struct http_origin *o, const struct http_call *call)
{
	struct list *idle = &o->connections[CONNECTION_IDLE];
	struct list *busy = &o->connections[CONNECTION_BUSY];
	struct list_node *n;

	/* The last used first. */
	for (n = idle->length > 0 ? idle->head.prev : NULL;
	     n != NULL && n != &idle->head; n = n->prev) {
		struct http_connection *c =
		    container_of(n, struct http_connection, node);

		if (!c->is_doomed && !(call->needs_fresh && c->served > 0))
			return c;
	}
	if (o->protocol == &http1_protocol)
		return NULL;
	for (n = list_first(busy); n != NULL; n = list_next(busy, n)) {
		struct http_connection *c =
		    container_of(n, struct http_connection, node);

		if (!c->is_doomed && c->protocol->has_room(c))
			return c;
	}
	return NULL;
}

static void
place(struct loop_deferred *d)
{
	struct http_origin *o = container_of(d, struct http_origin, place);
	struct list_node *n;

	CHECK_OBJ(o, ORIGIN_MAGIC);
	o->counts.limit = limit(o);
	while (o->counts.in_flight < o->counts.limit &&
	       (n = list_first(&o->waiting)) != NULL)
		call_give_place(container_of(n, struct http_call, node));
	while ((n = list_first(&o->pending)) != NULL) {
		struct http_call *call =
		    container_of(n, struct http_call, node);
		struct http_connection *c = usable(o, call);

		if (c == NULL)
			break;
		attach(c, call);
	}
	for (unsigned left = openings_needed(o); left > 0; left--)
		if (open_one(o) == -1)
			break;
	if (o->waiting.length > 0 && o->adapt.limit < o->adapt.ceiling &&
	    !loop_timer_is_active(&o->tick))
		loop_timer_start(&o->tick,
		    adapt_tick_in(&o->adapt, loop_now_ms(o->tick.loop)) + 1);
}

void
origin_close_all(struct http_origin *o)
{
	for (int state = 0; state < 3; state++) {
		struct list *l = &o->connections[state];
		struct list_node *n;

		while ((n = list_first(l)) != NULL)
			connection_free(
			    container_of(n, struct http_connection, node));
	}
	loop_undefer(&o->place);
	loop_timer_stop(&o->tick);
}
