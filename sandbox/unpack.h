#ifndef SKEP_SANDBOX_UNPACK_H
#define SKEP_SANDBOX_UNPACK_H

/*
 * Unpacking an archive, in a process of the sandbox.
 *
 * Theory of operation
 *
 * Archives are written by strangers, so the engine never looks into one: a
 * child of the sandbox's init, with the rights, limits and deadline of a
 * command, is given the archive as a descriptor and writes below a folder it
 * was given as another.  It goes over the archive twice.  The first time
 * every member is judged (member.h) and every byte is inflated and counted;
 * only when all are good does the second time write.  So a refused archive
 * leaves nothing behind.
 *
 * Nothing is followed: each folder on the way is opened below the one before
 * without links, and a link that stands in the way ends it.
 */

#include <stdint.h>
#include <sys/types.h>

#include "config/manifest.h"
#include "sandbox/member.h"

struct unpack_order {
	int archive;      /* a regular file, open for reading */
	int root;         /* the workspace, */
	const char *path; /* and where below it; made if missing */
	enum archive_format format;
	struct archive_limits limits;
	const char *const *protect; /* relative to the workspace */
	unsigned protect_n;
};

struct unpack_report {
	uint64_t members, bytes;
	int os_errno; /* or: */
	char reason[MEMBER_PATH_MAX + 64];
	char member[256]; /* where it was refused; "" is the whole */
};

/* 0, or -1 with the reason.  Single-threaded; maps what memory it needs. */
int unpack(const struct unpack_order *o, struct unpack_report *r);

#endif
