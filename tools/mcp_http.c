/*
 * Streamable HTTP: every message is posted; the answer is one JSON document
 * or a stream of events.  In the revisions with sessions a stream that ends
 * before the answer is taken up again by GET and the id of its last event,
 * after the pause that it asked for; that repeats nothing.  In 2026-07-28
 * there are no sessions, and closing a stream cancels its call.
 *
 * Redirects are not followed: a token goes to the address that was
 * configured, and nowhere else.
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/agent.h"
#include "engine/base/check.h"
#include "tools/mcp_auth.h"
#include "tools/mcp_private.h"

#define ERROR_BODY_MAX (64 * KIB)
#define RESUMES_MAX 10
#define RESUME_MS 1000
#define RESUME_MAX_MS 60000

/* --- fields --- */

struct fields {
	struct http_request_field at[MCP_FIELDS_MAX];
	unsigned n;
};

static void
put(struct fields *f, const char *name, struct span value)
{
	if (f->n < MCP_FIELDS_MAX && value.n > 0)
		f->at[f->n++] = (struct http_request_field){name, value, NULL};
}

static void
put_configured(struct fields *f, const struct mcp_server *s)
{
	for (unsigned i = 0; i < s->spec->headers_n; i++) {
		const struct agent_header *h = &s->spec->headers[i];

		if (f->n == MCP_FIELDS_MAX)
			return;
		f->at[f->n++] = (struct http_request_field){h->name,
		    span_of(h->value), h->value != NULL ? NULL : &s->secret[i]};
	}
}

/* name NUL value NUL ... */
static void
put_mirrored(struct fields *f, struct span rest)
{
	while (rest.n > 0) {
		struct span name = span_cut(&rest, '\0');

		struct span value = span_cut(&rest, '\0');

		if (f->n < MCP_FIELDS_MAX)
			f->at[f->n++] =
			    (struct http_request_field){name.p, value, NULL};
	}
}

static void
write_fields(struct mcp_request *q, int is_get, struct fields *f)
{
	struct mcp_link *l = q->link;
	const struct secret *token = mcp_auth_token(l->server->auth);
	int stateless = mcp_revision_is_stateless(q->revision);
	struct text name;

	f->n = 0;
	put(f, "User-Agent", span_of("skep"));
	if (!is_get)
		put(f, "Content-Type", span_of("application/json"));
	put(f, "Accept",
	    span_of(is_get ? "text/event-stream"
			   : "application/json, text/event-stream"));
	put(f, "MCP-Protocol-Version", span_of(mcp_revision_text(q->revision)));
	if (stateless && !q->is_post) {
		put(f, "Mcp-Method", span_of(q->method));
		text_init(&name, 2 * LIMIT_URL);
		mcp_field_add(q->name, &name);
		put(f, "Mcp-Name", arena_span(&q->arena, text_span(&name)));
		text_release(&name);
		put_mirrored(f, text_span(&q->fields));
	}
	if (!stateless)
		put(f, "Mcp-Session-Id", text_span(&l->session));
	if (is_get)
		put(f, "Last-Event-ID", text_span(&q->event_id));
	if (token != NULL && f->n < MCP_FIELDS_MAX)
		f->at[f->n++] = (struct http_request_field){
		    "Authorization", span_of("Bearer "), token};
	put_configured(f, l->server);
}

/* --- the answer's head and body --- */

static void
drop(struct mcp_link *l, struct mcp_request *q)
{
	(void)l;
	if (q->call != NULL)
		http_cancel(q->call);
	q->call = NULL;
	if (q->is_stream)
		sse_release(&q->sse);
	q->is_stream = 0;
	text_clear(&q->reply);
	mcp_auth_forget(q);
	if (q->again.loop != NULL)
		loop_timer_stop(&q->again);
}

static void
fail(struct mcp_request *q, enum error_code code, const char *why)
{
	struct error e;

	error_set(&e, code, 0, "%s", why);
	request_fail(q, &e);
}

static int
has_type(const struct http_head *h, const char *wanted)
{
	struct span type = http_field_get(h, "content-type");
	struct span first = span_trim(span_cut(&type, ';'));

	return span_is_nocase(first, wanted);
}

