#include "engine/base/hash.h"

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>
#include <stdio.h>

#include "engine/base/check.h"

_Static_assert(
    sizeof(mbedtls_sha256_context) <= sizeof((struct hash *)0)->state,
    "struct hash holds mbedTLS's state");
_Static_assert(_Alignof(mbedtls_sha256_context) <= 16, "and aligns it");

/* mbedTLS 3 dropped the suffix that 2.28 gives to functions with a result. */
#if MBEDTLS_VERSION_NUMBER < 0x03000000
#	define mbedtls_sha256_starts mbedtls_sha256_starts_ret
#	define mbedtls_sha256_update mbedtls_sha256_update_ret
#	define mbedtls_sha256_finish mbedtls_sha256_finish_ret
#endif

static mbedtls_sha256_context *
state_of(struct hash *h)
{
	return (mbedtls_sha256_context *)(void *)h->state;
}

void
hash_init(struct hash *h)
{
	mbedtls_sha256_init(state_of(h));
	CHECK(mbedtls_sha256_starts(state_of(h), 0) == 0);
}

void
hash_add(struct hash *h, struct span s)
{
	if (s.n == 0)
		return;
	CHECK(mbedtls_sha256_update(
		  state_of(h), (const unsigned char *)s.p, s.n) == 0);
}

void
hash_end(struct hash *h, struct digest *out)
{
	CHECK(mbedtls_sha256_finish(state_of(h), out->byte) == 0);
	mbedtls_sha256_free(state_of(h));
}

void
hash_of(struct span s, struct digest *out)
{
	struct hash h;

	hash_init(&h);
	hash_add(&h, s);
	hash_end(&h, out);
}

void
hex_encode(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *byte = p;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[byte[i] >> 4];
		*out++ = digits[byte[i] & 15];
	}
	*out = '\0';
}

void
digest_text(const struct digest *d, char out[HASH_TEXT_MAX])
{
	memcpy(out, "sha256:", sizeof "sha256:" - 1);
	hex_encode(d->byte, sizeof d->byte, out + sizeof "sha256:" - 1);
}

int
digest_eq(const struct digest *a, const struct digest *b)
{
	unsigned char differs = 0;

	for (size_t i = 0; i < sizeof a->byte; i++)
		differs |= a->byte[i] ^ b->byte[i];
	return differs == 0;
}

void
hash_library_version(char *out, size_t size)
{
	unsigned v = mbedtls_version_get_number();

	snprintf(out, size, "%u.%u.%u", v >> 24, v >> 16 & 255, v >> 8 & 255);
}
