/*
 * HTTP/1.1 on one connection of the client: one call at a time.
 *
 * Bytes are read into the client's scratch and handed on from there; a
 * connection owns memory only while a head comes in pieces, or for the rest
 * of a piece whose owner paused in the middle of it.
 */

#include "engine/base/check.h"
#include "net/http_private.h"
#include "net/stream.h"

#define IN_BYTES_MAX (LIMIT_HTTP_HEAD + HTTP_IO_BYTES)

static void stash_ready(struct loop_deferred *d);

static struct http_call *
the_call(struct http_connection *c)
{
	struct list_node *n = list_first(&c->calls);

	return n == NULL ? NULL : container_of(n, struct http_call, node);
}

static void
want(struct http_connection *c)
{
	struct http_call *call = the_call(c);
	int w = LOOP_READ;

	if (c->is_doomed)
		return;
	if (call != NULL && !call->is_sent && !call->is_dry && !c->write_failed)
		w |= LOOP_WRITE;
	if (call != NULL && (call->is_paused || c->again.next != NULL))
		w &= ~LOOP_READ;
	stream_want(c->stream, w);
}

/* --- sending --- */

/* Fetch of a streamed body what fits in a chunk, and frame it. */
static int
fetch(struct http_connection *c, struct http_call *call, struct error *e)
{
	struct http_client *client = c->origin->client;
	char line[HTTP1_CHUNK_LINE];
	size_t n, line_n = 0, all;

	if (call->unsent.n > 0 || call->is_drained)
		return 0;
	if (call_pull(call, client->out, sizeof client->out, &n, e) == -1)
		return -1;
	buf_init(&call->unsent, sizeof client->out + 64);
	all = 0;
	if (n > 0 && !call->is_counted)
		line_n = http1_chunk_line(line, n);
	all += buf_write(&call->unsent, (struct span){line, line_n});
	all += buf_write(&call->unsent, (struct span){client->out, n});
	if (line_n > 0)
		line_n += buf_write(&call->unsent, span_of("\r\n"));
	if (call->is_drained && !call->is_counted)
		buf_write(&call->unsent, span_of(HTTP1_LAST_CHUNK));
	if (all < n)
		return error_set(e, ERROR_FULL, 0, "no memory for a body");
	return 0;
}

static void
send_streamed(struct http_connection *c, struct http_call *call)
{
	struct http_client *client = c->origin->client;
	struct iovec iov[16];
	size_t n = 0, wrote;
	struct error e;
	int parts;
	enum io r;

	if (fetch(c, call, &e) == -1) {
		connection_close(c);
		call_fail(call, &e);
		return;
	}
	parts = buf_iov(&call->unsent, iov, 16);
	for (int i = 0; i < parts; i++) {
		size_t some = iov[i].iov_len;

		if (some > sizeof client->out - n)
			some = sizeof client->out - n;
		memcpy(client->out + n, iov[i].iov_base, some);
		n += some;
	}
	if (n > 0) {
		r = stream_write(
		    c->stream, (struct span){client->out, n}, &wrote);
		if (r == IO_DONE)
			buf_drop(&call->unsent, wrote);
		else if (r != IO_WAIT)
			c->write_failed = 1;
	}
	if (call->is_drained && call->unsent.n == 0)
		call_all_sent(call);
}

static void
send_some(struct http_connection *c, struct http_call *call)
{
	struct http_client *client = c->origin->client;
	size_t n, wrote;
	enum io r;

	if (call_head_is_out(call)) {
		send_streamed(c, call);
		return;
	}
	n = call_fill(call, client->out, sizeof client->out);
	r = stream_write(c->stream, (struct span){client->out, n}, &wrote);
	if (call->nsecrets > 0)
		wipe(client->out, n);
	if (r == IO_DONE)
		call_sent(call, wrote);
	else if (r != IO_WAIT)
		c->write_failed = 1; /* an answer may be there all the same */
}

/* --- the end of a message --- */

static void
break_off(struct http_connection *c, const struct error *e)
{
	struct http_call *call = the_call(c);

	connection_close(c);
	if (call != NULL)
		call_lost(call, e);
}

static void
message_done(
    struct http_connection *c, const struct http_head *trailers, int is_clean)
{
	struct http_call *call = the_call(c);
	int again =
	    c->keeps_alive && is_clean && call->is_sent && !c->write_failed;

	c->served++;
	c->has_head = 0;
	text_release(&c->in);
	if (!again)
		connection_close(c);
	call_end(call, trailers);
	if (again && !c->is_doomed)
		connection_rest(c);
}

/* --- receiving: each takes from the front of *in; 0: go on --- */

/* The connection is another protocol's now, and its stream the owner's. */
static void
hand_over(
    struct http_connection *c, const struct http_head *head, struct span early)
{
	struct http_call *call = the_call(c);
	struct stream *s = c->stream;

	c->origin->counts.bytes_in += s->bytes_in;
	c->origin->counts.bytes_out += s->bytes_out;
	c->stream = NULL;
	stream_own(s, NULL, NULL);
	connection_close(c);
	call_upgraded(call, head, s, early);
}

