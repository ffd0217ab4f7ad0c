#include "engine/mock/ask.h"

#include "engine/base/error.h"
#include "net/json.h"

/* A user's message holds tool results beside, or instead of, words. */
static void
read_user(struct mock_ask *ask, const struct json_doc *d, int content)
{
	int has_words = json_type(d, content) == JSON_STRING;

	for (int b = json_first(d, content); b != -1 && !has_words;
	     b = json_next(d, content, b))
		has_words = json_is(d, json_get(d, b, "type"), "text");
	if (has_words)
		mock_ask_add_input(ask, d, content);
	if (json_type(d, content) != JSON_ARRAY)
		return;
	for (int b = json_first(d, content); b != -1;
	     b = json_next(d, content, b)) {
		if (!json_is(d, json_get(d, b, "type"), "tool_result"))
			continue;
		text_clear(&ask->last_output);
		mock_ask_add_content(
		    &ask->last_output, d, json_get(d, b, "content"));
	}
}

int
mock_ask_messages(
    struct mock_ask *ask, const struct json_doc *d, struct error *e)
{
	int list = json_get(d, 0, "messages"), role;

	if (json_type(d, list) != JSON_ARRAY)
		return error_set(
		    e, ERROR_SYNTAX, 0, "messages must be an array");
	for (int m = json_first(d, list); m != -1; m = json_next(d, list, m)) {
		role = json_get(d, m, "role");
		if (json_is(d, role, "user"))
			read_user(ask, d, json_get(d, m, "content"));
		else if (json_is(d, role, "assistant"))
			ask->turn++;
	}
	return 0;
}
