#include "sandbox/local_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/secret.h"

/*
 * Theory of operation
 *
 * Messages to an init leave at once when its socket has room and wait in a
 * queue otherwise, whose length is bounded by what may be in flight: file
 * verbs by SANDBOX_OPS_MAX, commands by their slab.  Nothing an init answers
 * is believed: sizes are checked, and an id that is not ours is ignored.
 */

#define MESSAGES_A_TURN 64

struct local_message {
	struct list_node link;
	size_t n;
	unsigned nfd;
	int fd[4];
	char bytes[];
};

static void
drop_message(struct local *l, struct local_message *m)
{
	for (unsigned i = 0; i < m->nfd; i++)
		os->close(m->fd[i]);
	list_remove(&l->outgoing, &m->link);
	wipe(m->bytes, m->n); /* an environment may be in it */
	pool_give(m);
}

static int
queue_message(struct local *l, const char *p, size_t n, const int *fd,
    unsigned nfd, struct error *e)
{
	struct local_message *m = pool_take(sizeof *m + n, NULL);

	if (m == NULL)
		return error_set(e, ERROR_FULL, 0, "memory for a message");
	*m = (struct local_message){.n = n};
	memcpy(m->bytes, p, n);
	for (unsigned i = 0; i < nfd; i++) {
		m->fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, 3);
		if (m->fd[i] == -1) {
			while (m->nfd > 0)
				os->close(m->fd[--m->nfd]);
			pool_give(m);
			return error_set(
			    e, ERROR_FULL, errno, "hold a descriptor");
		}
		m->nfd++;
	}
	list_append(&l->outgoing, &m->link);
	loop_io_want(&l->io, LOOP_READ | LOOP_WRITE);
	return 0;
}

/* Borrows the descriptors. */
static int
send_message(struct local *l, const char *p, size_t n, const int *fd,
    unsigned nfd, struct error *e)
{
	if (l->sock == -1)
		return error_set(e, ERROR_SANDBOX_LOST, 0,
		    "the sandbox is not there (any more)");
	if (l->outgoing.length == 0) {
		if (wire_send(l->sock, p, n, NULL, 0, fd, nfd) == 0)
			return 0;
		if (errno == EPIPE || errno == ECONNRESET)
			return error_set(e, ERROR_SANDBOX_LOST, errno,
			    "the sandbox has ended");
		if (errno != EAGAIN && errno != ETOOMANYREFS &&
		    errno != ENOBUFS)
			return error_set(
			    e, ERROR_SYSTEM, errno, "send to the sandbox");
	}
	return queue_message(l, p, n, fd, nfd, e);
}

static void
flush(struct local *l)
{
	struct list_node *n;

	while ((n = list_first(&l->outgoing)) != NULL) {
		struct local_message *m =
		    container_of(n, struct local_message, link);

		if (wire_send(l->sock, m->bytes, m->n, NULL, 0, m->fd,
			m->nfd) == -1) {
			if (errno == EPIPE || errno == ECONNRESET)
				break; /* the reader will notice */
			return;
		}
		drop_message(l, m);
	}
	loop_io_want(&l->io, LOOP_READ);
}

/* ---------------------------------------------------------------- requests */

/* Append s and its NUL; 0 when it does not fit. */
static size_t
add_text(char *out, size_t used, size_t size, const char *s)
{
	size_t n = strlen(s) + 1;

	if (used == 0 || used > size || n > size - used)
		return 0;
	memcpy(out + used, s, n);
	return used + n;
}

static size_t
add_folder(char *out, size_t used, size_t size, const char *cwd)
{
	if (cwd == NULL || cwd[0] == '\0')
		return add_text(out, used, size, "/workspace");
	if (cwd[0] == '/')
		return add_text(out, used, size, cwd);
	used = add_text(out, used, size, "/workspace");
	if (used == 0)
		return 0;
	out[used - 1] = '/';
	return add_text(out, used, size, cwd);
}

static int
is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* The texts behind m in out[used..size]: where they end; 0: no room. */
static size_t
add_texts(struct init_exec *m, const struct exec *x,
    const struct exec_spec *spec, char *out, size_t used, size_t size)
{
	size_t env;

	m->argv_n = 0;
	for (const char *const *a = spec->argv; *a != NULL; a++) {
		used = add_text(out, used, size, *a);
		m->argv_n++;
	}
	if (used == 0)
		return 0;
	env = local_env_write(x->sb->profile, x->sb->users.user[x->user].name,
	    spec, out + used, size - used, &m->env_n);
	return env == 0 ? 0 : add_folder(out, used + env, size, spec->cwd);
}

