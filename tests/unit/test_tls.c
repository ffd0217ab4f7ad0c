#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "net/tls_name.h"
#include "net/tls_private.h"
#include "tests/unit/net_test.h"
#include "tests/unit/tls_peer.h"

/* --- asking a TLS peer once --- */

struct outcome {
	int status;
	enum error_code code;
	enum net_stage stage;
	char text[480];
};

static struct outcome
ask_url(const char *url, const struct tls_client_settings *tls)
{
	struct http_origin_settings s = {
	    .url = span_of(url), .tls = *tls, .connect_ms = 2000};
	struct outcome out = {0};
	struct http_origin *o;
	struct asked a;
	struct error e;

	o = http_origin_new(net_client, &s, &e);
	if (o == NULL)
		fail_msg("%s", e.text);
	asked_init(&a);
	ask(&a, o, "GET", "/", NULL);
	net_run_until(&a.over);
	out.status = a.status;
	if (a.failed) {
		out.code = a.failure.error.code;
		out.stage = a.failure.stage;
		snprintf(out.text, sizeof out.text, "%s", a.failure.error.text);
	}
	asked_release(&a);
	http_origin_free(o);
	return out;
}

/* The peer's certificate is trusted by way of ca. */
static struct outcome
ask_peer(struct tls_peer *p, struct span ca, const char *host)
{
	struct tls_client_settings tls = {0};
	struct outcome out;
	char path[64], url[128];

	net_write_file(path, ca);
	tls.ca_file = path;
	tls_peer_start(p);
	snprintf(url, sizeof url, "https://%s%s",
	    host == NULL ? "127.0.0.1" : host, strrchr(p->url, ':'));
	out = ask_url(url, &tls);
	tls_peer_stop(p);
	unlink(path);
	return out;
}

static struct outcome
ask_certificate(const struct tls_cert_settings *s, const char *host)
{
	struct tls_peer p = {.manner = PEER_ANSWERS};
	struct tls_cert cert;
	struct outcome out;
	struct error e;

	assert_int_equal(tls_cert_make(&cert, s, &e), 0);
	p.cert_pem = text_span(&cert.cert);
	p.key_pem = text_span(&cert.key);
	out = ask_peer(&p, text_span(&cert.ca), host);
	tls_cert_release(&cert);
	return out;
}

#define REFUSED(out, phrase)                                        \
	do {                                                        \
		struct outcome seen = (out);                        \
		if (seen.status != 0 || seen.code != ERROR_TLS ||   \
		    strstr(seen.text, phrase) == NULL)              \
			fail_msg("%d: %s", seen.status, seen.text); \
		assert_int_equal(seen.stage, NET_TLS);              \
	} while (0)
#define ACCEPTED(out)                                       \
	do {                                                \
		struct outcome seen = (out);                \
		if (seen.status != 200)                     \
			fail_msg("refused: %s", seen.text); \
	} while (0)

/* --- the safe constructor, property by property --- */

static void
a_certificate_must_be_for_the_host(void **state)
{
	const struct tls_cert_settings name = {.names = {"localhost"}},
				       address = {.names = {"127.0.0.1"}},
				       other = {.names = {"example.com",
						    "127.0.0.2", "::1"}};

	(void)state;
	ACCEPTED(ask_certificate(&name, "localhost"));
	ACCEPTED(ask_certificate(&address, "127.0.0.1"));
	REFUSED(ask_certificate(&name, "127.0.0.1"), "not for this host");
	REFUSED(ask_certificate(&address, "localhost"), "not for this host");
	REFUSED(ask_certificate(&other, "127.0.0.1"), "not for this host");
	REFUSED(ask_certificate(&other, "localhost"), "not for this host");
}

