#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/pool.h"
#include "net/http1.h"
#include "net/item.h"
#include "net/provider.h"
#include "net/sse.h"

static struct arena arena;
static struct error err;
static struct text out;

static struct item
item_of(const char *json)
{
	struct item it;

	if (item_parse(&it, span_of(json), &arena, &err) == -1)
		fail_msg("%s: %s", json, err.text);
	return it;
}

static void
items_show_what_is_acted_upon(void **state)
{
	struct item it;

	(void)state;
	it = item_of("{\"type\":\"function_call\",\"id\":\"fc\",\"call_id\":"
		     "\"c\\u0031\",\"name\":\"f\",\"arguments\":"
		     "\"{\\\"a\\\":1}\",\"status\":\"completed\"}");
	assert_int_equal(it.kind, ITEM_FUNCTION_CALL);
	assert_true(span_is(it.call_id, "c1"));
	assert_true(span_is(it.id, "fc"));
	assert_true(span_is(it.name, "f"));
	assert_true(span_is(it.status, "completed"));
	text_clear(&out);
	item_add_payload(&it, &out);
	assert_string_equal(out.p, "{\"a\":1}");
	assert_int_equal(item_answer_kind(it.kind), ITEM_FUNCTION_CALL_OUTPUT);

	it = item_of("{\"type\":\"shell_call\",\"call_id\":\"c\",\"action\":"
		     "{\"commands\":[\"ls\"]}}");
	assert_int_equal(it.kind, ITEM_SHELL_CALL);
	assert_true(span_is(it.payload, "{\"commands\":[\"ls\"]}"));
	assert_int_equal(item_answer_kind(it.kind), ITEM_SHELL_CALL_OUTPUT);

	it = item_of("{\"type\":\"hologram\",\"call_id\":7}");
	assert_int_equal(it.kind, ITEM_OTHER);
	assert_true(span_is(it.type, "hologram"));
	assert_int_equal(it.call_id.n, 0);
	assert_int_equal(item_part(it.kind), ITEM_PART_OTHER);

	it = item_of("{\"role\":\"user\",\"content\":\"hi\"}");
	assert_int_equal(it.kind, ITEM_MESSAGE);
	text_clear(&out);
	assert_true(item_add_text(&it, &out));
	assert_string_equal(out.p, "hi");
}

static void
calls_that_cannot_be_answered_are_refused(void **state)
{
	static const char *const bad[] = {"[]", "{",
	    "{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"\"}",
	    "{\"type\":\"function_call\",\"call_id\":\"c\",\"arguments\":\"\"}",
	    "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\"}",
	    "{\"type\":\"shell_call\",\"call_id\":\"c\"}",
	    "{\"type\":\"apply_patch_call\",\"operation\":{}}"};
	struct item it;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    item_parse(&it, span_of(bad[i]), &arena, &err), -1);
}

static void
written_items_read_back(void **state)
{
	struct item it;
	struct text more;

	(void)state;
	text_init(&more, 4096);
	text_clear(&out);
	item_write_message(&out, "user", span_of("say \"hi\""));
	it = item_of(out.p);
	assert_true(span_is(it.role, "user"));
	assert_true(item_add_text(&it, &more));
	assert_string_equal(more.p, "say \"hi\"");
	text_clear(&out);
	item_write_function_output(&out, span_of("c1"), span_of("a\nb"));
	assert_string_equal(out.p,
	    "{\"type\":\"function_call_output\",\"call_id\":\"c1\","
	    "\"output\":\"a\\nb\"}");
	text_clear(&out);
	item_write_patch_output(&out, span_of("c2"), 0, span_of("no"));
	assert_string_equal(out.p,
	    "{\"type\":\"apply_patch_call_output\",\"call_id\":\"c2\","
	    "\"status\":\"failed\",\"output\":\"no\"}");
	text_release(&more);
}

/* --- requests --- */

static const struct span items[] = {
    {"{\"role\":\"user\",\"content\":\"a\"}", 29},
    {"{\"type\":\"hologram\",\"x\": 1}", 26},
};

