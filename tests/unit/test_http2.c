#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "net/stream.h"
#include "tests/unit/net_test.h"

/* --- many at once --- */

static void
five_hundred_calls_share_one_connection(void **state)
{
	enum { N = 500 };
	struct asked *a = calloc(N, sizeof *a);
	struct span body = span_of("who");
	struct http_counts n;
	struct server_counts sn;
	struct http_origin *o;
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_H2, NULL);
	o = echo_origin(&ec);
	for (int i = 0; i < N; i++) {
		asked_init(&a[i]);
		ask(&a[i], o, "POST", i % 2 ? "/echo" : "/big/30000", &body);
	}
	for (int i = 0; i < N; i++) {
		net_run_until(&a[i].over);
		if (a[i].failed)
			fail_msg("%d: %s", i, a[i].failure.error.text);
		assert_int_equal(a[i].body.n, i % 2 ? 3 : 30000);
		asked_release(&a[i]);
	}
	http_origin_counts(o, &n);
	server_counts(ec.server, &sn);
	assert_int_equal(n.connects, 1);
	assert_int_equal(n.handshakes_full, 1);
	assert_int_equal(sn.exchanges, 0);
	assert_true(n.in_flight_peak >= 64);
	echo_stop(&ec);
	free(a);
}

static void
calls_that_wait_long_are_let_go_by_and_by(void **state)
{
	enum { N = 150 };
	struct asked *a = calloc(N, sizeof *a);
	struct server_counts sn = {0};
	struct http_origin *o;
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_H2C, NULL);
	o = echo_origin(&ec);
	ec.holds_all = 1;
	for (int i = 0; i < N; i++) {
		asked_init(&a[i]);
		ask(&a[i], o, "GET", "/hold", NULL);
	}
	/* None is answered: that none is refused is enough. */
	while (sn.exchanges < N) {
		net_run_ms(5);
		server_counts(ec.server, &sn);
	}
	for (int i = 0; i < N; i++) {
		http_cancel(a[i].call);
		asked_release(&a[i]);
	}
	echo_stop(&ec);
	free(a);
}

static void
more_calls_than_streams_wait_their_turn(void **state)
{
	enum { N = 40 };
	struct server_settings s = {.streams_max = 2};
	struct http_origin_settings set = {
	    .connections_max = 1, .http2_unasked = 1};
	struct server_counts sn;
	struct http_origin *o;
	struct asked a[N];
	struct echo ec;
	struct error e;

	(void)state;
	echo_start(&ec, ECHO_H2C, &s);
	set.url = span_of(ec.url);
	o = http_origin_new(net_client, &set, &e);
	for (int i = 0; i < N; i++) {
		asked_init(&a[i]);
		ask(&a[i], o, "GET", "/big/5000", NULL);
	}
	for (int i = 0; i < N; i++) {
		net_run_until(&a[i].over);
		if (a[i].failed)
			fail_msg("%d: %s", i, a[i].failure.error.text);
		asked_release(&a[i]);
	}
	server_counts(ec.server, &sn);
	assert_int_equal(sn.accepted, 1);
	assert_true(sn.exchanges_peak <= 2);
	echo_stop(&ec);
}

static void
a_paused_call_does_not_hold_up_the_others(void **state)
{
	struct http_origin *o;
	struct asked slow, fast;
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_H2, NULL);
	o = echo_origin(&ec);
	asked_init(&slow);
	slow.pause_in_body = 1;
	ask(&slow, o, "GET", "/big/30000000", NULL);
	while (slow.pieces == 0)
		net_run_ms(2);
	asked_init(&fast);
	ask(&fast, o, "GET", "/big/20000000", NULL);
	net_run_until(&fast.over);
	assert_int_equal(fast.body.n, 20000000);
	assert_int_equal(slow.pieces, 1);
	asked_release(&fast);
	/* What is held for the paused one is a window, not a body. */
	assert_true(pool_in_use() < 3 * MIB);
	slow.pause_in_body = 0;
	http_resume(slow.call);
	net_run_until(&slow.over);
	assert_int_equal(slow.body.n, 30000000);
	asked_release(&slow);
	echo_stop(&ec);
}

