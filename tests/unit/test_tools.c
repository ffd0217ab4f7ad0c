#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/profile.h"
#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "sandbox/backend_null.h"
#include "tests/unit/tools_test.h"
#include "tools/call.h"
#include "tools/output.h"
#include "tools/process.h"
#include "tools/tool.h"

#define BIG 300000

static char big[BIG + 1], bad[50001];

static const struct null_command commands[] = {
    {.pattern = "sh -c pwd", .out = "/workspace\n"},
    {.pattern = "sh -c both", .out = "out\n", .err = "err\n", .exit = 3},
    {.pattern = "sh -c no-newlines", .out = "a\n\n", .err = "b"},
    {.pattern = "bash -lc pwd", .out = "login\n"},
    {.pattern = "bash -c pwd", .out = "plain\n"},
    {.pattern = "sh -c killed", .signal = 9},
    {.pattern = "sh -c missing", .exec_errno = 2},
    {.pattern = "sh -c slow", .out = "late\n", .after_ms = 400},
    {.pattern = "sh -c for-ever*", .for_ever = 1},
    {.pattern = "sh -c quiet*"},
    {.pattern = "sh -c big", .out = big},
    {.pattern = "sh -c bad", .out = bad},
    {.pattern = "sh -c oom", .signal = 9, .limits = 1u << VERDICT_OOM},
    {.pattern = "sh -c utf8", .out = "caf\xc3\xa9 \xff\xf0\x9f\x90\n"},
};
static const struct null_script script = {
    commands, sizeof commands / sizeof commands[0], 0, NULL};

static struct sandbox_host *host;
static struct loop *loop;

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	(void)owner;
	assert_null(error);
	loop_break(loop);
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	(void)error;
	(void)owner;
}

static const struct sandbox_ops sandbox_ops = {created, lost};

static int
build(void **state)
{
	struct sandbox_spec spec = {.label = "test"};
	const struct profile *profiles[] = {profile_builtin("draft")};
	struct sandbox_host_settings settings = {
	    .profiles = profiles, .profiles_n = 1, .commands_max = 100};
	struct sandbox *sb;
	struct error e;

	(void)state;
	spec.profile = profiles[0];
	memset(big, 'x', BIG);
	for (int i = 99; i < BIG; i += 100)
		big[i] = '\n';
	memset(bad, 0xff, sizeof bad - 1);
	loop = loop_new(&e);
	host = null_host_new(loop, &settings, &script, &e);
	assert_non_null(host);
	sb = sandbox_create(host, &spec, &sandbox_ops, NULL, &e);
	assert_non_null(sb);
	loop_run(loop);
	tt_open(loop, sb);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tt_close();
	sandbox_destroy(tt.sb);
	sandbox_host_free(host);
	loop_free(loop);
	return pool_in_use() == 0 ? 0 : -1;
}

/* --- exec_command --- */

static void
a_command_that_ends_is_told_with_its_code(void **state)
{
	(void)state;
	assert_string_equal(
	    tt_rest(tt_call("exec_command", "{\"cmd\":\"pwd\"}")),
	    "Process exited with code 0\nOutput:\n/workspace\n");
	assert_string_equal(
	    tt_rest(tt_call("exec_command", "{\"cmd\":\"both\"}")),
	    "Process exited with code 3\nOutput:\nout\nerr\n");
	assert_string_equal(
	    tt_rest(tt_call("exec_command", "{\"cmd\":\"killed\"}")),
	    "Process exited with code -9\nOutput:\n");
	assert_string_equal(
	    tt_rest(tt_call("exec_command", "{\"cmd\":\"quiet\"}")),
	    "Process exited with code 0\nOutput:\n");
}

static void
the_shell_is_a_login_shell_only_when_one_is_named(void **state)
{
	(void)state;
	assert_non_null(strstr(
	    tt_call("exec_command", "{\"cmd\":\"pwd\",\"shell\":\"bash\"}"),
	    "login\n"));
	assert_non_null(strstr(
	    tt_call("exec_command", "{\"cmd\":\"pwd\",\"shell\":\"bash\","
				    "\"login\":false}"),
	    "plain\n"));
}

