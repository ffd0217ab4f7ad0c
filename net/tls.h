#ifndef SKEP_NET_TLS_H
#define SKEP_NET_TLS_H

/*
 * TLS by mbedTLS (2.28 or 3.6), as streams.
 *
 * Theory of operation
 *
 * There is one constructor of client streams, and it cannot make an unsafe
 * one: the host's name is always set and verified against the certificate's
 * SANs (dNSName with at most one wildcard as the whole left label; iPAddress
 * for numeric hosts; never the CN), TLS 1.2 or newer, ECDHE with AES-GCM or
 * ChaCha20-Poly1305 only, chains of at most ten, no SHA-1 signature, no RSA
 * below 2048 bits, no renegotiation.  mbedTLS alone does not do this: without
 * a host name it accepts any valid certificate for any host.
 *
 * A full handshake costs milliseconds of CPU and a resumed one hundredths, so
 * tickets are kept per (client, host, port), and at most
 * TLS_FULL_PER_TURN full handshakes advance in one turn of the loop.
 *
 * A connection that ends without close_notify ends with ERROR_CLOSED, never
 * with IO_END, so a cut body is never taken for a whole one.
 */

#include <stdint.h>

#include "engine/base/hash.h"
#include "engine/base/span.h"

struct error;
struct loop;
struct stream;
struct tls;
struct tls_client;
struct tls_server;

#define TLS_FULL_PER_TURN 2
#define TLS_PINS_MAX 4
#define TLS_ALPN_MAX 2

/* The random source, the system's roots, the budget of full handshakes. */
struct tls *tls_new(struct loop *l, struct error *e);
void tls_free(struct tls *t); /* after its clients, servers and streams */

struct tls_client_settings {
	const char *ca_file;   /* PEM; replaces the system's roots */
	const char *cert_file; /* PEM chain and key for mTLS; both or none */
	const char *key_file;
	const char *alpn[TLS_ALPN_MAX + 1]; /* in order, NULL-terminated; the
					       strings are kept */
	struct digest pin[TLS_PINS_MAX];    /* SHA-256 of a SubjectPublicKeyInfo
					       that must be in the chain */
	unsigned npins;
};

/*
 * One trust and identity, shared by any number of connections.  Files are
 * read here and nowhere else.
 */
struct tls_client *tls_client_new(
    struct tls *t, const struct tls_client_settings *settings, struct error *e);
void tls_client_free(struct tls_client *c);

struct tls_server_settings {
	struct span cert_pem, key_pem; /* borrowed */
	const char *alpn[TLS_ALPN_MAX + 1];
	const char *client_ca_file; /* require client certificates; or NULL */
};

struct tls_server *tls_server_new(
    struct tls *t, const struct tls_server_settings *settings, struct error *e);
void tls_server_free(struct tls_server *s);

/*
 * TLS over the connected socket fd, taken (closed on failure too).  host is
 * the name or numeric address the certificate must be for.
 */
struct stream *tls_client_stream(struct tls_client *c, int fd, struct span host,
    uint16_t port, struct error *e);
struct stream *tls_server_stream(struct tls_server *s, int fd, struct error *e);

/*
 * Shake hands; done is called once, later, with e == NULL when the peer is
 * proven.  Closing the stream cancels.  Nothing may be read or written
 * before.
 */
typedef void tls_ready_fn(struct stream *s, void *owner, const struct error *e);
void tls_handshake_start(struct stream *s, tls_ready_fn *done, void *owner);

/* After the handshake; "" when no protocol was agreed. */
const char *tls_alpn(const struct stream *s);
int tls_was_resumed(const struct stream *s);

/* Handshakes completed since tls_new, both sides. */
struct tls_counts {
	unsigned long long full, resumed, failed;
};
void tls_counts(const struct tls *t, struct tls_counts *out);

#endif
