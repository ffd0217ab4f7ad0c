#ifndef SKEP_NET_TLS_CERT_H
#define SKEP_NET_TLS_CERT_H

/*
 * Certificates made on the spot, for skep's own servers (the scripted model
 * server) and for tests: a new EC P-256 authority and a server certificate
 * signed by it.  The authority's key is forgotten when the maker returns.
 */

#include "engine/base/text.h"

struct error;

#define TLS_CERT_PEM_MAX 8192
#define TLS_CERT_NAMES_MAX 8

struct tls_cert_settings {
	/* SANs: numeric ones become iPAddress, others dNSName. */
	const char *names[TLS_CERT_NAMES_MAX + 1];
	const char *common_name; /* of the server; NULL: "skep" */
	/* Validity, in seconds from now; both 0: an hour ago for 30 days. */
	long long not_before_s, not_after_s;
	int server_is_self_signed; /* no authority; ca is the certificate */
};

/* PEM texts; init with text_init(TLS_CERT_PEM_MAX). */
struct tls_cert {
	struct text ca, cert, key;
};

int tls_cert_make(struct tls_cert *c, const struct tls_cert_settings *settings,
    struct error *e);
void tls_cert_release(struct tls_cert *c); /* wipes the key */

#endif
