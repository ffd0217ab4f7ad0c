/*
 * Is this certificate for this host, and strong enough?  mbedTLS checks
 * signatures, dates, usages and the chain up to a root; here stands what it
 * does not do: addresses, no fallback to the CN, length of the chain, pins.
 */

#include <mbedtls/oid.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "net/tls_name.h"
#include "net/tls_private.h"

#define SAN_DNS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2)
#define SAN_ADDRESS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7)

static int
is_for_host(const mbedtls_x509_crt *crt, struct span host)
{
	int numeric = tls_name_is_numeric(host);
	const mbedtls_x509_sequence *san;

	if (!(crt->MBEDTLS_PRIVATE(ext_types) &
		MBEDTLS_X509_EXT_SUBJECT_ALT_NAME))
		return 0;
	for (san = &crt->subject_alt_names; san != NULL; san = san->next) {
		struct span name = {(const char *)san->buf.p, san->buf.len};

		if (!numeric && san->buf.tag == SAN_DNS &&
		    tls_name_matches(name, host))
			return 1;
		if (numeric && san->buf.tag == SAN_ADDRESS &&
		    tls_name_is_address(name, host))
			return 1;
	}
	return 0;
}

static void
look_for_pin(struct tls_stream *t, const mbedtls_x509_crt *crt)
{
	struct span key = {(const char *)crt->pk_raw.p, crt->pk_raw.len};
	struct digest d;

	hash_of(key, &d);
	for (unsigned i = 0; i < t->client->npins; i++)
		if (digest_eq(&d, &t->client->pin[i]))
			t->pin_found = 1;
}

/* Called from the root (highest depth) to the server's own (0). */
int
tls_verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct tls_stream *t = arg;

	CHECK_OBJ(t, TLS_STREAM_MAGIC);
	if (depth >= LIMIT_TLS_CHAIN) {
		*flags |= MBEDTLS_X509_BADCERT_OTHER;
		t->reason = "the chain of certificates is too long";
	}
	if (t->client->npins > 0)
		look_for_pin(t, crt);
	if (depth > 0)
		return 0;
	if (!is_for_host(crt, span_of(t->host)))
		*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	else
		*flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
	if (t->client->npins > 0 && !t->pin_found) {
		*flags |= MBEDTLS_X509_BADCERT_OTHER;
		t->reason = "none of the pinned keys is in the chain";
	}
	return 0;
}

void
tls_verify_explain(struct tls_stream *t, char *out, size_t size)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} reasons[] = {
	    {MBEDTLS_X509_BADCERT_CN_MISMATCH, "it is not for this host"},
	    {MBEDTLS_X509_BADCERT_EXPIRED, "it has expired"},
	    {MBEDTLS_X509_BADCERT_FUTURE, "it is not valid yet"},
	    {MBEDTLS_X509_BADCERT_BAD_MD, "its signature is too weak"},
	    {MBEDTLS_X509_BADCERT_BAD_KEY, "its key is too weak"},
	    {MBEDTLS_X509_BADCERT_BAD_PK, "its kind of key is not allowed"},
	    {MBEDTLS_X509_BADCERT_KEY_USAGE, "its key may not be used so"},
	    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, "it is not a server's"},
	    {MBEDTLS_X509_BADCERT_NS_CERT_TYPE, "it is not a server's"},
	    {MBEDTLS_X509_BADCERT_MISSING, "there is none"},
	    {MBEDTLS_X509_BADCERT_REVOKED, "it was revoked"},
	    {MBEDTLS_X509_BADCERT_NOT_TRUSTED,
		"no trusted authority signed it"},
	};
	uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);
	size_t n = 0;

	out[0] = '\0';
	if (t->reason != NULL)
		n = (size_t)snprintf(out, size, "%s", t->reason);
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if ((flags & reasons[i].flag) && n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s",
			    n > 0 ? "; " : "", reasons[i].text);
	if (n == 0)
		snprintf(out, size, "it cannot be verified");
}
