/*
 * Requests to the scripted model server: whatever it accepts it answers with
 * JSON and events that can be read, in every dialect.
 */

#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/mock/ask.h"
#include "engine/mock/rule.h"
#include "engine/mock/say.h"
#include "net/json.h"
#include "net/sse.h"
#include "tests/fuzz/fuzz.h"

static const struct mock_reply replies[] = {
    {.kind = MOCK_REASONING, .text = {"${turn} ${none}", 15}},
    {.kind = MOCK_TEXT, .text = {"<${input}|${last_output}", 24}},
    {.kind = MOCK_REFUSAL, .text = {"$${input}${", 11}},
    {.kind = MOCK_TOOL,
	.tool = "shell",
	.arguments = {"{\"commands\":[\"${input}\"]}", 25}},
    {.kind = MOCK_TOOL, .tool = "edit", .input = {"${last_output}", 14}},
    {.kind = MOCK_ITEM, .item = {"{\"type\":\"x\",\"y\":\"${input}\"}", 27}},
};

static const struct mock_rule rule = {
    .when = {.turn = -1, .attempt = -1},
    .reply = replies,
    .reply_n = sizeof replies / sizeof replies[0],
    .timing = {.chunk_ms = 1, .chunk_chars = 3},
    .fault = {.after_bytes = -1},
};

static const struct mock_script script = {.rules = &rule, .rules_n = 1};

static struct span
no_field(const void *owner, const char *name)
{
	(void)owner;
	(void)name;
	return (struct span){NULL, 0};
}

static void
check_json(struct span s)
{
	struct json_doc d;
	struct error e;

	json_doc_init(&d);
	CHECK(json_parse(&d, s, JSON_UNIQUE, &e) == 0);
	json_doc_release(&d);
}

static void
check_events(struct span stream)
{
	struct sse_event ev;
	struct error e;
	struct sse s;
	int events = 0;

	sse_init(&s, LIMIT_SSE_LINE, LIMIT_SSE_EVENT);
	while (sse_next(&s, &stream, &ev, &e) == SSE_EVENT) {
		events++;
		if (!span_is(ev.data, "[DONE]"))
			check_json(ev.data);
	}
	CHECK(stream.n == 0);
	CHECK(events > 2);
	sse_release(&s);
}

static void
answer(struct mock_ask *ask)
{
	struct mock_parts parts;
	struct text body, pauses;
	struct mock_say say = {
	    .ask = ask, .parts = &parts, .body = &body, .pauses = &pauses};
	struct error e;

	CHECK(mock_rule_find(&script, ask) == &rule);
	CHECK(mock_rule_fill(&rule, ask, &parts, &e) == 0);
	text_init(&body, 256 * MIB);
	text_init(&pauses, 256 * MIB);
	if (ask->api == MOCK_RESPONSES)
		mock_say_responses(&say);
	else if (ask->api == MOCK_CHAT)
		mock_say_chat(&say);
	else
		mock_say_messages(&say);
	CHECK(!text_overflowed(&body));
	if (ask->stream)
		check_events(text_span(&body));
	else
		check_json(text_span(&body));
	text_release(&body);
	text_release(&pauses);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct mock_fields fields = {no_field, NULL};
	struct mock_ask ask;
	struct error e;

	fuzz_start();
	if (n < 1 || n > 20000)
		return 0;
	mock_ask_init(&ask, (enum mock_api)(p[0] % 3));
	if (mock_ask_read(&ask, (struct span){(const char *)p + 1, n - 1},
		&fields, &e) == 0)
		answer(&ask);
	mock_ask_release(&ask);
	return 0;
}