static void
what_ended_a_command_from_outside_is_said(void **state)
{
	const char *result = tt_call("exec_command", "{\"cmd\":\"oom\"}");

	(void)state;
	assert_non_null(strstr(result, "Process exited with code -9\n"));
	assert_non_null(
	    strstr(result, "Note: it used more memory than the sandbox has\n"));
	result = tt_call("exec_command", "{\"cmd\":\"missing\"}");
	assert_non_null(strstr(result, "Process exited with code 127\n"));
	assert_non_null(strstr(result, "Note: it was not started: "));
}

static void
invalid_utf8_becomes_replacement_characters(void **state)
{
	(void)state;
	assert_string_equal(
	    tt_rest(tt_call("exec_command", "{\"cmd\":\"utf8\"}")),
	    "Process exited with code 0\nOutput:\n"
	    "caf\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\n");
}

static void
a_slow_command_becomes_a_session_that_can_be_polled(void **state)
{
	const char *result;
	char arguments[80];
	unsigned id;

	(void)state;
	result =
	    tt_call("exec_command", "{\"cmd\":\"slow\",\"yield_time_ms\":250}");
	assert_non_null(strstr(result, "Process running with session ID "));
	assert_null(strstr(result, "exited"));
	assert_non_null(strstr(result, "Output:\n"));
	id = tt_session(result);
	snprintf(arguments, sizeof arguments, "{\"session_id\":%u}", id);
	assert_string_equal(tt_rest(tt_call("write_stdin", arguments)),
	    "Process exited with code 0\nOutput:\nlate\n");
	/* It was told, so it is gone. */
	snprintf(arguments, sizeof arguments,
	    "{\"session_id\":%u,\"chars\":\"\"}", id);
	assert_non_null(strstr(tt_rest(tt_call("write_stdin", arguments)),
	    "Process exited with code 1\nOutput:\n"
	    "write_stdin failed: PTY session not found: "));
}

static void
typing_needs_a_terminal(void **state)
{
	char arguments[80];

	(void)state;
	snprintf(arguments, sizeof arguments,
	    "{\"session_id\":%u,\"chars\":\"x\"}",
	    tt_session(tt_call("exec_command",
		"{\"cmd\":\"for-ever\",\"yield_time_ms\":250}")));
	assert_string_equal(tt_rest(tt_call("write_stdin", arguments)),
	    "Process exited with code 1\nOutput:\n"
	    "stdin is not available for this process. Start the command with "
	    "`tty=true` in `exec_command` before using `write_stdin`.");
}

static void
two_calls_cannot_wait_for_one_session(void **state)
{
	struct tool_call *first;
	char item[200];
	unsigned id;

	(void)state;
	id = tt_session(tt_call(
	    "exec_command", "{\"cmd\":\"for-ever\",\"yield_time_ms\":250}"));
	snprintf(item, sizeof item,
	    "{\"type\":\"function_call\",\"call_id\":\"c9\",\"name\":"
	    "\"write_stdin\",\"arguments\":\"{\\\"session_id\\\":%u}\"}",
	    id);
	first = tt_begin(item);
	tt_begin(item);
	loop_run(loop);
	assert_non_null(strstr(tt.answer.p, "another call waits"));
	tool_call_free(first);
}

/* --- long output --- */

static struct {
	struct text bytes;
	uint64_t at;
	int over;
} file;

static void
got(struct file_op *op, const struct file_result *r, void *owner)
{
	(void)op;
	(void)owner;
	assert_null(r->error);
	text_add(&file.bytes, r->bytes);
	file.at += r->bytes.n;
	file.over = r->at_end;
	loop_break(loop);
}

