/*
 * Control groups of this host, whichever they are: what is made, what counts
 * in it, what the dead have left.  Needs root where groups are root's.
 */

#include "sandbox/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "sandbox/cgroup_private.h"
#include "sandbox/fault.h"

static struct cgroup_host host;
static const struct cgroup_limits limits = {
    .memory_bytes = 32 << 20, .pids = 5, .cpu_milli = 500};

static int
open_host(void **state)
{
	struct error e;

	(void)state;
	if (cgroup_host_open(&host, 0, &e) == -1)
		return -1;
	/* The cpu controller may be missing on a host of version 2. */
	return 0;
}

static int
close_host(void **state)
{
	(void)state;
	cgroup_host_close(&host, 1000);
	return 0;
}

static void
need_groups(void)
{
	if (host.kind == CGROUP_NONE)
		print_message("no control groups here: %s\n", host.why);
	if (host.kind == CGROUP_NONE)
		skip();
}

static void
make(struct cgroup *g, const struct cgroup_limits *l)
{
	struct cgroup_limits can = *l;
	struct error e;

	if ((host.has & 1u << CGROUP_CPU) == 0)
		can.cpu_milli = 0;
	if (cgroup_make(&host, &can, g, &e) == -1)
		fail_msg("%s", e.text);
}

/* A child in the group that does act, in a process of its own. */
static pid_t
in_group(struct cgroup *g, int (*act)(void))
{
	int fd[CGROUP_FDS_MAX], n;
	struct error e;
	struct fault f;
	pid_t pid;

	n = cgroup_attach_fds(&host, g, fd, &e);
	assert_true(n > 0);
	pid = fork();
	if (pid != 0)
		return pid;
	if (host.kind == CGROUP_V2 && cgroup_write_number(fd[0], "cgroup.procs",
					  (uint64_t)getpid()) == -1)
		_exit(100);
	if (host.kind == CGROUP_V1 &&
	    cgroup_attach_self(fd, (unsigned)n, &f) == -1)
		_exit(101);
	_exit(act());
}

static int
status_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int
wait_for_the_end(void)
{
	pause();
	return 0;
}

/* How many children it may have. */
static int
fork_on(void)
{
	int n = 0;

	while (n < 50) {
		pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid == -1)
			break;
		n++;
	}
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) != -1)
		;
	return n;
}

static int
fork_on_alone(void)
{
	setpgid(0, 0);
	return fork_on();
}

static int
use_memory(void)
{
	const size_t bytes = 64 << 20;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, bytes);
	return 0;
}

static int
nothing(void)
{
	return 0;
}

static void
remove_group(struct cgroup *g)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (int i = 0; i < 1000 && cgroup_remove(&host, g) != 0; i++)
		nanosleep(&moment, NULL);
	assert_string_equal(g->name, "");
}

static void
what_there_is_has_a_name_or_a_reason(void **state)
{
	(void)state;
	if (host.kind == CGROUP_NONE)
		assert_true(strlen(host.why) > 10);
	else
		assert_int_equal(host.has & 3u, 3u); /* memory and pids */
	assert_string_equal(cgroup_kind_name(CGROUP_NONE), "none");
	assert_string_equal(cgroup_kind_name(CGROUP_V1), "v1");
	assert_string_equal(cgroup_kind_name(CGROUP_V2), "v2");
}

static void
limits_stand_in_the_group(void **state)
{
	const int v2 = host.kind == CGROUP_V2;
	struct cgroup g;
	char text[64];

	(void)state;
	need_groups();
	make(&g, &limits);
	assert_int_equal(
	    cgroup_read(g.dir[0], v2 ? "memory.max" : "memory.limit_in_bytes",
		text, sizeof text),
	    0);
	assert_int_equal(strtoul(text, NULL, 10), limits.memory_bytes);
	assert_int_equal(cgroup_read(g.dir[v2 ? 0 : CGROUP_PIDS], "pids.max",
			     text, sizeof text),
	    0);
	assert_int_equal(atoi(text), limits.pids);
	remove_group(&g);
}

static void
forks_beyond_the_limit_are_refused_and_counted(void **state)
{
	struct cgroup_events ev;
	struct cgroup g;
	int status;

	(void)state;
	need_groups();
	make(&g, &limits);
	cgroup_events(&host, &g, &ev);
	assert_int_equal(ev.pids_denied + ev.oom_kills, 0);
	status = status_of(in_group(&g, fork_on_alone));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), limits.pids - 1);
	cgroup_events(&host, &g, &ev);
	assert_true(ev.pids_denied >= 1);
	assert_int_equal(ev.oom_kills, 0);
	/* Its counters are not as new, so it does not serve again. */
	assert_int_equal(cgroup_reuse(&host, &limits, &g), 0);
	remove_group(&g);
}

static void
too_much_memory_is_the_end_and_counted(void **state)
{
	struct cgroup_events ev;
	struct cgroup g;
	int status;

	(void)state;
	need_groups();
	make(&g, &limits);
	status = status_of(in_group(&g, use_memory));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	cgroup_events(&host, &g, &ev);
	assert_int_equal(ev.oom_kills, 1);
	assert_int_equal(cgroup_reuse(&host, &limits, &g), 0);
	remove_group(&g);
}

