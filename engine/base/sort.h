#ifndef SKEP_BASE_SORT_H
#define SKEP_BASE_SORT_H

/*
 * Sorting in place: qsort(3) may allocate, which nothing may after start-up.
 * A heap sort: n log n at worst, not stable.
 */

#include <stddef.h>

/* Below, at or above 0, as strcmp(3) has it; a and b are elements. */
typedef int sort_compare_fn(const void *a, const void *b, const void *with);

/* Order n pointers; with is handed to compare. */
void sort_pointers(
    void **at, size_t n, sort_compare_fn *compare, const void *with);

#endif
