#ifndef SKEP_NET_HTTP_H
#define SKEP_NET_HTTP_H

/*
 * The HTTP client of everyone: model APIs, tool servers, object stores.
 *
 * Theory of operation
 *
 * An origin is a server (scheme, host, port) together with an identity: the
 * trust, client certificate and credentials that are used with it.  It owns
 * the connections, keeps idle ones for the next request, and lets requests
 * wait in order when all places are taken.  Nothing is shared between two
 * identities of one server.
 *
 * A request is sent with http_start(), which gives a call.  What happens to
 * the call is told through its ops: at most one head, then body bytes, then
 * exactly one of end or failed; after that the call is gone.  Interim (1xx)
 * answers are swallowed.  No callback runs before http_start() returns, none
 * after http_cancel(), and each may cancel the call.
 *
 * The head's spans and the body's bytes are borrowed.  Nothing is buffered
 * for a slow owner: after http_pause() the peer is not read from until
 * http_resume().  Redirects are not followed here.
 *
 * A request on a kept connection that dies before the first byte of an
 * answer is sent once more on a new one, if its body can be sent again and
 * the request does not say `once`.
 *
 * A body is slices that are there from the beginning, or streamed: fetched
 * from the owner as the peer takes it, while the answer may already be coming
 * (both ways at once).  Of a streamed body nothing is sent twice: once some
 * of it was fetched, a lost connection is the call's end.  An answer that is
 * whole ends the call, even if the body is not.
 *
 * A request may ask for an upgrade (RFC 9110 7.8).  A 101 to the protocol
 * that was asked for gives the owner the connection's stream; any other
 * answer is told as usual.
 */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/secret.h"
#include "engine/base/span.h"
#include "net/conn.h"
#include "net/http1.h"
#include "net/tls.h"
#include "net/url.h"

struct http_client;
struct http_origin;
struct http_call;
struct loop;
struct stream;

/* --- the client: one a process is enough --- */

struct http_client_settings {
	unsigned calls_max;       /* at once, waiting ones included; 0: 4,096 */
	unsigned connections_max; /* over all origins; 0: 1,024 */
	struct dns_settings *dns; /* or NULL */
};

/* settings may be NULL.  Loads no certificate until an origin needs one. */
struct http_client *http_client_new(struct loop *l,
    const struct http_client_settings *settings, struct error *e);
/* Cancels what is left, closes all connections. */
void http_client_free(struct http_client *c);

struct loop *http_client_loop(const struct http_client *c);

/* --- origins --- */

struct http_origin_settings {
	struct span url;      /* its path is ignored */
	struct span identity; /* any text that tells two users apart */
	struct tls_client_settings tls; /* alpn is filled in by us */
	int plain_anywhere; /* plain http beyond this machine is allowed */
	int http1_only;     /* do not offer HTTP/2 */
	int limit_is_fixed; /* do not look for the server's own limit */
	int http2_unasked;  /* speak HTTP/2 without TLS (prior knowledge) */
	/* For https: "http://host:port" to go by way of; empty: what
	   HTTPS_PROXY and NO_PROXY say, but this machine never. */
	struct span proxy;
	int no_proxy;             /* not even what HTTPS_PROXY says */
	unsigned connections_max; /* 0: 256 */
	unsigned calls_max;       /* in flight; 0: as many as fit */
	uint32_t connect_ms;   /* resolve, connect and handshake; 0: 20,000 */
	uint32_t idle_keep_ms; /* how long an idle connection is kept;
				  0: 30,000 */
};

/*
 * NULL and *e: CONFIG for an unusable url or plain http to elsewhere, TLS or
 * NO_INPUT for certificate files.  Reads files: at start-up only.
 */
struct http_origin *http_origin_new(struct http_client *c,
    const struct http_origin_settings *settings, struct error *e);
/* Cancels nothing: its calls must be over. */
void http_origin_free(struct http_origin *o);

/* "https://host:port", for messages. */
struct span http_origin_text(const struct http_origin *o);
const struct url *http_origin_url(const struct http_origin *o);