static void
a_group_that_met_no_limit_serves_again(void **state)
{
	struct cgroup g;

	(void)state;
	need_groups();
	make(&g, &limits);
	assert_int_equal(status_of(in_group(&g, nothing)), 0);
	assert_int_equal(cgroup_reuse(&host, &limits, &g), 1);
	assert_int_equal(status_of(in_group(&g, nothing)), 0);
	remove_group(&g);
}

static void
a_group_is_busy_until_its_last_process_is_gone(void **state)
{
	const struct timespec moment = {.tv_nsec = 20000000};
	struct cgroup g;
	pid_t pid;

	(void)state;
	need_groups();
	make(&g, &limits);
	pid = in_group(&g, wait_for_the_end);
	nanosleep(&moment, NULL);
	assert_int_equal(cgroup_remove(&host, &g), 1);
	assert_string_not_equal(g.name, "");
	cgroup_kill(&host, &g); /* version 2 can, 1 leaves it to the caller */
	kill(pid, SIGKILL);
	status_of(pid);
	remove_group(&g);
	assert_int_equal(cgroup_remove(&host, &g), 0); /* nothing to do */
}

/* A folder as an engine of that pid would have it, with a group in it. */
static void
leave(const char *name)
{
	char group[128];

	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (host.parent[c] == -1)
			continue;
		snprintf(group, sizeof group, "%s/1", name);
		assert_int_equal(mkdirat(host.parent[c], name, 0755), 0);
		assert_int_equal(mkdirat(host.parent[c], group, 0755), 0);
	}
}

static int
is_there(const char *name)
{
	return faccessat(host.parent[0], name, F_OK, 0) == 0;
}

static void
what_the_dead_left_goes_and_the_living_stay(void **state)
{
	struct cgroup_host other;
	char dead[64], locked[64];
	struct error e;
	pid_t pid;
	int lock;

	(void)state;
	need_groups();
	pid = fork();
	if (pid == 0)
		_exit(0);
	status_of(pid); /* a number that nobody has now */
	snprintf(dead, sizeof dead, "skep-%d-dead", (int)pid);
	snprintf(locked, sizeof locked, "skep-%d-locked", (int)pid);
	leave(dead);
	leave(locked);
	/* In another pid namespace a number says nothing; a lock does. */
	lock = openat(host.parent[0], locked, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(cgroup_host_open(&other, 0, &e), 0);
	assert_false(is_there(dead));
	assert_true(is_there(locked));
	assert_true(is_there(host.name));
	assert_string_not_equal(other.name, host.name);
	cgroup_host_close(&other, 1000);
	close(lock);
	assert_int_equal(cgroup_host_open(&other, 0, &e), 0);
	assert_false(is_there(locked));
	cgroup_host_close(&other, 1000);
}

static void
closing_leaves_nothing(void **state)
{
	struct cgroup_host other;
	struct cgroup g[3];
	struct error e;
	char name[64];

	(void)state;
	need_groups();
	assert_int_equal(cgroup_host_open(&other, 0, &e), 0);
	snprintf(name, sizeof name, "%s", other.name);
	assert_true(is_there(name));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(cgroup_make(&other,
				     &(struct cgroup_limits){
					 .memory_bytes = 1 << 24, .pids = 3},
				     &g[i], &e),
		    0);
		assert_int_equal(cgroup_remove(&other, &g[i]), 0);
	}
	cgroup_host_close(&other, 1000);
	assert_false(is_there(name));
	cgroup_host_close(&(struct cgroup_host){0}, 0); /* never opened */
}

static void
a_limit_that_cannot_be_is_an_error_that_names_it(void **state)
{
	struct cgroup_host poor;
	struct cgroup g;
	struct error e;

	(void)state;
	need_groups();
	poor = host;
	poor.has &= ~(1u << CGROUP_CPU);
	snprintf(poor.why, sizeof poor.why, "not mounted");
	assert_int_equal(cgroup_make(&poor, &limits, &g, &e), -1);
	assert_non_null(strstr(e.text, "cpu"));
	assert_non_null(strstr(e.text, "not mounted"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_there_is_has_a_name_or_a_reason),
	    cmocka_unit_test(limits_stand_in_the_group),
	    cmocka_unit_test(forks_beyond_the_limit_are_refused_and_counted),
	    cmocka_unit_test(too_much_memory_is_the_end_and_counted),
	    cmocka_unit_test(a_group_that_met_no_limit_serves_again),
	    cmocka_unit_test(a_group_is_busy_until_its_last_process_is_gone),
	    cmocka_unit_test(what_the_dead_left_goes_and_the_living_stay),
	    cmocka_unit_test(closing_leaves_nothing),
	    cmocka_unit_test(a_limit_that_cannot_be_is_an_error_that_names_it)};

	return cmocka_run_group_tests(tests, open_host, close_host);
}
