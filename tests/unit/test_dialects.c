#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "net/provider.h"
#include "net/sse.h"

/*
 * One conversation that holds every kind of item, as each of the dialects
 * other than its own writes it.
 */

static struct text out;
static struct error err;

#define ITEM(s)                  \
	{                        \
		s, sizeof(s) - 1 \
	}

static const struct span talk[] = {
    ITEM("{\"role\":\"user\",\"content\":\"one\"}"),
    ITEM("{\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[],"
	 "\"content\":[{\"type\":\"reasoning_text\",\"text\":\"hm\"}]}"),
    ITEM("{\"type\":\"message\",\"role\":\"assistant\",\"content\":["
	 "{\"type\":\"output_text\",\"text\":\"I \\\"look\\\"\"}]}"),
    ITEM("{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\","
	 "\"arguments\":\"{\\\"a\\\": 1}\"}"),
    ITEM("{\"type\":\"custom_tool_call\",\"call_id\":\"c2\",\"name\":\"p\","
	 "\"input\":\"x\\ny\"}"),
    ITEM("{\"type\":\"shell_call\",\"call_id\":\"c3\",\"action\":"
	 "{\"commands\":[\"ls\"]}}"),
    ITEM("{\"type\":\"apply_patch_call\",\"call_id\":\"c4\",\"operation\":"
	 "{\"type\":\"delete_file\",\"path\":\"a\"}}"),
    ITEM("{\"type\":\"function_call\",\"call_id\":\"c5\",\"name\":\"g\","
	 "\"arguments\":\"not json\"}"),
    ITEM("{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":"
	 "\"out\\n\"}"),
    ITEM("{\"type\":\"custom_tool_call_output\",\"call_id\":\"c2\","
	 "\"output\":\"Done!\"}"),
    ITEM("{\"type\":\"shell_call_output\",\"call_id\":\"c3\",\"output\":["
	 "{\"stdout\":\"a\\n\\n\",\"stderr\":\"b\\n\",\"outcome\":{\"type\":"
	 "\"exit\",\"exit_code\":2}},{\"stdout\":\"\",\"stderr\":\"\","
	 "\"outcome\":{\"type\":\"timeout\"}},{\"stdout\":\"\",\"stderr\":"
	 "\"\",\"outcome\":{\"type\":\"exit\",\"exit_code\":0}}]}"),
    ITEM("{\"type\":\"apply_patch_call_output\",\"call_id\":\"c4\","
	 "\"status\":\"failed\",\"output\":\"no\"}"),
    ITEM("{\"type\":\"function_call_output\",\"call_id\":\"c5\",\"output\":["
	 "{\"type\":\"input_text\",\"text\":\"see\"},{\"type\":"
	 "\"input_image\",\"image_url\":\"data:image/png;base64,AAAA\"}]}"),
    ITEM("{\"type\":\"message\",\"role\":\"developer\",\"content\":["
	 "{\"type\":\"input_text\",\"text\":\"rule\"}]}"),
    ITEM("{\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
	 "\"text\":\"two\"},{\"type\":\"input_image\",\"image_url\":"
	 "\"https://h/x.png\",\"detail\":\"low\"}]}"),
};

static const struct tool_spec tools[] = {
    {.kind = TOOL_FUNCTION,
	.name = {"f", 1},
	.description = {"d", 1},
	.parameters = {"{\"type\":\"object\"}", 17}},
    {.kind = TOOL_CUSTOM, .name = {"p", 1}, .description = {"e", 1}},
    {.kind = TOOL_SHELL, .description = {"s", 1}},
};

static struct model_request
request(void)
{
	return (struct model_request){.model = span_of("m"),
	    .instructions = span_of("be brief"),
	    .items = talk,
	    .nitems = sizeof(talk) / sizeof(*talk),
	    .tools = tools,
	    .ntools = 3,
	    .settings = span_of("{\"temperature\":0}"),
	    .cache_key = span_of("k"),
	    .stream = 1};
}

