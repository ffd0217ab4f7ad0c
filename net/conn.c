#include "net/conn.h"

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "net/dns.h"
#include "net/proxy.h"
#include "net/stream.h"
#include "net/tls.h"

#define CONN_MAGIC 0xc0221001u

struct conn_op {
	unsigned magic;
	struct conn_settings set;
	enum net_stage stage;
	struct dns_query *query;
	struct tcp_connect tcp;
	struct proxy_op *tunnel; /* while a proxy makes it */
	struct stream *stream;   /* while shaking hands */
	struct loop_timer deadline;
	conn_done_fn *done;
	void *owner;
};

const char *
net_stage_name(enum net_stage s)
{
	static const char *const name[] = {
	    [NET_QUEUE] = "waiting for a place",
	    [NET_RESOLVE] = "looking up the name",
	    [NET_CONNECT] = "connecting",
	    [NET_TLS] = "in the TLS handshake",
	    [NET_REQUEST] = "sending the request",
	    [NET_HEAD] = "reading the head of the answer",
	    [NET_BODY] = "reading the answer",
	};

	CHECK((unsigned)s < sizeof name / sizeof *name);
	return name[s];
}

enum net_stage
conn_stage(const struct conn_op *op)
{
	return op->stage;
}

static void
op_free(struct conn_op *op)
{
	loop_timer_stop(&op->deadline);
	tcp_connect_cancel(&op->tcp);
	proxy_cancel(op->tunnel);
	stream_close(op->stream);
	op->magic = 0;
	pool_give(op);
}

static void
succeed(struct conn_op *op)
{
	struct stream *s = op->stream;
	conn_done_fn *done = op->done;
	void *owner = op->owner;

	op->stream = NULL;
	op_free(op);
	done(owner, s, NULL);
}

/* The op stays until the callback is over: its stage can still be asked. */
static void
fail(struct conn_op *op, const struct error *e)
{
	conn_done_fn *done = op->done;

	op->done = NULL;
	loop_timer_stop(&op->deadline);
	done(op->owner, NULL, e);
	op_free(op);
}

static void
shook_hands(struct stream *s, void *owner, const struct error *e)
{
	struct conn_op *op = owner;

	CHECK_OBJ(op, CONN_MAGIC);
	CHECK(s == op->stream);
	if (e != NULL)
		fail(op, e);
	else
		succeed(op);
}

/* A way to the server is open: by itself, or through a proxy. */
static void
reached(struct conn_op *op, int fd)
{
	struct error mine;

	if (op->set.tls == NULL) {
		op->stream = stream_new(op->set.loop, fd, &mine);
		if (op->stream == NULL)
			fail(op, &mine);
		else
			succeed(op);
		return;
	}
	op->stage = NET_TLS;
	op->stream = tls_client_stream(
	    op->set.tls, fd, op->set.host, op->set.port, &mine);
	if (op->stream == NULL)
		fail(op, &mine);
	else
		tls_handshake_start(op->stream, shook_hands, op);
}

static void
tunnelled(void *owner, int fd, const struct error *e)
{
	struct conn_op *op = owner;

	CHECK_OBJ(op, CONN_MAGIC);
	op->tunnel = NULL;
	if (e != NULL)
		fail(op, e);
	else
		reached(op, fd);
}

static void
connected(void *owner, int fd, const struct address *a, const struct error *e)
{
	struct conn_op *op = owner;
	struct error mine;

	CHECK_OBJ(op, CONN_MAGIC);
	if (e == NULL && !op->set.is_unix)
		dns_prefer(op->set.dns,
		    op->set.proxy != NULL ? op->set.proxy->host : op->set.host,
		    a);
	if (e != NULL) {
		fail(op, e);
	} else if (op->set.proxy == NULL) {
		reached(op, fd);
	} else {
		op->tunnel = proxy_start(op->set.loop, op->set.proxy, fd,
		    op->set.host, op->set.port, tunnelled, op, &mine);
		if (op->tunnel == NULL)
			fail(op, &mine);
	}
}

static void
resolved(void *owner, const struct dns_answer *answer, const struct error *e)
{
	struct conn_op *op = owner;
	struct error mine;

	CHECK_OBJ(op, CONN_MAGIC);
	op->query = NULL;
	if (e != NULL) {
		fail(op, e);
		return;
	}
	for (unsigned i = 0; op->set.only_loopback && i < answer->n; i++) {
		if (address_is_loopback(&answer->address[i]))
			continue;
		error_set(&mine, ERROR_CONNECT, 0,
		    "%.*s is not this machine, and without TLS nothing else "
		    "may be spoken to",
		    (int)op->set.host.n, op->set.host.p);
		fail(op, &mine);
		return;
	}
	op->stage = NET_CONNECT;
	tcp_connect_start(
	    &op->tcp, op->set.loop, answer->address, answer->n, connected, op);
}

static void
too_late(struct loop_timer *t)
{
	struct conn_op *op = container_of(t, struct conn_op, deadline);
	struct error e;

	CHECK_OBJ(op, CONN_MAGIC);
	error_set(&e, ERROR_TIMEOUT, 0, "no connection after %u ms, %s",
	    (unsigned)op->set.timeout_ms, net_stage_name(op->stage));
	dns_cancel(op->query);
	op->query = NULL;
	fail(op, &e);
}

struct conn_op *
conn_start(const struct conn_settings *settings, conn_done_fn *done,
    void *owner, struct error *e)
{
	struct conn_op *op = pool_take(sizeof *op, NULL);
	struct address a;

	if (op == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for a connection");
		return NULL;
	}
	memset(op, 0, sizeof *op);
	op->magic = CONN_MAGIC;
	op->set = *settings;
	op->done = done;
	op->owner = owner;
	loop_timer_init(&op->deadline, settings->loop, too_late);
	if (settings->is_unix) {
		op->stage = NET_CONNECT;
		if (address_unix(&a, settings->host, e) == -1)
			goto failed;
		tcp_connect_start(
		    &op->tcp, settings->loop, &a, 1, connected, op);
	} else {
		op->stage = NET_RESOLVE;
		op->query = dns_start(settings->dns,
		    settings->proxy != NULL ? settings->proxy->host
					    : settings->host,
		    settings->proxy != NULL ? settings->proxy->port
					    : settings->port,
		    resolved, op, e);
		if (op->query == NULL)
			goto failed;
	}
	if (settings->timeout_ms > 0)
		loop_timer_start(&op->deadline, settings->timeout_ms);
	return op;
failed:
	op_free(op);
	return NULL;
}

void
conn_cancel(struct conn_op *op)
{
	if (op == NULL || op->done == NULL)
		return; /* its own callback is running */
	CHECK_OBJ(op, CONN_MAGIC);
	dns_cancel(op->query);
	op_free(op);
}
