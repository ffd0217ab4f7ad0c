#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/jsonrpc.h"

/* Read one; 0 or -1. */
static int
read_it(const char *text, struct jsonrpc *m, struct error *e)
{
	struct json_doc d;
	int rc;

	json_doc_init(&d);
	rc = json_parse(&d, span_of(text), 0, e);
	if (rc == 0)
		rc = jsonrpc_read(&d, m, e);
	json_doc_release(&d);
	return rc;
}

static void
each_kind_of_message_is_told_apart(void **state)
{
	struct jsonrpc m;
	struct error e;

	(void)state;
	assert_int_equal(
	    read_it("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}",
		&m, &e),
	    0);
	assert_int_equal(m.kind, JSONRPC_REQUEST);
	assert_true(span_is(m.id, "\"a\""));
	assert_int_equal(m.number, -1);
	assert_int_equal(
	    read_it(
		"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{}}", &m, &e),
	    0);
	assert_int_equal(m.kind, JSONRPC_NOTIFICATION);
	assert_int_equal(
	    read_it("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", &m, &e), 0);
	assert_int_equal(m.kind, JSONRPC_RESULT);
	assert_int_equal(m.number, 7);
	assert_int_equal(read_it("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":"
				 "{\"code\":-32700,\"message\":\"no\"}}",
			     &m, &e),
	    0);
	assert_int_equal(m.kind, JSONRPC_ERROR);
	assert_int_equal(m.code, -32700);
	assert_int_equal(m.id.n, 0);
}

static void
what_is_no_message_is_refused(void **state)
{
	static const char *const bad[] = {
	    "[]",
	    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]",
	    "{}",
	    "{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":{}}",
	    "{\"jsonrpc\":\"2.0\",\"id\":1}",
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{\"code\":"
	    "1}}",
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"message\":\"x\"}}",
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":7}",
	    "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}",
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}",
	    "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":7}",
	};
	struct jsonrpc m;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(read_it(bad[i], &m, &e), -1);
		assert_int_equal(e.code, ERROR_PROTOCOL);
	}
}

static void
an_id_that_would_be_sent_back_is_bounded(void **state)
{
	struct text t;
	struct jsonrpc m;
	struct error e;

	(void)state;
	text_init(&t, 1 << 20);
	text_add_str(&t, "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"id\":\"");
	for (int i = 0; i < 2000; i++)
		text_add_char(&t, 'x');
	text_add_str(&t, "\"}");
	assert_int_equal(read_it(t.p, &m, &e), -1);
	text_release(&t);
}

static void
what_is_written_can_be_read(void **state)
{
	struct json_writer w;
	struct jsonrpc m;
	struct error e;
	struct text t;

	(void)state;
	text_init(&t, 4096);
	jsonrpc_write_begin(&w, &t, 3, "tools/list");
	json_put_object(&w, "params");
	json_write_end(&w);
	json_write_end(&w);
	assert_int_equal(read_it(t.p, &m, &e), 0);
	assert_int_equal(m.kind, JSONRPC_REQUEST);
	text_clear(&t);
	jsonrpc_write_error(
	    &t, span_of("\"a\""), JSONRPC_METHOD_NOT_FOUND, "no \"such\"");
	assert_string_equal(t.p,
	    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32601,"
	    "\"message\":\"no \\\"such\\\"\"}}");
	text_release(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind_of_message_is_told_apart),
	    cmocka_unit_test(what_is_no_message_is_refused),
	    cmocka_unit_test(an_id_that_would_be_sent_back_is_bounded),
	    cmocka_unit_test(what_is_written_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
