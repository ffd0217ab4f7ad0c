#include "sandbox/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "sandbox/backend.h"

static const char *const verdict_names[] = {
#define VERDICT(NAME, name, doc) #name,
#include "sandbox/verdicts.def"
};

const char *
verdict_name(enum verdict v)
{
	CHECK((unsigned)v < VERDICTS);
	return verdict_names[v];
}

void
exec_close_fd(int *fd)
{
	if (*fd != -1)
		os->close(*fd);
	*fd = -1;
}

static void
release(struct exec *x)
{
	for (int i = 0; i < 2; i++) {
		struct exec_stream *s = &x->stream[i];

		loop_io_want(&s->io, LOOP_NOTHING);
		exec_close_fd(&s->fd);
		buf_release(&s->pending);
		keep_release(&s->keep);
	}
	loop_io_want(&x->stdin_io, LOOP_NOTHING);
	exec_close_fd(&x->stdin_fd);
	exec_close_fd(&x->channel);
	exec_close_fd(&x->channel_end);
	buf_release(&x->stdin_buf);
	loop_timer_stop(&x->timer);
	if (list_is_linked(&x->link))
		list_remove(&x->sb->execs, &x->link);
	x->magic = 0;
	slab_give(&x->host->exec_slab, x);
}

/* Callbacks into the owner stand between exec_enter() and exec_leave(). */
void
exec_enter(struct exec *x)
{
	x->busy++;
}

/* False when the owner gave x up meanwhile: it is gone. */
int
exec_leave(struct exec *x)
{
	CHECK(x->busy > 0);
	if (--x->busy > 0 || !x->doomed)
		return !x->doomed;
	release(x);
	return 0;
}

/* --------------------------------------------------------------------- end */

static void
done(struct exec *x)
{
	struct exec_kept kept;

	x->state = EXEC_ENDED;
	for (int i = 1; i <= 2; i++) {
		exec_kept(x, i, &kept);
		if (kept.omitted > 0)
			x->report.truncated = 1;
	}
	exec_enter(x);
	x->ops->done(x, &x->report, x->owner);
	exec_leave(x);
}

void
exec_finish_if_drained(struct exec *x)
{
	if (x->state == EXEC_DRAINING && x->stream[0].fd == -1 &&
	    x->stream[1].fd == -1 && x->stream[0].pending.n == 0 &&
	    x->stream[1].pending.n == 0)
		done(x);
}

static enum verdict
judge(const struct exec *x)
{
	const struct exec_report *r = &x->report;
	int killed = r->signal == SIGKILL || r->exit == 128 + SIGKILL;

	if (x->why != -1)
		return (enum verdict)x->why;
	if ((r->limits & 1u << VERDICT_OOM) != 0 && killed)
		return VERDICT_OOM;
	if ((r->limits & 1u << VERDICT_PIDS) != 0)
		return VERDICT_PIDS;
	if ((r->limits & 1u << VERDICT_DISK) != 0)
		return VERDICT_DISK;
	return r->signal != 0 ? VERDICT_SIGNAL : VERDICT_EXIT;
}

/* Nothing of it runs any more: leave the sandbox, take the last bytes. */
static void
ended(struct exec *x)
{
	int size;

	loop_timer_stop(&x->timer);
	loop_io_want(&x->stdin_io, LOOP_NOTHING);
	exec_close_fd(&x->stdin_fd);
	x->state = EXEC_DRAINING;
	x->report.wall_us = os->now_us() - x->started_us;
	list_remove(&x->sb->execs, &x->link);
	x->sb = NULL;
	exec_enter(x);
	for (int i = 0; i < 2; i++) {
		struct exec_stream *s = &x->stream[i];

		if (s->fd == -1)
			continue;
		loop_io_want(&s->io, LOOP_NOTHING);
		s->left = 16 * EXEC_READ_MAX;
		if (!x->tty && ioctl(s->fd, FIONREAD, &size) == 0)
			s->left = (uint64_t)size;
		if (!exec_drain(s))
			break;
	}
	if (exec_leave(x))
		exec_finish_if_drained(x);
}