static const char *
body(const struct provider_ops *ops, const struct model_request *q)
{
	struct json_doc d;

	text_clear(&out);
	if (ops->build(q, &out, &err) == -1)
		fail_msg("%s", err.text);
	json_doc_init(&d);
	assert_int_equal(json_parse(&d, text_span(&out), JSON_UNIQUE, &err), 0);
	json_doc_release(&d);
	return out.p;
}

#define INPUT                                                             \
	"{\"type\":\"object\",\"properties\":{\"input\":{\"type\":"       \
	"\"string\"}},\"required\":[\"input\"],\"additionalProperties\":" \
	"false}"
#define SHELL                                                                 \
	"{\"type\":\"object\",\"properties\":{\"commands\":{\"type\":"        \
	"\"array\",\"items\":{\"type\":\"string\"}},\"timeout_ms\":"          \
	"{\"type\":\"integer\"},\"max_output_length\":{\"type\":"             \
	"\"integer\"}},\"required\":[\"commands\"],\"additionalProperties\":" \
	"false}"
#define SHELL_TEXT                                                     \
	"a\\n\\nstderr:\\nb\\nexit code: 2\\n\\nstatus: timeout\\n\\n" \
	"(no output)"

static void
a_conversation_becomes_chat_messages(void **state)
{
	struct model_request q = request();

	(void)state;
	assert_string_equal(body(&provider_chat, &q),
	    "{\"model\":\"m\",\"tools\":["
	    "{\"type\":\"function\",\"function\":{\"name\":\"f\","
	    "\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}},"
	    "{\"type\":\"function\",\"function\":{\"name\":\"p\","
	    "\"description\":\"e\",\"parameters\":" INPUT "}},"
	    "{\"type\":\"function\",\"function\":{\"name\":\"shell\","
	    "\"description\":\"s\",\"parameters\":" SHELL "}}],"
	    "\"temperature\":0,\"stream\":true,\"stream_options\":"
	    "{\"include_usage\":true},\"messages\":["
	    "{\"role\":\"system\",\"content\":\"be brief\"},"
	    "{\"role\":\"user\",\"content\":\"one\"},"
	    "{\"role\":\"assistant\",\"content\":\"I \\\"look\\\"\","
	    "\"reasoning_content\":\"hm\",\"tool_calls\":["
	    "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	    "\"arguments\":\"{\\\"a\\\": 1}\"}},"
	    "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"p\","
	    "\"arguments\":\"{\\\"input\\\":\\\"x\\\\ny\\\"}\"}},"
	    "{\"id\":\"c3\",\"type\":\"function\",\"function\":{\"name\":"
	    "\"shell\",\"arguments\":\"{\\\"commands\\\":[\\\"ls\\\"]}\"}},"
	    "{\"id\":\"c4\",\"type\":\"function\",\"function\":{\"name\":"
	    "\"apply_patch\",\"arguments\":\"{\\\"input\\\":\\\"{\\\\\\\"type"
	    "\\\\\\\":\\\\\\\"delete_file\\\\\\\",\\\\\\\"path\\\\\\\":\\\\\\\""
	    "a\\\\\\\"}\\\"}\"}},"
	    "{\"id\":\"c5\",\"type\":\"function\",\"function\":{\"name\":\"g\","
	    "\"arguments\":\"{\\\"input\\\":\\\"not json\\\"}\"}}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"out\\n\"},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"Done!\"},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c3\",\"content\":\"" SHELL_TEXT
	    "\"},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c4\",\"content\":\"no\"},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c5\",\"content\":"
	    "\"see\\n(see the next message)\"},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
	    "\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]},"
	    "{\"role\":\"system\",\"content\":\"rule\"},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"two\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	    "\"https://h/x.png\",\"detail\":\"low\"}}]}]}");
}