static void
a_call_cancelled_from_another_is_quiet(void **state)
{
	struct http_origin *o;
	struct asked a[3];
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_H2C, NULL);
	o = echo_origin(&ec);
	for (int i = 0; i < 3; i++) {
		asked_init(&a[i]);
		a[i].pause_in_body = 1;
		ask(&a[i], o, "GET", "/big/300000", NULL);
	}
	while (a[0].pieces + a[1].pieces + a[2].pieces < 3)
		net_run_ms(2);
	a[0].pause_in_body = 0;
	a[0].cancel_in_body = 1; /* while held bytes are being told */
	a[1].pause_in_body = 0;
	for (int i = 0; i < 3; i++)
		http_resume(a[i].call);
	net_run_until(&a[0].over);
	net_run_until(&a[1].over);
	assert_int_equal(a[1].body.n, 300000);
	assert_false(a[2].over);
	http_cancel(a[2].call);
	net_run_ms(5);
	for (int i = 0; i < 3; i++)
		asked_release(&a[i]);
	echo_stop(&ec);
}

static void
a_secret_goes_into_the_head(void **state)
{
	struct http_request_field f[] = {
	    {"A", span_of("1"), NULL}, {"X-Test", span_of("Bearer "), NULL}};
	struct http_request q = {.method = "GET",
	    .target = span_of("/field"),
	    .fields = f,
	    .nfields = 2};
	struct secret key;
	struct http_origin *o;
	struct asked a;
	struct echo ec;
	struct error e;

	(void)state;
	setenv("NET_TEST_KEY", "sk-123456", 1);
	assert_int_equal(secret_from_env(&key, "NET_TEST_KEY", &e), 0);
	f[1].secret = &key;
	echo_start(&ec, ECHO_H2, NULL);
	o = echo_origin(&ec);
	asked_init(&a);
	ask_request(&a, o, &q);
	net_run_until(&a.over);
	assert_string_equal(a.body.p, "Bearer sk-123456");
	asked_release(&a);
	echo_stop(&ec);
	secret_release(&key);
}

/* --- rude ends on one stream leave the others alone --- */

static void
a_reset_stream_fails_alone(void **state)
{
	struct http_origin *o;
	struct asked good, bad;
	struct http_counts n;
	struct echo ec;
	static const char *const rude[] = {"/reset", "/cut", "/short"};

	(void)state;
	echo_start(&ec, ECHO_H2, NULL);
	o = echo_origin(&ec);
	asked_init(&good);
	ask(&good, o, "GET", "/hold", NULL);
	while (ec.nheld == 0)
		net_run_ms(2);
	for (size_t i = 0; i < sizeof rude / sizeof *rude; i++) {
		asked_init(&bad);
		ask(&bad, o, "GET", rude[i], NULL);
		net_run_until(&bad.over);
		assert_int_equal(bad.failed, 1);
		assert_int_equal(bad.failure.error.code, ERROR_CLOSED);
		asked_release(&bad);
	}
	server_answer(ec.held[0], 200, "text/plain", span_of("fine"));
	net_run_until(&good.over);
	assert_string_equal(good.body.p, "fine");
	http_origin_counts(o, &n);
	assert_int_equal(n.connects, 1);
	asked_release(&good);
	echo_stop(&ec);
}

