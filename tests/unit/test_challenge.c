#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/text.h"
#include "net/challenge.h"

static void
assert_is(const char *field, const char *name, const char *wanted)
{
	struct text t;
	int found;

	text_init(&t, 4096);
	found = challenge_get(span_of(field), "bearer", name, &t);
	assert_int_equal(found, wanted != NULL);
	if (wanted != NULL)
		assert_true(span_is(text_span(&t), wanted));
	text_release(&t);
}

static void
parameters_are_found_quoted_or_not(void **state)
{
	const char *field = "Bearer realm=x, Scope=\"a b\", "
			    "resource_metadata = \"https://h/p?q=\\\"1\\\"\"";

	(void)state;
	assert_is(field, "realm", "x");
	assert_is(field, "scope", "a b");
	assert_is(field, "resource_metadata", "https://h/p?q=\"1\"");
	assert_is(field, "error", NULL);
}

static void
another_schemes_parameters_are_not_ours(void **state)
{
	const char *field =
	    "Basic realm=\"b\", scope=\"no\", bEARER scope=yes, Digest scope=n";

	(void)state;
	assert_is(field, "realm", NULL);
	assert_is(field, "scope", "yes");
	assert_is("Negotiate YII==, Bearer scope=s", "scope", NULL);
}

static void
nonsense_ends(void **state)
{
	(void)state;
	assert_is("", "scope", NULL);
	assert_is("Bearer", "scope", NULL);
	assert_is("Bearer scope", "scope", NULL);
	assert_is("Bearer scope=", "scope", "");
	assert_is("Bearer scope=\"open", "scope", "open");
	assert_is("Bearer scope=\"\\", "scope", "\\");
	assert_is("=====", "scope", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parameters_are_found_quoted_or_not),
	    cmocka_unit_test(another_schemes_parameters_are_not_ours),
	    cmocka_unit_test(nonsense_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
