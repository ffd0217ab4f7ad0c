#ifndef SKEP_SANDBOX_UNTAR_H
#define SKEP_SANDBOX_UNTAR_H

/*
 * Reading a tar stream: ustar, pax, and what GNU tar writes; a push parser
 * that is given bytes as they come and owns nothing.
 *
 * Each header must carry its checksum.  Sparse files, links with contents and
 * whatever else nobody needs are told as MEMBER_OTHER; whose archive it is
 * decides.  The stream ends with a block of zeros.
 */

#include "sandbox/member.h"
#include "sandbox/tar.h"

#define UNTAR_EXTENSION_MAX (64 * 1024) /* one pax header or long name */

enum untar_event {
	UNTAR_MORE,   /* all was taken; give more */
	UNTAR_MEMBER, /* one begins: u->member */
	UNTAR_BYTES,  /* of its content: u->bytes */
	UNTAR_END,    /* of the archive */
	UNTAR_BAD     /* u->fault */
};

struct untar {
	struct member member;
	struct span bytes;
	const char *fault;

	int state;
	uint64_t left;    /* of the content being read, */
	uint64_t padding; /* and behind it */
	size_t have;      /* of block or extension */
	size_t extension_n;
	uint64_t headers; /* so far, extensions included */
	char kind;        /* of the extension being read */
	int is_sparse;
	int has_size;
	uint64_t size; /* from pax */
	size_t name_n; /* from pax or GNU; 0: none */
	char name[MEMBER_PATH_MAX];
	char block[TAR_BLOCK];
	char extension[UNTAR_EXTENSION_MAX];
};

void untar_init(struct untar *u);

/* What comes next in *in, from which it is cut. */
enum untar_event untar_next(struct untar *u, struct span *in);

/* May the stream end here?  For one without a final block of zeros. */
int untar_may_end(const struct untar *u);

#endif
