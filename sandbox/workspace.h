#ifndef SKEP_SANDBOX_WORKSPACE_H
#define SKEP_SANDBOX_WORKSPACE_H

/*
 * Filling a fresh workspace from a manifest, by the file verbs.
 *
 * Sources are read on the host, a slice a turn of the loop, below the folder
 * the manifest allows and without following a symbolic link anywhere: one
 * that is met is an error.  FIFOs, sockets and devices in a local_dir are left
 * out.
 */

#include <stdint.h>

struct error;
struct git_remotes;
struct loop;
struct manifest;
struct sandbox;
struct workspace;

/*
 * error == NULL: all is in, the last change at last_change_ns of file_stat's
 * clock.  MANIFEST, IO, SANDBOX_LOST.
 */
typedef void workspace_done_fn(
    const struct error *error, int64_t last_change_ns, void *owner);

/*
 * Keeps m and remotes, which may be NULL when nothing is to be fetched, until
 * done; the workspace object ends when done returns.
 */
struct workspace *workspace_start(struct loop *loop, struct sandbox *sb,
    const struct manifest *m, const struct git_remotes *remotes,
    workspace_done_fn *done, void *owner, struct error *e);

void workspace_cancel(struct workspace *w); /* NULL is fine */

#endif