void
exec_ended(struct exec *x, const struct exec_end *end)
{
	struct exec_report *r = &x->report;

	CHECK_OBJ(x, EXEC_MAGIC);
	r->exit = -1;
	if (end->exec_errno != 0)
		r->exit = end->exec_errno == ENOENT ? 127 : 126;
	else if (WIFSIGNALED(end->status))
		r->signal = WTERMSIG(end->status);
	else
		r->exit = WEXITSTATUS(end->status);
	r->exec_errno = end->exec_errno;
	r->no_folder = end->no_folder;
	r->user_us = end->user_us;
	r->system_us = end->system_us;
	r->max_rss_bytes = end->max_rss_bytes;
	r->limits |= end->limits;
	if (r->signal == SIGXFSZ)
		r->limits |= 1u << VERDICT_DISK;
	r->verdict = judge(x);
	ended(x);
}

void
exec_lost(struct exec *x, const struct error *why)
{
	CHECK_OBJ(x, EXEC_MAGIC);
	x->report.exit = -1;
	x->report.signal = SIGKILL;
	x->report.verdict = VERDICT_LOST;
	if (x->why != -1 || (x->report.limits & 1u << VERDICT_OOM) != 0)
		x->report.verdict = judge(x);
	else
		x->report.limits |= 1u << VERDICT_LOST;
	x->report.error = *why;
	ended(x);
}

void
exec_tty_came(struct exec *x, int master)
{
	struct exec_stream *s = &x->stream[0];

	CHECK_OBJ(x, EXEC_MAGIC);
	if (!x->tty || s->fd != -1 ||
	    fcntl(master, F_SETFL, O_NONBLOCK) == -1 ||
	    (x->stdin_fd = fcntl(master, F_DUPFD_CLOEXEC, 3)) == -1) {
		os->close(master);
		return;
	}
	s->fd = master;
	loop_io_init(&s->io, x->host->loop, master, exec_stream_ready);
	loop_io_want(&s->io, LOOP_READ);
	loop_io_init(
	    &x->stdin_io, x->host->loop, x->stdin_fd, exec_stdin_ready);
	if (x->stdin_buf.n > 0)
		loop_io_want(&x->stdin_io, LOOP_WRITE);
	exec_resize(x, x->rows, x->columns);
}

/* -------------------------------------------------------------- being ended */

static void
kill_now(struct exec *x)
{
	const struct backend_ops *b = x->host->backend;

	x->state = EXEC_KILLING;
	b->signal(x, SIGKILL, EXEC_TREE);
	loop_timer_start(&x->timer, EXEC_HARD_MS);
}

void
exec_end_for(struct exec *x, enum verdict why)
{
	x->why = (int)why;
	x->report.limits |= 1u << why;
	kill_now(x);
}

static void
terminate(struct exec *x)
{
	const struct backend_ops *b = x->host->backend;

	x->state = EXEC_TERMINATING;
	b->signal(x, SIGTERM, EXEC_GROUP_SWEEP);
	b->signal(x, SIGCONT, EXEC_GROUP);
	loop_timer_start(&x->timer, x->grace_ms);
}

static void
timer_expired(struct loop_timer *t)
{
	struct exec *x = container_of(t, struct exec, timer);

	CHECK_OBJ(x, EXEC_MAGIC);
	switch (x->state) {
	case EXEC_RUNNING:
		x->why = VERDICT_TIMEOUT;
		x->report.limits |= 1u << VERDICT_TIMEOUT;
		terminate(x);
		break;
	case EXEC_TERMINATING:
		kill_now(x);
		break;
	case EXEC_KILLING:
		x->host->backend->kill(x->sb);
		break;
	default:
		UNREACHABLE();
	}
}

void
exec_signal(struct exec *x, int signo)
{
	CHECK_OBJ(x, EXEC_MAGIC);
	if (x->state >= EXEC_DRAINING)
		return;
	if (x->tty && x->stream[0].fd != -1 &&
	    ioctl(x->stream[0].fd, TIOCSIG, signo) == 0)
		return;
	x->host->backend->signal(x, signo, EXEC_GROUP);
}