static void
a_conversation_becomes_messages_of_blocks(void **state)
{
	struct model_request q = request();

	(void)state;
	assert_string_equal(body(&provider_messages, &q),
	    "{\"model\":\"m\",\"tools\":["
	    "{\"name\":\"f\",\"description\":\"d\",\"input_schema\":"
	    "{\"type\":\"object\"}},"
	    "{\"name\":\"p\",\"description\":\"e\",\"input_schema\":" INPUT "},"
	    "{\"name\":\"shell\",\"description\":\"s\",\"input_schema\":" SHELL
	    "}],"
	    "\"system\":[{\"type\":\"text\",\"text\":\"be brief\","
	    "\"cache_control\":{\"type\":\"ephemeral\"}}],"
	    "\"temperature\":0,\"max_tokens\":8192,\"stream\":true,"
	    "\"messages\":["
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"one\"}]},"
	    "{\"role\":\"assistant\",\"content\":["
	    "{\"type\":\"text\",\"text\":\"I \\\"look\\\"\"},"
	    "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":"
	    "{\"a\": 1}},"
	    "{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"p\",\"input\":"
	    "{\"input\":\"x\\ny\"}},"
	    "{\"type\":\"tool_use\",\"id\":\"c3\",\"name\":\"shell\","
	    "\"input\":{\"commands\":[\"ls\"]}},"
	    "{\"type\":\"tool_use\",\"id\":\"c4\",\"name\":\"apply_patch\","
	    "\"input\":{\"input\":\"{\\\"type\\\":\\\"delete_file\\\","
	    "\\\"path\\\":\\\"a\\\"}\"}},"
	    "{\"type\":\"tool_use\",\"id\":\"c5\",\"name\":\"g\",\"input\":"
	    "{\"input\":\"not json\"}}]},"
	    "{\"role\":\"user\",\"content\":["
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":"
	    "\"out\\n\"},"
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"c2\",\"content\":"
	    "\"Done!\"},"
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"c3\",\"content\":\"" SHELL_TEXT
	    "\"},"
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"c4\",\"content\":"
	    "\"no\",\"is_error\":true},"
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"c5\",\"content\":["
	    "{\"type\":\"text\",\"text\":\"see\"},{\"type\":\"image\","
	    "\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","
	    "\"data\":\"AAAA\"}}]},"
	    "{\"type\":\"text\",\"text\":\"rule\"},"
	    "{\"type\":\"text\",\"text\":\"two\"},{\"type\":\"image\","
	    "\"source\":{\"type\":\"url\",\"url\":\"https://h/x.png\"},"
	    "\"cache_control\":{\"type\":\"ephemeral\"}}]}]}");
}

static void
signed_reasoning_goes_back_to_those_who_signed_it(void **state)
{
	static const struct span items[] = {
	    ITEM("{\"role\":\"user\",\"content\":\"x\"}"),
	    ITEM("{\"type\":\"reasoning\",\"summary\":[],\"content\":["
		 "{\"type\":\"reasoning_text\",\"text\":\"hm\"}],"
		 "\"encrypted_content\":\"Eq==\"}"),
	    ITEM("{\"type\":\"reasoning\",\"summary\":[],\"content\":[],"
		 "\"encrypted_content\":\"Zz==\"}"),
	    ITEM("{\"type\":\"messages_content\",\"block\":{\"type\":"
		 "\"hologram\"}}"),
	    ITEM("{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":"
		 "\"f\",\"arguments\":\"{}\"}"),
	};
	struct model_request q = request();

	(void)state;
	q.items = items;
	q.nitems = 5;
	assert_non_null(strstr(body(&provider_messages, &q),
	    "[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":"
	    "\"Eq==\"},{\"type\":\"redacted_thinking\",\"data\":\"Zz==\"},"
	    "{\"type\":\"hologram\"},{\"type\":\"tool_use\","));
	assert_null(strstr(body(&provider_chat, &q), "Eq=="));
	assert_null(strstr(body(&provider_chat, &q), "hologram"));
}