static const struct tool_spec tools[] = {
    {.kind = TOOL_FUNCTION,
	.name = {"f", 1},
	.description = {"does \"f\"", 8},
	.parameters = {"{\"type\":\"object\"}", 17},
	.strict = 1},
    {.kind = TOOL_CUSTOM,
	.name = {"p", 1},
	.description = {"d", 1},
	.parameters = {"{\"type\":\"text\"}", 15}},
    {.kind = TOOL_SHELL,
	.name = {"shell", 5},
	.description = {"s", 1},
	.parameters = {"{\"type\":\"object\"}", 17}},
    {.kind = TOOL_APPLY_PATCH},
    {.kind = TOOL_RAW, .parameters = {"{\"type\":\"web_search\"}", 21}},
};

static struct model_request
request(void)
{
	return (struct model_request){.model = span_of("m"),
	    .instructions = span_of("be\nbrief"),
	    .items = items,
	    .nitems = 2,
	    .tools = tools,
	    .ntools = 5,
	    .cache_key = span_of("k"),
	    .stream = 1};
}

static const char *
body(const struct model_request *q)
{
	text_clear(&out);
	if (provider_responses.build(q, &out, &err) == -1)
		fail_msg("%s", err.text);
	return out.p;
}

static void
a_request_says_everything_once(void **state)
{
	struct model_request q = request();

	(void)state;
	assert_string_equal(body(&q),
	    "{\"model\":\"m\",\"instructions\":\"be\\nbrief\",\"tools\":["
	    "{\"type\":\"function\",\"name\":\"f\",\"description\":"
	    "\"does \\\"f\\\"\",\"parameters\":{\"type\":\"object\"},"
	    "\"strict\":true},"
	    "{\"type\":\"custom\",\"name\":\"p\",\"description\":\"d\","
	    "\"format\":{\"type\":\"text\"}},"
	    "{\"type\":\"shell\",\"environment\":{\"type\":\"local\"}},"
	    "{\"type\":\"apply_patch\"},{\"type\":\"web_search\"}],"
	    "\"store\":false,\"include\":[\"reasoning.encrypted_content\"],"
	    "\"prompt_cache_key\":\"k\",\"stream\":true,\"input\":["
	    "{\"role\":\"user\",\"content\":\"a\"},"
	    "{\"type\":\"hologram\",\"x\": 1}]}");
}

static void
a_long_cache_key_is_cut_to_what_the_api_takes(void **state)
{
	struct model_request q = request();
	char key[100] = "sha256:", want[100] = "\"prompt_cache_key\":\"";

	(void)state;
	memset(key + 7, 'a', 63);
	strcpy(key + 70, "b");
	memset(want + strlen(want), 'a', 63);
	strcat(want, "b\"");
	q.cache_key = span_of(key);
	assert_non_null(strstr(body(&q), want));
}

