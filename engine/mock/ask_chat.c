#include "engine/mock/ask.h"

#include "engine/base/error.h"
#include "net/json.h"

int
mock_ask_chat(struct mock_ask *ask, const struct json_doc *d, struct error *e)
{
	int list = json_get(d, 0, "messages"), role, content;

	if (json_type(d, list) != JSON_ARRAY)
		return error_set(
		    e, ERROR_SYNTAX, 0, "messages must be an array");
	for (int m = json_first(d, list); m != -1; m = json_next(d, list, m)) {
		role = json_get(d, m, "role");
		content = json_get(d, m, "content");
		if (json_is(d, role, "user"))
			mock_ask_add_input(ask, d, content);
		else if (json_is(d, role, "assistant"))
			ask->turn++;
		else if (json_is(d, role, "tool")) {
			text_clear(&ask->last_output);
			mock_ask_add_content(&ask->last_output, d, content);
		}
	}
	ask->wants_usage = json_bool_or(d,
	    json_get(d, json_get(d, 0, "stream_options"), "include_usage"), 0);
	return 0;
}
