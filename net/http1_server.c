/*
 * HTTP/1.1 on one connection of the server: one exchange at a time.
 *
 * WAITING for a request, READING one, ANSWERING it (what comes meanwhile is
 * kept up to EARLY_MAX, then left in the socket), LINGERING after the last
 * answer so that a peer that is still sending can read it.
 */

#include <stdio.h>

#include "engine/base/check.h"
#include "net/server_private.h"
#include "net/stream.h"

#define IN_BYTES_MAX (LIMIT_HTTP_HEAD + SERVER_IO_BYTES)
#define EARLY_MAX (16 * KIB)
#define CHUNK_OVERHEAD (HTTP1_CHUNK_LINE + 2)
#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\n"
#define END_RESERVE 64 /* of x->out, for the last chunk */

enum { WAITING, READING, ANSWERING, LINGERING };

static void flush_soon(struct loop_deferred *d);
static void too_late(struct loop_timer *t);

static struct exchange *
the_exchange(const struct server_connection *c)
{
	struct list_node *n = list_first(&c->exchanges);

	return n == NULL ? NULL : container_of(n, struct exchange, node);
}

static void
want(struct server_connection *c)
{
	struct exchange *x = the_exchange(c);
	int w = LOOP_READ;

	if (c->is_doomed)
		return;
	if (c->state == ANSWERING && c->in.n >= EARLY_MAX)
		w = LOOP_NOTHING;
	if (x != NULL && x->out.n > 0)
		w |= LOOP_WRITE;
	stream_want(c->stream, w);
}

/* --- answers --- */

static void
write_head(struct exchange *x, const struct http_field *fields,
    unsigned nfields, int64_t length)
{
	struct server_connection *c = x->conn;
	int closes = x->after != AFTER_NEXT, is_old;
	char number[24];
	struct text t;
	struct error e;

	is_old = x->head == NULL || x->head->minor == 0;
	x->is_chunked = length == -1 && !is_old && !x->drops_body;
	if (length == -1 && is_old)
		closes = 1;
	if (x->head == NULL || !x->head->keeps_alive || c->server->is_draining)
		closes = 1;
	if (closes)
		x->after = AFTER_CLOSE;
	text_init(&t, LIMIT_HTTP_HEAD);
	http1_add_response(&t, x->status, http_reason(x->status), &e);
	for (unsigned i = 0; i < nfields; i++) {
		text_add(&t, fields[i].name);
		text_add_str(&t, ": ");
		text_add(&t, fields[i].value);
		text_add_str(&t, "\r\n");
	}
	if (length >= 0 && x->status != 204 && x->status != 304) {
		snprintf(number, sizeof number, "%lld", (long long)length);
		http1_add_field(&t, "Content-Length", span_of(number), &e);
	} else if (x->is_chunked) {
		text_add_str(&t, "Transfer-Encoding: chunked\r\n");
	}
	if (closes)
		text_add_str(&t, "Connection: close\r\n");
	http1_add_end(&t, &e);
	if (text_overflowed(&t) || buf_write(&x->out, text_span(&t)) < t.n)
		x->after = AFTER_RESET; /* memory is short: no half answers */
	text_release(&t);
	loop_defer(&c->flush);
}

static size_t
room(const struct exchange *x)
{
	size_t n = buf_room(&x->out);
	size_t reserve = END_RESERVE + (x->is_chunked ? CHUNK_OVERHEAD : 0);

	return n > reserve ? n - reserve : 0;
}

static void
write_body(struct exchange *x, struct span bytes)
{
	char line[HTTP1_CHUNK_LINE];
	size_t n, all;

	if (x->is_chunked) {
		n = http1_chunk_line(line, bytes.n);
		all = buf_write(&x->out, (struct span){line, n});
		all += buf_write(&x->out, bytes);
		all += buf_write(&x->out, span_of("\r\n"));
		if (all < n + bytes.n + 2)
			x->after = AFTER_RESET;
	} else if (buf_write(&x->out, bytes) < bytes.n) {
		x->after = AFTER_RESET;
	}
	loop_defer(&x->conn->flush);
}

static void
end_answer(struct exchange *x)
{
	if (x->is_chunked && x->after != AFTER_CUT)
		buf_write(&x->out, span_of(HTTP1_LAST_CHUNK));
	loop_defer(&x->conn->flush);
}

static void
rude_end(struct exchange *x)
{
	loop_defer(&x->conn->flush);
}

/* --- the end of an exchange --- */

static void
linger(struct server_connection *c)
{
	c->state = LINGERING;
	text_release(&c->in);
	stream_finish(c->stream);
	loop_timer_start(&c->deadline, SERVER_LINGER_MS);
}

static void
answer_is_out(struct server_connection *c)
{
	struct exchange *x = the_exchange(c);
	enum server_after after = x->after;

	exchange_free(x);
	switch (after) {
	case AFTER_NEXT:
		if (c->server->is_draining) {
			linger(c);
			return;
		}
		c->state = WAITING;
		loop_timer_start(&c->deadline, c->server->set.idle_ms);
		return;
	case AFTER_CLOSE:
		linger(c);
		return;
	case AFTER_RAW: /* HTTP/2's only */
	case AFTER_CUT:
		server_connection_close(c);
		return;
	case AFTER_RESET:
		c->is_doomed = 1;
		stream_want(c->stream, LOOP_NOTHING);
		stream_reset_on_close(c->stream);
		return;
	}
}

