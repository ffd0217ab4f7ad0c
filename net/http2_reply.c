/*
 * What goes out on an HTTP/2 connection of the server: replies.
 *
 * A body that an owner writes waits in x->out until nghttp2 fetches it, so
 * a stream whose window is shut fills up to its ceiling and stops there.
 */

#include <stdio.h>

#include "engine/base/check.h"
#include "net/http2_server_private.h"

/* What was written is out: what is none of HTTP/2 follows. */
static void
break_connection(struct server_h2 *k, struct exchange *x)
{
	text_release(&k->raw);
	k->raw = x->raw;
	text_init(&x->raw, 0);
	loop_defer(&k->conn->flush);
}

static ssize_t
read_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t n,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct exchange *x = server_h2_exchange(server_h2_of(user), id);
	size_t filled = 0;

	(void)session;
	(void)source;
	if (x == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	while (filled < n && x->out.n > 0) {
		struct span front = buf_front(&x->out);
		size_t some = front.n < n - filled ? front.n : n - filled;

		memcpy(p + filled, front.p, some);
		buf_drop(&x->out, some);
		filled += some;
	}
	if (x->out.n == 0 && x->is_told)
		loop_timer_stop(&x->deadline);
	else if (filled > 0)
		loop_timer_start(&x->deadline, x->server->set.write_ms);
	if (filled == 0 && x->is_ended && x->after == AFTER_RAW)
		break_connection(server_h2_of(user), x);
	if (filled == 0 && x->is_ended &&
	    (x->after == AFTER_CUT || x->after == AFTER_RESET))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets */
	if (x->out.n == 0 && x->is_ended && x->after < AFTER_CUT)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (filled == 0)
		return NGHTTP2_ERR_DEFERRED;
	return (ssize_t)filled;
}

void
server_h2_head(struct exchange *x, const struct http_field *fields,
    unsigned nfields, int64_t length)
{
	struct server_h2 *k = x->conn->h2;
	nghttp2_data_provider body = {.read_callback = read_body};
	nghttp2_nv nv[LIMIT_HTTP_FIELDS + 2];
	char status[12], number[24];
	struct text names;
	size_t n = 0, size = 1;

	snprintf(status, sizeof status, "%d", x->status);
	nv[n++] = h2_nv(span_of(":status"), span_of(status));
	for (unsigned i = 0; i < nfields; i++)
		size += fields[i].name.n;
	text_init(&names, size);
	if (text_room(&names, size - 1, NULL) == NULL)
		nfields = 0; /* no memory: the stream is reset below */
	for (unsigned i = 0; i < nfields && i < LIMIT_HTTP_FIELDS; i++) {
		struct span name = fields[i].name;
		char *at = names.p + names.n;

		if (span_is_nocase(name, "connection"))
			continue;
		text_add(&names, name);
		for (size_t j = 0; j < name.n; j++)
			if (at[j] >= 'A' && at[j] <= 'Z')
				at[j] |= 0x20;
		nv[n++] = h2_nv((struct span){at, name.n}, fields[i].value);
	}
	if (length >= 0 && x->status != 204 && x->status != 304) {
		snprintf(number, sizeof number, "%lld", (long long)length);
		nv[n++] = h2_nv(span_of("content-length"), span_of(number));
	}
	if (text_overflowed(&names) ||
	    nghttp2_submit_response(k->h2.session, x->stream_id, nv, n,
		x->drops_body || length == 0 ? NULL : &body) != 0)
		nghttp2_submit_rst_stream(k->h2.session, NGHTTP2_FLAG_NONE,
		    x->stream_id, NGHTTP2_INTERNAL_ERROR);
	text_release(&names);
	loop_defer(&x->conn->flush);
}

size_t
server_h2_room(const struct exchange *x)
{
	return buf_room(&x->out);
}

void
server_h2_write(struct exchange *x, struct span bytes)
{
	struct server_h2 *k = x->conn->h2;

	if (buf_write(&x->out, bytes) < bytes.n)
		x->after = AFTER_RESET;
	if (!loop_timer_is_active(&x->deadline))
		loop_timer_start(&x->deadline, x->server->set.write_ms);
	nghttp2_session_resume_data(k->h2.session, x->stream_id);
	loop_defer(&x->conn->flush);
}

void
server_h2_end(struct exchange *x)
{
	struct server_h2 *k = x->conn->h2;

	nghttp2_session_resume_data(k->h2.session, x->stream_id);
	loop_defer(&x->conn->flush);
}

/* Without a head there is nothing to let out first. */
void
server_h2_rude(struct exchange *x)
{
	struct server_h2 *k = x->conn->h2;

	if (x->has_head)
		server_h2_end(x);
	else if (x->after == AFTER_RAW)
		break_connection(k, x);
	else
		server_h2_reset(k, x, NGHTTP2_INTERNAL_ERROR);
}
