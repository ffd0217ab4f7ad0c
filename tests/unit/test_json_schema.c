#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "net/json.h"
#include "net/json_schema.h"

static struct json_doc schema, doc;
static struct error err;

static void
use(const char *text)
{
	if (json_parse(&schema, span_of(text), JSON_UNIQUE, &err) == -1 ||
	    json_schema_check(&schema, 0, &err) == -1)
		fail_msg("%s: %s", text, err.text);
}

static int
fits(const char *text)
{
	if (json_parse(&doc, span_of(text), 0, &err) == -1)
		fail_msg("%s: %s", text, err.text);
	return json_schema_fits(&schema, 0, &doc, 0, &err) == 0;
}

static void
refused(const char *text, const char *why)
{
	assert_false(fits(text));
	if (strcmp(err.text, why) != 0)
		fail_msg("%s: %s", text, err.text);
}

static void
a_report_is_checked_member_by_member(void **state)
{
	(void)state;
	use("{\"type\":\"object\",\"properties\":{"
	    "\"name\":{\"type\":\"string\",\"maxLength\":3},"
	    "\"age\":{\"type\":[\"integer\",\"null\"],\"minimum\":0},"
	    "\"tags\":{\"type\":\"array\",\"minItems\":1,\"items\":"
	    "{\"enum\":[\"a\",\"b\",3]}}},"
	    "\"required\":[\"name\",\"tags\"],\"additionalProperties\":false}");
	assert_true(fits("{\"name\":\"x\",\"age\":null,\"tags\":[\"a\",3.0]}"));
	assert_true(fits("{\"age\":7.0,\"name\":\"\xc3\xa9\xc3\xa9\xc3\xa9\","
			 "\"tags\":[\"\\u0062\"]}"));
	refused("[]", "expected \"object\", found an array");
	refused("{\"name\":\"x\"}", "\"tags\" is missing");
	refused("{\"name\":\"xxxx\",\"tags\":[\"a\"]}",
	    "name: expected characters, at most 3");
	refused("{\"name\":\"x\",\"age\":1.5,\"tags\":[\"a\"]}",
	    "age: expected [\"integer\",\"null\"], found a number");
	refused("{\"name\":\"x\",\"age\":-1,\"tags\":[\"a\"]}",
	    "age: expected a number of at least 0");
	refused("{\"name\":\"x\",\"tags\":[]}",
	    "tags: expected elements, at least 1");
	refused("{\"name\":\"x\",\"tags\":[\"a\",\"c\"]}",
	    "tags[1]: expected one of [\"a\",\"b\",3]");
	assert_int_equal(doc.fault.column, 25);
	refused("{\"name\":\"x\",\"tags\":[\"a\"],\"more\":1}",
	    "more: the schema allows no such member");
}

static void
alternatives_are_tried_in_turn(void **state)
{
	(void)state;
	use("{\"type\":\"object\",\"properties\":{\"v\":{\"anyOf\":["
	    "{\"type\":\"object\",\"properties\":{\"k\":{\"anyOf\":["
	    "{\"const\":1},{\"const\":2}]}},\"required\":[\"k\"]},"
	    "{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
	    "{\"type\":\"null\"}]},\"w\":{\"type\":\"number\"}}}");
	assert_true(fits("{\"v\":{\"k\":2},\"w\":1}"));
	assert_true(fits("{\"v\":[\"a\",\"b\"]}"));
	assert_true(fits("{\"v\":null,\"w\":0.5}"));
	assert_false(fits("{\"v\":{\"k\":3}}"));
	assert_false(fits("{\"v\":[\"a\",1]}"));
	assert_false(fits("{\"v\":7}"));
	assert_false(fits("{\"w\":\"x\",\"v\":null}"));
	assert_false(fits("{\"v\":null,\"w\":\"x\"}"));
}

static void
references_may_be_recursive(void **state)
{
	(void)state;
	use("{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{\"type\":\"object\","
	    "\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#\"},"
	    "{\"type\":\"null\"}]}},\"required\":[\"next\"]}}}");
	assert_true(fits("{\"next\":{\"next\":{\"next\":null}}}"));
	assert_false(fits("{\"next\":{\"next\":{\"next\":1}}}"));
	assert_false(fits("{\"next\":{\"next\":{}}}"));
	use("{\"$ref\":\"#\"}");
	assert_false(fits("1"));
	assert_int_equal(err.code, ERROR_TOO_BIG);
}

