#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/stream.h"
#include "tests/unit/net_test.h"

/* --- the good case, plain and over TLS --- */

static void
exchange_bytes(enum echo_manner manner)
{
	struct span body = span_of("what goes in comes out");
	struct http_counts n;
	struct http_origin *o;
	struct asked a;
	struct echo ec;

	echo_start(&ec, manner, NULL);
	o = echo_origin(&ec);
	for (int i = 0; i < 3; i++) {
		asked_init(&a);
		ask(&a, o, "POST", "/echo", &body);
		net_run_until(&a.over);
		if (a.failed)
			fail_msg("%s", a.failure.error.text);
		assert_int_equal(a.status, 200);
		assert_int_equal(a.placed, 1);
		assert_true(span_eq(text_span(&a.body), body));
		assert_string_equal(a.type.p, "text/plain");
		asked_release(&a);
	}
	asked_init(&a);
	ask(&a, o, "GET", "/host", NULL);
	net_run_until(&a.over);
	assert_true(span_has_suffix(span_of(ec.url), text_span(&a.body)));
	assert_true(a.body.n > 10);
	asked_release(&a);
	http_origin_counts(o, &n);
	assert_int_equal(n.connects, 1); /* kept and used again */
	assert_int_equal(n.reused, 3);
	assert_int_equal(n.answers, 4);
	assert_int_equal(n.in_flight, 0);
	assert_int_equal(n.idle, 1);
	assert_int_equal(
	    n.handshakes_full, manner == ECHO_TLS || manner == ECHO_H2);
	echo_stop(&ec);
}

static void
a_request_is_answered_and_its_connection_kept(void **state)
{
	(void)state;
	exchange_bytes(ECHO_PLAIN);
}

static void
the_same_over_tls(void **state)
{
	(void)state;
	exchange_bytes(ECHO_TLS);
}

static void
the_same_over_http2(void **state)
{
	(void)state;
	exchange_bytes(ECHO_H2);
	exchange_bytes(ECHO_H2C);
}

static void
many_requests_at_once_are_all_answered(void **state)
{
	enum { N = 200 };
	struct span body = span_of("x");
	struct http_origin_settings s = {.connections_max = 8};
	struct http_counts n;
	struct http_origin *o;
	struct asked *a = calloc(N, sizeof *a);
	struct echo ec;
	struct error e;

	(void)state;
	echo_start(&ec, 1, NULL);
	s.url = span_of(ec.url);
	s.tls.ca_file = ec.ca_file;
	o = http_origin_new(net_client, &s, &e);
	assert_non_null(o);
	for (int i = 0; i < N; i++) {
		asked_init(&a[i]);
		ask(&a[i], o, "POST", "/echo", &body);
	}
	for (int i = 0; i < N; i++) {
		net_run_until(&a[i].over);
		assert_int_equal(a[i].ended, 1);
		asked_release(&a[i]);
	}
	http_origin_counts(o, &n);
	assert_true(n.connections_peak <= 8);
	assert_int_equal(n.answers, N);
	/* All but the first connections resume. */
	assert_int_equal(n.handshakes_full + n.handshakes_resumed, n.connects);
	echo_stop(&ec);
	free(a);
}

static void
origins_share_what_connections_there_are(void **state)
{
	struct http_client_settings few = {.connections_max = 1};
	struct http_client *whole = net_client;
	struct http_origin *o[2];
	struct asked a[2];
	struct echo ec[2];
	struct error e;

	(void)state;
	net_client = http_client_new(net_loop, &few, &e);
	for (int i = 0; i < 2; i++) {
		echo_start(&ec[i], ECHO_PLAIN, NULL);
		o[i] = echo_origin(&ec[i]);
		asked_init(&a[i]);
	}
	ask(&a[0], o[0], "GET", "/hold", NULL);
	while (ec[0].nheld == 0)
		net_run_ms(2);
	ask(&a[1], o[1], "GET", "/", NULL); /* no slot is left for it */
	net_run_ms(5);
	assert_false(a[1].over);
	server_reset(ec[0].held[0]);
	net_run_until(&a[0].over);
	net_run_until(&a[1].over);
	assert_int_equal(a[1].status, 404);
	/* Its connection is idle now, and given up for the other. */
	asked_release(&a[0]);
	asked_init(&a[0]);
	ask(&a[0], o[0], "GET", "/", NULL);
	net_run_until(&a[0].over);
	assert_int_equal(a[0].status, 404);
	for (int i = 0; i < 2; i++) {
		asked_release(&a[i]);
		echo_stop(&ec[i]);
	}
	http_client_free(net_client);
	net_client = whole;
}

