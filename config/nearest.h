#ifndef SKEP_CONFIG_NEAREST_H
#define SKEP_CONFIG_NEAREST_H

/*
 * "Did you mean": the nearest of several names by edit distance, where a
 * letter more, less, changed or swapped with its neighbour counts one.
 */

#include "engine/base/span.h"

struct nearest {
	struct span word;
	const char *name; /* the best so far, or NULL */
	unsigned distance;
};

void nearest_init(struct nearest *n, struct span word);

/* Consider a name; it is kept. */
void nearest_offer(struct nearest *n, const char *name);

/*
 * "; did you mean 'NAME'?" in out (of at least NEAREST_HINT bytes), or ""
 * when nothing is near.
 */
#define NEAREST_HINT 96
const char *nearest_hint(const struct nearest *n, char out[NEAREST_HINT]);

#endif
