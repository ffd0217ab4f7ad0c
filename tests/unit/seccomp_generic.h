#ifndef SKEP_TESTS_UNIT_SECCOMP_GENERIC_H
#define SKEP_TESTS_UNIT_SECCOMP_GENERIC_H

/*
 * sandbox/seccomp.c compiled once more, with the numbers of the table that
 * aarch64 has (and, but for its ABI's name, every newer machine), whatever
 * this machine is: so that both of skep's tables are tested everywhere.
 */

#include <stddef.h>

struct error;
struct seccomp_program;
struct span;

int generic_compile(struct seccomp_program *p, const struct span *denied,
    size_t ndenied, struct error *e);

/* What seccomp_data.arch says there. */
extern const unsigned generic_arch;

/* The number of a call by its name; -1: it has none there. */
int generic_number(const char *name);

/* 0: not in syscalls.def.  1: allowed.  2: its arguments decide. */
int generic_is_listed(int nr);

#endif