/* Bytes between the frames cannot be told from frames: all is lost. */
static void
garbage_ends_the_connection(void **state)
{
	struct http_origin *o;
	struct asked good, bad;
	struct http_counts n;
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_H2, NULL);
	o = echo_origin(&ec);
	asked_init(&good);
	ask(&good, o, "GET", "/hold", NULL);
	while (ec.nheld == 0)
		net_run_ms(2);
	asked_init(&bad);
	ask(&bad, o, "GET", "/garbage", NULL);
	net_run_until(&bad.over);
	net_run_until(&good.over);
	assert_int_equal(bad.failed, 1);
	assert_int_equal(bad.failure.error.code, ERROR_CLOSED); /* shared */
	assert_non_null(strstr(bad.failure.error.text, "HTTP/2"));
	assert_int_equal(good.failed, 1);
	assert_int_equal(ec.gone, 1);
	asked_release(&bad);
	asked_release(&good);
	asked_init(&good); /* a new connection serves */
	ask(&good, o, "GET", "/big/10", NULL);
	net_run_until(&good.over);
	assert_int_equal(good.ended, 1);
	http_origin_counts(o, &n);
	assert_int_equal(n.connects, 2);
	asked_release(&good);
	echo_stop(&ec);
}

static void
draining_says_goaway_and_lets_streams_end(void **state)
{
	struct http_origin *o;
	struct asked a, late;
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_H2C, NULL);
	o = echo_origin(&ec);
	asked_init(&a);
	ask(&a, o, "GET", "/hold", NULL);
	while (ec.nheld == 0)
		net_run_ms(2);
	server_drain(ec.server);
	net_run_ms(5);
	asked_init(&late);
	ask(&late, o, "GET", "/", NULL);
	net_run_until(&late.over); /* nobody listens for a new connection */
	assert_int_equal(late.failure.error.code, ERROR_CONNECT);
	server_answer(ec.held[0], 200, "text/plain", span_of("at last"));
	net_run_until(&a.over);
	assert_string_equal(a.body.p, "at last");
	asked_release(&a);
	asked_release(&late);
	echo_stop(&ec);
}

static void
a_server_that_dies_takes_its_streams_with_it(void **state)
{
	enum { N = 50 };
	struct http_origin *o;
	struct asked a[N];
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_H2, NULL);
	o = echo_origin(&ec);
	for (int i = 0; i < N; i++) {
		asked_init(&a[i]);
		ask(&a[i], o, "GET", "/hold", NULL);
	}
	while (ec.nheld < N)
		net_run_ms(2);
	server_free(ec.server);
	ec.server = NULL;
	assert_int_equal(ec.gone, N);
	for (int i = 0; i < N; i++) {
		net_run_until(&a[i].over);
		assert_int_equal(a[i].failed, 1);
		asked_release(&a[i]);
	}
	echo_stop(&ec);
}

/* --- bytes made by hand --- */

struct frames {
	char bytes[400000];
	size_t n;
};

static void
frame(
    struct frames *f, int type, int flags, unsigned id, const void *p, size_t n)
{
	char head[9] = {(char)(n >> 16), (char)(n >> 8), (char)n, (char)type,
	    (char)flags, (char)(id >> 24), (char)(id >> 16), (char)(id >> 8),
	    (char)id};

	assert_true(f->n + 9 + n <= sizeof f->bytes);
	memcpy(f->bytes + f->n, head, 9);
	if (n > 0)
		memcpy(f->bytes + f->n + 9, p, n);
	f->n += 9 + n;
}

enum {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION
};
#define END_STREAM 1
#define END_HEADERS 4
#define STATUS_200 "\x88" /* indexed */

