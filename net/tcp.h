#ifndef SKEP_NET_TCP_H
#define SKEP_NET_TCP_H

/*
 * Sockets: connecting to the best of several addresses, and listening.
 *
 * Connecting follows RFC 8305: families alternate, a new attempt starts
 * 250 ms after the one before or at once when that failed, the first that
 * succeeds wins and the others are closed.
 */

#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "net/address.h"

#define TCP_ATTEMPTS_MAX 16
#define TCP_STAGGER_MS 250

/*
 * fd is the caller's from then on and address (borrowed) is who accepted; on
 * failure fd is -1 and e names every address that was tried.
 */
typedef void tcp_connected_fn(
    void *owner, int fd, const struct address *address, const struct error *e);

struct tcp_attempt {
	struct loop_io io;
	int fd; /* -1 when not in flight */
	struct tcp_connect *op;
};

/* One connection being made; in the caller's memory. */
struct tcp_connect {
	unsigned magic;
	struct loop *loop;
	struct address address[TCP_ATTEMPTS_MAX];
	struct tcp_attempt attempt[TCP_ATTEMPTS_MAX];
	unsigned n, started, in_flight;
	struct loop_timer stagger;
	struct loop_deferred first;
	struct error error; /* of all failures so far */
	tcp_connected_fn *done;
	void *owner;
};

/* addresses: in order of preference, at least one, borrowed. */
void tcp_connect_start(struct tcp_connect *op, struct loop *l,
    const struct address *addresses, unsigned n, tcp_connected_fn *done,
    void *owner);

/* Safe in any state of a zeroed or started op. */
void tcp_connect_cancel(struct tcp_connect *op);

/* A listening socket; in the caller's memory. */
struct tcp_listener {
	struct loop_io io;
	struct loop_timer rest; /* after accept failed for lack of files */
	struct address address; /* the port filled in */
	int fd;
	unsigned connections, connections_max;
	void (*accepted)(struct tcp_listener *l, int fd);
};

/*
 * accepted() takes fd, and may close the listener but not free it.  While connections == connections_max (the owner
 * counts) nobody is accepted; tcp_listener_resume() after going below.  A
 * unix socket's path is removed first if it is a socket, and by close.
 */
int tcp_listen(struct tcp_listener *l, struct loop *loop,
    const struct address *at, unsigned connections_max,
    void (*accepted)(struct tcp_listener *l, int fd), struct error *e);
void tcp_listener_resume(struct tcp_listener *l);
void tcp_listener_close(struct tcp_listener *l);

#endif
