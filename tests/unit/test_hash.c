#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/hash.h"

static void
the_standard_s_examples_come_out(void **state)
{
	char text[HASH_TEXT_MAX];
	struct digest d, again;
	struct hash h;

	(void)state;
	hash_of(span_of("abc"), &d);
	digest_text(&d, text);
	assert_string_equal(text, "sha256:ba7816bf8f01cfea414140de5dae2223"
				  "b00361a396177a9cb410ff61f20015ad");
	hash_of(span_of(""), &d);
	digest_text(&d, text);
	assert_string_equal(text, "sha256:e3b0c44298fc1c149afbf4c8996fb924"
				  "27ae41e4649b934ca495991b7852b855");
	assert_int_equal(strlen(text) + 1, HASH_TEXT_MAX);

	hash_init(&h);
	for (int i = 0; i < 1000000; i += 100)
		hash_add(&h,
		    span_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			    "a"));
	hash_end(&h, &d);
	digest_text(&d, text);
	assert_string_equal(text, "sha256:cdc76e5c9914fb9281a1c7e284d73e67"
				  "f1809a48a497200e046d39ccc7112cd0");
	again = d;
	assert_true(digest_eq(&d, &again));
	again.byte[31] ^= 1;
	assert_false(digest_eq(&d, &again));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_standard_s_examples_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
