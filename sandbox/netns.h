#ifndef SKEP_SANDBOX_NETNS_H
#define SKEP_SANDBOX_NETNS_H

/*
 * Network namespaces.  Making one costs 0.4 ms now and as much kernel work
 * later, joining one 5 us; so a small helper process, the maker (maker.h), makes them
 * ahead of time and the engine keeps a pool of descriptors.
 *
 * A sandbox holds no capability over its network namespace, so what it can
 * leave behind is sockets' state and counters.  A namespace is reused only
 * if it is indistinguishable from a new one: the maker compares its counters
 * and socket tables with those of a fresh namespace; otherwise it is thrown
 * away and a new one made.
 */

#include <stdint.h>

struct fault;

enum netns_kind {
	NETNS_NONE,     /* `lo` exists and is down */
	NETNS_LOOPBACK, /* `lo` is up */
	NETNS_KINDS
};

/* Child side: join fd, or with fd == -1 make one of this kind here. */
int netns_enter(int fd, enum netns_kind kind, struct fault *f);

/*
 * Maker: a new namespace of this kind, which the caller is in afterwards: its
 * descriptor, or -1 and errno.  self is the caller's directory in a proc.
 */
int netns_make(int self, enum netns_kind kind);

/*
 * Maker: is it as good as a new one?  Compared with one that was made when
 * first asked.  The caller is in another namespace afterwards.
 */
int netns_is_clean(int self, int fd, enum netns_kind kind);

#endif