/*
 * Texts that are too long for a message travel as a file without a name.  Its
 * descriptor, or -1 and *e.
 */
static int
texts_in_file(struct init_exec *m, const struct exec *x,
    const struct exec_spec *spec, struct error *e)
{
	char *text = pool_take(SANDBOX_ARGV_MAX, NULL);
	size_t used, n;
	int fd = -1;

	if (text == NULL)
		return error_set(e, ERROR_FULL, 0, "memory for arguments");
	/* add_text() takes 0 for "no room": leave the first byte out. */
	used = add_texts(m, x, spec, text, 1, SANDBOX_ARGV_MAX);
	if (used == 0)
		error_set(e, ERROR_TOO_BIG, 0,
		    "arguments and environment are longer than %d bytes",
		    SANDBOX_ARGV_MAX);
	else
		fd = memfd_create("skep-arguments", MFD_CLOEXEC);
	if (used > 0 && fd == -1)
		error_set(e, ERROR_FULL, errno, "a file for arguments");
	m->text_bytes = (uint32_t)(used > 0 ? used - 1 : 0);
	for (n = 1; fd != -1 && n < used;) {
		ssize_t went = os->write(fd, text + n, used - n);

		if (went == -1 && errno != EINTR) {
			error_set(e, ERROR_FULL, errno, "a file for arguments");
			os->close(fd);
			fd = -1;
		} else if (went > 0)
			n += (size_t)went;
	}
	if (spec->secrets_n > 0)
		wipe(text, SANDBOX_ARGV_MAX);
	pool_give(text);
	return fd;
}

/* The command's ends of its streams, after those that are given away. */
static int
add_streams(struct init_exec *m, const struct exec *x, const int fd[3],
    int *sent, unsigned *nfd, struct error *e)
{
	const struct local *l = local_of(x->sb);
	uid_t host_uid = x->user == 0 ? l->ids.host_uid
				      : l->ids.more_host + (uid_t)x->user - 1;
	gid_t host_gid = x->user == 0 ? l->ids.host_gid : host_uid;

	for (unsigned i = 0; i < 3; i++) {
		if (fd[i] == -1)
			continue;
		/* So that the command can open /dev/stdout again. */
		if (l->host->features.root && is_pipe(fd[i]) &&
		    fchown(fd[i], host_uid, host_gid) == -1)
			return error_set(
			    e, ERROR_SYSTEM, errno, "give a pipe away");
		m->head.flags |= (uint16_t)(EXEC_HAS_FD0 << i);
		sent[(*nfd)++] = fd[i];
	}
	if (x->channel_end != -1) {
		m->head.flags |= EXEC_HAS_CHANNEL;
		sent[(*nfd)++] = x->channel_end;
	}
	return 0;
}

int
local_exec(struct exec *x, const struct exec_spec *spec, const int fd[3],
    struct error *e)
{
	struct local *l = local_of(x->sb);
	char *out = x->host->building;
	struct init_exec *m = (void *)out;
	int sent[5], texts = -1, result;
	unsigned nfd = 0;
	size_t used;

	*m = (struct init_exec){
	    .head = {.bytes = sizeof *m, .verb = INIT_EXEC, .id = x->id},
	    .rows = x->rows,
	    .columns = x->columns};
	users_identify(&l->base.users, x->user, &m->as);
	used =
	    add_texts(m, x, spec, out, sizeof *m, sizeof *m + WIRE_TEXTS_MAX);
	if (used > 0)
		m->text_bytes = (uint32_t)(used - sizeof *m);
	else {
		texts = texts_in_file(m, x, spec, e);
		if (texts == -1)
			return -1;
		m->head.flags |= EXEC_TEXTS_IN_FILE;
		sent[nfd++] = texts;
		used = sizeof *m;
	}
	if (spec->tty)
		m->head.flags |= EXEC_TTY;
	if (spec->stderr_to_stdout)
		m->head.flags |= EXEC_MERGE;
	if (spec->secrets_n > 0)
		m->head.flags |= EXEC_ALONE;
	if (spec->program == EXEC_UNPACK)
		m->head.flags |= EXEC_UNPACK_HERE;
	result = add_streams(m, x, fd, sent, &nfd, e);
	if (result == 0)
		result = send_message(l, out, used, sent, nfd, e);
	if (texts != -1)
		os->close(texts);
	if (spec->secrets_n > 0)
		wipe(out, used);
	return result;
}

