#ifndef SKEP_NET_TLS_PRIVATE_H
#define SKEP_NET_TLS_PRIVATE_H

/*
 * What the files of tls share.  The differences between mbedTLS 2.28 and 3.6
 * end here and in tls.c.
 */

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "net/dns.h"
#include "net/stream.h"
#include "net/tls.h"

#if MBEDTLS_VERSION_MAJOR < 3
#	define MBEDTLS_PRIVATE(member) member
#endif

#define TLS_STREAM_MAGIC 0x715c0001u
#define TLS_TICKETS_MAX 64
#define TLS_TICKET_KEPT_MS (30 * 60 * 1000)

struct tls {
	struct loop *loop;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context drbg;
	mbedtls_x509_crt system_roots; /* read when first needed */
	int has_system_roots;
	struct loop_turn turn;
	unsigned full_left; /* full handshakes that may start this turn */
	struct list held;   /* handshakes that wait for the next turn */
	struct tls_counts counts;
};

/* What may resume a connection to one host and port. */
struct tls_ticket {
	struct list_node node; /* of client->tickets, oldest first */
	mbedtls_ssl_session saved;
	uint64_t got_ms;
	uint16_t port;
	char host[DNS_NAME_MAX + 1];
};

struct tls_client {
	struct tls *tls;
	mbedtls_ssl_config config;
	mbedtls_x509_crt roots, chain;
	mbedtls_pk_context key;
	const char *alpn[TLS_ALPN_MAX + 1];
	struct digest pin[TLS_PINS_MAX];
	unsigned npins;
	struct list tickets;
};

struct tls_server {
	struct tls *tls;
	mbedtls_ssl_config config;
	mbedtls_x509_crt chain, client_roots;
	mbedtls_pk_context key;
	mbedtls_ssl_ticket_context tickets;
	const char *alpn[TLS_ALPN_MAX + 1];
};

struct tls_stream {
	struct stream base; /* first */
	unsigned magic;
	struct tls *tls;
	struct tls_client *client; /* NULL: the server's side */
	mbedtls_ssl_context ssl;
	struct list_node node; /* of tls->held */
	tls_ready_fn *done;    /* NULL once the handshake is over */
	void *done_owner;
	int may_be_full; /* has its share of this turn's budget */
	int was_full;    /* certificates were exchanged */
	int offered;     /* a ticket was offered */
	int extra_want;  /* TLS must write in order to read, or the reverse */
	int os_errno;    /* of the last failed system call */
	int broken;      /* nothing more may be sent */
	size_t write_n;  /* bytes of a write that must be repeated */
	int pin_found;
	const char *reason; /* why the certificate is refused; or NULL */
	uint16_t port;
	char host[DNS_NAME_MAX + 1];
};

/* The stream of base; CHECKs that it is one of ours. */
struct tls_stream *tls_stream_of(const struct stream *s);

/* mbedTLS's sentence for a code of its own, as an error. */
int tls_error(struct error *e, enum error_code code, int ret, const char *what);

/* Read when first needed; -1 and *e. */
int tls_system_roots(struct tls *t, struct error *e);

/* The verify callback, with a struct tls_stream. */
int tls_verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags);

/* Why the handshake of t failed on its certificate, into out. */
void tls_verify_explain(struct tls_stream *t, char *out, size_t size);

/* The ticket for t's host and port, or NULL; keep the one it has now. */
struct tls_ticket *tls_ticket_find(struct tls_stream *t);
void tls_ticket_keep(struct tls_stream *t);
void tls_ticket_drop(struct tls_client *c, struct tls_ticket *ticket);

#endif
