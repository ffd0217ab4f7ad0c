#ifndef SKEP_SANDBOX_BACKEND_NULL_H
#define SKEP_SANDBOX_BACKEND_NULL_H

/*
 * A backend without processes, for tests of what stands above: commands play
 * a script, files live in memory, and time and loss come when the test says.
 * What exec.c and files.c promise holds as with the real one.
 */

#include <stdint.h>

#include "sandbox/sandbox.h"

struct null_command {
	const char *pattern; /* of argv joined by blanks, as the shell's */
	const char *out, *err;
	int exit;
	int signal;        /* it ends by this one instead */
	int exec_errno;    /* it cannot be started */
	uint64_t after_ms; /* runs so long, then writes and ends */
	int for_ever;      /* ends by signals only */
	int ignores_term;  /* and by KILL only */
	int ignores_kill;  /* only the sandbox's end ends it */
	int echo;          /* writes what it reads until the end of stdin */
	unsigned limits;   /* 1u << VERDICT_x that it meets */
};

struct null_script {
	const struct null_command *commands; /* the first match counts; */
	unsigned commands_n;                 /* none: exit 127 */
	uint64_t create_ms;
	const char *create_fails; /* the step; NULL: it does not */
};

/* Keeps the script. */
struct sandbox_host *null_host_new(struct loop *loop,
    const struct sandbox_host_settings *settings,
    const struct null_script *script, struct error *e);

/* The sandbox is lost, as if its pid 1 had died; not before this returns. */
void null_break(struct sandbox *sb);

#endif
