#ifndef SKEP_TESTS_TLS_PEER_H
#define SKEP_TESTS_TLS_PEER_H

/*
 * A TLS server of one connection in a thread of its own, made of bare
 * mbedTLS, so that it can be as bad as a test wants; and certificates that
 * skep's own maker would not make.
 */

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <pthread.h>

#include "engine/base/text.h"

enum peer_manner {
	PEER_ANSWERS,       /* one answer, close_notify, close */
	PEER_NO_GOODBYE,    /* an answer until close, without close_notify */
	PEER_TINY_RECORDS,  /* an answer in records of one byte */
	PEER_RENEGOTIATES,  /* asks for a new handshake first */
	PEER_GARBAGE,       /* no TLS at all */
	PEER_STALLS,        /* reads and never answers */
	PEER_RESETS,        /* after the first bytes of the handshake */
	PEER_GARBAGE_RECORD /* breaks the encryption of an answer */
};

struct tls_peer {
	/* To be set before tls_peer_start(); the rest is zero. */
	enum peer_manner manner;
	struct span cert_pem, key_pem;
	const int *suites;
	int version_max; /* minor; 0: 1.2; mbedTLS 3.6 has none below */

	pthread_t thread;
	int fd;
	char url[64];
};

void tls_peer_start(struct tls_peer *p);
void tls_peer_stop(struct tls_peer *p);

/* A chain of depth certificates below a new root, for 127.0.0.1. */
struct bad_cert {
	mbedtls_md_type_t md;
	unsigned rsa_bits; /* of the server's key; 0: P-256 */
	unsigned depth;    /* 1: the server's only */
	struct text ca, chain, key;
	struct span server_der;
};
void bad_cert_make(struct bad_cert *c);
void bad_cert_release(struct bad_cert *c);

#endif
