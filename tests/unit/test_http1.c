#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "net/http1.h"
#include "tests/unit/guarded.h"

static struct guarded guarded;
static struct http_head head;
static struct error err;

/* Scan s, in pieces of step bytes; the head's length or -1. */
static long
scan(struct span s, size_t step, int is_response)
{
	struct http1_scan scan;
	size_t n = 0;
	enum http1_result r = HTTP1_MORE;

	http1_scan_init(&scan, is_response);
	for (size_t at = 0; at < s.n && r == HTTP1_MORE; at += step)
		r = http1_scan(&scan,
		    guarded_copy(&guarded, span_slice(s, 0, at + step)), &n,
		    &err);
	if (r == HTTP1_BAD)
		return -1;
	return r == HTTP1_DONE ? (long)n : 0;
}

static int
parse(const char *text, size_t length, int is_response, const char *method)
{
	struct span s = {text, length};
	long n = scan(s, length, is_response);

	assert_int_equal(scan(s, 1, is_response), n);
	assert_int_equal(scan(s, 7, is_response), n);
	if (n <= 0)
		return -1;
	s = guarded_copy(&guarded, span_slice(s, 0, (size_t)n));
	if (is_response)
		return http1_parse_response(&head, s, span_of(method), &err);
	return http1_parse_request(&head, s, &err);
}

#define RESPONSE(s) parse("HTTP/1.1 " s, sizeof("HTTP/1.1 " s) - 1, 1, "GET")
#define REQUEST(s) parse(s, sizeof(s) - 1, 0, NULL)

static void
a_response_is_cut_into_its_parts(void **state)
{
	(void)state;
	assert_int_equal(
	    RESPONSE("200 Very OK\r\nContent-Type:text/event-stream \r\n"
		     "X-Empty:\r\nx-two:\t a b \r\n\r\nbody"),
	    0);
	assert_int_equal(head.status, 200);
	assert_true(span_is(head.reason, "Very OK"));
	assert_int_equal(head.fields, 3);
	assert_true(span_is(
	    http_field_get(&head, "content-type"), "text/event-stream"));
	assert_non_null(http_field_get(&head, "x-empty").p);
	assert_int_equal(http_field_get(&head, "x-empty").n, 0);
	assert_true(span_is(http_field_get(&head, "X-TWO"), "a b"));
	assert_null(http_field_get(&head, "x-three").p);
	assert_int_equal(head.framing, HTTP_UNTIL_CLOSE);
	assert_false(head.keeps_alive);
	assert_int_equal(RESPONSE("200\r\n\r\n"), 0);
	assert_int_equal(RESPONSE("404 \r\nContent-Length: 0\r\n\r\n"), 0);
	assert_int_equal(head.framing, HTTP_NO_BODY);
}

static void
a_request_is_cut_into_its_parts(void **state)
{
	(void)state;
	assert_int_equal(REQUEST("POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\n"
				 "Expect: 100-continue\r\n"
				 "Content-Length: 7\r\n\r\n"),
	    0);
	assert_true(span_is(head.method, "POST"));
	assert_true(span_is(head.target, "/v1/x?y=1"));
	assert_int_equal(head.framing, HTTP_LENGTH);
	assert_int_equal(head.length, 7);
	assert_true(head.expects_100);
	assert_true(head.keeps_alive);
	assert_int_equal(REQUEST("GET / HTTP/1.0\r\n\r\n"), 0);
	assert_false(head.keeps_alive);
	assert_int_equal(head.framing, HTTP_NO_BODY);
}

