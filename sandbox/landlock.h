#ifndef SKEP_SANDBOX_LANDLOCK_H
#define SKEP_SANDBOX_LANDLOCK_H

/*
 * Landlock as a second wall where the kernel has it: signals and abstract
 * sockets cannot leave the sandbox even if a namespace were to leak (ABI 6).
 * Child side, async-signal-safe.
 */

struct fault;

/* The kernel's Landlock ABI; 0: none. */
int landlock_abi(void);

/*
 * Scope the calling process and its children; 0 also when the kernel cannot.
 * After NO_NEW_PRIVS, before seccomp_install() (which forbids it).
 */
int landlock_scope(int abi, struct fault *f);

#endif
