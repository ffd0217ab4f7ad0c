#ifndef SKEP_NET_ADDRESS_H
#define SKEP_NET_ADDRESS_H

/*
 * A socket address: IPv4, IPv6 or a unix socket's path.  A plain value; copy
 * it freely.
 */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "engine/base/span.h"

struct error;

#define ADDRESS_TEXT_MAX 128

struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} u;
	socklen_t n;
};

/*
 * A numeric host ("127.0.0.1", "::1", "[::1]") with a port; -1 when it is a
 * name instead.  No octal, hex or short forms of IPv4, no zone.
 */
int address_numeric(struct address *a, struct span host, uint16_t port);

/* A unix socket; -1 and *e when the path is too long for the kernel. */
int address_unix(struct address *a, struct span path, struct error *e);

/* "ADDR:PORT", "[ADDR]:PORT" or "unix:PATH", for listening. */
int address_parse(struct address *a, struct span text, struct error *e);

void address_set_port(struct address *a, uint16_t port);
uint16_t address_port(const struct address *a); /* 0 for a unix socket */

/* Only this machine can be at the other end. */
int address_is_loopback(const struct address *a);

/* "127.0.0.1:80", "[::1]:80" or "unix:/path". */
void address_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

#endif