static void
a_structured_answer_is_asked_for_in_each_dialect(void **state)
{
	struct model_request q = request();

	(void)state;
	q.nitems = 1;
	q.schema = span_of("{\"type\":\"object\"}");
	q.schema_name = span_of("out");
	q.settings = span_of("{\"max_tokens\":100}");
	q.max_output_tokens = 50;
	assert_non_null(strstr(body(&provider_chat, &q),
	    "\"max_tokens\":50,\"response_format\":{\"type\":\"json_schema\","
	    "\"json_schema\":{\"name\":\"out\",\"schema\":{\"type\":"
	    "\"object\"},\"strict\":true}}"));
	assert_non_null(strstr(body(&provider_messages, &q),
	    "{\"name\":\"final_answer\",\"description\":\"Give the final "
	    "answer; ends the task.\",\"input_schema\":{\"type\":\"object\"}}"
	    "],\"tool_choice\":{\"type\":\"any\"}"));
	assert_non_null(strstr(out.p, "\"max_tokens\":50"));
}

static void
said(void *owner, struct span s)
{
	text_add(owner, s);
}

static void
plain_answers_of_chat_are_read(void **state)
{
	struct model_reply r;

	(void)state;
	reply_init(&r, &provider_chat, NULL);
	assert_int_equal(
	    reply_whole(&r,
		span_of("{\n\"id\":\"x\",\"model\":\"m\",\"choices\":[{"
			"\"index\":0,\"message\":{\"role\":\"assistant\","
			"\"content\":\"hi\",\"tool_calls\":[{\"id\":\"a\","
			"\"type\":\"function\",\"function\":{\"name\":\"f\","
			"\"arguments\":\"{}\"}}]},\"finish_reason\":"
			"\"tool_calls\"}],\"usage\":{\"prompt_tokens\":3,"
			"\"prompt_cache_hit_tokens\":2,\"completion_tokens\":"
			"1}}")),
	    0);
	assert_int_equal(r.end, REPLY_DONE);
	assert_int_equal(r.items, 2);
	assert_int_equal(r.calls, 1);
	assert_int_equal(r.usage.cached_tokens, 2);
	reply_clear(&r);
	assert_int_equal(reply_whole(&r, span_of("{\"choices\":[]}")), -1);
	assert_int_equal(r.error.code, ERROR_MODEL_PROTOCOL);
	reply_clear(&r);
	assert_int_equal(
	    reply_whole(&r, span_of("{\"error\":\"model not loaded\"}")), -1);
	assert_string_equal(r.error.text, "error: model not loaded");
	reply_release(&r);
}

static void
plain_answers_of_messages_are_read(void **state)
{
	struct text text, thought;
	struct reply_watch watch = {.text = said, .owner = &text};
	struct model_reply r;

	(void)state;
	text_init(&text, 1000);
	text_init(&thought, 1000);
	reply_init(&r, &provider_messages, &watch);
	assert_int_equal(
	    reply_whole(
		&r, span_of("{\"id\":\"x\",\"model\":\"m\",\"content\":["
			    "{\"type\":\"thinking\",\"thinking\":\"h\\n\","
			    "\"signature\":\"s\"},{\"type\":\"text\",\"text\":"
			    "\"hi\\n\"},{\"type\":\"tool_use\",\"id\":\"t\","
			    "\"name\":\"f\",\"input\":{\"a\":\"\\\"\"}}],"
			    "\"stop_reason\":\"tool_use\",\"usage\":"
			    "{\"input_tokens\":1,\"output_tokens\":2}}")),
	    0);
	assert_string_equal(text.p, "hi\n");
	assert_int_equal(r.items, 3);
	assert_true(span_is(reply_item(&r, 2),
	    "{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":"
	    "\"f\",\"arguments\":\"{\\\"a\\\":\\\"\\\\\\\"\\\"}\","
	    "\"status\":\"completed\"}"));
	reply_clear(&r);
	assert_int_equal(
	    reply_whole(&r, span_of("{\"type\":\"message\"}")), -1);
	reply_clear(&r);
	assert_int_equal(
	    reply_whole(&r,
		span_of("{\"content\":[{\"type\":\"tool_use\",\"id\":7}]}")),
	    -1);
	assert_int_equal(r.error.code, ERROR_MODEL_PROTOCOL);
	reply_clear(&r);
	assert_int_equal(
	    reply_whole(
		&r, span_of("{\"content\":[{\"type\":\"text\",\"text\":\"x\"}],"
			    "\"stop_reason\":\"max_tokens\"}")),
	    -1);
	assert_int_equal(r.end, REPLY_INCOMPLETE);
	reply_release(&r);
	text_release(&text);
	text_release(&thought);
}

