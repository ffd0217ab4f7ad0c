#ifndef SKEP_SANDBOX_STANDINS_H
#define SKEP_SANDBOX_STANDINS_H

/*
 * Stand-ins: empty folders and files in a caller's workspace.
 *
 * Theory of operation
 *
 * What is to be a mount point must exist: protected and writable paths, and
 * destinations of binds below /workspace.  In a folder of the caller those
 * that are missing are made, owned by the folder's owner, for the life of the
 * sandbox (inside nothing can be created in their place) and removed after it
 * by the zygote, which outlives both the init and the engine.
 *
 * Several sandboxes may share a folder.  Removing a folder takes the mounts
 * off it in every other mount namespace, and with them the protection: so
 * whoever relies on one holds a shared lock (flock) on it, and it is removed
 * only under an exclusive one.  A stand-in carries a mark, its sticky bit, so
 * that the last one out knows it for what it is, and so does the next sandbox
 * on the folder when a zygote was killed before it could tidy up.
 */

#include <sys/types.h>

struct box;
struct fault;
struct mounts_tree;

#define STANDINS_MAX 128

struct standins {
	unsigned n;
	struct standin {
		int dir;  /* its parent */
		int fd;   /* itself, locked */
		int ours; /* to be removed; or the caller's, held only */
		int is_file;
		dev_t dev;
		ino_t ino;
		char name[256];
	} held[STANDINS_MAX];
};

/*
 * Zygote: hold what the box needs in its workspace, one of trees, and make
 * what is missing.  Adds to *s, which starts zeroed; on failure what was made
 * is in it, to be removed.
 */
int standins_make(struct standins *s, const struct box *b,
    const struct mounts_tree *trees, struct fault *f);

/* After the init is reaped: remove those that are empty and nobody else's. */
void standins_remove(struct standins *s);

/* Engine: what a dead zygote has left in the folder; s as scratch, zeroed. */
void standins_sweep(
    struct standins *s, const struct box *b, const char *workspace);

#endif
