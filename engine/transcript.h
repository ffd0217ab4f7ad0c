#ifndef SKEP_ENGINE_TRANSCRIPT_H
#define SKEP_ENGINE_TRANSCRIPT_H

/*
 * A transcript is a run's items in order, each as the bytes of its JSON.
 * Items are only ever added, so a request's body is a list of slices that
 * begins like the one before it, byte for byte; until a compaction: then the
 * older ones are told to nobody again.  The store has all of them.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/span.h"

struct transcript_entry {
	uint32_t turn;
	int64_t at_ms;
};

struct transcript {
	struct arena *keep; /* where the bytes are */
	struct span *json;  /* n of them, contiguous; one pool block */
	struct transcript_entry *entry; /* likewise */
	size_t n, size;
	size_t bytes;
	size_t recorded;  /* how many of them the store has been told */
	uint64_t stored;  /* how many items it has been told in all */
	size_t held;      /* of the last, which it is not to be told yet */
	size_t forgotten; /* of the first, that the next request leaves out */
	int is_begun_by_server; /* json[0] is a server's compaction item */
	/* An item for the store alone, before the others; or n == 0. */
	struct span note;
	struct transcript_entry note_entry;
	struct arena own[2]; /* in place of keep, by turns */
};

/* Empty; keeps the arena. */
void transcript_init(struct transcript *t, struct arena *keep);
void transcript_release(struct transcript *t);

/* Add a copy of one item's JSON.  -1 when there is no memory for it. */
int transcript_add(
    struct transcript *t, struct span json, uint32_t turn, int64_t at_ms);

/*
 * Put item in the place of the items [from, to), all of which the store has
 * been told; it is told note instead.  What the items held is given back:
 * spans into any of them are void.  -1 when there is no memory; then nothing
 * has changed.
 */
int transcript_replace(struct transcript *t, size_t from, size_t to,
    struct span item, struct span note, uint32_t turn, int64_t at_ms);

/*
 * Put these n items in the place of all, which the store has been told; as
 * above, without a note.
 */
int transcript_rewrite(
    struct transcript *t, const struct span *items, size_t n);

/* Drop the first t->forgotten items; as above. */
int transcript_forget(struct transcript *t);

#endif
