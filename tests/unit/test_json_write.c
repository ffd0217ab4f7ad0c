#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_write.h"

static struct text out;
static struct json_writer w;

static void
everything_can_be_written(void **state)
{
	(void)state;
	json_write_object(&w);
	json_put_str(&w, "s", "a\"b");
	json_put_str(&w, "none", NULL);
	json_put_int(&w, "i", INT64_MIN);
	json_put_uint(&w, "u", UINT64_MAX);
	json_put_real(&w, "r", 0.1);
	json_put_fixed(&w, "f", 0.25, 3);
	json_put_bool(&w, "t", 1);
	json_put_null(&w, "n");
	json_put_raw(&w, "raw", span_of("[1, 2]"));
	json_put_array(&w, "a");
	json_write_array(&w);
	json_write_end(&w);
	json_write_object(&w);
	json_write_end(&w);
	json_write_int(&w, 3);
	json_write_end(&w);
	json_put_object(&w, "o");
	json_write_end(&w);
	json_write_key(&w, "p");
	json_write_string_begin(&w);
	json_write_string_add(&w, span_of("x\n"));
	json_write_string_add_escaped(&w, span_of("\\u0041"));
	json_write_string_end(&w);
	assert_int_equal(json_write_done(&w), -1);
	json_write_end(&w);
	assert_int_equal(json_write_done(&w), 0);
	assert_string_equal(out.p,
	    "{\"s\":\"a\\\"b\",\"none\":null,\"i\":-9223372036854775808,"
	    "\"u\":18446744073709551615,\"r\":0.1,\"f\":0.250,\"t\":true,"
	    "\"n\":null,\"raw\":[1, 2],\"a\":[[],{},3],\"o\":{},"
	    "\"p\":\"x\\n\\u0041\"}");
}

static void
indented_text_is_for_people(void **state)
{
	(void)state;
	json_write_init_pretty(&w, &out, 2);
	json_write_object(&w);
	json_put_int(&w, "a", 1);
	json_put_array(&w, "b");
	json_write_int(&w, 2);
	json_write_int(&w, 3);
	json_write_end(&w);
	json_put_object(&w, "c");
	json_write_end(&w);
	json_write_end(&w);
	assert_string_equal(out.p,
	    "{\n  \"a\": 1,\n  \"b\": [\n    2,\n    3\n  ],\n  \"c\": {}\n}");
}

static void
any_bytes_become_a_valid_string_that_reads_back(void **state)
{
	struct json_doc doc;
	struct error e;
	struct text back;
	char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	json_doc_init(&doc);
	text_init(&back, 4096);
	json_write_span(&w, (struct span){all, 256});
	assert_int_equal(
	    json_parse(&doc, text_span(&out), JSON_UNICODE, &e), 0);
	json_string_add(&doc, 0, &back);
	assert_memory_equal(back.p, all, 128);
	assert_int_equal(back.n, 128 + 3 * 128);
	text_release(&back);
	json_doc_release(&doc);
}

static void
a_full_text_is_noticed_at_the_end(void **state)
{
	struct text small;

	(void)state;
	text_init(&small, 10);
	json_write_init(&w, &small);
	json_write_array(&w);
	for (int i = 0; i < 100; i++)
		json_write_str(&w, "xxxx");
	json_write_end(&w);
	assert_int_equal(json_write_done(&w), -1);
	text_release(&small);
}

static int
setup(void **state)
{
	(void)state;
	text_init(&out, 65536);
	json_write_init(&w, &out);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	text_release(&out);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		everything_can_be_written, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		indented_text_is_for_people, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		any_bytes_become_a_valid_string_that_reads_back, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		a_full_text_is_noticed_at_the_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