static void
the_common_name_does_not_count(void **state)
{
	const struct tls_cert_settings name = {.common_name = "localhost"},
				       address = {.common_name = "127.0.0.1"},
				       beside = {.common_name = "localhost",
					   .names = {"127.0.0.1"}};

	(void)state;
	REFUSED(ask_certificate(&name, "localhost"), "not for this host");
	REFUSED(ask_certificate(&address, "127.0.0.1"), "not for this host");
	REFUSED(ask_certificate(&beside, "localhost"), "not for this host");
}

static void
dates_count(void **state)
{
	const struct tls_cert_settings past = {.names = {"127.0.0.1"},
	    .not_before_s = -7200,
	    .not_after_s = -3600};
	const struct tls_cert_settings future = {
	    .names = {"127.0.0.1"}, .not_before_s = 3600, .not_after_s = 7200};

	(void)state;
	REFUSED(ask_certificate(&past, NULL), "expired");
	REFUSED(ask_certificate(&future, NULL), "not valid yet");
}

static void
somebody_trusted_must_have_signed(void **state)
{
	const struct tls_cert_settings s = {.names = {"127.0.0.1"}},
				       self = {.names = {"127.0.0.1"},
					   .server_is_self_signed = 1};
	struct tls_peer p = {.manner = PEER_ANSWERS};
	struct tls_cert cert, other;
	struct error e;

	(void)state;
	assert_int_equal(tls_cert_make(&other, &s, &e), 0);
	assert_int_equal(tls_cert_make(&cert, &s, &e), 0);
	p.cert_pem = text_span(&cert.cert);
	p.key_pem = text_span(&cert.key);
	REFUSED(ask_peer(&p, text_span(&other.ca), NULL), "no trusted");
	tls_cert_release(&cert);
	assert_int_equal(tls_cert_make(&cert, &self, &e), 0);
	p.cert_pem = text_span(&cert.cert);
	p.key_pem = text_span(&cert.key);
	REFUSED(ask_peer(&p, text_span(&other.ca), NULL), "no trusted");
	/* A certificate may be named itself, and is then its own root. */
	ACCEPTED(ask_peer(&p, text_span(&cert.ca), NULL));
	tls_cert_release(&cert);
	tls_cert_release(&other);
}

static struct outcome
ask_bad_cert(mbedtls_md_type_t md, unsigned rsa_bits, unsigned depth)
{
	struct bad_cert c = {.md = md, .rsa_bits = rsa_bits, .depth = depth};
	struct tls_peer p = {.manner = PEER_ANSWERS};
	struct outcome out;

	bad_cert_make(&c);
	p.cert_pem = text_span(&c.chain);
	p.key_pem = text_span(&c.key);
	out = ask_peer(&p, text_span(&c.ca), NULL);
	bad_cert_release(&c);
	return out;
}

static void
weak_signatures_and_keys_are_refused(void **state)
{
	(void)state;
	ACCEPTED(ask_bad_cert(MBEDTLS_MD_SHA256, 0, 1));
	ACCEPTED(ask_bad_cert(MBEDTLS_MD_SHA384, 2048, 1));
	REFUSED(ask_bad_cert(MBEDTLS_MD_SHA1, 0, 1), "too weak");
	REFUSED(ask_bad_cert(MBEDTLS_MD_SHA256, 1024, 1), "too weak");
}

static void
chains_have_an_end(void **state)
{
	struct outcome out;

	(void)state;
	ACCEPTED(ask_bad_cert(MBEDTLS_MD_SHA256, 0, 4));
	out = ask_bad_cert(MBEDTLS_MD_SHA256, 0, 12);
	assert_int_equal(out.status, 0);
	assert_int_equal(out.code, ERROR_TLS);
}