static void
resumption_spares_the_handshake(void **state)
{
	struct http_origin_settings s = {.idle_keep_ms = 1};
	struct http_counts n;
	struct http_origin *o;
	struct asked a;
	struct echo ec;
	struct error e;

	(void)state;
	echo_start(&ec, 1, NULL);
	s.url = span_of(ec.url);
	s.tls.ca_file = ec.ca_file;
	o = http_origin_new(net_client, &s, &e);
	assert_non_null(o);
	for (int i = 0; i < 3; i++) {
		asked_init(&a);
		ask(&a, o, "GET", "/echo", NULL);
		net_run_until(&a.over);
		assert_int_equal(a.ended, 1);
		asked_release(&a);
		net_run_ms(20); /* longer than it is kept */
	}
	http_origin_counts(o, &n);
	assert_int_equal(n.connections, 0);
	assert_int_equal(n.handshakes_full, 1);
	assert_int_equal(n.handshakes_resumed, 2);
	echo_stop(&ec);
}

static void
a_long_body_flows_and_a_pause_holds_it(void **state)
{
	struct http_origin *o;
	struct asked a;
	struct echo ec;
	size_t held;

	(void)state;
	for (int manner = 0; manner < 4; manner++) {
		echo_start(&ec, manner, NULL);
		o = echo_origin(&ec);
		asked_init(&a);
		a.pause_in_body = 1;
		ask(&a, o, "GET", "/big/20000000", NULL);
		while (a.pieces == 0)
			net_run_ms(5);
		held = a.body.n;
		net_run_ms(50);
		assert_int_equal(a.body.n, held); /* nothing while paused */
		a.pause_in_body = 0;
		http_resume(a.call);
		net_run_until(&a.over);
		assert_int_equal(a.ended, 1);
		assert_int_equal(a.body.n, 20000000);
		asked_release(&a);
		http_origin_free(o);
		echo_stop(&ec);
	}
}

static void
a_long_request_body_in_slices_arrives_whole(void **state)
{
	enum { N = 1000 };
	static char block[997];
	struct span slice[N];
	struct http_request q = {.method = "POST",
	    .target = span_of("/echo"),
	    .body = slice,
	    .nbody = N};
	struct http_origin *o;
	struct asked a;
	struct echo ec;

	(void)state;
	memset(block, 'b', sizeof block);
	for (int i = 0; i < N; i++)
		slice[i] = (struct span){block, i % 7 == 0 ? 0 : sizeof block};
	for (int manner = 0; manner < 4; manner++) {
		echo_start(&ec, manner, NULL);
		o = echo_origin(&ec);
		asked_init(&a);
		ask_request(&a, o, &q);
		net_run_until(&a.over);
		assert_int_equal(a.ended, 1);
		assert_int_equal(a.body.n, (N - (N + 6) / 7) * sizeof block);
		asked_release(&a);
		echo_stop(&ec);
	}
}

static void
a_secret_reaches_the_wire_and_only_it(void **state)
{
	struct http_request_field f = {"X-Test", span_of("Bearer "), NULL};
	struct http_request q = {.method = "GET",
	    .target = span_of("/field"),
	    .fields = &f,
	    .nfields = 1};
	struct secret key;
	struct http_origin *o;
	struct asked a;
	struct echo ec;
	struct error e;

	(void)state;
	setenv("NET_TEST_KEY", "sk-123456", 1);
	assert_int_equal(secret_from_env(&key, "NET_TEST_KEY", &e), 0);
	f.secret = &key;
	echo_start(&ec, 0, NULL);
	o = echo_origin(&ec);
	asked_init(&a);
	ask_request(&a, o, &q);
	net_run_until(&a.over);
	assert_string_equal(a.body.p, "Bearer sk-123456");
	asked_release(&a);
	echo_stop(&ec);
	secret_release(&key);
}

/* --- cancelling --- */

static void
cancelling_at_any_moment_says_nothing_more(void **state)
{
	struct http_origin *o;
	struct asked a;
	struct echo ec;

	(void)state;
	for (int manner = ECHO_TLS; manner <= ECHO_H2; manner++) {
		echo_start(&ec, manner, NULL);
		o = echo_origin(&ec);
		for (unsigned ms = 0; ms < 12; ms++) {
			asked_init(&a);
			ask(&a, o, "GET", "/hold", NULL);
			net_run_ms(ms);
			http_cancel(a.call);
			net_run_ms(3);
			assert_false(a.over);
			asked_release(&a);
		}
		asked_init(&a);
		a.cancel_in_body = 1;
		ask(&a, o, "GET", "/big/100000", NULL);
		net_run_until(&a.over);
		assert_int_equal(a.pieces, 1);
		asked_release(&a);
		net_run_ms(5);
		http_origin_free(o);
		echo_stop(&ec);
	}
}