struct http_counts {
	unsigned in_flight, in_flight_peak; /* requests with a place */
	unsigned waiting, waiting_peak;     /* requests without */
	unsigned limit; /* how many may be in flight just now */
	unsigned connections, connections_peak, idle;
	unsigned long long requests, answers, failures;
	unsigned long long connects, reused, resent;
	unsigned long long handshakes_full, handshakes_resumed;
	unsigned long long limited; /* answers 429, 503, 529 */
	unsigned long long bytes_in, bytes_out;
};
void http_origin_counts(const struct http_origin *o, struct http_counts *out);

/* The server said so in the middle of an answer: fewer at once, please. */
void http_origin_overloaded(struct http_origin *o);

/* --- requests --- */

struct http_request_field {
	const char *name;
	struct span value;           /* or what stands before the secret */
	const struct secret *secret; /* revealed on the wire only; or NULL */
};

/*
 * Host, Content-Length, Transfer-Encoding and Connection are ours; everything
 * else is sent as given.
 */
struct http_request {
	const char *method;                      /* kept: a literal */
	struct span target;                      /* "/v1/responses"; borrowed */
	const struct http_request_field *fields; /* borrowed */
	unsigned nfields;
	const struct span *body; /* slices, and their bytes, are kept until
				    the call is over */
	unsigned nbody;
	int is_streamed;         /* the body comes from ops->fill instead */
	uint64_t streamed_bytes; /* and is so long; 0: not known before */
	/* "websocket": ask for it.  Without a body; the origin must speak
	   HTTP/1.1 only.  Kept. */
	const char *upgrade;
	int once; /* never send it again, whatever became of the first time */
	/* 0: none.  All run from when the request gets its place. */
	uint32_t first_byte_ms; /* until the final head is whole */
	uint32_t idle_ms;       /* between two pieces of the body, and
				    while the request is being sent */
	uint32_t total_ms;
};

struct http_timing { /* microseconds since http_start() */
	uint64_t placed_us, connected_us, sent_us, head_us, ended_us;
};

struct http_failure {
	struct error error; /* CONNECT TLS PROTOCOL CLOSED TIMEOUT TOO_BIG
			       FULL */
	enum net_stage stage;
	int was_kept; /* the connection had served others before */
};

struct http_ops {
	/* A place was found, or lost again (the request must be sent anew).
	   May be NULL. */
	void (*placed)(void *owner, int has_place);
	void (*head)(void *owner, const struct http_head *head);
	void (*body)(void *owner, struct span bytes);
	/* trailers may be NULL. */
	void (*end)(void *owner, const struct http_head *trailers);
	void (*failed)(void *owner, const struct http_failure *f);
	/*
	 * Of a streamed body: copy at most n bytes to p and say how many;
	 * *is_last = 1 when nothing follows them.  0 bytes otherwise mean
	 * "not now": http_more() when there are some.  Must leave the call
	 * alone; NULL where no body is streamed.
	 */
	size_t (*fill)(void *owner, char *p, size_t n, int *is_last);
	/*
	 * Instead of head, body and end: the server has changed the protocol.
	 * Gives s, on which nobody waits yet; early came behind the head.
	 */
	void (*upgraded)(void *owner, const struct http_head *head,
	    struct stream *s, struct span early);
};

/*
 * NULL and *e: SYNTAX for what cannot be sent, CONFIG for an upgrade that
 * this origin cannot do, FULL.  ops is kept.
 */
struct http_call *http_start(struct http_origin *o,
    const struct http_request *q, const struct http_ops *ops, void *owner,
    struct error *e);
/* Ends the exchange; a connection in the middle of it is closed. */
void http_cancel(struct http_call *call);

/* fill has bytes again. */
void http_more(struct http_call *call);

void http_pause(struct http_call *call);
void http_resume(struct http_call *call);

/* Valid until the call is over, in its last callback too. */
const struct http_timing *http_timing(const struct http_call *call);

/* The version of nghttp2, for --version. */
void http_library_version(char *out, size_t size);

#endif
