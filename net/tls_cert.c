#include "net/tls_cert.h"

#include <mbedtls/asn1write.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <time.h>

#include "engine/base/error.h"
#include "engine/base/os.h"
#include "engine/base/secret.h"
#include "net/address.h"
#include "net/dns.h"

#define SAN_BYTES_MAX 2048
#define SAN_DNS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2)
#define SAN_ADDRESS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7)
#define HOUR_S 3600
#define MONTH_S (30 * 24 * HOUR_S)

/* Everything that is needed while certificates are made. */
struct maker {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context drbg;
	mbedtls_pk_context ca_key, server_key;
	char not_before[16], not_after[16]; /* YYYYMMDDhhmmss */
};

/* --- parts --- */

static void
write_time(char out[16], int64_t unix_s)
{
	time_t at = (time_t)unix_s;
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(out, 16, "%Y%m%d%H%M%S", &tm);
}

static int
make_key(struct maker *m, mbedtls_pk_context *key)
{
	int ret =
	    mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));

	if (ret != 0)
		return ret;
	return mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1,
	    mbedtls_pk_ec(*key), mbedtls_ctr_drbg_random, &m->drbg);
}

/* One name, written backwards as mbedTLS writes everything. */
static int
write_name(unsigned char **p, unsigned char *start, const char *name)
{
	struct span s = span_of(name);
	struct address a;
	int tag = SAN_DNS, n, len;

	if (address_numeric(&a, s, 0) == 0) {
		tag = SAN_ADDRESS;
		if (a.u.sa.sa_family == AF_INET)
			s = (struct span){(const char *)&a.u.in.sin_addr, 4};
		else
			s = (struct span){(const char *)&a.u.in6.sin6_addr, 16};
	}
	n = mbedtls_asn1_write_raw_buffer(
	    p, start, (const unsigned char *)s.p, s.n);
	if (n < 0)
		return n;
	len = mbedtls_asn1_write_len(p, start, s.n);
	if (len < 0)
		return len;
	n += len;
	len = mbedtls_asn1_write_tag(p, start, (unsigned char)tag);
	return len < 0 ? len : n + len;
}

