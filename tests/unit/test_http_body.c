/* Bodies that are fetched from their owner, and upgrades. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "net/stream.h"
#include "tests/unit/net_test.h"

/* --- a source: so many bytes, in pieces, with rests between them --- */

struct source {
	struct asked asked; /* first: what asked_ops are told belongs to it */
	size_t left, piece;
	unsigned fills;
	int rests;     /* each second fill gives nothing, and a timer more */
	int is_silent; /* nothing now, and nobody promises more */
	struct loop_timer timer;
	struct stream *stream; /* of an upgrade */
	char early[16], protocol[16];
	int upgraded;
};

static void
rested(struct loop_timer *t)
{
	struct source *s = container_of(t, struct source, timer);

	if (s->asked.call != NULL)
		http_more(s->asked.call);
}

static size_t
fill(void *owner, char *p, size_t n, int *is_last)
{
	struct source *s = owner;

	s->fills++;
	if (s->is_silent)
		return 0;
	if (s->rests && s->fills % 2 == 0) {
		loop_timer_start(&s->timer, 1);
		return 0;
	}
	if (n > s->piece)
		n = s->piece;
	if (n > s->left)
		n = s->left;
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + (s->left - i) % 26);
	s->left -= n;
	*is_last = s->left == 0;
	return n;
}

static void
upgraded(void *owner, const struct http_head *head, struct stream *st,
    struct span early)
{
	struct source *s = owner;

	assert_int_equal(head->status, 101);
	snprintf(s->protocol, sizeof s->protocol, "%.*s", (int)head->upgrade.n,
	    head->upgrade.p);
	snprintf(s->early, sizeof s->early, "%.*s", (int)early.n, early.p);
	s->stream = st;
	s->asked.call = NULL;
	s->upgraded = s->asked.over = 1;
}

static struct http_ops
source_ops(void)
{
	struct http_ops ops = asked_ops;

	ops.fill = fill;
	ops.upgraded = upgraded;
	return ops;
}

static struct http_ops ops;

static void
start(struct source *s, struct http_origin *o, const char *target,
    uint64_t promised)
{
	struct http_request q = {.method = "POST",
	    .target = span_of(target),
	    .is_streamed = 1,
	    .streamed_bytes = promised,
	    .first_byte_ms = 3000,
	    .idle_ms = 3000};
	struct error e;

	ops = source_ops();
	asked_init(&s->asked);
	loop_timer_init(&s->timer, net_loop, rested);
	s->asked.call = http_start(o, &q, &ops, s, &e);
	assert_non_null(s->asked.call);
}

static void
finish(struct source *s)
{
	loop_timer_stop(&s->timer);
	asked_release(&s->asked);
}

/* --- whole bodies --- */

static void
a_streamed_body_arrives_whole(void **state)
{
	static const struct {
		size_t bytes, piece;
		int rests, is_promised;
	} kinds[] = {
	    {3, 1, 0, 0},
	    {3, 1, 1, 0},
	    {3, 1, 1, 1},
	    {0, 1, 0, 0},
	    {300000, 1000000, 0, 0},
	    {300000, 1000000, 0, 1},
	    {40000, 777, 1, 0},
	    {5000000, 1000000, 0, 1},
	};

	(void)state;
	for (int manner = ECHO_PLAIN; manner <= ECHO_H2C; manner++) {
		struct http_origin *o;
		struct http_counts n;
		struct echo ec;

		echo_start(&ec, manner, NULL);
		o = echo_origin(&ec);
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
			struct source s = {.left = kinds[i].bytes,
			    .piece = kinds[i].piece,
			    .rests = kinds[i].rests};

			start(&s, o, "/echo",
			    kinds[i].is_promised ? kinds[i].bytes : 0);
			net_run_until(&s.asked.over);
			if (!s.asked.ended)
				fail_msg("%d %zu: %s", manner, i,
				    s.asked.failure.error.text);
			assert_int_equal(s.asked.body.n, kinds[i].bytes);
			for (size_t j = 0; j < kinds[i].bytes; j++)
				assert_int_equal(s.asked.body.p[j],
				    'a' + (kinds[i].bytes - j) % 26);
			finish(&s);
		}
		http_origin_counts(o, &n);
		assert_int_equal(n.connects, 1); /* all on one connection */
		echo_stop(&ec);
	}
}

