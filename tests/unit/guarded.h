#ifndef SKEP_TESTS_GUARDED_H
#define SKEP_TESTS_GUARDED_H

/*
 * Input that ends exactly where readable memory ends: a parser that looks
 * one byte too far dies of it.
 */

#include <stddef.h>

#include "engine/base/span.h"

struct guarded {
	char *pages;
	size_t bytes; /* readable ones */
};

void guarded_init(struct guarded *g, size_t bytes_max);
void guarded_release(struct guarded *g);

/* A copy of s against the end; good until the next call. */
struct span guarded_copy(struct guarded *g, struct span s);

/* The whole file; ends the program when it cannot be read.  free() it. */
char *guarded_file(const char *path, size_t *n);

#endif
