#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "net/sse.h"
#include "tests/unit/guarded.h"

static struct guarded guarded;

/* Feed pieces and write down what comes: "type|data|id;" for each event. */
static void
collect(struct sse *s, struct span piece, struct text *out)
{
	struct span in = guarded_copy(&guarded, piece);
	struct sse_event ev;
	struct error e;
	enum sse_result r;

	while ((r = sse_next(s, &in, &ev, &e)) == SSE_EVENT) {
		text_add(out, ev.type);
		text_add_char(out, '|');
		text_add(out, ev.data);
		text_add_char(out, '|');
		text_add(out, ev.id);
		text_add_char(out, ';');
	}
	assert_int_equal(r, SSE_MORE);
	assert_int_equal(in.n, 0);
}

static void
expect(const char *stream, size_t n, const char *want)
{
	struct span s = {stream, n};
	struct text out;
	struct sse sse;

	text_init(&out, 65536);
	for (size_t cut = 0; cut <= n; cut++) {
		sse_init(&sse, 4096, 4096);
		text_clear(&out);
		collect(&sse, span_slice(s, 0, cut), &out);
		collect(&sse, span_slice(s, cut, n), &out);
		assert_int_equal(out.n, strlen(want));
		assert_memory_equal(out.p == NULL ? "" : out.p, want, out.n);
		sse_release(&sse);
	}
	sse_init(&sse, 4096, 4096);
	text_clear(&out);
	for (size_t at = 0; at < n; at++)
		collect(&sse, span_slice(s, at, at + 1), &out);
	assert_int_equal(out.n, strlen(want));
	assert_memory_equal(out.p == NULL ? "" : out.p, want, out.n);
	sse_release(&sse);
	text_release(&out);
	assert_int_equal(pool_in_use(), 0);
}

#define EXPECT(stream, want) expect(stream, sizeof(stream) - 1, want)

static void
events_are_those_of_the_standard(void **state)
{
	(void)state;
	EXPECT("data: hello\n\n", "|hello|;");
	EXPECT("data:hello\n\n", "|hello|;");
	EXPECT("data:  hello\n\n", "| hello|;");
	EXPECT("event: add\ndata: 1\n\ndata: 2\n\n", "add|1|;|2|;");
	EXPECT("data: YHOO\ndata: +2\ndata: 10\n\n", "|YHOO\n+2\n10|;");
	EXPECT("data\n\ndata\ndata\n\ndata:", "||;|\n|;");
	EXPECT(": comment\n\ndata: x\nid: 1\n\ndata: y\nid\n\ndata: z\n\n",
	    "|x|1;|y|;|z|;");
	EXPECT("data: a\n: inside\ndata: b\n\n", "|a\nb|;");
	EXPECT("event: lost\n\ndata: x\n\n", "|x|;");
	EXPECT("data: cut off\n", "");
	EXPECT("data: x\n\nevent: y", "|x|;");
	EXPECT("unknown: x\nDATA: y\ndata : z\n\n", "");
	EXPECT("\n\n\n", "");
	EXPECT("", "");
	EXPECT("data: a:b\n\n", "|a:b|;");
}

static void
any_line_end_will_do(void **state)
{
	(void)state;
	EXPECT("data: a\r\rdata: b\r\n\r\ndata: c\n\ndata: d\r\n\n",
	    "|a|;|b|;|c|;|d|;");
	EXPECT("data: a\r\ndata: b\rdata: c\n\r", "|a\nb\nc|;");
	EXPECT("data: a\n\r\ndata: b\r\n\r", "|a|;|b|;");
}

static void
one_byte_order_mark_is_skipped(void **state)
{
	(void)state;
	EXPECT("\xef\xbb\xbf"
	       "data: a\n\n",
	    "|a|;");
	EXPECT("\xef\xbb\xbf\xef\xbb\xbf"
	       "data: a\n\n",
	    "");
	EXPECT("data: a\n\n\xef\xbb\xbf"
	       "data: b\n\n",
	    "|a|;");
}

