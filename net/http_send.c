/* What goes out for a request: its head, secrets in their places, its body. */

#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/secret.h"
#include "net/http_private.h"

static int
add_fields(
    struct http_call *call, const struct http_request *q, struct error *e)
{
	for (unsigned i = 0; i < q->nfields; i++) {
		const struct http_request_field *f = &q->fields[i];

		if (f->secret == NULL) {
			if (http1_add_field(
				&call->head, f->name, f->value, e) == -1)
				return -1;
			continue;
		}
		if (call->nsecrets == HTTP_SECRETS_MAX)
			return error_set(e, ERROR_TOO_BIG, 0,
			    "a request has at most %d secrets",
			    HTTP_SECRETS_MAX);
		if (!http_is_token(span_of(f->name)) ||
		    !http_is_value(secret_reveal(f->secret)))
			return error_set(e, ERROR_SYNTAX, 0,
			    "the secret of the field %s cannot be sent",
			    f->name);
		text_printf(&call->head, "%s: ", f->name);
		text_add(&call->head, f->value);
		call->secret[call->nsecrets++] = (struct http_secret_at){
		    .at = call->head.n, .secret = f->secret};
		text_add_str(&call->head, "\r\n");
	}
	return 0;
}

/* How the body is framed, and what else the connection is to know. */
static int
add_framing(
    struct http_call *call, const struct http_request *q, struct error *e)
{
	uint64_t bytes =
	    call->is_streamed ? q->streamed_bytes : call->body_bytes;
	struct span method = span_of(q->method);
	char length[24];
	int n;

	if (q->upgrade != NULL && (http1_add_field(&call->head, "Connection",
				       span_of("Upgrade"), e) == -1 ||
				      http1_add_field(&call->head, "Upgrade",
					  span_of(q->upgrade), e) == -1))
		return -1;
	if (call->is_streamed && !call->is_counted)
		return http1_add_field(
		    &call->head, "Transfer-Encoding", span_of("chunked"), e);
	if (bytes == 0 && !span_is(method, "POST") && !span_is(method, "PUT"))
		return 0;
	n = snprintf(length, sizeof length, "%llu", (unsigned long long)bytes);
	return http1_add_field(
	    &call->head, "Content-Length", (struct span){length, (size_t)n}, e);
}

int
call_build_head(
    struct http_call *call, const struct http_request *q, struct error *e)
{
	text_init(&call->head, LIMIT_HTTP_HEAD);
	if (http1_add_request(&call->head, span_of(q->method), q->target, e) ==
		-1 ||
	    http1_add_field(&call->head, "Host", call->origin->host, e) == -1 ||
	    add_fields(call, q, e) == -1)
		return -1;
	for (unsigned i = 0; i < q->nbody; i++)
		call->body_bytes += q->body[i].n;
	if (add_framing(call, q, e) == -1)
		return -1;
	if (http1_add_end(&call->head, e) == -1)
		return -1;
	if (text_overflowed(&call->head))
		return error_set(
		    e, ERROR_TOO_BIG, 0, "the head of the request is too long");
	return 0;
}

/* Parts: head, secret, head, ..., head, then the slices of the body. */
static unsigned
part_count(const struct http_call *call)
{
	return 2 * call->nsecrets + 1 + call->nbody;
}

static struct span
part(const struct http_call *call, unsigned i)
{
	size_t from, to;

	if (i > 2 * call->nsecrets)
		return call->body[i - 2 * call->nsecrets - 1];
	if (i % 2 == 1)
		return secret_reveal(call->secret[i / 2].secret);
	from = i == 0 ? 0 : call->secret[i / 2 - 1].at;
	to = i / 2 == call->nsecrets ? call->head.n : call->secret[i / 2].at;
	return span_slice(text_span(&call->head), from, to);
}

size_t
call_fill(const struct http_call *call, char *p, size_t n)
{
	size_t offset = call->offset, filled = 0;

	for (unsigned i = call->part; i < part_count(call) && filled < n; i++) {
		struct span s = part(call, i);
		size_t some = s.n - offset;

		if (some > n - filled)
			some = n - filled;
		if (some > 0)
			memcpy(p + filled, s.p + offset, some);
		filled += some;
		offset = 0;
	}
	return filled;
}

void
call_sent(struct http_call *call, size_t n)
{
	while (call->part < part_count(call)) {
		size_t left = part(call, call->part).n - call->offset;

		if (n < left) {
			call->offset += n;
			return;
		}
		n -= left;
		call->part++;
		call->offset = 0;
	}
	CHECK(n == 0);
	if (!call->is_streamed)
		call_all_sent(call);
}

int
call_head_is_out(const struct http_call *call)
{
	return call->part == part_count(call);
}

void
call_all_sent(struct http_call *call)
{
	call->is_sent = 1;
	call->timing.sent_us =
	    loop_now_us(call->origin->client->loop) - call->started_us;
}

void
call_rewind(struct http_call *call)
{
	CHECK(!call->was_filled);
	call->is_sent = 0;
	call->part = 0;
	call->offset = 0;
}

int
call_pull(
    struct http_call *call, char *p, size_t n, size_t *got, struct error *e)
{
	int is_last = 0;

	CHECK(!call->is_drained);
	if (call->is_counted && n > call->streamed_left)
		n = (size_t)call->streamed_left;
	call->was_filled = 1;
	*got = call->ops->fill(call->owner, p, n, &is_last);
	CHECK(*got <= n);
	call->is_dry = *got == 0 && !is_last;
	if (call->is_counted) {
		call->streamed_left -= *got;
		if (is_last && call->streamed_left > 0)
			return error_set(e, ERROR_SYNTAX, 0,
			    "the body of the request is shorter than was "
			    "promised");
		is_last = call->streamed_left == 0;
	}
	call->is_drained = is_last != 0;
	return 0;
}

void
call_read_head(const struct http_call *call, struct http_head *head)
{
	struct error e;
	int r = http1_parse_request(head, text_span(&call->head), &e);

	CHECK(r == 0); /* we wrote it */
}

const struct secret *
call_secret_of(const struct http_call *call, const struct http_field *f,
    struct span *before)
{
	const char *from = f->name.p + f->name.n + 2; /* behind ": " */

	for (unsigned i = 0; i < call->nsecrets; i++) {
		const char *at = call->head.p + call->secret[i].at;

		if (at < from || memchr(from, '\r', (size_t)(at - from)))
			continue;
		*before = (struct span){from, (size_t)(at - from)};
		return call->secret[i].secret;
	}
	return NULL;
}