static void
old_versions_and_suites_are_refused(void **state)
{
	static const int cbc[] = {
	    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, 0};
	static const int cbc_sha[] = {
	    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, 0};
	static const int no_forward_secrecy[] = {
	    MBEDTLS_TLS_RSA_WITH_AES_128_GCM_SHA256, 0};
	static const int good[] = {
	    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, 0};
	struct bad_cert ec = {.md = MBEDTLS_MD_SHA256, .depth = 1};
	struct bad_cert rsa = {
	    .md = MBEDTLS_MD_SHA256, .depth = 1, .rsa_bits = 2048};
	struct tls_peer p = {.manner = PEER_ANSWERS};

	(void)state;
	bad_cert_make(&ec);
	bad_cert_make(&rsa);
	p.cert_pem = text_span(&ec.chain);
	p.key_pem = text_span(&ec.key);
#if MBEDTLS_VERSION_MAJOR < 3
	for (int minor = MBEDTLS_SSL_MINOR_VERSION_1;
	     minor < MBEDTLS_SSL_MINOR_VERSION_3; minor++) {
		p.version_max = minor;
		REFUSED(ask_peer(&p, text_span(&ec.ca), NULL), "");
	}
	p.version_max = 0;
#endif
	p.suites = cbc;
	REFUSED(ask_peer(&p, text_span(&ec.ca), NULL), "");
	p.suites = cbc_sha;
	REFUSED(ask_peer(&p, text_span(&ec.ca), NULL), "");
	p.suites = good;
	ACCEPTED(ask_peer(&p, text_span(&ec.ca), NULL));
	p.cert_pem = text_span(&rsa.chain);
	p.key_pem = text_span(&rsa.key);
	p.suites = no_forward_secrecy;
	REFUSED(ask_peer(&p, text_span(&rsa.ca), NULL), "");
	bad_cert_release(&ec);
	bad_cert_release(&rsa);
}

/*
 * Some of it is refused twice over -- no good suite exists below TLS 1.2 --
 * so that a peer cannot show that one of the two is missing.
 */
static void
the_settings_say_so_too(void **state)
{
	struct tls_client_settings s = {.npins = 0};
	struct tls_client *c;
	struct error e;
	struct echo ec;
	struct tls *t;

	(void)state;
	echo_start(&ec, ECHO_TLS, NULL);
	t = tls_new(net_loop, &e);
	s.ca_file = ec.ca_file;
	c = tls_client_new(t, &s, &e);
	assert_non_null(c);
#define SET(member) c->config.MBEDTLS_PRIVATE(member)
#if MBEDTLS_VERSION_MAJOR >= 3
	assert_int_equal(SET(min_tls_version), MBEDTLS_SSL_VERSION_TLS1_2);
	for (const uint16_t *g = SET(sig_algs); *g != 0; g++)
		assert_true((*g >> 8) >= 4); /* of SHA-256 at least */
#else
	assert_int_equal(SET(min_major_ver), MBEDTLS_SSL_MAJOR_VERSION_3);
	assert_int_equal(SET(min_minor_ver), MBEDTLS_SSL_MINOR_VERSION_3);
	for (const int *md = SET(sig_hashes); *md != MBEDTLS_MD_NONE; md++)
		assert_true(*md >= MBEDTLS_MD_SHA256);
#endif
	assert_int_equal(SET(authmode), MBEDTLS_SSL_VERIFY_REQUIRED);
	assert_int_equal(SET(cert_profile)->rsa_min_bitlen, 2048);
	assert_int_equal(SET(cert_profile)->allowed_mds &
			     MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA1),
	    0);
	assert_int_equal(
	    SET(disable_renegotiation), MBEDTLS_SSL_RENEGOTIATION_DISABLED);
	tls_client_free(c);
	tls_free(t);
	echo_stop(&ec);
}

/* --- manners --- */

static struct outcome
ask_manner(enum peer_manner manner)
{
	const struct tls_cert_settings s = {.names = {"127.0.0.1"}};
	struct tls_peer p = {.manner = manner};
	struct tls_cert cert;
	struct outcome out;
	struct error e;

	assert_int_equal(tls_cert_make(&cert, &s, &e), 0);
	p.cert_pem = text_span(&cert.cert);
	p.key_pem = text_span(&cert.key);
	out = ask_peer(&p, text_span(&cert.ca), NULL);
	tls_cert_release(&cert);
	return out;
}

