#include "engine/base/pool.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/poison.h"

/*
 * Theory of operation
 *
 * The region is cut into pages of 64 KiB.  Orders of pages up to the largest
 * block are a buddy allocator; a block below 64 KiB comes from a page that is
 * carved into blocks of one size.  What is known of a page stands in a table
 * beside the region, never in the blocks, so a free block needs no memory of
 * its own, a block is aligned to its size, and pool_give() needs no size.
 *
 * A page whose blocks are all free goes back to the buddies, so memory that
 * was needed in one size comes back in another.
 */

#define PAGE_BITS 16
#define PAGE_BYTES ((size_t)1 << PAGE_BITS)
#define BLOCK_MIN_BITS 8
#define CLASSES (PAGE_BITS - BLOCK_MIN_BITS) /* of blocks below a page */
#define ORDERS 12                            /* 64 KiB ... 128 MiB */
#define REGION_MIN (64 * MIB)
#define REGION_MAX (4096 * GIB)
#define REGION_DEFAULT (16 * GIB) /* without pool_start(): tests */
#define NONE UINT32_MAX

_Static_assert(POOL_BLOCK_MIN == 1 << BLOCK_MIN_BITS, "the smallest class");
_Static_assert(POOL_BLOCK_MAX == PAGE_BYTES << (ORDERS - 1), "the last order");

enum page_state { PAGE_INSIDE, PAGE_FREE, PAGE_WHOLE, PAGE_CARVED };

struct page {
	uint8_t state;
	uint8_t order;   /* of a free or whole block; class when carved */
	uint16_t used;   /* blocks handed out of a carved page */
	uint16_t carved; /* blocks that were ever handed out of it */
	uint16_t unused; /* first free block + 1; free blocks link likewise */
	uint32_t prev, next; /* in the list of its order or class */
};

static struct pool {
	char *region; /* NULL before the start */
	char *reserved;
	size_t reserved_bytes;
	struct page *page;
	uint32_t pages;               /* in the region */
	uint32_t pages_used;          /* cut from the region so far, in roots */
	unsigned root_order;          /* of the largest block */
	uint32_t free_order[ORDERS];  /* free blocks of whole pages */
	uint32_t with_space[CLASSES]; /* carved pages with a free block */
	size_t in_use, peak;
} pool;

static void
link_page(uint32_t *list, uint32_t i)
{
	struct page *p = &pool.page[i];

	p->prev = NONE;
	p->next = *list;
	if (*list != NONE)
		pool.page[*list].prev = i;
	*list = i;
}

static void
unlink_page(uint32_t *list, uint32_t i)
{
	struct page *p = &pool.page[i];

	if (p->prev != NONE)
		pool.page[p->prev].next = p->next;
	else {
		CHECK(*list == i);
		*list = p->next;
	}
	if (p->next != NONE)
		pool.page[p->next].prev = p->prev;
}

static char *
page_memory(uint32_t i)
{
	return pool.region + ((size_t)i << PAGE_BITS);
}

static size_t
order_bytes(unsigned order)
{
	return PAGE_BYTES << order;
}

static size_t
class_bytes(unsigned class)
{
	return (size_t)POOL_BLOCK_MIN << class;
}

static void *
reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* A huge page would make 2 MiB resident for the sake of one block. */
	(void)madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

/* The region is aligned to its largest block, and so is every block. */
static int
reserve_region(size_t bytes)
{
	size_t root_bytes;

	pool.root_order = 0;
	while (pool.root_order + 1 < ORDERS &&
	       order_bytes(pool.root_order + 1) <= bytes)
		pool.root_order++;
	root_bytes = order_bytes(pool.root_order);
	bytes -= bytes % root_bytes;
	pool.pages = (uint32_t)(bytes >> PAGE_BITS);
	pool.reserved_bytes = bytes + root_bytes;
	pool.reserved = reserve(pool.reserved_bytes);
	if (pool.reserved == NULL)
		return -1;
	pool.page = reserve(pool.pages * sizeof *pool.page);
	if (pool.page == NULL) {
		munmap(pool.reserved, pool.reserved_bytes);
		return -1;
	}
	pool.region =
	    pool.reserved + (-(uintptr_t)pool.reserved & (root_bytes - 1));
	return 0;
}

int
pool_start(size_t bytes_max, struct error *e)
{
	CHECK(pool.region == NULL);
	if (bytes_max > REGION_MAX)
		bytes_max = REGION_MAX;
	if (bytes_max < REGION_MIN)
		bytes_max = REGION_MIN;
	while (reserve_region(bytes_max) == -1) {
		if (bytes_max == REGION_MIN)
			return error_set(e, ERROR_FULL, ENOMEM,
			    "reserve %zu bytes of address space", REGION_MIN);
		bytes_max /= 2;
		if (bytes_max < REGION_MIN)
			bytes_max = REGION_MIN;
	}
	for (unsigned i = 0; i < ORDERS; i++)
		pool.free_order[i] = NONE;
	for (unsigned i = 0; i < CLASSES; i++)
		pool.with_space[i] = NONE;
	pool.pages_used = 0;
	pool.in_use = pool.peak = 0;
	return 0;
}

void
pool_stop(void)
{
	if (pool.region == NULL)
		return;
	unpoison(pool.region, (size_t)pool.pages << PAGE_BITS);
	munmap(pool.page, pool.pages * sizeof *pool.page);
	munmap(pool.reserved, pool.reserved_bytes);
	pool = (struct pool){.region = NULL};
}

