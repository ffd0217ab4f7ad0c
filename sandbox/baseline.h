#ifndef SKEP_SANDBOX_BASELINE_H
#define SKEP_SANDBOX_BASELINE_H

/*
 * A baseline is what a workspace held before anything ran in it: the paths of
 * its regular files, in byte order, and when the status of each changed last.
 * It is written once while the manifest goes in, then sealed, and may be
 * shared by all workspaces that began alike.
 *
 * The time counts exactly: a later change has another one, but for kernels
 * whose clock of files has ticks (before Linux 6.13).  There a change within
 * the tick of the last one that was stamped has the same; whoever lets
 * commands in waits until baseline_is_settled().
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

struct baseline;

#define BASELINE_BYTES_MAX ((size_t)64 << 20) /* of all paths */

/* With one reference, the caller's.  NULL and *e (FULL). */
struct baseline *baseline_new(struct error *e);
struct baseline *baseline_hold(struct baseline *b);
void baseline_drop(struct baseline *b); /* NULL is fine */

/* A file is there (again).  Too many are told by baseline_seal(). */
void baseline_add(
    struct baseline *b, const char *path, int64_t changed_ns, uint64_t bytes);

/* So is something else, which counts, but is not in the list. */
void baseline_add_other(struct baseline *b, int64_t changed_ns);

/* Put it in order.  -1 and *e (TOO_BIG). */
int baseline_seal(struct baseline *b, struct error *e);

/* Of a sealed one; NULL is an empty one. */
unsigned baseline_count(const struct baseline *b);
const char *baseline_path(const struct baseline *b, unsigned i);
int64_t baseline_stamp_of(const struct baseline *b, unsigned i);
int baseline_is_settled(const struct baseline *b);

/*
 * The latest change of all, and whether all that will change has a later
 * time, as far as clocks go forward.
 */
int64_t baseline_last_ns(const struct baseline *b);
int baseline_is_past(const struct baseline *b);

struct baseline_size {
	uint64_t bytes, inodes;
};
void baseline_size(const struct baseline *b, struct baseline_size *out);

/* The number of path, or -1. */
int baseline_find(const struct baseline *b, const char *path);

/* The first number at or below folder, and in *end that behind the last. */
unsigned baseline_below(
    const struct baseline *b, const char *folder, unsigned *end);

#endif
