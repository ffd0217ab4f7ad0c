#include "tests/unit/net_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/stream.h"

#define GUARD_MS 20000

struct loop *net_loop;
struct http_client *net_client;

static int pool_is_up;

int
net_setup(void **state)
{
	struct error e;

	(void)state;
	if (!pool_is_up && pool_start(GIB, &e) == -1)
		fail_msg("%s", e.text);
	pool_is_up = 1;
	net_loop = loop_new(&e);
	assert_non_null(net_loop);
	net_client = http_client_new(net_loop, NULL, &e);
	if (net_client == NULL)
		fail_msg("%s", e.text);
	return 0;
}

int
net_teardown(void **state)
{
	(void)state;
	http_client_free(net_client);
	loop_free(net_loop);
	assert_int_equal(pool_in_use(), 0);
	return 0;
}

/* --- running --- */

struct watched {
	struct loop_turn turn;
	struct loop_timer guard;
	const int *flag;
	int late;
};

static void
look(struct loop_turn *t)
{
	struct watched *w = container_of(t, struct watched, turn);

	if (w->flag != NULL && *w->flag)
		loop_break(net_loop);
}

static void
guard_over(struct loop_timer *t)
{
	container_of(t, struct watched, guard)->late = 1;
	loop_break(net_loop);
}

static int
run(const int *flag, uint64_t ms)
{
	struct watched w = {.flag = flag};

	if (flag != NULL && *flag)
		return 0;
	loop_timer_init(&w.guard, net_loop, guard_over);
	loop_timer_start(&w.guard, ms);
	loop_turn_start(&w.turn, net_loop, look);
	loop_run(net_loop);
	loop_turn_stop(&w.turn);
	loop_timer_stop(&w.guard);
	return w.late;
}

void
net_run_until(const int *flag)
{
	if (run(flag, GUARD_MS))
		fail_msg("waited too long");
}

void
net_run_ms(uint64_t ms)
{
	run(NULL, ms);
}

/* --- a call --- */

static void
asked_placed(void *owner, int has_place)
{
	((struct asked *)owner)->placed = has_place;
}

static void
asked_head(void *owner, const struct http_head *head)
{
	struct asked *a = owner;

	a->heads++;
	a->status = head->status;
	text_clear(&a->type);
	text_add(&a->type, http_field_get(head, "content-type"));
}

static void
asked_body(void *owner, struct span bytes)
{
	struct asked *a = owner;

	a->pieces++;
	text_add(&a->body, bytes);
	if (a->cancel_in_body) {
		http_cancel(a->call);
		a->call = NULL;
		a->over = 1;
	} else if (a->pause_in_body) {
		http_pause(a->call);
	}
}

static void
asked_end(void *owner, const struct http_head *trailers)
{
	struct asked *a = owner;

	a->over = a->ended = 1;
	a->call = NULL;
	if (trailers != NULL)
		text_add(&a->trailer, http_field_get(trailers, "x-check"));
}

static void
asked_failed(void *owner, const struct http_failure *f)
{
	struct asked *a = owner;

	a->over = a->failed = 1;
	a->call = NULL;
	a->failure = *f;
}

const struct http_ops asked_ops = {
    .placed = asked_placed,
    .head = asked_head,
    .body = asked_body,
    .end = asked_end,
    .failed = asked_failed,
};

void
asked_init(struct asked *a)
{
	memset(a, 0, sizeof *a);
	text_init(&a->body, 64 * MIB);
	text_init(&a->type, KIB);
	text_init(&a->trailer, KIB);
}

void
asked_release(struct asked *a)
{
	text_release(&a->body);
	text_release(&a->type);
	text_release(&a->trailer);
}

void
ask_request(
    struct asked *a, struct http_origin *o, const struct http_request *q)
{
	struct error e;

	a->call = http_start(o, q, &asked_ops, a, &e);
	if (a->call == NULL)
		fail_msg("%s", e.text);
	assert_false(a->over); /* never before start has returned */
}

void
ask(struct asked *a, struct http_origin *o, const char *method,
    const char *target, const struct span *body)
{
	struct http_request q = {
	    .method = method,
	    .target = span_of(target),
	    .body = body,
	    .nbody = body != NULL,
	    .first_byte_ms = 5000,
	    .idle_ms = 5000,
	};

	ask_request(a, o, &q);
}

/* --- our server --- */

static void
pump(struct exchange *x)
{
	static const char block[4096] = {'x'};
	size_t left = (size_t)(uintptr_t)exchange_user(x);

	while (left > 0) {
		size_t n = left < sizeof block ? left : sizeof block;
		size_t took = server_write(x, (struct span){block, n});

		left -= took;
		if (took < n)
			break;
	}
	exchange_set_user(x, (void *)(uintptr_t)left);
	if (left == 0)
		server_end(x);
}

