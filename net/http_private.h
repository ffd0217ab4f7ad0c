#ifndef SKEP_NET_HTTP_PRIVATE_H
#define SKEP_NET_HTTP_PRIVATE_H

/*
 * The inside of the HTTP client: http.c (the client and its calls), origin.c
 * (connections and places), http_call.c (what becomes of a call), http_send.c
 * (what goes out for it), http1_client.c and its likes (one protocol each).
 *
 * A call is on one list at a time: waiting (no place yet), pending (it has a
 * place and waits for a connection), or its connection's.  A connection is
 * opening, idle or busy.
 */

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/slab.h"
#include "engine/base/text.h"
#include "net/adapt.h"
#include "net/http.h"
#include "net/proxy.h"

struct dns;
struct http_connection;
struct stream;
struct tls;

#define CALL_MAGIC 0xca110001u
#define CONNECTION_MAGIC 0xc0221002u
#define ORIGIN_MAGIC 0x02161201u
#define HTTP_IO_BYTES (16 * KIB)
#define HTTP_SECRETS_MAX 4

struct http_client {
	struct loop *loop;
	struct dns *dns;
	struct tls *tls;
	struct slab calls, connections;
	struct list origins;
	/* Scratch of whoever runs; never held across a return to the loop. */
	struct http_head head;
	char in[HTTP_IO_BYTES];
	char out[HTTP_IO_BYTES]; /* may hold secrets: wiped after use */
};

/* What one protocol does with a connection. */
struct http_protocol {
	const char *alpn;
	/* The connection has just been opened; -1 and *e. */
	int (*opened)(struct http_connection *c, struct error *e);
	/* May one more call be attached? */
	int (*has_room)(const struct http_connection *c);
	void (*attach)(struct http_connection *c, struct http_call *call);
	/* The call ends early; the connection may be closed for it. */
	void (*abandon)(struct http_connection *c, struct http_call *call);
	void (*resume)(struct http_connection *c, struct http_call *call);
	/* There is more of a streamed body. */
	void (*more)(struct http_connection *c, struct http_call *call);
	/* Free what belongs to the protocol. */
	void (*closed)(struct http_connection *c);
};
extern const struct http_protocol http1_protocol, http2_protocol;

enum connection_state { CONNECTION_OPENING, CONNECTION_IDLE, CONNECTION_BUSY };

struct http_connection {
	unsigned magic;
	struct list_node node; /* of origin->connections[state] */
	enum connection_state state;
	struct http_origin *origin;
	struct conn_op *op;     /* while opening */
	uint64_t opening_since; /* o->seq when it began */
	struct stream *stream;
	const struct http_protocol *protocol;
	struct list calls;
	unsigned long long served; /* answers that ended well on it */
	struct loop_timer idle;
	int is_settled;  /* how many calls it may carry is known */
	int in_callback; /* closing waits until the callback is over */
	int is_doomed;

	/* HTTP/1.1 */
	struct loop_deferred again; /* what was stashed can be read now */
	struct text in;             /* a head in pieces; or stashed body */
	struct http1_scan scan;
	struct http1_chunked chunked;
	enum http_framing framing;
	uint64_t left, body_bytes;
	unsigned interim;
	uint8_t has_head, keeps_alive, scanning, write_failed;

	void *h2; /* HTTP/2's own */
};

struct http_secret_at {
	size_t at; /* in call->head */
	const struct secret *secret;
};

struct http_call {
	unsigned magic;
	struct list_node node;
	struct http_origin *origin;
	struct http_connection *conn; /* NULL: waiting or pending */
	const struct http_ops *ops;
	void *owner;
	const char *method;
	uint64_t seq;
	unsigned epoch; /* of origin->adapt when the place was given */

	struct text head; /* the request's, without the secrets */
	struct http_secret_at secret[HTTP_SECRETS_MAX];
	unsigned nsecrets;
	const struct span *body;
	unsigned nbody;
	uint64_t body_bytes;
	unsigned part; /* where sending stands: part, offset in it */
	size_t offset;
	const char *upgrade; /* NULL: none is asked for */

	/* A streamed body */
	uint64_t streamed_left;          /* of streamed_bytes */
	struct buf unsent;               /* HTTP/1.1: fetched and framed */
	uint8_t is_streamed, is_counted; /* counted: its length was promised */
	uint8_t was_filled;              /* some was fetched */
	uint8_t is_drained;              /* all was */
	uint8_t is_dry;                  /* nothing to fetch just now */

