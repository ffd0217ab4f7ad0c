#ifndef SKEP_SANDBOX_MEMBER_H
#define SKEP_SANDBOX_MEMBER_H

/*
 * The members of an archive, and what an archive may hold; pure.
 *
 * Theory of operation
 *
 * Every member of an archive passes members_add() before the first byte of any
 * is written, so an archive is unpacked as a whole or not at all.  Paths are
 * remembered by 126 bits of hash in a table of fixed size, with what stands
 * there: that a collision could do is refuse a good archive.
 *
 * Reasons are the texts of the format, for people and programs alike.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

#define MEMBER_PATH_MAX 4096

enum member_kind {
	MEMBER_FILE,
	MEMBER_FOLDER,
	MEMBER_SYMLINK,
	MEMBER_HARDLINK,
	MEMBER_OTHER /* devices, FIFOs, sparse and encrypted files, ... */
};

struct member {
	enum member_kind kind;
	uint32_t mode; /* permission bits */
	uint64_t size; /* declared, of a file */
	size_t name_n;
	char name[MEMBER_PATH_MAX]; /* as the archive has it, NUL-terminated */
};

struct members_limits {
	uint64_t bytes; /* of all files together */
	uint64_t members;
};

struct members {
	struct members_limits limits;
	uint64_t n, bytes;          /* so far, as declared */
	const char *const *protect; /* paths that no member may touch, */
	unsigned protect_n;
	const char *below; /* relative to what these are; "." or "a/b" */
	struct members_slot *slot;
	size_t slots, used;
	char reason[MEMBER_PATH_MAX + 64]; /* why add() said no */
};

/* Bytes of memory that a table for so many members needs. */
size_t members_bytes(const struct members_limits *limits);

/* Keeps memory of members_bytes(), which is zeroed, and protect. */
void members_init(struct members *s, const struct members_limits *limits,
    const char *below, const char *const *protect, unsigned protect_n,
    void *memory);

/*
 * May this one be there, too?  Its path, normalised, into path (of
 * MEMBER_PATH_MAX bytes; "." is the archive's root).  -1 and s->reason.
 */
int members_add(struct members *s, const struct member *m, char *path);

/* Only the path, for the second time around; CHECKs that it is good. */
void member_path(const struct member *m, char *path);

#endif