/* The file that a result names, read back whole. */
static struct span
read_file(const char *result, const char *before)
{
	const char *at = strstr(result, before);
	struct error e;
	char path[100];

	assert_non_null(at);
	at += strlen(before);
	snprintf(path, sizeof path, "%.*s", (int)strcspn(at, " "), at);
	text_release(&file.bytes);
	text_init(&file.bytes, 16 * MIB);
	for (file.at = 0, file.over = 0; !file.over;) {
		assert_non_null(sandbox_get(
		    tt.sb, path, file.at, SANDBOX_SLICE, 0, got, NULL, &e));
		loop_run(loop);
	}
	return text_span(&file.bytes);
}

static void
long_output_is_cut_and_kept_whole_in_a_file(void **state)
{
	const char *result = tt_call("exec_command", "{\"cmd\":\"big\"}");
	const char *output = strstr(result, "Output:\n") + 8;

	(void)state;
	assert_non_null(strstr(result, "\nOriginal token count: 75000\n"));
	assert_non_null(strstr(result, "\nFull output: .skep/outputs/"));
	assert_memory_equal(output, "Total output lines: 3000\n\nxxx", 29);
	assert_non_null(strstr(output, " tokens truncated\xe2\x80\xa6"));
	assert_true(strlen(output) <= 4 * OUTPUT_TOKENS);
	assert_true(strlen(output) > 4 * OUTPUT_TOKENS - 8);
	assert_true(span_is(read_file(result, "Full output: "), big));
	/* The file is named after the chunk. */
	assert_memory_equal(
	    strstr(result, ".skep/outputs/") + 14, result + 10, 6);
	text_release(&file.bytes);
}

static void
the_model_can_ask_for_less_or_more(void **state)
{
	const char *result;

	(void)state;
	result = tt_call(
	    "exec_command", "{\"cmd\":\"pwd\",\"max_output_tokens\":1}");
	assert_non_null(strstr(result,
	    "Process exited with code 0\nOriginal token count: 3\n"
	    "Full output: .skep/outputs/"));
	assert_non_null(strstr(result, "Output:\n\xe2\x80\xa6"
				       "3"));
	assert_true(
	    span_is(read_file(result, "Full output: "), "/workspace\n"));
	result = tt_call(
	    "exec_command", "{\"cmd\":\"big\",\"max_output_tokens\":80000}");
	assert_null(strstr(result, "Original token count"));
	assert_string_equal(strstr(result, "Output:\n") + 8, big);
	text_release(&file.bytes);
}

static void
bytes_that_grow_when_made_valid_are_counted_as_shown(void **state)
{
	const char *result = tt_call("exec_command", "{\"cmd\":\"bad\"}");

	(void)state;
	/* 50,000 bytes, each shown as three. */
	assert_non_null(strstr(result, "Original token count: 37500\n"));
	assert_true(span_is(read_file(result, "Full output: "), bad));
	text_release(&file.bytes);
}

/* --- the table --- */

static struct process *
process_at(unsigned i)
{
	struct list_node *n = list_first(&tt.box->processes);

	while (i-- > 0)
		n = list_next(&tt.box->processes, n);
	return container_of(n, struct process, link);
}

static void
the_table_drops_the_least_recently_used_and_says_so(void **state)
{
	unsigned first, second;
	const char *result;
	char text[200];

	(void)state;
	for (int i = 0; i < PROCESSES_MAX; i++) {
		snprintf(text, sizeof text,
		    "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":"
		    "\"exec_command\",\"arguments\":\"{\\\"cmd\\\":"
		    "\\\"for-ever %d\\\",\\\"yield_time_ms\\\":0}\"}",
		    i);
		tt_begin(text);
	}
	while (tt.answers < PROCESSES_MAX)
		loop_run(loop);
	assert_int_equal(tt.box->processes.length, PROCESSES_MAX);
	assert_non_null(strstr(tt.answer.p, "Warning: 64 of at most 64"));
	assert_null(strstr(tt.answer.p, "to make room"));
	/* A poll makes the first one recent, so the second goes. */
	first = process_at(0)->session;
	second = process_at(1)->session;
	process_use(process_at(0));
	result = tt_call(
	    "exec_command", "{\"cmd\":\"for-ever\",\"yield_time_ms\":0}");
	snprintf(text, sizeof text,
	    "Note: to make room, the least recently used sessions were ended: "
	    "%u (was running)\n",
	    second);
	assert_non_null(strstr(result, text));
	assert_null(process_find(tt.box, second));
	assert_non_null(process_find(tt.box, first));
	assert_int_equal(tt.box->processes.length, PROCESSES_MAX);
}