void
local_signal(struct exec *x, int signo, enum exec_reach reach)
{
	static const uint16_t flags[] = {[EXEC_GROUP] = SIGNAL_GROUP,
	    [EXEC_GROUP_SWEEP] = SIGNAL_SWEEP,
	    [EXEC_TREE] = SIGNAL_TREE};
	struct init_signal m = {.head = {.bytes = sizeof m,
				    .verb = INIT_SIGNAL,
				    .flags = flags[reach],
				    .id = x->id},
	    .signo = signo};
	struct error e;

	/* When it cannot be sent, the deadline's last step is what helps. */
	(void)send_message(
	    local_of(x->sb), (const char *)&m, sizeof m, NULL, 0, &e);
}

int
local_file(struct file_op *op, const struct file_request *r, struct error *e)
{
	static const uint16_t verbs[] = {
	    [FILE_PUT] = INIT_PUT,
	    [FILE_GET] = INIT_GET,
	    [FILE_LIST] = INIT_LIST,
	    [FILE_STAT] = INIT_STAT,
	    [FILE_MKDIR] = INIT_MKDIR,
	    [FILE_REMOVE] = INIT_REMOVE,
	    [FILE_RENAME] = INIT_RENAME,
	    [FILE_HASH] = INIT_HASH,
	    [FILE_CHGRP] = INIT_CHGRP,
	    [FILE_CHMOD] = INIT_CHMOD,
	};
	struct local *l = local_of(op->sb);
	char *out = op->sb->host->building;
	struct init_file *m = (void *)out;
	size_t used = sizeof *m;

	*m = (struct init_file){.head = {.bytes = sizeof *m,
				    .verb = verbs[op->verb],
				    .flags = (uint16_t)r->flags,
				    .id = op->id},
	    .mode = r->mode,
	    .n = (uint32_t)r->n,
	    .offset = r->offset,
	    .hash = r->hash,
	    .gid = r->gid,
	    .as = r->as};
	used = add_text(out, used, SCRATCH_BYTES, r->path);
	if (r->to != NULL)
		used = add_text(out, used, SCRATCH_BYTES, r->to);
	if (r->bytes.n > 0)
		memcpy(out + used, r->bytes.p, r->bytes.n);
	return send_message(l, out, used + r->bytes.n, NULL, 0, e);
}

/* ----------------------------------------------------------------- answers */

static int
came_ready(struct local *l, const char *p, size_t n)
{
	const struct zygote_answer *a = (const void *)p;
	struct fault f;
	struct error e;

	if (n != sizeof *a || l->base.state != SANDBOX_MAKING)
		return -1;
	local_made(l);
	if (a->fault.step[0] == '\0') {
		sandbox_made(&l->base);
		return 0;
	}
	f = a->fault;
	f.step[sizeof f.step - 1] = '\0';
	fault_to_error(&f, &e);
	local_broke(l, f.step, &e);
	return 0;
}

/* What was met counts for every command that ran at the time. */
static void
note_limits(struct sandbox *sb, unsigned limits)
{
	for (struct list_node *n = list_first(&sb->execs); n != NULL;
	     n = list_next(&sb->execs, n))
		container_of(n, struct exec, link)->report.limits |= limits;
}

static int
came_exited(struct local *l, const char *p, size_t n)
{
	const struct init_exited *m = (const void *)p;
	struct exec_end end;
	struct exec *x;

	if (n != sizeof *m)
		return -1;
	x = sandbox_exec_by_id(&l->base, m->head.id);
	if (x == NULL)
		return 0;
	end = (struct exec_end){.status = m->status,
	    .exec_errno = m->exec_errno,
	    .no_folder = (m->head.flags & EXITED_NO_FOLDER) != 0,
	    .user_us = m->user_us,
	    .system_us = m->system_us,
	    .max_rss_bytes = m->max_rss_bytes};
	if ((m->head.flags & EXITED_DISK_FULL) != 0)
		end.limits |= 1u << VERDICT_DISK;
	if ((m->head.flags & EXITED_PIDS_FULL) != 0)
		end.limits |= 1u << VERDICT_PIDS;
	note_limits(&l->base, local_limits_met(&l->base));
	exec_ended(x, &end);
	return 0;
}

