#ifndef SKEP_SANDBOX_CHANGES_H
#define SKEP_SANDBOX_CHANGES_H

/*
 * What a run changed in its workspace: every regular file that was added,
 * modified or deleted since the manifest went in, with size and SHA-256.
 *
 * What was there before is known from the sandbox's baseline, so a file that
 * was replaced by another of its name is modified.  Whether one that stayed
 * was touched is told by its status-change time as the sandbox's file system
 * counts it, which commands cannot set: content, mode or owner changed, or it
 * was written anew with what it held before.
 *
 * Folders and symbolic links are not listed; a file that one of them replaced
 * is deleted.  What cannot be read has no digest, and a folder that cannot be
 * looked into is listed itself, as hidden: a command that shuts its folder is
 * told of, and nothing below it is called deleted.
 */

#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/list.h"

struct changes;
struct loop;
struct sandbox;

#define CHANGES_FILES_MAX 1000 /* listed; more are counted */

enum change { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED, CHANGE_HIDDEN };

const char *change_name(enum change c);

struct changed_file {
	struct list_node link;
	enum change change;
	int has_digest;   /* not of what is deleted, hidden or unreadable */
	const char *path; /* relative to the workspace */
	uint64_t bytes;
	struct digest digest;
};

/*
 * files: struct changed_file, in path order, in the arena; omitted: how many
 * more there are.  error: SANDBOX_LOST, or TOO_BIG when there are more than
 * can be walked; then files is what was found before.
 */
typedef void changes_done_fn(const struct list *files, uint64_t omitted,
    const struct error *error, void *owner);

/*
 * Find them, in a sandbox that was made with a spec that says `remembers`.
 * Keeps sb and a until done; ends when done returns.  NULL and *e: FULL, or
 * TOO_BIG when there was too much to remember.
 */
struct changes *changes_start(struct loop *loop, struct sandbox *sb,
    struct arena *a, changes_done_fn *done, void *owner, struct error *e);
void changes_cancel(struct changes *c); /* NULL is fine */

#endif