static void
framing_follows_the_fields_and_the_method(void **state)
{
	(void)state;
	assert_int_equal(RESPONSE("200 OK\r\nContent-Length: 12\r\n\r\n"), 0);
	assert_int_equal(head.framing, HTTP_LENGTH);
	assert_int_equal(head.length, 12);
	assert_true(head.keeps_alive);
	assert_int_equal(
	    RESPONSE("200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"), 0);
	assert_int_equal(head.framing, HTTP_CHUNKED);
	assert_int_equal(
	    RESPONSE("200 OK\r\nContent-Length: 5, 5\r\ncontent-length: 5"
		     "\r\n\r\n"),
	    0);
	assert_int_equal(head.length, 5);
	assert_int_equal(RESPONSE("204 No\r\nContent-Length: 5\r\n\r\n"), 0);
	assert_int_equal(head.framing, HTTP_NO_BODY);
	assert_int_equal(RESPONSE("101 Up\r\nConnection: keep-alive, Upgrade"
				  "\r\nUpgrade: websocket\r\n\r\n"),
	    0);
	assert_int_equal(head.framing, HTTP_NO_BODY);
	assert_true(span_is(head.upgrade, "websocket"));
	assert_int_equal(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
			     38, 1, "HEAD"),
	    0);
	assert_int_equal(head.framing, HTTP_NO_BODY);
	assert_int_equal(
	    RESPONSE(
		"200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\n"),
	    0);
	assert_false(head.keeps_alive);
}

