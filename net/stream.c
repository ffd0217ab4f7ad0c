#include "net/stream.h"

#include <errno.h>
#include <sys/socket.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"

#define STREAM_MAGIC 0x57e4a301u

static void descriptor_ready(struct loop_io *io, int want);
static void come_back(struct loop_deferred *d);

/* --- a plain socket --- */

static enum io
plain_read(struct stream *s, void *p, size_t n, size_t *got)
{
	ssize_t r;

	do {
		r = os->read(s->fd, p, n);
	} while (r == -1 && errno == EINTR);
	if (r > 0) {
		*got = (size_t)r;
		return IO_DONE;
	}
	if (r == 0)
		return IO_END;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return IO_WAIT;
	error_set(&s->error, ERROR_CLOSED, errno, "reading from the peer");
	return IO_FAILED;
}

static enum io
plain_write(struct stream *s, struct span bytes, size_t *wrote)
{
	struct iovec iov = {(void *)bytes.p, bytes.n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t r;

	do {
		r = os->sendmsg(s->fd, &m, MSG_NOSIGNAL);
	} while (r == -1 && errno == EINTR);
	if (r > 0) {
		*wrote = (size_t)r;
		return IO_DONE;
	}
	if (r == 0 || errno == EAGAIN || errno == EWOULDBLOCK)
		return IO_WAIT;
	error_set(&s->error, ERROR_CLOSED, errno, "writing to the peer");
	return IO_FAILED;
}

static int
plain_has_pending(struct stream *s)
{
	(void)s;
	return 0;
}

static int
plain_descriptor_want(struct stream *s, int want)
{
	(void)s;
	return want;
}

static void
plain_finish(struct stream *s)
{
	shutdown(s->fd, SHUT_WR);
}

static void
plain_release(struct stream *s)
{
	pool_give(s);
}

static const struct stream_ops plain_ops = {
    .read = plain_read,
    .write = plain_write,
    .has_pending = plain_has_pending,
    .descriptor_want = plain_descriptor_want,
    .finish = plain_finish,
    .release = plain_release,
};

struct stream *
stream_new(struct loop *l, int fd, struct error *e)
{
	struct stream *s = pool_take(sizeof *s, NULL);

	if (s == NULL) {
		os->close(fd);
		error_set(e, ERROR_FULL, 0, "no memory for a connection");
		return NULL;
	}
	memset(s, 0, sizeof *s);
	stream_init(s, &plain_ops, l, fd);
	return s;
}

/* --- any stream --- */

void
stream_init(
    struct stream *s, const struct stream_ops *ops, struct loop *l, int fd)
{
	s->magic = STREAM_MAGIC;
	s->ops = ops;
	s->loop = l;
	s->fd = fd;
	loop_io_init(&s->io, l, fd, descriptor_ready);
	loop_deferred_init(&s->again, l, come_back);
}

void
stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	CHECK_OBJ(s, STREAM_MAGIC);
	loop_io_want(&s->io, LOOP_NOTHING);
	loop_undefer(&s->again);
	os->close(s->fd);
	s->fd = -1;
	s->magic = 0;
	s->ops->release(s);
}

int
stream_detach(struct stream *s)
{
	int fd = s->fd;

	CHECK_OBJ(s, STREAM_MAGIC);
	CHECK(s->ops == &plain_ops);
	loop_io_want(&s->io, LOOP_NOTHING);
	loop_undefer(&s->again);
	s->magic = 0;
	s->ops->release(s);
	return fd;
}

void
stream_reset_on_close(struct stream *s)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void
stream_own(
    struct stream *s, void (*ready)(struct stream *s, int want), void *owner)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	s->ready = ready;
	s->owner = owner;
	stream_want(s, LOOP_NOTHING);
}

void
stream_want(struct stream *s, int want)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	s->want = want;
	if (want == LOOP_NOTHING) {
		loop_io_want(&s->io, LOOP_NOTHING);
		loop_undefer(&s->again);
		return;
	}
	loop_io_want(&s->io, s->ops->descriptor_want(s, want));
	if ((want & LOOP_READ) && s->ops->has_pending(s))
		loop_defer(&s->again);
	else
		loop_undefer(&s->again);
}

static void
descriptor_ready(struct loop_io *io, int want)
{
	struct stream *s = container_of(io, struct stream, io);

	CHECK_OBJ(s, STREAM_MAGIC);
	(void)want;
	/*
	 * TLS may read in order to write: any readiness of the descriptor is
	 * a reason to try what the owner wants.
	 */
	if (s->ops->descriptor_want(s, s->want) == s->want)
		s->ready(s, want & s->want);
	else
		s->ready(s, s->want);
}

static void
come_back(struct loop_deferred *d)
{
	struct stream *s = container_of(d, struct stream, again);

	CHECK_OBJ(s, STREAM_MAGIC);
	if (s->want & LOOP_READ)
		s->ready(s, LOOP_READ);
}

enum io
stream_read(struct stream *s, void *p, size_t n, size_t *got)
{
	enum io r;

	CHECK_OBJ(s, STREAM_MAGIC);
	CHECK(n > 0);
	*got = 0;
	r = s->ops->read(s, p, n, got);
	s->bytes_in += *got;
	if (s->want != LOOP_NOTHING)
		stream_want(s, s->want); /* what is pending has changed */
	return r;
}

enum io
stream_write(struct stream *s, struct span bytes, size_t *wrote)
{
	enum io r;

	CHECK_OBJ(s, STREAM_MAGIC);
	CHECK(bytes.n > 0);
	*wrote = 0;
	r = s->ops->write(s, bytes, wrote);
	s->bytes_out += *wrote;
	return r;
}

void
stream_finish(struct stream *s)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	s->ops->finish(s);
}
