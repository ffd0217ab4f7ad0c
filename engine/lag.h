#ifndef SKEP_ENGINE_LAG_H
#define SKEP_ENGINE_LAG_H

/*
 * How long the turns of the loop took: a histogram with buckets of an eighth
 * of an octave, so a quantile is right to nine per cent.  Pure.
 */

#include <stdint.h>

#define LAG_BUCKETS 256

struct lag {
	uint64_t turns, max_us;
	uint64_t bucket[LAG_BUCKETS];
};

void lag_add(struct lag *l, uint64_t us);

/* The time that a share (0..1) of all turns did not exceed. */
uint64_t lag_quantile(const struct lag *l, double share);

#endif
