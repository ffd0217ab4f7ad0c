/* What one answer of a model's server means. */

#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/model_private.h"

/* Fields that the retry table may look at. */
static const char *const kept_fields[] = {
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
};
#define NKEPT (sizeof kept_fields / sizeof *kept_fields)

static int
keep_fields(struct model_answer *a, const struct http_head *head)
{
	struct http_head *h;
	size_t at[NKEPT], n[NKEPT];

	h = pool_take(
	    offsetof(struct http_head, field) + NKEPT * sizeof h->field[0],
	    NULL);
	if (h == NULL)
		return -1;
	memset(h, 0, offsetof(struct http_head, field));
	h->status = head->status;
	for (size_t i = 0; i < NKEPT; i++) {
		struct span v = http_field_get(head, kept_fields[i]);

		at[i] = a->kept.n;
		n[i] = v.n;
		text_add(&a->kept, v);
	}
	for (size_t i = 0; i < NKEPT && a->kept.p != NULL; i++)
		if (n[i] > 0)
			h->field[h->fields++] = (struct http_field){
			    span_of(kept_fields[i]), {a->kept.p + at[i], n[i]}};
	a->head = h;
	return 0;
}

/* Where a 307 or 308 leads, if that is the same server. */
static void
read_redirect(struct model_call *call, struct model_answer *a,
    const struct http_head *head)
{
	struct span where = http_field_get(head, "location");
	struct url base = *http_origin_url(call->ep->origin), to;
	struct arena arena;
	struct error e;

	base.target =
	    call->target.n > 0 ? text_span(&call->target) : call->ep->target;
	arena_init(&arena, 64 * KIB);
	if ((head->status == 307 || head->status == 308) && where.n > 0 &&
	    url_resolve(&to, &base, where, &arena, &e) == 0 &&
	    url_same_origin(&base, &to) &&
	    call->redirects < LIMIT_HTTP_REDIRECTS) {
		a->kind = ANSWER_REDIRECT;
		text_add(&a->place, to.target);
	} else {
		a->kind = ANSWER_ERROR;
		a->is_bad_redirect = 1;
		text_add(&a->place, span_slice(where, 0, 200));
	}
	arena_release(&arena);
}

static int
is_type(struct span value, const char *type)
{
	return span_is_nocase(span_trim(span_cut(&value, ';')), type);
}

static void
classify(struct model_call *call, struct model_answer *a,
    const struct http_head *head)
{
	struct span type = http_field_get(head, "content-type");
	struct span coding = http_field_get(head, "content-encoding");

	if (head->status >= 300 && head->status < 400) {
		read_redirect(call, a, head);
	} else if (head->status < 200 || head->status > 299) {
		a->kind = ANSWER_ERROR;
	} else if (coding.n > 0 && !span_is_nocase(coding, "identity")) {
		a->kind = ANSWER_FOREIGN; /* we asked for no compression */
		text_add_str(&a->place, "encoded as ");
		text_add(&a->place, span_slice(coding, 0, 100));
	} else if (call->is_streamed && is_type(type, "text/event-stream")) {
		a->kind = ANSWER_EVENTS;
	} else if (is_type(type, "application/json")) {
		a->kind = ANSWER_WHOLE;
	} else {
		a->kind = ANSWER_FOREIGN;
		text_add_str(&a->place, "of the content type ");
		text_add(&a->place, span_slice(type, 0, 100));
	}
}

static void
tell_text(void *owner, struct span text)
{
	struct model_call *call = owner;

	call->told_text = 1;
	if (call->ops->text != NULL && !call->is_cancelled)
		call->ops->text(call->owner, text);
}

static void
tell_reasoning(void *owner, struct span text)
{
	struct model_call *call = owner;

	if (call->ops->reasoning != NULL && !call->is_cancelled)
		call->ops->reasoning(call->owner, text);
}

struct model_answer *
model_answer_new(struct model_call *call, const struct http_head *head)
{
	struct reply_watch watch = {
	    .text = call->ops->text != NULL ? tell_text : NULL,
	    .reasoning = call->ops->reasoning != NULL ? tell_reasoning : NULL,
	    .owner = call,
	};
	struct model_answer *a = pool_take(sizeof *a, NULL);

	if (a == NULL)
		return NULL;
	memset(a, 0, sizeof *a);
	a->status = head->status;
	reply_init(&a->reply, call->ep->set.provider, &watch);
	sse_init(&a->sse, LIMIT_SSE_LINE, LIMIT_SSE_EVENT);
	text_init(&a->body, LIMIT_ANSWER);
	json_guard_init(&a->guard, LIMIT_ANSWER, 0);
	text_init(&a->kept, LIMIT_HTTP_HEAD);
	text_init(&a->place, LIMIT_HTTP_HEAD);
	if (keep_fields(a, head) == -1) {
		model_answer_free(a);
		return NULL;
	}
	classify(call, a, head);
	return a;
}

void
model_answer_free(struct model_answer *a)
{
	if (a == NULL)
		return;
	reply_release(&a->reply);
	sse_release(&a->sse);
	text_release(&a->body);
	text_release(&a->kept);
	text_release(&a->place);
	pool_give(a->head);
	pool_give(a);
}

/* --- ends --- */

static int
protocol_end(struct attempt_end *end, const struct error *e)
{
	end->c.event = RETRY_EV_PROTOCOL;
	end->error = *e;
	return -1;
}