/* Put a free block of pages on its list, as it is. */
static void
shelve(uint32_t i, unsigned order)
{
	pool.page[i].state = PAGE_FREE;
	pool.page[i].order = (uint8_t)order;
	link_page(&pool.free_order[order], i);
}

/* 2^order pages, aligned to their number; NONE when there are none. */
static uint32_t
take_pages(unsigned order)
{
	unsigned have = order;
	uint32_t i;

	while (have <= pool.root_order && pool.free_order[have] == NONE)
		have++;
	if (have <= pool.root_order) {
		i = pool.free_order[have];
		unlink_page(&pool.free_order[have], i);
	} else {
		have = pool.root_order;
		if (order > have || pool.pages_used == pool.pages)
			return NONE;
		i = pool.pages_used;
		pool.pages_used += (uint32_t)1 << have;
		poison(page_memory(i), order_bytes(have));
	}
	while (have > order) {
		have--;
		shelve(i + ((uint32_t)1 << have), have);
	}
	pool.page[i].state = PAGE_WHOLE;
	pool.page[i].order = (uint8_t)order;
	return i;
}

/* Give 2^order pages back, join them with their free neighbours. */
static void
give_pages(uint32_t i, unsigned order)
{
	poison(page_memory(i), order_bytes(order));
	(void)madvise(page_memory(i), order_bytes(order), MADV_DONTNEED);
	while (order < pool.root_order) {
		uint32_t buddy = i ^ ((uint32_t)1 << order);
		struct page *b = &pool.page[buddy];

		if (b->state != PAGE_FREE || b->order != order)
			break;
		unlink_page(&pool.free_order[order], buddy);
		b->state = PAGE_INSIDE;
		pool.page[i].state = PAGE_INSIDE;
		if (buddy < i)
			i = buddy;
		order++;
	}
	shelve(i, order);
}

static unsigned
blocks_in_page(unsigned class)
{
	return (unsigned)(PAGE_BYTES / class_bytes(class));
}

/* A free block links to the next through its first two bytes. */
static void *
take_small(unsigned class)
{
	uint32_t i = pool.with_space[class];
	struct page *p;
	char *block;

	if (i == NONE) {
		i = take_pages(0);
		if (i == NONE)
			return NULL;
		p = &pool.page[i];
		p->state = PAGE_CARVED;
		p->order = (uint8_t) class;
		p->used = p->carved = p->unused = 0;
		link_page(&pool.with_space[class], i);
	}
	p = &pool.page[i];
	if (p->unused > 0) {
		block = page_memory(i) +
			(size_t)(p->unused - 1) * class_bytes(class);
		unpoison(block, class_bytes(class));
		memcpy(&p->unused, block, sizeof p->unused);
	} else {
		block = page_memory(i) + p->carved++ * class_bytes(class);
		unpoison(block, class_bytes(class));
	}
	if (++p->used == blocks_in_page(class))
		unlink_page(&pool.with_space[class], i);
	return block;
}

static void
give_small(uint32_t i, char *block)
{
	struct page *p = &pool.page[i];
	unsigned class = p->order;
	size_t at = (size_t)(block - page_memory(i));

	CHECK(at % class_bytes(class) == 0);
	CHECK(p->used > 0);
	CHECK(at / class_bytes(class) < p->carved);
	if (p->used-- == blocks_in_page(class))
		link_page(&pool.with_space[class], i);
	memcpy(block, &p->unused, sizeof p->unused);
	p->unused = (uint16_t)(at / class_bytes(class) + 1);
	poison(block, class_bytes(class));
	/* The last page of a class stays: it would be carved again at once. */
	if (p->used == 0 && (p->prev != NONE || p->next != NONE)) {
		unlink_page(&pool.with_space[class], i);
		give_pages(i, 0);
	}
}

void *
pool_take(size_t size, size_t *got)
{
	unsigned class = 0, order = 0;
	size_t bytes;
	char *block;

	if (pool.region == NULL) {
		struct error e;

		if (pool_start(REGION_DEFAULT, &e) == -1)
			return NULL;
	}
	if (size > POOL_BLOCK_MAX)
		return NULL;
	if (size <= class_bytes(CLASSES - 1)) {
		while (class_bytes(class) < size)
			class ++;
		bytes = class_bytes(class);
		block = take_small(class);
	} else {
		uint32_t i;

		while (order_bytes(order) < size)
			order++;
		bytes = order_bytes(order);
		i = take_pages(order);
		block = i == NONE ? NULL : page_memory(i);
		if (block != NULL)
			unpoison(block, bytes);
	}
	if (block == NULL)
		return NULL;
	pool.in_use += bytes;
	if (pool.in_use > pool.peak)
		pool.peak = pool.in_use;
	if (got != NULL)
		*got = bytes;
	return block;
}

void
pool_give(void *block)
{
	char *at = block;
	struct page *p;
	uint32_t i;

	if (block == NULL)
		return;
	CHECK(pool.region != NULL);
	CHECK(at >= pool.region);
	CHECK((size_t)(at - pool.region) >> PAGE_BITS < pool.pages_used);
	i = (uint32_t)((size_t)(at - pool.region) >> PAGE_BITS);
	p = &pool.page[i];
	if (p->state == PAGE_CARVED) {
		pool.in_use -= class_bytes(p->order);
		give_small(i, at);
		return;
	}
	CHECK(p->state == PAGE_WHOLE);
	CHECK(at == page_memory(i));
	pool.in_use -= order_bytes(p->order);
	give_pages(i, p->order);
}

size_t
pool_in_use(void)
{
	return pool.in_use;
}

size_t
pool_peak(void)
{
	return pool.peak;
}
