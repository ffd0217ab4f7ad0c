#include "net/model_call.h"

#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "net/model_private.h"

/*
 * Theory of operation
 *
 * An attempt is one HTTP exchange; attempt_over() is the one place where it
 * is decided whether there is another.  While a callback of the exchange is
 * running, a cancelled call stays in memory (in_callback) so that what is
 * still on the stack may look at it.
 */

#define BODY_MAX (POOL_BLOCK_MAX - 1)
#define BODY_SETTLED_MAX (64 * KIB)
#define DRAIN_MS 1000 /* for the end of a stream whose reply is whole */

static void backoff_over(struct loop_timer *t);
static int start_attempt(struct model_call *call, struct error *e);

/* --- ends --- */

static void
call_free(struct model_call *call)
{
	loop_timer_stop(&call->backoff);
	model_answer_free(call->answer);
	if (call->body.p == NULL)
		for (unsigned i = 0; i < call->slices; i++)
			pool_give((char *)call->slice[i].p);
	text_release(&call->body);
	text_release(&call->target);
	text_release(&call->request_id);
	call->magic = 0;
	pool_give(call);
}

static void
enter(struct model_call *call)
{
	CHECK_OBJ(call, MODEL_CALL_MAGIC);
	CHECK(!call->in_callback);
	call->in_callback = 1;
}

static void
leave(struct model_call *call)
{
	call->in_callback = 0;
	if (call->is_cancelled)
		call_free(call);
}

static uint64_t
now_ms(const struct model_call *call)
{
	return loop_now_ms(call->backoff.loop);
}

static void
drop_exchange(struct model_call *call)
{
	http_cancel(call->http);
	call->http = NULL;
}

static void
placed(void *owner, int has_place)
{
	struct model_call *call = owner;

	if (has_place == call->has_place)
		return;
	call->has_place = has_place;
	if (has_place) {
		call->timing.wait_ms += now_ms(call) - call->unplaced_since_ms;
		call->attempt_ms = now_ms(call);
	} else {
		call->unplaced_since_ms = now_ms(call);
	}
	if (call->ops->placed != NULL)
		call->ops->placed(call->owner, has_place);
}

/* The call is over for its owner; memory goes when the stack has unwound. */
static void
finish(struct model_call *call)
{
	drop_exchange(call);
	loop_timer_stop(&call->backoff);
	call->is_cancelled = 1;
	call->timing.total_ms = now_ms(call) - call->started_ms;
}

static void
succeed(struct model_call *call)
{
	struct model_result r = {
	    .reply = &call->answer->reply,
	    .attempts = call->attempt,
	};

	finish(call);
	r.request_id = text_span(&call->request_id);
	r.timing = call->timing;
	call->ops->done(call->owner, &r);
}

/* No secret in a text, even when the server repeats it. */
static void
scrub(const struct model_endpoint *ep, struct error *e)
{
	for (unsigned i = 0; i < ep->nfields; i++) {
		struct span secret, text = span_of(e->text);
		size_t at;

		if (ep->field[i].secret == NULL)
			continue;
		secret = secret_reveal(ep->field[i].secret);
		if (secret.n < 4)
			continue;
		while ((at = span_search(text, secret, 0)) < text.n) {
			char *p = e->text + (text.p - e->text) + at;

			memset(p, '*', secret.n);
			text = span_slice(text, at + secret.n, text.n);
		}
	}
}

static void
give_up(struct model_call *call, const struct retry_verdict *v)
{
	struct model_failure f = {
	    .attempts = call->attempt,
	    .status = call->status,
	    .usage = call->usage,
	    .is_too_long = call->is_too_long,
	};
	struct span origin = http_origin_text(call->ep->origin);
	struct span target = call->ep->target;

	error_set(&f.error, v->code, 0,
	    "POST %.*s%.*s failed, tried %u time%s; %s: %s",
	    (int)(origin.n < 100 ? origin.n : 100), origin.p,
	    (int)(target.n < 60 ? target.n : 60), target.p, call->attempt,
	    call->attempt == 1 ? "" : "s", v->why, call->trouble.text);
	scrub(call->ep, &f.error);
	finish(call);
	f.request_id = text_span(&call->request_id);
	f.timing = call->timing;
	call->ops->failed(call->owner, &f);
}

/* --- attempts --- */

