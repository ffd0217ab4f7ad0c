/*
 * bench_lifecycle [-n N] [-j J] [-l LIVE] [-r ROUNDS] [-- CMD...]
 *
 * One sandbox's whole life -- created, one command run, removed -- N times, J
 * at a time beside LIVE sleeping ones, in interleaved rounds with the same
 * command under `bwrap --unshare-all` and in a bare clone3 of seven
 * namespaces.  Rates, the median from creation to the command's end, and CPU
 * per life of everything this process started (its cpuacct group where there
 * is one).  As root and as an ordinary user alike.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
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

#define SAMPLES_MAX 100000
#define JOBS_MAX 64

extern char **environ;

static struct {
	int n, jobs, live, rounds;
	char *const *command;
	struct loop *loop;
	struct sandbox_host *host;
	const struct profile *profile;
	int started, ended, up;
	uint64_t sample[SAMPLES_MAX];
	int samples;
	int cpuacct; /* our group's usage, or -1 */
} b = {.n = 500, .jobs = 2, .live = 64, .rounds = 3, .cpuacct = -1};

struct life {
	struct sandbox *sb;
	uint64_t started_us;
};
static struct life lives[JOBS_MAX];

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "bench_lifecycle: %s: %s\n", what, why);
	exit(1);
}

/* --------------------------------------------------------------------- CPU */

static void
enter_cpuacct(void)
{
	static const char dir[] = "/sys/fs/cgroup/cpuacct/skep-bench";
	char path[128];
	int fd;

	if (mkdir(dir, 0755) == -1 && errno != EEXIST)
		return;
	snprintf(path, sizeof path, "%s/tasks", dir);
	fd = open(path, O_WRONLY);
	if (fd == -1 || write(fd, "0", 1) != 1)
		return;
	close(fd);
	snprintf(path, sizeof path, "%s/cpuacct.usage", dir);
	b.cpuacct = open(path, O_RDONLY | O_CLOEXEC);
}

static void
leave_cpuacct(void)
{
	int fd = open("/sys/fs/cgroup/cpuacct/tasks", O_WRONLY);

	if (fd == -1 || write(fd, "0", 1) != 1)
		return;
	close(fd);
	rmdir("/sys/fs/cgroup/cpuacct/skep-bench");
}

static uint64_t
cpu_us(void)
{
	char text[32] = "";

	if (b.cpuacct == -1 || pread(b.cpuacct, text, 31, 0) <= 0)
		return 0;
	return strtoull(text, NULL, 10) / 1000;
}

/* -------------------------------------------------------------------- skep */

static void start_life(struct life *life);

static void
life_gone(void *owner)
{
	b.ended++;
	if (b.started < b.n)
		start_life(owner);
	else if (b.ended == b.n)
		loop_break(b.loop);
}

static void
life_done(struct exec *x, const struct exec_report *r, void *owner)
{
	struct life *life = owner;

	if (r->verdict != VERDICT_EXIT || r->exit != 0)
		die("the command", verdict_name(r->verdict));
	if (b.samples < SAMPLES_MAX)
		b.sample[b.samples++] = os->now_us() - life->started_us;
	exec_free(x);
	sandbox_destroy_then(life->sb, life_gone, life);
}

static void
life_created(struct sandbox *sb, const struct error *error, void *owner)
{
	static const struct exec_ops ops = {.done = life_done};
	struct exec_spec spec = {.argv = (const char *const *)b.command,
	    .stdio = {EXEC_NULL, EXEC_PIPE, EXEC_PIPE}};
	struct error e;

	if (error != NULL)
		die("create", error->text);
	if (exec_start(sb, &spec, &ops, owner, &e) == NULL)
		die("exec", e.text);
}

static void
life_lost(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	(void)owner;
	die("lost", error->text);
}

static void
start_life(struct life *life)
{
	static const struct sandbox_ops ops = {
	    .created = life_created, .lost = life_lost};
	struct sandbox_spec spec = {.profile = b.profile, .label = "bench"};
	struct error e;

	b.started++;
	life->started_us = os->now_us();
	life->sb = sandbox_create(b.host, &spec, &ops, life, &e);
	if (life->sb == NULL)
		die("create", e.text);
}

static void
stand_created(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	(void)owner;
	if (error != NULL)
		die("create", error->text);
	if (++b.up == b.live)
		loop_break(b.loop);
}

static void
stand(void)
{
	static const struct sandbox_ops ops = {
	    .created = stand_created, .lost = life_lost};
	struct sandbox_spec spec = {.profile = b.profile, .label = "live"};
	struct error e;

	for (int i = 0; i < b.live; i++) {
		if (sandbox_create(b.host, &spec, &ops, NULL, &e) == NULL)
			die("create", e.text);
	}
	if (b.live > 0)
		loop_run(b.loop);
}

static void
run_skep(void)
{
	b.started = b.ended = 0;
	for (int i = 0; i < b.jobs; i++)
		start_life(&lives[i]);
	loop_run(b.loop);
}

/* ------------------------------------------------------------- the others */