static struct http_failure
fail_against(struct frames *f, struct http_counts *n)
{
	enum { ROUNDS = 4 };
	struct raw_step script[4 * ROUNDS];
	const struct span bytes = {f->bytes, f->n};
	struct http_origin_settings s = {.http2_unasked = 1};
	struct http_request q = {.method = "GET",
	    .target = span_of("/"),
	    .first_byte_ms = 300,
	    .idle_ms = 300};
	struct http_failure failure;
	struct http_origin *o;
	struct raw_peer p;
	struct asked a;
	struct error e;

	for (int i = 0; i < ROUNDS; i++) {
		script[4 * i] = (struct raw_step){RAW_BYTES, "60"};
		script[4 * i + 1] =
		    (struct raw_step){RAW_SPAN, (const char *)&bytes};
		script[4 * i + 2] = (struct raw_step){RAW_STALL, NULL};
		script[4 * i + 3] = (struct raw_step){RAW_END, NULL};
	}
	raw_start(&p, script);
	s.url = span_of(p.url);
	o = http_origin_new(net_client, &s, &e);
	asked_init(&a);
	ask_request(&a, o, &q);
	net_run_until(&a.over);
	if (!a.failed)
		fail_msg("answered %d", a.status);
	failure = a.failure;
	asked_release(&a);
	if (n != NULL)
		http_origin_counts(o, n);
	http_origin_free(o);
	raw_stop(&p);
	return failure;
}

static void
begin(struct frames *f)
{
	f->n = 0;
	frame(f, SETTINGS, 0, 0, NULL, 0);
}

static void
floods_and_nonsense_from_a_server_end_the_connection(void **state)
{
	struct frames *f = malloc(sizeof *f);
	char zeros[1000] = {0};

	(void)state;
	for (int kind = 0; kind < 11; kind++) {
		struct http_failure e;

		begin(f);
		switch (kind) {
		case 0: /* settings */
			for (int i = 0; i < 2000; i++)
				frame(f, SETTINGS, 0, 0, NULL, 0);
			break;
		case 1: /* pings */
			for (int i = 0; i < 2000; i++)
				frame(f, PING, 0, 0, zeros, 8);
			break;
		case 2: /* a head that never ends */
			frame(f, HEADERS, 0, 1, STATUS_200, 1);
			for (int i = 0; i < 2000; i++)
				frame(f, CONTINUATION, 0, 1, "", 0);
			break;
		case 3: /* a promise nobody wanted */
			frame(f, PUSH_PROMISE, END_HEADERS, 1,
			    "\0\0\0\2\x82\x86\x84", 7);
			break;
		case 4: /* a stream nobody opened */
			frame(f, HEADERS, END_HEADERS, 2, STATUS_200, 1);
			break;
		case 5: /* data before a head */
			frame(f, DATA, 0, 1, "abc", 3);
			break;
		case 6: /* not HTTP/2 at all */
			f->n = 0;
			memcpy(f->bytes, "HTTP/1.1 400 Bad\r\n\r\n", 20);
			f->n = 20;
			break;
		case 7: /* a table index that does not exist */
			frame(
			    f, HEADERS, END_HEADERS, 1, "\xff\xff\xff\x0f", 4);
			break;
		case 8: /* window updates that overflow */
			frame(f, WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4);
			break;
		case 9: /* empty data for ever */
			frame(f, HEADERS, END_HEADERS, 1, STATUS_200, 1);
			for (int i = 0; i < 3000; i++)
				frame(f, DATA, 0, 1, NULL, 0);
			break;
		case 10: /* priorities */
			for (int i = 0; i < 2000; i++)
				frame(f, PRIORITY, 0, 1, zeros, 5);
			break;
		}
		e = fail_against(f, NULL);
		/* A promise is declined, and the call waits in vain. */
		if (e.error.code !=
		    (kind == 3 ? ERROR_TIMEOUT : ERROR_PROTOCOL))
			fail_msg("%d: %s", kind, e.error.text);
	}
	free(f);
}