static void
attempt_over(struct model_call *call, struct attempt_end *end)
{
	struct retry_verdict v;

	drop_exchange(call);
	if (call->answer != NULL)
		call->usage = call->answer->reply.usage;
	if (end->c.event == RETRY_EV_PROTOCOL)
		call->protocol_faults++;
	end->c.attempt = call->attempt;
	end->c.protocol_faults = call->protocol_faults;
	end->c.wall_seconds = os->wall_ms() / 1000;
	if (os->random(&end->c.random, sizeof end->c.random) == -1)
		end->c.random = UINT32_MAX;
	call->trouble = end->error;
	call->is_too_long = end->is_too_long;
	scrub(call->ep, &call->trouble);
	retry_decide(&call->ep->set.retry, &end->c, &v);
	if (v.lowers_limit && end->c.event == RETRY_EV_SAID)
		http_origin_overloaded(call->ep->origin);
	model_answer_free(call->answer);
	call->answer = NULL;
	if (!v.again) {
		give_up(call, &v);
		return;
	}
	if (call->told_text && call->ops->restarted != NULL)
		call->ops->restarted(call->owner);
	call->told_text = 0;
	if (call->is_cancelled)
		return;
	call->timing.backoff_ms += v.wait_ms;
	loop_timer_start(&call->backoff, v.wait_ms);
}

static void
got_head(void *owner, const struct http_head *head)
{
	struct model_call *call = owner;
	struct attempt_end end = {.c.event = RETRY_EV_CUT};
	struct span id = http_field_get(head, "x-request-id");

	enter(call);
	if (id.n == 0)
		id = http_field_get(head, "request-id");
	text_clear(&call->request_id);
	text_add(&call->request_id, span_slice(id, 0, 256));
	call->status = head->status;
	call->timing.first_byte_ms = now_ms(call) - call->attempt_ms;
	call->answer = model_answer_new(call, head);
	if (call->answer == NULL) {
		error_set(&end.error, ERROR_FULL, 0, "no memory for an answer");
		attempt_over(call, &end);
	}
	leave(call);
}

static void
got_body(void *owner, struct span bytes)
{
	struct model_call *call = owner;
	struct attempt_end end = {.c.event = RETRY_EV_CUT};
	int r;

	enter(call);
	r = model_answer_feed(call->answer, bytes, &end);
	if (!call->is_cancelled && r == -1)
		attempt_over(call, &end);
	else if (!call->is_cancelled && r == 1 &&
		 !loop_timer_is_active(&call->backoff))
		/* The stream's own end lets the connection be kept. */
		loop_timer_start(&call->backoff, DRAIN_MS);
	leave(call);
}

/* On to where the server pointed; not an attempt of its own. */
static void
follow(struct model_call *call)
{
	struct attempt_end end = {.c.event = RETRY_EV_CUT};

	call->redirects++;
	text_release(&call->target);
	text_add(&call->target, text_span(&call->answer->place));
	model_answer_free(call->answer);
	call->answer = NULL;
	if (start_attempt(call, &end.error) == -1)
		attempt_over(call, &end);
}

static void
got_end(void *owner, const struct http_head *trailers)
{
	struct model_call *call = owner;
	struct attempt_end end = {.c.event = RETRY_EV_CUT};
	int r;

	(void)trailers;
	enter(call);
	call->http = NULL;
	loop_timer_stop(&call->backoff);
	r = model_answer_finish(call->answer, &end);
	if (!call->is_cancelled) {
		if (r == 1)
			succeed(call);
		else if (r == 0)
			follow(call);
		else
			attempt_over(call, &end);
	}
	leave(call);
}

static void
broke(void *owner, const struct http_failure *f)
{
	struct model_call *call = owner;
	struct attempt_end end = {.c.event = RETRY_EV_CUT};

	enter(call);
	call->http = NULL;
	loop_timer_stop(&call->backoff);
	if (call->answer != NULL && call->answer->reply.end == REPLY_DONE) {
		succeed(call); /* all that matters had come */
	} else {
		model_answer_broke(f, &end);
		attempt_over(call, &end);
	}
	leave(call);
}

static const struct http_ops exchange_ops = {
    .placed = placed,
    .head = got_head,
    .body = got_body,
    .end = got_end,
    .failed = broke,
};

