#include "sandbox/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "sandbox/caps.h"
#include "sandbox/etc.h"
#include "sandbox/init.h"
#include "sandbox/maker.h"
#include "sandbox/standins.h"
#include "sandbox/wire.h"

/*
 * Theory of operation
 *
 * The zygote is single-threaded and serves two things: messages of the
 * engine, and the deaths of its children.  It sleeps in ppoll(), the only
 * place where SIGCHLD is not blocked.  Everything it needs is in one static
 * object: it never allocates, and a child gets all of it by being a copy.
 *
 * Children that the table does not know (a netns maker) are reaped and
 * forgotten.
 */

#define ZYGOTE_FD 3
#define CHILDREN_MAX 16384

struct child {
	pid_t pid;
	uint32_t id;
};

struct born {
	struct box box;
	struct seccomp_program program;
};

/* The zygote's whole state: one process has one, and it never allocates. */
static struct {
	int prepared;
	int single; /* see zygote_start_single() */
	uid_t uid;  /* the engine's */
	gid_t gid;
	struct mounts_zygote mounts;
	struct mounts_tree trees[MOUNTS_TREES_MAX];
	char paths[MOUNTS_TREES_MAX * LIMIT_PATH]; /* of the trees */
	struct born profile[WIRE_PROFILES_MAX];
	unsigned children_n;
	struct child child[CHILDREN_MAX];
	struct standins standins; /* in the caller's workspace */
	_Alignas(16) char message[WIRE_BYTES_MAX];
} zy;

static volatile sig_atomic_t child_died;

static void
note_child(int signo)
{
	(void)signo;
	child_died = 1;
}

/*
 * Zero the argument and environment strings that /proc/PID/cmdline and
 * environ show: an init is a copy of us and its commands may read both.
 */
static void
forget_arguments(void)
{
	unsigned long long from = 0, to = 0;
	char stat[2048], *p;
	ssize_t n;
	int fd, field;

	fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	n = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (n <= 0)
		return;
	stat[n] = '\0';
	p = strrchr(stat, ')');
	for (field = 2; p != NULL && field < 48; field++)
		p = strchr(p + 1, ' ');
	/* 48 arg_start, 49 arg_end, 50 env_start, 51 env_end */
	if (p == NULL || sscanf(p, "%llu %*u %*u %llu", &from, &to) != 2)
		return;
	if (from != 0 && from < to)
		memset((void *)(uintptr_t)from, 0, (size_t)(to - from));
	environ = NULL;
}

/* Signals as they were, and nothing of the caller's to read. */
static void
forget_engine(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t mask;

	forget_arguments();
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &sa, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	umask(0);
}

static void
leave_engine(int sock)
{
	struct sigaction sa = {.sa_handler = note_child};
	int null;

	/* The engine's death is the end of our socket: there is still work. */
	setsid();
	prctl(PR_SET_NAME, "skep-zygote");
	forget_engine();
	sigaction(SIGCHLD, &sa, NULL);
	if (dup3(sock, ZYGOTE_FD, O_CLOEXEC) == -1 && sock != ZYGOTE_FD)
		_exit(1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++) {
		if (null == -1 || dup2(null, fd) == -1)
			close(fd);
	}
	close_range(ZYGOTE_FD + 1, ~0U, 0);
}

/* The engine is gone: everything ends, and nothing of it stays. */
static _Noreturn void
leave(void)
{
	for (unsigned i = 0; i < zy.children_n; i++)
		kill(zy.child[i].pid, SIGKILL);
	while (wait4(-1, NULL, __WALL, NULL) != -1 || errno == EINTR)
		;
	standins_remove(&zy.standins);
	_exit(0);
}

static void
answer(uint16_t verb, uint32_t id, const struct zygote_answer *a, int fd)
{
	struct zygote_answer out = *a;

	out.head =
	    (struct wire_head){.bytes = sizeof out, .verb = verb, .id = id};
	if (wire_send(ZYGOTE_FD, &out, sizeof out, NULL, 0, &fd,
		fd == -1 ? 0 : 1) == -1)
		leave();
}

/* --------------------------------------------------------------- messages */