static void
echo_request(void *owner, struct exchange *x)
{
	struct echo *e = owner;
	struct span target = exchange_target(x);

	e->requests++;
	if (span_is(target, "/echo")) {
		server_answer(x, 200, "text/plain", exchange_body(x));
	} else if (span_is(target, "/field")) {
		server_answer(
		    x, 200, "text/plain", exchange_field(x, "X-Test"));
	} else if (span_is(target, "/host")) {
		server_answer(x, 200, "text/plain", exchange_field(x, "Host"));
	} else if (span_has_prefix(target, span_of("/big/"))) {
		server_head(x, 200, NULL, 0, -1);
		exchange_set_user(
		    x, (void *)(uintptr_t)strtoul(target.p + 5, NULL, 10));
		pump(x);
	} else if (span_is(target, "/hold")) {
		if (e->nheld < 64)
			e->held[e->nheld++] = x;
		else if (!e->holds_all)
			server_answer(x, 503, "text/plain", span_of("full"));
	} else if (span_is(target, "/goaway")) {
		server_goaway(x);
		server_answer(x, 200, "text/plain", span_of("bye"));
	} else if (span_is(target, "/reset")) {
		server_reset(x);
	} else if (span_is(target, "/cut")) {
		server_head(x, 200, NULL, 0, -1);
		server_write(x, span_of("half"));
		server_close(x);
	} else if (span_is(target, "/garbage")) {
		server_raw(x, span_of("this is not HTTP\r\n\r\n"));
	} else if (span_is(target, "/short")) {
		server_head(x, 200, NULL, 0, 100);
		server_write(x, span_of("ten bytes."));
		server_end(x);
	} else {
		server_answer(x, 404, "text/plain", span_of("not here"));
	}
}

static void
echo_writable(void *owner, struct exchange *x)
{
	(void)owner;
	pump(x);
}

static void
echo_gone(void *owner, struct exchange *x)
{
	struct echo *e = owner;

	e->gone++;
	for (unsigned i = 0; i < e->nheld; i++)
		if (e->held[i] == x)
			e->held[i] = NULL;
}