static void
a_body_that_breaks_its_promise_fails(void **state)
{
	(void)state;
	for (int manner = ECHO_PLAIN; manner <= ECHO_H2C; manner++) {
		struct source s = {.left = 99, .piece = 10};
		struct http_origin *o;
		struct asked a;
		struct echo ec;

		echo_start(&ec, manner, NULL);
		o = echo_origin(&ec);
		start(&s, o, "/echo", 100);
		net_run_until(&s.asked.over);
		assert_int_equal(s.asked.failed, 1);
		assert_int_equal(s.asked.failure.error.code, ERROR_SYNTAX);
		finish(&s);
		asked_init(&a); /* the next request is none the worse */
		ask(&a, o, "GET", "/big/10", NULL);
		net_run_until(&a.over);
		assert_int_equal(a.ended, 1);
		asked_release(&a);
		echo_stop(&ec);
	}
}

static void
a_body_that_stops_coming_can_be_cancelled(void **state)
{
	(void)state;
	for (int manner = ECHO_PLAIN; manner <= ECHO_H2C; manner++) {
		struct source s = {.left = 99, .is_silent = 1};
		struct http_origin *o;
		struct echo ec;

		echo_start(&ec, manner, NULL);
		o = echo_origin(&ec);
		start(&s, o, "/echo", 0);
		while (s.fills == 0)
			net_run_ms(2);
		net_run_ms(10);
		assert_int_equal(s.fills, 1); /* nobody asks again unasked */
		http_cancel(s.asked.call);
		net_run_ms(3);
		assert_int_equal(ec.requests, 0);
		finish(&s);
		http_origin_free(o);
		echo_stop(&ec);
	}
}

/* An early answer (413, say) is an answer; the body need not be sent. */
static void
an_answer_before_the_end_of_the_body_counts(void **state)
{
	struct server_settings set = {.request_body_max = 1000};

	(void)state;
	for (int manner = ECHO_PLAIN; manner <= ECHO_H2C; manner++) {
		struct source s = {.left = 100000, .piece = 500, .rests = 1};
		struct http_origin *o;
		struct echo ec;

		echo_start(&ec, manner, &set);
		o = echo_origin(&ec);
		start(&s, o, "/echo", 0);
		net_run_until(&s.asked.over);
		assert_int_equal(s.asked.status, 413);
		assert_int_equal(s.asked.ended, 1);
		assert_true(s.left > 0);
		finish(&s);
		echo_stop(&ec);
	}
}

/* --- both ways at once --- */

static void
converse(struct raw_step *script, int http2)
{
	struct http_origin_settings set = {.http2_unasked = http2};
	struct source s = {.left = 6, .piece = 3, .rests = 1};
	struct http_origin *o;
	struct raw_peer p;
	struct error e;

	raw_start(&p, script);
	set.url = span_of(p.url);
	o = http_origin_new(net_client, &set, &e);
	s.is_silent = 1;
	start(&s, o, "/", 0);
	while (s.asked.pieces == 0) /* the answer begins before the body */
		net_run_ms(1);
	assert_int_equal(s.asked.status, 200);
	assert_string_equal(s.asked.body.p, "one");
	assert_int_equal(s.left, 6);
	s.is_silent = 0;
	http_more(s.asked.call);
	net_run_until(&s.asked.over);
	if (!s.asked.ended)
		fail_msg("%s", s.asked.failure.error.text);
	assert_int_equal(s.left, 0);
	assert_string_equal(s.asked.body.p, "onetwo");
	finish(&s);
	http_origin_free(o);
	raw_stop(&p);
}

