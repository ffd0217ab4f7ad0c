#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/os.h"
#include "sandbox/cgroup_private.h"
#include "sandbox/fault.h"

#define CPU_PERIOD_US 100000

/*
 * A group with less than this charged to it is as good as a new one.  Most of
 * it is no memory at all: every processor that ran in the group holds a charge
 * of 256 KiB ahead.
 */
#define REUSE_BYTES_MIN ((uint64_t)1 << 20)
#define REUSE_BYTES_MAX ((uint64_t)4 << 20)

int
cgroup_write(int dir, const char *name, const char *s)
{
	int fd = os->openat(dir, name, O_WRONLY | O_CLOEXEC, 0);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = os->write(fd, s, strlen(s));
	os->close(fd);
	return n == -1 ? -1 : 0;
}

int
cgroup_write_number(int dir, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, value);
	return cgroup_write(dir, name, text);
}

int
cgroup_read(int dir, const char *name, char *out, size_t size)
{
	int fd = os->openat(dir, name, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = os->read(fd, out, size - 1);
	os->close(fd);
	if (n == -1)
		return -1;
	out[n] = '\0';
	return 0;
}

/* The number after key in "key value" lines; 0 when absent. */
static uint64_t
value_of(const char *text, const char *key)
{
	const size_t n = strlen(key);

	for (const char *line = text; line != NULL && *line != '\0';) {
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	return 0;
}

/* The directory of a controller's files: in version 2 they share one. */
static int
dir_of(const struct cgroup_host *h, const struct cgroup *g,
    enum cgroup_controller c)
{
	if ((h->has & 1u << c) == 0)
		return -1;
	return g->dir[h->kind == CGROUP_V2 ? 0 : c];
}

static unsigned
hierarchies(const struct cgroup_host *h)
{
	return h->kind == CGROUP_V2 ? 1 : CGROUP_CONTROLLERS;
}

static int
limit_memory(const struct cgroup_host *h, int dir, uint64_t bytes)
{
	if (h->kind == CGROUP_V2) {
		if (cgroup_write_number(dir, "memory.max", bytes) == -1)
			return -1;
		/* Without swap accounting there is no such file. */
		if (cgroup_write(dir, "memory.swap.max", "0") == -1 &&
		    errno != ENOENT)
			return -1;
		return 0;
	}
	if (cgroup_write_number(dir, "memory.limit_in_bytes", bytes) == -1)
		return -1;
	if (cgroup_write_number(dir, "memory.memsw.limit_in_bytes", bytes) ==
		-1 &&
	    errno != ENOENT)
		return -1;
	return 0;
}

static int
limit_cpu(const struct cgroup_host *h, int dir, unsigned milli)
{
	const unsigned quota = milli * (CPU_PERIOD_US / 1000);
	char text[40];

	if (h->kind == CGROUP_V1)
		return cgroup_write_number(dir, "cpu.cfs_quota_us", quota);
	snprintf(text, sizeof text, "%u %d", quota, CPU_PERIOD_US);
	return cgroup_write(dir, "cpu.max", text);
}

/* dir == -1: there is no such controller, and h->why says why. */
static int
cannot_limit(
    const struct cgroup_host *h, int dir, const char *what, struct error *e)
{
	if (dir == -1)
		return error_set(e, ERROR_SANDBOX_UNAVAILABLE, 0,
		    "limit a control group's %s: %s", what, h->why);
	return error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
	    "limit a control group's %s", what);
}

static int
limit(struct cgroup_host *h, struct cgroup *g, const struct cgroup_limits *l,
    struct error *e)
{
	int memory = dir_of(h, g, CGROUP_MEMORY);
	int pids = dir_of(h, g, CGROUP_PIDS);
	int cpu = dir_of(h, g, CGROUP_CPU);

	if (l->memory_bytes != 0 &&
	    (memory == -1 || limit_memory(h, memory, l->memory_bytes) == -1))
		return cannot_limit(h, memory, "memory", e);
	if (l->pids != 0 && (pids == -1 || cgroup_write_number(pids, "pids.max",
					       l->pids) == -1))
		return cannot_limit(h, pids, "processes", e);
	if (l->cpu_milli != 0 &&
	    (cpu == -1 || limit_cpu(h, cpu, l->cpu_milli) == -1))
		return cannot_limit(h, cpu, "cpu", e);
	return 0;
}

/* Version 1: only the hierarchies in which something is limited. */
static int
is_wanted(const struct cgroup_host *h, const struct cgroup_limits *l, int c)
{
	if (h->base[c] == -1)
		return 0;
	return h->kind == CGROUP_V2 || c != CGROUP_CPU || l->cpu_milli != 0;
}

int
cgroup_make(struct cgroup_host *h, const struct cgroup_limits *l,
    struct cgroup *g, struct error *e)
{
	CHECK(h->kind != CGROUP_NONE);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		g->dir[c] = g->tasks[c] = -1;
	for (int w = 0; w < CGROUP_WATCHED; w++)
		g->watched[w] = -1;
	if (h->single)
		snprintf(g->name, sizeof g->name, ".");
	else
		snprintf(g->name, sizeof g->name, "%" PRIu64, h->next++);
	for (unsigned c = 0; c < hierarchies(h); c++) {
		if (!is_wanted(h, l, (int)c))
			continue;
		if (!h->single && mkdirat(h->base[c], g->name, 0755) == -1) {
			error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
			    "make a control group");
			goto fail;
		}
		g->dir[c] = os->openat(
		    h->base[c], g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		if (g->dir[c] == -1) {
			error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
			    "open a control group");
			goto fail;
		}
	}
	if (limit(h, g, l, e) == -1)
		goto fail;
	return 0;
fail:
	cgroup_remove(h, g);
	return -1;
}

