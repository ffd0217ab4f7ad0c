#include "sandbox/keep.h"

#include "engine/base/pool.h"

/*
 * Theory of operation
 *
 * The ring starts as one block of its final size as soon as the head is full;
 * below 64 KiB kept that is little, and a stream that overflows its head is
 * likely to fill it.  It stays unturned while it has not wrapped.
 */

void
keep_init(struct keep *k, size_t bytes_max)
{
	*k = (struct keep){.ring_bytes = bytes_max / 2};
	text_init(&k->head, bytes_max - bytes_max / 2);
}

void
keep_release(struct keep *k)
{
	text_release(&k->head);
	pool_give(k->ring);
	k->ring = NULL;
}

void
keep_clear(struct keep *k)
{
	text_clear(&k->head);
	pool_give(k->ring);
	k->ring = NULL;
	k->ring_seen = 0;
	k->lost = 0;
}

static void
ring_add(struct keep *k, struct span s)
{
	size_t at, n;

	if (k->ring == NULL && k->ring_bytes > 0)
		k->ring = pool_take(k->ring_bytes, NULL);
	if (k->ring == NULL) {
		k->lost += s.n;
		return;
	}
	if (s.n > k->ring_bytes) {
		k->ring_seen += s.n - k->ring_bytes;
		s = span_slice(s, s.n - k->ring_bytes, s.n);
	}
	while (s.n > 0) {
		at = (size_t)(k->ring_seen % k->ring_bytes);
		n = k->ring_bytes - at < s.n ? k->ring_bytes - at : s.n;
		memcpy(k->ring + at, s.p, n);
		k->ring_seen += n;
		s = span_slice(s, n, s.n);
	}
}

void
keep_add(struct keep *k, struct span s)
{
	size_t room = k->head.bytes_max - k->head.n;
	size_t n = s.n < room ? s.n : room;

	if (k->ring_seen > 0 || k->lost > 0 || text_overflowed(&k->head))
		n = 0;
	if (n > 0) {
		text_add(&k->head, span_slice(s, 0, n));
		if (text_overflowed(&k->head))
			n = 0; /* the pool is exhausted */
	}
	if (n < s.n)
		ring_add(k, span_slice(s, n, s.n));
}

static void
reverse(char *p, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		char c = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = c;
	}
}

void
keep_get(
    struct keep *k, struct span *head, struct span *tail, uint64_t *omitted)
{
	size_t turn;

	*head = text_span(&k->head);
	*tail = (struct span){0};
	*omitted = k->lost;
	if (k->ring == NULL)
		return;
	if (k->ring_seen <= k->ring_bytes) {
		*tail = (struct span){k->ring, (size_t)k->ring_seen};
		return;
	}
	/* Turn the ring so that its oldest byte comes first. */
	turn = (size_t)(k->ring_seen % k->ring_bytes);
	if (turn > 0) {
		reverse(k->ring, turn);
		reverse(k->ring + turn, k->ring_bytes - turn);
		reverse(k->ring, k->ring_bytes);
	}
	k->lost += k->ring_seen - k->ring_bytes;
	k->ring_seen = k->ring_bytes;
	*omitted = k->lost;
	*tail = (struct span){k->ring, k->ring_bytes};
}
