#ifndef SKEP_BASE_HASH_H
#define SKEP_BASE_HASH_H

/* SHA-256 (FIPS 180-4), streaming; the work is mbedTLS's. */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

#define HASH_BYTES 32
#define HASH_HEX (2 * HASH_BYTES)
#define HASH_TEXT_MAX (sizeof "sha256:" + HASH_HEX) /* with the NUL */

struct hash {
	_Alignas(16) unsigned char state[128]; /* an mbedtls_sha256_context */
};

struct digest {
	unsigned char byte[HASH_BYTES];
};

void hash_init(struct hash *h);
void hash_add(struct hash *h, struct span s);
void hash_end(struct hash *h, struct digest *out);

void hash_of(struct span s, struct digest *out);

/* "sha256:" and 64 lower-case hex digits, NUL-terminated. */
void digest_text(const struct digest *d, char out[HASH_TEXT_MAX]);

int digest_eq(const struct digest *a, const struct digest *b);

/* Lower-case hex of n bytes; out has 2 * n + 1 bytes. */
void hex_encode(const void *p, size_t n, char *out);

/* The version of mbedTLS, for --version. */
void hash_library_version(char *out, size_t size);

#endif
