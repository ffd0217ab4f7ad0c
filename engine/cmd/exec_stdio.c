/*
 * The streams of `skep exec`.
 *
 * A stream is handed to the command as it is unless it is counted, is a
 * terminal (the sandbox could read what is typed for others), leads to more of
 * the host than its bytes (a folder, a file that could be opened for writing),
 * or is one that the sandbox's user could not open again as /dev/stdout.
 *
 * A write to the caller's descriptor happens only when it is ready and is
 * small enough not to block then, so a slow reader never stops the deadline.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/cli.h"
#include "engine/cmd/exec_private.h"

#define PIECE 4096 /* PIPE_BUF: what a ready pipe takes at once */

/*
 * A file opens again as whatever its mode allows, so one that the sandbox's
 * user could write, or change the mode of, is more than we were given.  As
 * root that user is somebody else, otherwise it is us.
 */
static int
is_only_readable(const struct stat *st, const char *path)
{
	if (geteuid() == 0)
		return (st->st_mode & (S_IROTH | S_IWOTH)) == S_IROTH;
	return st->st_uid != geteuid() && access(path, R_OK) == 0 &&
	       access(path, W_OK) == -1;
}

/*
 * May the command have fd itself, and can it open it again?  Pipes without a
 * name are given to the sandbox's user (see local_exec).  One with a name
 * would stay that user's, and below a folder is all of the host.
 */
static int
may_be_given(int fd)
{
	char path[32];
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) == -1)
		return 1; /* there is none: the command gets none */
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	switch (st.st_mode & S_IFMT) {
	case S_IFCHR:
	case S_IFSOCK:
		return 1;
	case S_IFIFO:
		return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC &&
		       (geteuid() == 0 ||
			   access(path, fd == 0 ? R_OK : W_OK) == 0);
	case S_IFREG:
		return fd == 0 && is_only_readable(&st, path);
	default:
		return 0;
	}
}

/* Must the bytes of the caller's descriptor pass through us? */
static int
is_pumped(const struct exec_run *r, int fd)
{
	const int counted = r->order->output_max != UINT64_MAX;

	return r->order->tty || (fd > 0 && counted) || isatty(fd) ||
	       !may_be_given(fd);
}

void
exec_stdio_choose(struct exec_run *r, struct exec_spec *spec)
{
	struct winsize ws;

	for (int i = 0; i < 3; i++) {
		spec->stdio[i] = EXEC_PIPE;
		if ((i == 0 || !r->order->json) && !is_pumped(r, i)) {
			spec->stdio[i] = EXEC_FD;
			spec->fd[i] = i;
		}
	}
	r->in.stream = spec->stdio[0] == EXEC_PIPE ? 0 : -1;
	if (!r->order->tty)
		return;
	spec->tty = 1;
	if (ioctl(0, TIOCGWINSZ, &ws) == 0 || ioctl(1, TIOCGWINSZ, &ws) == 0) {
		spec->rows = ws.ws_row;
		spec->columns = ws.ws_col;
	}
}

/* ------------------------------------------------------------------- input */

/* Pass on what is held; 0 while something still is. */
static int
pass_on(struct exec_pump *p)
{
	struct exec_run *r = p->run;
	ptrdiff_t n;

	n = exec_write(r->x, (struct span){p->held, p->held_n});
	if (n == -1) { /* it does not read any more: neither do we */
		p->held_n = 0;
		p->broken = 1;
		loop_io_want(&p->io, LOOP_NOTHING);
		return 1;
	}
	memmove(p->held, p->held + n, p->held_n - (size_t)n);
	p->held_n -= (size_t)n;
	if (p->held_n > 0)
		loop_io_want(&p->io, LOOP_NOTHING);
	return p->held_n == 0;
}

static void
input_ready(struct loop_io *io, int want)
{
	struct exec_pump *p = container_of(io, struct exec_pump, io);
	ssize_t n;

	(void)want;
	n = os->read(0, p->held, sizeof p->held);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_io_want(&p->io, LOOP_NOTHING);
		exec_close_stdin(p->run->x);
		return;
	}
	p->held_n = (size_t)n;
	pass_on(p);
}

void
exec_stdio_writable(struct exec *x, void *owner)
{
	struct exec_pump *p = &((struct exec_run *)owner)->in;

	(void)x;
	if (p->held_n > 0 && pass_on(p) && !p->broken)
		loop_io_want(&p->io, LOOP_READ);
}

/* ------------------------------------------------------------------ output */

static void
output_ready(struct loop_io *io, int want)
{
	struct exec_pump *p = container_of(io, struct exec_pump, io);

	(void)want;
	loop_io_want(&p->io, LOOP_NOTHING);
	p->waiting = 0;
	exec_resume(p->run->x, p->stream);
}

static int
is_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) == 1;
}

size_t
exec_stdio_output(struct exec *x, int stream, struct span s, void *owner)
{
	struct exec_run *r = owner;
	struct exec_pump *p = &r->out[stream - 1];
	size_t taken = 0;

	while (taken < s.n && !p->broken && !p->waiting) {
		size_t piece = s.n - taken < PIECE ? s.n - taken : PIECE;
		ssize_t n;

		if (!is_ready(stream)) {
			p->waiting = 1;
			break;
		}
		n = os->write(stream, s.p + taken, piece);
		if (n > 0)
			taken += (size_t)n;
		else if (errno == EAGAIN)
			p->waiting = 1;
		else if (errno != EINTR)
			p->broken = 1;
	}
	if (p->waiting)
		loop_io_want(&p->io, LOOP_WRITE);
	if (!p->broken)
		return taken;
	exec_signal(x, SIGPIPE); /* what a pipe of its own would have done */
	return s.n;
}

/* ---------------------------------------------------------------- terminal */

static void
make_raw(struct exec_run *r)
{
	struct termios raw;

	if (tcgetattr(0, &r->was) == -1)
		return;
	raw = r->was;
	cfmakeraw(&raw);
	r->raw = tcsetattr(0, TCSADRAIN, &raw) == 0;
}

void
exec_stdio_resized(struct exec_run *r)
{
	struct winsize ws;

	if (r->x != NULL && r->order->tty && ioctl(0, TIOCGWINSZ, &ws) == 0)
		exec_resize(r->x, ws.ws_row, ws.ws_col);
}

void
exec_stdio_start(struct exec_run *r)
{
	if (r->order->tty && isatty(0))
		make_raw(r);
	for (int i = 0; i < 2; i++) {
		r->out[i].run = r;
		r->out[i].stream = i + 1;
		loop_io_init(&r->out[i].io, r->loop, i + 1, output_ready);
	}
	r->in.run = r;
	if (r->in.stream != 0)
		return;
	loop_io_init(&r->in.io, r->loop, 0, input_ready);
	loop_io_want(&r->in.io, LOOP_READ);
}

void
exec_stdio_stop(struct exec_run *r)
{
	if (r->in.run != NULL) {
		if (r->in.stream == 0)
			loop_io_want(&r->in.io, LOOP_NOTHING);
		loop_io_want(&r->out[0].io, LOOP_NOTHING);
		loop_io_want(&r->out[1].io, LOOP_NOTHING);
	}
	if (r->raw)
		tcsetattr(0, TCSADRAIN, &r->was);
	r->raw = 0;
}
