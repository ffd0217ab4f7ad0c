#include "engine/mock/ask.h"

#include <inttypes.h>

#include "engine/base/error.h"
#include "net/item.h"
#include "net/json.h"

static enum item_kind
kind_of(const struct json_doc *d, int item)
{
	int type = json_get(d, item, "type");

	if (type == -1)
		return ITEM_MESSAGE;
	for (int kind = 0; kind < ITEM_OTHER; kind++)
		if (json_is(d, type, item_type((enum item_kind)kind)))
			return (enum item_kind)kind;
	return ITEM_OTHER;
}

/* A shell's streams and exit codes, as the plain text a model would read. */
static void
read_command(struct text *t, const struct json_doc *d, int result)
{
	int outcome = json_get(d, result, "outcome");
	int64_t code = json_int_or(d, json_get(d, outcome, "exit_code"), 0);
	size_t before = t->n;

	json_string_add(d, json_get(d, result, "stdout"), t);
	if (json_inner(d, json_get(d, result, "stderr")).n > 0) {
		text_add_str(t, t->n > before ? "\nstderr:\n" : "stderr:\n");
		json_string_add(d, json_get(d, result, "stderr"), t);
	}
	if (json_is(d, json_get(d, outcome, "type"), "timeout"))
		text_add_str(t, "\nstatus: timeout");
	else if (code != 0)
		text_printf(t, "\nexit code: %" PRId64, code);
}

static void
read_result(struct mock_ask *ask, const struct json_doc *d, int item)
{
	int output = json_get(d, item, "output");
	struct text *t = &ask->last_output;

	text_clear(t);
	mock_ask_add_content(t, d, output);
	if (json_type(d, output) != JSON_ARRAY)
		return;
	for (int o = json_first(d, output); o != -1;
	     o = json_next(d, output, o)) {
		if (json_get(d, o, "outcome") == -1)
			continue;
		if (t->n > 0)
			text_add_str(t, "\n\n");
		read_command(t, d, o);
	}
}

/* What the model said is one turn until somebody else says something. */
static void
read_items(struct mock_ask *ask, const struct json_doc *d, int input)
{
	int in_turn = 0, is_model;

	for (int i = json_first(d, input); i != -1;
	     i = json_next(d, input, i)) {
		enum item_kind kind = kind_of(d, i);

		is_model = item_part(kind) != ITEM_PART_ANSWER;
		if (kind == ITEM_MESSAGE)
			is_model =
			    json_is(d, json_get(d, i, "role"), "assistant");
		if (item_part(kind) == ITEM_PART_ANSWER)
			read_result(ask, d, i);
		if (kind == ITEM_MESSAGE &&
		    json_is(d, json_get(d, i, "role"), "user"))
			mock_ask_add_input(ask, d, json_get(d, i, "content"));
		if (is_model && !in_turn)
			ask->turn++;
		in_turn = is_model;
	}
}

int
mock_ask_responses(
    struct mock_ask *ask, const struct json_doc *d, struct error *e)
{
	int input = json_get(d, 0, "input"), list;

	if (json_type(d, input) == JSON_STRING)
		mock_ask_add_input(ask, d, input);
	else if (json_type(d, input) == JSON_ARRAY)
		read_items(ask, d, input);
	else if (input != -1)
		return error_set(e, ERROR_SYNTAX, 0,
		    "input must be a string or an array of items");
	list = json_get(d, 0, "tools");
	for (int t = json_first(d, list); t != -1; t = json_next(d, list, t)) {
		int type = json_get(d, t, "type");

		ask->has_shell |= json_is(d, type, "shell");
		ask->has_apply_patch |= json_is(d, type, "apply_patch");
	}
	list = json_get(d, 0, "include");
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v))
		ask->wants_encrypted |=
		    json_is(d, v, "reasoning.encrypted_content");
	return 0;
}