static void
freeing_the_client_ends_everything(void **state)
{
	struct http_origin *o;
	struct asked a[3];
	struct echo ec;
	struct error e;

	(void)state;
	echo_start(&ec, 1, NULL);
	o = echo_origin(&ec);
	for (int i = 0; i < 3; i++) {
		asked_init(&a[i]);
		ask(&a[i], o, "GET", "/hold", NULL);
	}
	net_run_ms(20);
	http_client_free(net_client);
	net_run_ms(20);
	for (int i = 0; i < 3; i++) {
		assert_false(a[i].over);
		asked_release(&a[i]);
	}
	echo_stop(&ec);
	net_client = http_client_new(net_loop, NULL, &e);
	assert_non_null(net_client);
}

/* --- rude peers --- */

static struct http_failure
fail_with(const struct raw_step *script, struct http_counts *n)
{
	struct http_request q = {.method = "POST",
	    .target = span_of("/"),
	    .first_byte_ms = 200,
	    .idle_ms = 200};
	struct http_failure f;
	struct http_origin *o;
	struct raw_peer p;
	struct asked a;

	raw_start(&p, script);
	o = raw_origin(&p);
	asked_init(&a);
	ask_request(&a, o, &q);
	net_run_until(&a.over);
	if (!a.failed)
		fail_msg("answered %d: %s", a.status, a.body.p);
	f = a.failure;
	if (n != NULL)
		http_origin_counts(o, n);
	asked_release(&a);
	net_run_ms(1);
	http_origin_free(o);
	raw_stop(&p);
	return f;
}

#define SCRIPT(...) ((const struct raw_step[]){__VA_ARGS__, {RAW_END, NULL}})
#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static void
rude_peers_are_named_for_what_they_do(void **state)
{
	static char long_head[70000];
	static const struct {
		const char *head;
		enum error_code code;
	} bad[] = {
	    {"garbage\r\n\r\n", ERROR_PROTOCOL},
	    {"HTTP/1.1 200 OK\n\n", ERROR_PROTOCOL},
	    {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", ERROR_PROTOCOL},
	    {OK_HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		ERROR_PROTOCOL},
	    {OK_HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
		ERROR_PROTOCOL},
	    {OK_HEAD "Transfer-Encoding: gzip\r\n\r\n", ERROR_PROTOCOL},
	    {OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		ERROR_PROTOCOL},
	    {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
		     "fffffffffffffffff\r\n",
		ERROR_PROTOCOL},
	    {"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n", ERROR_PROTOCOL},
	    {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
	     "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
	     "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
	     "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
	     "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
	     "HTTP/1.1 100 C\r\n\r\n",
		ERROR_PROTOCOL},
	    {long_head, ERROR_TOO_BIG},
	};
	struct http_failure f;

	(void)state;
	memset(long_head, 'x', sizeof long_head - 1);
	memcpy(long_head, "HTTP/1.1 200 OK\r\nA: ", 20);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		f = fail_with(SCRIPT({RAW_HEAD, NULL}, {RAW_SEND, bad[i].head},
				  {RAW_STALL, NULL}),
		    NULL);
		if (f.error.code != bad[i].code)
			fail_msg("%zu: %s", i, f.error.text);
		assert_true(f.stage == NET_HEAD || f.stage == NET_BODY);
	}
}

