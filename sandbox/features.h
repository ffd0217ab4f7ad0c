#ifndef SKEP_SANDBOX_FEATURES_H
#define SKEP_SANDBOX_FEATURES_H

/*
 * What this host offers to a sandbox: found at start by asking the kernel,
 * shown by `skep doctor`, written in every result.  A profile that needs what
 * is missing here refuses to start.
 */

struct features {
	int root;           /* effective uid 0 with CAP_SYS_ADMIN */
	int user_namespace; /* can be made */
	int user_namespace_errno;
	int seccomp;     /* filters can be installed */
	int landlock;    /* ABI; 0: none */
	int mount_idmap; /* mount_setattr with MOUNT_ATTR_IDMAP */
	int openat2;     /* path resolution that cannot be tricked */
	int clone_into_cgroup;
	int kernel_major, kernel_minor;
};

/* The cheap part: no fork, a dozen system calls. */
void features_probe(struct features *f);

#endif