static void
nothing_is_dropped_that_a_call_waits_for(void **state)
{
	struct tool_call *c[PROCESSES_MAX];

	(void)state;
	for (int i = 0; i < PROCESSES_MAX; i++)
		c[i] = tt_begin("{\"type\":\"function_call\",\"call_id\":\"c\","
				"\"name\":\"exec_command\",\"arguments\":"
				"\"{\\\"cmd\\\":\\\"for-ever\\\"}\"}");
	assert_non_null(strstr(tt_call("exec_command", "{\"cmd\":\"pwd\"}"),
	    "64 commands run already and calls wait for all of them"));
	for (int i = 0; i < PROCESSES_MAX; i++)
		tool_call_free(c[i]);
	assert_int_equal(tt.box->processes.length, 0);
}

static void
an_abandoned_call_takes_its_command_along(void **state)
{
	struct tool_call *c;

	(void)state;
	c = tt_begin("{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":"
		     "\"exec_command\",\"arguments\":"
		     "\"{\\\"cmd\\\":\\\"for-ever\\\"}\"}");
	tool_call_free(c);
	c = tt_begin("{\"type\":\"shell_call\",\"id\":\"s\",\"call_id\":\"a\","
		     "\"action\":{\"commands\":[\"for-ever\"]}}");
	tool_call_free(c);
	tool_call_free(NULL);
	assert_int_equal(tt.answers, 0);
}

/* --- shell --- */

static int
shell_result(int i)
{
	return json_at(&tt.doc, json_get(&tt.doc, 0, "output"), i);
}

static void
shell_answers_each_command_with_its_streams(void **state)
{
	int outcome;

	(void)state;
	tt_begin("{\"type\":\"shell_call\",\"id\":\"sh_1\",\"call_id\":\"c7\","
		 "\"status\":\"completed\",\"action\":{\"commands\":"
		 "[\"both\",\"pwd\",\"killed\"],\"timeout_ms\":5000}}");
	loop_run(loop);
	assert_true(span_is(tt_member(0, "type"), "shell_call_output"));
	assert_true(span_is(tt_member(0, "call_id"), "c7"));
	assert_int_equal(json_get(&tt.doc, 0, "max_output_length"), -1);
	assert_int_equal(json_size(&tt.doc, json_get(&tt.doc, 0, "output")), 3);
	assert_true(span_is(tt_member(shell_result(0), "stdout"), "out\n"));
	assert_true(span_is(tt_member(shell_result(0), "stderr"), "err\n"));
	outcome = json_get(&tt.doc, shell_result(0), "outcome");
	assert_true(span_is(tt_member(outcome, "type"), "exit"));
	assert_int_equal(
	    json_int_or(&tt.doc, json_get(&tt.doc, outcome, "exit_code"), 0),
	    3);
	assert_true(
	    span_is(tt_member(shell_result(1), "stdout"), "/workspace\n"));
	outcome = json_get(&tt.doc, shell_result(2), "outcome");
	assert_int_equal(
	    json_int_or(&tt.doc, json_get(&tt.doc, outcome, "exit_code"), 0),
	    -9);
}

static void
a_shell_command_out_of_time_says_so(void **state)
{
	(void)state;
	tt_begin("{\"type\":\"shell_call\",\"call_id\":\"c7\",\"action\":"
		 "{\"commands\":[\"for-ever\",\"pwd\"],\"timeout_ms\":50}}");
	loop_run(loop);
	assert_true(span_is(
	    tt_member(json_get(&tt.doc, shell_result(0), "outcome"), "type"),
	    "timeout"));
	assert_true(
	    span_is(tt_member(shell_result(1), "stdout"), "/workspace\n"));
}

