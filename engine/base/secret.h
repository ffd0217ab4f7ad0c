#ifndef SKEP_BASE_SECRET_H
#define SKEP_BASE_SECRET_H

/*
 * A secret is a key or password.  It lives in this type only, is wiped by
 * secret_release(), is kept out of core files and swap where the kernel
 * allows it, and has no printer but "***".  It must never reach a child, a
 * log, an error text, the store or a result.
 */

#include <stddef.h>

#include "engine/base/span.h"

struct error;

struct secret {
	char *bytes; /* own pages: locked, not dumped, wiped on fork */
	size_t n;
	size_t mapped;
};

#define SECRET_PRINTED "***"
#define SECRET_BYTES_MAX 65536

/* From the environment variable, or from a file (one final newline removed). */
int secret_from_env(struct secret *s, const char *name, struct error *e);
int secret_from_file(struct secret *s, const char *path, struct error *e);

/* A copy of value, whose owner wipes it; what names it in error texts. */
int secret_from_span(
    struct secret *s, struct span value, const char *what, struct error *e);

/* Wipe and free; safe on a zeroed secret. */
void secret_release(struct secret *s);

/* For the one writer that puts it on the wire. */
struct span secret_reveal(const struct secret *s);

/* Wipe n bytes so that the compiler keeps it. */
void wipe(void *p, size_t n);

#endif
