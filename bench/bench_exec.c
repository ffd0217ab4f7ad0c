/*
 * bench_exec [-n N] [-j J] [-s SANDBOXES] [-r ROUNDS] [-- CMD...]
 *
 * One command in a live sandbox with two captured pipes, N times, J in flight
 * over SANDBOXES, in interleaved rounds with the same by posix_spawn without
 * any sandbox: rate, p50, p99 and CPU of each.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "sandbox/sandbox.h"
#include "sandbox/zygote.h"

#define SAMPLES_MAX 200000
#define JOBS_MAX 1024

extern char **environ;

struct job {
	struct sandbox *sb;
	uint64_t started_us;
	/* posix_spawn */
	pid_t pid;
	int open;
	struct loop_io out[2], exited;
	int fd[2], pidfd;
};

static struct {
	int n, jobs, sandboxes, rounds;
	char *const *command;
	struct loop *loop;
	struct sandbox_host *host;
	const struct profile *profile;
	struct sandbox *sb[JOBS_MAX];
	int up, started, ended;
	uint64_t sample[SAMPLES_MAX];
	int samples;
	struct job job[JOBS_MAX];
} b = {.n = 2000, .jobs = 1, .sandboxes = 1, .rounds = 3};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "bench_exec: %s: %s\n", what, why);
	exit(1);
}

static void
finished(struct job *job, void (*again)(struct job *))
{
	b.sample[b.samples++] = os->now_us() - job->started_us;
	if (++b.ended == b.n)
		loop_break(b.loop);
	else if (b.started < b.n)
		again(job);
}

/* -------------------------------------------------------------------- skep */

static void start_exec(struct job *job);

static void
exec_done(struct exec *x, const struct exec_report *r, void *owner)
{
	if (r->verdict != VERDICT_EXIT || r->exit != 0)
		die("the command", verdict_name(r->verdict));
	exec_free(x);
	finished(owner, start_exec);
}

static void
start_exec(struct job *job)
{
	static const struct exec_ops ops = {.done = exec_done};
	struct exec_spec spec = {.argv = (const char *const *)b.command,
	    .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};
	struct error e;

	b.started++;
	job->started_us = os->now_us();
	if (exec_start(job->sb, &spec, &ops, job, &e) == NULL)
		die("exec", e.text);
}

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)owner;
	if (error != NULL)
		die("create", error->text);
	b.sb[b.up++] = sb;
	if (b.up == b.sandboxes)
		loop_break(b.loop);
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	(void)owner;
	die("lost", error->text);
}

static void
stand(void)
{
	static const struct sandbox_ops ops = {
	    .created = created, .lost = lost};
	struct sandbox_spec spec = {.profile = b.profile, .label = "bench"};
	struct error e;

	for (int i = 0; i < b.sandboxes; i++) {
		if (sandbox_create(b.host, &spec, &ops, NULL, &e) == NULL)
			die("create", e.text);
	}
	loop_run(b.loop);
	for (int i = 0; i < b.jobs; i++)
		b.job[i].sb = b.sb[i % b.sandboxes];
}

/* ------------------------------------------------------------- posix_spawn */

static void start_spawn(struct job *job);

static void
closed(struct job *job)
{
	if (--job->open > 0)
		return;
	if (waitpid(job->pid, NULL, 0) != job->pid)
		die("waitpid", strerror(errno));
	finished(job, start_spawn);
}

static void
spawn_readable(struct job *job, int i)
{
	char bytes[65536];

	if (read(job->fd[i], bytes, sizeof bytes) > 0)
		return;
	loop_io_want(&job->out[i], LOOP_NOTHING);
	close(job->fd[i]);
	closed(job);
}

static void
out_readable(struct loop_io *io, int want)
{
	(void)want;
	spawn_readable(container_of(io, struct job, out[0]), 0);
}

static void
err_readable(struct loop_io *io, int want)
{
	(void)want;
	spawn_readable(container_of(io, struct job, out[1]), 1);
}

static void
start_spawn(struct job *job)
{
	posix_spawn_file_actions_t actions;
	int out[2], err[2];

	b.started++;
	job->started_us = os->now_us();
	if (pipe2(out, O_CLOEXEC) == -1 || pipe2(err, O_CLOEXEC) == -1)
		die("pipe", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_adddup2(&actions, err[1], 2);
	if (posix_spawn(&job->pid, b.command[0], &actions, NULL, b.command,
		environ) != 0)
		die("posix_spawn", b.command[0]);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	close(err[1]);
	job->fd[0] = out[0];
	job->fd[1] = err[0];
	job->open = 2;
	loop_io_init(&job->out[0], b.loop, out[0], out_readable);
	loop_io_init(&job->out[1], b.loop, err[0], err_readable);
	loop_io_want(&job->out[0], LOOP_READ);
	loop_io_want(&job->out[1], LOOP_READ);
}

/* ----------------------------------------------------------------- figures */

static int
compare(const void *p, const void *q)
{
	const uint64_t *x = p, *y = q;

	return *x < *y ? -1 : *x > *y;
}

static double
round_of(const char *name, void (*start)(struct job *))
{
	uint64_t wall = os->now_us();
	double p50;

	b.started = b.ended = b.samples = 0;
	for (int i = 0; i < b.jobs; i++)
		start(&b.job[i]);
	loop_run(b.loop);
	wall = os->now_us() - wall;
	qsort(b.sample, (size_t)b.samples, sizeof b.sample[0], compare);
	p50 = (double)b.sample[b.samples / 2];
	printf("%-12s %7.0f/s  p50 %6.3f ms  p99 %6.3f ms\n", name,
	    b.n * 1e6 / (double)wall, p50 / 1e3,
	    (double)b.sample[b.samples * 99 / 100] / 1e3);
	fflush(stdout);
	return p50;
}

int
main(int argc, char **argv)
{
	static char name[] = "/usr/bin/true", *fallback[] = {name, NULL};
	struct sandbox_host_settings settings = {0};
	struct zygote zygote;
	struct error e;
	int c;

	b.command = fallback;
	while ((c = getopt(argc, argv, "n:j:s:r:")) != -1) {
		int *to = c == 'n'   ? &b.n
			  : c == 'j' ? &b.jobs
			  : c == 's' ? &b.sandboxes
			  : c == 'r' ? &b.rounds
				     : NULL;

		if (to == NULL)
			exit(64);
		*to = (int)strtol(optarg, NULL, 10);
	}
	if (optind < argc)
		b.command = argv + optind;
	if (b.jobs > JOBS_MAX || b.sandboxes > JOBS_MAX || b.n > SAMPLES_MAX)
		die("arguments", "out of range");
	if (zygote_start(&zygote, &e) == -1 ||
	    pool_start((size_t)1 << 30, &e) == -1 ||
	    (b.loop = loop_new(&e)) == NULL)
		die("start", e.text);
	b.profile = profile_builtin("draft");
	settings.profiles = &b.profile;
	settings.profiles_n = 1;
	settings.sandboxes_max = (unsigned)b.sandboxes;
	settings.commands_max = (unsigned)b.jobs + 1;
	b.host = sandbox_host_new(b.loop, &zygote, &settings, &e);
	if (b.host == NULL)
		die("host", e.text);
	stand();
	for (int i = 0; i < b.rounds; i++) {
		double skep = round_of("skep", start_exec);

		printf("ratio of p50 %.2f\n",
		    skep / round_of("posix_spawn", start_spawn));
	}
	sandbox_host_free(b.host);
	zygote_stop(&zygote);
	loop_free(b.loop);
	return 0;
}