static void
head(void *owner, const struct http_head *h)
{
	struct mcp_request *q = owner;
	struct span session = http_field_get(h, "mcp-session-id");

	CHECK_OBJ(q, MCP_REQUEST_MAGIC);
	q->status = h->status;
	if (session.n > 0 && q->is_greeting && h->status / 100 == 2) {
		text_clear(&q->link->session);
		text_add(&q->link->session, session);
	}
	text_clear(&q->challenge);
	text_add(&q->challenge, http_field_get(h, "www-authenticate"));
	if (h->status != 200 || !has_type(h, "text/event-stream"))
		return;
	q->is_stream = 1;
	sse_init(&q->sse, MCP_MESSAGE_MAX, MCP_MESSAGE_MAX);
}

/* 1 when q is over, and gone perhaps. */
static int
heard(struct mcp_request *q, struct span message)
{
	int listens = q->listens;
	struct error e;
	int rc = mcp_heard(q->link, listens ? NULL : q, message, &e);

	if (listens)
		return 0; /* whatever was answered was another's */
	if (rc != -1)
		return rc;
	error_wrap(&e, "the server's answer");
	request_fail(q, &e);
	return 1;
}

static void
heard_stream(struct mcp_request *q, struct span bytes)
{
	struct sse_event ev;
	struct error e;
	enum sse_result r;

	while ((r = sse_next(&q->sse, &bytes, &ev, &e)) == SSE_EVENT) {
		text_clear(&q->event_id);
		text_add(&q->event_id, ev.id);
		if (ev.data.n > 0 && heard(q, ev.data))
			return;
	}
	if (r == SSE_BAD)
		request_fail(q, &e); /* nobody hears of a listener's */
}

static void
body(void *owner, struct span bytes)
{
	struct mcp_request *q = owner;

	CHECK_OBJ(q, MCP_REQUEST_MAGIC);
	if (q->is_stream) {
		heard_stream(q, bytes);
		return;
	}
	if (q->status / 100 != 2 && q->reply.n + bytes.n > ERROR_BODY_MAX)
		return;
	text_add(&q->reply, bytes);
	if (text_overflowed(&q->reply))
		fail(q, ERROR_TOO_BIG, "an answer longer than 16 MiB");
}

/* --- the end of an exchange --- */

static void send_get(struct loop_timer *t);

static void
stream_ended(struct mcp_request *q)
{
	uint64_t ms = q->sse.retry_ms;

	sse_release(&q->sse);
	q->is_stream = 0;
	if (q->event_id.n == 0 || mcp_revision_is_stateless(q->revision) ||
	    ++q->resumes > RESUMES_MAX) {
		fail(q, ERROR_CLOSED,
		    "the stream ended before the answer; whether the call was "
		    "carried out is not known");
		return;
	}
	if (ms == UINT64_MAX)
		ms = RESUME_MS;
	loop_timer_init(&q->again, q->link->server->mcp->set.loop, send_get);
	loop_timer_start(&q->again, ms < RESUME_MAX_MS ? ms : RESUME_MAX_MS);
}

static void
session_ended(struct mcp_request *q)
{
	struct mcp_link *l = q->link;
	struct error e;

	error_set(&e, ERROR_CLOSED, 0,
	    "the server has ended the session; the call was not carried out, "
	    "try it again");
	q->is_sent = 0; /* so that nobody doubts it */
	link_down(l, &e);
}

static void
refused(struct mcp_request *q)
{
	char why[160];
	struct error e;
	struct json_doc d;
	struct jsonrpc m;
	int is_rpc;

	if (q->status == 404 && q->link->session.n > 0 && !q->is_greeting) {
		session_ended(q);
		return;
	}
	json_doc_init(&d);
	is_rpc = q->reply.n > 0 &&
		 json_parse(&d, text_span(&q->reply), 0, &e) == 0 &&
		 jsonrpc_read(&d, &m, &e) == 0 && m.kind == JSONRPC_ERROR;
	json_doc_release(&d);
	if (is_rpc) {
		(void)heard(q, text_span(&q->reply));
		return;
	}
	snprintf(why, sizeof why, "the server answered with HTTP status %d %s",
	    q->status, http_reason(q->status));
	fail(q, ERROR_PROTOCOL, why);
}

static void
end(void *owner, const struct http_head *trailers)
{
	struct mcp_request *q = owner;

	(void)trailers;
	CHECK_OBJ(q, MCP_REQUEST_MAGIC);
	q->call = NULL;
	if (q->is_post)
		request_fail(q, &(struct error){.code = ERROR_NONE});
	else if (q->is_stream)
		stream_ended(q);
	else if (q->status == 401 || q->status == 403)
		mcp_auth_refused(q);
	else if (q->status / 100 != 2)
		refused(q);
	else if (q->reply.n == 0)
		fail(q, ERROR_PROTOCOL, "the server gave no answer");
	else if (!heard(q, text_span(&q->reply)))
		fail(q, ERROR_PROTOCOL,
		    "the server's answer answers something else");
}

