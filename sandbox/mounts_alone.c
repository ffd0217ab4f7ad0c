/*
 * Making the zygote's mounts its own, so that nothing it mounts is seen by
 * the host.
 *
 * Theory of operation
 *
 * Normally that is one call on "/".  In a chroot "/" is no mount, and the call
 * refuses, because the mount that matters lies above.  Only the kernel's own
 * rule can be followed there: step out (a chroot does not hold a process with
 * the privilege to make one), make the mounts private at the real root, put a
 * mount on the chroot's folder, and make that the root of this namespace.
 * Afterwards there is less to see than before, not more.
 */

#include "sandbox/mounts_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "sandbox/fault.h"

/* Climb from the working folder to the root of the mount namespace. */
static int
climb(void)
{
	struct stat here, above;

	if (stat(".", &here) == -1)
		return -1;
	for (int i = 0; i < LIMIT_PATH; i++) {
		if (chdir("..") == -1 || stat(".", &above) == -1)
			return -1;
		if (above.st_dev == here.st_dev && above.st_ino == here.st_ino)
			return 0;
		here = above;
	}
	errno = ELOOP;
	return -1;
}

/* Make the folder that fd names a mount, and that mount the root. */
static int
enter(int fd)
{
	char path[LIMIT_PATH];

	/* The path leads on to the new mount; the descriptor below it. */
	return fchdir(fd) == -1 ||
		       mount(".", ".", NULL, MS_BIND | MS_REC, NULL) == -1 ||
		       getcwd(path, sizeof path) == NULL || chdir(path) == -1 ||
		       syscall(SYS_pivot_root, ".", ".") == -1 ||
		       umount2(".", MNT_DETACH) == -1
		   ? -1
		   : 0;
}

static int
leave_chroot(struct fault *f)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root == -1)
		return fault_at(f, "open /", NULL);
	/* A root further down leaves the working folder outside of it. */
	if (chroot("/proc") == -1 || fchdir(root) == -1 || climb() == -1 ||
	    chroot(".") == -1) {
		fault_at(f, "step out of the chroot", NULL);
		goto fail;
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1) {
		fault_at(f, "make mounts private", NULL);
		goto fail;
	}
	if (enter(root) == -1) {
		fault_at(f, "make the chroot a mount", NULL);
		goto fail;
	}
	close(root);
	return 0;
fail:
	close(root);
	return -1;
}

int
mounts_alone(struct fault *f)
{
	char cwd[LIMIT_PATH];

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return 0;
	if (errno != EINVAL)
		return fault_at(f, "make mounts private", NULL);
	if (getcwd(cwd, sizeof cwd) == NULL)
		return fault_at(f, "find the working folder", NULL);
	if (leave_chroot(f) == -1)
		return -1;
	if (chdir(cwd) == -1)
		return fault_at(f, "return to", cwd);
	return 0;
}