static int
got_101(
    struct http_connection *c, const struct http_head *head, struct span early)
{
	struct http_call *call = the_call(c);
	struct error e;

	if (call->upgrade != NULL &&
	    span_is_nocase(head->upgrade, call->upgrade)) {
		hand_over(c, head, early);
		return -1;
	}
	error_set(&e, ERROR_PROTOCOL, 0, "the server changed the protocol %s",
	    call->upgrade == NULL ? "without being asked"
				  : "to one that was not asked for");
	break_off(c, &e);
	return -1;
}

static int
got_head(struct http_connection *c, struct span head_bytes, struct span early)
{
	struct http_call *call = the_call(c);
	struct http_head *head = &c->origin->client->head;
	struct error e;

	if (http1_parse_response(head, head_bytes, span_of(call->method), &e) ==
	    -1) {
		break_off(c, &e);
		return -1;
	}
	if (head->status == 101)
		return got_101(c, head, early);
	if (head->status < 200) {
		if (++c->interim <= LIMIT_HTTP_INTERIM)
			return 0;
		error_set(&e, ERROR_PROTOCOL, 0, "more than %d interim answers",
		    LIMIT_HTTP_INTERIM);
		break_off(c, &e);
		return -1;
	}
	c->has_head = 1;
	c->framing = head->framing;
	c->left = head->length;
	c->body_bytes = 0;
	c->keeps_alive = (uint8_t)head->keeps_alive;
	if (c->framing == HTTP_CHUNKED)
		http1_chunked_init(&c->chunked);
	call_tell_head(call, head);
	return the_call(c) == NULL ? -1 : 0;
}

static int
feed_head(struct http_connection *c, struct span *in)
{
	struct span all = *in;
	struct text whole;
	size_t head_bytes;
	struct error e;
	int r;

	the_call(c)->stage = NET_HEAD;
	if (!c->scanning) {
		http1_scan_init(&c->scan, 1);
		c->scanning = 1;
	}
	if (c->in.n > 0) {
		text_add(&c->in, *in);
		all = text_span(&c->in);
	}
	switch (http1_scan(&c->scan, all, &head_bytes, &e)) {
	case HTTP1_BAD:
		break_off(c, &e);
		return -1;
	case HTTP1_MORE:
		if (c->in.n == 0)
			text_add(&c->in, *in);
		*in = (struct span){NULL, 0};
		if (!text_overflowed(&c->in))
			return 0;
		error_set(&e, ERROR_FULL, 0, "no memory for an answer's head");
		break_off(c, &e);
		return -1;
	case HTTP1_DONE:
		break;
	}
	*in = span_slice(*in, in->n - (all.n - head_bytes), in->n);
	c->scanning = 0;
	whole = c->in; /* the spans of the head point into it */
	text_init(&c->in, IN_BYTES_MAX);
	r = got_head(c, span_slice(all, 0, head_bytes), *in);
	text_release(&whole);
	return r;
}

static int
feed_length(struct http_connection *c, struct span *in)
{
	size_t n = in->n < c->left ? in->n : (size_t)c->left;

	c->left -= n;
	c->body_bytes += n;
	call_tell_body(the_call(c), span_slice(*in, 0, n));
	*in = span_slice(*in, n, in->n);
	return the_call(c) == NULL ? -1 : 0;
}

static int
feed_chunked(struct http_connection *c, struct span *in)
{
	struct http_head *head = &c->origin->client->head;
	struct span body;
	struct text trailers;
	struct error e;
	int bad;

	switch (http1_chunked_next(&c->chunked, in, &body, &e)) {
	case CHUNK_MORE:
		return 0;
	case CHUNK_BODY:
		c->body_bytes += body.n;
		call_tell_body(the_call(c), body);
		return the_call(c) == NULL ? -1 : 0;
	case CHUNK_BAD:
		break_off(c, &e);
		return -1;
	case CHUNK_END:
		break;
	}
	trailers = c->chunked.trailers;
	text_init(&c->chunked.trailers, 0);
	bad = trailers.n > 0 &&
	      http1_parse_fields(head, text_span(&trailers), &e) == -1;
	if (bad)
		break_off(c, &e);
	else
		message_done(c, trailers.n > 0 ? head : NULL, in->n == 0);
	text_release(&trailers);
	return -1;
}

/* One step; -1 when there is nothing more to do for these bytes. */
static int
feed_body(struct http_connection *c, struct span *in)
{
	switch (c->framing) {
	case HTTP_NO_BODY:
		message_done(c, NULL, in->n == 0);
		return -1;
	case HTTP_LENGTH:
		if (c->left > 0 && feed_length(c, in) == -1)
			return -1;
		if (c->left > 0 || the_call(c)->is_paused)
			return 0;
		message_done(c, NULL, in->n == 0);
		return -1;
	case HTTP_CHUNKED:
		return feed_chunked(c, in);
	case HTTP_UNTIL_CLOSE:
		c->body_bytes += in->n;
		call_tell_body(the_call(c), *in);
		*in = (struct span){NULL, 0};
		return the_call(c) == NULL ? -1 : 0;
	}
	UNREACHABLE();
}