static void
settings_pass_through_but_not_over_ours(void **state)
{
	struct model_request q = request();
	static const char *const bad[] = {"{\"input\":[]}", "{\"model\":\"x\"}",
	    "{\"stream\":false}", "[]", "{", "{\"a\":1,}", "{\"a\":1,\"a\":2}"};

	(void)state;
	q.ntools = q.nitems = 0;
	q.instructions.n = 0;
	q.settings = span_of(
	    "{\"temperature\":0.5,\"reasoning\":{\"effort\":\"low\"},"
	    "\"include\":[\"x\"],\"max_output_tokens\":100,"
	    "\"text\":{\"verbosity\":\"low\"},\"prompt_cache_key\":\"mine\"}");
	q.max_output_tokens = 50;
	assert_string_equal(body(&q),
	    "{\"model\":\"m\",\"temperature\":0.5,\"reasoning\":"
	    "{\"effort\":\"low\"},\"text\":{\"verbosity\":\"low\"},"
	    "\"store\":false,\"include\":[\"x\","
	    "\"reasoning.encrypted_content\"],\"prompt_cache_key\":\"mine\","
	    "\"max_output_tokens\":50,\"stream\":true,\"input\":[]}");
	q.schema = span_of("{\"type\":\"object\"}");
	assert_non_null(strstr(body(&q),
	    "\"text\":{\"verbosity\":\"low\",\"format\":{\"type\":"
	    "\"json_schema\",\"name\":\"answer\",\"schema\":{\"type\":"
	    "\"object\"},\"strict\":true}}"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		q.settings = span_of(bad[i]);
		text_clear(&out);
		assert_int_equal(provider_responses.build(&q, &out, &err), -1);
	}
}

static void
a_longer_conversation_keeps_the_prefix(void **state)
{
	struct model_request q = request();
	char *first;
	size_t n;

	(void)state;
	q.nitems = 1;
	body(&q);
	n = out.n - 2; /* without "]}" */
	first = malloc(n);
	memcpy(first, out.p, n);
	q.nitems = 2;
	body(&q);
	assert_memory_equal(out.p, first, n);
	free(first);
}

static void
a_request_over_its_ceiling_is_an_error(void **state)
{
	struct model_request q = request();
	struct text small;

	(void)state;
	text_init(&small, 100);
	assert_int_equal(provider_responses.build(&q, &small, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_BIG);
	text_release(&small);
}

/* --- replies --- */

static int
whole(struct model_reply *r, const char *json)
{
	reply_init(r, &provider_responses, NULL);
	return reply_whole(r, span_of(json));
}

static void
plain_answers_are_read_too(void **state)
{
	struct model_reply r;

	(void)state;
	assert_int_equal(
	    whole(&r, "{\n \"id\": \"r1\",\n \"status\": \"completed\",\n"
		      " \"error\": null, \"output\": [ {\"type\":\"message\","
		      "\n\"role\":\"assistant\",\"content\":[]} ],\n"
		      " \"usage\": {\"input_tokens\": 3, \"output_tokens\": -4}"
		      "}"),
	    0);
	assert_int_equal(r.end, REPLY_DONE);
	assert_int_equal(r.items, 1);
	assert_null(memchr(reply_item(&r, 0).p, '\n', reply_item(&r, 0).n));
	assert_int_equal(r.usage.input_tokens, 3);
	assert_int_equal(r.usage.output_tokens, 0);
	reply_release(&r);

	assert_int_equal(whole(&r, "{\"status\":\"incomplete\",\"output\":[],"
				   "\"incomplete_details\":{\"reason\":"
				   "\"content_filter\"}}"),
	    -1);
	assert_int_equal(r.error.code, ERROR_MODEL_INCOMPLETE);
	reply_release(&r);

	assert_int_equal(whole(&r, "{\"error\":{\"message\":\"m\",\"type\":"
				   "\"server_error\",\"code\":null}}"),
	    -1);
	assert_int_equal(r.error.code, ERROR_MODEL_UNAVAILABLE);
	assert_string_equal(r.error.text, "server_error: m");
	reply_release(&r);

	assert_int_equal(whole(&r, "{\"output\":[{\"type\":\"message\"}]}"), 0);
	assert_int_equal(r.items, 1);
	reply_release(&r);

	assert_int_equal(whole(&r, "[]"), -1);
	assert_int_equal(r.error.code, ERROR_MODEL_PROTOCOL);
	reply_release(&r);
	assert_int_equal(whole(&r, "<html>"), -1);
	assert_int_equal(r.error.code, ERROR_MODEL_PROTOCOL);
	reply_release(&r);
}

static int
send(struct model_reply *r, const char *json)
{
	struct sse_event ev = {
	    .type = {"", 0}, .id = {"", 0}, .data = span_of(json)};

	return reply_event(r, &ev);
}

static void
ceilings_on_calls_and_arguments_hold(void **state)
{
	struct model_reply r;
	int i, verdict = 0;
	char *chunk = malloc(65536 + 128), call[256];

	(void)state;
	reply_init(&r, &provider_responses, NULL);
	for (i = 0; i < 1000 && verdict == 0; i++) {
		snprintf(call, sizeof(call),
		    "{\"type\":\"response.output_item.done\",\"item\":"
		    "{\"type\":\"function_call\",\"call_id\":\"c%d\","
		    "\"name\":\"f\",\"arguments\":\"{}\"}}",
		    i);
		verdict = send(&r, call);
	}
	assert_int_equal(i, LIMIT_TOOL_CALLS_PER_TURN + 1);
	assert_int_equal(r.error.code, ERROR_MODEL_PROTOCOL);
	reply_clear(&r);
	assert_int_equal(r.end, REPLY_OPEN);
	assert_int_equal(r.items, 0);

	strcpy(chunk, "{\"type\":\"response.function_call_arguments.delta\","
		      "\"delta\":\"");
	memset(chunk + strlen(chunk), 'x', 65536);
	strcpy(strchr(chunk, 'x') + 65536, "\"}");
	for (i = 0, verdict = 0; i < 1000 && verdict == 0; i++)
		verdict = send(&r, chunk);
	assert_int_equal(i, (int)(LIMIT_TOOL_ARGUMENTS / 65536) + 1);
	assert_int_equal(r.error.code, ERROR_MODEL_PROTOCOL);
	reply_release(&r);
	free(chunk);
}

static void
error_bodies_are_classified(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum error_code code;
		int is_final;
		const char *text;
	} cases[] = {
	    {429,
		"{\"error\":{\"message\":\"quota\",\"type\":"
		"\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
		ERROR_MODEL_RATE_LIMITED, 1, "status 429: quota"},
	    {429,
		"{\"error\":{\"message\":\"slow\",\"type\":\"requests\","
		"\"code\":\"rate_limit_exceeded\"}}",
		ERROR_MODEL_RATE_LIMITED, 0, "status 429: slow"},
	    {500, "{\"error\":\"boom\"}", ERROR_NONE, 0, "status 500: boom"},
	    {400, "{\"detail\":\"bad\\nfield\"}", ERROR_NONE, 0,
		"status 400: bad field"},
	    {502, "<html>\n<h1>Bad</h1>", ERROR_NONE, 0,
		"status 502: <html> <h1>Bad</h1>"},
	    {503, "", ERROR_NONE, 0, "status 503"},
	    {529,
		"{\"type\":\"error\",\"error\":{\"type\":"
		"\"overloaded_error\",\"message\":\"Overloaded\"}}",
		ERROR_MODEL_UNAVAILABLE, 0, "status 529: Overloaded"},
	};
	struct error e;
	int is_final;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		provider_read_error(
		    cases[i].status, span_of(cases[i].body), &e, &is_final);
		assert_int_equal(e.code, cases[i].code);
		assert_int_equal(is_final, cases[i].is_final);
		assert_string_equal(e.text, cases[i].text);
	}
}

