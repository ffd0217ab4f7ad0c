/* References to secrets: each kind is found, and a missing one is named. */

#include "tests/unit/config_test.h"

#include <stdlib.h>

#include "config/secret_ref.h"
#include "engine/base/secret.h"
#include "net/json_write.h"

#define VALUE "sk-a-secret"

static void
assert_reads(enum secret_ref_kind kind, const char *name)
{
	struct secret_ref ref = {kind, name};
	struct secret secret = {.bytes = NULL};
	struct error e;

	assert_int_equal(secret_ref_check(&ref, &e), 0);
	assert_int_equal(secret_ref_read(&ref, &secret, &e), 0);
	assert_true(span_is(secret_reveal(&secret), VALUE));
	secret_release(&secret);
}

static void
assert_fails(enum secret_ref_kind kind, const char *name, const char *says)
{
	struct secret_ref ref = {kind, name};
	struct secret secret = {.bytes = NULL};
	struct error e;

	assert_int_equal(secret_ref_check(&ref, &e), -1);
	assert_int_equal(e.code, ERROR_CONFIG);
	assert_int_equal(secret_ref_read(&ref, &secret, &e), -1);
	assert_int_equal(e.code, ERROR_CONFIG);
	assert_non_null(strstr(e.text, says));
}

static void
each_kind_is_read_where_it_is(void **state)
{
	const char *slash;

	(void)state;
	setenv("SKEP_TEST_KEY", VALUE, 1);
	assert_reads(SECRET_ENV, "SKEP_TEST_KEY");
	unsetenv("SKEP_TEST_KEY");

	write_file("key", VALUE "\n");
	assert_reads(SECRET_FILE, path_of("key"));

	slash = strrchr(path_of("key"), '/');
	setenv("CREDENTIALS_DIRECTORY",
	    arena_strndup(
		&arena, path_of("key"), strlen(path_of("key")) - strlen(slash)),
	    1);
	assert_reads(SECRET_CREDENTIAL, "key");
	assert_fails(SECRET_CREDENTIAL, "other", "other");
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
what_is_not_there_is_named(void **state)
{
	(void)state;
	assert_fails(SECRET_ENV, "SKEP_NO_SUCH_KEY", "SKEP_NO_SUCH_KEY");
	assert_fails(SECRET_FILE, "/nonexistent/key", "/nonexistent/key");
	assert_fails(SECRET_CREDENTIAL, "key", "CREDENTIALS_DIRECTORY");
	setenv("SKEP_TEST_KEY", "", 1);
	assert_fails(SECRET_ENV, "SKEP_TEST_KEY", "SKEP_TEST_KEY");
	unsetenv("SKEP_TEST_KEY");
}

static void
only_the_reference_is_written(void **state)
{
	struct secret_ref ref = {SECRET_ENV, "SKEP_TEST_KEY"};
	struct json_writer w;
	struct text t;

	(void)state;
	setenv("SKEP_TEST_KEY", VALUE, 1);
	text_init(&t, 1 << 12);
	json_write_init(&w, &t);
	secret_ref_write(&ref, &w);
	assert_string_equal(t.p, "{\"env\":\"SKEP_TEST_KEY\"}");
	text_release(&t);
	unsetenv("SKEP_TEST_KEY");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(each_kind_is_read_where_it_is),
	    CASE(what_is_not_there_is_named),
	    CASE(only_the_reference_is_written),
	};

	return run(tests, sizeof tests / sizeof tests[0]);
}