/* Two calls on one connection, and nonsense in the answer to the first. */
static void
a_broken_answer_is_not_the_neighbours_fault(void **state)
{
	struct http_origin_settings s = {.http2_unasked = 1};
	struct frames *f = malloc(sizeof *f);
	const struct span bytes = {f->bytes, 0};
	struct span whole = bytes;
	struct raw_step script[] = {
	    {RAW_BYTES, "100"},
	    {RAW_SPAN, (const char *)&whole},
	    {RAW_STALL, NULL},
	    {RAW_END, NULL},
	};
	struct http_origin *o;
	struct raw_peer p;
	struct asked a[2];
	struct error e;

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		begin(f);
		if (kind == 0) { /* its own head never ends */
			frame(f, HEADERS, 0, 1, STATUS_200, 1);
			for (int i = 0; i < 2000; i++)
				frame(f, CONTINUATION, 0, 1, "", 0);
		} else { /* nobody's */
			for (int i = 0; i < 2000; i++)
				frame(f, PING, 0, 0, "12345678", 8);
		}
		whole.n = f->n;
		raw_start(&p, script);
		s.url = span_of(p.url);
		o = http_origin_new(net_client, &s, &e);
		for (int i = 0; i < 2; i++) {
			asked_init(&a[i]);
			ask(&a[i], o, "GET", "/", NULL);
		}
		for (int i = 0; i < 2; i++) {
			net_run_until(&a[i].over);
			assert_int_equal(a[i].failed, 1);
			assert_int_equal(a[i].failure.error.code,
			    kind == 0 && i == 0 ? ERROR_PROTOCOL
						: ERROR_CLOSED);
			asked_release(&a[i]);
		}
		http_origin_free(o);
		raw_stop(&p);
	}
	free(f);
}

static void
a_bomb_of_header_fields_is_refused(void **state)
{
	struct frames *f = malloc(sizeof *f);
	char block[4096];
	size_t n = 0;
	struct http_failure e;

	(void)state;
	/* One field of 3,000 bytes enters the table, then an index each. */
	begin(f);
	block[n++] = (char)0x88;
	block[n++] = 0x40;
	block[n++] = 1;
	block[n++] = 'a';
	block[n++] = 0x7f;
	block[n++] = (char)(0x80 | ((3000 - 127) & 0x7f));
	block[n++] = (char)((3000 - 127) >> 7);
	memset(block + n, 'x', 3000);
	n += 3000;
	memset(block + n, (char)0xbe, sizeof block - n); /* index 62 */
	frame(f, HEADERS, END_HEADERS, 1, block, sizeof block);
	e = fail_against(f, NULL);
	assert_int_equal(e.error.code, ERROR_TOO_BIG);
	free(f);
}

