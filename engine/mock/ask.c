#include "engine/mock/ask.h"

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "net/json.h"

/* The same request gets the same names, in every process. */
static const uint64_t fingerprint_key[2] = {
    0x6d6f636b20736b65u, 0x70206f6e65206f66u};

void
mock_ask_init(struct mock_ask *ask, enum mock_api api)
{
	*ask = (struct mock_ask){.api = api};
	arena_init(&ask->arena, 256 * MIB);
	text_init(&ask->input, LIMIT_TRANSCRIPT);
	text_init(&ask->last_output, LIMIT_TRANSCRIPT);
}

void
mock_ask_release(struct mock_ask *ask)
{
	arena_release(&ask->arena);
	text_release(&ask->input);
	text_release(&ask->last_output);
}

struct span
mock_ask_header(const struct mock_ask *ask, const char *name)
{
	return ask->fields.get(ask->fields.owner, name);
}

void
mock_ask_add_content(struct text *t, const struct json_doc *d, int v)
{
	if (json_type(d, v) == JSON_STRING)
		json_string_add(d, v, t);
	else if (json_type(d, v) == JSON_ARRAY)
		for (int p = json_first(d, v); p != -1; p = json_next(d, v, p))
			json_string_add(d, json_get(d, p, "text"), t);
}

void
mock_ask_add_input(struct mock_ask *ask, const struct json_doc *d, int v)
{
	if (ask->input.n > 0)
		text_add_char(&ask->input, '\n');
	mock_ask_add_content(&ask->input, d, v);
}

static int
read_dialect(struct mock_ask *ask, const struct json_doc *d, struct error *e)
{
	struct span model;

	if (json_type(d, 0) != JSON_OBJECT)
		return error_set(
		    e, ERROR_SYNTAX, 0, "the body must be a JSON object");
	if (json_string(d, json_get(d, 0, "model"), &ask->arena, &model) == -1)
		return error_set(
		    e, ERROR_SYNTAX, 0, "you must provide a model parameter");
	ask->model = arena_span(&ask->arena, model);
	ask->stream = json_bool_or(d, json_get(d, 0, "stream"), 0);
	switch (ask->api) {
	case MOCK_RESPONSES:
		return mock_ask_responses(ask, d, e);
	case MOCK_CHAT:
		return mock_ask_chat(ask, d, e);
	case MOCK_MESSAGES:
		return mock_ask_messages(ask, d, e);
	}
	return -1;
}

int
mock_ask_read(struct mock_ask *ask, struct span body,
    const struct mock_fields *fields, struct error *e)
{
	unsigned long long attempt = 0;
	struct json_doc d;
	int rc;

	ask->fields = *fields;
	ask->body_bytes = body.n;
	ask->fingerprint = map_hash_keyed(fingerprint_key, body);
	if (span_to_u64(mock_ask_header(ask, "x-stainless-retry-count"),
		INT64_MAX, &attempt) == 0)
		ask->attempt = (int64_t)attempt;
	json_doc_init(&d);
	rc = json_parse(&d, body, 0, e);
	if (rc == 0)
		rc = read_dialect(ask, &d, e);
	json_doc_release(&d);
	if (rc == 0 && (text_overflowed(&ask->input) ||
			   text_overflowed(&ask->last_output)))
		rc = error_set(e, ERROR_TOO_BIG, 0, "the request is too long");
	return rc;
}
