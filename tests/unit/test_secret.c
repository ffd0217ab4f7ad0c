#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/secret.h"

static char path[] = "/tmp/skep-secret-XXXXXX";

static void
write_file(const char *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static int
make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd == -1 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void
one_final_newline_is_not_part_of_it(void **state)
{
	struct secret s;
	struct error e;

	(void)state;
	write_file("sk-123\n", 7);
	assert_int_equal(secret_from_file(&s, path, &e), 0);
	assert_true(span_is(secret_reveal(&s), "sk-123"));
	secret_release(&s);
	secret_release(&s);
	write_file("sk-123\n\n", 8);
	assert_int_equal(secret_from_file(&s, path, &e), 0);
	assert_true(span_is(secret_reveal(&s), "sk-123\n"));
	secret_release(&s);
}

static void
an_error_names_the_source_and_never_the_secret(void **state)
{
	static char big[SECRET_BYTES_MAX + 2];
	struct secret s;
	struct error e;

	(void)state;
	write_file("\n", 1);
	assert_int_equal(secret_from_file(&s, path, &e), -1);
	assert_non_null(strstr(e.text, path));
	assert_int_equal(e.code, ERROR_CONFIG);
	memset(big, 'k', sizeof big);
	write_file(big, SECRET_BYTES_MAX + 1);
	assert_int_equal(secret_from_file(&s, path, &e), -1);
	assert_null(strstr(e.text, "kkk"));
	big[SECRET_BYTES_MAX] = '\n';
	write_file(big, SECRET_BYTES_MAX + 1);
	assert_int_equal(secret_from_file(&s, path, &e), 0);
	assert_int_equal(secret_reveal(&s).n, SECRET_BYTES_MAX);
	secret_release(&s);
	assert_int_equal(secret_from_file(&s, "/nonexistent", &e), -1);
	assert_int_equal(secret_from_file(&s, "/", &e), -1);
	assert_int_equal(unsetenv("SKEP_TEST_KEY"), 0);
	assert_int_equal(secret_from_env(&s, "SKEP_TEST_KEY", &e), -1);
	assert_non_null(strstr(e.text, "SKEP_TEST_KEY is not set"));
	assert_int_equal(setenv("SKEP_TEST_KEY", "", 1), 0);
	assert_int_equal(secret_from_env(&s, "SKEP_TEST_KEY", &e), -1);
}

static void
a_forked_child_does_not_have_it(void **state)
{
	struct secret s;
	struct error e;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(setenv("SKEP_TEST_KEY", "hunter2", 1), 0);
	assert_int_equal(secret_from_env(&s, "SKEP_TEST_KEY", &e), 0);
	assert_true(span_is(secret_reveal(&s), "hunter2"));
	pid = fork();
	if (pid == 0)
		_exit(s.bytes[0] == '\0' ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	secret_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_final_newline_is_not_part_of_it),
	    cmocka_unit_test(an_error_names_the_source_and_never_the_secret),
	    cmocka_unit_test(a_forked_child_does_not_have_it),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
