/*
 * bench_spawn RUNS CALLS JOBS FOLDER
 *
 * The bare cost of what bench_batch.py lets agents do: RUNS times CALLS
 * commands in sequence, JOBS runs at a time, each run in a folder of its own,
 * each command by posix_spawn with both outputs captured, and nothing else:
 * no sandbox, no model, no record of it.  Prints one JSON object.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 1024
#define OUTPUTS 2

struct job {
	pid_t pid; /* 0: this place is free */
	int run, call;
	int fd[OUTPUTS]; /* -1: at its end */
};

extern char **environ;

static const char *folder;
static int runs, calls, jobs_n;
static int runs_started;
static long bytes_captured;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static double
now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
cpu_seconds(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
start_command(struct job *j)
{
	posix_spawn_file_actions_t fa;
	char command[64], dir[512], shell[] = "sh", option[] = "-c";
	char *argv[] = {shell, option, command, NULL};
	int out[2], err[2], e;

	snprintf(command, sizeof command,
	    "echo step-%d >> notes.txt; wc -l notes.txt", j->call);
	snprintf(dir, sizeof dir, "%s/%d", folder, j->run);
	if (pipe2(out, O_CLOEXEC) == -1 || pipe2(err, O_CLOEXEC) == -1)
		die("pipe2");
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out[1], 1);
	posix_spawn_file_actions_adddup2(&fa, err[1], 2);
	posix_spawn_file_actions_addchdir_np(&fa, dir);
	e = posix_spawn(&j->pid, "/bin/sh", &fa, NULL, argv, environ);
	if (e != 0) {
		errno = e;
		die("posix_spawn");
	}
	posix_spawn_file_actions_destroy(&fa);
	close(out[1]);
	close(err[1]);
	j->fd[0] = out[0];
	j->fd[1] = err[0];
}

static void
start_run(struct job *j)
{
	char dir[512];

	j->run = runs_started++;
	j->call = 0;
	snprintf(dir, sizeof dir, "%s/%d", folder, j->run);
	if (mkdir(dir, 0755) == -1)
		die(dir);
	start_command(j);
}

/* Both outputs have ended: collect it, and start what follows. */
static void
end_command(struct job *j)
{
	int status;

	if (waitpid(j->pid, &status, 0) == -1)
		die("waitpid");
	if (status != 0) {
		fprintf(stderr, "a command ended with status %d\n", status);
		exit(1);
	}
	j->pid = 0;
	if (++j->call < calls)
		start_command(j);
	else if (runs_started < runs)
		start_run(j);
}

static void
capture(struct job *j, int which)
{
	char bytes[4096];
	ssize_t n = read(j->fd[which], bytes, sizeof bytes);

	if (n > 0) {
		bytes_captured += n;
		return;
	}
	close(j->fd[which]);
	j->fd[which] = -1;
	if (j->fd[0] == -1 && j->fd[1] == -1)
		end_command(j);
}

/* One poll over everything that runs; 0 when nothing does any more. */
static int
turn(struct job *jobs)
{
	struct pollfd p[JOBS_MAX * OUTPUTS];
	int owner[JOBS_MAX * OUTPUTS], n = 0;

	for (int i = 0; i < jobs_n; i++)
		for (int k = 0; k < OUTPUTS && jobs[i].pid != 0; k++)
			if (jobs[i].fd[k] != -1) {
				p[n] =
				    (struct pollfd){jobs[i].fd[k], POLLIN, 0};
				owner[n++] = i * OUTPUTS + k;
			}
	if (n == 0)
		return 0;
	if (poll(p, (nfds_t)n, -1) == -1)
		die("poll");
	for (int i = 0; i < n; i++)
		if (p[i].revents != 0)
			capture(&jobs[owner[i] / OUTPUTS], owner[i] % OUTPUTS);
	return 1;
}

int
main(int argc, char **argv)
{
	static struct job jobs[JOBS_MAX];
	double start = now_seconds(), wall, cpu;

	if (argc != 5) {
		fprintf(stderr, "usage: bench_spawn RUNS CALLS JOBS FOLDER\n");
		return 64;
	}
	runs = atoi(argv[1]);
	calls = atoi(argv[2]);
	jobs_n = atoi(argv[3]);
	folder = argv[4];
	if (jobs_n > JOBS_MAX || jobs_n < 1 || runs < 1 || calls < 1)
		return 64;

	for (int i = 0; i < jobs_n && runs_started < runs; i++)
		start_run(&jobs[i]);
	while (turn(jobs))
		;
	wall = now_seconds() - start;
	cpu = cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN);
	printf("{\"name\":\"spawn\",\"n\":%d,\"concurrency\":%d,"
	       "\"wall_seconds\":%.4f,\"rate_per_s\":%.1f,"
	       "\"cpu_ms_each\":%.4f,\"bytes_captured\":%ld}\n",
	    runs, jobs_n, wall, runs / wall, cpu * 1e3 / runs, bytes_captured);
	return 0;
}
