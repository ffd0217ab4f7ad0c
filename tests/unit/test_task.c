/* Tasks: lines of a batch, good, bad and made for somebody else. */

#include "tests/unit/config_test.h"

#include "config/manifest.h"
#include "config/task.h"
#include "config/task_reader.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"

static struct task task;
static struct error error;

static int
read_span(struct span line)
{
	return task_read(&task, &arena, line, 7, "/srv/batch", &error);
}

static int
read(const char *line)
{
	return read_span(span_of(line));
}

static void
assert_bad(const char *line, const char *reason)
{
	assert_int_equal(read(line), -1);
	assert_int_equal(error.code, ERROR_BAD_TASK);
	if (strstr(error.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

static void
a_plain_line_is_read(void **state)
{
	(void)state;
	assert_int_equal(
	    read("{\"custom_id\":\"r\\u00e9\",\"input\":\"a\\nb\",\"class\":"
		 "\"delivery\",\"budget\":{\"turns\":3},\"variables\":{\"x\":"
		 "\"y\",\"n\":7},\"manifest\":{\"entries\":{\"f\":{\"type\":"
		 "\"local_file\",\"src\":\"r/${custom_id}\"}}}}"),
	    0);
	assert_int_equal(task.line, 7);
	assert_true(span_is(task.custom_id, "r\xc3\xa9"));
	assert_true(span_is(task.input, "a\nb"));
	assert_int_equal(task.items.n, 0);
	assert_int_equal(task.class, CLASS_DELIVERY);
	assert_int_equal(task.budget.turns, 3);
	assert_int_equal(task.variables.n, 2);
	assert_true(span_is(task.variables.at[1].value, "7"));
	assert_string_equal(task.manifest->entries[0].folder, "/srv/batch");
}

static void
a_batch_api_line_is_taken_unchanged(void **state)
{
	(void)state;
	assert_int_equal(
	    read("{\"custom_id\":\"1\",\"method\":\"POST\",\"url\":"
		 "\"/v1/responses\",\"body\":{\"model\":\"gpt-5\",\"input\":"
		 "\"Hi \\\"you\\\"\",\"temperature\":0.2}}"),
	    0);
	assert_true(span_is(task.input, "Hi \"you\""));
	assert_true(span_is(task.items,
	    "[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":"
	    "\"input_text\",\"text\":\"Hi \\\"you\\\"\"}]}]"));

	assert_int_equal(
	    read("{\"custom_id\":\"2\",\"method\":\"POST\",\"url\":"
		 "\"/v1/chat/completions\",\"body\":{\"model\":\"m\","
		 "\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
		 "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		 "\"A\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
		 "\"data:x\"}}]},{\"role\":\"assistant\",\"content\":null,"
		 "\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
		 "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
		 "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"o\"},"
		 "{\"role\":\"user\",\"content\":\"B\"}]}}"),
	    0);
	assert_true(span_is(task.input, "A\nB"));
	assert_true(span_is(task.items,
	    "[{\"type\":\"message\",\"role\":\"system\",\"content\":[{\"type\":"
	    "\"input_text\",\"text\":\"S\"}]},{\"type\":\"message\",\"role\":"
	    "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"A\"},"
	    "{\"type\":\"input_image\",\"image_url\":\"data:x\"}]},{\"type\":"
	    "\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":"
	    "\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c\","
	    "\"output\":\"o\"},{\"type\":\"message\",\"role\":\"user\","
	    "\"content\":[{\"type\":\"input_text\",\"text\":\"B\"}]}]"));

	assert_int_equal(
	    read("{\"custom_id\":\"3\",\"body\":{\"instructions\":\"I\","
		 "\"input\":[{\"role\":\"user\",\"content\":\"U\"},{\"type\":"
		 "\"reasoning\",\"encrypted\":1.0}]}}"),
	    0);
	assert_true(span_is(task.input, "U"));
	assert_true(span_has_suffix(task.items,
	    span_of("{\"role\":\"user\",\"content\":\"U\"},{\"type\":"
		    "\"reasoning\",\"encrypted\":1.0}]")));
}

static void
a_bad_line_says_what_is_wrong(void **state)
{
	(void)state;
	assert_bad("", "column 1");
	assert_bad("{\"custom_id\":\"a\",\"input\":\"b\"", "column 29");
	assert_bad("[]", "an object");
	assert_bad("{\"input\":\"x\"}", "\"custom_id\" is missing");
	assert_bad("{\"custom_id\":7,\"input\":\"x\"}", "custom_id: this is a");
	assert_bad(
	    "{\"custom_id\":\"\",\"input\":\"x\"}", "custom_id: it is e");
	assert_bad("{\"custom_id\":\"a\\u0000\",\"input\":\"x\"}", "NUL");
	assert_bad("{\"custom_id\":\"a\"}", "\"input\" is missing");
	assert_bad(
	    "{\"custom_id\":\"a\",\"input\":7}", "input: this is a numb");
	assert_bad("{\"custom_id\":\"a\",\"input\":\"x\",\"inptu\":1}",
	    "inptu: unknown key; did you mean 'input'?");
	assert_bad("{\"custom_id\":\"a\",\"input\":\"x\",\"class\":\"drfat\"}",
	    "did you mean 'draft'?");
	assert_bad("{\"custom_id\":\"a\",\"input\":\"x\",\"budget\":{\"turns\":"
		   "-1}}",
	    "budget.turns");
	assert_bad("{\"custom_id\":\"a\",\"input\":\"x\",\"variables\":{\"a\":"
		   "[]}}",
	    "variables.a");
	assert_bad("{\"custom_id\":\"a\",\"input\":\"\xff\"}", "UTF-8");
	assert_bad("{\"custom_id\":\"a\",\"custom_id\":\"b\",\"input\":\"\"}",
	    "twice");
	assert_bad("{\"custom_id\":\"a\",\"url\":\"/v1/embeddings\",\"body\":"
		   "{\"input\":\"x\"}}",
	    "/v1/embeddings is no model call");
	assert_bad("{\"custom_id\":\"a\",\"method\":\"GET\",\"body\":"
		   "{\"input\":\"x\"}}",
	    "POST");
	assert_bad(
	    "{\"custom_id\":\"a\",\"input\":\"x\",\"body\":{}}", "one of them");
	assert_bad("{\"custom_id\":\"a\",\"body\":{\"messages\":[{\"role\":"
		   "\"user\"}]}}",
	    "content");
	assert_bad("// no\n{\"custom_id\":\"a\",\"input\":\"x\"}", "column 1");
}

static void
a_task_cannot_grant_itself_anything(void **state)
{
	(void)state;
	assert_bad("{\"custom_id\":\"a\",\"input\":\"x\",\"manifest\":{"
		   "\"extra_path_grants\":[{\"path\":\"/etc\"}]}}",
	    "cannot grant itself");
	assert_bad("{\"custom_id\":\"a\",\"input\":\"x\",\"manifest\":{"
		   "\"entries\":{\"../x\":{\"type\":\"dir\"}}}}",
	    "manifest path must not escape root: ../x");
}

static void
what_can_be_known_of_a_bad_line_is_kept(void **state)
{
	struct digest empty = {{0}};

	(void)state;
	assert_bad("{\"custom_id\":\"a\",\"inptu\":1}", "inptu");
	assert_true(span_is(task.custom_id, "a"));
	assert_false(digest_eq(&task.digest, &empty));
	assert_bad("{\"custom_id\":\"b\",\"custom_id\":\"b\"}", "twice");
	assert_true(span_is(task.custom_id, "b"));
	assert_bad("{\"custom_id\":\"c\",", "column");
	assert_int_equal(task.custom_id.n, 0);
	assert_false(digest_eq(&task.digest, &empty));
}

static void
nul_bytes_and_deep_nesting_are_refused(void **state)
{
	struct text t;

	(void)state;
	assert_int_equal(
	    read_span((struct span){"{\"custom_id\":\"a\0\"}", 18}), -1);
	assert_non_null(strstr(error.text, "NUL"));
	text_init(&t, MIB);
	text_add_str(&t, "{\"custom_id\":\"a\",\"input\":");
	for (int i = 0; i < 100000; i++)
		text_add_char(&t, '[');
	assert_int_equal(read_span(text_span(&t)), -1);
	assert_int_equal(error.code, ERROR_BAD_TASK);
	text_release(&t);
}

/* --- lines --- */

/* Feed all in pieces of n bytes and write down what comes out. */
static void
cut(const char *bytes, size_t bytes_n, size_t n, struct text *out)
{
	struct task_reader r;
	struct span line = {NULL, 0};
	size_t at = 0;
	enum task_line what;

	task_reader_init(&r);
	while ((what = task_reader_next(&r, &line)) != TASK_END) {
		if (what == TASK_LINE)
			text_printf(out, "%d@%d:%.*s|", (int)r.number,
			    (int)r.offset, (int)line.n, line.p);
		else if (what == TASK_LONG)
			text_printf(out, "%d long|", (int)r.number);
		else if (at == bytes_n)
			task_reader_end(&r);
		else {
			size_t some = n < bytes_n - at ? n : bytes_n - at;

			task_reader_feed(&r, (struct span){bytes + at, some});
			at += some;
		}
	}
	task_reader_release(&r);
}

static void
lines_are_cut_the_same_however_they_arrive(void **state)
{
	static const char bytes[] = "\xef\xbb\xbf{1}\r\n\r\n  \n{2}\n\n{3}\r";
	struct text t;

	(void)state;
	text_init(&t, KIB);
	for (size_t n = 1; n < sizeof bytes; n++) {
		text_clear(&t);
		cut(bytes, sizeof bytes - 1, n, &t);
		assert_string_equal(t.p, "1@0:{1}|4@13:{2}|6@18:{3}|");
	}
	text_clear(&t);
	cut("", 0, 1, &t);
	cut("\n\r\n", 3, 1, &t);
	cut("\xef\xbb\xbf", 3, 1, &t);
	assert_int_equal(t.n, 0);
	text_release(&t);
}

static void
of_a_line_that_is_too_long_nothing_is_kept(void **state)
{
	static char block[64 * 1024];
	struct task_reader r;
	struct span line;
	size_t before = pool_in_use();

	(void)state;
	memset(block, 'x', sizeof block);
	task_reader_init(&r);
	task_reader_feed(&r, span_of("a\n"));
	assert_int_equal(task_reader_next(&r, &line), TASK_LINE);
	for (size_t n = 0; n < 200 * MIB; n += sizeof block) {
		assert_int_equal(task_reader_next(&r, &line), TASK_MORE);
		task_reader_feed(&r, (struct span){block, sizeof block});
		assert_true(pool_in_use() - before <= 64 * MIB);
	}
	assert_int_equal(task_reader_next(&r, &line), TASK_MORE);
	assert_int_equal(pool_in_use(), before);
	task_reader_feed(&r, span_of("y\nb\n"));
	assert_int_equal(task_reader_next(&r, &line), TASK_LONG);
	assert_int_equal(r.number, 2);
	assert_int_equal(task_reader_next(&r, &line), TASK_LINE);
	assert_true(span_is(line, "b"));
	assert_int_equal(r.number, 3);
	task_reader_release(&r);
}

static void
the_longest_line_is_still_a_line(void **state)
{
	struct task_reader r;
	struct text t;
	struct span line;

	(void)state;
	text_init(&t, 2 * LIMIT_TASK_LINE);
	for (size_t i = 0; i < LIMIT_TASK_LINE; i++)
		text_add_char(&t, 'x');
	for (int more = 0; more < 2; more++) {
		task_reader_init(&r);
		task_reader_feed(&r, text_span(&t));
		assert_int_equal(task_reader_next(&r, &line), TASK_MORE);
		task_reader_feed(&r, span_of("\r\n"));
		assert_int_equal(
		    task_reader_next(&r, &line), more ? TASK_LONG : TASK_LINE);
		task_reader_release(&r);
		text_add_char(&t, 'x');
	}
	text_release(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_plain_line_is_read),
	    CASE(a_batch_api_line_is_taken_unchanged),
	    CASE(a_bad_line_says_what_is_wrong),
	    CASE(a_task_cannot_grant_itself_anything),
	    CASE(what_can_be_known_of_a_bad_line_is_kept),
	    CASE(nul_bytes_and_deep_nesting_are_refused),
	    CASE(lines_are_cut_the_same_however_they_arrive),
	    CASE(of_a_line_that_is_too_long_nothing_is_kept),
	    CASE(the_longest_line_is_still_a_line),
	};

	return run(tests, sizeof tests / sizeof tests[0]);
}