static int
add_names(mbedtls_x509write_cert *crt, const char *const *names)
{
	unsigned char der[SAN_BYTES_MAX], *p = der + sizeof der;
	int ret, total = 0, count = 0;

	while (names[count] != NULL)
		count++;
	if (count == 0)
		return 0;
	while (count-- > 0) {
		ret = write_name(&p, der, names[count]);
		if (ret < 0)
			return ret;
		total += ret;
	}
	ret = mbedtls_asn1_write_len(&p, der, (size_t)total);
	if (ret < 0)
		return ret;
	total += ret;
	ret = mbedtls_asn1_write_tag(
	    &p, der, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
	if (ret < 0)
		return ret;
	total += ret;
	return mbedtls_x509write_crt_set_extension(crt,
	    MBEDTLS_OID_SUBJECT_ALT_NAME,
	    MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, p,
	    (size_t)total);
}

static int
set_serial(struct maker *m, mbedtls_x509write_cert *crt)
{
	unsigned char byte[16];
	int ret = mbedtls_ctr_drbg_random(&m->drbg, byte, sizeof byte);
#if MBEDTLS_VERSION_MAJOR < 3
	mbedtls_mpi serial;
#endif

	if (ret != 0)
		return ret;
	byte[0] = (byte[0] & 0x7f) | 0x40; /* positive, sixteen bytes */
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_x509write_crt_set_serial_raw(crt, byte, sizeof byte);
#else
	mbedtls_mpi_init(&serial);
	ret = mbedtls_mpi_read_binary(&serial, byte, sizeof byte);
	if (ret == 0)
		ret = mbedtls_x509write_crt_set_serial(crt, &serial);
	mbedtls_mpi_free(&serial);
	return ret;
#endif
}

/* --- certificates --- */

struct wanted {
	const char *subject, *issuer;
	mbedtls_pk_context *subject_key, *issuer_key;
	const char *const *names;
	int is_ca;
};

static int
write_certificate(struct maker *m, const struct wanted *w, struct text *pem)
{
	unsigned char out[TLS_CERT_PEM_MAX];
	mbedtls_x509write_cert crt;
	int ret;

	mbedtls_x509write_crt_init(&crt);
	mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&crt, w->subject_key);
	mbedtls_x509write_crt_set_issuer_key(&crt, w->issuer_key);
	ret = set_serial(m, &crt);
	if (ret == 0)
		ret = mbedtls_x509write_crt_set_subject_name(&crt, w->subject);
	if (ret == 0)
		ret = mbedtls_x509write_crt_set_issuer_name(&crt, w->issuer);
	if (ret == 0)
		ret = mbedtls_x509write_crt_set_validity(
		    &crt, m->not_before, m->not_after);
	if (ret == 0)
		ret = mbedtls_x509write_crt_set_basic_constraints(
		    &crt, w->is_ca, w->is_ca ? 0 : -1);
	if (ret == 0)
		ret = mbedtls_x509write_crt_set_key_usage(
		    &crt, w->is_ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN |
					 MBEDTLS_X509_KU_CRL_SIGN
				   : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
	if (ret == 0)
		ret = mbedtls_x509write_crt_set_subject_key_identifier(&crt);
	if (ret == 0)
		ret = mbedtls_x509write_crt_set_authority_key_identifier(&crt);
	if (ret == 0)
		ret = add_names(&crt, w->names);
	if (ret == 0)
		ret = mbedtls_x509write_crt_pem(
		    &crt, out, sizeof out, mbedtls_ctr_drbg_random, &m->drbg);
	if (ret == 0)
		text_add_str(pem, (const char *)out);
	mbedtls_x509write_crt_free(&crt);
	return ret;
}

static int
write_key(mbedtls_pk_context *key, struct text *pem)
{
	unsigned char out[TLS_CERT_PEM_MAX];
	int ret = mbedtls_pk_write_key_pem(key, out, sizeof out);

	if (ret == 0)
		text_add_str(pem, (const char *)out);
	wipe(out, sizeof out);
	return ret;
}

static int
make_all(struct maker *m, struct tls_cert *c, const struct tls_cert_settings *s)
{
	static const char *const no_names[] = {NULL};
	static const char ca_name[] = "CN=skep temporary authority,O=skep";
	char name[128];
	struct wanted ca = {
	    ca_name, ca_name, &m->ca_key, &m->ca_key, no_names, 1};
	struct wanted server = {
	    name, ca_name, &m->server_key, &m->ca_key, s->names, 0};
	int ret;

	snprintf(name, sizeof name, "CN=%s,O=skep",
	    s->common_name != NULL ? s->common_name : "skep");
	ret = make_key(m, &m->server_key);
	if (s->server_is_self_signed) {
		server.issuer = name;
		server.issuer_key = &m->server_key;
	} else {
		if (ret == 0)
			ret = make_key(m, &m->ca_key);
		if (ret == 0)
			ret = write_certificate(m, &ca, &c->ca);
	}
	if (ret == 0)
		ret = write_certificate(m, &server, &c->cert);
	if (ret == 0)
		ret = write_key(&m->server_key, &c->key);
	if (ret == 0 && s->server_is_self_signed)
		text_add(&c->ca, text_span(&c->cert));
	return ret;
}

int
tls_cert_make(
    struct tls_cert *c, const struct tls_cert_settings *s, struct error *e)
{
	int64_t now = os->wall_ms() / 1000;
	int given = s->not_before_s != 0 || s->not_after_s != 0;
	struct maker m;
	int ret;

	text_init(&c->ca, TLS_CERT_PEM_MAX);
	text_init(&c->cert, TLS_CERT_PEM_MAX);
	text_init(&c->key, TLS_CERT_PEM_MAX);
	write_time(m.not_before, now + (given ? s->not_before_s : -HOUR_S));
	write_time(m.not_after, now + (given ? s->not_after_s : MONTH_S));
	mbedtls_entropy_init(&m.entropy);
	mbedtls_ctr_drbg_init(&m.drbg);
	mbedtls_pk_init(&m.ca_key);
	mbedtls_pk_init(&m.server_key);
	ret = mbedtls_ctr_drbg_seed(
	    &m.drbg, mbedtls_entropy_func, &m.entropy, NULL, 0);
	if (ret == 0)
		ret = make_all(&m, c, s);
	mbedtls_pk_free(&m.server_key);
	mbedtls_pk_free(&m.ca_key);
	mbedtls_ctr_drbg_free(&m.drbg);
	mbedtls_entropy_free(&m.entropy);
	if (ret == 0 && !text_overflowed(&c->ca) &&
	    !text_overflowed(&c->cert) && !text_overflowed(&c->key))
		return 0;
	tls_cert_release(c);
	return error_set(e, ERROR_TLS, 0, "making a certificate failed (-0x%x)",
	    (unsigned)-ret);
}

void
tls_cert_release(struct tls_cert *c)
{
	if (c->key.p != NULL)
		wipe(c->key.p, c->key.n);
	text_release(&c->ca);
	text_release(&c->cert);
	text_release(&c->key);
}
