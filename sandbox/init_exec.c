#include "sandbox/init_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Theory of operation
 *
 * A command is cloned with CLONE_VM|CLONE_VFORK: nothing is copied, and init
 * stands still until the command has called exec or has failed to, which it
 * tells through memory that both see.  Until then the child runs on a stack of
 * its own, allocates nothing and calls nothing that keeps state.
 */

#define ARGV_MAX (512 * 1024)
#define ARGV_FEW 2048
#define STACK_BYTES (64 * 1024)
#define ALONE_ROUNDS 1000 /* of a millisecond */

struct birth {
	char *const *argv, *const *envp;
	const char *cwd;
	int fd[3];
	int channel; /* its descriptor 3, or -1 */
	int tty;
	uint64_t files, address_bytes;
	const struct users_identity *as; /* NULL: who we are */
	volatile int exec_errno;         /* written by the child */
	volatile int no_folder;          /* it was chdir that failed */
};

/* One command is born at a time: the child needs no stack of its own kind. */
static _Alignas(64) char child_stack[STACK_BYTES];
static char *few[ARGV_FEW];
static char **vector = few;

static const char *
env_value(char *const *envp, const char *name)
{
	size_t n = strlen(name);

	for (; *envp != NULL; envp++) {
		if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
			return *envp + n + 1;
	}
	return NULL;
}

/* exec with PATH as execvp(3) has it; returns the errno that counts. */
static int
exec_by_path(const struct birth *b)
{
	const char *file = b->argv[0], *path, *end;
	char full[PATH_MAX];
	size_t n = strlen(file);
	int denied = 0;

	if (n == 0)
		return ENOENT;
	if (strchr(file, '/') != NULL) {
		execve(file, b->argv, b->envp);
		return errno;
	}
	path = env_value(b->envp, "PATH");
	if (path == NULL)
		path = "/usr/local/bin:/usr/bin:/bin";
	for (; path != NULL; path = *end == '\0' ? NULL : end + 1) {
		size_t dir_n;

		end = path + strcspn(path, ":");
		dir_n = (size_t)(end - path);
		if (dir_n + 1 + n + 1 > sizeof full)
			continue;
		memcpy(full, path, dir_n);
		full[dir_n] = '/';
		memcpy(full + dir_n + (dir_n > 0), file, n + 1);
		execve(full, b->argv, b->envp);
		if (errno == EACCES)
			denied = 1;
		else if (errno != ENOENT && errno != ENOTDIR)
			return errno;
	}
	return denied ? EACCES : ENOENT;
}

/* At most value, and never more than we may have ourselves. */
static int
limit(__rlimit_resource_t what, uint64_t value)
{
	struct rlimit r;

	if (value == 0)
		return 0;
	if (getrlimit(what, &r) == -1)
		return -1;
	if (r.rlim_max > value)
		r.rlim_max = value;
	r.rlim_cur = r.rlim_max;
	return setrlimit(what, &r);
}

static int
become_command(void *p)
{
	struct birth *b = p;
	sigset_t none;

	setsid();
	if (b->tty && ioctl(b->fd[0], TIOCSCTTY, 0) == -1)
		goto failed;
	for (int i = 0; i < 3; i++) {
		if (dup2(b->fd[i], i) == -1)
			goto failed;
	}
	if (b->channel == 3 ? fcntl(3, F_SETFD, 0) == -1
			    : b->channel != -1 && dup2(b->channel, 3) == -1)
		goto failed;
	if (close_range(b->channel != -1 ? 4 : 3, ~0U, 0) == -1)
		goto failed;
	if (limit(RLIMIT_NOFILE, b->files) == -1 ||
	    limit(RLIMIT_AS, b->address_bytes) == -1)
		goto failed;
	if (b->as != NULL && init_become(b->as) == -1)
		goto failed;
	if (chdir(b->cwd) == -1) {
		b->no_folder = 1;
		goto failed;
	}
	umask(022);
	sigemptyset(&none);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	b->exec_errno = exec_by_path(b);
	_exit(127);
failed:
	b->exec_errno = errno;
	_exit(127);
}

static void
send_exited(uint32_t id, int status, int exec_errno, const struct rusage *ru,
    unsigned limits)
{
	struct init_exited m = {.head = {.bytes = sizeof m,
				    .verb = INIT_EXITED,
				    .flags = (uint16_t)limits,
				    .id = id},
	    .status = status,
	    .exec_errno = exec_errno};

	if (ru != NULL) {
		m.user_us = (uint64_t)ru->ru_utime.tv_sec * 1000000 +
			    (uint64_t)ru->ru_utime.tv_usec;
		m.system_us = (uint64_t)ru->ru_stime.tv_sec * 1000000 +
			      (uint64_t)ru->ru_stime.tv_usec;
		m.max_rss_bytes = (uint64_t)ru->ru_maxrss * 1024;
	}
	init_send(&m, sizeof m, NULL, 0, NULL, 0);
}

