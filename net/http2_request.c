/* What goes out for a call on an HTTP/2 connection: its head and its body. */

#include "engine/base/check.h"
#include "net/http2_client_private.h"

static ssize_t
read_streamed(struct client_h2 *k, struct http_call *call, uint8_t *p, size_t n,
    uint32_t *flags)
{
	struct error e;
	size_t got;

	if (call_pull(call, (char *)p, n, &got, &e) == -1) {
		client_h2_fail(k, call, &e);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets */
	}
	if (call->is_drained) {
		call_all_sent(call);
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	} else if (got == 0) {
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)got;
}

static ssize_t
read_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t n,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct http_call *call = client_h2_call(client_h2_of(user), id);
	size_t filled;

	(void)session;
	(void)source;
	if (call == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (call->is_streamed)
		return read_streamed(client_h2_of(user), call, p, n, flags);
	filled = call_fill(call, (char *)p, n);
	call_sent(call, filled);
	if (call->is_sent)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)filled;
}

static struct span
add_lower(struct text *t, struct span s)
{
	size_t from = t->n;

	for (size_t i = 0; i < s.n; i++)
		text_add_char(t, s.p[i] >= 'A' && s.p[i] <= 'Z'
				     ? (char)(s.p[i] | 0x20)
				     : s.p[i]);
	return (struct span){t->p + from, s.n};
}

/*
 * The head as name and value pairs in t, which must not move meanwhile: it
 * has room for all from the beginning.
 */
static size_t
request_fields(
    struct client_h2 *k, struct http_call *call, nghttp2_nv *nv, struct text *t)
{
	struct http_head *head = &k->conn->origin->client->head;
	struct span before, value;
	size_t n = 4;

	call_read_head(call, head);
	nv[0] = h2_nv(span_of(":method"), head->method);
	nv[1] = h2_nv(span_of(":scheme"),
	    span_of(k->conn->origin->tls != NULL ? "https" : "http"));
	nv[2] = h2_nv(span_of(":authority"), http_field_get(head, "host"));
	nv[3] = h2_nv(span_of(":path"), head->target);
	for (unsigned i = 0; i < head->fields; i++) {
		const struct http_field *f = &head->field[i];
		const struct secret *secret = call_secret_of(call, f, &before);

		if (span_is_nocase(f->name, "host") ||
		    span_is_nocase(f->name, "transfer-encoding"))
			continue;
		value = f->value;
		if (secret != NULL) {
			size_t from = t->n;

			text_add(t, before);
			text_add(t, secret_reveal(secret));
			value = (struct span){t->p + from, t->n - from};
		}
		nv[n] = h2_nv(add_lower(t, f->name), value);
		if (secret != NULL)
			nv[n].flags = NGHTTP2_NV_FLAG_NO_INDEX;
		n++;
	}
	return n;
}

int
client_h2_submit(struct client_h2 *k, struct http_call *call)
{
	nghttp2_nv nv[LIMIT_HTTP_FIELDS + 4];
	nghttp2_data_provider body = {.read_callback = read_body};
	size_t size = call->head.n + 1, head_bytes = call->head.n, n;
	struct text t;
	int32_t id = -1;

	for (unsigned i = 0; i < call->nsecrets; i++) {
		size += secret_reveal(call->secret[i].secret).n;
		head_bytes += secret_reveal(call->secret[i].secret).n;
	}
	text_init(&t, size);
	if (text_room(&t, size - 1, NULL) != NULL) {
		n = request_fields(k, call, nv, &t);
		id = nghttp2_submit_request(k->h2.session, NULL, nv, n,
		    call->body_bytes > 0 || call->is_streamed ? &body : NULL,
		    call);
		wipe(t.p, t.n);
	}
	text_release(&t);
	if (id < 0)
		return -1;
	call->stream_id = id;
	call_sent(call, head_bytes); /* the head's part of the cursor */
	return 0;
}
