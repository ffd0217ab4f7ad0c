#ifndef SKEP_BASE_ARENA_H
#define SKEP_BASE_ARENA_H

/*
 * An arena hands out memory that is given back all at once.
 *
 * A run owns two: one it keeps for its lifetime, for what it must remember,
 * and one for scratch, reset at the end of every turn.  Nothing in an arena is
 * ever freed by itself, and no pointer into it may outlive the mark it was
 * taken under.
 *
 * An arena is a chain of pool blocks up to a ceiling: an idle one holds none.
 * Running out is sticky, not fatal: arena_alloc() returns NULL from then on
 * and arena_overflowed() is true until the arena is reset below the mark at
 * which it happened.  Build a whole message, then test once.
 */

#include <stddef.h>

#include "engine/base/span.h"

struct arena_chunk;

struct arena {
	unsigned magic;
	struct arena_chunk *last; /* newest chunk; chunks link backwards */
	size_t used;              /* bytes handed out, alignment included */
	size_t peak;              /* most ever in use, for sizing limits.h */
	size_t bytes_max;
	size_t overflow_at; /* value of used at the first refusal */
	int overflowed;
};

typedef size_t arena_mark;

/* An empty arena that hands out at most bytes_max bytes. */
void arena_init(struct arena *a, size_t bytes_max);

/* Give all blocks back; the arena is as after arena_init(). */
void arena_release(struct arena *a);

/* Zeroed, aligned for any type; NULL on overflow.  Never free() it. */
void *arena_alloc(struct arena *a, size_t size);

/* A NUL-terminated copy of the len bytes at s; NULL on overflow. */
char *arena_strndup(struct arena *a, const char *s, size_t len);

/* A copy of s (not NUL-terminated); p == NULL on overflow. */
struct span arena_span(struct arena *a, struct span s);

/* printf into the arena; NULL on overflow. */
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

arena_mark arena_save(const struct arena *a);
void arena_reset(struct arena *a, arena_mark mark);
int arena_overflowed(const struct arena *a);

#endif
