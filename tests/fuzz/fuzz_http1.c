/*
 * HTTP/1.1 heads: the same verdict however they are cut, and an accepted head
 * holds nothing that another parser could read differently.
 */

#include <stdint.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "net/http1.h"
#include "net/retry.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct http_head head;

static enum http1_result
scan(struct span s, size_t step, int is_response, size_t *length)
{
	struct http1_scan sc;
	struct error e;
	enum http1_result r = HTTP1_MORE;

	http1_scan_init(&sc, is_response);
	for (size_t at = 0; at < s.n && r == HTTP1_MORE; at += step)
		r = http1_scan(&sc, span_slice(s, 0, at + step), length, &e);
	return r;
}

static void
accepted(const struct http_head *h)
{
	struct retry_case c = {.event = RETRY_EV_STATUS,
	    .status = h->status,
	    .attempt = 1,
	    .head = h,
	    .random = 7};
	struct retry_verdict v;

	CHECK(h->fields <= LIMIT_HTTP_FIELDS);
	for (unsigned i = 0; i < h->fields; i++) {
		CHECK(http_is_token(h->field[i].name));
		CHECK(http_is_value(h->field[i].value));
	}
	if (h->framing == HTTP_CHUNKED)
		CHECK(http_field_get(h, "content-length").p == NULL);
	retry_decide(&retry_default, &c, &v);
	CHECK(v.wait_ms <= 300250);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = {(const char *)p, n};
	struct error e;
	size_t length = 0, other = 0;
	enum http1_result r;

	for (int is_response = 0; is_response < 2; is_response++) {
		r = scan(s, n > 0 ? n : 1, is_response, &length);
		CHECK(scan(s, 1, is_response, &other) == r);
		CHECK(scan(s, 5, is_response, &other) == r);
		if (r != HTTP1_DONE)
			continue;
		CHECK(length == other && length <= n);
		s = span_slice(s, 0, length);
		if (is_response ? http1_parse_response(
				      &head, s, span_of("GET"), &e) == 0
				: http1_parse_request(&head, s, &e) == 0)
			accepted(&head);
	}
	return 0;
}
