#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/arena.h"
#include "net/proxy.h"
#include "tests/unit/net_test.h"

/* A proxy for one connection, in a thread. */
static struct {
	pthread_t thread;
	int fd;
	const char *answer; /* NULL: make the tunnel */
	char heard[2048];
	char url[80];
} px;

static void
splice_both(int a, int b)
{
	struct pollfd p[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
	char bytes[16384];

	while (poll(p, 2, 10000) > 0)
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].revents == 0)
				continue;
			n = recv(p[i].fd, bytes, sizeof bytes, 0);
			if (n <= 0 || send(p[1 - i].fd, bytes, (size_t)n,
					  MSG_NOSIGNAL) != n)
				return;
		}
}

static void *
serve(void *arg)
{
	static const char established[] =
	    "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int in = accept(px.fd, NULL, NULL), out;
	unsigned port = 0;
	size_t n = 0;

	(void)arg;
	if (in == -1)
		return NULL;
	while (strstr(px.heard, "\r\n\r\n") == NULL) {
		ssize_t r = recv(in, px.heard + n, sizeof px.heard - n - 1, 0);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	if (px.answer != NULL) {
		send(in, px.answer, strlen(px.answer), MSG_NOSIGNAL);
	} else {
		sscanf(px.heard, "CONNECT %*[^:]:%u", &port);
		to.sin_port = htons((uint16_t)port);
		out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(out, (struct sockaddr *)&to, sizeof to) == 0) {
			send(in, established, sizeof established - 1,
			    MSG_NOSIGNAL);
			splice_both(in, out);
		}
		close(out);
	}
	close(in);
	return NULL;
}

static void
proxy_begin(const char *answer, const char *user)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;

	memset(&px, 0, sizeof px);
	px.answer = answer;
	px.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(px.fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(px.fd, 4), 0);
	getsockname(px.fd, (struct sockaddr *)&at, &n);
	snprintf(px.url, sizeof px.url, "http://%s127.0.0.1:%u", user,
	    ntohs(at.sin_port));
	assert_int_equal(pthread_create(&px.thread, NULL, serve, NULL), 0);
}

static void
proxy_finish(void)
{
	shutdown(px.fd, SHUT_RDWR);
	pthread_join(px.thread, NULL);
	close(px.fd);
}

static void
ask_through(struct asked *a, struct echo *ec)
{
	struct http_origin_settings s = {.connect_ms = 3000};
	struct http_origin *o;
	struct error e;

	s.url = span_of(ec->url);
	s.proxy = span_of(px.url);
	s.tls.ca_file = ec->ca_file;
	o = http_origin_new(net_client, &s, &e);
	if (o == NULL)
		fail_msg("%s", e.text);
	asked_init(a);
	ask(a, o, "GET", "/big/100000", NULL);
	net_run_until(&a->over);
	http_origin_free(o);
}

static void
a_tunnel_carries_tls(void **state)
{
	struct asked a;
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_H2, NULL);
	proxy_begin(NULL, "me:se%20cret@");
	ask_through(&a, &ec);
	if (a.failed)
		fail_msg("%s", a.failure.error.text);
	assert_int_equal(a.body.n, 100000);
	asked_release(&a);
	proxy_finish();
	echo_stop(&ec);
	assert_non_null(strstr(px.heard, "CONNECT 127.0.0.1:"));
	/* me:se cret */
	assert_non_null(
	    strstr(px.heard, "Proxy-Authorization: Basic bWU6c2UgY3JldA==\r"));
}

static void
a_proxy_that_refuses_is_named(void **state)
{
	static const struct {
		const char *answer, *says;
	} bad[] = {
	    {"HTTP/1.1 407 Who?\r\n\r\n", "status 407"},
	    {"HTTP/1.1 502 No\r\nContent-Length: 3\r\n\r\nabc", "status 502"},
	    {"garbage\r\n\r\n", ""},
	    {"", "closed"},
	    {"HTTP/1.1 200 OK\r\n\r\nearly bytes", "bytes behind"},
	};
	struct asked a;
	struct echo ec;

	(void)state;
	echo_start(&ec, ECHO_TLS, NULL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		proxy_begin(bad[i].answer, "me:secret@");
		ask_through(&a, &ec);
		assert_int_equal(a.failed, 1);
		assert_int_equal(a.failure.error.code, ERROR_CONNECT);
		assert_int_equal(a.failure.stage, NET_CONNECT);
		assert_non_null(
		    strstr(a.failure.error.text, "the proxy 127.0.0.1:"));
		assert_non_null(strstr(a.failure.error.text, bad[i].says));
		assert_null(strstr(a.failure.error.text, "secret"));
		asked_release(&a);
		proxy_finish();
	}
	echo_stop(&ec);
}

