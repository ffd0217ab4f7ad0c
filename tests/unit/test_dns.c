#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "net/dns.h"
#include "net/hosts.h"
#include "tests/unit/net_test.h"

/*
 * A name server on the loop that answers by the first label:
 * a: an A record; b: A and AAAA; black: A, and silence for AAAA; many: thirty
 * A records; fail: SERVFAIL; mute: nothing at all; circle: CNAMEs in a
 * circle; junk: bytes that are no answer; all else: no such name.
 */
static struct {
	struct loop_io io;
	int fd;
	unsigned questions;
	char servers[64];
} ns;

static struct dns *dns;

struct looked {
	struct dns_query *query;
	int over;
	struct dns_answer answer;
	struct error error;
};

static size_t
put(unsigned char *out, size_t n, const void *p, size_t size)
{
	memcpy(out + n, p, size);
	return n + size;
}

static size_t
put_record(unsigned char *out, size_t n, int type, const void *p, size_t size)
{
	unsigned char head[] = {0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0, 0,
	    60, 0, (unsigned char)size};

	n = put(out, n, head, sizeof head);
	return put(out, n, p, size);
}

static size_t
answer(const char *label, int type, unsigned char *out, size_t n)
{
	static const unsigned char v6[16] = {[15] = 1};
	unsigned char v4[4] = {127, 0, 0, 1};
	unsigned count = 0;

	if (strcmp(label, "many") == 0 && type == 1) {
		for (; count < 30; count++) {
			v4[3] = (unsigned char)(count + 1);
			n = put_record(out, n, 1, v4, 4);
		}
	} else if (strcmp(label, "circle") == 0) {
		n = put_record(out, n, 5, "\xc0\x0c", 2);
		count = 1;
	} else if (type == 1) {
		n = put_record(out, n, 1, v4, 4);
		count = 1;
	} else if (strcmp(label, "b") == 0) {
		n = put_record(out, n, 28, v6, 16);
		count = 1;
	}
	out[7] = (unsigned char)count;
	return n;
}

static void
question(struct loop_io *io, int want)
{
	unsigned char in[512], out[2048];
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	ssize_t n =
	    recvfrom(ns.fd, in, sizeof in, 0, (struct sockaddr *)&from, &len);
	char label[64] = "";
	size_t end = 12;
	int type;

	(void)io;
	(void)want;
	if (n < 17)
		return;
	ns.questions++;
	memcpy(label, in + 13, in[12] < 63 ? in[12] : 63);
	while (end < (size_t)n && in[end] != 0)
		end += 1u + in[end];
	type = in[end + 2];
	end += 5;
	memcpy(out, in, end);
	out[2] = 0x81;
	out[3] = 0x80;
	memset(out + 6, 0, 6);
	if (strcmp(label, "mute") == 0 ||
	    (strcmp(label, "black") == 0 && type == 28))
		return;
	if (strcmp(label, "junk") == 0)
		memset(out + 4, 0xff, end - 4);
	else if (strcmp(label, "fail") == 0)
		out[3] = 0x82;
	else if (strchr("abcmo", label[0]) == NULL)
		out[3] = 0x83;
	else
		end = answer(label, type, out, end);
	sendto(ns.fd, out, end, 0, (struct sockaddr *)&from, len);
}

static int
setup(void **state)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;
	struct dns_settings s = {.servers = ns.servers,
	    .hosts_file = "/nonexistent",
	    .timeout_ms = 100,
	    .tries = 2};
	struct error e;

	net_setup(state);
	ns.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ns.questions = 0;
	assert_int_equal(bind(ns.fd, (struct sockaddr *)&at, sizeof at), 0);
	getsockname(ns.fd, (struct sockaddr *)&at, &n);
	snprintf(
	    ns.servers, sizeof ns.servers, "127.0.0.1:%u", ntohs(at.sin_port));
	loop_io_init(&ns.io, net_loop, ns.fd, question);
	loop_io_want(&ns.io, LOOP_READ);
	dns = dns_new(net_loop, &s, &e);
	if (dns == NULL)
		fail_msg("%s", e.text);
	return 0;
}

static int
teardown(void **state)
{
	dns_free(dns);
	loop_io_want(&ns.io, LOOP_NOTHING);
	close(ns.fd);
	return net_teardown(state);
}

static void
found(void *owner, const struct dns_answer *an, const struct error *e)
{
	struct looked *l = owner;

	assert_false(l->over);
	l->over = 1;
	if (an != NULL)
		l->answer = *an;
	else
		l->error = *e;
}

