#include "engine/base/sort.h"

/* Let the element at top sink until what is below it comes before it. */
static void
sink(
    void **at, size_t top, size_t n, sort_compare_fn *compare, const void *with)
{
	void *moved = at[top];

	for (size_t below; (below = 2 * top + 1) < n; top = below) {
		if (below + 1 < n &&
		    compare(at[below], at[below + 1], with) < 0)
			below++;
		if (compare(moved, at[below], with) >= 0)
			break;
		at[top] = at[below];
	}
	at[top] = moved;
}

void
sort_pointers(void **at, size_t n, sort_compare_fn *compare, const void *with)
{
	for (size_t i = n / 2; i > 0; i--)
		sink(at, i - 1, n, compare, with);
	for (size_t end = n; end > 1; end--) {
		void *last = at[0];

		at[0] = at[end - 1];
		at[end - 1] = last;
		sink(at, 0, end - 1, compare, with);
	}
}
