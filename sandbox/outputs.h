#ifndef SKEP_SANDBOX_OUTPUTS_H
#define SKEP_SANDBOX_OUTPUTS_H

/*
 * Collecting declared outputs: files of a workspace are copied by the get
 * verb into a folder outside, hashed on the way.
 *
 * An output is a path relative to the workspace; one that ends in "/" is a
 * folder with everything in it.  Symbolic links are never followed and are
 * left out, as is all that is neither file nor folder.  The copy is written
 * beside its place and renamed, with mode 0644 or 0755.
 *
 * One that begins with OUTPUTS_ARCHIVE is a folder that is delivered as one
 * file, FOLDER.tar (workspace.tar for the whole), with its symbolic links,
 * modes and times: see archive.h.
 */

#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/list.h"

struct loop;
struct outputs;
struct profile_limits;
struct sandbox;

#define OUTPUTS_ARCHIVE "/tar/"

/* One collected file, in the arena given to outputs_start(). */
struct output_file {
	struct list_node link;
	const char *path; /* relative to the workspace */
	uint64_t bytes;
	struct digest digest;
};

struct outputs_limits {
	uint64_t bytes_max; /* of all files; 0: none */
	unsigned files_max; /* 0: 10000 */
};

/*
 * What a workspace within its profile's limits on disk can hold at most: hard
 * links and holes would fill ours with what is nothing in the sandbox.
 */
void outputs_limits_of(const struct profile_limits *profile,
    const char *const *paths, struct outputs_limits *limits);

/*
 * error == NULL, or OUTPUT_MISSING (a declared path does not exist, or a run
 * made what cannot be read or named outside), TOO_BIG, SANDBOX_LOST; IO and
 * CANNOT_CREATE are about the folder outside, never about what a run did.  files has what was collected before that.  The outputs
 * object ends when done returns.
 */
typedef void outputs_done_fn(
    const struct list *files, const struct error *error, void *owner);

/*
 * Copy paths (NULL-terminated, kept) into the folder dir (made when missing,
 * its parents too).  Keeps sb and a until done.
 */
struct outputs *outputs_start(struct loop *loop, struct sandbox *sb,
    const char *const *paths, const char *dir,
    const struct outputs_limits *limits, struct arena *a, outputs_done_fn *done,
    void *owner, struct error *e);
void outputs_cancel(struct outputs *o);

#endif