static int
came_tty(struct local *l, size_t n, const struct wire_head *h, int *fd,
    unsigned *nfd)
{
	struct exec *x = sandbox_exec_by_id(&l->base, h->id);

	if (n != sizeof *h || *nfd != 1)
		return -1;
	if (x != NULL) {
		*nfd = 0;
		exec_tty_came(x, fd[0]);
	}
	return 0;
}

static int
came_file(struct local *l, const char *p, size_t n)
{
	const struct init_file_reply *m = (const void *)p;
	struct file_op *op;
	struct file_result r;

	if (n < sizeof *m || m->n != n - sizeof *m || m->kind > FILE_OTHER)
		return -1;
	op = sandbox_file_by_id(&l->base, m->head.id);
	if (op == NULL)
		return 0;
	r = (struct file_result){.stat = {.kind = (enum file_kind)m->kind,
				     .mode = m->mode,
				     .size = m->size,
				     .inode = m->inode,
				     .mtime_ns = m->mtime_ns,
				     .changed_ns = m->changed_ns,
				     .born_ns = m->born_ns},
	    .bytes = {p + sizeof *m, m->n},
	    .at_end = (m->head.flags & FILE_AT_END) != 0,
	    .next = m->next,
	    .hash = m->hash};
	file_op_ended(op, m->os_errno, &r);
	return 0;
}

static int
came(struct local *l, const char *p, size_t n, int *fd, unsigned *nfd)
{
	const struct wire_head *h = (const void *)p;

	if (n < sizeof *h)
		return -1;
	switch (h->verb) {
	case INIT_READY:
		return came_ready(l, p, n);
	case INIT_EXITED:
		return came_exited(l, p, n);
	case INIT_TTY:
		return came_tty(l, n, h, fd, nfd);
	case INIT_FILE:
		return came_file(l, p, n);
	default:
		return -1;
	}
}

void
local_lost(struct local *l, const char *why)
{
	struct error e;

	/* Was it ever born?  The zygote's answer says so, or why not. */
	if (l->phase == LOCAL_ASKED) {
		loop_io_want(&l->io, LOOP_NOTHING);
		l->in_doubt = 1;
		return;
	}
	note_limits(&l->base, local_limits_met(&l->base));
	if (l->base.state == SANDBOX_MAKING)
		error_set(&e, ERROR_SANDBOX_UNAVAILABLE, 0,
		    "sandbox: pid 1 ended before it was ready");
	else
		error_set(&e, ERROR_SANDBOX_LOST, 0, "%s", why);
	local_broke(l, "ready", &e);
}

static void
sock_ready(struct loop_io *io, int want)
{
	struct local *l = container_of(io, struct local, io);
	char *p = l->base.host->received;
	int fd[WIRE_FDS_MAX];
	unsigned nfd;

	if ((want & LOOP_WRITE) != 0 && l->outgoing.length > 0)
		flush(l);
	for (int i = 0; i < MESSAGES_A_TURN && l->sock != -1; i++) {
		ssize_t n = wire_receive(l->sock, p, SCRATCH_BYTES, fd, &nfd);
		int bad;

		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			local_lost(l, "the sandbox has ended");
			return;
		}
		bad = came(l, p, (size_t)n, fd, &nfd) == -1;
		while (nfd > 0)
			os->close(fd[--nfd]);
		if (bad && l->sock != -1) {
			local_lost(
			    l, "the sandbox does not keep to the protocol");
			return;
		}
	}
}

void
local_listen(struct local *l)
{
	loop_io_init(&l->io, l->base.host->loop, l->sock, sock_ready);
	loop_io_want(&l->io, LOOP_READ);
}

void
local_hang_up(struct local *l)
{
	struct list_node *n;

	while ((n = list_first(&l->outgoing)) != NULL)
		drop_message(l, container_of(n, struct local_message, link));
	if (l->sock == -1)
		return;
	loop_io_want(&l->io, LOOP_NOTHING);
	os->close(l->sock);
	l->sock = -1;
}