void
exec_resize(struct exec *x, unsigned short rows, unsigned short columns)
{
	struct winsize ws = {.ws_row = rows, .ws_col = columns};

	CHECK_OBJ(x, EXEC_MAGIC);
	x->rows = rows;
	x->columns = columns;
	if (x->tty && x->stream[0].fd != -1)
		ioctl(x->stream[0].fd, TIOCSWINSZ, &ws);
}

/* ------------------------------------------------------------------- start */

/* A pipe whose end at ours is non-blocking; theirs goes to the command. */
static int
make_pipe(int ours, int fd[2], struct error *e)
{
	if (os->pipe2(fd, O_CLOEXEC) == -1)
		return error_set(e, ERROR_FULL, errno, "command: make a pipe");
	if (fcntl(fd[ours], F_SETFL, O_NONBLOCK) == -1) {
		os->close(fd[0]);
		os->close(fd[1]);
		return error_set(e, ERROR_SYSTEM, errno, "command: set a pipe");
	}
	return 0;
}

static int
make_channel(struct exec *x, struct error *e)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == -1)
		return error_set(
		    e, ERROR_FULL, errno, "command: make a channel");
	x->channel = fd[0];
	x->channel_end = fd[1];
	if (fcntl(fd[0], F_SETFL, O_NONBLOCK) == -1)
		return error_set(
		    e, ERROR_SYSTEM, errno, "command: set a channel");
	return 0;
}

/*
 * Make what the spec asks for; child[i] are the command's ends, of which
 * those with made[i] are to be closed when they have travelled.
 */
static int
make_stdio(struct exec *x, const struct exec_spec *spec, int child[3],
    int made[3], struct error *e)
{
	int fd[2];

	for (int i = 0; i < 3; i++) {
		if (spec->stdio[i] == EXEC_FD)
			child[i] = spec->fd[i];
		if (spec->stdio[i] != EXEC_PIPE ||
		    (i == 2 && spec->stderr_to_stdout))
			continue;
		if (make_pipe(i == 0 ? 1 : 0, fd, e) == -1)
			return -1;
		child[i] = fd[i == 0 ? 0 : 1];
		made[i] = 1;
		if (i == 0) {
			x->stdin_fd = fd[1];
			loop_io_init(&x->stdin_io, x->host->loop, fd[1],
			    exec_stdin_ready);
			continue;
		}
		x->stream[i - 1].fd = fd[0];
		loop_io_init(&x->stream[i - 1].io, x->host->loop, fd[0],
		    exec_stream_ready);
	}
	return 0;
}

/* What the caller left open is the profile's, whose ceilings hold anyway. */
static void
apply_profile(struct exec *x, const struct profile *p)
{
	const struct profile_limits none = {0},
				    *l = p != NULL ? &p->limits : &none;

	if (x->timeout_ms == 0 ||
	    (l->command_ms > 0 && x->timeout_ms > l->command_ms))
		x->timeout_ms = l->command_ms;
	if (x->output_max == 0 ||
	    (l->output_bytes > 0 && x->output_max > l->output_bytes))
		x->output_max = l->output_bytes;
	if (x->grace_ms == 0)
		x->grace_ms = l->grace_ms > 0 ? l->grace_ms : EXEC_GRACE_MS;
}