static void
a_cut_at_each_stage_is_told_apart(void **state)
{
	struct http_failure f;

	(void)state;
	f = fail_with(SCRIPT({RAW_FIN, NULL}), NULL);
	assert_int_equal(f.error.code, ERROR_CLOSED);
	assert_int_equal(f.stage, NET_REQUEST);
	f = fail_with(SCRIPT({RAW_HEAD, NULL}, {RAW_RESET, NULL}), NULL);
	assert_int_equal(f.error.code, ERROR_CLOSED);
	assert_int_equal(f.stage, NET_REQUEST);
	f = fail_with(
	    SCRIPT({RAW_HEAD, NULL}, {RAW_SEND, "HTTP/1.1 2"}, {RAW_FIN, NULL}),
	    NULL);
	assert_int_equal(f.error.code, ERROR_CLOSED);
	assert_int_equal(f.stage, NET_HEAD);
	f = fail_with(SCRIPT({RAW_HEAD, NULL},
			  {RAW_SEND, OK_HEAD "Content-Length: 9\r\n\r\nabc"},
			  {RAW_FIN, NULL}),
	    NULL);
	assert_int_equal(f.error.code, ERROR_CLOSED);
	assert_int_equal(f.stage, NET_BODY);
	f = fail_with(
	    SCRIPT({RAW_HEAD, NULL},
		{RAW_SEND, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
				   "3\r\nabc\r\n"},
		{RAW_RESET, NULL}),
	    NULL);
	assert_int_equal(f.error.code, ERROR_CLOSED);
	assert_int_equal(f.stage, NET_BODY);
	f = fail_with(SCRIPT({RAW_STALL, NULL}), NULL);
	assert_int_equal(f.error.code, ERROR_TIMEOUT);
	assert_int_equal(f.stage, NET_REQUEST);
	f = fail_with(SCRIPT({RAW_HEAD, NULL},
			  {RAW_SEND, OK_HEAD "Content-Length: 9\r\n\r\nabc"},
			  {RAW_STALL, NULL}),
	    NULL);
	assert_int_equal(f.error.code, ERROR_TIMEOUT);
	assert_int_equal(f.stage, NET_BODY);
}

static void
nobody_listens(void **state)
{
	struct http_origin_settings s = {0};
	struct http_origin *o;
	struct raw_peer p;
	struct asked a[3];
	struct error e;

	(void)state;
	raw_start(&p, SCRIPT({RAW_STALL, NULL}));
	raw_stop(&p); /* the port is free now */
	s.url = span_of(p.url);
	o = http_origin_new(net_client, &s, &e);
	assert_non_null(o);
	for (int i = 0; i < 3; i++) {
		asked_init(&a[i]);
		ask(&a[i], o, "GET", "/", NULL);
	}
	for (int i = 0; i < 3; i++) {
		net_run_until(&a[i].over);
		assert_int_equal(a[i].failed, 1);
		assert_int_equal(a[i].failure.error.code, ERROR_CONNECT);
		assert_int_equal(a[i].failure.stage, NET_CONNECT);
		assert_non_null(strstr(a[i].failure.error.text, "127.0.0.1:"));
		asked_release(&a[i]);
	}
}

/* --- good but unusual answers --- */

static void
answer_with(const struct raw_step *script, struct asked *a)
{
	struct http_origin *o;
	struct raw_peer p;

	raw_start(&p, script);
	o = raw_origin(&p);
	asked_init(a);
	ask(a, o, "POST", "/", NULL);
	net_run_until(&a->over);
	if (a->failed)
		fail_msg("%s", a->failure.error.text);
	http_origin_free(o);
	raw_stop(&p);
}

static void
every_framing_is_read_even_byte_by_byte(void **state)
{
	static const struct {
		const char *answer, *body;
	} good[] = {
	    {OK_HEAD "Content-Length: 3\r\n\r\nabc", "abc"},
	    {OK_HEAD "\r\nuntil the end", "until the end"},
	    {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
		     "3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nX-Check: sum\r\n\r\n",
		"abcd"},
	    {"HTTP/1.1 204 No Content\r\n\r\n", ""},
	    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n"
	     "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n",
		""},
	    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nz", "z"},
	};
	struct asked a;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		for (int slow = 0; slow < 2; slow++) {
			answer_with(
			    SCRIPT({RAW_HEAD, NULL},
				{slow ? RAW_SLOW : RAW_SEND, good[i].answer},
				{RAW_FIN, NULL}),
			    &a);
			assert_int_equal(a.heads, 1);
			assert_true(span_is(text_span(&a.body), good[i].body));
			if (i == 2)
				assert_string_equal(a.trailer.p, "sum");
			asked_release(&a);
		}
	}
}

static void
bytes_behind_an_answer_spoil_the_connection(void **state)
{
	static const struct raw_step script[] = {
	    {RAW_HEAD, NULL},
	    {RAW_SEND, OK_HEAD "Content-Length: 1\r\n\r\naHTTP/1.1 200 OK"},
	    {RAW_STALL, NULL},
	    {RAW_END, NULL},
	    {RAW_HEAD, NULL},
	    {RAW_SEND, OK_HEAD "Content-Length: 1\r\n\r\nb"},
	    {RAW_STALL, NULL},
	    {RAW_END, NULL},
	};
	struct http_origin *o;
	struct raw_peer p;
	struct asked a;

	(void)state;
	raw_start(&p, script);
	o = raw_origin(&p);
	for (int i = 0; i < 2; i++) {
		asked_init(&a);
		ask(&a, o, "GET", "/", NULL);
		net_run_until(&a.over);
		assert_int_equal(a.ended, 1);
		assert_string_equal(a.body.p, i == 0 ? "a" : "b");
		asked_release(&a);
	}
	assert_int_equal(p.accepted, 2);
	http_origin_free(o);
	raw_stop(&p);
}

