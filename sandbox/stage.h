#ifndef SKEP_SANDBOX_STAGE_H
#define SKEP_SANDBOX_STAGE_H

/*
 * A stage is what a sandbox's files look like before there is a sandbox: a
 * mount namespace with everything in it but /proc, and an IPC namespace.
 *
 * Theory of operation
 *
 * Mounting three tmpfs and a devpts, protecting folders of the workspace and
 * taking all of it down again is a third of a sandbox's cost.  A sandbox owns
 * no capability over these namespaces and cannot change a mount, so what it
 * leaves behind is what it wrote: files, or System V and POSIX objects.  When
 * it has ended and nothing of that kind is there, the stage is as good as new
 * and serves again; otherwise it is thrown away, namespaces and all.
 *
 * So the maker (maker.h) builds stages ahead of time, for one profile and one
 * user each, and looks over those that come back: every folder that could be
 * written to must be, to its time of change, what it was when it was made, no
 * block or inode may be in use, no IPC object and no terminal exist.  Then it
 * takes the dead's /proc off.  Descriptors of a stage are the engine's; here
 * is only kept how it looked.
 *
 * Only for sandboxes whose workspace is a plain tmpfs, that have one user and
 * no writable folder of the host, which others could have too and send each
 * other descriptors in: the rest is built by init itself, with stage_build().
 */

#include <stdint.h>

#include "sandbox/mounts.h"

struct box;
struct fault;
struct mounts_text;
struct mounts_zygote;
struct userns_ids;

#define STAGES_MAX 4096 /* per engine: their numbers */

enum stage_fd {
	STAGE_MOUNTS, /* the mount namespace */
	STAGE_IPC,    /* the IPC namespace */
	STAGE_QUEUES, /* its POSIX message queues, a folder */
	STAGE_OURS,   /* the workspace without its protection; may be missing */
	STAGE_FDS
};

/* What a stage is built for; all borrowed. */
struct stage_plan {
	const struct mounts_zygote *mounts;
	const struct box *box;
	const struct userns_ids *ids;
	const struct mounts_text *passwd, *group; /* or NULL: the root's own */
	enum mounts_layer layering;               /* init only */
	const char *layer;
};

/*
 * Build the file system of plan, all but /proc, in a fresh mount namespace
 * copied from the zygote's.  *ours becomes a descriptor of the workspace as it
 * is without protection, or stays as it is.
 */
int stage_build(const struct stage_plan *plan, int *ours, struct fault *f);

/*
 * Maker: the stage of this number, in fresh namespaces of its own; self is the
 * caller's directory in a proc.  fd[STAGE_OURS] may become -1.  The caller is
 * in the stage afterwards, also when it fails.
 */
int stage_make(const struct stage_plan *plan, unsigned number, int self,
    int fd[STAGE_FDS], struct fault *f);

/*
 * Maker: is it as it was made?  Its last sandbox is dead.  Takes /proc off.
 * fd[STAGE_OURS] is not looked at.  The caller is in the stage afterwards.
 */
int stage_is_clean(
    const struct box *box, unsigned number, const int fd[STAGE_FDS]);

/* Init: go there, instead of building; then mounts_proc(). */
int stage_enter(const int fd[2], struct fault *f);

#endif