static void
look_start(struct looked *l, const char *name)
{
	struct error e;

	memset(l, 0, sizeof *l);
	l->query = dns_start(dns, span_of(name), 443, found, l, &e);
	if (l->query == NULL)
		fail_msg("%s", e.text);
	assert_false(l->over);
}

static struct looked
look(const char *name)
{
	struct looked l;

	look_start(&l, name);
	net_run_until(&l.over);
	return l;
}

static void
numbers_and_localhost_need_no_server(void **state)
{
	static const char *const names[] = {
	    "127.0.0.1", "::1", "localhost", "LocalHost", "x.localhost"};
	struct looked l;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		l = look(names[i]);
		assert_true(l.answer.n >= 1);
		assert_true(address_is_loopback(&l.answer.address[0]));
		assert_int_equal(address_port(&l.answer.address[0]), 443);
	}
	assert_int_equal(ns.questions, 0);
}

static void
names_are_asked_for_once_and_remembered(void **state)
{
	struct looked l, three[3];

	(void)state;
	l = look("b.test");
	assert_int_equal(l.answer.n, 2);
	assert_int_equal(ns.questions, 2);
	l = look("B.TEST");
	assert_int_equal(l.answer.n, 2);
	assert_int_equal(ns.questions, 2); /* from the cache */
	for (int i = 0; i < 3; i++)
		look_start(&three[i], "a.test");
	for (int i = 0; i < 3; i++) {
		net_run_until(&three[i].over);
		assert_true(three[i].answer.n == 1);
	}
	assert_int_equal(ns.questions, 4); /* one A, one AAAA for all three */
}

static void
failures_are_said_and_remembered(void **state)
{
	struct looked l = look("xyz.test");

	(void)state;
	assert_int_equal(l.error.code, ERROR_NOT_FOUND);
	assert_non_null(strstr(l.error.text, "xyz.test"));
	assert_int_equal(ns.questions, 2);
	look("xyz.test");
	assert_int_equal(ns.questions, 2);
	l = look("fail.test");
	assert_int_equal(l.answer.n, 0);
	assert_int_equal(l.error.code, ERROR_CONNECT);
	l = look("mute.test");
	assert_int_equal(l.error.code, ERROR_CONNECT);
	l = look("junk.test");
	assert_int_equal(l.answer.n, 0);
	l = look("circle.test");
	assert_int_equal(l.answer.n, 0);
}

static void
silence_about_one_family_does_not_hold_up_the_other(void **state)
{
	struct looked mute, l;

	(void)state;
	look_start(&mute, "mute.test");
	l = look("black.test");
	assert_int_equal(l.answer.n, 1);
	assert_false(mute.over); /* whose time-out is the same */
	net_run_until(&mute.over);
}

static void
a_thousand_addresses_are_a_few(void **state)
{
	struct looked l = look("many.test");

	(void)state;
	assert_int_equal(l.answer.n, DNS_ADDRESSES_MAX);
}

static void
a_cancelled_question_is_never_answered(void **state)
{
	struct looked l[3];

	(void)state;
	look_start(&l[0], "a.test");
	look_start(&l[1], "a.test");
	look_start(&l[2], "127.0.0.1");
	dns_cancel(l[0].query);
	dns_cancel(l[2].query);
	net_run_until(&l[1].over);
	net_run_ms(5);
	assert_false(l[0].over || l[2].over);
}

static void
more_names_than_the_cache_holds(void **state)
{
	char name[32];
	struct looked l;

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "a.n%d.test", i);
		l = look(name);
		assert_int_equal(l.answer.n, 1);
	}
}

static void
the_address_that_worked_comes_first(void **state)
{
	struct looked l = look("many.test");
	struct address last = l.answer.address[l.answer.n - 1];

	(void)state;
	dns_prefer(dns, span_of("many.test"), &last);
	l = look("many.test");
	assert_int_equal(l.answer.n, DNS_ADDRESSES_MAX);
	assert_memory_equal(
	    &l.answer.address[0].u.in, &last.u.in, sizeof last.u.in);
	assert_memory_not_equal(&l.answer.address[DNS_ADDRESSES_MAX - 1].u.in,
	    &last.u.in, sizeof last.u.in);
	dns_prefer(dns, span_of("nobody.test"), &last); /* no matter */
}

static void
names_that_are_none_are_refused(void **state)
{
	static char long_name[300];
	struct error e;
	struct looked l;

	(void)state;
	memset(long_name, 'a', sizeof long_name - 1);
	assert_null(dns_start(dns, span_of(""), 1, found, &l, &e));
	assert_null(dns_start(dns, span_of(long_name), 1, found, &l, &e));
	assert_null(dns_start(dns, (struct span){"a\0b", 3}, 1, found, &l, &e));
}

