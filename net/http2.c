#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/http.h"
#include "net/http2_private.h"
#include "net/stream.h"

#define FRAME_ROOM (16384 + 64) /* the largest frame we send, and its head */
#define WRITE_MAX (256 * KIB)   /* in one go */

/* --- life --- */

static int
note_invalid(nghttp2_session *session, const nghttp2_frame *frame,
    int lib_error, void *user)
{
	struct h2 *h = user;

	(void)session;
	if (frame->hd.type == NGHTTP2_HEADERS)
		h2_give_up(h, frame->hd.stream_id);
	h->complaint = nghttp2_strerror(lib_error);
	return 0;
}

int
h2_init(struct h2 *h, struct stream *s, struct loop *l, int is_server,
    nghttp2_session_callbacks *callbacks, unsigned streams_max, struct error *e)
{
	nghttp2_settings_entry set[] = {
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW_STREAM},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LIMIT_HTTP_HEAD},
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max},
	    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	};
	nghttp2_option *options;
	int r;

	memset(h, 0, sizeof *h);
	h->stream = s;
	h->loop = l;
	h->heard_ms = h->control_since_ms = loop_now_ms(l);
	buf_init(&h->out, H2_OUT_BYTES);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
	    callbacks, note_invalid);
	r = nghttp2_option_new(&options);
	if (r != 0)
		return error_set(e, ERROR_FULL, 0, "no memory for HTTP/2");
	nghttp2_option_set_no_auto_window_update(options, 1);
	/* A server must know what comes for a stream that has ended; those
	   that are kept count as open ones do, so memory stays bounded. */
	nghttp2_option_set_no_closed_streams(options, !is_server);
	nghttp2_option_set_max_settings(options, 32);
	/* It would count resets of streams that are done; see h2_count(). */
	nghttp2_option_set_stream_reset_rate_limit(
	    options, UINT32_MAX, UINT32_MAX);
	if (is_server)
		r = nghttp2_session_server_new2(
		    &h->session, callbacks, h, options);
	else
		r = nghttp2_session_client_new2(
		    &h->session, callbacks, h, options);
	nghttp2_option_del(options);
	/* A server pushes nothing: the last entry is a client's. */
	if (r == 0)
		r = nghttp2_submit_settings(
		    h->session, NGHTTP2_FLAG_NONE, set, is_server ? 3 : 4);
	if (r == 0)
		r = nghttp2_session_set_local_window_size(
		    h->session, NGHTTP2_FLAG_NONE, 0, H2_WINDOW_CONNECTION);
	if (r != 0)
		return error_set(
		    e, ERROR_FULL, 0, "HTTP/2: %s", nghttp2_strerror(r));
	return 0;
}

void
h2_release(struct h2 *h)
{
	nghttp2_session_del(h->session);
	h->session = NULL;
	h2_fields_end(h);
	buf_release(&h->out);
}

/* --- reading --- */

int
h2_is_over(const struct h2 *h)
{
	return !nghttp2_session_want_read(h->session) &&
	       !nghttp2_session_want_write(h->session) && h->out.n == 0;
}

int
h2_feed(struct h2 *h, struct span bytes, struct error *e)
{
	ssize_t r = nghttp2_session_mem_recv(
	    h->session, (const uint8_t *)bytes.p, bytes.n);

	if (r >= 0)
		return 0;
	return error_set(e, ERROR_PROTOCOL, 0, "HTTP/2: %s",
	    h->complaint != NULL ? h->complaint : nghttp2_strerror((int)r));
}

int
h2_read(struct h2 *h, char *scratch, size_t size, struct error *e)
{
	size_t got;

	switch (stream_read(h->stream, scratch, size, &got)) {
	case IO_DONE:
		h->heard_ms = loop_now_ms(h->loop);
		return h2_feed(h, (struct span){scratch, got}, e);
	case IO_WAIT:
		return 0;
	case IO_END:
		return error_set(
		    e, ERROR_CLOSED, 0, "the peer closed the connection");
	case IO_FAILED:
		*e = h->stream->error;
		return -1;
	}
	UNREACHABLE();
}

/* --- writing --- */

/* Move frames from nghttp2 into the queue, as many as fit. */
static int
gather(struct h2 *h, struct error *e)
{
	const uint8_t *p;
	ssize_t n;

	while (buf_room(&h->out) >= FRAME_ROOM) {
		n = nghttp2_session_mem_send(h->session, &p);
		if (n == 0)
			return 0;
		if (n < 0)
			return error_set(e, ERROR_PROTOCOL, 0, "HTTP/2: %s",
			    nghttp2_strerror((int)n));
		if (buf_write(&h->out,
			(struct span){(const char *)p, (size_t)n}) < (size_t)n)
			return error_set(
			    e, ERROR_FULL, 0, "no memory to write HTTP/2");
	}
	return 0;
}