static struct exec *
new_exec(struct sandbox *sb, const struct exec_spec *spec,
    const struct exec_ops *ops, void *owner, struct error *e)
{
	size_t kept = spec->kept_max > 0 ? spec->kept_max : LIMIT_OUTPUT_KEPT;
	struct exec *x;
	unsigned user;

	if (sb->state != SANDBOX_READY && sb->state != SANDBOX_FILLING) {
		error_set(e, ERROR_SANDBOX_LOST, 0,
		    "the sandbox is not there (any more)");
		return NULL;
	}
	if (users_find(&sb->users, spec->user, &user, e) == -1)
		return NULL;
	x = slab_take(&sb->host->exec_slab);
	if (x == NULL || sb->execs.length >= LIMIT_COMMANDS_PER_SANDBOX) {
		slab_give(&sb->host->exec_slab, x);
		error_set(e, ERROR_FULL, 0, "too many commands at once");
		return NULL;
	}
	x->magic = EXEC_MAGIC;
	x->sb = sb;
	x->host = sb->host;
	x->id = ++sb->host->next_id;
	x->user = user;
	x->ops = ops;
	x->owner = owner;
	x->why = -1;
	x->stdin_fd = x->channel = x->channel_end = -1;
	x->tty = spec->tty;
	x->rows = spec->rows > 0 ? spec->rows : 24;
	x->columns = spec->columns > 0 ? spec->columns : 80;
	x->output_max = spec->output_max;
	x->grace_ms = spec->grace_ms;
	x->timeout_ms = spec->timeout_ms;
	apply_profile(x, sb->profile);
	buf_init(&x->stdin_buf, EXEC_STDIN_MAX);
	loop_timer_init(&x->timer, x->host->loop, timer_expired);
	loop_io_init(&x->stdin_io, x->host->loop, -1, exec_stdin_ready);
	for (int i = 0; i < 2; i++) {
		x->stream[i].x = x;
		x->stream[i].number = i + 1;
		x->stream[i].fd = -1;
		loop_io_init(
		    &x->stream[i].io, x->host->loop, -1, exec_stream_ready);
		buf_init(&x->stream[i].pending, EXEC_READ_MAX);
		keep_init(&x->stream[i].keep, kept);
	}
	list_append(&sb->execs, &x->link);
	return x;
}

struct exec *
exec_start(struct sandbox *sb, const struct exec_spec *spec,
    const struct exec_ops *ops, void *owner, struct error *e)
{
	int child[3] = {-1, -1, -1}, made[3] = {0}, failed;
	struct exec *x;

	CHECK_OBJ(sb, SANDBOX_MAGIC);
	CHECK(spec->argv != NULL && spec->argv[0] != NULL);
	x = new_exec(sb, spec, ops, owner, e);
	if (x == NULL)
		return NULL;
	x->started_us = os->now_us();
	failed = (!spec->tty && make_stdio(x, spec, child, made, e) == -1) ||
		 (spec->channel && make_channel(x, e) == -1) ||
		 sb->host->backend->exec(x, spec, child, e) == -1;
	for (int i = 0; i < 3; i++) {
		if (made[i])
			os->close(child[i]);
	}
	exec_close_fd(&x->channel_end);
	if (failed) {
		release(x);
		return NULL;
	}
	for (int i = 0; i < 2; i++) {
		if (x->stream[i].fd != -1)
			loop_io_want(&x->stream[i].io, LOOP_READ);
	}
	if (x->timeout_ms > 0)
		loop_timer_start(&x->timer, x->timeout_ms);
	return x;
}

/* -------------------------------------------------------------- being asked */

int
exec_take_channel(struct exec *x)
{
	int fd = x->channel;

	CHECK_OBJ(x, EXEC_MAGIC);
	x->channel = -1;
	return fd;
}

void
exec_kept(struct exec *x, int stream, struct exec_kept *out)
{
	CHECK_OBJ(x, EXEC_MAGIC);
	keep_get(
	    &x->stream[stream - 1].keep, &out->head, &out->tail, &out->omitted);
}

void
exec_free(struct exec *x)
{
	if (x == NULL)
		return;
	CHECK_OBJ(x, EXEC_MAGIC);
	if (x->state < EXEC_KILLING && x->sb != NULL &&
	    (x->sb->state == SANDBOX_READY || x->sb->state == SANDBOX_FILLING))
		x->host->backend->signal(x, SIGKILL, EXEC_TREE);
	if (x->busy > 0) {
		/* Its sandbox may be gone before the callback returns. */
		if (list_is_linked(&x->link))
			list_remove(&x->sb->execs, &x->link);
		x->sb = NULL;
		x->doomed = 1;
		return;
	}
	release(x);
}
