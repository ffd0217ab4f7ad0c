#ifndef SKEP_SANDBOX_CAPS_H
#define SKEP_SANDBOX_CAPS_H

/* Giving up privilege, for good.  Async-signal-safe, child side. */

struct fault;

/*
 * Empty the ambient, bounding, inheritable, permitted and effective sets and
 * set NO_NEW_PRIVS and the securebits that keep uid 0 from getting them back.
 * After userns_enter(), before seccomp_install().
 */
int caps_drop_all(struct fault *f);

/*
 * The same, but keep what it takes to become another user of this user
 * namespace and to end what that one started.
 */
int caps_drop_but_users(struct fault *f);

/* What is left of those; 0, or -1 and errno.  Between clone and exec. */
int caps_drop_rest(void);

/* Does this process hold capability cap (CAP_*) effectively? */
int caps_has(int cap);

#endif
