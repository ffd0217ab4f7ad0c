#ifndef SKEP_SANDBOX_CGROUP_H
#define SKEP_SANDBOX_CGROUP_H

/*
 * Control groups: memory, processes and cpu of a sandbox, whatever it does.
 *
 * Theory of operation
 *
 * cgroup_host_open() finds out once what there is: version 1 controllers
 * (memory, pids, cpu) in which we may make directories, a delegated version 2
 * subtree, or nothing.  All groups of this engine lie in one directory per
 * hierarchy, "skep-PID-STARTTIME" below our own group, so that the next start
 * can tell the dead's from the living's and remove them.
 *
 * The engine makes a group and keeps its descriptors; those for attaching
 * travel to the zygote with the sandbox's request.  With version 1 the
 * single-threaded init writes "0" to each `tasks` (never cgroup.procs, which
 * stalls for 7-15 ms); with version 2 the zygote passes the directory to
 * clone3 (CLONE_INTO_CGROUP).
 *
 * Removing waits for the last process: EBUSY means "again later".
 */

#include <stdint.h>
#include <sys/types.h>

struct error;
struct fault;

enum cgroup_kind { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

/* Version 1 hierarchies, in the order of attaching. */
enum cgroup_controller {
	CGROUP_MEMORY,
	CGROUP_PIDS,
	CGROUP_CPU,
	CGROUP_CONTROLLERS
};

#define CGROUP_FDS_MAX CGROUP_CONTROLLERS
#define CGROUP_NAME_MAX 32

struct cgroup_host {
	enum cgroup_kind kind;
	unsigned has;                 /* bits 1 << enum cgroup_controller */
	int base[CGROUP_CONTROLLERS]; /* our directories; v2: [0] only; or -1 */
	int parent[CGROUP_CONTROLLERS];
	char name[64]; /* of the base directories */
	int single;    /* there will be one group: base itself is it */
	uint64_t next; /* serial of the next group */
	int leaf_dir;  /* version 2: the group we stepped down from, or -1 */
	char leaf[32]; /* into this one */
	char why[160]; /* when kind is NONE or a controller is missing: why */
};

struct cgroup_limits {
	uint64_t memory_bytes; /* 0: none */
	uint64_t pids;         /* 0: none */
	unsigned cpu_milli;    /* 1000 is one processor; 0: none */
};

/* Files of a group that are read again and again. */
enum cgroup_watched {
	CGROUP_PIDS_EVENTS,
	CGROUP_OOM_EVENTS,
	CGROUP_MEMORY_NOW,
	CGROUP_WATCHED
};

struct cgroup {
	char name[CGROUP_NAME_MAX];    /* "" when there is none */
	int dir[CGROUP_CONTROLLERS];   /* v2: [0] only; else -1 */
	int tasks[CGROUP_CONTROLLERS]; /* v1: to attach by; opened once */
	int watched[CGROUP_WATCHED];   /* opened when first read, or -1 */
};

struct cgroup_events {
	uint64_t oom_kills;   /* processes killed for memory */
	uint64_t pids_denied; /* forks refused */
};

/*
 * Probe, remove what dead engines left, make our base directories.  0 also
 * when there is nothing to use: kind and why say so.  single: there will be
 * at most one group at a time, which saves a level of directories.
 */
int cgroup_host_open(struct cgroup_host *h, int single, struct error *e);

/* Remove everything of ours (a zeroed one is fine); waits up to wait_ms for the last processes. */
void cgroup_host_close(struct cgroup_host *h, int wait_ms);

/* A new group; -1 and *e, and then nothing is left of it. */
int cgroup_make(struct cgroup_host *h, const struct cgroup_limits *l,
    struct cgroup *g, struct error *e);

/*
 * What a child needs to attach itself: v1 `tasks` of each controller, v2 the
 * directory.  How many are in fd; they stay the group's.  -1 and *e.
 */
int cgroup_attach_fds(const struct cgroup_host *h, struct cgroup *g,
    int fd[CGROUP_FDS_MAX], struct error *e);

/* Child side, v1: the calling single-threaded process joins. */
int cgroup_attach_self(const int *fd, unsigned nfd, struct fault *f);

/* What happened in the group since it was made. */
void cgroup_events(
    const struct cgroup_host *h, struct cgroup *g, struct cgroup_events *ev);

/* v2: kill everything in it, now; elsewhere 0 and nothing happens. */
void cgroup_kill(const struct cgroup_host *h, const struct cgroup *g);

/*
 * 0: gone (also closes it).  1: still busy, try again in a few ms.
 */
int cgroup_remove(struct cgroup_host *h, struct cgroup *g);

/*
 * An emptied group may be used again when next to nothing is charged to it any
 * more, measured by its limits l, and it met none of them.  1: it is as good as
 * new.  0: remove it instead.
 */
int cgroup_reuse(
    struct cgroup_host *h, const struct cgroup_limits *l, struct cgroup *g);

const char *cgroup_kind_name(enum cgroup_kind k); /* "none" "v1" "v2" */

#endif