static void
an_end_without_close_notify_is_a_cut(void **state)
{
	struct outcome out = ask_manner(PEER_NO_GOODBYE);

	(void)state;
	assert_int_equal(out.code, ERROR_CLOSED);
	assert_int_equal(out.stage, NET_BODY);
}

static void
strange_manners_end_well(void **state)
{
	struct outcome out;

	(void)state;
	ACCEPTED(ask_manner(PEER_TINY_RECORDS));
	out = ask_manner(PEER_RENEGOTIATES);
	assert_true(out.status == 200 || out.code != ERROR_NONE);
	REFUSED(ask_manner(PEER_GARBAGE), "");
	out = ask_manner(PEER_STALLS);
	assert_int_equal(out.code, ERROR_TIMEOUT);
	assert_int_equal(out.stage, NET_TLS);
	out = ask_manner(PEER_RESETS);
	assert_int_equal(out.code, ERROR_CLOSED);
	assert_int_equal(out.stage, NET_TLS);
	out = ask_manner(PEER_GARBAGE_RECORD);
	assert_int_equal(out.code, ERROR_TLS);
}

/* --- identities --- */

static void
client_certificates_are_shown_when_asked_for(void **state)
{
	const struct tls_cert_settings s = {.names = {"127.0.0.1"}};
	struct tls_server_settings t = {0};
	struct tls_client_settings c = {0};
	struct server_settings ss = {0};
	char ca[64], cert_file[64], key_file[64];
	struct tls_cert cert;
	struct echo ec;
	struct outcome out;
	struct error e;

	(void)state;
	assert_int_equal(tls_cert_make(&cert, &s, &e), 0);
	net_write_file(ca, text_span(&cert.ca));
	net_write_file(cert_file, text_span(&cert.cert));
	net_write_file(key_file, text_span(&cert.key));
	echo_start(&ec, 1, &ss);
	server_free(ec.server);
	tls_server_free(ec.tls);
	t.cert_pem = text_span(&cert.cert);
	t.key_pem = text_span(&cert.key);
	t.client_ca_file = ca;
	ec.tls = tls_server_new(ec.tls_base, &t, &e);
	assert_non_null(ec.tls);
	echo_serve(&ec);
	c.ca_file = ca;
	out = ask_url(ec.url, &c);
	assert_int_equal(out.status, 0);
	assert_int_equal(out.code, ERROR_TLS);
	c.cert_file = cert_file;
	c.key_file = key_file;
	assert_int_equal(ask_url(ec.url, &c).status, 404);
	echo_stop(&ec);
	unlink(ca);
	unlink(cert_file);
	unlink(key_file);
	tls_cert_release(&cert);
}

static void
pinned_keys_must_be_in_the_chain(void **state)
{
	struct tls_client_settings c = {.npins = 1};
	mbedtls_x509_crt crt;
	struct echo ec;

	(void)state;
	echo_start(&ec, 1, NULL);
	c.ca_file = ec.ca_file;
	hash_of(span_of("something else"), &c.pin[0]);
	REFUSED(ask_url(ec.url, &c), "pinned");
	mbedtls_x509_crt_init(&crt);
	assert_int_equal(mbedtls_x509_crt_parse_file(&crt, ec.ca_file), 0);
	hash_of((struct span){(char *)crt.pk_raw.p, crt.pk_raw.len}, &c.pin[0]);
	mbedtls_x509_crt_free(&crt);
	assert_int_equal(ask_url(ec.url, &c).status, 404);
	echo_stop(&ec);
}

