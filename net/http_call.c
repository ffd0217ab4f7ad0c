/* What becomes of one request: places, deadlines, the end. */

#include "engine/base/check.h"
#include "net/http_private.h"

#define REFUSALS_MAX 3

static void too_late(struct loop_timer *t);
static void total_over(struct loop_timer *t);

/* --- places --- */

void
call_give_place(struct http_call *call)
{
	struct http_origin *o = call->origin;

	list_remove(&o->waiting, &call->node);
	list_append(&o->pending, &call->node);
	call->has_place = 1;
	call->epoch = adapt_sent(&o->adapt);
	if (call->timing.placed_us == 0)
		call->timing.placed_us =
		    loop_now_us(o->client->loop) - call->started_us;
	if (++o->counts.in_flight > o->counts.in_flight_peak)
		o->counts.in_flight_peak = o->counts.in_flight;
	if (call->total_ms > 0 && !loop_timer_is_active(&call->total))
		loop_timer_start(&call->total, call->total_ms);
	if (call->ops->placed != NULL)
		call->ops->placed(call->owner, 1);
}

void
call_take_place(struct http_call *call)
{
	if (!call->has_place)
		return;
	call->has_place = 0;
	call->origin->counts.in_flight--;
	origin_wake(call->origin);
}

/* --- how it goes --- */

void
call_heard(struct http_call *call)
{
	call->heard_ms = loop_now_ms(call->origin->client->loop);
}

static void
begin_idle(struct http_call *call)
{
	call_heard(call);
	if (call->idle_ms > 0)
		loop_timer_start(&call->deadline, call->idle_ms);
	else
		loop_timer_stop(&call->deadline);
}

void
call_tell_head(struct http_call *call, const struct http_head *head)
{
	struct http_origin *o = call->origin;

	call->stage = NET_BODY;
	call->timing.head_us = loop_now_us(o->client->loop) - call->started_us;
	origin_learn(o, call, head->status);
	begin_idle(call);
	call->ops->head(call->owner, head);
}

void
call_tell_body(struct http_call *call, struct span bytes)
{
	if (bytes.n > 0)
		call->ops->body(call->owner, bytes);
}

/* Off every list, timers stopped, the place given up. */
static void
detach(struct http_call *call)
{
	struct http_origin *o = call->origin;

	loop_timer_stop(&call->deadline);
	loop_timer_stop(&call->total);
	if (call->conn != NULL)
		list_remove(&call->conn->calls, &call->node);
	else if (call->has_place)
		list_remove(&o->pending, &call->node);
	else
		list_remove(&o->waiting, &call->node);
	call->conn = NULL;
	call_take_place(call);
	call->is_over = 1;
	call->timing.ended_us = loop_now_us(o->client->loop) - call->started_us;
}

static void
call_free(struct http_call *call)
{
	struct http_client *c = call->origin->client;

	text_release(&call->head);
	buf_release(&call->held);
	buf_release(&call->unsent);
	call->magic = 0;
	slab_give(&c->calls, call);
}

void
call_end(struct http_call *call, const struct http_head *trailers)
{
	CHECK_OBJ(call, CALL_MAGIC);
	detach(call);
	call->ops->end(call->owner, trailers);
	call_free(call);
}

void
call_upgraded(struct http_call *call, const struct http_head *head,
    struct stream *s, struct span early)
{
	CHECK_OBJ(call, CALL_MAGIC);
	call->origin->counts.answers++;
	detach(call);
	call->ops->upgraded(call->owner, head, s, early);
	call_free(call);
}

static void
fail(struct http_call *call, int was_kept, const struct error *e)
{
	struct http_failure f = {
	    .error = *e, .stage = call->stage, .was_kept = was_kept};

	CHECK_OBJ(call, CALL_MAGIC);
	call->origin->counts.failures++;
	detach(call);
	call->ops->failed(call->owner, &f);
	call_free(call);
}

void
call_fail(struct http_call *call, const struct error *e)
{
	fail(call, call->conn != NULL && call->conn->served > 0, e);
}

/* Back to where a call is that has a place and waits for a connection. */
static void
send_again(struct http_call *call)
{
	struct http_origin *o = call->origin;

	o->counts.resent++;
	call_rewind(call);
	call->stage = NET_REQUEST;
	call->stream_id = 0;
	loop_timer_stop(&call->deadline);
	list_remove(&call->conn->calls, &call->node);
	call->conn = NULL;
	list_append(&o->pending, &call->node);
	origin_wake(o);
}

/*
 * A kept connection that the peer had closed meanwhile says nothing about
 * the request: nothing was answered, so it is sent once more, on a new one.
 */
void
call_lost(struct http_call *call, const struct error *e)
{
	struct http_connection *c = call->conn;

	if (c == NULL || c->served == 0 || call->was_resent || call->once ||
	    call->was_filled || call->stage != NET_REQUEST ||
	    e->code != ERROR_CLOSED) {
		call_fail(call, e);
		return;
	}
	call->was_resent = call->needs_fresh = 1;
	send_again(call);
}