int
cgroup_attach_fds(const struct cgroup_host *h, struct cgroup *g,
    int fd[CGROUP_FDS_MAX], struct error *e)
{
	int n = 0;

	if (h->kind == CGROUP_V2 && !h->single) {
		fd[0] = g->dir[0];
		return 1;
	}
	for (unsigned c = 0; c < hierarchies(h); c++) {
		if (g->dir[c] == -1)
			continue;
		if (g->tasks[c] == -1)
			g->tasks[c] = os->openat(g->dir[c],
			    h->kind == CGROUP_V2 ? "cgroup.procs" : "tasks",
			    O_WRONLY | O_CLOEXEC, 0);
		if (g->tasks[c] == -1)
			return error_set(e, ERROR_SANDBOX_UNAVAILABLE, errno,
			    "open a control group's tasks");
		fd[n++] = g->tasks[c];
	}
	return n;
}

int
cgroup_attach_self(const int *fd, unsigned nfd, struct fault *f)
{
	for (unsigned i = 0; i < nfd; i++)
		if (write(fd[i], "0", 1) != 1)
			return fault_at(f, "join the control group", NULL);
	return 0;
}

/* Read a watched file from its start; -1 when it cannot be. */
static int
watch(const struct cgroup_host *h, struct cgroup *g, enum cgroup_watched w,
    char *out, size_t size)
{
	static const struct {
		enum cgroup_controller controller;
		const char *v1, *v2;
	} file[] = {
	    [CGROUP_PIDS_EVENTS] = {CGROUP_PIDS, "pids.events", "pids.events"},
	    [CGROUP_OOM_EVENTS] = {CGROUP_MEMORY, "memory.oom_control",
		"memory.events"},
	    [CGROUP_MEMORY_NOW] = {CGROUP_MEMORY, "memory.usage_in_bytes",
		"memory.current"},
	};
	int dir = dir_of(h, g, file[w].controller);
	ssize_t n;

	if (dir == -1)
		return -1;
	if (g->watched[w] == -1)
		g->watched[w] = os->openat(dir,
		    h->kind == CGROUP_V2 ? file[w].v2 : file[w].v1,
		    O_RDONLY | O_CLOEXEC, 0);
	if (g->watched[w] == -1)
		return -1;
	n = pread(g->watched[w], out, size - 1, 0);
	if (n == -1)
		return -1;
	out[n] = '\0';
	return 0;
}

void
cgroup_events(
    const struct cgroup_host *h, struct cgroup *g, struct cgroup_events *ev)
{
	char text[512];

	memset(ev, 0, sizeof *ev);
	if (watch(h, g, CGROUP_PIDS_EVENTS, text, sizeof text) == 0)
		ev->pids_denied = value_of(text, "max");
	if (watch(h, g, CGROUP_OOM_EVENTS, text, sizeof text) == 0)
		ev->oom_kills = value_of(text, "oom_kill");
}

void
cgroup_kill(const struct cgroup_host *h, const struct cgroup *g)
{
	if (h->kind == CGROUP_V2 && g->dir[0] != -1)
		(void)cgroup_write(g->dir[0], "cgroup.kill", "1");
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		os->close(*fd);
	*fd = -1;
}

int
cgroup_remove(struct cgroup_host *h, struct cgroup *g)
{
	int busy = 0;

	if (g->name[0] == '\0')
		return 0;
	for (int w = 0; w < CGROUP_WATCHED; w++)
		close_fd(&g->watched[w]);
	for (unsigned c = 0; c < hierarchies(h); c++) {
		if (h->base[c] == -1)
			continue;
		close_fd(&g->tasks[c]);
		if (!h->single &&
		    unlinkat(h->base[c], g->name, AT_REMOVEDIR) == -1 &&
		    errno == EBUSY) {
			busy = 1;
			continue;
		}
		close_fd(&g->dir[c]);
	}
	if (!busy)
		g->name[0] = '\0';
	return busy;
}

int
cgroup_reuse(
    struct cgroup_host *h, const struct cgroup_limits *l, struct cgroup *g)
{
	const uint64_t share = l->memory_bytes / 64;
	const uint64_t most = share < REUSE_BYTES_MIN   ? REUSE_BYTES_MIN
			      : share > REUSE_BYTES_MAX ? REUSE_BYTES_MAX
							: share;
	struct cgroup_events ev;
	char text[32];

	/* Counters cannot be reset: they must still be as in a new one. */
	cgroup_events(h, g, &ev);
	return ev.oom_kills == 0 && ev.pids_denied == 0 &&
	       watch(h, g, CGROUP_MEMORY_NOW, text, sizeof text) == 0 &&
	       strtoull(text, NULL, 10) <= most;
}

const char *
cgroup_kind_name(enum cgroup_kind k)
{
	static const char *const name[] = {"none", "v1", "v2"};

	return name[k];
}
