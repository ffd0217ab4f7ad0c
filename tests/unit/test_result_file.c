/* What a batch finds in its output when it starts. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/result_file.h"

#define LINE(id) "{\"custom_id\":\"x\",\"run_id\":\"" id "\",\"status\":\"\"}"

static char path[] = "/tmp/test_result_file-XXXXXX";
static struct result_file file;
static struct error e;

static void
write_file(const char *content)
{
	FILE *f = fopen(path, "w");

	fputs(content, f);
	fclose(f);
}

static const char *
read_file(void)
{
	static char content[4096];
	FILE *f = fopen(path, "r");
	size_t n = fread(content, 1, sizeof content - 1, f);

	fclose(f);
	content[n] = '\0';
	return content;
}

static void
open_with(const char *content)
{
	write_file(content);
	assert_int_equal(result_file_open(&file, path, &e), 0);
}

static int
has(const char *id)
{
	return seen_has(&file.run_ids, span_of(id));
}

static void
whole_lines_are_remembered(void **state)
{
	(void)state;
	open_with(LINE("aa") "\n\nnot json\n" LINE("bb") "\n");
	assert_int_equal(file.lines, 2);
	assert_true(has("aa") && has("bb"));
	assert_false(has("cc"));
	assert_int_equal(file.torn_bytes, 0);
	result_file_close(&file);
}

static void
a_torn_line_goes_at_every_length(void **state)
{
	static const char torn[] = LINE("bb");
	char content[256];

	(void)state;
	for (size_t n = 1; n < sizeof torn - 1; n++) {
		snprintf(
		    content, sizeof content, LINE("aa") "\n%.*s", (int)n, torn);
		open_with(content);
		assert_int_equal(file.torn_bytes, n);
		assert_false(has("bb"));
		assert_int_equal(write(file.fd, "next\n", 5), 5);
		result_file_close(&file);
		assert_string_equal(read_file(), LINE("aa") "\nnext\n");
	}
}

static void
a_whole_line_without_its_end_gets_it(void **state)
{
	(void)state;
	open_with(LINE("aa") "\n" LINE("bb"));
	assert_true(has("bb"));
	result_file_close(&file);
	assert_string_equal(read_file(), LINE("aa") "\n" LINE("bb") "\n");
}

static void
what_is_not_ours_is_never_cut(void **state)
{
	(void)state;
	open_with("somebody's notes, no newline");
	result_file_close(&file);
	assert_string_equal(read_file(), "somebody's notes, no newline\n");
}

static void
a_missing_folder_is_73(void **state)
{
	(void)state;
	assert_int_equal(
	    result_file_open(&file, "/nonexistent/out.jsonl", &e), -1);
	assert_int_equal(error_exit_status(e.code), 73);
	assert_non_null(strstr(e.text, "/nonexistent/out.jsonl"));
	result_file_close(&file);
}

static void
a_device_is_not_read(void **state)
{
	(void)state;
	assert_int_equal(result_file_open(&file, "/dev/null", &e), 0);
	assert_false(file.is_regular);
	result_file_close(&file);
}

static void
the_set_holds_many(void **state)
{
	struct seen s;
	char id[32];

	(void)state;
	seen_init(&s);
	assert_false(seen_has(&s, span_of("x")));
	for (int i = 0; i < 50000; i++) {
		snprintf(id, sizeof id, "task-%d", i);
		assert_int_equal(seen_add(&s, span_of(id)), 1);
	}
	for (int i = 0; i < 50000; i += 997) {
		snprintf(id, sizeof id, "task-%d", i);
		assert_int_equal(seen_add(&s, span_of(id)), 0);
		assert_true(seen_has(&s, span_of(id)));
	}
	assert_false(seen_has(&s, span_of("task-50000")));
	assert_int_equal(seen_add(&s, span_of("")), 1);
	seen_release(&s);
}

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    cmocka_unit_test(whole_lines_are_remembered),
	    cmocka_unit_test(a_torn_line_goes_at_every_length),
	    cmocka_unit_test(a_whole_line_without_its_end_gets_it),
	    cmocka_unit_test(what_is_not_ours_is_never_cut),
	    cmocka_unit_test(a_missing_folder_is_73),
	    cmocka_unit_test(a_device_is_not_read),
	    cmocka_unit_test(the_set_holds_many),
	};
	int fd = mkstemp(path), status;

	if (fd == -1 || pool_start(GIB, &e) == -1)
		return 1;
	close(fd);
	status = cmocka_run_group_tests(cases, NULL, NULL);
	unlink(path);
	pool_stop();
	return status;
}