static pid_t
spawn_bwrap(void)
{
	const char *argv[64] = {"bwrap", "--unshare-all", "--die-with-parent",
	    "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
	    "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
	    "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs",
	    "/workspace", "--chdir", "/workspace", "--"};
	int n = 0, i;
	pid_t pid;

	while (argv[n] != NULL)
		n++;
	for (i = 0; b.command[i] != NULL && n < 63; i++)
		argv[n++] = b.command[i];
	argv[n] = NULL;
	if (posix_spawnp(&pid, "bwrap", NULL, NULL,
		(char *const *)(uintptr_t)argv, environ) != 0)
		return -1;
	return pid;
}

static pid_t
spawn_clone3(void)
{
	struct clone_args args = {
	    .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
		     CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWCGROUP,
	    .exit_signal = SIGCHLD};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

	if (pid == 0) {
		execv(b.command[0], b.command);
		_exit(127);
	}
	return pid;
}

static void
run_other(pid_t (*spawn)(void))
{
	struct {
		pid_t pid;
		uint64_t started_us;
	} job[JOBS_MAX] = {{0}};
	int running = 0, status;

	b.started = b.ended = 0;
	while (b.ended < b.n) {
		for (int i = 0; i < b.jobs && b.started < b.n; i++) {
			if (job[i].pid != 0)
				continue;
			job[i].started_us = os->now_us();
			job[i].pid = spawn();
			if (job[i].pid == -1)
				die("spawn", strerror(errno));
			b.started++;
			running++;
		}
		pid_t pid = waitpid(-1, &status, 0);
		for (int i = 0; i < b.jobs; i++) {
			if (job[i].pid != pid)
				continue;
			if (status != 0)
				die("it", "failed");
			job[i].pid = 0;
			b.ended++;
			b.sample[b.samples++] =
			    os->now_us() - job[i].started_us;
		}
	}
}

static void
run_bwrap(void)
{
	run_other(spawn_bwrap);
}

static void
run_clone3(void)
{
	run_other(spawn_clone3);
}

/* ------------------------------------------------------------------ figures */

static int
compare(const void *p, const void *q)
{
	const uint64_t *x = p, *y = q;

	return *x < *y ? -1 : *x > *y;
}

static void
round_of(const char *name, void (*run)(void))
{
	uint64_t cpu, wall;

	b.samples = 0;
	cpu = cpu_us();
	wall = os->now_us();
	run();
	wall = os->now_us() - wall;
	cpu = cpu_us() - cpu;
	qsort(b.sample, (size_t)b.samples, sizeof b.sample[0], compare);
	printf("%-8s %7.0f/s  p50 %6.3f ms  p99 %6.3f ms  max %6.1f ms  "
	       "cpu %5.3f ms\n",
	    name, b.n * 1e6 / (double)wall,
	    (double)b.sample[b.samples / 2] / 1e3,
	    (double)b.sample[b.samples * 99 / 100] / 1e3,
	    (double)b.sample[b.samples - 1] / 1e3, (double)cpu / b.n / 1e3);
	fflush(stdout);
}

static void
parse(int argc, char **argv)
{
	static char name[] = "/usr/bin/true", *fallback[] = {name, NULL};
	int c;

	b.command = fallback;
	while ((c = getopt(argc, argv, "n:j:l:r:")) != -1) {
		int *to = c == 'n'   ? &b.n
			  : c == 'j' ? &b.jobs
			  : c == 'l' ? &b.live
			  : c == 'r' ? &b.rounds
				     : NULL;

		if (to == NULL)
			exit(64);
		*to = (int)strtol(optarg, NULL, 10);
	}
	if (optind < argc)
		b.command = argv + optind;
	if (b.jobs > JOBS_MAX || b.n > SAMPLES_MAX || b.n < b.jobs)
		die("arguments", "out of range");
}

int
main(int argc, char **argv)
{
	struct sandbox_host_settings settings = {0};
	struct zygote zygote;
	struct error e;

	parse(argc, argv);
	enter_cpuacct();
	if (zygote_start(&zygote, &e) == -1 ||
	    pool_start((size_t)1 << 30, &e) == -1 ||
	    (b.loop = loop_new(&e)) == NULL)
		die("start", e.text);
	b.profile = profile_builtin("draft");
	settings.profiles = &b.profile;
	settings.profiles_n = 1;
	settings.sandboxes_max = (unsigned)(b.live + 2 * b.jobs);
	settings.netns_ready = 32;
	settings.cgroups_ready = 32;
	b.host = sandbox_host_new(b.loop, &zygote, &settings, &e);
	if (b.host == NULL)
		die("host", e.text);
	stand();
	for (int i = 0; i < b.rounds; i++) {
		round_of("skep", run_skep);
		if (getenv("ONLY_SKEP") != NULL)
			continue;
		round_of("clone3", run_clone3);
		round_of("bwrap", run_bwrap);
	}
	sandbox_host_free(b.host);
	zygote_stop(&zygote);
	loop_free(b.loop);
	leave_cpuacct();
	return 0;
}