/* A mount namespace of our own, and without root a user namespace for it. */
static int
enter_outer(int privileged, struct fault *f)
{
	if (zy.single)
		return privileged ? 0 : userns_outer_map(zy.uid, zy.gid, f);
	if (!privileged)
		return userns_outer(f);
	if (unshare(CLONE_NEWNS) == -1)
		return fault_at(f, "unshare the mount namespace", NULL);
	return 0;
}

/* What every sandbox may not do, and building one does not take either. */
static int
wear_outer_filter(struct fault *f)
{
	struct seccomp_program p;

	seccomp_compile_outer(&p);
	return seccomp_install(&p, f);
}

/* The only sandbox's pid 1 could not even begin. */
static _Noreturn void
fail_as_init(const struct fault *f)
{
	struct zygote_answer a = {
	    .head = {.bytes = sizeof a, .verb = INIT_READY}, .fault = *f};

	(void)wire_send(ZYGOTE_FD, &a, sizeof a, NULL, 0, NULL, 0);
	/* Closing before all is read would make the engine see a reset. */
	while (recv(ZYGOTE_FD, zy.message, sizeof zy.message, 0) > 0)
		;
	_exit(1);
}

static void
prepare(const struct zygote_prepare *m, const char *text)
{
	struct zygote_answer a = {0};
	const char *end;

	if (zy.prepared || m->trees_n > MOUNTS_TREES_MAX) {
		fault_set(&a.fault, EINVAL, "prepare", "twice");
		answer(ZYGOTE_PREPARED, 0, &a, -1);
		return;
	}
	if (m->text_bytes > sizeof zy.paths) {
		fault_set(&a.fault, E2BIG, "prepare", "paths");
		answer(ZYGOTE_PREPARED, 0, &a, -1);
		return;
	}
	/* The message is overwritten by the next one. */
	text = memcpy(zy.paths, text, m->text_bytes);
	end = text + m->text_bytes;
	zy.mounts.privileged = m->privileged != 0;
	zy.mounts.uid = ETC_UID;
	zy.mounts.ntrees = m->trees_n;
	zy.mounts.trees = zy.trees;
	for (unsigned i = 0; i < m->trees_n && text < end; i++) {
		zy.trees[i].path = text;
		zy.trees[i].read_only = (m->read_only >> i) & 1;
		text += strlen(text) + 1;
	}
	if (enter_outer(m->privileged != 0, &a.fault) == 0 &&
	    mounts_zygote(&zy.mounts, &a.fault) == 0 &&
	    rlimits_apply_always(&a.fault) == 0 &&
	    (zy.single || wear_outer_filter(&a.fault) == 0))
		zy.prepared = 1;
	if (zy.single && !zy.prepared)
		fail_as_init(&a.fault);
	if (zy.single)
		return; /* it will say that it is ready */
	prctl(PR_SET_DUMPABLE, 0);
	answer(ZYGOTE_PREPARED, 0, &a, -1);
}

static void
remember_profile(const struct zygote_profile *m, size_t n)
{
	size_t head = offsetof(struct zygote_profile, program);

	if (m->head.id >= WIRE_PROFILES_MAX || n < head ||
	    n - head > sizeof m->program)
		return;
	zy.profile[m->head.id].box = m->box;
	memcpy(&zy.profile[m->head.id].program, &m->program, n - head);
}

static const struct box *
box_of(unsigned profile)
{
	return profile < WIRE_PROFILES_MAX ? &zy.profile[profile].box : NULL;
}

static void
serve_maker(int sock)
{
	const struct maker_plan plan = {
	    .sock = sock, .mounts = &zy.mounts, .box = box_of};
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "skep-maker");
	close(ZYGOTE_FD);
	maker_main(&plan);
}