void
net_write_file(char path[64], struct span text)
{
	int fd;

	strcpy(path, "/tmp/net-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd != -1);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	close(fd);
}

void
echo_serve(struct echo *ec)
{
	static const struct server_ops ops = {
	    .request = echo_request,
	    .writable = echo_writable,
	    .gone = echo_gone,
	};
	struct error e;

	ec->set.tls = ec->tls;
	ec->server = server_new(net_loop, &ec->set, &ops, ec, &e);
	if (ec->server == NULL)
		fail_msg("%s", e.text);
	snprintf(ec->url, sizeof ec->url, "%s://127.0.0.1:%u",
	    ec->tls != NULL ? "https" : "http",
	    address_port(server_address(ec->server)));
}

void
echo_start(struct echo *ec, enum echo_manner manner,
    const struct server_settings *given)
{
	struct tls_cert_settings names = {.names = {"127.0.0.1", "localhost"}};
	struct tls_server_settings t = {
	    .alpn = {manner == ECHO_H2 ? "h2" : "http/1.1", NULL}};
	struct tls_cert cert;
	struct error e;

	memset(ec, 0, sizeof *ec);
	ec->manner = manner;
	if (given != NULL)
		ec->set = *given;
	assert_int_equal(
	    address_parse(&ec->set.at, span_of("127.0.0.1:0"), &e), 0);
	if (manner == ECHO_TLS || manner == ECHO_H2) {
		assert_int_equal(tls_cert_make(&cert, &names, &e), 0);
		t.cert_pem = text_span(&cert.cert);
		t.key_pem = text_span(&cert.key);
		ec->tls_base = tls_new(net_loop, &e);
		ec->tls = tls_server_new(ec->tls_base, &t, &e);
		if (ec->tls == NULL)
			fail_msg("%s", e.text);
		net_write_file(ec->ca_file, text_span(&cert.ca));
		tls_cert_release(&cert);
	}
	echo_serve(ec);
}

void
echo_stop(struct echo *ec)
{
	server_free(ec->server);
	tls_server_free(ec->tls);
	tls_free(ec->tls_base);
	if (ec->ca_file[0] != '\0')
		unlink(ec->ca_file);
}

struct http_origin *
echo_origin(struct echo *ec)
{
	struct http_origin_settings s = {.url = span_of(ec->url)};
	struct http_origin *o;
	struct error e;

	if (ec->ca_file[0] != '\0')
		s.tls.ca_file = ec->ca_file;
	s.http2_unasked = ec->manner == ECHO_H2C;
	o = http_origin_new(net_client, &s, &e);
	if (o == NULL)
		fail_msg("%s", e.text);
	return o;
}

/* --- a raw peer --- */

static void
raw_close(struct raw_connection *c)
{
	loop_timer_stop(&c->pace);
	stream_close(c->stream);
	c->stream = NULL;
}

static struct span
raw_text(const struct raw_step *step)
{
	if (step->kind == RAW_SPAN)
		return *(const struct span *)(const void *)step->text;
	return span_of(step->text);
}

static void
raw_play(struct raw_connection *c)
{
	struct span left;
	size_t wrote;

	for (;; c->step++, c->offset = 0) {
		switch (c->step->kind) {
		case RAW_HEAD:
			if (c->newlines < 2) {
				stream_want(c->stream, LOOP_READ);
				return;
			}
			c->newlines = 0;
			c->heard = 0;
			break;
		case RAW_BYTES:
			if (c->heard < strtoul(c->step->text, NULL, 10)) {
				stream_want(c->stream, LOOP_READ);
				return;
			}
			c->heard = 0;
			break;
		case RAW_SLOW:
			left = span_slice(
			    span_of(c->step->text), c->offset, c->offset + 1);
			if (left.n == 0)
				break;
			if (stream_write(c->stream, left, &wrote) == IO_DONE)
				c->offset++;
			loop_timer_start(&c->pace, 0);
			return;
		case RAW_SEND:
		case RAW_SPAN:
			left = raw_text(c->step);
			left = span_slice(left, c->offset, left.n);
			if (left.n == 0)
				break;
			switch (stream_write(c->stream, left, &wrote)) {
			case IO_DONE:
				c->offset += wrote;
				loop_timer_start(&c->pace, 0);
				return;
			case IO_WAIT:
				stream_want(c->stream, LOOP_WRITE);
				return;
			default:
				raw_close(c);
				return;
			}
		case RAW_FIN:
			raw_close(c);
			return;
		case RAW_RESET:
			stream_reset_on_close(c->stream);
			raw_close(c);
			return;
		case RAW_STALL:
		case RAW_END:
			stream_want(c->stream, LOOP_READ);
			return;
		}
	}
}

static void
raw_pace(struct loop_timer *t)
{
	raw_play(container_of(t, struct raw_connection, pace));
}

static void
raw_ready(struct stream *s, int want)
{
	struct raw_connection *c = s->owner;
	char in[4096];
	size_t got;

	if (want & LOOP_READ) {
		switch (stream_read(s, in, sizeof in, &got)) {
		case IO_DONE:
			text_add(&c->peer->heard, (struct span){in, got});
			c->heard += got;
			for (size_t i = 0; i < got; i++) {
				if (in[i] == '\n' && c->newlines < 2)
					c->newlines++;
				else if (in[i] != '\r' && c->newlines < 2)
					c->newlines = 0;
			}
			break;
		case IO_WAIT:
			break;
		default:
			raw_close(c);
			return;
		}
	}
	if (c->step->kind == RAW_HEAD || c->step->kind == RAW_BYTES ||
	    (want & LOOP_WRITE))
		raw_play(c);
}

static void
raw_accepted(struct tcp_listener *l, int fd)
{
	struct raw_peer *p = container_of(l, struct raw_peer, listener);
	struct raw_connection *c;
	struct error e;

	assert_true(p->accepted < RAW_CONNECTIONS);
	c = &p->connection[p->accepted++];
	c->peer = p;
	c->stream = stream_new(net_loop, fd, &e);
	assert_non_null(c->stream);
	c->step = p->script;
	loop_timer_init(&c->pace, net_loop, raw_pace);
	stream_own(c->stream, raw_ready, c);
	while (p->script->kind != RAW_END)
		p->script++;
	p->script++;
	raw_play(c);
}

void
raw_start(struct raw_peer *p, const struct raw_step *script)
{
	struct address at;
	struct error e;

	memset(p, 0, sizeof *p);
	text_init(&p->heard, MIB);
	p->script = script;
	assert_int_equal(address_parse(&at, span_of("127.0.0.1:0"), &e), 0);
	if (tcp_listen(&p->listener, net_loop, &at, RAW_CONNECTIONS,
		raw_accepted, &e) == -1)
		fail_msg("%s", e.text);
	snprintf(p->url, sizeof p->url, "http://127.0.0.1:%u",
	    address_port(&p->listener.address));
}

void
raw_stop(struct raw_peer *p)
{
	for (unsigned i = 0; i < p->accepted; i++)
		if (p->connection[i].stream != NULL)
			raw_close(&p->connection[i]);
	tcp_listener_close(&p->listener);
	text_release(&p->heard);
}

struct http_origin *
raw_origin(struct raw_peer *p)
{
	struct http_origin_settings s = {.url = span_of(p->url)};
	struct http_origin *o;
	struct error e;

	o = http_origin_new(net_client, &s, &e);
	if (o == NULL)
		fail_msg("%s", e.text);
	return o;
}
