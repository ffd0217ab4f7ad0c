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
 *	/tree/N	the host's folders that sandboxes show: workspaces, binds,
 *		other root file systems
 *	/new	where a sandbox puts its root before it moves in
 *
 * mounts_sandbox() runs in an init (or ahead of it, see stage.h), in that
 * sandbox's own copy: it binds the view, mounts a bounded tmpfs on /tmp,
 * /dev/shm and (unless a tree is given) /workspace, a private devpts, attaches
 * trees, protects what must be, and moves in.  Nothing outside is reachable
 * afterwards but what was attached.  mounts_proc() adds the proc of the pid
 * namespace that it is called in, and hides what must be.
 *
 * The sources of trees are resolved once, by the zygote, before the host's
 * tree is gone; no path of the host is ever resolved inside a sandbox, and
 * destinations are resolved below the new root without following symlinks.
 * As root a writable tree is id-mapped: its owner outside is the sandbox's
 * user inside, and the reverse for what is created.  Files in it that run with
 * their owner's rights outside are read-only inside.
 *
 * All of it is async-signal-safe, allocates nothing and reports step + errno.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fault;

#define MOUNTS_TREES_MAX 32
#define MOUNTS_PROTECTED_MAX 16
#define MOUNTS_LAYER_NAME 96 /* with its NUL */

/* A folder or file of the host; no "..", not "/", /proc, /sys, /dev. */
struct mounts_tree {
	const char *path; /* absolute */
	int read_only;
	int is_file; /* out */
	int fd;      /* out: O_PATH of /tree/N */
};

struct mounts_zygote {
	int privileged;   /* real root: nodes can be made, uids be mapped */
	const char *user; /* in /etc/passwd; NULL: "agent" */
	uid_t uid;        /* its number, inside */
	unsigned ntrees;
	struct mounts_tree *trees;
	int proc;       /* out: O_PATH descriptor of the unmasked /proc */
	unsigned masks; /* out: mounts_masks() of it */
};

/*
 * In a fresh mount namespace of the caller (which it makes private).
 * Afterwards the working directory is the tree's root.
 */
int mounts_zygote(struct mounts_zygote *z, struct fault *f);

/* What a workspace has to do with a layer. */
enum mounts_layer {
	MOUNTS_NO_LAYER,
	MOUNTS_ON_LAYER,  /* it is on top of it */
	MOUNTS_FILL_LAYER /* it is the layer: nothing is protected */
};

struct mounts_attach {
	unsigned tree;   /* index of mounts_zygote.trees */
	const char *dst; /* absolute inside; made if it does not exist */
};

struct userns_ids;

struct mounts_sandbox {
	const struct mounts_zygote *zygote;
	const struct userns_ids *ids;   /* who will own /tmp and /workspace */
	uint64_t tmp_bytes, tmp_inodes; /* of /tmp and /dev/shm, each; not 0 */
	uint64_t workspace_bytes, workspace_inodes; /* not 0 */
	int rootfs;    /* index of a tree (dir:PATH), or -1: the host view */
	int workspace; /* index of a tree, or -1: an empty tmpfs */
	int layers;    /* index of the tree that layers are in, or -1 */
	enum mounts_layer layering;
	const char *layer; /* its folder in the tree */
	unsigned nattach;
	const struct mounts_attach *attach;
	unsigned nprotect; /* relative to the workspace, read-only inside */
	const char *const *protect;
	int restricted; /* of the workspace only these can be written to */
	unsigned nwritable;
	const char *const *writable;
	/* Instead of the root's own, with their NULs; .bytes 0: that. */
	struct mounts_text {
		size_t bytes;
		const char *p;
	} passwd, group;
	int *ours; /* becomes the workspace as it is without protection */
};

/*
 * In a fresh mount namespace copied from the zygote's.  Afterwards the root is
 * the sandbox's and the working directory is "/".
 */
int mounts_sandbox(const struct mounts_sandbox *s, struct fault *f);

/* After that, in a fresh pid namespace; and off again, from anywhere. */
int mounts_proc(const struct mounts_zygote *z, struct fault *f);
int mounts_unproc(struct fault *f);

/* Which entries of this proc anybody but the host's root could open. */
unsigned mounts_masks(int proc);

/*
 * Lexical check of a destination inside: absolute, no "..", not "/" and not
 * at or below /proc, /sys, /dev.  Used by mounts_sandbox() and for early
 * messages.
 */
int mounts_dst_check(const char *dst, struct fault *f);

#endif
