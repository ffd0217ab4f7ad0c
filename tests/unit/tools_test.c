#include "tests/unit/tools_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"

struct tools_test tt;

struct sandbox *
tt_lend(void *owner)
{
	(void)owner;
	return tt.sb;
}

void
tt_open(struct loop *loop, struct sandbox *sb)
{
	struct tools_limits limits = {2, 200, 200};
	struct tool_host host = {.sandbox = tt_lend};
	struct error e;

	tt.loop = loop;
	tt.sb = sb;
	tt.answers = 0;
	arena_init(&tt.arena, 16 * MIB);
	text_init(&tt.answer, 16 * MIB);
	json_doc_init(&tt.doc);
	tt.tools = tools_new(loop, &limits, &e);
	assert_non_null(tt.tools);
	tt.set.n = 0;
	assert_int_equal(toolset_add(&tt.set, "exec_command", &e), 0);
	assert_int_equal(toolset_add(&tt.set, "shell", &e), 0);
	tt.box = toolbox_new(tt.tools, &tt.set, &host, &e);
	assert_non_null(tt.box);
}

void
tt_close(void)
{
	toolbox_free(tt.box);
	tools_free(tt.tools);
	json_doc_release(&tt.doc);
	text_release(&tt.answer);
	arena_release(&tt.arena);
}

static void
done(struct tool_call *call, struct span answer, void *owner)
{
	struct error e;

	(void)owner;
	text_clear(&tt.answer);
	text_add(&tt.answer, answer);
	tool_call_free(call);
	tt.answers++;
	assert_int_equal(
	    json_parse(&tt.doc, text_span(&tt.answer), JSON_UNIQUE, &e), 0);
	loop_break(tt.loop);
}

struct tool_call *
tt_begin(const char *json)
{
	int before = tt.answers;
	struct tool_call *call;
	struct item item;
	struct error e;

	arena_reset(&tt.arena, 0);
	assert_int_equal(item_parse(&item, span_of(json), &tt.arena, &e), 0);
	call = tool_call_start(tt.box, &item, done, NULL, &e);
	assert_non_null(call);
	assert_int_equal(tt.answers, before);
	return call;
}

struct span
tt_member(int object, const char *key)
{
	struct span s = {NULL, 0};

	(void)json_string(
	    &tt.doc, json_get(&tt.doc, object, key), &tt.arena, &s);
	return s;
}

const char *
tt_call(const char *name, const char *arguments)
{
	struct text item;
	struct span s;

	text_init(&item, 1 * MIB);
	text_printf(&item,
	    "{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c1\","
	    "\"name\":\"%s\",\"arguments\":\"",
	    name);
	for (; *arguments != '\0'; arguments++)
		text_printf(&item, strchr("\"\\", *arguments) ? "\\%c" : "%c",
		    *arguments);
	text_add_str(&item, "\"}");
	tt_begin(item.p);
	loop_run(tt.loop);
	text_release(&item);
	assert_true(span_is(tt_member(0, "type"), "function_call_output"));
	assert_true(span_is(tt_member(0, "call_id"), "c1"));
	s = tt_member(0, "output");
	return arena_strndup(&tt.arena, s.p, s.n);
}

const char *
tt_rest(const char *result)
{
	const char *line = strchr(result, '\n');

	assert_memory_equal(result, "Chunk ID: ", 10);
	assert_ptr_equal(line, result + 16);
	assert_memory_equal(line + 1, "Wall time: ", 11);
	return strchr(line + 1, '\n') + 1;
}

unsigned
tt_session(const char *result)
{
	const char *at = strstr(result, "session ID ");

	assert_non_null(at);
	return (unsigned)strtoul(at + 11, NULL, 10);
}
