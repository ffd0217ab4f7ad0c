#ifndef SKEP_NET_HTTP2_PRIVATE_H
#define SKEP_NET_HTTP2_PRIVATE_H

/*
 * HTTP/2 by nghttp2: what the client's and the server's side share.
 *
 * An h2 is one connection: nghttp2's state beside a queue of bytes that are
 * to be written.  Bytes are read into scratch and fed to nghttp2, whose
 * callbacks belong to the side; what it wants to say is gathered into few
 * large writes, at the end of the turn.  Nothing is called back from within
 * h2_read() or h2_write() but the side's own callbacks.
 */

#include <nghttp2/nghttp2.h>

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/text.h"
#include "net/http1.h"

struct stream;

#define H2_OUT_BYTES (64 * KIB)
#define H2_WINDOW_STREAM (128 * 1024)
#define H2_WINDOW_CONNECTION (8 * 1024 * 1024)
#define H2_CONTROL_MAX 1000 /* control frames ... */
#define H2_CONTROL_MS 10000 /* ... in so long */
#define H2_GIVEN_UP_KEPT 128

/* The fields of the head that is coming; a pool block, only meanwhile. */
struct h2_fields {
	struct text text;
	unsigned n;
	int is_too_big;
	struct {
		uint32_t at, name_n, value_n; /* in text: name, then value */
	} field[LIMIT_HTTP_FIELDS + 8];
};

struct h2 {
	nghttp2_session *session;
	struct stream *stream; /* the connection's */
	struct loop *loop;
	struct buf out;
	struct h2_fields *fields;
	unsigned control; /* frames in the time since control_since_ms */
	unsigned earned;  /* of which so many more are the peer's right */
	uint64_t control_since_ms;
	unsigned long long bytes_out_since;
	uint64_t heard_ms;
	const char *complaint; /* what the peer did; or NULL */
	/* Streams that we reset or refused: the last ones, a ring. */
	int32_t given_up[H2_GIVEN_UP_KEPT];
	unsigned n_given_up;
};

/* callbacks: the side's; their user is h.  -1 and *e. */
int h2_init(struct h2 *h, struct stream *s, struct loop *l, int is_server,
    nghttp2_session_callbacks *callbacks, unsigned streams_max,
    struct error *e);
void h2_release(struct h2 *h);

/*
 * Read once and feed; 0, or -1 and *e when the connection is over (CLOSED
 * with text for an orderly end, too).
 */
int h2_read(struct h2 *h, char *scratch, size_t size, struct error *e);

/* Feed bytes that were read elsewhere. */
int h2_feed(struct h2 *h, struct span bytes, struct error *e);

/* Write what there is; 0, or -1 and *e. */
int h2_write(struct h2 *h, char *scratch, size_t size, struct error *e);

/* Wait for what is needed next. */
void h2_want(struct h2 *h);

/* True when nghttp2 has nothing more to read or to say. */
int h2_is_over(const struct h2 *h);

/* An exchange ended as it should: some clients reset it all the same. */
void h2_earn(struct h2 *h);

/* Frames of a stream that we gave up may still be on their way to us. */
void h2_give_up(struct h2 *h, int32_t id);
int h2_has_given_up(const struct h2 *h, int32_t id);

/*
 * Count a received frame; -1 when there were too many that do nothing, which
 * ends the connection with ENHANCE_YOUR_CALM.
 */
int h2_count(struct h2 *h, const nghttp2_frame *frame);

/* The fields of a head: begin, add (-1: over the ceilings), and as a head. */
int h2_fields_begin(struct h2 *h);
int h2_fields_add(struct h2 *h, struct span name, struct span value);
/* Pseudo fields fill method, target and status; *authority may be empty. */
void h2_fields_head(
    const struct h2 *h, struct http_head *head, struct span *authority);
void h2_fields_end(struct h2 *h);

nghttp2_nv h2_nv(struct span name, struct span value);

#endif
