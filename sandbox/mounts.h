#ifndef SKEP_SANDBOX_MOUNTS_H
#define SKEP_SANDBOX_MOUNTS_H

/*
 * What a sandbox sees of the file system.
 *
 * Theory of operation
 *
 * mounts_zygote() runs once, in the zygote, in a mount namespace of its own:
 * it builds a small tree on a private tmpfs and pivots into it, so that the
 * host's tree is gone before the first sandbox exists and a sandbox's mount
 * namespace is cheap to copy:
 *
 *	/view	the root file system `host`, read-only: /usr and the like
 *		from the host, an /etc of our own, empty mount points
 *	/dev	a read-only tmpfs with ready nodes (bound from the host where
 *		nodes cannot be made)
 *	/proc	unmasked, which later proc mounts need
 *	/new	where a sandbox puts its root before it pivots
 *
 * mounts_sandbox() runs in an init, in that sandbox's own copy: it binds the
 * view, mounts a bounded tmpfs on /tmp, /dev/shm and (unless a tree is given)
 * /workspace, a private devpts, a fresh proc, attaches the given trees, hides
 * and protects what must be, and pivots.  Nothing outside is reachable
 * afterwards but what was attached.
 *
 * A tree is a detached mount (open_tree) of a folder of the host, made by
 * mounts_tree() where the host is visible and attached here by descriptor: no
 * path of the host is ever resolved inside a sandbox, and destinations are
 * resolved below the new root without following symlinks.
 *
 * All of it is async-signal-safe, allocates nothing and reports step + errno.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fault;

#define MOUNTS_TREES_MAX 32
#define MOUNTS_PROTECTED_MAX 16

/* The zygote's tree. */
struct mounts_zygote {
	int privileged; /* in: real root: nodes can be made */
	int proc;       /* out: O_PATH descriptor of the unmasked /proc */
};

/*
 * In a fresh mount namespace of the caller (which it makes private).
 * Afterwards the working directory is the tree's root.
 */
int mounts_zygote(struct mounts_zygote *z, struct fault *f);

enum mounts_tree_flags {
	MOUNTS_TREE_READ_ONLY = 1,
	MOUNTS_TREE_FILE = 2, /* out of mounts_tree(): it is not a directory */
};

/*
 * A detached mount of the folder or file path, nosuid and nodev, read-only if
 * asked, presented through the user namespace idmap (-1: as it is); flags is
 * completed.  Refuses "/", anything at or below /proc, /sys and /dev (also
 * when path leads there), and "..".  The descriptor, or -1.  Call it where the
 * host is visible, with CAP_SYS_ADMIN over the mount namespace.
 */
int mounts_tree(const char *path, unsigned *flags, int idmap, struct fault *f);

struct mounts_attach {
	int fd;          /* from mounts_tree() */
	unsigned flags;  /* enum mounts_tree_flags */
	const char *dst; /* absolute inside; made if it does not exist */
};

/*
 * Where a tree's protected paths do not exist, stand-ins are made for the
 * life of the sandbox (inside nothing can be created there) and removed after
 * it by the zygote, which outlives both the init and the engine.
 */
struct mounts_standins {
	unsigned n;
	struct mounts_standin {
		int dir; /* of the parent */
		char name[256];
		dev_t dev;
		ino_t ino;
	} made[MOUNTS_PROTECTED_MAX];
};

/* Zygote: make what is missing in the tree, owned by uid:gid. */
int mounts_standins_make(struct mounts_standins *s, int tree,
    const char *const *protect, unsigned nprotect, uid_t uid, gid_t gid,
    struct fault *f);

/* Zygote, after the init is reaped: remove those that are still empty. */
void mounts_standins_remove(struct mounts_standins *s);

struct mounts_sandbox {
	int rootfs; /* dir:PATH as a tree's descriptor, or -1: the host view */
	uint64_t tmp_bytes, tmp_inodes; /* of /tmp and /dev/shm each; 0: 64M */
	uint64_t workspace_bytes, workspace_inodes;
	int workspace; /* a tree's descriptor, or -1: an empty tmpfs */
	uid_t uid;     /* host ids that own /tmp, /workspace */
	gid_t gid;
	unsigned nattach;
	const struct mounts_attach *attach;
	unsigned nprotect; /* relative to the workspace, read-only inside */
	const char *const *protect;
	const char *hostname;
};

/*
 * Child side: in a fresh mount namespace copied from the zygote's and a fresh
 * pid namespace.  Afterwards the root is the sandbox's, the working directory
 * is "/", and the hostname is set.
 */
int mounts_sandbox(const struct mounts_sandbox *s, struct fault *f);

/*
 * Lexical check of a destination inside: absolute, no "..", not "/" and not
 * at or below /proc, /sys, /dev.  Used by mounts_sandbox() and for early
 * messages.
 */
int mounts_dst_check(const char *dst, struct fault *f);

#endif
