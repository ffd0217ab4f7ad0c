/*
 * /etc/passwd and /etc/group of a sandbox whose users are not the root's own.
 *
 * They are written to a tmpfs that is only mounted for that, and each is bound
 * over the root's file.  A root file system of the caller's that has none, or
 * something else in its place, is left as it is; what it does have stays,
 * behind ours.
 */

#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/fault.h"
#include "sandbox/mounts_private.h"
#include "sandbox/userns.h"

#define OLD_BYTES_MAX (256 * 1024)

static int
write_text(const struct mounts_sandbox *s, const struct mounts_text *t,
    const char *path, int old)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t n = t->bytes - 1; /* without the NUL */
	int rc = -1;

	if (fd == -1)
		return -1;
	if (write(fd, t->p, n) == (ssize_t)n &&
	    (s->rootfs < 0 || sendfile(fd, old, NULL, OLD_BYTES_MAX) != -1))
		rc = 0;
	close(fd);
	return rc;
}

static int
put(const struct mounts_sandbox *s, const struct mounts_text *t, int etc,
    const char *name, struct fault *f)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
	char path[64];
	struct stat st;
	int old, tree = -1, rc = -1;

	old = openat(etc, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (old == -1)
		return 0;
	if (fstat(old, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(old);
		return 0;
	}
	(void)mounts_join(path, sizeof path, MOUNTS_SCRATCH "/", name);
	if (write_text(s, t, path, old) == -1)
		fault_at(f, "write /etc/", name);
	else if ((tree = open_tree(AT_FDCWD, path,
		      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)) == -1 ||
		 mount_setattr(tree, "", AT_EMPTY_PATH, &ro, sizeof ro) == -1 ||
		 move_mount(tree, "", etc, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		fault_at(f, "bind /etc/", name);
	else
		rc = 0;
	if (tree != -1)
		close(tree);
	close(old);
	return rc;
}

int
mounts_users(const struct mounts_sandbox *s, struct fault *f)
{
	const struct mounts_tmpfs t = {
	    2 * OLD_BYTES_MAX + 65536, 16, 0755, geteuid(), getegid()};
	int new, etc, rc;

	/* Hides what an overlay may have there already; that stays. */
	if (mounts_tmpfs(MOUNTS_SCRATCH, &t, f) == -1)
		return -1;
	new = open(MOUNTS_NEW, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (new == -1)
		return fault_at(f, "open the new root", NULL);
	etc = mounts_beneath(new, "etc", 0);
	close(new);
	if (etc == -1)
		return 0;
	rc = put(s, &s->passwd, etc, "passwd", f);
	if (rc == 0)
		rc = put(s, &s->group, etc, "group", f);
	close(etc);
	return rc;
}
