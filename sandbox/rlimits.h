#ifndef SKEP_SANDBOX_RLIMITS_H
#define SKEP_SANDBOX_RLIMITS_H

/* Resource limits of a command.  Async-signal-safe, child side. */

#include <stdint.h>

struct fault;

/* 0 means: leave what was inherited. */
struct rlimits {
	uint64_t files;         /* RLIMIT_NOFILE */
	uint64_t processes;     /* RLIMIT_NPROC: tasks of the sandbox's uid */
	uint64_t file_bytes;    /* RLIMIT_FSIZE */
	uint64_t cpu_seconds;   /* RLIMIT_CPU */
	uint64_t address_bytes; /* RLIMIT_AS: only where there is no cgroup */
	uint64_t stack_bytes;   /* RLIMIT_STACK */
};

/* Apply to the calling process, as far as they are stricter than its own. */
int rlimits_apply(const struct rlimits *r, struct fault *f);

/*
 * What is the same for all, and inherited from the zygote: core files 0,
 * message queues, pending signals and locked memory to fixed small values,
 * nice and real-time to none.
 */
int rlimits_apply_always(struct fault *f);

#endif
