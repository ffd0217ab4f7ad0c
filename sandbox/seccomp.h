#ifndef SKEP_SANDBOX_SECCOMP_H
#define SKEP_SANDBOX_SECCOMP_H

/*
 * The system calls a command may make, as one BPF program.
 *
 * syscalls.def is the allow-list: what is not in it answers ENOSYS, what its
 * arguments forbid answers EPERM or what a kernel without that feature would
 * say.  Calls by another architecture's table (x32, int 0x80) are not in it.
 * seccomp_compile() runs once per profile in the engine; the program travels
 * to init as bytes and every sandbox only installs it.
 *
 * What the kernel does to install 270 instructions takes a seventh of the time
 * that a sandbox takes.  A filter is inherited, and of several the strictest
 * answer holds.  So the zygote wears an outer filter, the same list and what
 * building takes, and a sandbox adds an inner one of 25 instructions, which
 * refuses what building took.  Both together answer as the whole one does.
 *
 * The numbers are sorted into ranges and the ranges into a binary tree, so a
 * call is decided after about seven comparisons.  Both the tree over ranges
 * and "this argument is none of these" are beyond libseccomp, which also needs
 * 1.7 ms to compile as many rules where this needs 0.02; it gives the names.
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

/*
 * The two halves of it.  The profile's part is in the inner one, which says
 * nothing about other architectures and is no filter by itself.
 */
void seccomp_compile_outer(struct seccomp_program *p);
int seccomp_compile_inner(struct seccomp_program *p, const struct span *denied,
    size_t ndenied, struct error *e);

/* True when name is a system call of this machine (for `skep check`). */
int seccomp_name_is_known(struct span name);

/* The kernel takes filters. */
int seccomp_is_available(void);

/*
 * In the child: install p for this thread and what it starts.  NO_NEW_PRIVS
 * must be set.  Async-signal-safe.
 */
int seccomp_install(const struct seccomp_program *p, struct fault *f);

/* The version of libseccomp, for --version. */
void seccomp_library_version(char *out, size_t size);

#endif