static void
the_hosts_file_is_read_as_it_changes(void **state)
{
	char path[64];
	struct dns_answer an = {0};
	struct hosts h;

	(void)state;
	net_write_file(path, span_of("# c\n127.0.0.9\tone.test One # x\n"
				     "::9 one.test\nbad line\n"));
	hosts_init(&h, path);
	assert_int_equal(hosts_find(&h, span_of("ONE.test"), &an), 2);
	assert_int_equal(an.n, 2);
	an.n = 0;
	assert_int_equal(hosts_find(&h, span_of("one"), &an), 1);
	assert_int_equal(hosts_find(&h, span_of("two"), &an), 0);
	assert_int_equal(hosts_find(&h, span_of("127.0.0.9"), &an), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(hosts_find(&h, span_of("one"), &an), 0);
	hosts_release(&h);
	unlink(path);
}

/* --- connecting --- */

struct dialled {
	int over, fd;
	struct error error;
	struct address to;
};

static void
dialled(void *owner, int fd, const struct address *a, const struct error *e)
{
	struct dialled *d = owner;

	d->over = 1;
	d->fd = fd;
	if (e != NULL)
		d->error = *e;
	else
		d->to = *a;
}

static void
the_first_address_that_accepts_wins(void **state)
{
	static const struct raw_step script[] = {
	    {RAW_STALL, NULL}, {RAW_END, NULL}};
	struct dialled d = {.fd = -1};
	struct tcp_connect op;
	struct address a[4];
	struct raw_peer p;
	uint16_t port;

	(void)state;
	raw_start(&p, script);
	port = address_port(&p.listener.address);
	/* Refused; refused in the other family; a hole (TEST-NET); good. */
	address_numeric(&a[0], span_of("127.0.0.1"), 1);
	address_numeric(&a[1], span_of("::1"), 1);
	address_numeric(&a[2], span_of("192.0.2.1"), port);
	address_numeric(&a[3], span_of("127.0.0.1"), port);
	tcp_connect_start(&op, net_loop, a, 4, dialled, &d);
	assert_false(d.over);
	net_run_until(&d.over);
	if (d.fd == -1)
		fail_msg("%s", d.error.text);
	assert_int_equal(address_port(&d.to), port);
	close(d.fd);
	/* All refused: each is named. */
	d = (struct dialled){.fd = -1};
	tcp_connect_start(&op, net_loop, a, 2, dialled, &d);
	net_run_until(&d.over);
	assert_int_equal(d.fd, -1);
	assert_int_equal(d.error.code, ERROR_CONNECT);
	assert_non_null(strstr(d.error.text, "127.0.0.1:1"));
	assert_non_null(strstr(d.error.text, "[::1]:1"));
	/* Cancelled: silence. */
	d = (struct dialled){.fd = -1};
	tcp_connect_start(&op, net_loop, a, 4, dialled, &d);
	tcp_connect_cancel(&op);
	net_run_ms(5);
	assert_false(d.over);
	raw_stop(&p);
}

static void
addresses_are_read_and_written(void **state)
{
	static const struct {
		const char *text, *same;
	} pairs[] = {
	    {"127.0.0.1:80", "127.0.0.1:80"},
	    {"localhost:0", "127.0.0.1:0"},
	    {"[::1]:443", "[::1]:443"},
	    {"[0:0::1]:1", "[::1]:1"},
	    {"unix:/tmp/x", "unix:/tmp/x"},
	    {"::1:80", NULL},
	    {"127.0.0.1", NULL},
	    {"127.1:80", NULL},
	    {"127.0.0.1:65536", NULL},
	    {"127.0.0.1:-1", NULL},
	    {"example.com:80", NULL},
	    {"unix:", NULL},
	    {"", NULL},
	};
	char text[ADDRESS_TEXT_MAX];
	struct address a;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		int r = address_parse(&a, span_of(pairs[i].text), &e);

		assert_int_equal(r, pairs[i].same == NULL ? -1 : 0);
		if (r == -1)
			continue;
		address_text(&a, text);
		assert_string_equal(text, pairs[i].same);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(numbers_and_localhost_need_no_server),
	    TEST(names_are_asked_for_once_and_remembered),
	    TEST(failures_are_said_and_remembered),
	    TEST(silence_about_one_family_does_not_hold_up_the_other),
	    TEST(a_thousand_addresses_are_a_few),
	    TEST(a_cancelled_question_is_never_answered),
	    TEST(more_names_than_the_cache_holds),
	    TEST(the_address_that_worked_comes_first),
	    TEST(names_that_are_none_are_refused),
	    TEST(the_hosts_file_is_read_as_it_changes),
	    TEST(the_first_address_that_accepts_wins),
	    TEST(addresses_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
