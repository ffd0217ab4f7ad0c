#ifndef SKEP_ENGINE_RESULT_FILE_H
#define SKEP_ENGINE_RESULT_FILE_H

/*
 * The file that a batch's results go to, as it is found at the start: which
 * runs it holds already, and a last line that a crash tore apart.
 *
 * What stands in a regular file is the truth about what was written there;
 * it is read once, and no result of it is written twice.  Of a pipe nothing
 * can be known, so there the store's mark decides.
 */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/seen.h"

struct result_file {
	int fd;
	int is_regular;
	const char *name; /* for messages */
	struct seen run_ids;
	uint64_t lines;      /* whole result lines found */
	uint64_t torn_bytes; /* of the last line, removed; 0: none was */
};

/*
 * path NULL or "-": standard output.  Keeps path.  -1 and *e: CANNOT_CREATE
 * (missing or read-only folder), IO.
 */
int result_file_open(struct result_file *f, const char *path, struct error *e);
void result_file_close(struct result_file *f);

#endif