static void
a_kept_connection_that_died_costs_one_new_try(void **state)
{
	static const struct raw_step script[] = {
	    {RAW_HEAD, NULL},
	    {RAW_SEND, OK_HEAD "Content-Length: 1\r\n\r\na"},
	    {RAW_HEAD, NULL},  /* the second request arrives ... */
	    {RAW_RESET, NULL}, /* ... and is never answered */
	    {RAW_END, NULL},
	    {RAW_HEAD, NULL},
	    {RAW_SEND, OK_HEAD "Content-Length: 1\r\n\r\nb"},
	    {RAW_HEAD, NULL},
	    {RAW_SEND, "HTT"}, /* part of an answer: no second try */
	    {RAW_FIN, NULL},
	    {RAW_END, NULL},
	};
	struct span body = span_of("once");
	struct http_counts n;
	struct http_origin *o;
	struct raw_peer p;
	struct asked a;

	(void)state;
	raw_start(&p, script);
	o = raw_origin(&p);
	for (int i = 0; i < 3; i++) {
		asked_init(&a);
		ask(&a, o, "POST", "/", &body);
		net_run_until(&a.over);
		if (i < 2)
			assert_string_equal(a.body.p, i == 0 ? "a" : "b");
		else
			assert_int_equal(a.failure.error.code, ERROR_CLOSED);
		asked_release(&a);
	}
	http_origin_counts(o, &n);
	assert_int_equal(n.resent, 1);
	assert_int_equal(p.accepted, 2);
	http_origin_free(o);
	raw_stop(&p);
}

/* --- what an origin refuses --- */

static void
plain_http_stays_on_this_machine(void **state)
{
	static const char *const bad[] = {"http://example.com",
	    "http://192.0.2.1", "ftp://localhost", "localhost:80", ""};
	struct http_origin_settings s = {0};
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		s.url = span_of(bad[i]);
		assert_null(http_origin_new(net_client, &s, &e));
		assert_int_equal(e.code, ERROR_CONFIG);
	}
}

static void
requests_that_cannot_be_written_are_refused(void **state)
{
	struct http_request_field f = {"A", span_of("x\r\nB: y"), NULL};
	struct http_request q = {.method = "GET",
	    .target = span_of("/"),
	    .fields = &f,
	    .nfields = 1};
	struct http_origin_settings s = {.url = span_of("http://127.0.0.1:9")};
	struct http_origin *o;
	struct error e;

	(void)state;
	o = http_origin_new(net_client, &s, &e);
	assert_null(http_start(o, &q, &asked_ops, NULL, &e));
	assert_int_equal(e.code, ERROR_SYNTAX);
	q.nfields = 0;
	q.target = span_of("/a b");
	assert_null(http_start(o, &q, &asked_ops, NULL, &e));
	q.target = span_of("/a\r\nHost: evil");
	assert_null(http_start(o, &q, &asked_ops, NULL, &e));
	http_origin_free(o);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_request_is_answered_and_its_connection_kept),
	    TEST(the_same_over_tls),
	    TEST(the_same_over_http2),
	    TEST(many_requests_at_once_are_all_answered),
	    TEST(origins_share_what_connections_there_are),
	    TEST(resumption_spares_the_handshake),
	    TEST(a_long_body_flows_and_a_pause_holds_it),
	    TEST(a_long_request_body_in_slices_arrives_whole),
	    TEST(a_secret_reaches_the_wire_and_only_it),
	    TEST(cancelling_at_any_moment_says_nothing_more),
	    TEST(freeing_the_client_ends_everything),
	    TEST(rude_peers_are_named_for_what_they_do),
	    TEST(a_cut_at_each_stage_is_told_apart),
	    TEST(nobody_listens),
	    TEST(every_framing_is_read_even_byte_by_byte),
	    TEST(bytes_behind_an_answer_spoil_the_connection),
	    TEST(a_kept_connection_that_died_costs_one_new_try),
	    TEST(plain_http_stays_on_this_machine),
	    TEST(requests_that_cannot_be_written_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
