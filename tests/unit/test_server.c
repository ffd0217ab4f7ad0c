#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "tests/unit/net_test.h"

/*
 * A client of bare bytes: sends what it is told, gathers what comes until
 * the server closes.
 */
struct bare {
	int fd, closed, reset;
	size_t sent;
	struct span to_send;
	struct text got;
	struct loop_io io;
	int reads; /* 0: never */
};

static void
bare_ready(struct loop_io *io, int want)
{
	struct bare *b = container_of(io, struct bare, io);
	char in[65536];
	ssize_t n;

	if ((want & LOOP_WRITE) && b->sent < b->to_send.n) {
		n = send(b->fd, b->to_send.p + b->sent, b->to_send.n - b->sent,
		    MSG_NOSIGNAL);
		if (n > 0)
			b->sent += (size_t)n;
		else if (errno != EAGAIN)
			b->sent = b->to_send.n;
	}
	if ((want & LOOP_READ) && b->reads) {
		n = recv(b->fd, in, sizeof in, 0);
		if (n > 0)
			text_add(&b->got, (struct span){in, (size_t)n});
		else if (n == 0 || errno != EAGAIN) {
			b->reset = n == -1;
			b->closed = 1;
			loop_io_want(io, LOOP_NOTHING);
			return;
		}
	}
	loop_io_want(io, (b->reads ? LOOP_READ : 0) |
			     (b->sent < b->to_send.n ? LOOP_WRITE : 0));
}

static void
bare_start(struct bare *b, struct echo *ec, struct span bytes)
{
	struct address to = *server_address(ec->server);

	memset(b, 0, sizeof *b);
	b->reads = 1;
	b->to_send = bytes;
	text_init(&b->got, 64 * MIB);
	b->fd = socket(to.u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(b->fd, &to.u.sa, to.n), 0);
	loop_io_init(&b->io, net_loop, b->fd, bare_ready);
	loop_io_want(&b->io, LOOP_READ | LOOP_WRITE);
}

static void
bare_stop(struct bare *b)
{
	loop_io_want(&b->io, LOOP_NOTHING);
	if (b->fd != -1)
		close(b->fd);
	text_release(&b->got);
}

static int
status_of(struct bare *b)
{
	return b->got.n > 12 ? atoi(b->got.p + 9) : 0;
}

