#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_write.h"

static struct json_doc doc;
static struct arena arena;
static struct error err;

#define assert_span(s, want)                                     \
	do {                                                     \
		struct span got_ = (s);                          \
		assert_int_equal(got_.n, strlen(want));          \
		assert_memory_equal(got_.p, want, strlen(want)); \
	} while (0)

static void
read_doc(const char *s)
{
	if (json_parse(&doc, span_of(s), 0, &err) == -1)
		fail_msg("%s: %s", s, err.text);
}

static void
values_are_found_by_name_and_position(void **state)
{
	int v;

	(void)state;
	read_doc("{ \"a\" : [1, {\"b\": [true, null]}, \"x\"], \"c\": -2.5e3,"
		 " \"\\u0064\": \"y\", \"e\": {}, \"f\": [] }");
	assert_int_equal(json_type(&doc, 0), JSON_OBJECT);
	assert_int_equal(json_size(&doc, 0), 5);
	v = json_get(&doc, 0, "a");
	assert_int_equal(json_size(&doc, v), 3);
	assert_int_equal(json_int_or(&doc, json_at(&doc, v, 0), 0), 1);
	assert_span(
	    json_raw(&doc, json_at(&doc, v, 1)), "{\"b\": [true, null]}");
	assert_int_equal(
	    json_type(&doc,
		json_at(&doc, json_get(&doc, json_at(&doc, v, 1), "b"), 1)),
	    JSON_NULL);
	assert_true(json_is(&doc, json_at(&doc, v, 2), "x"));
	assert_int_equal(json_at(&doc, v, 3), -1);
	assert_span(json_raw(&doc, json_at(&doc, v, 2)), "\"x\"");
	assert_span(json_inner(&doc, json_get(&doc, 0, "c")), "-2.5e3");
	assert_true(json_is(&doc, json_get(&doc, 0, "d"), "y"));
	assert_int_equal(json_first(&doc, json_get(&doc, 0, "e")), -1);
	assert_int_equal(json_first(&doc, json_get(&doc, 0, "f")), -1);
}

static void
what_is_not_there_can_be_asked_for(void **state)
{
	struct span s;
	double real;

	(void)state;
	read_doc("[1]");
	assert_int_equal(json_get(&doc, 0, "a"), -1);
	assert_int_equal(json_get(&doc, -1, "a"), -1);
	assert_int_equal(json_at(&doc, -1, 0), -1);
	assert_int_equal(json_at(&doc, 0, -1), -1);
	assert_int_equal(json_first(&doc, -1), -1);
	assert_int_equal(json_type(&doc, 7), JSON_NONE);
	assert_int_equal(json_size(&doc, -1), 0);
	assert_int_equal(json_raw(&doc, -1).n, 0);
	assert_int_equal(json_string(&doc, -1, &arena, &s), -1);
	assert_int_equal(json_real(&doc, -1, &real), -1);
	assert_int_equal(json_bool_or(&doc, -1, 5), 5);
	assert_false(json_is(&doc, -1, ""));
	read_doc("{\"\":7}");
	assert_int_equal(json_get_span(&doc, 0, (struct span){NULL, 0}), 2);
}

static void
the_last_of_equal_keys_wins_and_configuration_refuses_them(void **state)
{
	const char *s = "{\"a\":1,\"b\":{\"x\":1,\n \"\\u0078\":2},\"a\":3}";

	(void)state;
	read_doc(s);
	assert_int_equal(json_int_or(&doc, json_get(&doc, 0, "a"), 0), 3);
	assert_int_equal(json_parse(&doc, span_of(s), JSON_UNIQUE, &err), -1);
	assert_int_equal(err.code, ERROR_SYNTAX);
	assert_non_null(strstr(err.text, "twice"));
}

