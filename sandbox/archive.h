#ifndef SKEP_SANDBOX_ARCHIVE_H
#define SKEP_SANDBOX_ARCHIVE_H

/*
 * A workspace as a tar stream: POSIX.1-2001 (pax), byte for byte the same for
 * the same content.
 *
 * Names in order, folders before what is in them; owner 0:0 without names;
 * times in whole seconds; files, folders and symbolic links, and nothing
 * else.  A file that shrinks while it is read is padded with zeros, one that
 * grows is cut, and done() says that this happened.
 */

#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/span.h"

struct archive;
struct loop;
struct sandbox;

struct archive_ops {
	/*
	 * Bytes of the stream: how many were taken.  Less than all: the
	 * archive waits for archive_resume().
	 */
	size_t (*bytes)(struct span s, void *owner);
	/* error == NULL: that was all.  torn: files changed meanwhile. */
	void (*done)(const struct error *error, unsigned torn, void *owner);
};

/* What is below path ("." is all of it); keeps sb and ops. */
struct archive *archive_start(struct loop *loop, struct sandbox *sb,
    const char *path, const struct archive_ops *ops, void *owner,
    struct error *e);
void archive_resume(struct archive *a);
void archive_cancel(struct archive *a); /* NULL is fine */

#endif
