#include "sandbox/exec.h"

#include <errno.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "sandbox/backend.h"

/* How much of s may still come out; the rest ends the command. */
static size_t
within_output_max(struct exec *x, size_t n)
{
	uint64_t before = x->report.bytes[0] + x->report.bytes[1];

	if (x->output_max == 0 || before + n <= x->output_max)
		return n;
	return before >= x->output_max ? 0 : (size_t)(x->output_max - before);
}

static int
offer(struct exec_stream *s, struct span bytes)
{
	struct exec *x = s->x;
	size_t taken;

	if (bytes.n == 0)
		return 1;
	if (x->ops->output == NULL) {
		keep_add(&s->keep, bytes);
		if (x->ops->more == NULL)
			return 1;
		exec_enter(x);
		x->ops->more(x, s->number, x->owner);
		return exec_leave(x);
	}
	exec_enter(x);
	taken = x->ops->output(x, s->number, bytes, x->owner);
	CHECK(taken <= bytes.n);
	if (!x->doomed && taken < bytes.n) {
		bytes = span_slice(bytes, taken, bytes.n);
		if (buf_write(&s->pending, bytes) < bytes.n)
			x->report.truncated = 1; /* the pool is exhausted */
		loop_io_want(&s->io, LOOP_NOTHING);
	}
	return exec_leave(x);
}

/* Bytes came out of the command; false when the owner gave it up. */
static int
came(struct exec_stream *s, struct span bytes)
{
	struct exec *x = s->x;
	size_t n = within_output_max(x, bytes.n);
	int over = n < bytes.n;

	x->report.bytes[s->number - 1] += bytes.n;
	if (!offer(s, span_slice(bytes, 0, n)))
		return 0;
	if (over) {
		x->report.truncated = 1;
		x->report.limits |= 1u << VERDICT_OUTPUT;
		if (x->state < EXEC_KILLING)
			exec_end_for(x, VERDICT_OUTPUT);
	}
	return 1;
}

void
exec_feed(struct exec *x, int stream, struct span s)
{
	CHECK_OBJ(x, EXEC_MAGIC);
	came(&x->stream[stream - 1], s);
}

static void
close_stream(struct exec_stream *s)
{
	loop_io_want(&s->io, LOOP_NOTHING);
	exec_close_fd(&s->fd);
}

/*
 * Read once.  1: there may be more; 0: there is none now, or it is closed;
 * -1: the owner gave the command up.
 */
static int
read_stream(struct exec_stream *s, size_t max)
{
	char *scratch = s->x->host->streamed;
	ssize_t n = os->read(s->fd, scratch, max);

	if (n == -1 && errno == EINTR)
		return 1;
	if (n == -1 && errno == EAGAIN)
		return 0;
	if (n <= 0) { /* a pty whose last user is gone says EIO */
		close_stream(s);
		return 0;
	}
	if (!came(s, (struct span){scratch, (size_t)n}))
		return -1;
	return s->fd != -1 && s->pending.n == 0;
}

void
exec_stream_ready(struct loop_io *io, int want)
{
	struct exec_stream *s = container_of(io, struct exec_stream, io);
	struct exec *x = s->x;

	(void)want;
	CHECK_OBJ(x, EXEC_MAGIC);
	read_stream(s, EXEC_READ_MAX);
}

/*
 * The command has ended: take what is in the pipe at this moment, and stop
 * where the owner stops.  False when the owner gave it up.
 */
int
exec_drain(struct exec_stream *s)
{
	int more = 1;

	while (s->fd != -1 && s->left > 0 && s->pending.n == 0 && more == 1) {
		uint64_t before = s->x->report.bytes[s->number - 1];
		size_t max =
		    s->left < EXEC_READ_MAX ? (size_t)s->left : EXEC_READ_MAX;

		more = read_stream(s, max);
		if (more == -1)
			return 0;
		s->left -= s->x->report.bytes[s->number - 1] - before;
	}
	if (s->left == 0 || more == 0)
		close_stream(s);
	return 1;
}

void
exec_resume(struct exec *x, int stream)
{
	struct exec_stream *s = &x->stream[stream - 1];

	CHECK_OBJ(x, EXEC_MAGIC);
	while (s->pending.n > 0) {
		struct span front = buf_front(&s->pending);
		size_t taken;

		exec_enter(x);
		taken = x->ops->output(x, s->number, front, x->owner);
		if (!exec_leave(x))
			return;
		buf_drop(&s->pending, taken);
		if (taken < front.n)
			return;
	}
	if (x->state < EXEC_DRAINING && s->fd != -1)
		loop_io_want(&s->io, LOOP_READ);
	if (x->state == EXEC_DRAINING) {
		if (exec_drain(s))
			exec_finish_if_drained(x);
	}
}

/* ------------------------------------------------------------------- stdin */

void
exec_stdin_ready(struct loop_io *io, int want)
{
	struct exec *x = container_of(io, struct exec, stdin_io);
	int was_full = buf_room(&x->stdin_buf) == 0;
	ptrdiff_t n = 0;

	(void)want;
	CHECK_OBJ(x, EXEC_MAGIC);
	if (x->stdin_buf.n > 0)
		n = buf_write_fd(&x->stdin_buf, x->stdin_fd);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1 || (x->stdin_buf.n == 0 && x->stdin_closing && !x->tty)) {
		loop_io_want(&x->stdin_io, LOOP_NOTHING);
		exec_close_fd(&x->stdin_fd);
		was_full = n == -1;
	} else if (x->stdin_buf.n == 0)
		loop_io_want(&x->stdin_io, LOOP_NOTHING);
	if (was_full && x->ops->writable != NULL) {
		exec_enter(x);
		x->ops->writable(x, x->owner);
		exec_leave(x);
	}
}

ptrdiff_t
exec_write(struct exec *x, struct span s)
{
	size_t n;

	CHECK_OBJ(x, EXEC_MAGIC);
	if (x->stdin_closing || x->state >= EXEC_DRAINING ||
	    (x->stdin_fd == -1 && !x->tty))
		return -1;
	n = buf_write(&x->stdin_buf, s);
	if (n > 0 && x->stdin_fd != -1)
		loop_io_want(&x->stdin_io, LOOP_WRITE);
	return (ptrdiff_t)n;
}

void
exec_close_stdin(struct exec *x)
{
	CHECK_OBJ(x, EXEC_MAGIC);
	if (x->stdin_closing || x->state >= EXEC_DRAINING)
		return;
	if (x->tty)
		exec_write(x, span_of("\004"));
	x->stdin_closing = 1;
	if (x->stdin_fd != -1)
		loop_io_want(&x->stdin_io, LOOP_WRITE);
}