/* Write what there is; -1 when the connection is lost. */
static int
flush(struct server_connection *c)
{
	struct exchange *x = the_exchange(c);
	struct server *s = c->server;
	struct iovec iov[8];
	size_t n = 0, wrote;
	int parts;
	enum io r;

	while (x != NULL && x->out.n > 0) {
		n = 0;
		parts = buf_iov(&x->out, iov, 8);
		for (int i = 0; i < parts; i++) {
			size_t some = iov[i].iov_len;

			if (some > sizeof s->out - n)
				some = sizeof s->out - n;
			memcpy(s->out + n, iov[i].iov_base, some);
			n += some;
		}
		r = stream_write(c->stream, (struct span){s->out, n}, &wrote);
		if (r == IO_WAIT) {
			if (!loop_timer_is_active(&c->deadline))
				loop_timer_start(&c->deadline, s->set.write_ms);
			return 0;
		}
		if (r != IO_DONE) {
			server_connection_close(c);
			return -1;
		}
		buf_drop(&x->out, wrote);
		if (c->state == ANSWERING)
			loop_timer_stop(&c->deadline);
	}
	return 0;
}

static int feed(struct server_connection *c, struct span in);

/* Go on as far as it goes: what is written, then what came early. */
static void
advance(struct server_connection *c)
{
	struct exchange *x;
	struct text early;

	if (c->is_doomed || flush(c) == -1)
		return;
	x = the_exchange(c);
	if (x == NULL || c->state != ANSWERING)
		return;
	if (x->out.n > 0 || !x->is_ended) {
		exchange_has_room(x);
		return;
	}
	answer_is_out(c);
	if (c->state != WAITING || c->in.n == 0 || c->is_doomed)
		return;
	early = c->in;
	text_init(&c->in, IN_BYTES_MAX);
	feed(c, text_span(&early));
	text_release(&early);
}

static void
flush_soon(struct loop_deferred *d)
{
	struct server_connection *c =
	    container_of(d, struct server_connection, flush);

	server_connection_enter(c);
	advance(c);
	want(c);
	server_connection_leave(c);
}

/* --- requests --- */

/* Answer for the owner, who never sees this request, and close. */
static void
refuse(struct server_connection *c, int status)
{
	struct exchange *x = the_exchange(c);
	struct text t;

	c->server->counts.refused++;
	if (x == NULL)
		x = exchange_new(c);
	if (x == NULL) {
		server_connection_close(c);
		return;
	}
	c->state = ANSWERING;
	loop_timer_stop(&c->deadline);
	x->after = AFTER_CLOSE;
	text_init(&t, 256);
	text_printf(&t, "%d %s\n", status, http_reason(status));
	server_answer(x, status, "text/plain", text_span(&t));
	text_release(&t);
}

static void
refuse_error(struct server_connection *c, const struct error *e)
{
	if (e->code != ERROR_TOO_BIG)
		refuse(c, 400);
	else
		refuse(c, c->scan.lines == 0 ? 414 : 431);
}

static int
request_is_whole(struct server_connection *c)
{
	c->state = ANSWERING;
	loop_timer_stop(&c->deadline);
	if (c->framing == HTTP_CHUNKED)
		http1_chunked_release(&c->chunked);
	c->framing = HTTP_NO_BODY;
	exchange_tell(the_exchange(c));
	return c->is_doomed ? -1 : 0;
}

static int
got_head(struct server_connection *c, struct span bytes)
{
	struct http_head *head = &c->server->head;
	struct exchange *x;
	struct error e;

	if (http1_parse_request(head, bytes, &e) == -1) {
		refuse_error(c, &e);
		return -1;
	}
	if (head->minor == 1 && http_field_get(head, "host").p == NULL) {
		refuse(c, 400);
		return -1;
	}
	x = exchange_new(c);
	if (x == NULL || exchange_keep_head(x, head, bytes) == -1) {
		server_connection_close(c);
		return -1;
	}
	c->framing = head->framing;
	c->body_left = head->length;
	if (c->framing == HTTP_LENGTH &&
	    head->length > c->server->set.request_body_max) {
		refuse(c, 413);
		return -1;
	}
	if (head->expects_100 && c->framing != HTTP_NO_BODY) {
		buf_write(&x->out, span_of("HTTP/1.1 100 Continue\r\n\r\n"));
		loop_defer(&c->flush);
	}
	if (c->framing == HTTP_CHUNKED)
		http1_chunked_init(&c->chunked);
	return 0;
}