static void
exceptions_are_read_as_others_read_them(void **state)
{
	static const struct {
		const char *list, *url;
		int is;
	} t[] = {
	    {"*", "https://a.example.com", 1},
	    {"", "https://a.example.com", 0},
	    {"example.com", "https://a.example.com", 1},
	    {"example.com", "https://example.com", 1},
	    {".example.com", "https://a.example.com", 1},
	    {"example.com", "https://badexample.com", 0},
	    {"x.org, EXAMPLE.com ,y", "https://a.example.com", 1},
	    {"example.com:8443", "https://example.com", 0},
	    {"example.com:8443", "https://example.com:8443", 1},
	    {"10.0.0.0/8", "https://10.9.8.7", 1},
	    {"10.0.0.0/8", "https://11.9.8.7", 0},
	    {"10.128.0.0/9", "https://10.127.0.1", 0},
	    {"10.1.2.3", "https://10.1.2.3", 1},
	    {"10.1.2.3", "https://10.1.2.4", 0},
	    {"fd00::/8", "https://[fd12::1]", 1},
	    {"fd00::/8", "https://[fe12::1]", 0},
	    {"10.0.0.0/99", "https://10.1.2.3", 0},
	};
	struct arena arena;
	struct error e;
	struct url u;

	(void)state;
	arena_init(&arena, 64 * KIB);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		assert_int_equal(
		    url_parse(&u, span_of(t[i].url), &arena, &e), 0);
		if (proxy_is_excepted(&u, span_of(t[i].list)) != t[i].is)
			fail_msg("%s for %s", t[i].list, t[i].url);
	}
	arena_release(&arena);
}

static void
proxies_are_read(void **state)
{
	struct arena arena;
	struct proxy p;
	struct error e;

	(void)state;
	arena_init(&arena, 64 * KIB);
	assert_int_equal(
	    proxy_parse(&p, span_of("proxy.local:8080"), &arena, &e), 0);
	assert_true(span_is(p.host, "proxy.local"));
	assert_int_equal(p.port, 8080);
	assert_int_equal(p.authorization.n, 0);
	assert_int_equal(
	    proxy_parse(&p, span_of("http://[::1]/"), &arena, &e), 0);
	assert_true(span_is(p.host, "::1"));
	assert_int_equal(
	    proxy_parse(&p, span_of("https://u:secret@p:1"), &arena, &e), -1);
	assert_null(strstr(e.text, "secret"));
	assert_int_equal(e.code, ERROR_CONFIG);
	assert_int_equal(
	    proxy_parse(&p, span_of("http://u:%zz@p:1"), &arena, &e), -1);
	arena_release(&arena);
}

static void
the_environment_is_heard_but_not_for_this_machine(void **state)
{
	struct http_origin_settings s = {0};
	struct http_origin *o;
	struct asked a;
	struct echo ec;
	struct error e;

	(void)state;
	setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
	echo_start(&ec, ECHO_TLS, NULL);
	o = echo_origin(&ec);
	asked_init(&a);
	ask(&a, o, "GET", "/", NULL);
	net_run_until(&a.over);
	assert_int_equal(a.status, 404);
	asked_release(&a);
	http_origin_free(o);
	s.url = span_of("https://example.com");
	o = http_origin_new(net_client, &s, &e);
	assert_non_null(o);
	asked_init(&a);
	ask(&a, o, "GET", "/", NULL);
	net_run_until(&a.over);
	assert_non_null(strstr(a.failure.error.text, "127.0.0.1:1"));
	asked_release(&a);
	http_origin_free(o);
	unsetenv("HTTPS_PROXY");
	echo_stop(&ec);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_tunnel_carries_tls),
	    TEST(a_proxy_that_refuses_is_named),
	    TEST(exceptions_are_read_as_others_read_them),
	    TEST(proxies_are_read),
	    TEST(the_environment_is_heard_but_not_for_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
