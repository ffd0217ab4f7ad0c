#ifndef SKEP_SANDBOX_READING_H
#define SKEP_SANDBOX_READING_H

/*
 * A reading is the beginning of a workspace's file in memory, by the get verb:
 * at most so many bytes, in as many slices as it takes.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

struct error;
struct reading;
struct sandbox;

/*
 * error == NULL: bytes holds the file, or its first bytes_max bytes when size
 * says that there are more; both until this returns, and then the reading
 * ends.  Errors are those of sandbox_get(): NOT_FOUND, DENIED (it leads out of
 * the workspace), IO (no regular file), SANDBOX_LOST, FULL.
 */
typedef void reading_done_fn(
    const struct error *error, struct span bytes, uint64_t size, void *owner);

/* flags: of sandbox_get().  Keeps sb.  NULL and *e. */
struct reading *reading_start(struct sandbox *sb, const char *path,
    size_t bytes_max, unsigned flags, reading_done_fn *done, void *owner,
    struct error *e);

void reading_cancel(struct reading *r); /* NULL is fine */

#endif