static void
bodies_tell_what_is_too_long(void **state)
{
	static const struct {
		const char *body;
		int is;
	} cases[] = {
	    {"{\"error\":{\"code\":\"context_length_exceeded\"}}", 1},
	    {"{\"error\":{\"type\":\"exceed_context_size_error\"}}", 1},
	    {"{\"error\":{\"type\":\"invalid_request_error\",\"message\":"
	     "\"prompt is too long: 9 tokens > 8 maximum\"}}",
		1},
	    {"{\"object\":\"error\",\"message\":\"This model's maximum "
	     "context length is 9\",\"code\":400}",
		1},
	    {"{\"error\":\"the context window is full\"}", 1},
	    {"{\"error\":{\"code\":\"invalid_prompt\",\"message\":"
	     "\"too long a name\"}}",
		0},
	    {"maximum context length", 0},
	    {"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
		    provider_is_too_long(span_of(cases[i].body)), cases[i].is);
}

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	text_init(&out, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	text_release(&out);
	return pool_in_use() == 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(items_show_what_is_acted_upon),
	    cmocka_unit_test(calls_that_cannot_be_answered_are_refused),
	    cmocka_unit_test(written_items_read_back),
	    cmocka_unit_test(a_request_says_everything_once),
	    cmocka_unit_test(a_long_cache_key_is_cut_to_what_the_api_takes),
	    cmocka_unit_test(settings_pass_through_but_not_over_ours),
	    cmocka_unit_test(a_longer_conversation_keeps_the_prefix),
	    cmocka_unit_test(a_request_over_its_ceiling_is_an_error),
	    cmocka_unit_test(plain_answers_are_read_too),
	    cmocka_unit_test(ceilings_on_calls_and_arguments_hold),
	    cmocka_unit_test(bodies_tell_what_is_too_long),
	    cmocka_unit_test(error_bodies_are_classified),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