/* In the new init: which descriptor is what, then its own life. */
static _Noreturn void
be_init(const struct box *box, const struct seccomp_program *program,
    const struct zygote_create *m, const int *fd, unsigned nfd)
{
	struct init_plan plan = {
	    .box = box,
	    .program = program,
	    .create = m,
	    .mounts = &zy.mounts,
	    .sock = fd[0],
	    .netns = -1,
	    .ours = -1,
	};
	unsigned used = 1;

	if ((m->head.flags & CREATE_NETNS) != 0)
		plan.netns = fd[used++];
	if ((m->head.flags & CREATE_STAGE) != 0) {
		plan.stage = fd + used;
		used += 2;
	}
	if ((m->head.flags & CREATE_OURS) != 0)
		plan.ours = fd[used++];
	if ((m->head.flags & CREATE_CGROUP_V2) == 0) {
		plan.cgroup = fd + used;
		plan.cgroups_n = nfd - used;
	}
	init_main(&plan);
}

/* The only sandbox: our socket is its socket. */
static _Noreturn void
become_init(
    struct born *b, const struct zygote_create *m, const int *fd, unsigned nfd)
{
	int all[1 + WIRE_FDS_MAX] = {ZYGOTE_FD};

	memcpy(all + 1, fd, nfd * sizeof *fd);
	be_init(&b->box, &b->program, m, all, nfd + 1);
}

static struct clone_args
clone_how(
    const struct zygote_create *m, const int *fd, unsigned nfd, int *pidfd)
{
	struct clone_args args = {
	    .flags = CLONE_NEWPID | CLONE_NEWUTS | CLONE_PIDFD,
	    .exit_signal = SIGCHLD,
	    .pidfd = (uintptr_t)pidfd};

	if ((m->head.flags & CREATE_STAGE) == 0)
		args.flags |= CLONE_NEWNS | CLONE_NEWIPC;
	if ((m->head.flags & CREATE_CGROUP_V2) != 0 && m->cgroups_n > 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)fd[nfd - 1];
	}
	return args;
}

static size_t
create_bytes(const struct zygote_create *m)
{
	return sizeof *m + (size_t)m->passwd_bytes + m->group_bytes;
}

/* The descriptors that have to come along. */
static unsigned
create_descriptors(const struct zygote_create *m)
{
	const unsigned flags = m->head.flags;

	return (zy.single ? 0 : 1) + ((flags & CREATE_NETNS) != 0 ? 1 : 0) +
	       ((flags & CREATE_STAGE) != 0 ? 2 : 0) +
	       ((flags & CREATE_OURS) != 0 ? 1 : 0) + m->cgroups_n;
}

static void
create(const struct zygote_create *m, size_t n, const int *fd, unsigned nfd)
{
	struct zygote_answer a = {0};
	struct clone_args args;
	struct born *born;
	int pidfd = -1;
	long pid;

	if (!zy.prepared || n != create_bytes(m) ||
	    nfd != create_descriptors(m) || m->profile >= WIRE_PROFILES_MAX ||
	    zy.children_n == CHILDREN_MAX) {
		fault_set(&a.fault, EINVAL, "request", NULL);
		answer(ZYGOTE_CREATED, m->head.id, &a, -1);
		return;
	}
	born = &zy.profile[m->profile];
	if (zy.single)
		become_init(born, m, fd, nfd);
	if (standins_make(&zy.standins, &born->box, zy.trees, &a.fault) == -1) {
		standins_remove(&zy.standins);
		answer(ZYGOTE_CREATED, m->head.id, &a, -1);
		return;
	}
	args = clone_how(m, fd, nfd, &pidfd);
	pid = syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0)
		be_init(&born->box, &born->program, m, fd, nfd);
	if (pid == -1)
		fault_at(&a.fault, "clone pid 1", NULL);
	else
		zy.child[zy.children_n++] =
		    (struct child){.pid = (pid_t)pid, .id = m->head.id};
	a.pid = (int32_t)pid;
	answer(ZYGOTE_CREATED, m->head.id, &a, pidfd);
	if (pidfd != -1)
		close(pidfd);
}

