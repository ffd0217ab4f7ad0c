#ifndef SKEP_BASE_BUF_H
#define SKEP_BASE_BUF_H

/*
 * A buf is a byte queue: a chain of equal pool blocks with a ceiling.  Full
 * means "stop reading", which is back-pressure, never growth.  It is for
 * bytes that pass through; for bytes that must lie together use struct text.
 */

#include <stddef.h>
#include <sys/uio.h>

#include "engine/base/span.h"

#define BUF_BLOCK 4096 /* one pool block, its link included */

struct buf_block;

struct buf {
	struct buf_block *first, *last;
	size_t n; /* bytes queued */
	size_t bytes_max;
};

void buf_init(struct buf *b, size_t bytes_max);
void buf_release(struct buf *b);

/* Queue a copy of the front of s; how many bytes were taken (0: full). */
size_t buf_write(struct buf *b, struct span s);

/* Bytes that can still be queued. */
size_t buf_room(const struct buf *b);

/* The first contiguous bytes; n == 0 when empty. */
struct span buf_front(const struct buf *b);

/* Fill up to iov_max entries with the queue's front; how many were filled. */
int buf_iov(const struct buf *b, struct iovec *iov, int iov_max);

/* Forget the first n bytes; n <= b->n. */
void buf_drop(struct buf *b, size_t n);

/*
 * read(2) from fd into the queue, at most bytes_max - n; the read's result
 * (-1 with errno; 0 at end of file).  CHECKs that there is room.
 */
ptrdiff_t buf_read_fd(struct buf *b, int fd);

/* writev(2) the queue's front to fd and drop what went; the call's result. */
ptrdiff_t buf_write_fd(struct buf *b, int fd);

#endif
