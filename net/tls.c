#include "net/tls.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "net/tls_private.h"

#if MBEDTLS_VERSION_MAJOR >= 3
#	include <psa/crypto.h>
#endif

#define TICKET_LIFETIME_S (24 * 60 * 60)

static const int suites[] = {
#if MBEDTLS_VERSION_MAJOR >= 3
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

/* For what is signed during the handshake: SHA-1 is on by default. */
#if MBEDTLS_VERSION_MAJOR >= 3
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_NONE,
};
static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};
#else
static const int signatures[] = {
    MBEDTLS_MD_SHA256,
    MBEDTLS_MD_SHA384,
    MBEDTLS_MD_SHA512,
    MBEDTLS_MD_NONE,
};
static const mbedtls_ecp_group_id groups[] = {
    MBEDTLS_ECP_DP_SECP256R1,
    MBEDTLS_ECP_DP_CURVE25519,
    MBEDTLS_ECP_DP_SECP384R1,
    MBEDTLS_ECP_DP_SECP521R1,
    MBEDTLS_ECP_DP_NONE,
};
#endif

static const mbedtls_x509_crt_profile strong = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) |
		   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
		   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    .allowed_pks = 0xFFFFFFF,
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
		      MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1) |
		      MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1),
    .rsa_min_bitlen = 2048,
};

/* Where systems keep their roots; the first that can be read counts. */
static const char *const root_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
};

int
tls_error(struct error *e, enum error_code code, int ret, const char *what)
{
	char why[160];

	mbedtls_strerror(ret, why, sizeof why);
	return error_set(e, code, 0, "%s: %s", what, why);
}

/* --- the shared part --- */

/* A new turn: let some of the held handshakes go on. */
static void
turn(struct loop_turn *lt)
{
	struct tls *t = container_of(lt, struct tls, turn);
	struct list_node *n;

	t->full_left = TLS_FULL_PER_TURN;
	for (int i = 0; i < TLS_FULL_PER_TURN; i++) {
		struct tls_stream *s;

		n = list_first(&t->held);
		if (n == NULL || t->full_left == 0)
			break;
		list_remove(&t->held, n);
		t->full_left--;
		s = container_of(n, struct tls_stream, node);
		s->may_be_full = 1;
		s->base.ready(&s->base, LOOP_READ);
	}
	loop_turn_again(&t->turn, t->held.length > 0);
}

struct tls *
tls_new(struct loop *l, struct error *e)
{
	struct tls *t = pool_take(sizeof *t, NULL);
	int ret;

	if (t == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for TLS");
		return NULL;
	}
	memset(t, 0, sizeof *t);
	t->loop = l;
	t->full_left = TLS_FULL_PER_TURN;
	list_init(&t->held);
	mbedtls_entropy_init(&t->entropy);
	mbedtls_ctr_drbg_init(&t->drbg);
	mbedtls_x509_crt_init(&t->system_roots);
	ret = mbedtls_ctr_drbg_seed(
	    &t->drbg, mbedtls_entropy_func, &t->entropy, NULL, 0);
#if MBEDTLS_VERSION_MAJOR >= 3
	if (ret == 0 && psa_crypto_init() != PSA_SUCCESS)
		ret = MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
#endif
	loop_turn_start(&t->turn, l, turn);
	if (ret != 0) {
		tls_error(e, ERROR_TLS, ret, "starting TLS");
		tls_free(t);
		return NULL;
	}
	return t;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	CHECK(t->held.length == 0);
	loop_turn_stop(&t->turn);
	mbedtls_x509_crt_free(&t->system_roots);
	mbedtls_ctr_drbg_free(&t->drbg);
	mbedtls_entropy_free(&t->entropy);
	pool_give(t);
}

void
tls_counts(const struct tls *t, struct tls_counts *out)
{
	*out = t->counts;
}

int
tls_system_roots(struct tls *t, struct error *e)
{
	const char *path = getenv("SSL_CERT_FILE");
	int ret;

	if (t->has_system_roots)
		return 0;
	for (size_t i = 0;
	     path == NULL && i < sizeof root_files / sizeof *root_files; i++)
		if (access(root_files[i], R_OK) == 0)
			path = root_files[i];
	if (path == NULL)
		return error_set(e, ERROR_NO_INPUT, 0,
		    "this system has no trusted certificates (%s); install "
		    "ca-certificates or name a ca_file",
		    root_files[0]);
	ret = mbedtls_x509_crt_parse_file(&t->system_roots, path);
	if (ret < 0)
		return tls_error(e, ERROR_TLS, ret, path);
	t->has_system_roots = 1;
	return 0;
}

