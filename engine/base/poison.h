#ifndef SKEP_BASE_POISON_H
#define SKEP_BASE_POISON_H

/*
 * Tell AddressSanitizer which bytes of our own memory may not be touched.
 * The symbols are weak: without the sanitizer these do nothing.
 */

#include <stddef.h>

void __asan_poison_memory_region(const volatile void *p, size_t n)
    __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *p, size_t n)
    __attribute__((weak));

static inline int
poison_works(void)
{
	return __asan_poison_memory_region != NULL;
}

static inline void
poison(const void *p, size_t n)
{
	if (poison_works())
		__asan_poison_memory_region(p, n);
}

static inline void
unpoison(const void *p, size_t n)
{
	if (poison_works())
		__asan_unpoison_memory_region(p, n);
}

#endif