int
h2_write(struct h2 *h, char *scratch, size_t size, struct error *e)
{
	struct iovec iov[16];
	size_t n, wrote, total = 0;
	int parts;

	while (total < WRITE_MAX) {
		if (gather(h, e) == -1)
			return -1;
		if (h->out.n == 0)
			return 0;
		parts = buf_iov(&h->out, iov, 16);
		n = 0;
		for (int i = 0; i < parts; i++) {
			size_t some = iov[i].iov_len;

			if (some > size - n)
				some = size - n;
			memcpy(scratch + n, iov[i].iov_base, some);
			n += some;
		}
		switch (stream_write(
		    h->stream, (struct span){scratch, n}, &wrote)) {
		case IO_DONE:
			buf_drop(&h->out, wrote);
			total += wrote;
			break;
		case IO_WAIT:
			return 0;
		case IO_END:
		case IO_FAILED:
			*e = h->stream->error;
			return -1;
		}
	}
	return 0;
}

void
h2_want(struct h2 *h)
{
	int want = LOOP_READ;

	if (h->out.n > 0 || nghttp2_session_want_write(h->session))
		want |= LOOP_WRITE;
	stream_want(h->stream, want);
}

/* --- streams given up --- */

void
h2_give_up(struct h2 *h, int32_t id)
{
	h->given_up[h->n_given_up++ % H2_GIVEN_UP_KEPT] = id;
}

int
h2_has_given_up(const struct h2 *h, int32_t id)
{
	for (unsigned i = 0; i < H2_GIVEN_UP_KEPT && i < h->n_given_up; i++)
		if (h->given_up[i] == id)
			return 1;
	return 0;
}

/* --- floods --- */

static int
does_nothing(const nghttp2_frame *f)
{
	switch (f->hd.type) {
	case NGHTTP2_DATA:
		return f->hd.length == 0 &&
		       !(f->hd.flags & NGHTTP2_FLAG_END_STREAM);
	case NGHTTP2_HEADERS:
		return 0;
	default:
		return 1;
	}
}

void
h2_earn(struct h2 *h)
{
	h->earned += 2;
}

int
h2_count(struct h2 *h, const nghttp2_frame *frame)
{
	uint64_t now = loop_now_ms(h->loop);

	if (!does_nothing(frame))
		return 0;
	if (now - h->control_since_ms > H2_CONTROL_MS) {
		h->control = h->earned = 0;
		h->control_since_ms = now;
		h->bytes_out_since = h->stream->bytes_out;
	}
	/* What we send earns the peer its acknowledgements. */
	if (++h->control <=
	    H2_CONTROL_MAX + h->earned +
		(h->stream->bytes_out - h->bytes_out_since) / KIB)
		return 0;
	h->complaint = "too many control frames";
	nghttp2_session_terminate_session(
	    h->session, NGHTTP2_ENHANCE_YOUR_CALM);
	return -1;
}

/* --- heads --- */

int
h2_fields_begin(struct h2 *h)
{
	if (h->fields == NULL) {
		h->fields = pool_take(sizeof *h->fields, NULL);
		if (h->fields == NULL)
			return -1;
		text_init(&h->fields->text, LIMIT_HTTP_HEAD);
	}
	text_clear(&h->fields->text);
	h->fields->n = 0;
	h->fields->is_too_big = 0;
	return 0;
}

int
h2_fields_add(struct h2 *h, struct span name, struct span value)
{
	struct h2_fields *f = h->fields;

	if (f == NULL)
		return -1;
	if (f->n == sizeof f->field / sizeof *f->field ||
	    f->text.n + name.n + value.n > LIMIT_HTTP_HEAD ||
	    value.n > LIMIT_HTTP_LINE) {
		f->is_too_big = 1;
		return -1;
	}
	f->field[f->n].at = (uint32_t)f->text.n;
	f->field[f->n].name_n = (uint32_t)name.n;
	f->field[f->n].value_n = (uint32_t)value.n;
	f->n++;
	text_add(&f->text, name);
	text_add(&f->text, value);
	if (!text_overflowed(&f->text))
		return 0;
	f->is_too_big = 1;
	return -1;
}

void
h2_fields_head(
    const struct h2 *h, struct http_head *head, struct span *authority)
{
	const struct h2_fields *f = h->fields;
	unsigned long long number;

	memset(head, 0, offsetof(struct http_head, field));
	head->minor = 1;
	head->keeps_alive = 1;
	*authority = (struct span){NULL, 0};
	for (unsigned i = 0; i < f->n; i++) {
		const char *p = f->text.p + f->field[i].at;
		struct span name = {p, f->field[i].name_n};
		struct span value = {p + name.n, f->field[i].value_n};

		if (span_is(name, ":status") &&
		    span_to_u64(value, 999, &number) == 0)
			head->status = (int)number;
		else if (span_is(name, ":method"))
			head->method = value;
		else if (span_is(name, ":path"))
			head->target = value;
		else if (span_is(name, ":authority"))
			*authority = value;
		if (name.p[0] != ':' && head->fields < LIMIT_HTTP_FIELDS)
			head->field[head->fields++] =
			    (struct http_field){name, value};
	}
}

void
h2_fields_end(struct h2 *h)
{
	if (h->fields == NULL)
		return;
	text_release(&h->fields->text);
	pool_give(h->fields);
	h->fields = NULL;
}

nghttp2_nv
h2_nv(struct span name, struct span value)
{
	return (nghttp2_nv){(uint8_t *)name.p, (uint8_t *)value.p, name.n,
	    value.n, NGHTTP2_NV_FLAG_NONE};
}

void
http_library_version(char *out, size_t size)
{
	snprintf(out, size, "%s", nghttp2_version(0)->version_str);
}