/* What clients and servers have in common: nothing weak. */
static int
configure(struct tls *t, mbedtls_ssl_config *c, int endpoint)
{
	int ret = mbedtls_ssl_config_defaults(c, endpoint,
	    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

	if (ret != 0)
		return ret;
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_sig_algs(c, signatures);
	mbedtls_ssl_conf_groups(c, groups);
#else
	mbedtls_ssl_conf_min_version(
	    c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_sig_hashes(c, signatures);
	mbedtls_ssl_conf_curves(c, groups);
#endif
	mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &t->drbg);
	mbedtls_ssl_conf_ciphersuites(c, suites);
	mbedtls_ssl_conf_cert_profile(c, &strong);
	mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
	return 0;
}

static int
parse_key_file(struct tls *t, mbedtls_pk_context *key, const char *path)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_parse_keyfile(
	    key, path, NULL, mbedtls_ctr_drbg_random, &t->drbg);
#else
	(void)t;
	return mbedtls_pk_parse_keyfile(key, path, NULL);
#endif
}

static int
check_pair(struct tls *t, mbedtls_x509_crt *chain, mbedtls_pk_context *key)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_check_pair(
	    &chain->pk, key, mbedtls_ctr_drbg_random, &t->drbg);
#else
	(void)t;
	return mbedtls_pk_check_pair(&chain->pk, key);
#endif
}

/* --- clients --- */

static int
load_roots(struct tls_client *c, const char *ca_file, struct error *e)
{
	int ret;

	if (ca_file == NULL) {
		if (tls_system_roots(c->tls, e) == -1)
			return -1;
		mbedtls_ssl_conf_ca_chain(
		    &c->config, &c->tls->system_roots, NULL);
		return 0;
	}
	if (access(ca_file, R_OK) == -1)
		return error_set(e, ERROR_NO_INPUT, errno, "%s", ca_file);
	ret = mbedtls_x509_crt_parse_file(&c->roots, ca_file);
	if (ret > 0)
		return error_set(e, ERROR_TLS, 0,
		    "%s: %d of its certificates cannot be read", ca_file, ret);
	if (ret < 0)
		return tls_error(e, ERROR_TLS, ret, ca_file);
	mbedtls_ssl_conf_ca_chain(&c->config, &c->roots, NULL);
	return 0;
}

static int
load_identity(
    struct tls_client *c, const char *cert, const char *key, struct error *e)
{
	int ret;

	if (cert == NULL && key == NULL)
		return 0;
	if (cert == NULL || key == NULL)
		return error_set(e, ERROR_CONFIG, 0,
		    "a client certificate needs its key, and a key its "
		    "certificate");
	if (access(cert, R_OK) == -1)
		return error_set(e, ERROR_NO_INPUT, errno, "%s", cert);
	if (access(key, R_OK) == -1)
		return error_set(e, ERROR_NO_INPUT, errno, "%s", key);
	ret = mbedtls_x509_crt_parse_file(&c->chain, cert);
	if (ret != 0)
		return tls_error(e, ERROR_TLS, ret, cert);
	ret = parse_key_file(c->tls, &c->key, key);
	if (ret != 0)
		return tls_error(e, ERROR_TLS, ret, key);
	if (check_pair(c->tls, &c->chain, &c->key) != 0)
		return error_set(
		    e, ERROR_TLS, 0, "%s is not the key of %s", key, cert);
	ret = mbedtls_ssl_conf_own_cert(&c->config, &c->chain, &c->key);
	return ret == 0 ? 0 : tls_error(e, ERROR_TLS, ret, cert);
}

struct tls_client *
tls_client_new(
    struct tls *t, const struct tls_client_settings *s, struct error *e)
{
	struct tls_client *c = pool_take(sizeof *c, NULL);
	int ret;