/* The reply itself says that it is over, badly. */
static int
reply_end(struct model_answer *a, struct attempt_end *end)
{
	const struct model_reply *r = &a->reply;

	end->error = r->error;
	end->is_too_long = r->is_too_long;
	end->c.event = r->error.code == ERROR_MODEL_PROTOCOL ? RETRY_EV_PROTOCOL
							     : RETRY_EV_SAID;
	end->c.said = r->error.code;
	end->c.is_final = r->is_final;
	end->c.head = a->head;
	return -1;
}

static int
feed_events(struct model_answer *a, struct span in, struct attempt_end *end)
{
	struct sse_event ev;
	struct error e;

	for (;;) {
		switch (sse_next(&a->sse, &in, &ev, &e)) {
		case SSE_MORE:
			return a->reply.end == REPLY_DONE;
		case SSE_BAD:
			return protocol_end(end, &e);
		case SSE_EVENT:
			break;
		}
		if (reply_event(&a->reply, &ev) == -1)
			return reply_end(a, end);
	}
}

int
model_answer_feed(
    struct model_answer *a, struct span bytes, struct attempt_end *end)
{
	struct error e;

	a->bytes += bytes.n;
	if (a->bytes > LIMIT_ANSWER) {
		error_set(&e, ERROR_TOO_BIG, 0,
		    "an answer of more than %zu bytes", LIMIT_ANSWER);
		return protocol_end(end, &e);
	}
	switch (a->kind) {
	case ANSWER_EVENTS:
		return feed_events(a, bytes, end);
	case ANSWER_WHOLE:
		text_add(&a->body, bytes);
		if (json_guard_feed(&a->guard, bytes, &e) == 0)
			return 0;
		error_wrap(
		    &e, "bad JSON in the answer, at byte %zu", a->guard.bytes);
		return protocol_end(end, &e);
	case ANSWER_ERROR:
		if (a->body.n < ERROR_BODY_MAX)
			text_add(&a->body, bytes);
		break;
	case ANSWER_NONE:
	case ANSWER_REDIRECT:
	case ANSWER_FOREIGN:
		break;
	}
	/* Nobody reads on for the rest of a long error page. */
	return a->bytes > ERROR_BODY_MAX ? model_answer_finish(a, end) : 0;
}

static int
status_end(struct model_answer *a, struct attempt_end *end)
{
	end->c.event = RETRY_EV_STATUS;
	end->c.status = a->status;
	end->c.head = a->head;
	if (a->is_bad_redirect && a->place.n > 0)
		return error_set(&end->error, ERROR_MODEL_REJECTED, 0,
		    "status %d to \"%.*s\", which is not followed", a->status,
		    (int)a->place.n, a->place.p);
	provider_read_error(
	    a->status, text_span(&a->body), &end->error, &end->c.is_final);
	end->is_too_long =
	    (a->status == 400 || a->status == 413 || a->status == 422) &&
	    provider_is_too_long(text_span(&a->body));
	return -1;
}

int
model_answer_finish(struct model_answer *a, struct attempt_end *end)
{
	struct model_reply *r = &a->reply;
	struct error e;

	switch (a->kind) {
	case ANSWER_EVENTS:
		if (r->end == REPLY_DONE)
			return 1;
		if (reply_finish(r) == 0 && r->end == REPLY_DONE)
			return 1;
		if (r->end != REPLY_OPEN && r->error.code != ERROR_NONE)
			return reply_end(a, end);
		end->c.event = RETRY_EV_CUT;
		error_set(&end->error, ERROR_CLOSED, 0,
		    "the stream ended without its closing event, after %llu "
		    "bytes",
		    (unsigned long long)a->bytes);
		return -1;
	case ANSWER_WHOLE:
		if (text_overflowed(&a->body)) {
			error_set(&e, ERROR_FULL, 0, "no memory for an answer");
			return protocol_end(end, &e);
		}
		if (reply_whole(r, text_span(&a->body)) == 0 &&
		    r->end == REPLY_DONE)
			return 1;
		return reply_end(a, end);
	case ANSWER_REDIRECT:
		return 0;
	case ANSWER_FOREIGN:
		error_set(&e, ERROR_PROTOCOL, 0, "an answer of status %d %.*s",
		    a->status, (int)a->place.n,
		    a->place.n > 0 ? a->place.p : "");
		return protocol_end(end, &e);
	case ANSWER_ERROR:
		return status_end(a, end);
	case ANSWER_NONE:
		break;
	}
	UNREACHABLE();
}

void
model_answer_broke(const struct http_failure *f, struct attempt_end *end)
{
	enum error_code code = f->error.code;

	end->error = f->error;
	switch (f->stage) {
	case NET_QUEUE:
	case NET_RESOLVE:
	case NET_CONNECT:
		end->c.event = RETRY_EV_CONNECT;
		return;
	case NET_TLS:
		end->c.event =
		    code == ERROR_TLS ? RETRY_EV_TLS : RETRY_EV_TLS_CUT;
		return;
	case NET_REQUEST:
		end->c.event = code == ERROR_CLOSED     ? RETRY_EV_CONNECT
			       : code == ERROR_TLS      ? RETRY_EV_TLS
			       : code == ERROR_PROTOCOL ? RETRY_EV_PROTOCOL
							: RETRY_EV_CUT;
		return;
	case NET_HEAD:
	case NET_BODY:
		end->c.event = code == ERROR_PROTOCOL || code == ERROR_TOO_BIG
				   ? RETRY_EV_PROTOCOL
				   : RETRY_EV_CUT;
		return;
	}
	UNREACHABLE();
}