static void
what_two_parsers_might_read_differently_is_refused(void **state)
{
	(void)state;
	assert_int_equal(RESPONSE("200 OK\r\nContent-Length: 5\r\n"
				  "Transfer-Encoding: chunked\r\n\r\n"),
	    -1);
	assert_int_equal(RESPONSE("200 OK\r\nContent-Length: 5\r\n"
				  "Content-Length: 6\r\n\r\n"),
	    -1);
	assert_int_equal(RESPONSE("200 OK\r\nContent-Length: +5\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nContent-Length: 5,\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nContent-Length: 0x5\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nContent-Length:\r\n\r\n"), -1);
	assert_int_equal(
	    RESPONSE("200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"),
	    -1);
	assert_int_equal(
	    RESPONSE("200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nTransfer-Encoding: chunked\r\n"
				  "Transfer-Encoding: chunked\r\n\r\n"),
	    -1);
	assert_int_equal(RESPONSE("200 OK\nA: b\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nA: b\n\n"), -1);
	assert_int_equal(RESPONSE("200 OK\rA: b\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nA: b\r\n c\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\n A: b\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nA : b\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\n: b\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nA\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nA: \0\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("200 OK\r\nA: \x7f\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("20 OK\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("2000 OK\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("abc OK\r\n\r\n"), -1);
	assert_int_equal(RESPONSE("099 OK\r\n\r\n"), -1);
	assert_int_equal(parse("HTTP/2.0 200 OK\r\n\r\n", 19, 1, "GET"), -1);
	assert_int_equal(parse("HTTP/1.0 200 OK\r\nTransfer-Encoding: "
			       "chunked\r\n\r\n",
			     47, 1, "GET"),
	    -1);
	assert_int_equal(REQUEST("GET / HTTP/1.1\r\n\r\n"), -1);
	assert_int_equal(
	    REQUEST("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), -1);
	assert_int_equal(REQUEST("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), -1);
	assert_int_equal(REQUEST("GET / x HTTP/1.1\r\nHost: a\r\n\r\n"), -1);
	assert_int_equal(REQUEST("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), -1);
	assert_int_equal(REQUEST("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), -1);
}

static void
garbage_is_found_at_its_first_byte(void **state)
{
	struct http1_scan s;
	size_t n;

	(void)state;
	http1_scan_init(&s, 1);
	assert_int_equal(
	    http1_scan(&s, span_of("SSH-2.0"), &n, &err), HTTP1_BAD);
	assert_int_equal(err.code, ERROR_PROTOCOL);
	http1_scan_init(&s, 0);
	assert_int_equal(
	    http1_scan(&s, span_of("\x16\x03\x01"), &n, &err), HTTP1_BAD);
}

static void
ceilings_hold_for_lines_fields_and_the_head(void **state)
{
	struct text t;

	(void)state;
	text_init(&t, 1 << 20);
	text_add_str(&t, "HTTP/1.1 200 OK\r\nA: ");
	for (size_t i = 0; i < LIMIT_HTTP_LINE; i++)
		text_add_char(&t, 'x');
	text_add_str(&t, "\r\n\r\n");
	assert_int_equal(scan(text_span(&t), 1000, 1), -1);
	assert_int_equal(err.code, ERROR_TOO_BIG);

	text_clear(&t);
	text_add_str(&t, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < LIMIT_HTTP_FIELDS; i++)
		text_add_str(&t, "A: b\r\n");
	text_add_str(&t, "\r\n");
	assert_true(scan(text_span(&t), 1000, 1) > 0);
	assert_int_equal(
	    http1_parse_response(&head, text_span(&t), span_of("GET"), &err),
	    0);
	assert_int_equal(head.fields, LIMIT_HTTP_FIELDS);
	text_drop(&t, 0);
	t.n -= 2;
	text_add_str(&t, "A: b\r\n\r\n");
	assert_int_equal(scan(text_span(&t), 1000, 1), -1);

	text_clear(&t);
	text_add_str(&t, "HTTP/1.1 200 OK\r\n");
	while (t.n <= LIMIT_HTTP_HEAD)
		text_printf(&t, "A: %01000d\r\n", 1);
	text_add_str(&t, "\r\n");
	assert_int_equal(scan(text_span(&t), 1000, 1), -1);
	text_release(&t);
}

/* --- chunks --- */

/* Decode s in pieces of step bytes: the body in *out; the last answer. */
static enum http1_chunk
decode(struct span s, size_t step, struct text *out, struct text *trailers,
    size_t *left)
{
	struct http1_chunked c;
	struct span body, in;
	enum http1_chunk r = CHUNK_MORE;

	text_clear(out);
	text_clear(trailers);
	http1_chunked_init(&c);
	*left = 0;
	for (size_t at = 0; at < s.n && r != CHUNK_BAD; at += step) {
		in = guarded_copy(&guarded, span_slice(s, at, at + step));
		while ((r = http1_chunked_next(&c, &in, &body, &err)) ==
		       CHUNK_BODY)
			text_add(out, body);
		*left += in.n;
	}
	text_add(trailers, text_span(&c.trailers));
	http1_chunked_release(&c);
	return r;
}

static void
expect_chunks(const char *stream, size_t n, enum http1_chunk want,
    const char *body, const char *trailers, size_t left)
{
	struct text out, t;
	size_t got;

	text_init(&out, 4096);
	text_init(&t, 4096);
	for (size_t step = 1; step <= n + 1; step++) {
		assert_int_equal(
		    decode((struct span){stream, n}, step, &out, &t, &got),
		    want);
		if (want != CHUNK_END)
			continue;
		assert_true(span_is(text_span(&out), body));
		assert_true(span_is(text_span(&t), trailers));
		assert_int_equal(got, left);
	}
	text_release(&out);
	text_release(&t);
	assert_int_equal(pool_in_use(), 0);
}

#define GOOD(s, body, trailers, left) \
	expect_chunks(s, sizeof(s) - 1, CHUNK_END, body, trailers, left)
#define BAD(s) expect_chunks(s, sizeof(s) - 1, CHUNK_BAD, NULL, NULL, 0)
#define MORE(s) expect_chunks(s, sizeof(s) - 1, CHUNK_MORE, NULL, NULL, 0)

static void
chunks_are_joined(void **state)
{
	(void)state;
	GOOD("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", "", 0);
	GOOD("0\r\n\r\nHTTP/1.1", "", "", 8);
	GOOD("00a\r\n0123456789\r\n000\r\n\r\n", "0123456789", "", 0);
	GOOD("A;x=\"y\"\r\n0123456789\r\n0;z\r\n\r\n", "0123456789", "", 0);
	GOOD("1 ;a\r\nx\r\n0\r\n\r\n", "x", "", 0);
	GOOD("1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n", "x", "A: b\r\nC: d\r\n", 0);
	GOOD("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "", 0);
	MORE("5\r\nhel");
	MORE("5\r\nhello\r\n0\r\n\r");
	MORE("5\r\nhello\r\n0\r\nA: b\r\n");
}

static void
bad_chunks_are_refused(void **state)
{
	(void)state;
	BAD("\r\n");
	BAD(";x\r\n");
	BAD("-1\r\n");
	BAD("0x5\r\nhello");
	BAD("5\nhello");
	BAD("5\r\r\nhello");
	BAD("5 \r\nhello");
	BAD(" 5\r\nhello");
	BAD("g\r\n");
	BAD("5\r\nhelloX\r\n");
	BAD("5\r\nhello\n0\r\n\r\n");
	BAD("10000000000000000\r\n");
	BAD("ffffffffffffffff\r\n");
	BAD("5;\x01\r\nhello");
	BAD("0\r\nA: b\n\r\n");
	BAD("0\r\nA: \0\r\n\r\n");
	BAD("0\r\n\rx");
}

static void
endless_extensions_and_trailers_end(void **state)
{
	struct http1_chunked c;
	struct span in, body;
	enum http1_chunk r = CHUNK_MORE;

	(void)state;
	for (int trailer = 0; trailer < 2; trailer++) {
		http1_chunked_init(&c);
		in = span_of(trailer ? "0\r\n" : "5;");
		r = http1_chunked_next(&c, &in, &body, &err);
		for (int i = 0; i < 100000 && r == CHUNK_MORE; i++) {
			in = span_of(trailer ? "A: b\r\n" : "xxxx");
			r = http1_chunked_next(&c, &in, &body, &err);
		}
		assert_int_equal(r, CHUNK_BAD);
		http1_chunked_release(&c);
	}
}

/* --- writing --- */

static void
what_is_written_reads_back(void **state)
{
	struct text t;
	char line[HTTP1_CHUNK_LINE];

	(void)state;
	text_init(&t, 4096);
	assert_int_equal(
	    http1_add_request(&t, span_of("POST"), span_of("/x"), &err), 0);
	assert_int_equal(http1_add_field(&t, "Host", span_of("h"), &err), 0);
	assert_int_equal(
	    http1_add_field(&t, "Transfer-Encoding", span_of("chunked"), &err),
	    0);
	assert_int_equal(http1_add_end(&t, &err), 0);
	assert_string_equal(t.p,
	    "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_int_equal(parse(t.p, t.n, 0, NULL), 0);
	assert_int_equal(head.framing, HTTP_CHUNKED);
	assert_int_equal(http1_chunk_line(line, 0x1f), 4);
	assert_string_equal(line, "1f\r\n");
	text_clear(&t);
	assert_int_equal(
	    http1_add_response(&t, 429, http_reason(429), &err), 0);
	assert_string_equal(t.p, "HTTP/1.1 429 Too Many Requests\r\n");
	text_release(&t);
}

static void
nothing_can_be_smuggled_into_a_head(void **state)
{
	struct text t;

	(void)state;
	text_init(&t, 4096);
	assert_int_equal(
	    http1_add_field(&t, "A", span_of("b\r\nX: y"), &err), -1);
	assert_int_equal(http1_add_field(&t, "A: x", span_of("b"), &err), -1);
	assert_int_equal(http1_add_field(&t, "", span_of("b"), &err), -1);
	assert_int_equal(
	    http1_add_field(&t, "A", (struct span){"b\0c", 3}, &err), -1);
	assert_int_equal(
	    http1_add_request(&t, span_of("GET"), span_of("/ x"), &err), -1);
	assert_int_equal(
	    http1_add_request(&t, span_of("GET\r\n"), span_of("/"), &err), -1);
	assert_int_equal(t.n, 0);
	text_release(&t);
}

static int
setup(void **state)
{
	(void)state;
	guarded_init(&guarded, 256 << 10);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	guarded_release(&guarded);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_response_is_cut_into_its_parts),
	    cmocka_unit_test(a_request_is_cut_into_its_parts),
	    cmocka_unit_test(framing_follows_the_fields_and_the_method),
	    cmocka_unit_test(
		what_two_parsers_might_read_differently_is_refused),
	    cmocka_unit_test(garbage_is_found_at_its_first_byte),
	    cmocka_unit_test(ceilings_hold_for_lines_fields_and_the_head),
	    cmocka_unit_test(chunks_are_joined),
	    cmocka_unit_test(bad_chunks_are_refused),
	    cmocka_unit_test(endless_extensions_and_trailers_end),
	    cmocka_unit_test(what_is_written_reads_back),
	    cmocka_unit_test(nothing_can_be_smuggled_into_a_head),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
