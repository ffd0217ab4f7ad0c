#ifndef SKEP_SANDBOX_UNZIP_H
#define SKEP_SANDBOX_UNZIP_H

/*
 * Reading a zip file: its directory, zip64 included, and where the bytes of
 * each member are.  Pure: bytes come from a function.
 *
 * Only the directory at the end counts; what the head before a member's bytes
 * says about it is not believed.
 */

#include "sandbox/member.h"

/* n bytes at offset into to, all of them; -1 when they cannot be had. */
typedef int unzip_read_fn(void *owner, uint64_t offset, char *to, size_t n);

struct unzip {
	unzip_read_fn *read;
	void *owner;
	uint64_t size;     /* of the file */
	uint64_t at, end;  /* of the directory: what comes next */
	uint64_t entries;  /* left */
	const char *fault; /* "" or why it is none */
	struct member member;

	/* Of the member: how its bytes are written. */
	int is_deflated;
	uint32_t crc;
	uint64_t packed; /* bytes in the file */
	uint64_t head;   /* where it begins */
};

/* Find the directory; -1 and fault. */
int unzip_open(
    struct unzip *z, unzip_read_fn *read, void *owner, uint64_t size);

/* The next member: 1, 0 at the end, -1 and fault. */
int unzip_next(struct unzip *z);

/* Where the member's bytes begin; -1 and fault. */
int unzip_content(struct unzip *z, uint64_t *offset);

#endif
