#ifndef SKEP_SANDBOX_CHANGES_H
#define SKEP_SANDBOX_CHANGES_H

/*
 * What a run left in its workspace that was not there before: every regular
 * file made or changed since a moment, with its size and SHA-256.
 *
 * The moment is a file's status-change time as the sandbox's file system
 * counts it, which commands cannot set: see sandbox_filled_ns().
 */

#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/list.h"

struct changes;
struct loop;
struct sandbox;

struct changed_file {
	struct list_node link;
	const char *path; /* relative to the workspace */
	uint64_t bytes;
	struct digest digest;
	int is_new; /* it did not exist before */
};

/* files: struct changed_file, in path order, in the arena. */
typedef void changes_done_fn(
    const struct list *files, const struct error *error, void *owner);

/*
 * Find them; since_ns is sandbox_filled_ns() or any time of the same clock.
 * Keeps sb and a until done; ends when done returns.
 */
struct changes *changes_start(struct loop *loop, struct sandbox *sb,
    int64_t since_ns, struct arena *a, changes_done_fn *done, void *owner,
    struct error *e);
void changes_cancel(struct changes *c); /* NULL is fine */

#endif
