/*
 * What a server asks of us.  A run has no person behind it, so questions for
 * one (elicitation) are declined, or answered with the defaults that the
 * question itself names when the agent file says so.  Models and folders of
 * ours are not lent to servers.
 */

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "tools/mcp_private.h"

#define REQUESTS_MAX 32 /* of one result */

void
mcp_write_capabilities(const struct mcp_spec *spec, struct json_writer *w)
{
	if (spec->elicitation != MCP_DEFAULTS)
		return;
	json_put_object(w, "elicitation");
	json_put_object(w, "form");
	json_write_end(w);
	json_write_end(w);
}

static int
is_required(const struct json_doc *d, int schema, int key)
{
	int list = json_get(d, schema, "required");
	struct span name = json_inner(d, key);

	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v))
		if (span_eq(json_inner(d, v), name))
			return 1;
	return 0;
}

/* Can the question be answered by its defaults alone? */
static int
has_defaults(const struct json_doc *d, int schema)
{
	int all = json_get(d, schema, "properties");

	for (int key = json_first(d, all); key != -1;
	     key = json_next(d, all, key))
		if (is_required(d, schema, key) &&
		    json_get(d, json_value(d, key), "default") == -1)
			return 0;
	return 1;
}

static void
write_defaults(const struct json_doc *d, int schema, struct json_writer *w)
{
	int all = json_get(d, schema, "properties");

	json_put_object(w, "content");
	for (int key = json_first(d, all); key != -1;
	     key = json_next(d, all, key)) {
		int value = json_get(d, json_value(d, key), "default");
		struct text name;

		if (value == -1)
			continue;
		text_init(&name, LIMIT_URL);
		json_string_add(d, key, &name);
		json_write_key_span(w, text_span(&name));
		json_write_raw(w, json_raw(d, value));
		text_release(&name);
	}
	json_write_end(w);
}

/* The result of elicitation/create, as one value. */
static void
write_elicited(const struct mcp_spec *spec, const struct json_doc *d,
    int params, struct json_writer *w)
{
	int schema = json_get(d, params, "requestedSchema");
	int mode = json_get(d, params, "mode");

	json_write_object(w);
	if (spec->elicitation == MCP_DEFAULTS &&
	    (mode == -1 || json_is(d, mode, "form")) &&
	    has_defaults(d, schema)) {
		json_put_str(w, "action", "accept");
		write_defaults(d, schema, w);
	} else
		json_put_str(w, "action", "decline");
	json_write_end(w);
}

void
mcp_answer_request(const struct mcp_spec *spec, const struct json_doc *d,
    const struct jsonrpc *m, struct text *out)
{
	struct json_writer w;

	if (span_is(m->method, "ping")) {
		jsonrpc_write_answer(&w, out, m->id);
		json_put_object(&w, "result");
		json_write_end(&w);
		json_write_end(&w);
	} else if (span_is(m->method, "elicitation/create") &&
		   spec->elicitation == MCP_DEFAULTS) {
		jsonrpc_write_answer(&w, out, m->id);
		json_write_key(&w, "result");
		write_elicited(spec, d, m->params, &w);
		json_write_end(&w);
	} else
		jsonrpc_write_error(out, m->id, JSONRPC_METHOD_NOT_FOUND,
		    "this client offers no such thing");
}

static int
answer_one(const struct mcp_spec *spec, const struct json_doc *d, int key,
    struct json_writer *w, struct error *e)
{
	int request = json_value(d, key);
	int method = json_get(d, request, "method");
	struct span name = json_inner(d, method);
	struct text t;

	if (!json_is(d, method, "elicitation/create"))
		return error_set(e, ERROR_PROTOCOL, 0,
		    "the server asks for %.*s, which skep does not lend it",
		    name.n < 60 ? (int)name.n : 60, name.n > 0 ? name.p : "");
	text_init(&t, LIMIT_URL);
	json_string_add(d, key, &t);
	json_write_key_span(w, text_span(&t));
	text_release(&t);
	write_elicited(spec, d, json_get(d, request, "params"), w);
	return 0;
}

int
mcp_answer_inputs(const struct mcp_spec *spec, const struct json_doc *d,
    int result, struct text *out, struct error *e)
{
	int all = json_get(d, result, "inputRequests");
	struct json_writer w;

	if (json_size(d, all) > REQUESTS_MAX)
		return error_set(e, ERROR_PROTOCOL, 0,
		    "the server asks for more than %d inputs at once",
		    REQUESTS_MAX);
	json_write_init(&w, out);
	json_write_object(&w);
	for (int key = json_first(d, all); key != -1;
	     key = json_next(d, all, key))
		if (answer_one(spec, d, key, &w, e) == -1)
			return -1;
	json_write_end(&w);
	if (text_overflowed(out))
		return error_set(
		    e, ERROR_TOO_BIG, 0, "the server's questions are too long");
	return 0;
}
