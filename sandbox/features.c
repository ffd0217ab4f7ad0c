#include "sandbox/features.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sandbox/caps.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"

/* A call with arguments that a kernel which has it finds wrong. */
static int
exists(long rc)
{
	return rc != -1 || errno != ENOSYS;
}

/* The sysctl's number; -1 when there is no such file. */
static long
sysctl_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long value = -1;

	if (f == NULL)
		return -1;
	if (fscanf(f, "%ld", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

/* What stands in the way of a user namespace, without making one. */
static int
user_namespace_errno(const struct features *f)
{
	if (access("/proc/self/ns/user", F_OK) == -1)
		return ENOSYS;
	if (sysctl_number("/proc/sys/user/max_user_namespaces") == 0)
		return ENOSPC;
	if (f->root)
		return 0;
	if (sysctl_number("/proc/sys/kernel/unprivileged_userns_clone") == 0 ||
	    sysctl_number(
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
		return EPERM;
	return 0;
}

void
features_probe(struct features *f)
{
	struct utsname u;

	*f = (struct features){0};
	f->root = geteuid() == 0 && caps_has(CAP_SYS_ADMIN);
	f->user_namespace_errno = user_namespace_errno(f);
	f->user_namespace = f->user_namespace_errno == 0;
	f->seccomp = seccomp_is_available();
	f->landlock = landlock_abi();
	f->mount_idmap =
	    f->root && exists(syscall(SYS_mount_setattr, -1, "", 0, NULL, 0));
	f->openat2 = exists(syscall(SYS_openat2, -1, "", NULL, 0));
	if (uname(&u) == 0)
		(void)sscanf(
		    u.release, "%d.%d", &f->kernel_major, &f->kernel_minor);
	f->clone_into_cgroup = f->kernel_major > 5 ||
			       (f->kernel_major == 5 && f->kernel_minor >= 7);
}
