#ifndef SKEP_ENGINE_SEEN_H
#define SKEP_ENGINE_SEEN_H

/*
 * A set of texts that grows with what a batch reads: custom_ids met, run ids
 * already written.  It keeps 128 bits of each text's SHA-256 and nothing of
 * the text, so a million of them take 32 MiB.  It can only run out of the
 * pool.
 */

#include <stddef.h>

#include "engine/base/span.h"

struct seen_key {
	unsigned char byte[16];
};

struct seen {
	struct seen_key *slot; /* one pool block; all zero is empty */
	size_t slots, n;
};

void seen_init(struct seen *s);
void seen_release(struct seen *s);

/* 1: it is new; 0: it was there; -1: no memory. */
int seen_add(struct seen *s, struct span text);
int seen_has(const struct seen *s, struct span text);

#endif