static int
start_attempt(struct model_call *call, struct error *e)
{
	struct model_endpoint *ep = call->ep;
	struct http_request_field field[ENDPOINT_FIELDS_MAX];
	char count[12];
	struct http_request q = {
	    .method = "POST",
	    .target =
		call->target.n > 0 ? text_span(&call->target) : ep->target,
	    .fields = field,
	    .nfields = ep->nfields,
	    .body = call->slice,
	    .nbody = call->slices,
	    .first_byte_ms = ep->set.first_byte_ms,
	    .idle_ms = ep->set.idle_ms,
	};

	memcpy(field, ep->field, ep->nfields * sizeof *field);
	snprintf(count, sizeof count, "%u", call->attempt - 1);
	field[q.nfields++] = (struct http_request_field){
	    "x-stainless-retry-count", span_of(count), NULL};
	field[q.nfields++] = (struct http_request_field){"Accept",
	    span_of(
		call->is_streamed ? "text/event-stream" : "application/json"),
	    NULL};
	placed(call, 0);
	if (call->is_cancelled)
		return 0; /* its owner did not want to wait again */
	call->http = http_start(ep->origin, &q, &exchange_ops, call, e);
	return call->http == NULL ? -1 : 0;
}

/* Time for the next attempt; or a whole reply's stream would not end. */
static void
backoff_over(struct loop_timer *t)
{
	struct model_call *call = container_of(t, struct model_call, backoff);
	struct attempt_end end = {.c.event = RETRY_EV_CUT};

	enter(call);
	if (call->answer != NULL) {
		succeed(call);
	} else {
		call->attempt++;
		call->redirects = 0;
		text_release(&call->target);
		if (start_attempt(call, &end.error) == -1)
			attempt_over(call, &end);
	}
	leave(call);
}

/* --- the public verbs --- */

/*
 * A text has grown by doubling, and hundreds of calls wait at once: what they
 * hold is made to fit, in blocks of the pool's sizes.  Large bodies stay as
 * they are, and so does one for which memory is short.
 */
static void
settle_body(struct model_call *call)
{
	struct span rest = text_span(&call->body);
	unsigned n = 0;

	call->slice[0] = rest;
	call->slices = 1;
	if (rest.n > BODY_SETTLED_MAX)
		return;
	for (; rest.n > 0; n++) {
		size_t size = POOL_BLOCK_MIN;
		char *block;

		while (size * 2 <= rest.n)
			size *= 2;
		if (size > rest.n || n == BODY_SLICES - 1)
			size = rest.n;
		block = pool_take(size, NULL);
		if (block == NULL)
			break;
		memcpy(block, rest.p, size);
		call->slice[n] = (struct span){block, size};
		rest = span_slice(rest, size, rest.n);
	}
	if (rest.n > 0) {
		while (n > 0)
			pool_give((char *)call->slice[--n].p);
		call->slice[0] = text_span(&call->body);
		return;
	}
	call->slices = n;
	text_release(&call->body);
}

struct model_call *
model_call_start(struct model_endpoint *ep, const struct model_request *q,
    const struct model_call_ops *ops, void *owner, struct error *e)
{
	struct model_call *call = pool_take(sizeof *call, NULL);

	CHECK_OBJ(ep, ENDPOINT_MAGIC);
	if (call == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for a model call");
		return NULL;
	}
	memset(call, 0, sizeof *call);
	call->magic = MODEL_CALL_MAGIC;
	call->ep = ep;
	call->ops = ops;
	call->owner = owner;
	call->is_streamed = q->stream;
	call->attempt = 1;
	text_init(&call->body, BODY_MAX);
	text_init(&call->target, LIMIT_HTTP_LINE);
	text_init(&call->request_id, 512);
	loop_timer_init(
	    &call->backoff, http_client_loop(ep->client), backoff_over);
	call->started_ms = call->unplaced_since_ms = now_ms(call);
	if (ep->set.provider->build(q, &call->body, e) == -1)
		goto failed;
	if (text_overflowed(&call->body)) {
		error_set(e, ERROR_TOO_BIG, 0,
		    "the request does not fit into memory");
		goto failed;
	}
	settle_body(call);
	if (start_attempt(call, e) == -1)
		goto failed;
	return call;
failed:
	call_free(call);
	return NULL;
}

void
model_call_cancel(struct model_call *call)
{
	if (call == NULL)
		return;
	CHECK_OBJ(call, MODEL_CALL_MAGIC);
	if (call->is_cancelled)
		return; /* its last callback is running */
	finish(call);
	if (!call->in_callback)
		call_free(call);
}

const char *
model_call_trouble(const struct model_call *call)
{
	return call->trouble.code == ERROR_NONE ? "" : call->trouble.text;
}
