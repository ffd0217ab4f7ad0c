/* Sorting in place. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/sort.h"

static int
by_text(const void *a, const void *b, const void *with)
{
	assert_string_equal(with, "with");
	return strcmp(a, b);
}

static void
every_number_of_elements_is_ordered(void **state)
{
	static char name[200][4];
	void *at[200];
	uint32_t seed = 1;

	(void)state;
	for (size_t n = 0; n <= 200; n++) {
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			name[i][0] = (char)('a' + (seed >> 24) % 26);
			name[i][1] = (char)('a' + (seed >> 16) % 3);
			at[i] = name[i];
		}
		sort_pointers(at, n, by_text, "with");
		for (size_t i = 1; i < n; i++)
			assert_true(strcmp(at[i - 1], at[i]) <= 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_number_of_elements_is_ordered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