static void
max_output_length_is_one_budget_and_is_echoed(void **state)
{
	(void)state;
	tt_begin(
	    "{\"type\":\"shell_call\",\"call_id\":\"c7\",\"action\":"
	    "{\"commands\":[\"both\",\"both\"],\"max_output_length\":10}}");
	loop_run(loop);
	assert_int_equal(
	    json_int_or(&tt.doc, json_get(&tt.doc, 0, "max_output_length"), 0),
	    10);
	assert_true(span_is(tt_member(shell_result(0), "stdout"), "out\n"));
	assert_true(span_is(tt_member(shell_result(0), "stderr"), "err\n"));
	assert_true(span_is(tt_member(shell_result(1), "stdout"), "ou"));
	assert_true(span_is(tt_member(shell_result(1), "stderr"), ""));
	tt_begin("{\"type\":\"shell_call\",\"call_id\":\"c7\",\"action\":"
		 "{\"commands\":[\"both\"],\"maxOutputLength\":0}}");
	loop_run(loop);
	assert_true(span_is(tt_member(shell_result(0), "stdout"), ""));
}

static void
long_shell_output_names_its_file(void **state)
{
	struct span out;

	(void)state;
	tt_begin("{\"type\":\"shell_call\",\"call_id\":\"c7\",\"action\":"
		 "{\"commands\":[\"big\",\"big\"]}}");
	loop_run(loop);
	out = tt_member(shell_result(0), "stdout");
	assert_true(out.n < 41000);
	assert_true(span_is(
	    read_file(arena_strndup(&tt.arena, out.p, out.n), "output: "),
	    big));
	/* The second command finds little of the budget left, but not none. */
	out = tt_member(shell_result(1), "stdout");
	assert_true(out.n > 1000);
	assert_true(out.n < 2000);
	text_release(&file.bytes);
}

static void
shell_as_a_function_answers_in_plain_text(void **state)
{
	(void)state;
	assert_string_equal(
	    tt_call(
		"shell", "{\"commands\":[\"both\",\"quiet\",\"no-newlines\"]}"),
	    "$ both\nout\n\nstderr:\nerr\nexit code: 3\n\n$ quiet\n\n"
	    "$ no-newlines\na\n\nstderr:\nb");
}

/* --- what models get wrong --- */

static void
mistakes_are_answered_in_words(void **state)
{
	static const char trouble[] =
	    "An error occurred while running the tool. Please try again. "
	    "Error: ";
	static const struct {
		const char *name, *arguments, *said;
	} cases[] = {
	    {"exec_comand", "{}",
		"there is no tool exec_comand; the tools are: exec_command, "
		"write_stdin, shell"},
	    {"exec_command", "{}",
		"arguments of exec_command: the argument `cmd` is missing"},
	    {"exec_command", "",
		"arguments of exec_command: the argument "
		"`cmd` is missing"},
	    {"exec_command", "{\"cmd\":7}",
		"arguments of exec_command: `cmd` must be a string, not a "
		"number"},
	    {"exec_command", "{\"cmd\":\"a\\u0000b\"}",
		"`cmd` must not hold a NUL character"},
	    {"shell", "{\"commands\":\"ls\"}",
		"arguments of shell: `commands` must be an array, not a "
		"string"},
	};
	const char *said;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		said = tt_call(cases[i].name, cases[i].arguments);
		assert_memory_equal(said, trouble, sizeof trouble - 1);
		assert_string_equal(said + sizeof trouble - 1, cases[i].said);
	}
	said = tt_call("exec_command", "{\"cmd\":\"ls\"");
	assert_non_null(
	    strstr(said, "Error: arguments of exec_command are no JSON: "));
	tt_begin("{\"type\":\"shell_call\",\"call_id\":\"c\",\"action\":"
		 "{\"commands\":[]}}");
	loop_run(loop);
	assert_non_null(strstr(tt.answer.p, "must be an array of 1 to 64"));
	assert_true(span_is(tt_member(0, "type"), "shell_call_output"));
}

