#ifndef SKEP_SANDBOX_INIT_H
#define SKEP_SANDBOX_INIT_H

/*
 * The life of a sandbox's pid 1.
 *
 * It is a fork of the zygote and never runs exec: it builds the sandbox around
 * itself, gives up every privilege, says READY and then serves the engine
 * until its socket closes.  It allocates nothing and is built of system calls
 * and static memory only, because it must work in whatever state memory is.
 */

struct box;
struct mounts_zygote;
struct seccomp_program;
struct zygote_create;

/* What the zygote hands to a new init: all borrowed from the zygote's copy. */
struct init_plan {
	const struct box *box;
	const struct seccomp_program *program;
	const struct zygote_create *create;
	const struct mounts_zygote *mounts;
	int sock;          /* to the engine */
	int netns;         /* or -1: make one */
	const int *stage;  /* STAGE_MOUNTS and STAGE_IPC, or NULL: build it */
	int ours;          /* STAGE_OURS of that, or -1 */
	const int *cgroup; /* to be joined; none with version 2 */
	unsigned cgroups_n;
};

_Noreturn void init_main(const struct init_plan *plan);

#endif