static void
all_of_and_bounds_hold_together(void **state)
{
	(void)state;
	use("{\"allOf\":[{\"type\":\"number\"},{\"exclusiveMinimum\":0,"
	    "\"maximum\":10},{\"multipleOf\":0.1}]}");
	assert_true(fits("0.3"));
	assert_true(fits("10"));
	assert_false(fits("0"));
	assert_false(fits("10.1"));
	assert_false(fits("0.35"));
	use("{\"const\":{\"a\":[1,\"x\",null]}}");
	assert_true(fits("{ \"a\": [1.0, \"\\u0078\", null] }"));
	assert_false(fits("{\"a\":[1,\"x\"]}"));
	assert_false(fits("{\"a\":[1,\"x\",null,2]}"));
	use("{\"properties\":{\"a\":false},\"additionalProperties\":"
	    "{\"type\":\"string\"}}");
	assert_true(fits("{\"b\":\"x\"}"));
	assert_false(fits("{\"a\":1}"));
	assert_false(fits("{\"b\":1}"));
	assert_true(fits("[1]"));
}

static void
a_schema_that_cannot_be_enforced_is_refused(void **state)
{
	static const char *const bad[][2] = {
	    {"[]", "a schema is an object"},
	    {"{\"not\":{}}", "not: this schema keyword is not supported"},
	    {"{\"properties\":{\"a\":{\"oneOf\":[]}}}",
		"properties.a.oneOf: this schema keyword is not supported"},
	    {"{\"items\":{\"type\":\"objekt\"}}",
		"items.type: a type is object, array, string, number, "
		"integer, boolean or null"},
	    {"{\"type\":[\"null\",7]}",
		"type[1]: a type is object, array, string, number, "
		"integer, boolean or null"},
	    {"{\"items\":[{}]}", "items: a schema is an object, true or false"},
	    {"{\"properties\":[]}",
		"properties: not a value that this keyword takes"},
	    {"{\"anyOf\":[{},7]}",
		"anyOf[1]: a schema is an object, true or false"},
	    {"{\"$ref\":\"#/$defs/x\"}",
		"$ref: a $ref to something that is not in this schema"},
	    {"{\"$ref\":\"#x/a\",\"a\":{}}",
		"$ref: a $ref to something that is not in this schema"},
	    {"{\"$ref\":\"https://h/x\"}",
		"$ref: a $ref to something that is not in this schema"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_parse(&schema, span_of(bad[i][0]), 0, &err);
		assert_int_equal(json_schema_check(&schema, 0, &err), -1);
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_string_equal(err.text, bad[i][1]);
	}
	/* Names and values may be anything. */
	use("{\"properties\":{\"not\":{\"default\":{\"oneOf\":1}},"
	    "\"$ref\":{\"enum\":[{\"if\":1}]}}}");
}

static void
hard_questions_end(void **state)
{
	char text[300];

	(void)state;
	/* Two ways at each of 100 levels, both wrong at the bottom. */
	use("{\"anyOf\":[{\"items\":{\"$ref\":\"#\"},\"type\":\"array\"},"
	    "{\"items\":{\"$ref\":\"#\"},\"type\":\"array\"},"
	    "{\"const\":1}]}");
	memset(text, '[', 100);
	text[100] = '2';
	memset(text + 101, ']', 100);
	text[201] = '\0';
	assert_false(fits(text));
	assert_int_equal(err.code, ERROR_TOO_BIG);
	text[100] = '1';
	assert_true(fits(text));
}

static int
teardown(void **state)
{
	(void)state;
	json_doc_release(&schema);
	json_doc_release(&doc);
	return pool_in_use() == 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_report_is_checked_member_by_member),
	    cmocka_unit_test(alternatives_are_tried_in_turn),
	    cmocka_unit_test(references_may_be_recursive),
	    cmocka_unit_test(all_of_and_bounds_hold_together),
	    cmocka_unit_test(a_schema_that_cannot_be_enforced_is_refused),
	    cmocka_unit_test(hard_questions_end),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
