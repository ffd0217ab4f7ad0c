#include "tests/unit/tls_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/rsa.h>
#include <mbedtls/version.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER                                                              \
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n" \
	"hello"
#define ENDLESS "HTTP/1.1 200 OK\r\n\r\nhello"
#define CERT_BYTES 4096

/* --- the thread --- */

struct seat {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context drbg;
	mbedtls_ssl_config config;
	mbedtls_ssl_context ssl;
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
	int fd;
};

static int
seat_send(void *arg, const unsigned char *p, size_t n)
{
	ssize_t r = send(*(int *)arg, p, n, MSG_NOSIGNAL);

	return r < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)r;
}

static int
seat_receive(void *arg, unsigned char *p, size_t n)
{
	ssize_t r = recv(*(int *)arg, p, n, 0);

	return r < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)r;
}

static void
say(struct seat *s, const char *text, size_t piece)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i += piece)
		mbedtls_ssl_write(&s->ssl, (const unsigned char *)text + i,
		    n - i < piece ? n - i : piece);
}

static void
converse(struct tls_peer *p, struct seat *s)
{
	unsigned char in[2048];

	if (mbedtls_ssl_handshake(&s->ssl) != 0)
		return;
	if (mbedtls_ssl_read(&s->ssl, in, sizeof in) <= 0)
		return;
	switch (p->manner) {
	case PEER_NO_GOODBYE:
		say(s, ENDLESS, 1000);
		return;
	case PEER_TINY_RECORDS:
		say(s, ANSWER, 1);
		break;
	case PEER_RENEGOTIATES:
		mbedtls_ssl_renegotiate(&s->ssl);
		/* fall through */
	case PEER_ANSWERS:
		say(s, ANSWER, 1000);
		break;
	case PEER_GARBAGE_RECORD:
		seat_send(&s->fd,
		    (const unsigned char *)"\x17\x03\x03\x00\x20"
					   "0123456789abcdef0123456789abcdef",
		    37);
		recv(s->fd, in, sizeof in, 0);
		return;
	default:
		recv(s->fd, in, sizeof in, 0);
		return;
	}
	mbedtls_ssl_close_notify(&s->ssl);
}

static void
prepare_key_and_version(struct tls_peer *p, struct seat *s)
{
	const unsigned char *pem = (const unsigned char *)p->key_pem.p;
	size_t n = p->key_pem.n + 1;

#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_pk_parse_key(
	    &s->key, pem, n, NULL, 0, mbedtls_ctr_drbg_random, &s->drbg);
	mbedtls_ssl_conf_max_tls_version(
	    &s->config, MBEDTLS_SSL_VERSION_TLS1_2);
#else
	mbedtls_pk_parse_key(&s->key, pem, n, NULL, 0);
	mbedtls_ssl_conf_min_version(&s->config, MBEDTLS_SSL_MAJOR_VERSION_3,
	    MBEDTLS_SSL_MINOR_VERSION_1);
	mbedtls_ssl_conf_max_version(&s->config, MBEDTLS_SSL_MAJOR_VERSION_3,
	    p->version_max > 0 ? p->version_max : MBEDTLS_SSL_MINOR_VERSION_3);
#endif
	mbedtls_ssl_conf_own_cert(&s->config, &s->chain, &s->key);
}

static void
prepare(struct tls_peer *p, struct seat *s)
{
	mbedtls_entropy_init(&s->entropy);
	mbedtls_ctr_drbg_init(&s->drbg);
	mbedtls_ctr_drbg_seed(
	    &s->drbg, mbedtls_entropy_func, &s->entropy, NULL, 0);
	mbedtls_ssl_config_init(&s->config);
	mbedtls_ssl_init(&s->ssl);
	mbedtls_x509_crt_init(&s->chain);
	mbedtls_pk_init(&s->key);
	mbedtls_ssl_config_defaults(&s->config, MBEDTLS_SSL_IS_SERVER,
	    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
	mbedtls_ssl_conf_rng(&s->config, mbedtls_ctr_drbg_random, &s->drbg);
	mbedtls_x509_crt_parse(
	    &s->chain, (const unsigned char *)p->cert_pem.p, p->cert_pem.n + 1);
	prepare_key_and_version(p, s);
	if (p->suites != NULL)
		mbedtls_ssl_conf_ciphersuites(&s->config, p->suites);
	if (p->manner == PEER_RENEGOTIATES)
		mbedtls_ssl_conf_renegotiation(
		    &s->config, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
	mbedtls_ssl_setup(&s->ssl, &s->config);
	mbedtls_ssl_set_bio(&s->ssl, &s->fd, seat_send, seat_receive, NULL);
}

static void
clean_up(struct seat *s)
{
	mbedtls_ssl_free(&s->ssl);
	mbedtls_ssl_config_free(&s->config);
	mbedtls_x509_crt_free(&s->chain);
	mbedtls_pk_free(&s->key);
	mbedtls_ctr_drbg_free(&s->drbg);
	mbedtls_entropy_free(&s->entropy);
}

static void *
serve(void *arg)
{
	struct tls_peer *p = arg;
	struct linger now = {1, 0};
	struct seat s = {.fd = accept(p->fd, NULL, NULL)};
	char in[512];

	if (s.fd == -1)
		return NULL;
	switch (p->manner) {
	case PEER_GARBAGE:
		send(s.fd, "SSH-2.0-hello there, this is not TLS\r\n", 38,
		    MSG_NOSIGNAL);
		while (recv(s.fd, in, sizeof in, 0) > 0)
			;
		break;
	case PEER_STALLS:
		while (recv(s.fd, in, sizeof in, 0) > 0)
			;
		break;
	case PEER_RESETS:
		recv(s.fd, in, sizeof in, 0);
		setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		break;
	default:
		prepare(p, &s);
		converse(p, &s);
		clean_up(&s);
	}
	close(s.fd);
	return NULL;
}

void
tls_peer_start(struct tls_peer *p)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(p->fd, 8), 0);
	getsockname(p->fd, (struct sockaddr *)&at, &n);
	snprintf(
	    p->url, sizeof p->url, "https://127.0.0.1:%u", ntohs(at.sin_port));
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

void
tls_peer_stop(struct tls_peer *p)
{
	shutdown(p->fd, SHUT_RDWR); /* wakes accept */
	pthread_join(p->thread, NULL);
	close(p->fd);
}

/* --- certificates --- */

static void
make_key(
    mbedtls_pk_context *key, unsigned rsa_bits, mbedtls_ctr_drbg_context *drbg)
{
	mbedtls_pk_init(key);
	if (rsa_bits > 0) {
		mbedtls_pk_setup(
		    key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA));
		assert_int_equal(
		    mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key),
			mbedtls_ctr_drbg_random, drbg, rsa_bits, 65537),
		    0);
		return;
	}
	mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	assert_int_equal(
	    mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
		mbedtls_ctr_drbg_random, drbg),
	    0);
}

