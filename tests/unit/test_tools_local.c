/*
 * Tools over real sandboxes: what only real processes and terminals do.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/pool.h"
#include "tests/unit/sandbox_test.h"
#include "tests/unit/tools_test.h"
#include "tools/output.h"

static struct sandbox_test t;

static int
fresh(void **state)
{
	struct sandbox *sb;
	struct error e;

	(void)state;
	memset(&t, 0, sizeof t);
	if (zygote_start(&t.zygote, &e) == -1) {
		print_message("%s\n", e.text);
		return -1;
	}
	st_open(&t);
	st_local(&t, NULL);
	if (t.host == NULL)
		return -1;
	sb = st_create(&t, NULL);
	if (sb == NULL)
		return -1;
	tt_open(t.loop, sb);
	return 0;
}

static int
done(void **state)
{
	(void)state;
	tt_close();
	st_destroy(&t, tt.sb);
	st_close(&t);
	return pool_in_use() == 0 ? 0 : -1;
}

static const char *
run(const char *arguments)
{
	return tt_rest(tt_call("exec_command", arguments));
}

static const char *
type(unsigned session, const char *chars)
{
	char arguments[200];

	snprintf(arguments, sizeof arguments,
	    "{\"session_id\":%u,\"chars\":\"%s\",\"yield_time_ms\":500}",
	    session, chars);
	return tt_rest(tt_call("write_stdin", arguments));
}

static void
both_streams_come_in_the_order_written(void **state)
{
	(void)state;
	assert_string_equal(run("{\"cmd\":\"echo a; echo b >&2; echo c; "
				"exit 7\"}"),
	    "Process exited with code 7\nOutput:\na\nb\nc\n");
	assert_string_equal(run("{\"cmd\":\"kill -KILL $$\"}"),
	    "Process exited with code -9\nOutput:\n");
	assert_string_equal(run("{\"cmd\":\"head -n1; echo $?\"}"),
	    "Process exited with code 0\nOutput:\n0\n");
}

static void
the_working_folder_is_relative_to_the_workspace(void **state)
{
	const char *said;

	(void)state;
	assert_string_equal(run("{\"cmd\":\"mkdir -p a/b; pwd\"}"),
	    "Process exited with code 0\nOutput:\n/workspace\n");
	assert_string_equal(run("{\"cmd\":\"pwd\",\"workdir\":\"a/b\"}"),
	    "Process exited with code 0\nOutput:\n/workspace/a/b\n");
	assert_string_equal(run("{\"cmd\":\"pwd\",\"workdir\":\"/tmp\"}"),
	    "Process exited with code 0\nOutput:\n/tmp\n");
	said = run("{\"cmd\":\"pwd\",\"workdir\":\"no/such\"}");
	assert_non_null(strstr(said, "No such file or directory"));
	assert_null(strstr(said, "code 0"));
	said = run("{\"cmd\":\"pwd\",\"shell\":\"/no/shell\"}");
	assert_non_null(strstr(said, "Process exited with code 127\n"));
	assert_non_null(strstr(said, "Note: it was not started: "));
}

static void
a_background_child_does_not_delay_the_result(void **state)
{
	(void)state;
	assert_string_equal(run("{\"cmd\":\"sleep 40 & echo started\"}"),
	    "Process exited with code 0\nOutput:\nstarted\n");
}

static void
a_running_command_is_polled_to_its_end(void **state)
{
	const char *said = run("{\"cmd\":\"echo one; sleep 0.6; echo two\","
			       "\"yield_time_ms\":250}");
	unsigned session = tt_session(said);
	char arguments[80];

	(void)state;
	assert_non_null(strstr(said, "\nOutput:\none\n"));
	snprintf(arguments, sizeof arguments, "{\"session_id\":%u}", session);
	assert_string_equal(tt_rest(tt_call("write_stdin", arguments)),
	    "Process exited with code 0\nOutput:\ntwo\n");
}

static void
a_character_split_between_two_polls_stays_whole(void **state)
{
	const char *said =
	    run("{\"cmd\":\"printf 'x\\\\303'; sleep 0.6; printf '\\\\251y'\","
		"\"yield_time_ms\":250}");
	unsigned session = tt_session(said);
	char arguments[80];

	(void)state;
	assert_string_equal(strstr(said, "Output:\n"), "Output:\nx");
	snprintf(arguments, sizeof arguments, "{\"session_id\":%u}", session);
	assert_string_equal(tt_rest(tt_call("write_stdin", arguments)),
	    "Process exited with code 0\nOutput:\n\xc3\xa9y");
}

static void
a_terminal_can_be_typed_into(void **state)
{
	unsigned session = tt_session(
	    run("{\"cmd\":\"tty >/dev/null && echo ready; read x; "
		"echo got $x; read y\",\"tty\":true,\"yield_time_ms\":500}"));
	const char *said = type(session, "hello\\n");

	(void)state;
	assert_non_null(strstr(said, "got hello"));
	assert_non_null(strstr(said, "Process running with session ID "));
	said = type(session, "bye\\n");
	assert_non_null(strstr(said, "Process exited with code 0\n"));
}

static void
control_c_interrupts_what_runs_in_a_terminal(void **state)
{
	unsigned session =
	    tt_session(run("{\"cmd\":\"exec sleep 40\",\"tty\":true,"
			   "\"yield_time_ms\":300}"));
	const char *said = type(session, "\\u0003");

	(void)state;
	assert_non_null(strstr(said, "Process exited with code -2\n"));
}

static void
more_output_than_fits_anywhere_is_kept_whole_on_disk(void **state)
{
	const char *said = run("{\"cmd\":\"seq 1 700000\"}"), *at;
	char check[200];

	(void)state;
	assert_non_null(strstr(said, "Process exited with code 0\n"));
	assert_non_null(strstr(said, "Output:\nTotal output lines: 700000\n\n"
				     "1\n2\n3\n"));
	assert_string_equal(said + strlen(said) - 14, "699999\n700000\n");
	at = strstr(said, "Full output: ");
	assert_non_null(at);
	snprintf(check, sizeof check,
	    "{\"cmd\":\"seq 1 700000 | cmp - %.*s && echo same\"}",
	    (int)strcspn(at + 13, " "), at + 13);
	assert_string_equal(
	    run(check), "Process exited with code 0\nOutput:\nsame\n");
}

static void
an_endless_writer_is_ended_and_that_is_said(void **state)
{
	const char *said = run("{\"cmd\":\"yes\",\"yield_time_ms\":30000}");

	(void)state;
	assert_non_null(strstr(
	    said, "Note: it wrote more output than it may and was ended\n"));
	assert_non_null(strstr(said, "Full output: .skep/outputs/"));
	assert_non_null(strstr(said, "\ny\ny\n"));
	assert_true(pool_in_use() < 8 << 20);
}

static void
commands_cannot_touch_what_was_kept_of_others(void **state)
{
	const char *said = run("{\"cmd\":\"seq 1 100000\"}");

	(void)state;
	assert_non_null(strstr(said, "Full output: .skep/outputs/"));
	said = run("{\"cmd\":\"rm -rf .skep; mv .skep x; ls .skep/outputs | "
		   "wc -l; touch .skep/outputs/y\"}");
	assert_non_null(strstr(said, "\n1\n"));
	assert_non_null(strstr(said, "Read-only file system"));
}

static void
shell_commands_keep_their_streams_apart(void **state)
{
	(void)state;
	assert_string_equal(
	    tt_call("shell", "{\"commands\":[\"echo a; echo b >&2; exit 2\","
			     "\"sleep 30\",\"pwd\"],\"timeout_ms\":300}"),
	    "$ echo a; echo b >&2; exit 2\na\n\nstderr:\nb\nexit code: 2\n\n"
	    "$ sleep 30\nstatus: timeout\n\n$ pwd\n/workspace");
}

static void
sessions_end_with_their_toolbox(void **state)
{
	(void)state;
	(void)tt_session(run("{\"cmd\":\"sleep 50\",\"yield_time_ms\":0}"));
	(void)tt_session(run("{\"cmd\":\"sleep 50\",\"tty\":true,"
			     "\"yield_time_ms\":0}"));
	toolbox_leave_sandbox(tt.box);
	assert_string_equal(
	    run("{\"cmd\":\"sleep 0.3; cat /proc/[0-9]*/comm | grep -c sleep\"}"),
	    "Process exited with code 1\nOutput:\n0\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(both_streams_come_in_the_order_written),
	    TEST(the_working_folder_is_relative_to_the_workspace),
	    TEST(a_background_child_does_not_delay_the_result),
	    TEST(a_running_command_is_polled_to_its_end),
	    TEST(a_character_split_between_two_polls_stays_whole),
	    TEST(a_terminal_can_be_typed_into),
	    TEST(control_c_interrupts_what_runs_in_a_terminal),
	    TEST(more_output_than_fits_anywhere_is_kept_whole_on_disk),
	    TEST(an_endless_writer_is_ended_and_that_is_said),
	    TEST(commands_cannot_touch_what_was_kept_of_others),
	    TEST(shell_commands_keep_their_streams_apart),
	    TEST(sessions_end_with_their_toolbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
