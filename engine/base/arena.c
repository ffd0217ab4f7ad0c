#include "engine/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/poison.h"
#include "engine/base/pool.h"

/*
 * Every chunk ends in a guard word that is checked when the chunk is given
 * back.  Under AddressSanitizer what is not handed out is poisoned as well,
 * and a red zone follows each allocation.
 */

#define ARENA_MAGIC 0x0a7e4a01u
#define ARENA_ALIGN ((size_t)16)
#define CHUNK_FIRST ((size_t)1 * KIB)
#define CHUNK_GROWN (64 * KIB)
#define GUARD 0x5ca1ab1e0ddba11dull

struct arena_chunk {
	struct arena_chunk *prev;
	size_t size;  /* bytes that can be handed out */
	size_t used;  /* of them */
	size_t start; /* the arena's used before this chunk */
};

#define CHUNK_HEAD \
	((sizeof(struct arena_chunk) + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1))
#define CHUNK_TAIL sizeof(uint64_t)

static char *
chunk_bytes(struct arena_chunk *c)
{
	return (char *)c + CHUNK_HEAD;
}

static uint64_t *
chunk_guard(struct arena_chunk *c)
{
	return (uint64_t *)(void *)(chunk_bytes(c) + c->size);
}

static void
give_chunk(struct arena *a)
{
	struct arena_chunk *c = a->last;

	unpoison(chunk_bytes(c), c->size + CHUNK_TAIL);
	CHECK(*chunk_guard(c) == GUARD);
	a->last = c->prev;
	pool_give(c);
}

/* A chunk with room for size bytes becomes the last one. */
static int
take_chunk(struct arena *a, size_t size)
{
	size_t want = CHUNK_FIRST, got;
	struct arena_chunk *c;

	if (a->last != NULL)
		want = 2 * (a->last->size + CHUNK_HEAD + CHUNK_TAIL);
	if (want > CHUNK_GROWN)
		want = CHUNK_GROWN;
	if (want < size + CHUNK_HEAD + CHUNK_TAIL)
		want = size + CHUNK_HEAD + CHUNK_TAIL;
	c = pool_take(want, &got);
	if (c == NULL)
		return -1;
	c->prev = a->last;
	c->size = (got - CHUNK_HEAD - CHUNK_TAIL) & ~(ARENA_ALIGN - 1);
	c->used = 0;
	c->start = a->used;
	*chunk_guard(c) = GUARD;
	poison(chunk_bytes(c), c->size + CHUNK_TAIL);
	a->last = c;
	return 0;
}

/*
 * The first refusal moves used, so that a mark saved after it differs from
 * one saved just before.
 */
static void *
refuse(struct arena *a)
{
	if (!a->overflowed) {
		a->overflowed = 1;
		a->overflow_at = a->used;
		a->used += ARENA_ALIGN;
	}
	return NULL;
}

void
arena_init(struct arena *a, size_t bytes_max)
{
	*a = (struct arena){.magic = ARENA_MAGIC, .bytes_max = bytes_max};
}

void
arena_release(struct arena *a)
{
	CHECK_OBJ(a, ARENA_MAGIC);
	while (a->last != NULL)
		give_chunk(a);
	arena_init(a, a->bytes_max);
}

void *
arena_alloc(struct arena *a, size_t size)
{
	size_t zone = poison_works() ? ARENA_ALIGN : 0, step;
	char *p;

	CHECK_OBJ(a, ARENA_MAGIC);
	if (a->overflowed || size > a->bytes_max || a->used > a->bytes_max)
		return refuse(a);
	step = ((size == 0 ? 1 : size) + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (step > a->bytes_max - a->used)
		return refuse(a);
	step += zone;
	if ((a->last == NULL || step > a->last->size - a->last->used) &&
	    take_chunk(a, step) == -1)
		return refuse(a);
	p = chunk_bytes(a->last) + a->last->used;
	a->last->used += step;
	a->used += step;
	if (a->used > a->peak)
		a->peak = a->used;
	unpoison(p, size);
	memset(p, 0, size);
	return p;
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = len == SIZE_MAX ? refuse(a) : arena_alloc(a, len + 1);

	if (p != NULL && len > 0)
		memcpy(p, s, len);
	return p;
}

struct span
arena_span(struct arena *a, struct span s)
{
	char *p = arena_alloc(a, s.n);

	if (p == NULL)
		return (struct span){NULL, 0};
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct span){p, s.n};
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	CHECK(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	if (p == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

arena_mark
arena_save(const struct arena *a)
{
	return a->used;
}

void
arena_reset(struct arena *a, arena_mark mark)
{
	struct arena_chunk *c;

	CHECK_OBJ(a, ARENA_MAGIC);
	CHECK(mark <= a->used);
	while (a->last != NULL && a->last->start >= mark)
		give_chunk(a);
	c = a->last;
	if (c != NULL && mark - c->start < c->used) {
		size_t kept = mark - c->start;

		poison(chunk_bytes(c) + kept, c->used - kept);
		c->used = kept;
	}
	if (a->overflowed && mark <= a->overflow_at)
		a->overflowed = 0;
	a->used = mark;
}

int
arena_overflowed(const struct arena *a)
{
	return a->overflowed;
}
