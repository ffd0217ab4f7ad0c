#include "net/tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"

#define CONNECT_MAGIC 0x7c9c0321u
#define REST_MS 100 /* how long a listener rests when files have run out */
#define ACCEPTS_PER_TURN 16

static void start_next(struct tcp_connect *op);

/* --- connecting --- */

static void
close_attempt(struct tcp_attempt *at)
{
	if (at->fd == -1)
		return;
	loop_io_want(&at->io, LOOP_NOTHING);
	os->close(at->fd);
	at->fd = -1;
}

static void
stop_all(struct tcp_connect *op)
{
	loop_timer_stop(&op->stagger);
	loop_undefer(&op->first);
	for (unsigned i = 0; i < op->started; i++)
		close_attempt(&op->attempt[i]);
	op->magic = 0;
}

static void
note_failure(struct tcp_connect *op, unsigned i, int os_errno)
{
	char where[ADDRESS_TEXT_MAX];
	struct error all;

	address_text(&op->address[i], where);
	if (op->error.code == ERROR_NONE) {
		error_set(&op->error, ERROR_CONNECT, os_errno, "%s", where);
		return;
	}
	error_set(
	    &all, ERROR_CONNECT, os_errno, "%.200s; %s", op->error.text, where);
	op->error = all;
}

static void
give_up(struct tcp_connect *op)
{
	tcp_connected_fn *done = op->done;
	void *owner = op->owner;
	struct error e = op->error;

	stop_all(op);
	done(owner, -1, NULL, &e);
}

static void
succeed(struct tcp_attempt *at)
{
	struct tcp_connect *op = at->op;
	struct address address = op->address[at - op->attempt];
	tcp_connected_fn *done = op->done;
	void *owner = op->owner;
	int fd = at->fd;

	loop_io_want(&at->io, LOOP_NOTHING);
	at->fd = -1;
	stop_all(op);
	done(owner, fd, &address, NULL);
}

/* One attempt is over, badly: the next one need not wait for its turn. */
static void
failed(struct tcp_connect *op, unsigned i, int os_errno)
{
	note_failure(op, i, os_errno);
	if (op->started < op->n)
		start_next(op);
	else if (op->in_flight == 0)
		give_up(op);
}

static void
attempt_ready(struct loop_io *io, int want)
{
	struct tcp_attempt *at = container_of(io, struct tcp_attempt, io);
	struct tcp_connect *op = at->op;
	int so_error = 0;
	socklen_t n = sizeof so_error;

	(void)want;
	CHECK_OBJ(op, CONNECT_MAGIC);
	if (getsockopt(at->fd, SOL_SOCKET, SO_ERROR, &so_error, &n) == -1)
		so_error = errno;
	if (so_error == 0) {
		succeed(at);
		return;
	}
	close_attempt(at);
	op->in_flight--;
	failed(op, (unsigned)(at - op->attempt), so_error);
}

