#ifndef SKEP_SANDBOX_ETC_H
#define SKEP_SANDBOX_ETC_H

/*
 * The /etc of the `host` root file system: a few files of our own and a few
 * of the host's that hold no secret.  Child side, async-signal-safe.
 */

struct fault;

/* Fill the directory dir; host is a descriptor of the host's "/". */
int etc_build(int dir, int host, struct fault *f);

/* The name, home and shell that /etc/passwd gives the sandbox's user. */
#define ETC_USER "agent"
#define ETC_UID 1000
#define ETC_GID 1000
#define ETC_HOME "/workspace"

#endif
