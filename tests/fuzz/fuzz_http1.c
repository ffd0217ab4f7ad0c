/*
 * HTTP/1.1 heads: what is accepted was scanned the same in pieces, and what
 * was read can be written again.
 */

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/http1.h"
#include "tests/fuzz/fuzz.h"

static enum http1_result
scan_pieces(struct span s, size_t piece, int is_response, size_t *head_bytes)
{
	struct http1_scan scan;
	struct error e;
	enum http1_result r = HTTP1_MORE;

	http1_scan_init(&scan, is_response);
	for (size_t end = piece; r == HTTP1_MORE; end += piece) {
		r = http1_scan(&scan, span_slice(s, 0, end), head_bytes, &e);
		if (end >= s.n)
			break;
	}
	return r;
}

static void
look_at(const struct http_head *h)
{
	CHECK(h->fields <= LIMIT_HTTP_FIELDS);
	for (unsigned i = 0; i < h->fields; i++) {
		CHECK(http_is_token(h->field[i].name));
		CHECK(http_is_value(h->field[i].value));
	}
	CHECK(http_field_get(h, "host").n <= LIMIT_HTTP_LINE);
	http_field_has(h, "connection", "close");
}

/* A request that was read is one again when it is written. */
static void
write_again(const struct http_head *h)
{
	static struct http_head again;
	struct http1_scan scan;
	struct error e;
	struct text t;
	size_t head_bytes;

	text_init(&t, 2 * LIMIT_HTTP_HEAD);
	CHECK(http1_add_request(&t, h->method, h->target, &e) == 0);
	for (unsigned i = 0; i < h->fields; i++) {
		char name[LIMIT_HTTP_LINE + 1];

		memcpy(name, h->field[i].name.p, h->field[i].name.n);
		name[h->field[i].name.n] = '\0';
		CHECK(http1_add_field(&t, name, h->field[i].value, &e) == 0);
	}
	CHECK(http1_add_end(&t, &e) == 0);
	http1_scan_init(&scan, 0);
	if (http1_scan(&scan, text_span(&t), &head_bytes, &e) == HTTP1_DONE &&
	    http1_parse_request(&again, text_span(&t), &e) == 0) {
		CHECK(again.fields == h->fields);
		CHECK(again.framing == h->framing);
		CHECK(again.length == h->length);
	}
	text_release(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct http_head head;
	struct span s;
	struct error e;
	size_t head_bytes = 0, other = 0;
	enum http1_result r;
	int is_response;

	fuzz_start();
	if (n < 1)
		return 0;
	is_response = p[0] & 1;
	s = (struct span){(const char *)p + 1, n - 1};

	r = scan_pieces(s, s.n + 1, is_response, &head_bytes);
	CHECK(scan_pieces(s, 1, is_response, &other) == r);
	if (r == HTTP1_DONE) {
		CHECK(other == head_bytes);
		CHECK(head_bytes <= s.n);
		s = span_slice(s, 0, head_bytes);
		if (is_response) {
			if (http1_parse_response(
				&head, s, span_of("GET"), &e) == 0)
				look_at(&head);
		} else if (http1_parse_request(&head, s, &e) == 0) {
			look_at(&head);
			write_again(&head);
		}
	}
	CHECK(pool_in_use() == 0);
	return 0;
}
