#ifndef SKEP_NET_URL_H
#define SKEP_NET_URL_H

/*
 * Absolute URLs that we connect to: http, https, and http+unix, whose host
 * is the percent-encoded path of a socket.  RFC 3986 without what a client
 * has no use for: user names are refused (credentials belong elsewhere), the
 * fragment is dropped.  Nothing is fetched or resolved here.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

struct arena;
struct error;
struct text;

enum url_scheme { URL_HTTP, URL_HTTPS, URL_UNIX };

#define URL_HOST_MAX 253

struct url {
	enum url_scheme scheme;
	struct span host; /* lower case; an address without brackets; a path */
	struct span target; /* path and query, "/" at least */
	uint16_t port;      /* 0 for URL_UNIX */
	uint8_t is_ip;      /* 4 or 6 when host is an address */
	uint8_t port_given;
};

/* Read s, spans in arena a.  -1 and *e: SYNTAX or FULL. */
int url_parse(struct url *u, struct span s, struct arena *a, struct error *e);

/* base_url and an endpoint: one slash between them, base's query last. */
int url_join(struct url *u, struct span base, struct span path, struct arena *a,
    struct error *e);

/* What reference (a Location) means at base: RFC 3986 section 5. */
int url_resolve(struct url *u, const struct url *base, struct span reference,
    struct arena *a, struct error *e);

/* Same scheme, host and port. */
int url_same_origin(const struct url *a, const struct url *b);

/* 127.0.0.0/8, ::1, localhost and its subdomains, and unix sockets. */
int url_is_loopback(const struct url *u);

/* The value of a Host field: brackets and a non-default port as needed. */
void url_add_host(const struct url *u, struct text *t);

/* The whole URL. */
void url_add(const struct url *u, struct text *t);

/* Percent-encode all but unreserved characters (and "/" when keep_slash). */
void url_encode(struct span s, int keep_slash, struct text *t);

/* -1 when a percent sign is not followed by two hex digits. */
int url_decode(struct span s, struct text *t);

#endif
