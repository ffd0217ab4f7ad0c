#ifndef SKEP_ENGINE_TRANSCRIPT_H
#define SKEP_ENGINE_TRANSCRIPT_H

/*
 * A transcript is a run's items in order, each as the bytes of its JSON.
 * Items are only ever added, so a request's body is a list of slices that
 * begins like the one before it, byte for byte.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

struct arena;

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
	size_t recorded; /* how many the store has been told */
};

/* Empty; keeps the arena. */
void transcript_init(struct transcript *t, struct arena *keep);
void transcript_release(struct transcript *t);

/* Add a copy of one item's JSON.  -1 when there is no memory for it. */
int transcript_add(
    struct transcript *t, struct span json, uint32_t turn, int64_t at_ms);

#endif
