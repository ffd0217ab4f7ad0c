#ifndef SKEP_NET_STREAM_H
#define SKEP_NET_STREAM_H

/*
 * A stream is a connected, non-blocking, two-way flow of bytes: a plain
 * socket or TLS over one.  Everything above speaks this one interface.
 *
 * Theory of operation
 *
 * The owner says with stream_want() what it waits for; ready() is then called
 * from the loop, again and again, until the owner wants nothing.  What it
 * wants is in its own terms: that TLS may have bytes already decrypted, or
 * must write in order to read, is the stream's affair.
 *
 * A stream buffers nothing of the owner's: a write that did not fit is offered
 * again, beginning with the same byte and at least as long.
 */

#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/span.h"

/* The answer of every non-blocking verb. */
enum io {
	IO_DONE,  /* at least one byte moved */
	IO_WAIT,  /* nothing now; stream_want() and come back */
	IO_END,   /* the peer ended in order (TLS: with close_notify) */
	IO_FAILED /* stream->error says why; nothing but stream_close() now */
};

struct stream;

struct stream_ops {
	enum io (*read)(struct stream *s, void *p, size_t n, size_t *got);
	enum io (*write)(struct stream *s, struct span bytes, size_t *wrote);
	/* Bytes wait inside, so the descriptor may never say "readable". */
	int (*has_pending)(struct stream *s);
	/* What to wait for on the descriptor when the owner wants this. */
	int (*descriptor_want)(struct stream *s, int want);
	void (*finish)(struct stream *s);
	void (*release)(struct stream *s);
};

struct stream {
	unsigned magic;
	const struct stream_ops *ops;
	struct loop *loop;
	int fd;
	int want;
	void (*ready)(struct stream *s, int want);
	void *owner; /* the owner's own */
	struct loop_io io;
	struct loop_deferred again;
	struct error error;
	unsigned long long bytes_in, bytes_out; /* as the owner sees them */
};

/* A plain stream over a connected socket; takes fd, closed on failure too. */
struct stream *stream_new(struct loop *l, int fd, struct error *e);

/* Close at once and free; stream_close(NULL) does nothing. */
void stream_close(struct stream *s);

/* Free a plain stream and give its descriptor to the caller. */
int stream_detach(struct stream *s);

/* Whenever it is closed, the peer shall see a reset. */
void stream_reset_on_close(struct stream *s);

/* Who is told, and on behalf of what; nothing is wanted yet. */
void stream_own(
    struct stream *s, void (*ready)(struct stream *s, int want), void *owner);

/* Wait for LOOP_READ, LOOP_WRITE, both, or LOOP_NOTHING. */
void stream_want(struct stream *s, int want);

/* At most n bytes (n > 0) into p; *got > 0 only with IO_DONE. */
enum io stream_read(struct stream *s, void *p, size_t n, size_t *got);

/* The front of bytes (not empty); *wrote > 0 only with IO_DONE. */
enum io stream_write(struct stream *s, struct span bytes, size_t *wrote);

/* Tell the peer, as well as it can be told, that no more will be written. */
void stream_finish(struct stream *s);

/* For makers of streams (tls.c): fill in a zeroed one. */
void stream_init(
    struct stream *s, const struct stream_ops *ops, struct loop *l, int fd);

#endif
