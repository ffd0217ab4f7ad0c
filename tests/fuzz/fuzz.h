#ifndef SKEP_TESTS_FUZZ_H
#define SKEP_TESTS_FUZZ_H

/*
 * What the fuzz targets share.  Each target is one fuzz_NAME.c with a corpus
 * in corpus/NAME: clang's libFuzzer drives it in `make fuzz`, and replay.c
 * runs it over the corpus in `make test`.
 *
 * A target states what must hold for every input (CHECK), most of all that
 * cutting the input into pieces changes nothing.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "engine/base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The first call takes memory; the pool must be whole again at each end. */
static inline void
fuzz_start(void)
{
	static int started;
	struct error e;

	if (!started)
		CHECK(pool_start(1 << 30, &e) == 0);
	started = 1;
	CHECK(pool_in_use() == 0);
}

/* A running digest of bytes: equal streams give equal values. */
static inline void
fuzz_mix(uint64_t *h, const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		*h = (*h ^ c[i]) * 1099511628211u;
}

static inline void
fuzz_mix_span(uint64_t *h, struct span s)
{
	fuzz_mix(h, &s.n, sizeof s.n);
	fuzz_mix(h, s.p, s.n);
}

#endif
