#ifndef SKEP_SANDBOX_INFLATE_H
#define SKEP_SANDBOX_INFLATE_H

/*
 * Deflated bytes made whole, as they come; the work is zlib's.  All memory is
 * in the struct: nothing is allocated.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

enum inflate_kind {
	INFLATE_RAW, /* as in a zip file */
	INFLATE_GZIP /* one member or several, behind each other */
};

enum inflate_event {
	INFLATE_MORE, /* all of *in was taken, or out is full */
	INFLATE_END,  /* what follows in *in does not belong to it */
	INFLATE_BAD
};

struct inflate {
	enum inflate_kind kind;
	_Alignas(16) char stream[256];
	size_t used;
	_Alignas(16) char memory[56 * 1024];
};

/* -1: it cannot be. */
int inflate_begin(struct inflate *i, enum inflate_kind kind);

/* Take from *in, put up to room bytes at out; *made says how many. */
enum inflate_event inflate_next(
    struct inflate *i, struct span *in, char *out, size_t room, size_t *made);

/* CRC-32 as zip files have it; begins with 0. */
uint32_t inflate_crc(uint32_t crc, struct span s);

/* The version of zlib. */
void inflate_library_version(char *out, size_t size);

#endif