	uint32_t first_byte_ms, idle_ms, total_ms;
	struct loop_timer deadline; /* first byte, then idle */
	struct loop_timer total;
	uint64_t started_us, heard_ms;
	struct http_timing timing;
	enum net_stage stage;
	uint8_t has_place, is_sent, is_paused, was_resent, needs_fresh, is_over;
	uint8_t once;

	/* HTTP/2 */
	int32_t stream_id;           /* 0: the stream is closed, or never was */
	struct buf held;             /* what came while the call was paused */
	uint8_t has_head, has_ended; /* as far as the peer is concerned */
	uint8_t interim, refusals;
};

struct http_origin {
	unsigned magic;
	struct list_node node; /* of client->origins */
	struct http_client *client;
	struct arena arena; /* of url and text */
	struct url url;
	struct span text, host; /* "https://h:1"; the Host field's value */
	struct span host_name;
	struct tls_client *tls; /* NULL: plain */
	struct proxy proxy;     /* host empty: none */
	struct http_origin_settings set;
	const struct http_protocol *protocol; /* NULL: not known yet */
	struct list waiting, pending;
	struct list connections[3]; /* by enum connection_state */
	struct loop_deferred place;
	struct adapt adapt;     /* how many calls the server takes at once */
	struct loop_timer tick; /* the limit may rise by time */
	uint64_t seq;
	struct http_counts counts;
};

/* --- origin.c --- */

/* Before anything else is done with it. */
void origin_init(struct http_origin *o);
/* Look soon whether waiting calls can go on. */
void origin_wake(struct http_origin *o);
/* A server's answer to call has this status. */
void origin_learn(struct http_origin *o, struct http_call *call, int status);
unsigned origin_connections(const struct http_origin *o);
void origin_close_all(struct http_origin *o);

/* The connection serves nobody now and may be used again. */
void connection_rest(struct http_connection *c);
/* Close; safe inside its own callbacks, where it happens at their end. */
void connection_close(struct http_connection *c);
/* Around everything a stream's callback does; leave may free c. */
void connection_enter_callback(struct http_connection *c);
void connection_leave_callback(struct http_connection *c);

/* --- http.c: what becomes of calls --- */

void call_give_place(struct http_call *call);
void call_take_place(struct http_call *call);

/* A sign of life: the idle deadline begins again. */
void call_heard(struct http_call *call);
/* Stages only go forward; HEAD complete begins the idle deadline. */
void call_tell_head(struct http_call *call, const struct http_head *head);
void call_tell_body(struct http_call *call, struct span bytes);

/* Both detach the call from its connection, tell, and free. */
void call_end(struct http_call *call, const struct http_head *trailers);
void call_fail(struct http_call *call, const struct error *e);
/* The connection died; the call is sent again if that is safe. */
void call_lost(struct http_call *call, const struct error *e);
/* The server says that it did not look at the call: it is sent again. */
void call_refused(struct http_call *call, const struct error *e);

/* Off its connection, which has given its stream away: told and freed. */
void call_upgraded(struct http_call *call, const struct http_head *head,
    struct stream *s, struct span early);

/* --- http_send.c: what goes out --- */

/* The head's bytes; -1 and *e. */
int call_build_head(
    struct http_call *call, const struct http_request *q, struct error *e);
/* Copy what is to be sent next into p, at most n bytes; how many.  Of a
   streamed request only the head. */
size_t call_fill(const struct http_call *call, char *p, size_t n);
/* n bytes of it went; is_sent when that was all. */
void call_sent(struct http_call *call, size_t n);
int call_head_is_out(const struct http_call *call);
/* Fetch of a streamed body; sets is_dry, is_drained.  -1: not the length
   that was promised. */
int call_pull(
    struct http_call *call, char *p, size_t n, size_t *got, struct error *e);
/* The streamed body went, all of it. */
void call_all_sent(struct http_call *call);
/* From the beginning. */
void call_rewind(struct http_call *call);

/* The request's head, spans into it; what precedes a secret is not trimmed
   off.  For protocols that write heads their own way. */
void call_read_head(const struct http_call *call, struct http_head *head);
/* The secret that belongs behind the value of head->field[i]; or NULL. */
const struct secret *call_secret_of(const struct http_call *call,
    const struct http_field *f, struct span *before);

#endif
