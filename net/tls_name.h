#ifndef SKEP_NET_TLS_NAME_H
#define SKEP_NET_TLS_NAME_H

/* Which certificate names are good for which host: RFC 6125, pure. */

#include "engine/base/span.h"

/*
 * True when a dNSName is for host, a DNS name.  "*" may be the whole left
 * label, stands for exactly one, and needs two more labels behind it.
 */
int tls_name_matches(struct span pattern, struct span host);

/* True when the bytes of an iPAddress are those of host, a numeric address. */
int tls_name_is_address(struct span bytes, struct span host);

/* True when host is a numeric address. */
int tls_name_is_numeric(struct span host);

#endif
