/*
 * Let one system call of a program or of what it forks fail:
 *
 *	fail NUMBER ERRNO N REPORT CMD [ARG...]
 *
 * The N-th call of NUMBER, counted over all processes whose names begin as
 * CMD's does (what it executes is left alone), answers ERRNO instead of being
 * made.  Writes "MADE NAME" to the file REPORT: how many were counted, and
 * which process the failing one was in.  The status is CMD's.
 *
 * The kernel asks us about every such call (SECCOMP_RET_USER_NOTIF), so this
 * also reaches children that are born of clone3 and namespaces of their own.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 5000

/* Shared with the child: before it can make the call, we must listen. */
struct meeting {
	volatile int listener, listening;
};

static _Noreturn void
be_command(struct meeting *m, int nr, char **argv)
{
	struct sock_filter insn[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {4, insn};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* or only root may filter */
	m->listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	while (!m->listening && m->listener != -1)
		;
	close(m->listener);
	execv(argv[0], argv);
	_exit(127);
}

/* Is the process called after the program? */
static int
is_of(unsigned pid, const char *program, char name[32])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%u/comm", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%31s", name) != 1)
		strcpy(name, "?");
	fclose(f);
	return strncmp(name, program, strlen(program)) == 0;
}

struct counted {
	long n, fail_at;
	int with;
	char who[32];
};

/* Answer one call. */
static void
decide(int listener, const char *program, struct counted *c)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp reply = {
	    .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
	char name[32];

	memset(&call, 0, sizeof call);
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == -1)
		return;
	reply.id = call.id;
	if (is_of(call.pid, program, name) && ++c->n == c->fail_at) {
		reply.flags = 0;
		reply.error = -c->with;
		strcpy(c->who, name);
	}
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

int
main(int argc, char **argv)
{
	struct meeting *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct counted c = {.who = "-"};
	struct pollfd p = {.events = POLLIN};
	int status = -1, ended = 0, patience = PATIENCE_MS;
	const char *program;
	FILE *report;
	pid_t pid;

	if (argc < 6 || m == MAP_FAILED)
		return 125;
	program = strrchr(argv[5], '/');
	program = program == NULL ? argv[5] : program + 1;
	c.with = atoi(argv[2]);
	c.fail_at = atol(argv[3]);
	pid = fork();
	if (pid == 0)
		be_command(m, atoi(argv[1]), argv + 5);
	while (m->listener == 0)
		;
	p.fd = (int)syscall(
	    SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), m->listener, 0);
	m->listening = 1;
	if (p.fd == -1)
		return 125;
	/* Until the last process with our filter is gone. */
	while ((p.revents & POLLHUP) == 0 && patience > 0) {
		if (poll(&p, 1, 10) == 0 && ended)
			patience -= 10;
		if ((p.revents & POLLIN) != 0)
			decide(p.fd, program, &c);
		if (!ended && waitpid(pid, &status, WNOHANG) == pid)
			ended = 1;
	}
	if (!ended && waitpid(pid, &status, 0) != pid)
		return 125;
	report = fopen(argv[4], "w");
	if (report == NULL)
		return 125;
	fprintf(report, "%ld %s\n", c.n, c.who);
	fclose(report);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