/* Point *out at count strings from text; where the next begins, or NULL. */
static char *
cut_strings(char *text, const char *end, uint32_t count, char **out)
{
	for (uint32_t i = 0; i < count; i++) {
		char *nul = text < end
				? memchr(text, '\0', (size_t)(end - text))
				: NULL;

		if (nul == NULL)
			return NULL;
		out[i] = text;
		text = nul + 1;
	}
	out[count] = NULL;
	return text;
}

/* Our own pty: the master goes to the engine, the slave is all three. */
static int
open_tty(const struct init_exec *m, int *slave)
{
	struct winsize ws = {.ws_row = m->rows, .ws_col = m->columns};
	struct wire_head h = {
	    .bytes = sizeof h, .verb = INIT_TTY, .id = m->head.id};
	int master, unlock = 0;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master == -1)
		return -1;
	if (ioctl(master, TIOCSPTLCK, &unlock) == -1 ||
	    (*slave = ioctl(
		 master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) == -1) {
		close(master);
		return -1;
	}
	ioctl(master, TIOCSWINSZ, &ws);
	init_send(&h, sizeof h, NULL, 0, &master, 1);
	close(master);
	return 0;
}

/* Which descriptors the command gets; -1 with errno. */
static int
choose_stdio(const struct init_exec *m, struct birth *b, const int *fd,
    unsigned nfd, int *slave)
{
	unsigned used = 0;

	b->channel = -1;
	if ((m->head.flags & EXEC_HAS_CHANNEL) != 0) {
		if (nfd == 0) {
			errno = EMFILE;
			return -1;
		}
		b->channel = fd[--nfd];
	}
	if ((m->head.flags & EXEC_TTY) != 0) {
		if (open_tty(m, slave) == -1)
			return -1;
		b->tty = 1;
		b->fd[0] = b->fd[1] = b->fd[2] = *slave;
		return 0;
	}
	for (unsigned i = 0; i < 3; i++) {
		b->fd[i] = INIT_NULL;
		if ((m->head.flags & (EXEC_HAS_FD0 << i)) == 0)
			continue;
		if (used == nfd) {
			errno = EMFILE;
			return -1;
		}
		b->fd[i] = fd[used++];
	}
	if ((m->head.flags & EXEC_MERGE) != 0)
		b->fd[2] = b->fd[1];
	return 0;
}

static pid_t
give_birth(struct birth *b)
{
	pid_t pid = clone(become_command, child_stack + sizeof child_stack,
	    CLONE_VM | CLONE_VFORK | SIGCHLD, b);

	if (pid == -1)
		b->exec_errno = errno;
	return pid;
}

/* Not vfork: it is no program, and init goes on beside it. */
static pid_t
fork_unpacker(const struct init *in, struct birth *b)
{
	pid_t pid = fork();

	if (pid == 0)
		init_unpack(in, b->argv, b->fd, b->as);
	if (pid == -1)
		b->exec_errno = errno;
	return pid;
}

/*
 * Kill all there is but ourselves, and see it dead: whoever has a secret in
 * its environment must not be looked at by what runs beside it.  0, or EBUSY.
 */
static int
end_everything(struct init *in)
{
	const struct timespec pause = {.tv_nsec = 1000 * 1000};

	for (int i = 0; i < ALONE_ROUNDS; i++) {
		if (kill(-1, SIGKILL) == -1 && errno == ESRCH)
			return 0;
		init_reap(in);
		if (i > 0)
			nanosleep(&pause, NULL);
	}
	return EBUSY;
}

/* May a command be born now?  0, or the errno of why not. */
static int
make_way(struct init *in, const struct init_exec *m)
{
	if (in->alone != 0)
		return EBUSY;
	return (m->head.flags & EXEC_ALONE) != 0 ? end_everything(in) : 0;
}

static struct init_command *
free_command(struct init *in)
{
	for (unsigned i = 0; i < LIMIT_COMMANDS_PER_SANDBOX; i++) {
		if (in->command[i].pid == 0)
			return &in->command[i];
	}
	return NULL;
}