	if (c == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for TLS");
		return NULL;
	}
	memset(c, 0, sizeof *c);
	c->tls = t;
	list_init(&c->tickets);
	mbedtls_ssl_config_init(&c->config);
	mbedtls_x509_crt_init(&c->roots);
	mbedtls_x509_crt_init(&c->chain);
	mbedtls_pk_init(&c->key);
	memcpy(c->alpn, s->alpn, sizeof c->alpn);
	memcpy(c->pin, s->pin, sizeof c->pin);
	c->npins = s->npins;
	ret = configure(t, &c->config, MBEDTLS_SSL_IS_CLIENT);
	if (ret == 0 && c->alpn[0] != NULL)
		ret = mbedtls_ssl_conf_alpn_protocols(&c->config, c->alpn);
	if (ret != 0) {
		tls_error(e, ERROR_TLS, ret, "configuring TLS");
		goto failed;
	}
	mbedtls_ssl_conf_authmode(&c->config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_session_tickets(
	    &c->config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
	    &c->config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
	if (load_roots(c, s->ca_file, e) == -1 ||
	    load_identity(c, s->cert_file, s->key_file, e) == -1)
		goto failed;
	return c;
failed:
	tls_client_free(c);
	return NULL;
}

void
tls_client_free(struct tls_client *c)
{
	struct list_node *n;

	if (c == NULL)
		return;
	while ((n = list_first(&c->tickets)) != NULL)
		tls_ticket_drop(c, container_of(n, struct tls_ticket, node));
	mbedtls_ssl_config_free(&c->config);
	mbedtls_x509_crt_free(&c->roots);
	mbedtls_x509_crt_free(&c->chain);
	mbedtls_pk_free(&c->key);
	pool_give(c);
}

/* --- servers --- */

static int
parse_pem(struct tls_server *s, const struct tls_server_settings *settings)
{
	/* mbedTLS wants the final NUL of a PEM text counted. */
	int ret = mbedtls_x509_crt_parse(&s->chain,
	    (const unsigned char *)settings->cert_pem.p,
	    settings->cert_pem.n + 1);

	if (ret != 0)
		return ret;
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_parse_key(&s->key,
	    (const unsigned char *)settings->key_pem.p, settings->key_pem.n + 1,
	    NULL, 0, mbedtls_ctr_drbg_random, &s->tls->drbg);
#else
	return mbedtls_pk_parse_key(&s->key,
	    (const unsigned char *)settings->key_pem.p, settings->key_pem.n + 1,
	    NULL, 0);
#endif
}

static int
configure_server(
    struct tls_server *s, const struct tls_server_settings *settings)
{
	int ret = configure(s->tls, &s->config, MBEDTLS_SSL_IS_SERVER);

	if (ret == 0)
		ret = parse_pem(s, settings);
	if (ret == 0)
		ret = mbedtls_ssl_conf_own_cert(&s->config, &s->chain, &s->key);
	if (ret == 0)
		ret = mbedtls_ssl_ticket_setup(&s->tickets,
		    mbedtls_ctr_drbg_random, &s->tls->drbg,
		    MBEDTLS_CIPHER_AES_256_GCM, TICKET_LIFETIME_S);
	if (ret == 0 && s->alpn[0] != NULL)
		ret = mbedtls_ssl_conf_alpn_protocols(&s->config, s->alpn);
	if (ret == 0 && settings->client_ca_file != NULL) {
		ret = mbedtls_x509_crt_parse_file(
		    &s->client_roots, settings->client_ca_file);
		mbedtls_ssl_conf_ca_chain(&s->config, &s->client_roots, NULL);
		mbedtls_ssl_conf_authmode(
		    &s->config, MBEDTLS_SSL_VERIFY_REQUIRED);
	}
	mbedtls_ssl_conf_session_tickets_cb(&s->config,
	    mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &s->tickets);
	return ret;
}

struct tls_server *
tls_server_new(
    struct tls *t, const struct tls_server_settings *settings, struct error *e)
{
	struct tls_server *s = pool_take(sizeof *s, NULL);
	int ret;

	if (s == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for TLS");
		return NULL;
	}
	memset(s, 0, sizeof *s);
	s->tls = t;
	memcpy(s->alpn, settings->alpn, sizeof s->alpn);
	mbedtls_ssl_config_init(&s->config);
	mbedtls_x509_crt_init(&s->chain);
	mbedtls_x509_crt_init(&s->client_roots);
	mbedtls_pk_init(&s->key);
	mbedtls_ssl_ticket_init(&s->tickets);
	ret = configure_server(s, settings);
	if (ret != 0) {
		tls_error(
		    e, ERROR_TLS, ret, "the server's certificate and key");
		tls_server_free(s);
		return NULL;
	}
	return s;
}

void
tls_server_free(struct tls_server *s)
{
	if (s == NULL)
		return;
	mbedtls_ssl_config_free(&s->config);
	mbedtls_x509_crt_free(&s->chain);
	mbedtls_x509_crt_free(&s->client_roots);
	mbedtls_pk_free(&s->key);
	mbedtls_ssl_ticket_free(&s->tickets);
	pool_give(s);
}