static void
unusable_files_are_refused_with_their_names(void **state)
{
	struct http_origin_settings s = {.url = span_of("https://127.0.0.1")};
	char path[64];
	struct error e;

	(void)state;
	s.tls.ca_file = "/nonexistent/ca.pem";
	assert_null(http_origin_new(net_client, &s, &e));
	assert_int_equal(e.code, ERROR_NO_INPUT);
	assert_non_null(strstr(e.text, "/nonexistent/ca.pem"));
	net_write_file(path, span_of("not a certificate"));
	s.tls.ca_file = path;
	assert_null(http_origin_new(net_client, &s, &e));
	assert_int_equal(e.code, ERROR_TLS);
	assert_non_null(strstr(e.text, path));
	s.tls.ca_file = NULL;
	s.tls.cert_file = path;
	assert_null(http_origin_new(net_client, &s, &e));
	assert_int_equal(e.code, ERROR_CONFIG);
	unlink(path);
}

static void
two_identities_share_no_ticket(void **state)
{
	struct http_counts n;
	struct http_origin *o[2];
	struct asked a;
	struct echo ec;

	(void)state;
	echo_start(&ec, 1, NULL);
	for (int i = 0; i < 2; i++) {
		o[i] = echo_origin(&ec);
		asked_init(&a);
		ask(&a, o[i], "GET", "/", NULL);
		net_run_until(&a.over);
		asked_release(&a);
		http_origin_counts(o[i], &n);
		assert_int_equal(n.handshakes_full, 1);
		assert_int_equal(n.handshakes_resumed, 0);
	}
	echo_stop(&ec);
}

/* --- names, pure --- */

static void
names_match_as_they_should(void **state)
{
	static const struct {
		const char *pattern, *host;
		int is;
	} pairs[] = {
	    {"example.com", "example.com", 1},
	    {"EXAMPLE.com", "example.COM", 1},
	    {"example.com", "example.com.", 1},
	    {"example.com", "www.example.com", 0},
	    {"*.example.com", "www.example.com", 1},
	    {"*.example.com", "a.b.example.com", 0},
	    {"*.example.com", "example.com", 0},
	    {"*.example.com", ".example.com", 0},
	    {"*.com", "example.com", 0},
	    {"*", "example", 0},
	    {"w*.example.com", "www.example.com", 0},
	    {"*w.example.com", "www.example.com", 0},
	    {"www.*.com", "www.example.com", 0},
	    {"*.*.com", "www.example.com", 0},
	    {"", "example.com", 0},
	    {"", "", 0},
	};
	struct span nul = {"example.com\0.evil", 16};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (tls_name_matches(span_of(pairs[i].pattern),
			span_of(pairs[i].host)) != pairs[i].is)
			fail_msg("%s %s", pairs[i].pattern, pairs[i].host);
	assert_false(tls_name_matches(nul, span_of("example.com")));
	assert_true(tls_name_is_address(
	    (struct span){"\x7f\0\0\1", 4}, span_of("127.0.0.1")));
	assert_false(tls_name_is_address(
	    (struct span){"\x7f\0\0\1", 4}, span_of("127.0.0.2")));
	assert_false(tls_name_is_address(
	    (struct span){"\x7f\0\0\1", 3}, span_of("127.0.0.1")));
	assert_true(tls_name_is_address(
	    (struct span){"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16},
	    span_of("::1")));
	assert_false(tls_name_is_numeric(span_of("127.1")));
	assert_false(tls_name_is_numeric(span_of("0x7f.0.0.1")));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_certificate_must_be_for_the_host),
	    TEST(the_common_name_does_not_count),
	    TEST(dates_count),
	    TEST(somebody_trusted_must_have_signed),
	    TEST(weak_signatures_and_keys_are_refused),
	    TEST(chains_have_an_end),
	    TEST(old_versions_and_suites_are_refused),
	    TEST(the_settings_say_so_too),
	    TEST(an_end_without_close_notify_is_a_cut),
	    TEST(strange_manners_end_well),
	    TEST(client_certificates_are_shown_when_asked_for),
	    TEST(pinned_keys_must_be_in_the_chain),
	    TEST(unusable_files_are_refused_with_their_names),
	    TEST(two_identities_share_no_ticket),
	    TEST(names_match_as_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