void
call_refused(struct http_call *call, const struct error *e)
{
	if (call->has_head || call->was_filled ||
	    ++call->refusals > REFUSALS_MAX)
		call_fail(call, e);
	else
		send_again(call);
}

/* End it from our side: its connection must not go on with it. */
static void
abandon(struct http_call *call)
{
	struct http_connection *c = call->conn;

	if (c == NULL)
		return;
	list_remove(&c->calls, &call->node);
	list_append(&call->origin->pending, &call->node);
	call->conn = NULL;
	c->protocol->abandon(c, call);
}

static void
too_late(struct loop_timer *t)
{
	struct http_call *call = container_of(t, struct http_call, deadline);
	uint64_t quiet =
	    loop_now_ms(call->origin->client->loop) - call->heard_ms;
	int kept = call->conn != NULL && call->conn->served > 0;
	struct error e;

	CHECK_OBJ(call, CALL_MAGIC);
	if (call->stage == NET_BODY && call->is_paused) {
		loop_timer_start(&call->deadline, call->idle_ms);
		return;
	}
	if (call->stage == NET_BODY && quiet < call->idle_ms) {
		loop_timer_start(&call->deadline, call->idle_ms - quiet);
		return;
	}
	if (call->stage == NET_BODY)
		error_set(&e, ERROR_TIMEOUT, 0,
		    "the answer stalled: nothing for %u ms",
		    (unsigned)call->idle_ms);
	else
		error_set(&e, ERROR_TIMEOUT, 0, "no answer after %u ms",
		    (unsigned)call->first_byte_ms);
	abandon(call);
	fail(call, kept, &e);
}

static void
total_over(struct loop_timer *t)
{
	struct http_call *call = container_of(t, struct http_call, total);
	struct error e;

	CHECK_OBJ(call, CALL_MAGIC);
	error_set(&e, ERROR_TIMEOUT, 0, "not done after %u ms, %s",
	    (unsigned)call->total_ms, net_stage_name(call->stage));
	abandon(call);
	fail(call, 0, &e);
}

/* --- the public verbs --- */

static int
can_upgrade(const struct http_origin *o, const struct http_request *q,
    const struct http_ops *ops)
{
	return ops->upgraded != NULL && q->nbody == 0 && !q->is_streamed &&
	       !o->set.http2_unasked && (o->tls == NULL || o->set.http1_only);
}

struct http_call *
http_start(struct http_origin *o, const struct http_request *q,
    const struct http_ops *ops, void *owner, struct error *e)
{
	struct http_call *call;

	CHECK_OBJ(o, ORIGIN_MAGIC);
	if (q->upgrade != NULL && !can_upgrade(o, q, ops)) {
		error_set(e, ERROR_CONFIG, 0,
		    "an upgrade needs HTTP/1.1 and a request without a body");
		return NULL;
	}
	call = slab_take(&o->client->calls);
	if (call == NULL) {
		error_set(e, ERROR_FULL, 0, "too many requests at once");
		return NULL;
	}
	call->magic = CALL_MAGIC;
	call->origin = o;
	call->ops = ops;
	call->owner = owner;
	call->method = q->method;
	call->body = q->body;
	call->nbody = q->nbody;
	call->is_streamed = q->is_streamed != 0;
	call->is_counted = q->streamed_bytes > 0;
	call->streamed_left = q->streamed_bytes;
	call->upgrade = q->upgrade;
	call->first_byte_ms = q->first_byte_ms;
	call->idle_ms = q->idle_ms;
	call->total_ms = q->total_ms;
	call->once = q->once != 0;
	call->started_us = loop_now_us(o->client->loop);
	call->seq = ++o->seq;
	loop_timer_init(&call->deadline, o->client->loop, too_late);
	loop_timer_init(&call->total, o->client->loop, total_over);
	if (call_build_head(call, q, e) == -1) {
		call_free(call);
		return NULL;
	}
	o->counts.requests++;
	list_append(&o->waiting, &call->node);
	if (o->waiting.length > o->counts.waiting_peak)
		o->counts.waiting_peak = o->waiting.length;
	origin_wake(o);
	return call;
}

void
http_cancel(struct http_call *call)
{
	if (call == NULL)
		return;
	CHECK_OBJ(call, CALL_MAGIC);
	if (call->is_over)
		return; /* its last callback is running */
	abandon(call);
	detach(call);
	call_free(call);
}

void
http_pause(struct http_call *call)
{
	CHECK_OBJ(call, CALL_MAGIC);
	call->is_paused = 1;
}

void
http_resume(struct http_call *call)
{
	CHECK_OBJ(call, CALL_MAGIC);
	if (!call->is_paused)
		return;
	call->is_paused = 0;
	call_heard(call);
	if (call->conn != NULL)
		call->conn->protocol->resume(call->conn, call);
}

void
http_more(struct http_call *call)
{
	CHECK_OBJ(call, CALL_MAGIC);
	if (!call->is_dry)
		return;
	call->is_dry = 0;
	if (call->conn != NULL)
		call->conn->protocol->more(call->conn, call);
}

const struct http_timing *
http_timing(const struct http_call *call)
{
	return &call->timing;
}