static void
tools_that_were_not_given_cannot_be_called(void **state)
{
	struct toolset none = {.n = 0};
	struct tool_host lender = {.sandbox = tt_lend};
	struct error e;

	(void)state;
	toolbox_free(tt.box);
	tt.box = toolbox_new(tt.tools, &none, &lender, &e);
	assert_non_null(strstr(tt_call("exec_command", "{\"cmd\":\"pwd\"}"),
	    "there is no tool exec_command; this agent has no tools"));
	tt_begin("{\"type\":\"shell_call\",\"call_id\":\"c\",\"action\":"
		 "{\"commands\":[\"pwd\"]}}");
	loop_run(loop);
	assert_non_null(strstr(tt.answer.p, "there is no tool shell_call"));
	tt_begin("{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":"
		 "\"apply_patch\",\"input\":\"x\"}");
	loop_run(loop);
	assert_true(span_is(tt_member(0, "type"), "custom_tool_call_output"));
	tt_begin("{\"type\":\"apply_patch_call\",\"call_id\":\"c\","
		 "\"operation\":{\"type\":\"delete_file\",\"path\":\"x\"}}");
	loop_run(loop);
	assert_true(span_is(tt_member(0, "type"), "apply_patch_call_output"));
	assert_true(span_is(tt_member(0, "status"), "failed"));
}

/* --- what the model is told --- */

static void
specs_are_native_only_where_that_is_known(void **state)
{
	struct tool_spec specs[TOOLS_MAX];
	struct json_doc d;
	struct error e;

	(void)state;
	assert_int_equal(toolset_specs(&tt.set, 1, specs), 3);
	assert_true(span_is(specs[0].name, "exec_command"));
	assert_true(span_is(specs[1].name, "write_stdin"));
	assert_int_equal(specs[0].kind, TOOL_FUNCTION);
	assert_int_equal(specs[2].kind, TOOL_SHELL);
	assert_int_equal(toolset_specs(&tt.set, 0, specs), 3);
	assert_int_equal(specs[2].kind, TOOL_FUNCTION);
	json_doc_init(&d);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    json_parse(&d, specs[i].parameters, JSON_UNIQUE, &e), 0);
		assert_true(specs[i].description.n > 50);
	}
	json_doc_release(&d);
	assert_int_equal(toolset_add(&tt.set, "shell", &e), 0);
	assert_int_equal(tt.set.n, 3);
	assert_int_equal(toolset_add(&tt.set, "bash", &e), -1);
	assert_string_equal(e.text,
	    "there is no tool \"bash\"; those there are: exec_command, "
	    "write_stdin, shell, local_shell, apply_patch, view_image, "
	    "load_skill, spawn_agent, wait_agent, list_agents, "
	    "cancel_agent");
	assert_true(tool_exists("shell"));
	assert_false(tool_exists("bash"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, build, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_command_that_ends_is_told_with_its_code),
	    TEST(the_shell_is_a_login_shell_only_when_one_is_named),
	    TEST(what_ended_a_command_from_outside_is_said),
	    TEST(invalid_utf8_becomes_replacement_characters),
	    TEST(a_slow_command_becomes_a_session_that_can_be_polled),
	    TEST(typing_needs_a_terminal),
	    TEST(two_calls_cannot_wait_for_one_session),
	    TEST(long_output_is_cut_and_kept_whole_in_a_file),
	    TEST(the_model_can_ask_for_less_or_more),
	    TEST(bytes_that_grow_when_made_valid_are_counted_as_shown),
	    TEST(the_table_drops_the_least_recently_used_and_says_so),
	    TEST(nothing_is_dropped_that_a_call_waits_for),
	    TEST(an_abandoned_call_takes_its_command_along),
	    TEST(shell_answers_each_command_with_its_streams),
	    TEST(a_shell_command_out_of_time_says_so),
	    TEST(max_output_length_is_one_budget_and_is_echoed),
	    TEST(long_shell_output_names_its_file),
	    TEST(shell_as_a_function_answers_in_plain_text),
	    TEST(mistakes_are_answered_in_words),
	    TEST(tools_that_were_not_given_cannot_be_called),
	    TEST(specs_are_native_only_where_that_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
