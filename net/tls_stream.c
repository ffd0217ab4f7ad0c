/* TLS as a stream: the handshake, then records. */

#include <errno.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "net/tls_name.h"
#include "net/tls_private.h"

static void handshake_ready(struct stream *s, int want);

static const struct stream_ops tls_ops;

struct tls_stream *
tls_stream_of(const struct stream *s)
{
	struct tls_stream *t;

	CHECK(s->ops == &tls_ops);
	t = container_of(s, struct tls_stream, base);
	CHECK_OBJ(t, TLS_STREAM_MAGIC);
	return t;
}

/* --- the socket below --- */

static int
socket_send(void *arg, const unsigned char *p, size_t n)
{
	struct tls_stream *t = arg;
	struct iovec iov = {(void *)p, n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t r;

	do {
		r = os->sendmsg(t->base.fd, &m, MSG_NOSIGNAL);
	} while (r == -1 && errno == EINTR);
	if (r >= 0)
		return (int)r;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	t->os_errno = errno;
	return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int
socket_receive(void *arg, unsigned char *p, size_t n)
{
	struct tls_stream *t = arg;
	ssize_t r;

	do {
		r = os->read(t->base.fd, p, n);
	} while (r == -1 && errno == EINTR);
	if (r >= 0)
		return (int)r;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return MBEDTLS_ERR_SSL_WANT_READ;
	t->os_errno = errno;
	return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* --- records --- */

static enum io
io_failed(struct tls_stream *t, int ret, const char *what)
{
	struct error *e = &t->base.error;

	t->broken = 1;
	if (t->os_errno != 0)
		error_set(e, ERROR_CLOSED, t->os_errno, "%s the peer", what);
	else if (ret == 0 || ret == MBEDTLS_ERR_SSL_CONN_EOF)
		error_set(e, ERROR_CLOSED, 0,
		    "the peer closed the connection without saying so in TLS");
	else
		tls_error(e, ERROR_TLS, ret, what);
	return IO_FAILED;
}

static int
means_wait(struct tls_stream *t, int ret, int wanted)
{
	int other = LOOP_NOTHING;

	if (ret == MBEDTLS_ERR_SSL_WANT_READ)
		other = LOOP_READ;
	else if (ret == MBEDTLS_ERR_SSL_WANT_WRITE)
		other = LOOP_WRITE;
	else
		return 0;
	t->extra_want = other == wanted ? LOOP_NOTHING : other;
	return 1;
}

/* TLS 1.3 gives tickets when it likes, and reading or writing meets them. */
static int
is_ticket(struct tls_stream *t, int ret)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	if (ret == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
		if (t->client != NULL)
			tls_ticket_keep(t);
		return 1;
	}
#else
	(void)t;
	(void)ret;
#endif
	return 0;
}

static enum io
read_record(struct stream *s, void *p, size_t n, size_t *got)
{
	struct tls_stream *t = tls_stream_of(s);
	int ret;

	CHECK(t->done == NULL);
	do
		ret = mbedtls_ssl_read(&t->ssl, p, n);
	while (is_ticket(t, ret));
	if (ret > 0) {
		*got = (size_t)ret;
		t->extra_want = LOOP_NOTHING;
		return IO_DONE;
	}
	if (means_wait(t, ret, LOOP_READ))
		return IO_WAIT;
	if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return IO_END;
	return io_failed(t, ret, "reading from");
}

/*
 * After "wait" the record is already encrypted: mbedTLS must be given the
 * same length again, however much more the owner has by now.
 */
static enum io
write_record(struct stream *s, struct span bytes, size_t *wrote)
{
	struct tls_stream *t = tls_stream_of(s);
	size_t n = t->write_n > 0 ? t->write_n : bytes.n;
	int ret;

	CHECK(t->done == NULL);
	CHECK(n <= bytes.n);
	do
		ret = mbedtls_ssl_write(
		    &t->ssl, (const unsigned char *)bytes.p, n);
	while (is_ticket(t, ret));
	if (ret > 0) {
		t->write_n = 0;
		t->extra_want = LOOP_NOTHING;
		*wrote = (size_t)ret;
		return IO_DONE;
	}
	if (means_wait(t, ret, LOOP_WRITE)) {
		t->write_n = n;
		return IO_WAIT;
	}
	return io_failed(t, ret, "writing to");
}

static int
has_pending(struct stream *s)
{
	struct tls_stream *t = tls_stream_of(s);

	return t->done == NULL && (mbedtls_ssl_get_bytes_avail(&t->ssl) > 0 ||
				      mbedtls_ssl_check_pending(&t->ssl));
}

static int
descriptor_want(struct stream *s, int want)
{
	return want | tls_stream_of(s)->extra_want;
}

static void
finish(struct stream *s)
{
	struct tls_stream *t = tls_stream_of(s);

	if (!t->broken && t->done == NULL && t->write_n == 0)
		mbedtls_ssl_close_notify(&t->ssl);
}

static void
release(struct stream *s)
{
	struct tls_stream *t = tls_stream_of(s);

	if (list_is_linked(&t->node))
		list_remove(&t->tls->held, &t->node);
	mbedtls_ssl_free(&t->ssl);
	t->magic = 0;
	pool_give(t);
}

static const struct stream_ops tls_ops = {
    .read = read_record,
    .write = write_record,
    .has_pending = has_pending,
    .descriptor_want = descriptor_want,
    .finish = finish,
    .release = release,
};

/* --- the handshake --- */

static void
explain_failure(struct tls_stream *t, int ret, struct error *e)
{
	char why[200];

	if (t->os_errno != 0) {
		error_set(e, ERROR_CLOSED, t->os_errno, "during the handshake");
	} else if (ret == MBEDTLS_ERR_SSL_CONN_EOF) {
		error_set(
		    e, ERROR_CLOSED, 0, "the peer closed during the handshake");
	} else if (ret == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
		tls_verify_explain(t, why, sizeof why);
		error_set(
		    e, ERROR_TLS, 0, "the certificate is refused: %s", why);
	} else if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
		error_set(e, ERROR_TLS, 0,
		    "the peer refused the handshake (alert %d)",
		    t->ssl.MBEDTLS_PRIVATE(in_msg)[1]);
	} else {
		tls_error(e, ERROR_TLS, ret, "the handshake failed");
	}
}

static void
handshake_end(struct tls_stream *t, const struct error *e)
{
	tls_ready_fn *done = t->done;

	t->done = NULL;
	stream_own(&t->base, NULL, NULL);
	if (e != NULL) {
		t->broken = 1;
		t->tls->counts.failed++;
	} else if (t->was_full) {
		t->tls->counts.full++;
	} else {
		t->tls->counts.resumed++;
	}
	if (t->client != NULL && e == NULL && t->was_full &&
	    strcmp(mbedtls_ssl_get_version(&t->ssl), "TLSv1.3") != 0)
		tls_ticket_keep(t); /* 1.3 sends it later: read_record() */
	done(&t->base, t->done_owner, e);
}

/* True when this handshake has to wait for another turn of the loop. */
static int
is_held(struct tls_stream *t)
{
	if (t->ssl.MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_SERVER_CERTIFICATE)
		return 0;
	t->was_full = 1;
	if (t->may_be_full)
		return 0;
	if (t->tls->full_left > 0 && t->tls->held.length == 0) {
		t->tls->full_left--;
		t->may_be_full = 1;
		return 0;
	}
	loop_io_want(&t->base.io, LOOP_NOTHING);
	t->base.want = LOOP_NOTHING;
	list_append(&t->tls->held, &t->node);
	loop_turn_again(&t->tls->turn, 1);
	return 1;
}

static void
handshake_ready(struct stream *s, int want)
{
	struct tls_stream *t = tls_stream_of(s);
	struct tls_ticket *ticket;
	struct error e;
	int ret;

	(void)want;
	loop_undefer(&s->again);
	while (t->ssl.MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_HANDSHAKE_OVER) {
		if (is_held(t))
			return;
		ret = mbedtls_ssl_handshake_step(&t->ssl);
		if (ret == MBEDTLS_ERR_SSL_WANT_READ ||
		    ret == MBEDTLS_ERR_SSL_WANT_WRITE) {
			s->want = ret == MBEDTLS_ERR_SSL_WANT_READ ? LOOP_READ
								   : LOOP_WRITE;
			loop_io_want(&s->io, s->want);
			return;
		}
		if (ret != 0) {
			explain_failure(t, ret, &e);
			/* The one failure that mbedTLS keeps to itself. */
			if (ret == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
				mbedtls_ssl_send_alert_message(&t->ssl,
				    MBEDTLS_SSL_ALERT_LEVEL_FATAL,
				    MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
			if (t->offered && (ticket = tls_ticket_find(t)) != NULL)
				tls_ticket_drop(t->client, ticket);
			handshake_end(t, &e);
			return;
		}
	}
	handshake_end(t, NULL);
}

void
tls_handshake_start(struct stream *s, tls_ready_fn *done, void *owner)
{
	struct tls_stream *t = tls_stream_of(s);
	struct tls_ticket *ticket;

	CHECK(t->done == NULL);
	t->done = done;
	t->done_owner = owner;
	stream_own(s, handshake_ready, NULL);
	if (t->client != NULL && (ticket = tls_ticket_find(t)) != NULL) {
		t->offered =
		    mbedtls_ssl_set_session(&t->ssl, &ticket->saved) == 0;
	}
	s->want = LOOP_READ;
	loop_defer(&s->again);
}

/* --- making streams --- */

static struct tls_stream *
make(struct tls *tls, mbedtls_ssl_config *config, int fd, struct error *e)
{
	struct tls_stream *t = pool_take(sizeof *t, NULL);
	int ret;

	if (t == NULL) {
		os->close(fd);
		error_set(e, ERROR_FULL, 0, "no memory for a connection");
		return NULL;
	}
	memset(t, 0, sizeof *t);
	t->magic = TLS_STREAM_MAGIC;
	t->tls = tls;
	mbedtls_ssl_init(&t->ssl);
	stream_init(&t->base, &tls_ops, tls->loop, fd);
	ret = mbedtls_ssl_setup(&t->ssl, config);
	if (ret != 0) {
		tls_error(e, ERROR_FULL, ret, "no memory for a connection");
		stream_close(&t->base);
		return NULL;
	}
	mbedtls_ssl_set_bio(&t->ssl, t, socket_send, socket_receive, NULL);
	return t;
}

struct stream *
tls_client_stream(struct tls_client *c, int fd, struct span host, uint16_t port,
    struct error *e)
{
	struct tls_stream *t = make(c->tls, &c->config, fd, e);
	int ret;

	if (t == NULL)
		return NULL;
	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	if (host.n == 0 || host.n > DNS_NAME_MAX ||
	    memchr(host.p, '\0', host.n) != NULL) {
		error_set(e, ERROR_TLS, 0, "TLS needs the name of the host");
		stream_close(&t->base);
		return NULL;
	}
	t->client = c;
	t->port = port;
	memcpy(t->host, host.p, host.n);
	mbedtls_ssl_set_verify(&t->ssl, tls_verify, t);
	/*
	 * An address is no server name (RFC 6066); tls_verify() compares it.
	 * 3.6 wants to be told that the omission is meant.
	 */
	ret = mbedtls_ssl_set_hostname(
	    &t->ssl, tls_name_is_numeric(host) ? NULL : t->host);
	if (ret != 0) {
		tls_error(e, ERROR_FULL, ret, "no memory for a connection");
		stream_close(&t->base);
		return NULL;
	}
	return &t->base;
}

struct stream *
tls_server_stream(struct tls_server *s, int fd, struct error *e)
{
	struct tls_stream *t = make(s->tls, &s->config, fd, e);

	return t == NULL ? NULL : &t->base;
}

const char *
tls_alpn(const struct stream *s)
{
	const char *name;

	name = mbedtls_ssl_get_alpn_protocol(&tls_stream_of(s)->ssl);
	return name == NULL ? "" : name;
}

int
tls_was_resumed(const struct stream *s)
{
	return !tls_stream_of(s)->was_full;
}
