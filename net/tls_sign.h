#ifndef SKEP_NET_TLS_SIGN_H
#define SKEP_NET_TLS_SIGN_H

/* Signatures with a private key of the user's: ECDSA on P-256 with SHA-256,
 * in the form of JSON Web Signatures (RFC 7518 3.4). */

#include "engine/base/span.h"

struct error;

#define TLS_SIGNATURE_BYTES 64

/* pem is borrowed.  -1 and *e (CONFIG): no key, or not one on P-256. */
int tls_sign(struct span pem, struct span text,
    unsigned char out[TLS_SIGNATURE_BYTES], struct error *e);

#endif