static void
ids_with_nul_are_ignored(void **state)
{
	(void)state;
	EXPECT("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", "|a|1;|b|1;");
}

static void
retry_takes_digits_only(void **state)
{
	struct sse s;
	struct text out;

	(void)state;
	text_init(&out, 100);
	sse_init(&s, 100, 100);
	collect(&s, span_of("retry: 5x\nretry: -1\nretry:\n"), &out);
	assert_true(s.retry_ms == UINT64_MAX);
	collect(&s, span_of("retry: 2500\n"), &out);
	assert_true(s.retry_ms == 2500);
	sse_release(&s);
	text_release(&out);
}

static void
a_whole_event_is_not_copied(void **state)
{
	const char *stream = "event: x\ndata: {\"a\":1}\n\n";
	struct span in = span_of(stream);
	struct sse s;
	struct sse_event ev;
	struct error e;

	(void)state;
	sse_init(&s, 100, 100);
	assert_int_equal(sse_next(&s, &in, &ev, &e), SSE_EVENT);
	assert_ptr_equal(ev.data.p, stream + 15);
	assert_false(sse_is_inside(&s));
	sse_release(&s);
}

static void
the_end_of_the_stream_inside_an_event_is_seen(void **state)
{
	struct sse s;
	struct text out;

	(void)state;
	text_init(&out, 100);
	sse_init(&s, 100, 100);
	collect(&s, span_of("data: a\n\n"), &out);
	assert_false(sse_is_inside(&s));
	collect(&s, span_of("da"), &out);
	assert_true(sse_is_inside(&s));
	collect(&s, span_of("ta: x\n"), &out);
	assert_true(sse_is_inside(&s));
	collect(&s, span_of("\n"), &out);
	assert_false(sse_is_inside(&s));
	sse_release(&s);
	text_release(&out);
}

static enum sse_result
flood(const char *piece, int times, size_t line_max, size_t event_max)
{
	struct sse s;
	struct sse_event ev;
	struct error e;
	enum sse_result r = SSE_MORE;

	sse_init(&s, line_max, event_max);
	for (int i = 0; i < times && r != SSE_BAD; i++) {
		struct span in = span_of(piece);

		while ((r = sse_next(&s, &in, &ev, &e)) == SSE_EVENT)
			;
	}
	if (r == SSE_BAD)
		assert_int_equal(e.code, ERROR_TOO_BIG);
	sse_release(&s);
	return r;
}

static void
floods_end_at_the_ceilings(void **state)
{
	(void)state;
	assert_int_equal(flood("data: xxxxx", 1000, 4096, 4096), SSE_BAD);
	assert_int_equal(flood("data: xxxxx\n", 1000, 4096, 4096), SSE_BAD);
	assert_int_equal(flood(": comment\n", 100000, 64, 64), SSE_MORE);
	assert_int_equal(flood("data: 1\n\n", 100000, 64, 64), SSE_MORE);
	assert_int_equal(flood("data: 12345678\n\n", 1, 14, 8), SSE_MORE);
	assert_int_equal(flood("data: 12345678\n\n", 1, 13, 8), SSE_BAD);
	assert_int_equal(flood("data: 12345678\n\n", 1, 14, 7), SSE_BAD);
}

static int
setup(void **state)
{
	(void)state;
	guarded_init(&guarded, 65536);
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
	    cmocka_unit_test(events_are_those_of_the_standard),
	    cmocka_unit_test(any_line_end_will_do),
	    cmocka_unit_test(one_byte_order_mark_is_skipped),
	    cmocka_unit_test(ids_with_nul_are_ignored),
	    cmocka_unit_test(retry_takes_digits_only),
	    cmocka_unit_test(a_whole_event_is_not_copied),
	    cmocka_unit_test(the_end_of_the_stream_inside_an_event_is_seen),
	    cmocka_unit_test(floods_end_at_the_ceilings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