static void
serve_message(void)
{
	int fd[WIRE_FDS_MAX];
	unsigned nfd;
	ssize_t n = wire_receive(
	    ZYGOTE_FD, zy.message, sizeof zy.message - 1, fd, &nfd);
	const struct wire_head *h = (const void *)zy.message;

	if (n < (ssize_t)sizeof *h)
		leave();
	zy.message[n] = '\0';
	switch (h->verb) {
	case ZYGOTE_PREPARE:
		prepare((const void *)zy.message,
		    zy.message + sizeof(struct zygote_prepare));
		break;
	case ZYGOTE_PROFILE:
		remember_profile((const void *)zy.message, (size_t)n);
		break;
	case ZYGOTE_CREATE:
		create((const void *)zy.message, (size_t)n, fd, nfd);
		break;
	case ZYGOTE_MAKER:
		if (nfd == 1)
			serve_maker(fd[0]);
		break;
	default:
		_exit(1);
	}
	while (nfd > 0)
		close(fd[--nfd]);
}

/* ----------------------------------------------------------------- deaths */

static uint64_t
microseconds(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

static void
buried(pid_t pid, int status, const struct rusage *ru)
{
	struct zygote_answer a = {.pid = pid,
	    .status = status,
	    .user_us = microseconds(&ru->ru_utime),
	    .system_us = microseconds(&ru->ru_stime),
	    .max_rss_bytes = (uint64_t)ru->ru_maxrss * 1024};

	for (unsigned i = 0; i < zy.children_n; i++) {
		if (zy.child[i].pid != pid)
			continue;
		a.head.id = zy.child[i].id;
		zy.child[i] = zy.child[--zy.children_n];
		if (zy.children_n == 0)
			standins_remove(&zy.standins);
		answer(ZYGOTE_GONE, a.head.id, &a, -1);
		return;
	}
}

static void
reap(void)
{
	struct rusage ru;
	int status;
	pid_t pid;

	child_died = 0;
	while ((pid = wait4(-1, &status, WNOHANG | __WALL, &ru)) > 0)
		buried(pid, status, &ru);
}

static _Noreturn void
zygote_main(int sock)
{
	struct pollfd p = {.fd = ZYGOTE_FD, .events = POLLIN};
	sigset_t none;

	leave_engine(sock);
	sigemptyset(&none);
	for (;;) {
		int ready = ppoll(&p, 1, NULL, &none);

		if (child_died)
			reap();
		if (ready > 0)
			serve_message();
	}
}

/* ---------------------------------------------------------- engine's side */

static long
fork_zygote(int single)
{
	struct clone_args args = {
	    .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS,
	    .exit_signal = SIGCHLD};

	if (!single)
		return fork();
	if (!caps_has(CAP_SYS_ADMIN))
		args.flags |= CLONE_NEWUSER;
	return syscall(SYS_clone3, &args, sizeof args);
}

static int
start(struct zygote *z, int single, struct error *e)
{
	int pair[2], size = 1 << 20;

	*z = (struct zygote){.fd = -1, .pidfd = -1, .single = single};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
		    "zygote: make a socket pair");
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	zy.single = single;
	zy.uid = geteuid();
	zy.gid = getegid();
	z->pid = (pid_t)fork_zygote(single);
	if (z->pid == 0) {
		close(pair[0]);
		zygote_main(pair[1]);
	}
	close(pair[1]);
	if (z->pid == -1) {
		close(pair[0]);
		z->pid = 0;
		return error_set(
		    e, ERROR_SANDBOX_UNAVAILABLE, errno, "zygote: fork");
	}
	z->fd = pair[0];
	z->pidfd = (int)syscall(SYS_pidfd_open, z->pid, 0);
	if (z->pidfd == -1 || fcntl(z->fd, F_SETFL, O_NONBLOCK) == -1) {
		error_set(
		    e, ERROR_SANDBOX_UNAVAILABLE, errno, "zygote: watch it");
		zygote_stop(z);
		return -1;
	}
	return 0;
}

int
zygote_start(struct zygote *z, struct error *e)
{
	return start(z, 0, e);
}

int
zygote_start_single(struct zygote *z, struct error *e)
{
	return start(z, 1, e);
}

void
zygote_stop(struct zygote *z)
{
	if (z->pid <= 0)
		return;
	kill(z->pid, SIGKILL);
	while (waitpid(z->pid, NULL, 0) == -1 && errno == EINTR)
		;
	if (z->fd != -1)
		close(z->fd);
	if (z->pidfd != -1)
		close(z->pidfd);
	*z = (struct zygote){.fd = -1, .pidfd = -1};
}