/* What the server answers to these bytes before it closes. */
static int
answer_to(struct echo *ec, const char *bytes, size_t n)
{
	struct bare b;
	int status;

	bare_start(&b, ec, (struct span){bytes, n});
	net_run_until(&b.closed);
	status = status_of(&b);
	bare_stop(&b);
	return status;
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

static void
good_requests_in_every_framing_are_answered(void **state)
{
	static const struct {
		const char *request, *answer;
	} good[] = {
	    {"POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc",
		"\r\n\r\nabc"},
	    {"POST /echo HTTP/1.1\r\n" CLOSE
	     "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
		"\r\n\r\nabc"},
	    {"POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n"
	     "Expect: 100-continue\r\n\r\nabc",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "},
	    {"GET /echo HTTP/1.0\r\n\r\n", "Connection: close"},
	    {"HEAD /nothing HTTP/1.1\r\n" CLOSE "\r\n", "Content-Length: 8"},
	    /* Two at once: one after the other. */
	    {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
	     "POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 1\r\n\r\nb",
		"\r\n\r\nb"},
	};
	struct echo ec;
	struct bare b;

	(void)state;
	echo_start(&ec, 0, NULL);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		bare_start(&b, &ec, span_of(good[i].request));
		net_run_until(&b.closed);
		assert_false(b.reset);
		if (b.got.p == NULL || strstr(b.got.p, good[i].answer) == NULL)
			fail_msg("%zu: %s", i, b.got.p);
		if (i == 4)
			assert_null(strstr(b.got.p, "not here"));
		bare_stop(&b);
	}
	echo_stop(&ec);
}

static void
bad_requests_are_refused_and_never_shown(void **state)
{
	static char long_line[20000], long_head[70000];
	static const struct {
		const char *request;
		int status;
	} bad[] = {
	    {"garbage\r\n\r\n", 400},
	    {"GET / HTTP/1.1\nHost: x\n\n", 400},
	    {"GET / HTTP/1.1\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400},
	    {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400},
	    {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 400},
	    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n",
		400},
	    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
	    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "zz\r\n",
		400},
	    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n",
		413},
	    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "400\r\n",
		0}, /* filled in below */
	    {long_line, 414},
	    {long_head, 431},
	};
	struct server_settings s = {.request_body_max = 1000};
	char *chunks = malloc(3000);
	struct echo ec;
	struct bare b;

	(void)state;
	memset(long_line, 'x', sizeof long_line - 1);
	memcpy(long_line, "GET /", 5);
	strcpy(long_head, "GET / HTTP/1.1\r\nHost: x\r\n");
	while (strlen(long_head) < 66000)
		sprintf(long_head + strlen(long_head), "A: %0900d\r\n", 1);
	echo_start(&ec, 0, &s);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int got, want = bad[i].status;

		if (want == 0) {
			strcpy(chunks, bad[i].request);
			memset(chunks + strlen(bad[i].request), 'a', 0x400);
			strcpy(chunks + strlen(bad[i].request) + 0x400, "\r\n");
			got = answer_to(&ec, chunks, strlen(chunks));
			want = 413;
		} else {
			got = answer_to(
			    &ec, bad[i].request, strlen(bad[i].request));
		}
		if (got != want)
			fail_msg("%zu: %d", i, got);
	}
	assert_int_equal(
	    answer_to(&ec, "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 29), 400);
	assert_int_equal(ec.requests, 0);
	/* And good ones are still answered. */
	bare_start(&b, &ec, span_of("GET / HTTP/1.1\r\n" CLOSE "\r\n"));
	net_run_until(&b.closed);
	assert_int_equal(status_of(&b), 404);
	bare_stop(&b);
	echo_stop(&ec);
	free(chunks);
}

static void
slow_clients_are_sent_away(void **state)
{
	struct server_settings s = {
	    .request_ms = 60, .idle_ms = 60, .write_ms = 60};
	struct echo ec;
	struct bare b[4];

	(void)state;
	echo_start(&ec, 0, &s);
	bare_start(&b[0], &ec, span_of("GET / HT"));
	bare_start(&b[1], &ec,
	    span_of("POST /echo HTTP/1.1\r\nHost: x\r\n"
		    "Content-Length: 9\r\n\r\nabc"));
	bare_start(&b[2], &ec, span_of("")); /* says nothing */
	bare_start(&b[3], &ec,
	    span_of("GET /big/100000000 HTTP/1.1\r\nHost: x\r\n\r\n"));
	b[3].reads = 0; /* asks and does not listen */
	net_run_until(&b[0].closed);
	assert_int_equal(status_of(&b[0]), 408);
	net_run_until(&b[1].closed);
	assert_int_equal(status_of(&b[1]), 408);
	net_run_until(&b[2].closed);
	assert_int_equal(b[2].got.n, 0);
	while (ec.gone == 0)
		net_run_ms(10);
	for (int i = 0; i < 4; i++)
		bare_stop(&b[i]);
	net_run_ms(5);
	echo_stop(&ec);
}

static void
memory_for_one_who_does_not_read_is_bounded(void **state)
{
	struct server_counts n;
	struct echo ec;
	struct bare b;

	(void)state;
	echo_start(&ec, 0, NULL);
	bare_start(
	    &b, &ec, span_of("GET /big/300000000 HTTP/1.1\r\nHost: x\r\n\r\n"));
	b.reads = 0;
	net_run_ms(100);
	assert_true(pool_in_use() < 3 * MIB);
	server_counts(ec.server, &n);
	assert_int_equal(n.exchanges, 1);
	bare_stop(&b);
	while (ec.gone == 0)
		net_run_ms(5);
	echo_stop(&ec);
}

static void
a_peer_that_leaves_is_noticed_while_it_is_being_answered(void **state)
{
	struct echo ec;
	struct bare b;

	(void)state;
	echo_start(&ec, 0, NULL);
	bare_start(&b, &ec, span_of("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"));
	while (ec.nheld == 0)
		net_run_ms(2);
	bare_stop(&b);
	while (ec.gone == 0)
		net_run_ms(2);
	echo_stop(&ec);
}

static void
rude_ends_look_as_they_should(void **state)
{
	struct http_failure *f;
	struct http_origin *o;
	struct asked a;
	struct echo ec;
	static const struct {
		const char *target;
		enum error_code code;
		enum net_stage stage;
	} rude[] = {
	    {"/reset", ERROR_CLOSED, NET_REQUEST},
	    {"/cut", ERROR_CLOSED, NET_BODY},
	    {"/short", ERROR_CLOSED, NET_BODY},
	    {"/garbage", ERROR_PROTOCOL, NET_HEAD},
	};

	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		echo_start(&ec, tls, NULL);
		o = echo_origin(&ec);
		for (size_t i = 0; i < sizeof rude / sizeof *rude; i++) {
			asked_init(&a);
			ask(&a, o, "GET", rude[i].target, NULL);
			net_run_until(&a.over);
			f = &a.failure;
			if (!a.failed || f->error.code != rude[i].code ||
			    f->stage != rude[i].stage)
				fail_msg("%s: %d %s", rude[i].target, a.status,
				    f->error.text);
			asked_release(&a);
		}
		echo_stop(&ec);
	}
}

