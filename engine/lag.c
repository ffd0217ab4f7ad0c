#include "engine/lag.h"

#define PER_OCTAVE 8 /* three bits below the highest one */

static unsigned
bucket_of(uint64_t us)
{
	unsigned octave = 0;

	if (us < PER_OCTAVE)
		return (unsigned)us;
	while (us >> (octave + 1) >= PER_OCTAVE)
		octave++;
	/* us >> octave lies in 8..15 */
	return PER_OCTAVE * (octave + 1) +
	       (unsigned)((us >> octave) - PER_OCTAVE);
}

/* The largest value that falls into the bucket. */
static uint64_t
top_of(unsigned bucket)
{
	unsigned octave;

	if (bucket < PER_OCTAVE)
		return bucket;
	octave = bucket / PER_OCTAVE - 1;
	return (((uint64_t)PER_OCTAVE + bucket % PER_OCTAVE + 1) << octave) - 1;
}

void
lag_add(struct lag *l, uint64_t us)
{
	unsigned b = bucket_of(us);

	l->turns++;
	l->bucket[b < LAG_BUCKETS ? b : LAG_BUCKETS - 1]++;
	if (us > l->max_us)
		l->max_us = us;
}

uint64_t
lag_quantile(const struct lag *l, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)l->turns), sum = 0;

	for (unsigned b = 0; b < LAG_BUCKETS; b++) {
		sum += l->bucket[b];
		if (sum <= wanted && sum < l->turns)
			continue;
		if (b == LAG_BUCKETS - 1 || top_of(b) > l->max_us)
			break;
		return top_of(b);
	}
	return l->max_us;
}
