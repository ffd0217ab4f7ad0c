#ifndef SKEP_BASE_POOL_H
#define SKEP_BASE_POOL_H

/*
 * The pool is where all memory of variable size comes from after start-up:
 * arenas, buffers and long texts take power-of-two blocks from one region of
 * address space that is reserved once.  A reserved page costs nothing until
 * it is touched, so the ceiling can be generous; a block of 64 KiB or more
 * gives its pages back to the kernel when it is freed.
 *
 * Running out is an answer (NULL), never growth past the ceiling.
 * Under AddressSanitizer free blocks are poisoned.
 */

#include <stddef.h>

struct error;

#define POOL_BLOCK_MIN 256
#define POOL_BLOCK_MAX ((size_t)128 << 20)

/*
 * Reserve up to bytes_max of address space; halved until the kernel agrees,
 * but not below 64 MiB.  Once a process, before anything else of base; a
 * pool_take() that comes earlier starts it with 16 GiB, so tests need not.
 */
int pool_start(size_t bytes_max, struct error *e);
void pool_stop(void); /* every block is gone, given back or not */

/*
 * A block of at least size bytes; its true size in *got when got is not NULL.
 * Contents are junk.  NULL when the pool is exhausted or size is above
 * POOL_BLOCK_MAX.
 */
void *pool_take(size_t size, size_t *got);

/* Give a block back.  pool_give(NULL) does nothing. */
void pool_give(void *block);

/* Bytes in blocks handed out now and at most, for statistics and tests. */
size_t pool_in_use(void);
size_t pool_peak(void);

#endif