static void
failed(void *owner, const struct http_failure *f)
{
	struct mcp_request *q = owner;
	struct error e = f->error;

	CHECK_OBJ(q, MCP_REQUEST_MAGIC);
	q->call = NULL;
	if (q->is_stream && e.code == ERROR_CLOSED && q->event_id.n > 0) {
		stream_ended(q);
		return;
	}
	if (f->stage < NET_REQUEST && e.code != ERROR_TLS)
		e.code = ERROR_CONNECT;
	if (f->stage >= NET_REQUEST && !q->is_greeting)
		error_set(&e, f->error.code, 0,
		    "%.300s; whether the call was carried out is not known",
		    f->error.text);
	request_fail(q, &e);
}

static const struct http_ops ops = {
    .head = head,
    .body = body,
    .end = end,
    .failed = failed,
};

/* --- sending --- */

static void
start_call(struct mcp_request *q, const char *method)
{
	struct mcp_server *s = q->link->server;
	struct http_request request = {
	    .method = method,
	    .target = s->target,
	    .body = &q->slice,
	    .nbody = q->slice.n > 0,
	    .once = 1,
	};
	struct fields f;
	struct error e;

	write_fields(q, strcmp(method, "POST") != 0, &f);
	request.fields = f.at;
	request.nfields = f.n;
	q->call = http_start(s->origin, &request, &ops, q, &e);
	if (q->call == NULL)
		request_fail_soon(q, &e);
}

static void
send_post(struct mcp_link *l, struct mcp_request *q)
{
	(void)l;
	q->slice = text_span(&q->body);
	start_call(q, "POST");
}

static void
send_get(struct loop_timer *t)
{
	struct mcp_request *q = container_of(t, struct mcp_request, again);

	CHECK_OBJ(q, MCP_REQUEST_MAGIC);
	q->slice = (struct span){NULL, 0};
	start_call(q, "GET");
}

/* A message of its own, without an answer. */
static struct mcp_request *
message(struct mcp_link *l, struct span text)
{
	struct mcp_request *q = request_new(l, "");

	if (q == NULL)
		return NULL;
	q->is_post = q->is_sent = 1;
	q->revision = l->revision;
	text_add(&q->body, text);
	q->slice = text_span(&q->body);
	return q;
}

static void
post(struct mcp_link *l, struct span text)
{
	struct mcp_request *q = message(l, text);

	if (q != NULL)
		start_call(q, "POST");
}

static void
forget(struct mcp_link *l, struct mcp_request *q)
{
	struct text t;

	if (mcp_revision_is_stateless(q->revision) || q->is_greeting)
		return; /* the end of the exchange says it */
	text_init(&t, KIB);
	mcp_write_cancel(q, &t);
	post(l, text_span(&t));
	text_release(&t);
}

/*
 * In the revisions with sessions a server may ask something on a stream that
 * belongs to no call.  Nothing that it asks is granted unless the agent file
 * says so, so that only then there is somebody to listen.
 */
static void
ready(struct mcp_link *l)
{
	struct mcp_request *q;

	if (mcp_revision_is_stateless(l->revision) ||
	    l->server->spec->elicitation != MCP_DEFAULTS)
		return;
	q = message(l, (struct span){NULL, 0});
	if (q == NULL)
		return;
	q->listens = 1;
	start_call(q, "GET");
}

/* --- life --- */

static int
start(struct mcp_link *l, struct error *e)
{
	(void)e;
	text_clear(&l->session);
	link_started(l);
	return 0;
}

static void
stop(struct mcp_link *l)
{
	text_clear(&l->session);
}

static void
parted(struct mcp_request *q, const struct mcp_answer *a, void *owner)
{
	struct mcp_link *l = owner;

	(void)q;
	(void)a;
	loop_timer_start(&l->timer, 0);
}

/* A session is given back. */
static int
part(struct mcp_link *l)
{
	struct mcp_request *q;

	if (l->session.n == 0)
		return 0;
	q = message(l, (struct span){NULL, 0});
	if (q == NULL)
		return 0;
	q->done = parted;
	q->owner = l;
	start_call(q, "DELETE");
	return 1;
}

const struct mcp_transport mcp_http = {
    .start = start,
    .send = send_post,
    .post = post,
    .forget = forget,
    .drop = drop,
    .stop = stop,
    .ready = ready,
    .part = part,
};
