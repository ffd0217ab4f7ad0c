#ifndef SKEP_SANDBOX_SECCOMP_H
#define SKEP_SANDBOX_SECCOMP_H

/*
 * The system calls a command may make, as one BPF program.
 *
 * syscalls.def is the allow-list: what is not in it answers ENOSYS, what its
 * arguments forbid answers EPERM, and a call from another architecture (x32,
 * int 0x80) kills the process.  seccomp_compile() runs once per profile in the
 * engine; the program travels to init as bytes and every sandbox only
 * installs it, so a filter costs an init one system call.
 *
 * The numbers are sorted into ranges and the ranges into a binary tree, so a
 * call is decided after about seven comparisons.
 */

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

struct error;
struct fault;

#define SECCOMP_INSNS_MAX 512

struct seccomp_program {
	uint32_t n; /* instructions */
	struct sock_filter insn[SECCOMP_INSNS_MAX];
};

/* The bytes of p that need to travel. */
static inline size_t
seccomp_program_bytes(const struct seccomp_program *p)
{
	return offsetof(struct seccomp_program, insn) +
	       p->n * sizeof p->insn[0];
}

/*
 * Compile the allow-list less the ndenied names a profile takes away.  An
 * unknown name is an error that says so.
 */
int seccomp_compile(struct seccomp_program *p, const struct span *denied,
    size_t ndenied, struct error *e);

/* True when name is a system call of this machine (for `skep check`). */
int seccomp_name_is_known(struct span name);

/*
 * In the child: install p for this thread and what it starts.  NO_NEW_PRIVS
 * must be set.  Async-signal-safe.
 */
int seccomp_install(const struct seccomp_program *p, struct fault *f);

/* What p answers to a call: SECCOMP_RET_*; for tests. */
uint32_t seccomp_decide(const struct seccomp_program *p, uint32_t arch, int nr,
    const uint64_t *arg6);

#endif