/* Our own copy of the texts in a file, or NULL. */
static char *
map_texts(const struct init_exec *m, int fd)
{
	char *text;

	if (m->text_bytes == 0)
		return NULL;
	text = mmap(
	    NULL, m->text_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	return text == MAP_FAILED ? NULL : text;
}

static size_t
vector_bytes(const struct init_exec *m)
{
	return ((size_t)m->argv_n + m->env_n + 2) * sizeof *vector;
}

/* Room for the pointers to m's texts; few are most often enough. */
static int
take_vector(const struct init_exec *m)
{
	void *many;

	if (vector_bytes(m) <= sizeof few)
		return 0;
	many = mmap(NULL, vector_bytes(m), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (many == MAP_FAILED)
		return -1;
	vector = many;
	return 0;
}

static void
give_vector(const struct init_exec *m)
{
	if (vector != few)
		munmap(vector, vector_bytes(m));
	vector = few;
}

/* Fill b from m and its texts; 0, or the errno of why not. */
static int
prepare_birth(const struct init_exec *m, struct birth *b, char *text,
    const int *fd, unsigned nfd, int *slave)
{
	const char *end = text + m->text_bytes;
	char **envp = vector + m->argv_n + 1;

	b->argv = vector;
	b->envp = envp;
	text = cut_strings(text, end, m->argv_n, vector);
	if (text != NULL)
		text = cut_strings(text, end, m->env_n, envp);
	if (text == NULL || text >= end || end[-1] != '\0')
		return E2BIG;
	b->cwd = text;
	return choose_stdio(m, b, fd, nfd, slave) == -1 ? errno : 0;
}

static int
is_sound(const struct init_exec *m, size_t n, unsigned nfd)
{
	if (n < sizeof *m || m->head.bytes != sizeof *m || m->argv_n == 0 ||
	    (uint64_t)m->argv_n + m->env_n > ARGV_MAX)
		return 0;
	if ((m->head.flags & EXEC_TEXTS_IN_FILE) != 0)
		return nfd > 0;
	return m->text_bytes > 0 && m->text_bytes == n - sizeof *m;
}

void
init_serve_exec(struct init *in, const struct init_exec *m, size_t n,
    const int *fd, unsigned nfd)
{
	struct birth b = {.channel = -1,
	    .files = in->files,
	    .address_bytes = in->address_bytes,
	    .as = in->ids.more > 0 ? &m->as : NULL};
	struct init_command *c = free_command(in);
	char *text = in->message + sizeof *m;
	int in_file = (m->head.flags & EXEC_TEXTS_IN_FILE) != 0, slave = -1;
	pid_t pid = -1;

	if (!is_sound(m, n, nfd))
		b.exec_errno = E2BIG;
	else if ((b.exec_errno = make_way(in, m)) != 0)
		;
	else if (c == NULL)
		b.exec_errno = EAGAIN;
	else if (in_file && (text = map_texts(m, *fd++)) == NULL)
		b.exec_errno = ENOMEM;
	else if (init_act_as(in, &m->as) == -1 || /* its terminal is its own */
		 take_vector(m) == -1)
		b.exec_errno = errno;
	else {
		b.exec_errno = prepare_birth(
		    m, &b, text, fd, nfd - (unsigned)in_file, &slave);
		if (b.exec_errno == 0)
			pid = (m->head.flags & EXEC_UNPACK_HERE) != 0
				  ? fork_unpacker(in, &b)
				  : give_birth(&b);
		give_vector(m);
		if (in_file)
			munmap(text, m->text_bytes);
	}
	init_act_as_self(in);
	if (slave != -1)
		close(slave);
	if (b.exec_errno != 0) {
		/* A child that failed to exec is reaped as an orphan is. */
		send_exited(m->head.id, 0, b.exec_errno, NULL,
		    b.no_folder ? EXITED_NO_FOLDER : 0);
		return;
	}
	*c = (struct init_command){.pid = pid, .id = m->head.id};
	if ((m->head.flags & EXEC_ALONE) != 0)
		in->alone = m->head.id;
	init_look_soon(in);
	in->commands_n++;
	in->exclusive = ++in->born == 1 ? m->head.id : 0;
}

/* ------------------------------------------------------------------- ends */

static struct init_command *
find_command(struct init *in, pid_t pid)
{
	for (unsigned i = 0; i < LIMIT_COMMANDS_PER_SANDBOX; i++) {
		if (in->command[i].pid == pid)
			return &in->command[i];
	}
	return NULL;
}

void
init_reap(struct init *in)
{
	struct rusage ru;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &ru)) > 0) {
		struct init_command *c = find_command(in, pid), ended;

		if (c == NULL)
			continue;
		/* What it left behind still counts. */
		(void)init_look(in, 1);
		ended = *c;
		c->pid = 0;
		in->commands_n--;
		if (ended.sweep)
			init_sweep(in, &ended); /* reaps, so it comes back */
		if (in->alone == ended.id) {
			in->alone = 0;
			(void)end_everything(in); /* what it left behind */
		}
		send_exited(ended.id, status, 0, &ru, ended.met);
	}
}
