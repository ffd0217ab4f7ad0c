#ifndef SKEP_NET_DNS_H
#define SKEP_NET_DNS_H

/*
 * Names to addresses without blocking: c-ares on the loop, A and AAAA, the
 * hosts file, and a cache that keeps answers for their TTL (between 1 s and
 * 1 h) and failures for 5 s.  The only module that includes ares.h.
 *
 * Numeric hosts are answered without asking anybody, and localhost is always
 * this machine (RFC 6761).  Questions for the same name share one query.
 */

#include <stdint.h>

#include "engine/base/span.h"
#include "net/address.h"

struct error;
struct loop;
struct dns;
struct dns_query;

#define DNS_ADDRESSES_MAX 16
#define DNS_NAME_MAX 253

struct dns_answer {
	struct address address[DNS_ADDRESSES_MAX]; /* in order of preference */
	unsigned n;
};

/* answer is borrowed, and NULL when e says why there is none. */
typedef void dns_done_fn(
    void *owner, const struct dns_answer *answer, const struct error *e);

struct dns_settings {
	const char *servers;    /* "127.0.0.1:53,..."; NULL: resolv.conf's */
	const char *hosts_file; /* NULL: /etc/hosts */
	unsigned timeout_ms;    /* of one try; 0: 2,000 */
	unsigned tries;         /* 0: 3 */
};

/* settings may be NULL. */
struct dns *dns_new(
    struct loop *l, const struct dns_settings *settings, struct error *e);
void dns_free(struct dns *d); /* every query must have ended */

/* Always answers later, through done; NULL and *e when it cannot even ask. */
struct dns_query *dns_start(struct dns *d, struct span host, uint16_t port,
    dns_done_fn *done, void *owner, struct error *e);
void dns_cancel(struct dns_query *q);

/*
 * Of host's addresses this one accepted a connection: while the answer is
 * remembered, it comes first.
 */
void dns_prefer(struct dns *d, struct span host, const struct address *a);

/* The version of c-ares, for --version. */
void dns_library_version(char *out, size_t size);

#endif
