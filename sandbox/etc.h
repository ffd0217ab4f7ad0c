#ifndef SKEP_SANDBOX_ETC_H
#define SKEP_SANDBOX_ETC_H

/*
 * The /etc of the `host` root file system: a few files of our own and a few
 * of the host's that hold no secret.  Child side, async-signal-safe.
 */

#include <sys/types.h>

struct fault;

#define ETC_USER "agent"
#define ETC_UID 1000
#define ETC_HOME "/workspace"

/*
 * Fill the directory dir; host is a descriptor of the host's "/".  The
 * sandbox's user is called user (NULL: ETC_USER) and has this uid and gid.
 */
int etc_build(int dir, int host, const char *user, uid_t uid, struct fault *f);

#endif