static void
equal_keys_are_found_in_large_objects_too(void **state)
{
	struct text t;
	struct json_writer w;

	(void)state;
	for (int twice = 0; twice < 2; twice++) {
		text_init(&t, 1 << 20);
		json_write_init(&w, &t);
		json_write_object(&w);
		for (int i = 0; i < 5000; i++) {
			char key[16];

			snprintf(key, sizeof(key), "k%d", i);
			json_put_int(&w, key, i);
		}
		if (twice)
			json_put_int(&w, "k2500", 0);
		json_write_end(&w);
		assert_int_equal(json_write_done(&w), 0);
		assert_int_equal(
		    json_parse(&doc, text_span(&t), JSON_UNIQUE, &err), -twice);
		json_doc_release(&doc);
		text_release(&t);
	}
}

static void
strings_are_unescaped_only_when_they_must_be(void **state)
{
	struct span s;
	const char *text = "[\"plain\", \"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\","
			   "\"\\ud83d\\ude00\", \"\\ud83d\", \"\\ude00x\","
			   "\"\\ud83d\\ud83d\\ude00\", \"\\u0000\", \"\"]";

	(void)state;
	read_doc(text);
	assert_int_equal(json_string(&doc, 1, &arena, &s), 0);
	assert_ptr_equal(s.p, text + 2);
	assert_int_equal(json_string(&doc, 2, &arena, &s), 0);
	assert_span(s, "a\"\\/\b\f\n\r\t\xc3\xa9");
	assert_true(json_is(&doc, 2, "a\"\\/\b\f\n\r\t\xc3\xa9"));
	assert_false(json_is(&doc, 2, "a\"\\/\b\f\n\r\t\xc3\xa8"));
	assert_int_equal(json_string(&doc, 3, &arena, &s), 0);
	assert_span(s, "\xf0\x9f\x98\x80");
	assert_int_equal(json_string(&doc, 4, &arena, &s), 0);
	assert_span(s, "\xef\xbf\xbd");
	assert_int_equal(json_string(&doc, 5, &arena, &s), 0);
	assert_span(s, "\xef\xbf\xbdx");
	assert_int_equal(json_string(&doc, 6, &arena, &s), 0);
	assert_span(s, "\xef\xbf\xbd\xf0\x9f\x98\x80");
	assert_int_equal(json_string(&doc, 7, &arena, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.p[0], 0);
	assert_int_equal(json_string(&doc, 8, &arena, &s), 0);
	assert_int_equal(s.n, 0);
}

static void
half_surrogate_pairs_can_be_refused(void **state)
{
	static const char *const bad[] = {"[\"\\ud83d\"]", "[\"\\ude00\"]",
	    "[\"\\ud83d \\ude00\"]", "[\"\\ud83d\\n\"]",
	    "[\"\\ud83d\\ud83d\\ude00\"]", "[\"\\ud83d\xc3\xa9\"]"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		read_doc(bad[i]);
		assert_int_equal(
		    json_parse(&doc, span_of(bad[i]), JSON_UNICODE, &err), -1);
	}
	assert_int_equal(json_parse(&doc, span_of("[\"\\ud83d\\ude00\"]"),
			     JSON_UNICODE, &err),
	    0);
}

static void
numbers_are_read_exactly_or_not_at_all(void **state)
{
	int64_t n;
	double real;

	(void)state;
	read_doc("[0,-0,9223372036854775807,-9223372036854775808,"
		 "9223372036854775808,-9223372036854775809,1.0,1e2,1e400,"
		 "-1.5e-3,123456789012345678901234567890]");
	assert_int_equal(json_int_or(&doc, 1, 9), 0);
	assert_int_equal(json_int_or(&doc, 2, 9), 0);
	assert_true(json_int_or(&doc, 3, 9) == INT64_MAX);
	assert_true(json_int_or(&doc, 4, 9) == INT64_MIN);
	for (int i = 5; i < 9; i++)
		assert_int_equal(json_int_or(&doc, i, 9), 9);
	assert_int_equal(json_real(&doc, 9, &real), -1);
	assert_int_equal(json_real(&doc, 10, &real), 0);
	assert_true(real == -1.5e-3);
	assert_int_equal(json_int_or(&doc, 11, 9), 9);
	assert_int_equal(json_real(&doc, 11, &real), 0);
	assert_int_equal(json_int(&doc, 3, 0, 10, &n), -1);
}

static void
a_lone_value_is_a_document(void **state)
{
	(void)state;
	read_doc(" -12.5 \n");
	assert_int_equal(json_type(&doc, 0), JSON_NUMBER);
	assert_span(json_raw(&doc, 0), "-12.5");
	read_doc("true");
	assert_int_equal(json_bool_or(&doc, 0, 9), 1);
	read_doc("\"s\"");
	assert_true(json_is(&doc, 0, "s"));
	read_doc("null");
	assert_int_equal(json_type(&doc, 0), JSON_NULL);
}

static void
faults_say_what_and_where(void **state)
{
	static const struct {
		const char *text, *what;
		unsigned line, column;
	} bad[] = {
	    {"", "empty", 1, 1},
	    {"{\n  \"a\": 1,\n  b: 2}", "a key in double quotes, found 'b'", 3,
		3},
	    {"{\"\xc3\xa9\": tru}", "unknown word", 1, 10},
	    {"[1 2]", "expected ',' or ']', found '2'", 1, 4},
	    {"{\"a\" 1}", "expected ':'", 1, 6},
	    {"{\"a\":1", "ends too early", 1, 7},
	    {"[1]x", "behind the end", 1, 4},
	    {"[\"\x01\"]", "control character", 1, 3},
	    {"[\"\xff\"]", "not UTF-8", 1, 3},
	    {"[\"\\x\"]", "escape", 1, 4},
	    {"[01]", "expected ','", 1, 3},
	    {"[1.]", "unfinished number", 1, 4},
	    {"\xef\xbb\xbf[]", "byte order mark", 1, 1},
	    {"[1,]", "expected a value", 1, 4},
	};

	(void)state;
	assert_int_equal(json_parse(&doc, (struct span){NULL, 0}, 0, &err), -1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(
		    json_parse(&doc, span_of(bad[i].text), 0, &err), -1);
		if (strstr(err.text, bad[i].what) == NULL)
			fail_msg("%s: %s", bad[i].text, err.text);
		assert_int_equal(doc.fault.line, bad[i].line);
		assert_int_equal(doc.fault.column, bad[i].column);
	}
}

static void
wanted_values_are_reported_by_path_and_place(void **state)
{
	int64_t n;
	int v;
	struct span s;

	(void)state;
	read_doc("{\"model\": {\n\t\"headers\": [1, {\"name\": 7}],\n"
		 "\t\"seconds\": 1.5}}");
	v = json_at(
	    &doc, json_get(&doc, json_get(&doc, 0, "model"), "headers"), 1);
	assert_int_equal(
	    json_want_string(&doc, v, "name", &arena, &s, &err), -1);
	assert_string_equal(err.text,
	    "model.headers[1].name: expected a string, found a number");
	assert_int_equal(doc.fault.line, 2);
	assert_int_equal(doc.fault.column, 26);
	json_fail_in(&doc, "agent.json", &err);
	assert_string_equal(err.text,
	    "agent.json:2:26: model.headers[1].name: expected a string, "
	    "found a number");
	v = json_get(&doc, 0, "model");
	assert_int_equal(
	    json_want_int(&doc, v, "seconds", 1, 60, &n, &err), -1);
	assert_non_null(strstr(err.text, "model.seconds: expected a whole"));
	assert_int_equal(
	    json_want_int(&doc, v, "attempts", 1, 60, &n, &err), -1);
	assert_string_equal(err.text, "model: \"attempts\" is missing");
}

static void
wanted_values_are_given_when_they_fit(void **state)
{
	struct span s;
	int64_t n;
	double real;
	int yes, v;

	(void)state;
	read_doc("{\"s\":\"a\\u0062\",\"n\":7,\"r\":0.5,\"b\":true,"
		 "\"l\":[]}");
	assert_int_equal(json_want_string(&doc, 0, "s", &arena, &s, &err), 0);
	assert_span(s, "ab");
	assert_int_equal(json_want_int(&doc, 0, "n", 7, 7, &n, &err), 0);
	assert_int_equal(n, 7);
	assert_int_equal(json_want_real(&doc, 0, "r", 0, 1, &real, &err), 0);
	assert_int_equal(json_want_bool(&doc, 0, "b", &yes, &err), 0);
	assert_true(yes);
	assert_int_equal(json_want(&doc, 0, "l", JSON_ARRAY, &v, &err), 0);
	assert_int_equal(json_want_real(&doc, 0, "n", 0, 1, &real, &err), -1);
	assert_string_equal(err.text, "n: expected a number from 0 to 1");
	assert_int_equal(json_want_bool(&doc, 0, "n", &yes, &err), -1);
	assert_string_equal(
	    err.text, "n: expected true or false, found a number");
	assert_int_equal(json_want_bool(&doc, 0, "x", &yes, &err), -1);
	assert_string_equal(err.text, "\"x\" is missing");
}

static void
relaxed_text_becomes_strict_in_place(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
	    {"{\"a\":1,}", "{\"a\":1 }"},
	    {"[1,2, // x\n]", "[1,2      \n]"},
	    {"/* a\nb */[1/**/,/*,*/]", "    \n    [1          ]"},
	    {"[\"//\",\"/*\",\"\\\"//\"]", "[\"//\",\"/*\",\"\\\"//\"]"},
	    {"[,]", "[,]"},
	    {"[1,,]", "[1,,]"},
	    {"{,}", "{,}"},
	    {"\xef\xbb\xbf{}", "   {}"},
	    {"// only\r\n1//", "       \r\n1  "},
	    {"[1,\"", "[1,\""},
	    {"\"\\", "\"\\"},
	};
	char text[64];
	size_t at;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		strcpy(text, cases[i].from);
		assert_int_equal(json_relax(text, strlen(text), &at, &err), 0);
		assert_string_equal(text, cases[i].to);
	}
	strcpy(text, "[1] /* ...");
	assert_int_equal(json_relax(text, strlen(text), &at, &err), -1);
	assert_int_equal(at, 4);
	strcpy(text, "/*/");
	assert_int_equal(json_relax(text, strlen(text), &at, &err), -1);
}

