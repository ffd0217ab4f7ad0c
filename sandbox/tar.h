#ifndef SKEP_SANDBOX_TAR_H
#define SKEP_SANDBOX_TAR_H

/*
 * Headers of a tar stream, POSIX.1-2001; pure.
 *
 * What does not fit a ustar header (a name above 100 bytes, a link's target
 * likewise, a size of 8 GiB or more) goes into a pax header before it.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

#define TAR_BLOCK 512
#define TAR_HEADER_MAX (24 * 1024) /* all blocks before an entry's bytes */

enum tar_kind { TAR_FILE, TAR_FOLDER, TAR_LINK };

struct tar_entry {
	enum tar_kind kind;
	struct span path;   /* without a final '/' */
	struct span target; /* of a link */
	uint32_t mode;
	uint64_t size; /* of a file */
	int64_t mtime; /* seconds */
};

/* Into out, of TAR_HEADER_MAX bytes; how many, a multiple of TAR_BLOCK. */
size_t tar_header(const struct tar_entry *entry, char *out);

/* Zeros behind size bytes of a file, up to the next block. */
static inline size_t
tar_padding(uint64_t size)
{
	return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/* The stream ends with this many zeros. */
#define TAR_END (2 * TAR_BLOCK)

#endif