static int
open_socket(const struct address *a)
{
	int fd, one = 1;

	fd = os->socket(
	    a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd != -1 && a->u.sa.sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

/* Start attempts until one is in flight; each failure is noted. */
static void
start_next(struct tcp_connect *op)
{
	while (op->started < op->n) {
		unsigned i = op->started++;
		struct tcp_attempt *at = &op->attempt[i];
		const struct address *a = &op->address[i];

		at->op = op;
		at->fd = open_socket(a);
		if (at->fd == -1) {
			note_failure(op, i, errno);
			continue;
		}
		loop_io_init(&at->io, op->loop, at->fd, attempt_ready);
		if (os->connect(at->fd, &a->u.sa, a->n) == 0 ||
		    errno == EINPROGRESS) {
			op->in_flight++;
			loop_io_want(&at->io, LOOP_WRITE);
			if (op->started < op->n)
				loop_timer_start(&op->stagger, TCP_STAGGER_MS);
			return;
		}
		note_failure(op, i, errno);
		close_attempt(at);
	}
	if (op->in_flight == 0)
		give_up(op);
}

static void
first_turn(struct loop_deferred *d)
{
	start_next(container_of(d, struct tcp_connect, first));
}

static void
stagger_over(struct loop_timer *t)
{
	start_next(container_of(t, struct tcp_connect, stagger));
}

/* Alternate the families, beginning with that of the first address. */
static void
interleave(struct tcp_connect *op, const struct address *from, unsigned n)
{
	sa_family_t family = from[0].u.sa.sa_family;
	unsigned same = 0, other = 0;

	while (op->n < n && op->n < TCP_ATTEMPTS_MAX) {
		while (same < n && from[same].u.sa.sa_family != family)
			same++;
		if (same < n)
			op->address[op->n++] = from[same++];
		while (other < n && from[other].u.sa.sa_family == family)
			other++;
		if (other < n && op->n < TCP_ATTEMPTS_MAX)
			op->address[op->n++] = from[other++];
	}
}

void
tcp_connect_start(struct tcp_connect *op, struct loop *l,
    const struct address *addresses, unsigned n, tcp_connected_fn *done,
    void *owner)
{
	CHECK(n > 0);
	memset(op, 0, sizeof *op);
	op->magic = CONNECT_MAGIC;
	op->loop = l;
	op->done = done;
	op->owner = owner;
	interleave(op, addresses, n);
	loop_timer_init(&op->stagger, l, stagger_over);
	loop_deferred_init(&op->first, l, first_turn);
	loop_defer(&op->first);
}

void
tcp_connect_cancel(struct tcp_connect *op)
{
	if (op->magic == CONNECT_MAGIC)
		stop_all(op);
}

/* --- listening --- */

/* 0 when there is nobody to accept now. */
static int
accept_one(struct tcp_listener *l)
{
	int fd, one = 1;

	if (l->connections >= l->connections_max) {
		loop_io_want(&l->io, LOOP_NOTHING);
		return 0;
	}
	fd = os->accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			loop_io_want(&l->io, LOOP_NOTHING);
			loop_timer_start(&l->rest, REST_MS);
		}
		return 0;
	}
	if (l->address.u.sa.sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	l->accepted(l, fd);
	return l->fd != -1;
}

static void
listener_ready(struct loop_io *io, int want)
{
	struct tcp_listener *l = container_of(io, struct tcp_listener, io);

	(void)want;
	for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(l); i++)
		;
}

static void
rested(struct loop_timer *t)
{
	struct tcp_listener *l = container_of(t, struct tcp_listener, rest);

	loop_io_want(&l->io, LOOP_READ);
}

static void
remove_stale_socket(const struct address *at)
{
	struct stat st;

	if (at->u.sa.sa_family == AF_UNIX &&
	    lstat(at->u.un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(at->u.un.sun_path);
}

int
tcp_listen(struct tcp_listener *l, struct loop *loop, const struct address *at,
    unsigned connections_max, void (*accepted)(struct tcp_listener *l, int fd),
    struct error *e)
{
	char where[ADDRESS_TEXT_MAX];
	int fd, one = 1, saved;

	memset(l, 0, sizeof *l);
	address_text(at, where);
	fd = os->socket(
	    at->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return error_set(
		    e, ERROR_SYSTEM, errno, "a socket for %s", where);
	remove_stale_socket(at);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	l->address = *at;
	if (bind(fd, &at->u.sa, at->n) == -1 || listen(fd, 1024) == -1 ||
	    getsockname(fd, &l->address.u.sa, &l->address.n) == -1) {
		saved = errno;
		os->close(fd);
		return error_set(
		    e, ERROR_SYSTEM, saved, "listening on %s", where);
	}
	if (at->u.sa.sa_family == AF_UNIX)
		l->address = *at;
	l->fd = fd;
	l->connections_max = connections_max;
	l->accepted = accepted;
	loop_timer_init(&l->rest, loop, rested);
	loop_io_init(&l->io, loop, fd, listener_ready);
	loop_io_want(&l->io, LOOP_READ);
	return 0;
}

void
tcp_listener_resume(struct tcp_listener *l)
{
	if (l->fd != -1 && l->connections < l->connections_max &&
	    !loop_timer_is_active(&l->rest))
		loop_io_want(&l->io, LOOP_READ);
}

void
tcp_listener_close(struct tcp_listener *l)
{
	if (l->fd == -1 || l->accepted == NULL)
		return;
	loop_io_want(&l->io, LOOP_NOTHING);
	loop_timer_stop(&l->rest);
	os->close(l->fd);
	l->fd = -1;
	remove_stale_socket(&l->address);
}