static void
both_sides_talk_at_once(void **state)
{
	static const char first[] = "\0\0\0\4\0\0\0\0\0"     /* SETTINGS */
				    "\0\0\1\1\4\0\0\0\1\x88" /* 200 */
				    "\0\0\3\0\0\0\0\0\1one"; /* DATA */
	static const char second[] = "\0\0\3\0\1\0\0\0\1two";
	struct span a = {first, sizeof first - 1};
	struct span b = {second, sizeof second - 1};
	struct raw_step h1[] = {
	    {RAW_HEAD, NULL},
	    {RAW_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "3\r\none\r\n"},
	    {RAW_BYTES, "21"}, /* two chunks of three, and the last */
	    {RAW_SEND, "3\r\ntwo\r\n0\r\n\r\n"},
	    {RAW_STALL, NULL},
	    {RAW_END, NULL},
	};
	struct raw_step h2[] = {
	    {RAW_BYTES, "60"},
	    {RAW_SPAN, (const char *)&a},
	    {RAW_BYTES, "24"}, /* two frames of three bytes */
	    {RAW_SPAN, (const char *)&b},
	    {RAW_STALL, NULL},
	    {RAW_END, NULL},
	};

	(void)state;
	converse(h1, 0);
	converse(h2, 1);
}

/* What was fetched is gone: a kept connection that dies is the end of it. */
static void
a_streamed_body_is_never_sent_twice(void **state)
{
	static const struct raw_step script[] = {
	    {RAW_HEAD, NULL},
	    {RAW_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	    {RAW_HEAD, NULL},
	    {RAW_RESET, NULL},
	    {RAW_END, NULL},
	};
	struct source s = {.left = 10, .piece = 10};
	struct http_origin *o;
	struct http_counts n;
	struct raw_peer p;
	struct asked a;

	(void)state;
	raw_start(&p, script);
	o = raw_origin(&p);
	asked_init(&a);
	ask(&a, o, "GET", "/", NULL);
	net_run_until(&a.over);
	assert_int_equal(a.ended, 1);
	asked_release(&a);
	start(&s, o, "/", 0);
	net_run_until(&s.asked.over);
	assert_int_equal(s.asked.failed, 1);
	assert_int_equal(s.asked.failure.error.code, ERROR_CLOSED);
	http_origin_counts(o, &n);
	assert_int_equal(n.resent, 0);
	finish(&s);
	http_origin_free(o);
	raw_stop(&p);
}

/* --- upgrades --- */

struct echoed {
	char bytes[64];
	size_t n;
};

static void
heard(struct stream *st, int want)
{
	struct echoed *e = st->owner;
	size_t got;

	(void)want;
	if (stream_read(st, e->bytes + e->n, sizeof e->bytes - 1 - e->n,
		&got) == IO_DONE)
		e->n += got;
	else
		stream_want(st, LOOP_NOTHING);
}

static void
ask_upgrade(struct source *s, struct http_origin *o)
{
	struct http_request q = {.method = "GET",
	    .target = span_of("/chat"),
	    .upgrade = "echo/1",
	    .first_byte_ms = 3000};
	struct error e;

	ops = source_ops();
	memset(s, 0, sizeof *s);
	asked_init(&s->asked);
	loop_timer_init(&s->timer, net_loop, rested);
	s->asked.call = http_start(o, &q, &ops, s, &e);
	assert_non_null(s->asked.call);
	net_run_until(&s->asked.over);
}

static void
an_upgrade_gives_the_stream(void **state)
{
	static const struct raw_step script[] = {
	    {RAW_HEAD, NULL},
	    {RAW_SEND, "HTTP/1.1 101 Switching Protocols\r\n"
		       "Connection: upgrade\r\nUpgrade: Echo/1\r\n\r\nearly"},
	    {RAW_BYTES, "5"},
	    {RAW_SEND, "and late"},
	    {RAW_STALL, NULL},
	    {RAW_END, NULL},
	};
	struct echoed e = {.n = 0};
	struct http_origin *o;
	struct http_counts n;
	struct raw_peer p;
	struct source s;
	size_t wrote;

	(void)state;
	raw_start(&p, script);
	o = raw_origin(&p);
	ask_upgrade(&s, o);
	assert_int_equal(s.upgraded, 1);
	assert_string_equal(s.protocol, "Echo/1");
	assert_string_equal(s.early, "early");
	assert_non_null(strstr(p.heard.p, "Upgrade: echo/1\r\n"));
	assert_non_null(strstr(p.heard.p, "Connection: Upgrade\r\n"));
	http_origin_counts(o, &n); /* the origin has forgotten it */
	assert_int_equal(n.connections, 0);
	assert_int_equal(n.in_flight, 0);
	http_origin_free(o);
	stream_own(s.stream, heard, &e);
	assert_int_equal(
	    stream_write(s.stream, span_of("hello"), &wrote), IO_DONE);
	stream_want(s.stream, LOOP_READ);
	while (e.n < 8)
		net_run_ms(2);
	assert_string_equal(e.bytes, "and late");
	stream_close(s.stream);
	finish(&s);
	raw_stop(&p);
}

static void
an_upgrade_may_be_declined_or_botched(void **state)
{
	static const char *const answers[] = {
	    "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno",
	    "HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: tea\r\n\r\n",
	    "HTTP/1.1 101 Yes\r\nUpgrade: echo/1\r\n\r\n",
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct raw_step script[] = {
		    {RAW_HEAD, NULL},
		    {RAW_SEND, answers[i]},
		    {RAW_STALL, NULL},
		    {RAW_END, NULL},
		};
		struct http_origin *o;
		struct raw_peer p;
		struct source s;

		raw_start(&p, script);
		o = raw_origin(&p);
		ask_upgrade(&s, o);
		assert_int_equal(s.upgraded, 0);
		assert_int_equal(s.asked.status, i == 0 ? 426 : 0);
		assert_int_equal(s.asked.failed, i > 0);
		if (i > 0)
			assert_int_equal(
			    s.asked.failure.error.code, ERROR_PROTOCOL);
		finish(&s);
		http_origin_free(o);
		raw_stop(&p);
	}
}

static void
an_upgrade_is_not_for_every_origin(void **state)
{
	struct http_request q = {
	    .method = "GET", .target = span_of("/"), .upgrade = "echo/1"};
	struct span body = span_of("x");
	struct http_origin *o;
	struct echo ec;
	struct error e;

	(void)state;
	ops = source_ops();
	echo_start(&ec, ECHO_H2, NULL);
	o = echo_origin(&ec);
	assert_null(http_start(o, &q, &ops, NULL, &e));
	assert_int_equal(e.code, ERROR_CONFIG);
	echo_stop(&ec);
	echo_start(&ec, ECHO_PLAIN, NULL);
	o = echo_origin(&ec);
	assert_null(http_start(o, &q, &asked_ops, NULL, &e));
	q.body = &body;
	q.nbody = 1;
	assert_null(http_start(o, &q, &ops, NULL, &e));
	echo_stop(&ec);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_streamed_body_arrives_whole),
	    TEST(a_body_that_breaks_its_promise_fails),
	    TEST(a_body_that_stops_coming_can_be_cancelled),
	    TEST(an_answer_before_the_end_of_the_body_counts),
	    TEST(both_sides_talk_at_once),
	    TEST(a_streamed_body_is_never_sent_twice),
	    TEST(an_upgrade_gives_the_stream),
	    TEST(an_upgrade_may_be_declined_or_botched),
	    TEST(an_upgrade_is_not_for_every_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