static void
a_refused_stream_is_sent_again_and_a_reset_one_is_not(void **state)
{
	struct frames *f = malloc(sizeof *f);
	struct http_counts n;
	struct http_failure e;

	(void)state;
	begin(f);
	frame(f, RST_STREAM, 0, 1, "\0\0\0\7", 4);
	e = fail_against(f, &n); /* the second stream is never answered */
	assert_int_equal(n.resent, 1);
	begin(f);
	frame(f, RST_STREAM, 0, 1, "\0\0\0\2", 4);
	e = fail_against(f, &n);
	assert_int_equal(n.resent, 0);
	assert_int_equal(e.error.code, ERROR_CLOSED);
	assert_non_null(strstr(e.error.text, "INTERNAL_ERROR"));
	/* GOAWAY that excludes the stream: refused as well. */
	begin(f);
	frame(f, GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	e = fail_against(f, &n);
	assert_true(n.resent >= 1);
	assert_true(n.connects >= 1);
	free(f);
}

/* --- hostile clients --- */

/* 1 when the server closed the connection. */
static int
send_to_server(struct echo *ec, struct frames *f, struct text *got)
{
	struct address to = *server_address(ec->server);
	size_t sent = 0;
	int closed = 0;
	char in[65536];
	ssize_t n;
	int fd;

	fd = socket(to.u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &to.u.sa, to.n), 0);
	for (int turns = 0; turns < 400; turns++) {
		n = send(fd, f->bytes + sent, f->n - sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			sent += (size_t)n;
		net_run_ms(1);
		n = recv(fd, in, sizeof in, MSG_DONTWAIT);
		if (n > 0)
			text_add(got, (struct span){in, (size_t)n});
		else if (n == 0 || errno != EAGAIN)
			closed = 1;
		if (closed || (sent == f->n && turns > 50))
			break;
	}
	close(fd);
	net_run_ms(3);
	return closed;
}

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define GET_HOLD "\x82\x86\x04\x05/hold\x01\x01h" /* :authority "h" */

static void
preface(struct frames *f)
{
	memcpy(f->bytes, PREFACE, sizeof PREFACE - 1);
	f->n = sizeof PREFACE - 1;
	frame(f, SETTINGS, 0, 0, NULL, 0);
}

static void
floods_from_a_client_end_its_connection_only(void **state)
{
	static char full[16384];
	struct frames *f = malloc(sizeof *f);
	char zeros[16] = {0}, block[4096];
	struct http_origin *o;
	struct asked a;
	struct echo ec;
	struct text got;
	size_t n;

	(void)state;
	for (int kind = 0; kind < 6; kind++) {
		echo_start(&ec, ECHO_H2C, NULL);
		text_init(&got, 16 * MIB);
		preface(f);
		switch (kind) {
		case 0: /* rapid reset */
			for (unsigned id = 1; id < 8000; id += 2) {
				frame(f, HEADERS, END_HEADERS | END_STREAM, id,
				    GET_HOLD, sizeof GET_HOLD - 1);
				frame(f, RST_STREAM, 0, id, "\0\0\0\x08", 4);
			}
			break;
		case 1:
			for (int i = 0; i < 3000; i++)
				frame(f, SETTINGS, 0, 0, NULL, 0);
			break;
		case 2:
			for (int i = 0; i < 3000; i++)
				frame(f, PING, 0, 0, zeros, 8);
			break;
		case 3:
			frame(f, HEADERS, 0, 1, GET_HOLD, sizeof GET_HOLD - 1);
			for (int i = 0; i < 3000; i++)
				frame(f, CONTINUATION, 0, 1, "", 0);
			break;
		case 4: /* HPACK bomb */
			n = sizeof GET_HOLD - 1;
			memcpy(block, GET_HOLD, n);
			memcpy(block + n,
			    "\x40\x01"
			    "a\x7f\xb9\x16",
			    6);
			n += 6;
			memset(block + n, 'x', 3000);
			n += 3000;
			memset(block + n, (char)0xbe, sizeof block - n);
			frame(f, HEADERS, END_HEADERS | END_STREAM, 1, block,
			    sizeof block);
			break;
		case 5: /* more data than the window allows */
			frame(f, HEADERS, END_HEADERS, 1, GET_HOLD,
			    sizeof GET_HOLD - 1);
			for (int i = 0; i < 20; i++)
				frame(f, DATA, 0, 1, full, sizeof full);
			break;
		}
		if (!send_to_server(&ec, f, &got) && kind < 4)
			fail_msg("%d is tolerated", kind);
		if (kind == 4)
			assert_int_equal(ec.requests, 0);
		assert_true(pool_peak() < 64 * MIB);
		/* Everybody else is served. */
		o = echo_origin(&ec);
		asked_init(&a);
		ask(&a, o, "GET", "/big/1000", NULL);
		net_run_until(&a.over);
		assert_int_equal(a.ended, 1);
		asked_release(&a);
		http_origin_free(o);
		text_release(&got);
		echo_stop(&ec);
	}
	free(f);
}

/* What a frame of this type in got says first; -1 when there is none. */
static long
find_frame(const struct text *got, int type, unsigned at)
{
	size_t i = 0;

	while (i + 9 <= got->n) {
		const unsigned char *p = (const unsigned char *)got->p + i;
		size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];

		if (p[3] == type && i + 9 + at + 4 <= got->n)
			return (long)p[9 + at] << 24 | p[10 + at] << 16 |
			       p[11 + at] << 8 | p[12 + at];
		i += 9 + n;
	}
	return -1;
}

