#include "engine/base/buf.h"

#include <errno.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"

#define IOV_MAX_USED 16

struct buf_block {
	struct buf_block *next;
	unsigned from, to; /* bytes[from..to) are queued */
	char bytes[];
};

#define BLOCK_BYTES (BUF_BLOCK - sizeof(struct buf_block))

void
buf_init(struct buf *b, size_t bytes_max)
{
	*b = (struct buf){.bytes_max = bytes_max};
}

void
buf_release(struct buf *b)
{
	while (b->first != NULL) {
		struct buf_block *next = b->first->next;

		pool_give(b->first);
		b->first = next;
	}
	buf_init(b, b->bytes_max);
}

/* The last block, with room in it; NULL when the pool is exhausted. */
static struct buf_block *
block_with_room(struct buf *b)
{
	struct buf_block *block = b->last;

	if (block != NULL && block->to < BLOCK_BYTES)
		return block;
	block = pool_take(BUF_BLOCK, NULL);
	if (block == NULL)
		return NULL;
	block->next = NULL;
	block->from = block->to = 0;
	if (b->last != NULL)
		b->last->next = block;
	else
		b->first = block;
	b->last = block;
	return block;
}

size_t
buf_room(const struct buf *b)
{
	return b->bytes_max - b->n;
}

size_t
buf_write(struct buf *b, struct span s)
{
	size_t taken = 0, n;

	if (s.n > buf_room(b))
		s.n = buf_room(b);
	while (taken < s.n) {
		struct buf_block *block = block_with_room(b);

		if (block == NULL)
			break;
		n = BLOCK_BYTES - block->to;
		if (n > s.n - taken)
			n = s.n - taken;
		memcpy(block->bytes + block->to, s.p + taken, n);
		block->to += (unsigned)n;
		taken += n;
		b->n += n;
	}
	return taken;
}

struct span
buf_front(const struct buf *b)
{
	const struct buf_block *block = b->first;

	if (b->n == 0)
		return (struct span){NULL, 0};
	return (struct span){
	    block->bytes + block->from, block->to - block->from};
}

int
buf_iov(const struct buf *b, struct iovec *iov, int iov_max)
{
	int n = 0;

	for (struct buf_block *k = b->first; k != NULL && n < iov_max;
	     k = k->next) {
		if (k->from == k->to)
			continue;
		iov[n].iov_base = k->bytes + k->from;
		iov[n].iov_len = k->to - k->from;
		n++;
	}
	return n;
}

void
buf_drop(struct buf *b, size_t n)
{
	CHECK(n <= b->n);
	b->n -= n;
	while (n > 0) {
		struct buf_block *block = b->first;
		size_t here = block->to - block->from;

		if (n < here) {
			block->from += (unsigned)n;
			return;
		}
		n -= here;
		b->first = block->next;
		if (b->first == NULL)
			b->last = NULL;
		pool_give(block);
	}
}

ptrdiff_t
buf_read_fd(struct buf *b, int fd)
{
	struct buf_block *block;
	size_t want = buf_room(b);
	ssize_t n;

	CHECK(want > 0);
	block = block_with_room(b);
	if (block == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if (want > BLOCK_BYTES - block->to)
		want = BLOCK_BYTES - block->to;
	n = os->read(fd, block->bytes + block->to, want);
	if (n > 0) {
		block->to += (unsigned)n;
		b->n += (size_t)n;
	}
	if (b->n == 0) {
		int saved = errno;

		buf_release(b); /* an idle queue holds no block */
		errno = saved;
	}
	return n;
}

ptrdiff_t
buf_write_fd(struct buf *b, int fd)
{
	struct iovec iov[IOV_MAX_USED];
	int count = buf_iov(b, iov, IOV_MAX_USED);
	ssize_t n;

	if (count == 0)
		return 0;
	n = os->writev(fd, iov, count);
	if (n > 0)
		buf_drop(b, (size_t)n);
	return n;
}
