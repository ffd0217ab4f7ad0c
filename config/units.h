#ifndef SKEP_CONFIG_UNITS_H
#define SKEP_CONFIG_UNITS_H

/*
 * Quantities as people write them: sizes "64M" (K M G T, of 1024), times
 * "250ms", "30", "1.5h" (ms s m h; seconds without a unit).
 */

#include <stdint.h>

#include "engine/base/span.h"

/* Bytes; -1 when s is no size or too large. */
int units_size(struct span s, uint64_t *bytes);

/* Milliseconds; -1 when s is no time or too large. */
int units_time(struct span s, uint64_t *ms);

/* A decimal number without sign or exponent; -1 when s is none. */
int units_number(struct span s, double *value);

#endif