static void
a_broken_client_is_told_why_before_the_end(void **state)
{
	static const char get[] = "\x82\x86\x04\x04/not\x01\x01h";
	struct frames *f = malloc(sizeof *f);
	char zeros[8] = {0};
	struct echo ec;
	struct text got;

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		echo_start(&ec, ECHO_H2C, NULL);
		text_init(&got, 16 * MIB);
		preface(f);
		if (kind < 3)
			frame(f, HEADERS, END_HEADERS | END_STREAM, 5, get,
			    sizeof get - 1);
		if (kind == 0) /* more of what it has ended */
			frame(f, DATA, END_STREAM, 5, "abc", 3);
		if (kind == 1)
			frame(f, HEADERS, END_HEADERS | END_STREAM, 5, get,
			    sizeof get - 1);
		if (kind == 2) /* a number that was passed over */
			frame(f, HEADERS, END_HEADERS | END_STREAM, 3, get,
			    sizeof get - 1);
		if (kind == 3) { /* in order: it leaves, and goes on talking */
			frame(f, GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
			for (int i = 0; i < 50; i++)
				frame(f, PING, 0, 0, zeros, 8);
		}
		send_to_server(&ec, f, &got);
		assert_int_equal(find_frame(&got, GOAWAY, 4),
		    kind < 2    ? 5    /* STREAM_CLOSED */
		    : kind == 2 ? 1    /* PROTOCOL_ERROR */
				: -1); /* nothing is wrong */
		text_release(&got);
		echo_stop(&ec);
	}
	free(f);
}

/* Frames that crossed our reset on their way are no fault of the peer's. */
static void
what_crosses_a_refusal_is_ignored(void **state)
{
	struct server_settings s = {.request_body_max = 100};
	static const char get[] = "\x82\x86\x04\x04/not\x01\x01h";
	static char full[1000];
	struct frames *f = malloc(sizeof *f);
	struct echo ec;
	struct text got;

	(void)state;
	echo_start(&ec, ECHO_H2C, &s);
	text_init(&got, 16 * MIB);
	preface(f);
	frame(f, HEADERS, END_HEADERS, 1, get, sizeof get - 1);
	for (int i = 0; i < 20; i++)
		frame(f, DATA, 0, 1, full, sizeof full);
	frame(f, HEADERS, END_HEADERS | END_STREAM, 3, get, sizeof get - 1);
	for (int i = 0; i < 20; i++)
		frame(f, DATA, 0, 1, full, sizeof full);
	assert_int_equal(send_to_server(&ec, f, &got), 0);
	assert_int_equal(find_frame(&got, GOAWAY, 4), -1);
	assert_int_equal(ec.requests, 1);
	text_release(&got);
	echo_stop(&ec);
	free(f);
}

/* Else it would be answered twice: here, and where the peer asks next. */
static void
what_comes_behind_a_goaway_is_refused(void **state)
{
	static const char leave[] = "\x82\x86\x04\x07/goaway\x01\x01h";
	static const char get[] = "\x82\x86\x04\x04/not\x01\x01h";
	struct frames *f = malloc(sizeof *f);
	struct text got;
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_H2C, NULL);
	text_init(&got, MIB);
	preface(f);
	frame(f, HEADERS, END_HEADERS | END_STREAM, 1, leave, sizeof leave - 1);
	/* On its way before the peer can know. */
	frame(f, HEADERS, END_HEADERS | END_STREAM, 3, get, sizeof get - 1);
	send_to_server(&ec, f, &got);
	assert_int_equal(find_frame(&got, GOAWAY, 0), 1); /* the last served */
	assert_int_equal(find_frame(&got, RST_STREAM, 0), 7);
	assert_int_equal(ec.requests, 1);
	text_release(&got);
	echo_stop(&ec);
	free(f);
}

