#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "tools/args.h"

extern const char tools_exec_command_json[], tools_shell_json[];
extern const char tools_write_stdin_json[];

/* What is said of these arguments; "" for nothing. */
static const char *
complaint(const char *schema, const char *args)
{
	static struct text said;
	struct json_doc s, a;
	struct error e;
	int rc;

	text_release(&said);
	text_init(&said, 1000);
	text_add_str(&said, "");
	json_doc_init(&s);
	json_doc_init(&a);
	assert_int_equal(json_parse(&s, span_of(schema), 0, &e), 0);
	assert_int_equal(json_parse(&a, span_of(args), 0, &e), 0);
	rc = args_check(&s, &a, &said);
	assert_int_equal(rc, said.n > 0 ? -1 : 0);
	json_doc_release(&s);
	json_doc_release(&a);
	return said.n > 0 ? said.p : "";
}

static void
good_arguments_pass(void **state)
{
	(void)state;
	assert_string_equal(
	    complaint(tools_exec_command_json, "{\"cmd\":\"ls\"}"), "");
	assert_string_equal(
	    complaint(tools_exec_command_json,
		"{\"cmd\":\"ls\",\"workdir\":null,\"shell\":null,"
		"\"login\":false,\"tty\":null,"
		"\"yield_time_ms\":0,\"max_output_tokens\":1}"),
	    "");
	assert_string_equal(
	    complaint(tools_shell_json, "{\"commands\":[\"a\",\"b\"]}"), "");
	assert_string_equal(complaint(tools_write_stdin_json,
				"{\"session_id\":1,\"chars\":\"\"}"),
	    "");
}

static void
each_fault_is_said_in_words_for_the_model(void **state)
{
	(void)state;
	assert_string_equal(complaint(tools_exec_command_json, "{}"),
	    "the argument `cmd` is missing");
	assert_string_equal(
	    complaint(tools_exec_command_json, "{\"cmd\":\"\"}"),
	    "`cmd` must not be empty");
	assert_string_equal(
	    complaint(tools_exec_command_json, "{\"cmd\":null}"),
	    "`cmd` must be a string, not null");
	assert_string_equal(
	    complaint(tools_exec_command_json, "{\"cmd\":[\"ls\"]}"),
	    "`cmd` must be a string, not an array");
	assert_string_equal(complaint(tools_exec_command_json,
				"{\"cmd\":\"ls\",\"max_output_tokens\":0}"),
	    "`max_output_tokens` must be at least 1, not 0");
	assert_string_equal(complaint(tools_exec_command_json,
				"{\"cmd\":\"ls\",\"yield_time_ms\":1.5}"),
	    "`yield_time_ms` must be an integer, not a number");
	assert_string_equal(complaint(tools_exec_command_json, "[]"),
	    "must be an object, not an array");
	assert_string_equal(
	    complaint(tools_write_stdin_json, "{\"session_id\":1,\"x\":2}"),
	    "has no argument `x`; it takes `session_id`, `chars`, "
	    "`yield_time_ms`, `max_output_tokens`");
	assert_string_equal(
	    complaint(tools_shell_json, "{\"commands\":[\"a\",7]}"),
	    "`commands[1]` must be a string, not a number");
	assert_string_equal(complaint(tools_shell_json, "{\"commands\":[]}"),
	    "`commands` must not be empty");
}

static void
enums_and_nested_objects_are_checked(void **state)
{
	static const char schema[] =
	    "{\"type\":\"object\",\"properties\":{\"plan\":{\"type\":\"array\","
	    "\"items\":{\"type\":\"object\",\"properties\":{\"status\":{"
	    "\"type\":\"string\",\"enum\":[\"done\",\"open\"]}},"
	    "\"required\":[\"status\"]}}}}";

	(void)state;
	assert_string_equal(
	    complaint(schema, "{\"plan\":[{\"status\":\"done\",\"more\":1}]}"),
	    "");
	assert_string_equal(
	    complaint(schema, "{\"plan\":[{\"status\":\"x\"}]}"),
	    "`plan[0].status` must be one of [\"done\",\"open\"]");
	assert_string_equal(complaint(schema, "{\"plan\":[{}]}"),
	    "`plan[0]` the argument `status` is missing");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_arguments_pass),
	    cmocka_unit_test(each_fault_is_said_in_words_for_the_model),
	    cmocka_unit_test(enums_and_nested_objects_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