/* 100,000 pieces of one call's arguments, a megabyte in all. */
static void
arguments_in_many_pieces_are_joined(void **state)
{
	struct sse_event ev = {.type = {"", 0}, .id = {"", 0}};
	struct model_reply r;

	(void)state;
	reply_init(&r, &provider_chat, NULL);
	ev.data = span_of("{\"id\":\"x\",\"model\":\"m\",\"choices\":[{"
			  "\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":"
			  "\"c\",\"function\":{\"name\":\"f\",\"arguments\":"
			  "\"\"}}]}}]}");
	assert_int_equal(reply_event(&r, &ev), 0);
	ev.data = span_of("{\"choices\":[{\"delta\":{\"tool_calls\":[{"
			  "\"index\":0,\"function\":{\"arguments\":"
			  "\"0123456789\"}}]}}]}");
	for (int i = 0; i < 100000; i++)
		assert_int_equal(reply_event(&r, &ev), 0);
	ev.data = span_of("{\"choices\":[{\"delta\":{},\"finish_reason\":"
			  "\"tool_calls\"}]}");
	assert_int_equal(reply_event(&r, &ev), 0);
	ev.data = span_of("[DONE]");
	assert_int_equal(reply_event(&r, &ev), 0);
	assert_int_equal(r.items, 1);
	assert_true(reply_item(&r, 0).n > 1000000);
	reply_clear(&r);

	/* And more of them than any tool takes. */
	ev.data = span_of("{\"choices\":[{\"delta\":{\"tool_calls\":[{"
			  "\"index\":0,\"function\":{\"arguments\":"
			  "\"0123456789\"}}]}}]}");
	for (int i = 0; i < 500000 && r.end == REPLY_OPEN; i++)
		reply_event(&r, &ev);
	assert_int_equal(r.error.code, ERROR_MODEL_PROTOCOL);
	reply_release(&r);
}

static void
an_item_that_is_no_item_is_named(void **state)
{
	static const struct span items[] = {
	    ITEM("{\"role\":\"user\"}"), ITEM("[]")};
	struct model_request q = request();

	(void)state;
	q.items = items;
	q.nitems = 2;
	text_clear(&out);
	assert_int_equal(provider_chat.build(&q, &out, &err), -1);
	assert_non_null(strstr(err.text, "item 1"));
	text_clear(&out);
	assert_int_equal(provider_messages.build(&q, &out, &err), -1);
}

static void
providers_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(
	    provider_find(span_of("responses")), &provider_responses);
	assert_ptr_equal(provider_find(span_of("chat")), &provider_chat);
	assert_ptr_equal(
	    provider_find(span_of("messages")), &provider_messages);
	assert_null(provider_find(span_of("Responses")));
}

static int
setup(void **state)
{
	(void)state;
	text_init(&out, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	text_release(&out);
	return pool_in_use() == 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_conversation_becomes_chat_messages),
	    cmocka_unit_test(a_conversation_becomes_messages_of_blocks),
	    cmocka_unit_test(signed_reasoning_goes_back_to_those_who_signed_it),
	    cmocka_unit_test(a_structured_answer_is_asked_for_in_each_dialect),
	    cmocka_unit_test(plain_answers_of_chat_are_read),
	    cmocka_unit_test(plain_answers_of_messages_are_read),
	    cmocka_unit_test(arguments_in_many_pieces_are_joined),
	    cmocka_unit_test(an_item_that_is_no_item_is_named),
	    cmocka_unit_test(providers_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
