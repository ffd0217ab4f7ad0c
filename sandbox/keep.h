#ifndef SKEP_SANDBOX_KEEP_H
#define SKEP_SANDBOX_KEEP_H

/*
 * A keep holds the head and the tail of a stream that may be endless.
 *
 * Up to half of bytes_max is head; what follows goes round in a ring of the
 * other half.  Memory is taken from the pool as the stream grows, so a short
 * stream costs one small block.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"
#include "engine/base/text.h"

struct keep {
	struct text head;
	char *ring;
	size_t ring_bytes;  /* its size; a ceiling until it exists */
	uint64_t ring_seen; /* bytes that went into it since it was turned */
	uint64_t lost;      /* before that, and those there was no memory for */
};

void keep_init(struct keep *k, size_t bytes_max);
void keep_release(struct keep *k);

/* Forget everything; the memory of the head is kept. */
void keep_clear(struct keep *k);

void keep_add(struct keep *k, struct span s);

/*
 * What is kept.  The tail lies together after this call, which may turn the
 * ring; both spans hold until the next keep_add().
 */
void keep_get(
    struct keep *k, struct span *head, struct span *tail, uint64_t *omitted);

#endif
