/*
 * Whole peers over a real socket: the client reads what a server made of the
 * input says, and the server what such a client says, in HTTP/1.1 and HTTP/2.
 * The first byte chooses, also whether the client asks for an upgrade or
 * streams its body.  However it ends, both sides must end, and no memory may
 * be left.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "net/http.h"
#include "net/server.h"
#include "net/stream.h"
#include "net/tcp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static struct loop *loop;
static struct http_client *client;
static struct server *server;
static struct tcp_listener listener;
static int is_over;
static unsigned filled;

/* --- the peer: says the input, half-closes, waits for the other's end --- */

static struct {
	int fd;
	struct loop_io io;
	const char *p;
	size_t n;
} peer = {.fd = -1};

static void
peer_close(void)
{
	if (peer.fd == -1)
		return;
	loop_io_want(&peer.io, LOOP_NOTHING);
	close(peer.fd);
	peer.fd = -1;
}

static void
peer_ready(struct loop_io *io, int want)
{
	char in[16384];
	ssize_t n;

	if (want & LOOP_WRITE) {
		n = peer.n == 0 ? 0
				: send(peer.fd, peer.p, peer.n, MSG_NOSIGNAL);
		if (n <= 0)
			peer.n = 0;
		peer.p += n > 0 ? n : 0;
		peer.n -= n > 0 ? (size_t)n : 0;
		if (peer.n == 0) {
			shutdown(peer.fd, SHUT_WR);
			loop_io_want(io, LOOP_READ);
		}
	}
	if (want & LOOP_READ) {
		n = recv(peer.fd, in, sizeof in, MSG_DONTWAIT);
		if (n == 0 || (n == -1 && errno != EAGAIN)) {
			peer_close();
			is_over = 1;
		}
	}
}

static void
peer_begin(int fd)
{
	peer_close();
	peer.fd = fd;
	loop_io_init(&peer.io, loop, fd, peer_ready);
	loop_io_want(&peer.io, LOOP_READ | LOOP_WRITE);
}

static void
accepted(struct tcp_listener *l, int fd)
{
	(void)l;
	peer_begin(fd);
}

/* --- the client's side --- */

static void
got_head(void *owner, const struct http_head *head)
{
	(void)owner;
	CHECK(head->status >= 200 && head->status <= 999);
	CHECK(head->fields <= LIMIT_HTTP_FIELDS);
}

static void
got_body(void *owner, struct span bytes)
{
	(void)owner;
	CHECK(bytes.n > 0);
}

static void
got_end(void *owner, const struct http_head *trailers)
{
	(void)trailers;
	*(struct http_call **)owner = NULL;
	is_over = 1;
}

static void
got_failure(void *owner, const struct http_failure *f)
{
	CHECK(f->error.code != ERROR_NONE);
	*(struct http_call **)owner = NULL;
	is_over = 1;
}

/* A body of three pieces. */
static size_t
fill(void *owner, char *p, size_t n, int *is_last)
{
	(void)owner;
	CHECK(n >= 5);
	memcpy(p, "piece", 5);
	*is_last = ++filled == 3;
	return 5;
}

static void
upgraded(void *owner, const struct http_head *head, struct stream *s,
    struct span early)
{
	CHECK(head->status == 101 && span_is_nocase(head->upgrade, "echo"));
	CHECK(early.n <= 1 << 16);
	stream_close(s);
	*(struct http_call **)owner = NULL;
	is_over = 1;
}

static const struct http_ops ops = {
    .head = got_head,
    .body = got_body,
    .end = got_end,
    .failed = got_failure,
    .fill = fill,
    .upgraded = upgraded,
};

/* --- the server's side --- */

static void
answer(void *owner, struct exchange *x)
{
	(void)owner;
	if (exchange_target(x).n % 7 == 6)
		server_reset(x);
	else
		server_answer(x, 200, "text/plain", exchange_body(x));
}

static void
ignore(void *owner, struct exchange *x)
{
	(void)owner;
	(void)x;
}

static const struct server_ops server_side = {
    .request = answer,
    .writable = ignore,
    .gone = ignore,
};

/* --- running --- */

static struct loop_turn watch;
static struct loop_timer guard;

static void
turned(struct loop_turn *t)
{
	(void)t;
	if (is_over)
		loop_break(loop);
}

static void
too_long(struct loop_timer *t)
{
	(void)t;
	CHECK(!"both sides ended");
}

static void
run(void)
{
	is_over = 0;
	loop_timer_start(&guard, 10000);
	loop_run(loop);
	loop_timer_stop(&guard);
}

/* c-ares' memory hangs on ours, which the leak checker does not search. */
static void
end(void)
{
	loop_turn_stop(&watch);
	server_free(server);
	tcp_listener_close(&listener);
	http_client_free(client);
	loop_free(loop);
}

static void
begin(void)
{
	struct server_settings s = {.request_body_max = 100000};
	struct error e;

	fuzz_start();
	loop = loop_new(&e);
	client = http_client_new(loop, NULL, &e);
	CHECK(address_parse(&s.at, span_of("127.0.0.1:0"), &e) == 0);
	server = server_new(loop, &s, &server_side, NULL, &e);
	CHECK(server != NULL);
	CHECK(tcp_listen(&listener, loop, &s.at, 8, accepted, &e) == 0);
	loop_timer_init(&guard, loop, too_long);
	loop_turn_start(&watch, loop, turned);
	atexit(end);
}

static void
be_the_server(int http2, int is_special)
{
	static const char text[] = "a body";
	struct span body = span_of(text);
	char url[64];
	struct http_origin_settings s = {.http2_unasked = http2};
	struct http_request q = {.method = "POST",
	    .target = span_of("/"),
	    .body = &body,
	    .nbody = 1};
	struct http_call *call;
	struct http_origin *o;
	struct error e;

	snprintf(url, sizeof url, "http://127.0.0.1:%u",
	    address_port(&listener.address));
	s.url = span_of(url);
	o = http_origin_new(client, &s, &e);
	CHECK(o != NULL);
	filled = 0;
	if (is_special) {
		q.nbody = 0;
		q.is_streamed = http2;
		q.upgrade = http2 ? NULL : "echo";
	}
	call = http_start(o, &q, &ops, &call, &e);
	CHECK(call != NULL);
	while (call != NULL)
		run();
	http_origin_free(o);
	peer_close();
}

static void
be_the_client(void)
{
	struct address to = *server_address(server);
	struct server_counts n;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd != -1 && connect(fd, &to.u.sa, to.n) == 0);
	peer_begin(fd);
	run();
	server_counts(server, &n);
	CHECK(n.exchanges == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char bytes[1 << 16];
	size_t at = 0, before;

	if (loop == NULL)
		begin();
	if (n < 1 || n > sizeof bytes - 64)
		return 0;
	before = pool_in_use();
	if (p[0] % 4 == 3) {
		at = sizeof PREFACE - 1;
		memcpy(bytes, PREFACE, at);
	}
	memcpy(bytes + at, p + 1, n - 1);
	peer.p = bytes;
	peer.n = at + n - 1;
	if (p[0] % 4 < 2)
		be_the_server(p[0] % 4, (p[0] & 0x40) != 0);
	else
		be_the_client();
	CHECK(pool_in_use() <= before);
	return 0;
}