static void
draining_lets_exchanges_end_and_nothing_begin(void **state)
{
	struct http_origin *o;
	struct asked a, late;
	struct echo ec;

	(void)state;
	echo_start(&ec, 0, NULL);
	o = echo_origin(&ec);
	asked_init(&a);
	ask(&a, o, "GET", "/hold", NULL);
	while (ec.nheld == 0)
		net_run_ms(2);
	server_drain(ec.server);
	asked_init(&late);
	ask(&late, o, "GET", "/", NULL);
	net_run_until(&late.over);
	assert_int_equal(late.failed, 1);
	server_answer(ec.held[0], 200, "text/plain", span_of("at last"));
	net_run_until(&a.over);
	assert_string_equal(a.body.p, "at last");
	asked_release(&a);
	asked_release(&late);
	echo_stop(&ec);
}

static void
no_more_connections_than_allowed_are_served_at_once(void **state)
{
	struct server_settings s = {.connections_max = 4};
	struct server_counts n;
	struct bare b[12];
	struct echo ec;

	(void)state;
	echo_start(&ec, 0, &s);
	for (int i = 0; i < 12; i++)
		bare_start(
		    &b[i], &ec, span_of("GET / HTTP/1.1\r\n" CLOSE "\r\n"));
	for (int i = 0; i < 12; i++) {
		net_run_until(&b[i].closed);
		assert_int_equal(status_of(&b[i]), 404);
		bare_stop(&b[i]);
	}
	server_counts(ec.server, &n);
	assert_true(n.connections_peak <= 4);
	assert_int_equal(n.accepted, 12);
	echo_stop(&ec);
}

static void
a_unix_socket_serves_as_well(void **state)
{
	struct server_settings s = {0};
	char path[64], url[200] = "http+unix://";
	struct http_origin_settings os_ = {0};
	struct http_origin *o;
	struct server *server;
	struct echo ec;
	struct asked a;
	struct error e;

	(void)state;
	echo_start(&ec, 0, NULL);
	server = ec.server;
	snprintf(path, sizeof path, "/tmp/net-test-%ld.sock", (long)getpid());
	assert_int_equal(address_unix(&s.at, span_of(path), &e), 0);
	ec.set = s;
	ec.tls = NULL;
	echo_serve(&ec);
	for (const char *p = path; *p != '\0'; p++)
		snprintf(url + strlen(url), sizeof url - strlen(url),
		    *p == '/' ? "%%2F" : "%c", *p);
	os_.url = span_of(url);
	o = http_origin_new(net_client, &os_, &e);
	if (o == NULL)
		fail_msg("%s", e.text);
	asked_init(&a);
	ask(&a, o, "GET", "/nothing", NULL);
	net_run_until(&a.over);
	assert_int_equal(a.status, 404);
	asked_release(&a);
	http_origin_free(o);
	server_free(server);
	echo_stop(&ec);
	assert_int_equal(access(path, F_OK), -1); /* removed behind itself */
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(good_requests_in_every_framing_are_answered),
	    TEST(bad_requests_are_refused_and_never_shown),
	    TEST(slow_clients_are_sent_away),
	    TEST(memory_for_one_who_does_not_read_is_bounded),
	    TEST(a_peer_that_leaves_is_noticed_while_it_is_being_answered),
	    TEST(rude_ends_look_as_they_should),
	    TEST(draining_lets_exchanges_end_and_nothing_begin),
	    TEST(no_more_connections_than_allowed_are_served_at_once),
	    TEST(a_unix_socket_serves_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
