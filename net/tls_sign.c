#include "net/tls_sign.h"

#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/secret.h"
#include "engine/base/text.h"

#define HALF (TLS_SIGNATURE_BYTES / 2)
#define DER_MAX 256

static int
kernel_random(void *unused, unsigned char *out, size_t n)
{
	(void)unused;
	return os->random(out, n);
}

static int
parse(mbedtls_pk_context *key, const struct text *pem)
{
	const unsigned char *p = (const unsigned char *)pem->p;

#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_parse_key(
	    key, p, pem->n + 1, NULL, 0, kernel_random, NULL);
#else
	return mbedtls_pk_parse_key(key, p, pem->n + 1, NULL, 0);
#endif
}

static int
sign_hash(mbedtls_pk_context *key, const struct digest *d,
    unsigned char der[DER_MAX], size_t *n)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, d->byte, HASH_BYTES, der,
	    DER_MAX, n, kernel_random, NULL);
#else
	return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, d->byte, HASH_BYTES, der,
	    n, kernel_random, NULL);
#endif
}

/* One whole number of the DER form, right-aligned; what follows it, or NULL. */
static const unsigned char *
half(const unsigned char *p, const unsigned char *end, unsigned char out[HALF])
{
	size_t n;

	if (end - p < 2 || p[0] != 2 || p[1] > end - p - 2)
		return NULL;
	n = p[1];
	p += 2;
	for (; n > HALF && *p == 0; n--)
		p++;
	if (n > HALF)
		return NULL;
	memset(out, 0, HALF - n);
	memcpy(out + HALF - n, p, n);
	return p + n;
}

/* SEQUENCE of two numbers, each shorter than 128 bytes. */
static int
unpack(const unsigned char *der, size_t n, unsigned char *out)
{
	const unsigned char *end = der + n, *p = der + 2;

	if (n < 8 || der[0] != 0x30 || der[1] != n - 2)
		return -1;
	p = half(p, end, out);
	return p != NULL && half(p, end, out + HALF) == end ? 0 : -1;
}

int
tls_sign(struct span pem, struct span text,
    unsigned char out[TLS_SIGNATURE_BYTES], struct error *e)
{
	unsigned char der[DER_MAX];
	mbedtls_pk_context key;
	struct digest digest;
	struct text copy; /* it wants a NUL behind it */
	size_t n = 0;
	int rc = -1;

	text_init(&copy, SECRET_BYTES_MAX + 1);
	text_add(&copy, pem);
	mbedtls_pk_init(&key);
	hash_of(text, &digest);
	if (copy.p == NULL || parse(&key, &copy) != 0)
		error_set(e, ERROR_CONFIG, 0, "the private key cannot be read");
	else if (!mbedtls_pk_can_do(&key, MBEDTLS_PK_ECDSA) ||
		 mbedtls_pk_get_bitlen(&key) != HALF * 8)
		error_set(
		    e, ERROR_CONFIG, 0, "the private key is not on P-256");
	else if (sign_hash(&key, &digest, der, &n) != 0 ||
		 unpack(der, n, out) == -1)
		error_set(e, ERROR_CONFIG, 0, "the private key cannot sign");
	else
		rc = 0;
	mbedtls_pk_free(&key);
	if (copy.p != NULL)
		wipe(copy.p, copy.size);
	text_release(&copy);
	return rc;
}