static int
feed_head(struct server_connection *c, struct span *in)
{
	struct span all = *in;
	struct text whole;
	size_t head_bytes;
	struct error e;
	int r;

	if (!c->scanning) {
		http1_scan_init(&c->scan, 0);
		c->scanning = 1;
	}
	if (c->in.n > 0) {
		text_add(&c->in, *in);
		all = text_span(&c->in);
	}
	switch (http1_scan(&c->scan, all, &head_bytes, &e)) {
	case HTTP1_BAD:
		refuse_error(c, &e);
		return -1;
	case HTTP1_MORE:
		if (c->in.n == 0)
			text_add(&c->in, *in);
		*in = (struct span){NULL, 0};
		if (!text_overflowed(&c->in))
			return 0;
		server_connection_close(c);
		return -1;
	case HTTP1_DONE:
		break;
	}
	if (span_has_prefix(all, span_of(HTTP2_PREFACE))) {
		/* HTTP/2 by prior knowledge: the beginning of its preface. */
		whole = c->in;
		text_init(&c->in, IN_BYTES_MAX);
		server_connection_switch(c, &http2_server_protocol, all);
		text_release(&whole);
		return -1;
	}
	*in = span_slice(*in, in->n - (all.n - head_bytes), in->n);
	c->scanning = 0;
	whole = c->in;
	text_init(&c->in, IN_BYTES_MAX);
	r = got_head(c, span_slice(all, 0, head_bytes));
	text_release(&whole);
	return r;
}

static int
feed_body(struct server_connection *c, struct span *in)
{
	struct exchange *x = the_exchange(c);
	struct span body;
	struct error e;

	if (c->framing == HTTP_LENGTH) {
		body = span_slice(*in, 0,
		    in->n < c->body_left ? in->n : (size_t)c->body_left);
		*in = span_slice(*in, body.n, in->n);
		c->body_left -= body.n;
		text_add(&x->body, body);
	} else {
		switch (http1_chunked_next(&c->chunked, in, &body, &e)) {
		case CHUNK_MORE:
			return 0;
		case CHUNK_BODY:
			text_add(&x->body, body);
			break;
		case CHUNK_BAD:
			refuse_error(c, &e);
			return -1;
		case CHUNK_END:
			return request_is_whole(c);
		}
	}
	if (text_overflowed(&x->body)) {
		refuse(c, 413);
		return -1;
	}
	if (c->framing == HTTP_LENGTH && c->body_left == 0)
		return request_is_whole(c);
	return 0;
}

/* -1: nothing more may be done with these bytes. */
static int
feed(struct server_connection *c, struct span in)
{
	while (in.n > 0) {
		switch (c->state) {
		case WAITING:
			c->state = READING;
			loop_timer_start(
			    &c->deadline, c->server->set.request_ms);
			break;
		case READING:
			if (the_exchange(c) != NULL) {
				if (feed_body(c, &in) == -1)
					return -1;
				break;
			}
			if (feed_head(c, &in) == -1)
				return -1;
			if (the_exchange(c) != NULL &&
			    c->framing == HTTP_NO_BODY &&
			    request_is_whole(c) == -1)
				return -1;
			break;
		case ANSWERING:
			text_add(&c->in, in);
			return 0;
		case LINGERING:
			return 0;
		}
	}
	return 0;
}

/* --- the stream --- */

static void
ready(struct stream *st, int what)
{
	struct server_connection *c = st->owner;
	struct server *s = c->server;
	size_t got;

	server_connection_enter(c);
	if (what & LOOP_WRITE)
		advance(c);
	if ((what & LOOP_READ) && !c->is_doomed) {
		switch (stream_read(st, s->in, sizeof s->in, &got)) {
		case IO_DONE:
			feed(c, (struct span){s->in, got});
			break;
		case IO_WAIT:
			break;
		case IO_END:
		case IO_FAILED:
			server_connection_close(c);
			break;
		}
	}
	if (c->protocol == &http1_server_protocol)
		want(c);
	server_connection_leave(c);
}

static void
too_late(struct loop_timer *t)
{
	struct server_connection *c =
	    container_of(t, struct server_connection, deadline);

	server_connection_enter(c);
	if (c->state == READING) {
		refuse(c, 408);
		want(c);
	} else {
		server_connection_close(c);
	}
	server_connection_leave(c);
}

static void
http1_opened(struct server_connection *c)
{
	text_init(&c->in, IN_BYTES_MAX);
	loop_deferred_init(&c->flush, c->server->loop, flush_soon);
	loop_timer_init(&c->deadline, c->server->loop, too_late);
	loop_timer_start(&c->deadline, c->server->set.idle_ms);
	c->state = WAITING;
	stream_own(c->stream, ready, c);
	stream_want(c->stream, LOOP_READ);
}

static void
http1_drain(struct server_connection *c)
{
	if (c->state == WAITING)
		server_connection_close(c);
}

static void
http1_closed(struct server_connection *c)
{
	text_release(&c->in);
	if (c->framing == HTTP_CHUNKED)
		http1_chunked_release(&c->chunked);
}

const struct server_protocol http1_server_protocol = {
    .opened = http1_opened,
    .head = write_head,
    .room = room,
    .write = write_body,
    .end = end_answer,
    .rude = rude_end,
    .drain = http1_drain,
    .closed = http1_closed,
};
