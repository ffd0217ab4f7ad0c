#ifndef SKEP_SANDBOX_MOUNTS_PRIVATE_H
#define SKEP_SANDBOX_MOUNTS_PRIVATE_H

/* Between the files of mounts, and etc.c.  Nothing here allocates. */

#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/types.h>

/* glibc calls the kernel's OPEN_TREE flag AT_RECURSIVE by this name only in
 * <linux/fcntl.h>, which clashes with <fcntl.h>. */
#ifndef AT_RECURSIVE
#	define AT_RECURSIVE 0x8000
#endif

struct fault;
struct mounts_sandbox;

#define MOUNTS_NUMBER 24
#define MOUNTS_NEW "/new"
#define MOUNTS_VIEW "/view"
#define MOUNTS_SCRATCH "/scratch"

/* Mounts of this namespace no longer reach the host, in a chroot neither. */
int mounts_alone(struct fault *f);

/* Decimal text of v in out, NUL-terminated. */
void mounts_number(char out[MOUNTS_NUMBER], uint64_t v);

/* Copy a and b into out, NUL-terminated; -1 (ENAMETOOLONG) if cut. */
int mounts_join(char *out, size_t size, const char *a, const char *b);

/* "/tree/N" */
void mounts_tree_path(char out[MOUNTS_NUMBER], unsigned tree);

/*
 * Open path below dir (O_PATH), never leaving it; with symlinks 0 none is
 * followed.  -1 and errno.
 */
int mounts_beneath(int dir, const char *path, int symlinks);

/* A tmpfs of this size, mode and owner on path. */
struct mounts_tmpfs {
	uint64_t bytes, inodes;
	unsigned mode, uid, gid;
};
int mounts_tmpfs(
    const char *path, const struct mounts_tmpfs *t, struct fault *f);

/*
 * A folder or file that is missing, owned by uid:gid, with extra mode bits; 0,
 * or -1 and errno.
 */
int mounts_make(int dir, const char *name, int is_file, unsigned extra,
    uid_t uid, gid_t gid);

/* Let what fd shows be a mount of its own there, read-only or not. */
int mounts_pin(int fd, int read_only, const char *name, struct fault *f);

/* mounts_root.c: a root on MOUNTS_NEW entry by entry out of lower. */
int mounts_root_build(const char *lower, struct fault *f);

/* A clone of tree N, id-mapped for s when it is writable; -1. */
int mounts_clone(
    const struct mounts_sandbox *s, unsigned tree, struct fault *f);

/* Let the owner of the clone be the sandbox's user in it. */
int mounts_map_ids(const struct mounts_sandbox *s, int tree, const char *path,
    struct fault *f);

/* mounts_layer.c: /workspace on top of s->layer, or the layer to be filled. */
int mounts_layer_use(const struct mounts_sandbox *s, struct fault *f);
int mounts_layer_fill(const struct mounts_sandbox *s, struct fault *f);

/* Attach every tree of s->attach below MOUNTS_NEW. */
int mounts_attach_all(const struct mounts_sandbox *s, struct fault *f);

/*
 * mounts_guard.c: below the folder that the attached tree shows, make every
 * setuid and setgid file and every one with capabilities read-only.  Changes
 * the working folder.
 */
int mounts_guard(int tree, const char *name, struct fault *f);

/* mounts_guard.c: refuse such a file where it is a tree of its own. */
int mounts_guard_file(const char *path, struct fault *f);

/* mounts_users.c: s->passwd and s->group in /etc below MOUNTS_NEW. */
int mounts_users(const struct mounts_sandbox *s, struct fault *f);

/* mounts_protect.c: make protected paths of the workspace read-only. */
int mounts_protect_all(const struct mounts_sandbox *s, struct fault *f);

#endif
