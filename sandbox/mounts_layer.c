/*
 * A workspace on top of a layer that others share.
 *
 * Theory of operation
 *
 * A layer is a folder of the host's, below the tree of layers that the zygote
 * keeps.  It is filled once, by a sandbox whose workspace it is, and read-only
 * for ever after: the workspaces that begin with it are overlays, each with an
 * upper folder on a tmpfs of its own, whose size and number of inodes are the
 * workspace's quota.  Nothing of it is ever shown but through an overlay.
 *
 * As root the layer belongs to a user who is nobody in particular, and an
 * id-mapped clone of it shows that user's files as the sandbox's own.  Without
 * root all sandboxes are the caller to the host, and need no map; what an
 * overlay notes in its upper folder goes into user attributes then.
 *
 * Folders are not redirected: what is below a folder that did not change is
 * as the layer has it, which finding changes relies upon.  Renaming a folder
 * of the layer is EXDEV, and mv(1) copies.
 */

#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/fault.h"
#include "sandbox/mounts_private.h"
#include "sandbox/userns.h"

#define LOWER MOUNTS_SCRATCH "/l"
#define UPPER MOUNTS_SCRATCH "/u"
#define WORK MOUNTS_SCRATCH "/w"
#define OWN_INODES 4 /* the tmpfs itself and the three folders */

/* The layer's folder as this sandbox may see it: a detached mount; -1. */
static int
clone_layer(const struct mounts_sandbox *s, struct fault *f)
{
	char at[MOUNTS_NUMBER], path[MOUNTS_NUMBER + MOUNTS_LAYER_NAME + 1];
	int tree;

	mounts_tree_path(at, (unsigned)s->layers);
	if (mounts_join(path, sizeof path, at, "/") == -1 ||
	    mounts_join(path + strlen(path), sizeof path - strlen(path),
		s->layer, "") == -1)
		return fault_at(f, "layer", s->layer);
	tree = open_tree(AT_FDCWD, path,
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (tree == -1)
		return fault_at(f, "open the layer", s->layer);
	if (s->zygote->privileged &&
	    mounts_map_ids(s, tree, "the layer", f) == -1) {
		close(tree);
		return -1;
	}
	return tree;
}

static int
make_folders(const struct mounts_sandbox *s, struct fault *f)
{
	const struct mounts_tmpfs t = {s->workspace_bytes,
	    s->workspace_inodes + OWN_INODES, 0755, geteuid(), getegid()};
	const mode_t mode = s->ids->more > 0 ? 01777 : 0755;

	if (mounts_tmpfs(MOUNTS_SCRATCH, &t, f) == -1)
		return -1;
	if (mkdir(LOWER, 0755) == -1 || mkdir(WORK, 0755) == -1 ||
	    mkdir(UPPER, mode) == -1 || chmod(UPPER, mode) == -1 ||
	    lchown(UPPER, s->ids->host_uid, s->ids->host_gid) == -1)
		return fault_at(f, "prepare the upper folder", NULL);
	return 0;
}

static int
mount_overlay(const struct mounts_sandbox *s, const char *at, struct fault *f)
{
	const char *how = s->zygote->privileged
			      ? "lowerdir=" LOWER ",upperdir=" UPPER
				",workdir=" WORK ",redirect_dir=off,"
				"metacopy=off,index=off"
			      : "lowerdir=" LOWER ",upperdir=" UPPER
				",workdir=" WORK ",userxattr";

	if (mount("overlay", at, "overlay", MS_NOSUID | MS_NODEV, how) == -1)
		return fault_at(f, "mount the overlay", NULL);
	return 0;
}

/* The layer on LOWER, and folders to go with it. */
static int
put_below(const struct mounts_sandbox *s, struct fault *f)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
	int tree = clone_layer(s, f), rc = -1;

	if (tree == -1)
		return -1;
	if (make_folders(s, f) == 0) {
		if (mount_setattr(tree, "", AT_EMPTY_PATH, &ro, sizeof ro) ==
			-1 ||
		    move_mount(tree, "", AT_FDCWD, LOWER,
			MOVE_MOUNT_F_EMPTY_PATH) == -1)
			fault_at(f, "attach the layer", NULL);
		else
			rc = 0;
	}
	close(tree);
	return rc;
}

int
mounts_layer_use(const struct mounts_sandbox *s, struct fault *f)
{
	return put_below(s, f) == -1
		   ? -1
		   : mount_overlay(s, MOUNTS_NEW "/workspace", f);
}

int
mounts_layer_fill(const struct mounts_sandbox *s, struct fault *f)
{
	int tree, rc = 0;

	/* What will be needed of the kernel later is tried now. */
	if (put_below(s, f) == -1 ||
	    mount_overlay(s, MOUNTS_NEW "/workspace", f) == -1)
		return -1;
	if (umount2(MOUNTS_NEW "/workspace", 0) == -1)
		return fault_at(f, "unmount the overlay", NULL);
	tree = clone_layer(s, f);
	if (tree == -1)
		return -1;
	if (move_mount(tree, "", AT_FDCWD, MOUNTS_NEW "/workspace",
		MOVE_MOUNT_F_EMPTY_PATH) == -1)
		rc = fault_at(f, "attach the layer", NULL);
	close(tree);
	return rc;
}
