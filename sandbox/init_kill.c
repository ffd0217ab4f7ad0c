#include "sandbox/init_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * Theory of operation
 *
 * What a command has started is found in /proc: its children and theirs, and
 * everything in its session.  Killing goes in rounds, because what is being
 * killed may be forking; each round kills all it sees, so that only what was
 * born during the round is left for the next.
 *
 * A process that left the session and whose parents are dead belongs to
 * nobody any more.  It counts as the command's when no other command of the
 * sandbox runs or has run beside it; otherwise it lives until the sandbox
 * ends.
 */

#define SCAN_MAX 4096
#define ROUNDS_MAX 64
#define ROUNDS_BUSY 8 /* then the dying are given time to die */

struct seen {
	pid_t pid, parent, session;
	int doomed;
};

static struct seen seen[SCAN_MAX];
static char entries[16 * 1024];

/* The number after field fields of /proc/PID/stat's part behind the name. */
static int
read_stat(pid_t pid, struct seen *out)
{
	char path[32] = "/proc/", text[512], digits[12], *p;
	int fd, n = 0;
	ssize_t got;

	for (pid_t v = pid; v > 0; v /= 10)
		digits[n++] = (char)('0' + v % 10);
	p = path + strlen(path);
	while (n > 0)
		*p++ = digits[--n];
	memcpy(p, "/stat", sizeof "/stat");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	got = read(fd, text, sizeof text - 1);
	close(fd);
	if (got <= 0)
		return -1;
	text[got] = '\0';
	p = strrchr(text, ')');
	if (p == NULL || strlen(p) < 4)
		return -1;
	/* ") S ppid pgrp session" */
	out->pid = pid;
	out->parent = (pid_t)strtol(p + 4, &p, 10);
	(void)strtol(p, &p, 10);
	out->session = (pid_t)strtol(p, NULL, 10);
	out->doomed = 0;
	return 0;
}

static unsigned
scan(void)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned n = 0;
	long got;

	if (fd == -1)
		return 0;
	while (
	    (got = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0) {
		for (long at = 0; at < got;) {
			struct dirent64 *d = (void *)(entries + at);
			pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

			at += d->d_reclen;
			if (pid > 1 && n < SCAN_MAX &&
			    read_stat(pid, &seen[n]) == 0)
				n++;
		}
	}
	close(fd);
	return n;
}

static int
is_doomed(pid_t pid, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (seen[i].pid == pid)
			return seen[i].doomed;
	}
	return 0;
}

/* Mark the tree and session of leader; with orphans, those of nobody too. */
static void
mark(pid_t leader, int orphans, unsigned n)
{
	int changed = 1;

	for (unsigned i = 0; i < n; i++)
		seen[i].doomed = seen[i].pid == leader ||
				 seen[i].session == leader ||
				 (orphans && seen[i].parent == 1);
	while (changed) {
		changed = 0;
		for (unsigned i = 0; i < n; i++) {
			if (!seen[i].doomed && is_doomed(seen[i].parent, n))
				changed = seen[i].doomed = 1;
		}
	}
}

static void
kill_tree(struct init *in, pid_t leader, int orphans)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	kill(-leader, SIGKILL);
	for (int round = 0; round < ROUNDS_MAX; round++) {
		unsigned n = scan(), hit = 0;

		mark(leader, orphans, n);
		for (unsigned i = 0; i < n; i++) {
			if (seen[i].doomed && kill(seen[i].pid, SIGKILL) == 0)
				hit++;
		}
		/* Zombies of ours would be hit for ever. */
		init_reap(in);
		if (hit == 0)
			return;
		if (round >= ROUNDS_BUSY)
			nanosleep(&moment, NULL);
	}
}

void
init_serve_signal(struct init *in, const struct init_signal *m)
{
	for (unsigned i = 0; i < LIMIT_COMMANDS_PER_SANDBOX; i++) {
		struct init_command *c = &in->command[i];

		if (c->pid == 0 || c->id != m->head.id)
			continue;
		if ((m->head.flags & SIGNAL_TREE) != 0)
			kill_tree(in, c->pid, in->exclusive == c->id);
		else
			kill(-c->pid, m->signo);
		c->sweep |= (m->head.flags & SIGNAL_SWEEP) != 0;
		return;
	}
}

void
init_sweep(struct init *in, const struct init_command *c)
{
	kill_tree(in, c->pid, in->exclusive == c->id);
}
