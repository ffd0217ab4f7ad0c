#ifndef SKEP_NET_SERVER_PRIVATE_H
#define SKEP_NET_SERVER_PRIVATE_H

/*
 * The inside of the HTTP server: server.c (the listener, connections, what
 * owners call) and http1_server.c and its likes (one protocol each).
 */

#include "engine/base/buf.h"
#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/slab.h"
#include "engine/base/text.h"
#include "net/server.h"
#include "net/tcp.h"

struct stream;

#define SERVER_MAGIC 0x5e24e201u
#define SERVER_CONN_MAGIC 0x5e24e202u
#define EXCHANGE_MAGIC 0x5e24e203u
#define SERVER_IO_BYTES (16 * KIB)
#define SERVER_LINGER_MS 1000

/* What follows when all that was written has gone out. */
enum server_after {
	AFTER_NEXT,  /* another request may come */
	AFTER_CLOSE, /* say goodbye, wait a moment for the peer, close */
	AFTER_CUT,   /* close without an end */
	AFTER_RESET, /* close with a reset */
	AFTER_RAW,   /* HTTP/2: x->raw follows, then as AFTER_CUT */
};

struct server_connection;

struct exchange {
	unsigned magic;
	struct list_node node; /* of conn->exchanges */
	struct server *server;
	struct server_connection *conn;
	struct text head_bytes; /* what head's spans point into */
	struct http_head *head; /* pool block, only as long as it needs be */
	struct text body;
	struct buf out;
	struct text raw; /* HTTP/2: what follows past all framing */
	void *user;
	int64_t length_left; /* of a promised body; -1: not promised */
	enum server_after after;
	int32_t stream_id;          /* HTTP/2 */
	struct loop_timer deadline; /* HTTP/2 */
	int status;
	uint8_t is_told;    /* the owner knows it */
	uint8_t is_ended;   /* the owner has let go of it */
	uint8_t has_head;   /* server_head() was called */
	uint8_t is_chunked; /* HTTP/1.1: the body goes out in chunks */
	uint8_t drops_body; /* an answer to HEAD, or one that has none */
	uint8_t is_short;   /* server_write() took less than offered */
};

/* What one protocol does for an exchange. */
struct server_protocol {
	void (*opened)(struct server_connection *c);
	/* Bytes that were read before it was clear that they are its. */
	void (*feed)(struct server_connection *c, struct span bytes);
	void (*head)(struct exchange *x, const struct http_field *fields,
	    unsigned nfields, int64_t length);
	/* n bytes of room for the body in x->out */
	size_t (*room)(const struct exchange *x);
	void (*write)(struct exchange *x, struct span bytes); /* fits */
	void (*end)(struct exchange *x);
	void (*rude)(struct exchange *x); /* x->after says how */
	void (*drain)(struct server_connection *c);
	void (*closed)(struct server_connection *c);
};
extern const struct server_protocol http1_server_protocol,
    http2_server_protocol;

struct server_connection {
	unsigned magic;
	struct list_node node; /* of server->connections */
	struct server *server;
	struct stream *stream;
	const struct server_protocol *protocol; /* NULL: shaking hands */
	struct list exchanges;
	struct loop_timer deadline;
	struct loop_deferred flush;
	int in_callback, is_doomed;

	/* HTTP/1.1 */
	struct text in; /* a head in pieces; what came too early */
	struct http1_scan scan;
	struct http1_chunked chunked;
	uint64_t body_left;
	enum http_framing framing;
	uint8_t state, scanning;

	void *h2; /* HTTP/2's own */
};

struct server {
	unsigned magic;
	struct loop *loop;
	struct server_settings set;
	const struct server_ops *ops;
	void *owner;
	struct tcp_listener listener;
	struct slab slab;
	struct list connections;
	struct server_counts counts;
	int is_draining;
	struct http_head head; /* scratch of whoever runs, like these */
	char in[SERVER_IO_BYTES];
	char out[SERVER_IO_BYTES];
};

/* --- server.c --- */

/* NULL when memory is short. */
struct exchange *exchange_new(struct server_connection *c);
/* Keep a head's spans (they point into bytes); -1 when memory is short. */
int exchange_keep_head(
    struct exchange *x, const struct http_head *head, struct span bytes);
/* Show a whole request to the owner. */
void exchange_tell(struct exchange *x);
/* The owner is told that it is gone, if it knows it and has not let go. */
void exchange_free(struct exchange *x);
/* There is room in x->out again: tell an owner that waits for it. */
void exchange_has_room(struct exchange *x);

void server_connection_close(struct server_connection *c);
/* It turns out to speak another protocol; bytes were already read. */
void server_connection_switch(struct server_connection *c,
    const struct server_protocol *to, struct span bytes);
void server_connection_enter(struct server_connection *c);
void server_connection_leave(struct server_connection *c);

#endif
