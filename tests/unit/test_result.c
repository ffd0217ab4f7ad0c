/* The result line, as scripts read it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/list.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/result.h"
#include "net/json.h"
#include "sandbox/outputs.h"
#include "sandbox/sandbox.h"

static struct text out;
static struct json_doc doc;
static struct error e;

static struct result
a_result(enum run_state status)
{
	return (struct result){
	    .custom_id = span_of("r1"),
	    .run_id = "0123456789abcdef",
	    .status = status,
	    .output_text = span_of("fine"),
	    .agent = "test",
	    .agent_digest = "sha256:aa",
	    .task_digest = "sha256:bb",
	    .profile = "draft",
	    .profile_digest = "sha256:cc",
	    .attempts = 1,
	};
}

static void
write_it(const struct result *r)
{
	text_clear(&out);
	result_write(r, &out);
	assert_int_equal(
	    json_parse(&doc, text_span(&out), JSON_UNIQUE | JSON_UNICODE, &e),
	    0);
	assert_null(memchr(out.p, '\n', out.n));
}

static int
get(const char *path)
{
	char part[32];
	int v = 0;

	while (*path != '\0') {
		size_t n = strcspn(path, ".");

		memcpy(part, path, n);
		part[n] = '\0';
		v = json_get(&doc, v, part);
		path += n + (path[n] == '.');
	}
	return v;
}

static void
a_finished_run(void **state)
{
	struct result r = a_result(RUN_FINISHED);

	(void)state;
	r.usage.turns = 3;
	r.usage.input_tokens = 1000;
	r.usage.output_tokens = 24;
	r.usage.usd = 0.25;
	r.timing.finished_ms = 1700000000123;
	r.timing.wall_ms = 1500;
	write_it(&r);
	assert_true(json_is(&doc, get("custom_id"), "r1"));
	assert_true(json_is(&doc, get("run_id"), "0123456789abcdef"));
	assert_true(json_is(&doc, get("status"), "finished"));
	assert_true(json_is(&doc, get("response.output_text"), "fine"));
	assert_int_equal(json_type(&doc, get("error")), JSON_NULL);
	assert_int_equal(json_int_or(&doc, get("usage.turns"), 0), 3);
	assert_int_equal(json_int_or(&doc, get("usage.total_tokens"), 0), 1024);
	assert_true(span_is(json_raw(&doc, get("usage.usd")), "0.250000"));
	assert_true(json_is(
	    &doc, get("timing.finished_at"), "2023-11-14T22:13:20.123Z"));
	assert_int_equal(json_type(&doc, get("timing.started_at")), JSON_NULL);
	assert_true(
	    span_is(json_raw(&doc, get("timing.wall_seconds")), "1.500"));
	assert_int_equal(json_size(&doc, get("outputs")), 0);
	assert_int_equal(json_type(&doc, get("outputs")), JSON_ARRAY);
	assert_int_equal(json_type(&doc, get("evidence.sandbox")), JSON_NULL);
}

static void
a_failed_run_has_no_response(void **state)
{
	struct result r = a_result(RUN_FAILED);
	struct error why;

	(void)state;
	error_set(&why, ERROR_BAD_TASK, 0, "it says \"no\"\n");
	r.error = &why;
	r.line = 17;
	r.custom_id.p = NULL;
	write_it(&r);
	assert_int_equal(json_type(&doc, get("custom_id")), JSON_NULL);
	assert_int_equal(json_type(&doc, get("response")), JSON_NULL);
	assert_true(json_is(&doc, get("error.code"), "bad_task"));
	assert_int_equal(json_int_or(&doc, get("error.line"), 0), 17);
	why.code = ERROR_BUDGET_WALL;
	write_it(&r);
	assert_int_equal(get("error.line"), -1);
}

static void
hostile_text_stays_inside_its_string(void **state)
{
	struct result r = a_result(RUN_FINISHED);

	(void)state;
	r.custom_id = span_of("\"},{\n\x01\xff\xc0\x80");
	r.output_text = (struct span){"a\0b\xed\xa0\x80\x1b[2J", 10};
	write_it(&r);
	assert_int_equal(json_size(&doc, 0), 10);
}

static void
outputs_and_sandbox(void **state)
{
	struct result r = a_result(RUN_FINISHED);
	struct output_file file = {.path = "output/a.json", .bytes = 12};
	struct sandbox_facts facts = {.profile = "draft",
	    .digest = "sha256:dd",
	    .rootfs = "host",
	    .network = "none",
	    .cgroup = "v2",
	    .workspace = "plain",
	    .seccomp = 1,
	    .landlock = 4,
	    .user_namespace = 1};
	struct list files;
	int first;

	(void)state;
	hash_of(span_of(""), &file.digest);
	list_init(&files);
	list_append(&files, &file.link);
	r.outputs = &files;
	r.sandbox = &facts;
	write_it(&r);
	first = json_at(&doc, get("outputs"), 0);
	assert_true(
	    json_is(&doc, json_get(&doc, first, "path"), "output/a.json"));
	assert_int_equal(
	    json_int_or(&doc, json_get(&doc, first, "bytes"), 0), 12);
	assert_true(json_is(&doc, json_get(&doc, first, "sha256"),
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
	    "5"));
	assert_true(json_is(&doc, get("evidence.sandbox.cgroup"), "v2"));
}

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    cmocka_unit_test(a_finished_run),
	    cmocka_unit_test(a_failed_run_has_no_response),
	    cmocka_unit_test(hostile_text_stays_inside_its_string),
	    cmocka_unit_test(outputs_and_sandbox),
	};
	int status;

	if (pool_start(GIB, &e) == -1)
		return 1;
	text_init(&out, MIB);
	json_doc_init(&doc);
	status = cmocka_run_group_tests(cases, NULL, NULL);
	json_doc_release(&doc);
	text_release(&out);
	pool_stop();
	return status;
}