static void
a_document_costs_no_memory_once_it_is_released(void **state)
{
	size_t before = pool_in_use();

	(void)state;
	read_doc("[1,2,3]");
	json_doc_release(&doc);
	assert_true(pool_in_use() < before || before == 0);
	assert_int_equal(json_get(&doc, 0, "a"), -1);
}

static int
setup(void **state)
{
	(void)state;
	json_doc_init(&doc);
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	json_doc_release(&doc);
	arena_release(&arena);
	return pool_in_use() == 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_found_by_name_and_position),
	    cmocka_unit_test(what_is_not_there_can_be_asked_for),
	    cmocka_unit_test(
		the_last_of_equal_keys_wins_and_configuration_refuses_them),
	    cmocka_unit_test(equal_keys_are_found_in_large_objects_too),
	    cmocka_unit_test(strings_are_unescaped_only_when_they_must_be),
	    cmocka_unit_test(half_surrogate_pairs_can_be_refused),
	    cmocka_unit_test(numbers_are_read_exactly_or_not_at_all),
	    cmocka_unit_test(a_lone_value_is_a_document),
	    cmocka_unit_test(faults_say_what_and_where),
	    cmocka_unit_test(wanted_values_are_reported_by_path_and_place),
	    cmocka_unit_test(wanted_values_are_given_when_they_fit),
	    cmocka_unit_test(relaxed_text_becomes_strict_in_place),
	    cmocka_unit_test(a_document_costs_no_memory_once_it_is_released),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