static void
set_serial(mbedtls_x509write_cert *crt)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	unsigned char number = 77;

	mbedtls_x509write_crt_set_serial_raw(crt, &number, 1);
#else
	mbedtls_mpi serial;

	mbedtls_mpi_init(&serial);
	mbedtls_mpi_lset(&serial, 77);
	mbedtls_x509write_crt_set_serial(crt, &serial);
	mbedtls_mpi_free(&serial);
#endif
}

static void
certify(struct text *pem, const char *subject, mbedtls_pk_context *key,
    const char *issuer, mbedtls_pk_context *issuer_key, mbedtls_md_type_t md,
    int is_ca, mbedtls_ctr_drbg_context *drbg)
{
	static const unsigned char san[] = {0x30, 6, 0x87, 4, 127, 0, 0, 1};
	unsigned char out[CERT_BYTES];
	mbedtls_x509write_cert crt;

	mbedtls_x509write_crt_init(&crt);
	set_serial(&crt);
	mbedtls_x509write_crt_set_md_alg(&crt, md);
	mbedtls_x509write_crt_set_subject_key(&crt, key);
	mbedtls_x509write_crt_set_issuer_key(&crt, issuer_key);
	mbedtls_x509write_crt_set_subject_name(&crt, subject);
	mbedtls_x509write_crt_set_issuer_name(&crt, issuer);
	mbedtls_x509write_crt_set_validity(
	    &crt, "20200101000000", "20491231235959");
	mbedtls_x509write_crt_set_basic_constraints(&crt, is_ca, -1);
	if (!is_ca)
		mbedtls_x509write_crt_set_extension(&crt,
		    MBEDTLS_OID_SUBJECT_ALT_NAME,
		    MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, san,
		    sizeof san);
	assert_int_equal(mbedtls_x509write_crt_pem(&crt, out, sizeof out,
			     mbedtls_ctr_drbg_random, drbg),
	    0);
	text_add_str(pem, (const char *)out);
	mbedtls_x509write_crt_free(&crt);
}

/* The chain is written from the server's own up: names count downwards. */
void
bad_cert_make(struct bad_cert *c)
{
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context drbg;
	mbedtls_pk_context server, mine;
	char subject[32], issuer[32];
	unsigned char out[CERT_BYTES];

	text_init(&c->ca, 64 * 1024);
	text_init(&c->chain, 64 * 1024);
	text_init(&c->key, 64 * 1024);
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&drbg);
	mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0);
	make_key(&server, c->rsa_bits, &drbg);
	make_key(&mine, 0, &drbg); /* of all authorities */
	for (unsigned i = 0; i < c->depth; i++) {
		snprintf(subject, sizeof subject, "CN=level %u", i);
		snprintf(issuer, sizeof issuer, "CN=level %u", i + 1);
		certify(&c->chain, subject, i == 0 ? &server : &mine, issuer,
		    &mine, c->md, i > 0, &drbg);
	}
	snprintf(issuer, sizeof issuer, "CN=level %u", c->depth);
	certify(
	    &c->ca, issuer, &mine, issuer, &mine, MBEDTLS_MD_SHA256, 1, &drbg);
	assert_int_equal(mbedtls_pk_write_key_pem(&server, out, sizeof out), 0);
	text_add_str(&c->key, (const char *)out);
	mbedtls_pk_free(&server);
	mbedtls_pk_free(&mine);
	mbedtls_ctr_drbg_free(&drbg);
	mbedtls_entropy_free(&entropy);
}

void
bad_cert_release(struct bad_cert *c)
{
	text_release(&c->ca);
	text_release(&c->chain);
	text_release(&c->key);
}