/* libcurl does: it is no flood. */
static void
a_client_that_resets_what_is_done_is_served_on(void **state)
{
	static const char get[] = "\x82\x86\x04\x04/not\x01\x01h";
	struct frames *f = malloc(sizeof *f);
	struct address to;
	struct echo ec;
	unsigned id = 1;
	char in[65536];
	int fd;

	(void)state;
	echo_start(&ec, ECHO_H2C, NULL);
	to = *server_address(ec.server);
	fd = socket(to.u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &to.u.sa, to.n), 0);
	preface(f);
	for (unsigned round = 1; round <= 30; round++) {
		for (int i = 0; i < 100; i++, id += 2)
			frame(f, HEADERS, END_HEADERS | END_STREAM, id, get,
			    sizeof get - 1);
		assert_int_equal(send(fd, f->bytes, f->n, 0), f->n);
		while (ec.requests < 100 * round)
			net_run_ms(1);
		net_run_ms(2);
		while (recv(fd, in, sizeof in, MSG_DONTWAIT) > 0)
			net_run_ms(0);
		f->n = 0;
		for (unsigned i = id - 200; i < id; i += 2)
			frame(f, RST_STREAM, 0, i, "\0\0\0\x08", 4);
	}
	assert_int_equal(recv(fd, in, sizeof in, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN); /* still open */
	close(fd);
	net_run_ms(3);
	echo_stop(&ec);
	free(f);
}

static void
a_client_that_opens_no_window_is_bounded_and_sent_away(void **state)
{
	struct server_settings s = {.write_ms = 60, .idle_ms = 60};
	struct frames *f = malloc(sizeof *f);
	char get[64];
	struct server_counts n;
	struct echo ec;
	struct text got;

	(void)state;
	echo_start(&ec, ECHO_H2C, &s);
	text_init(&got, 16 * MIB);
	memcpy(f->bytes, PREFACE, sizeof PREFACE - 1);
	f->n = sizeof PREFACE - 1;
	/* SETTINGS_INITIAL_WINDOW_SIZE 0 */
	frame(f, SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
	snprintf(get, sizeof get, "\x82\x86\x04\x0f/big/1000000000\x01\x01h");
	frame(f, HEADERS, END_HEADERS | END_STREAM, 1, get, strlen(get));
	send_to_server(&ec, f, &got);
	assert_int_equal(ec.requests, 1);
	while (ec.gone == 0)
		net_run_ms(5);
	do {
		net_run_ms(5);
		server_counts(ec.server, &n);
	} while (n.connections > 0);
	text_release(&got);
	echo_stop(&ec);
	free(f);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(five_hundred_calls_share_one_connection),
	    TEST(calls_that_wait_long_are_let_go_by_and_by),
	    TEST(more_calls_than_streams_wait_their_turn),
	    TEST(a_paused_call_does_not_hold_up_the_others),
	    TEST(a_call_cancelled_from_another_is_quiet),
	    TEST(a_secret_goes_into_the_head),
	    TEST(a_reset_stream_fails_alone),
	    TEST(garbage_ends_the_connection),
	    TEST(draining_says_goaway_and_lets_streams_end),
	    TEST(a_server_that_dies_takes_its_streams_with_it),
	    TEST(floods_and_nonsense_from_a_server_end_the_connection),
	    TEST(a_broken_answer_is_not_the_neighbours_fault),
	    TEST(a_bomb_of_header_fields_is_refused),
	    TEST(a_refused_stream_is_sent_again_and_a_reset_one_is_not),
	    TEST(floods_from_a_client_end_its_connection_only),
	    TEST(a_broken_client_is_told_why_before_the_end),
	    TEST(what_crosses_a_refusal_is_ignored),
	    TEST(what_comes_behind_a_goaway_is_refused),
	    TEST(a_client_that_resets_what_is_done_is_served_on),
	    TEST(a_client_that_opens_no_window_is_bounded_and_sent_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