/* An answer without bytes of a body is over when its head is. */
static int
is_over_already(const struct http_connection *c)
{
	return c->has_head && (c->framing == HTTP_NO_BODY ||
				  (c->framing == HTTP_LENGTH && c->left == 0));
}

static void
feed(struct http_connection *c, struct span in)
{
	struct http_call *call = the_call(c);

	if (call == NULL) { /* nobody asked for these bytes */
		connection_close(c);
		return;
	}
	call_heard(call);
	while (in.n > 0 || is_over_already(c)) {
		if (call->is_paused) {
			text_add(&c->in, in);
			return;
		}
		if ((c->has_head ? feed_body(c, &in) : feed_head(c, &in)) == -1)
			return;
	}
}

static void
peer_ended(struct http_connection *c, const struct error *why)
{
	struct http_call *call = the_call(c);
	struct error e;

	if (call == NULL) {
		connection_close(c);
		return;
	}
	if (why == NULL && c->has_head && c->framing == HTTP_UNTIL_CLOSE) {
		message_done(c, NULL, 0);
		return;
	}
	if (why != NULL)
		e = *why;
	else if (!c->has_head)
		error_set(&e, ERROR_CLOSED, 0,
		    "the server closed the connection %s",
		    call->stage == NET_REQUEST ? "without answering"
					       : "in the head of its answer");
	else
		error_set(&e, ERROR_CLOSED, 0,
		    "the server cut its answer after %llu bytes",
		    (unsigned long long)c->body_bytes);
	break_off(c, &e);
}

static void
receive(struct http_connection *c)
{
	struct http_client *client = c->origin->client;
	size_t got;

	switch (stream_read(c->stream, client->in, sizeof client->in, &got)) {
	case IO_DONE:
		feed(c, (struct span){client->in, got});
		break;
	case IO_WAIT:
		break;
	case IO_END:
		peer_ended(c, NULL);
		break;
	case IO_FAILED:
		peer_ended(c, &c->stream->error);
		break;
	}
}

static void
ready(struct stream *s, int what)
{
	struct http_connection *c = s->owner;
	struct http_call *call = the_call(c);

	connection_enter_callback(c);
	if (call != NULL && (what & LOOP_WRITE) && !call->is_sent)
		send_some(c, call);
	if (what & LOOP_READ)
		receive(c);
	want(c);
	connection_leave_callback(c);
}

/* --- pausing --- */

static void
stash_ready(struct loop_deferred *d)
{
	struct http_connection *c =
	    container_of(d, struct http_connection, again);
	struct text stash = c->in;

	CHECK_OBJ(c, CONNECTION_MAGIC);
	text_init(&c->in, IN_BYTES_MAX);
	connection_enter_callback(c);
	feed(c, text_span(&stash));
	text_release(&stash);
	want(c);
	connection_leave_callback(c);
}

static void
http1_resume(struct http_connection *c, struct http_call *call)
{
	(void)call;
	if (c->in_callback)
		return;
	if (c->has_head && (c->in.n > 0 || is_over_already(c)))
		loop_defer(&c->again);
	else
		want(c);
}

/* --- the protocol's verbs --- */

static int
http1_opened(struct http_connection *c, struct error *e)
{
	(void)e;
	c->is_settled = 1;
	text_init(&c->in, IN_BYTES_MAX);
	loop_deferred_init(&c->again, c->origin->client->loop, stash_ready);
	stream_own(c->stream, ready, c);
	stream_want(c->stream, LOOP_READ);
	return 0;
}

static int
http1_has_room(const struct http_connection *c)
{
	return c->calls.length == 0;
}

static void
http1_attach(struct http_connection *c, struct http_call *call)
{
	c->has_head = c->scanning = 0;
	c->interim = 0;
	text_clear(&c->in);
	call->stage = NET_REQUEST;
	call->timing.connected_us =
	    loop_now_us(c->origin->client->loop) - call->started_us;
	if (call->first_byte_ms > 0)
		loop_timer_start(&call->deadline, call->first_byte_ms);
	send_some(c, call);
	want(c);
}

static void
http1_more(struct http_connection *c, struct http_call *call)
{
	(void)call;
	if (!c->in_callback)
		want(c);
}

/* Half an answer may be under way: the connection is of no more use. */
static void
http1_abandon(struct http_connection *c, struct http_call *call)
{
	(void)call;
	connection_close(c);
}

static void
http1_closed(struct http_connection *c)
{
	loop_undefer(&c->again);
	text_release(&c->in);
	if (c->has_head && c->framing == HTTP_CHUNKED)
		http1_chunked_release(&c->chunked);
}

const struct http_protocol http1_protocol = {
    .alpn = "http/1.1",
    .opened = http1_opened,
    .has_room = http1_has_room,
    .attach = http1_attach,
    .abandon = http1_abandon,
    .resume = http1_resume,
    .more = http1_more,
    .closed = http1_closed,
};
