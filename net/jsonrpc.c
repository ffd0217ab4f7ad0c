#include "net/jsonrpc.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#define ID_MAX 512 /* bytes of a peer's id: it is sent back */

static int
bad(struct error *e, const char *why)
{
	return error_set(e, ERROR_PROTOCOL, 0, "not JSON-RPC 2.0: %s", why);
}

static int
read_id(const struct json_doc *d, struct jsonrpc *m, struct error *e)
{
	int id = json_get(d, 0, "id");

	m->number = -1;
	switch (json_type(d, id)) {
	case JSON_NONE:
	case JSON_NULL:
		return 0;
	case JSON_NUMBER:
		(void)json_int(d, id, 0, INT64_MAX, &m->number);
		break;
	case JSON_STRING:
		break;
	default:
		return bad(e, "the id is no number or text");
	}
	m->id = json_raw(d, id);
	return m->id.n <= ID_MAX ? 0 : bad(e, "the id is too long");
}

static int
read_request(const struct json_doc *d, struct jsonrpc *m, struct error *e)
{
	enum json_type type = json_type(d, m->params);

	if (type != JSON_NONE && type != JSON_OBJECT && type != JSON_ARRAY)
		return bad(e, "the params are no object");
	m->kind = m->id.n > 0 ? JSONRPC_REQUEST : JSONRPC_NOTIFICATION;
	return 0;
}

static int
read_answer(const struct json_doc *d, struct jsonrpc *m, struct error *e)
{
	int error = json_get(d, 0, "error");

	if ((m->result == -1) == (error == -1))
		return bad(e, "neither a method nor one result or error");
	if (error == -1) {
		m->kind = JSONRPC_RESULT;
		return 0;
	}
	m->kind = JSONRPC_ERROR;
	if (json_int(d, json_get(d, error, "code"), INT32_MIN, INT32_MAX,
		&m->code) == -1)
		return bad(e, "the error has no code");
	m->message = json_get(d, error, "message");
	if (json_type(d, m->message) != JSON_STRING)
		m->message = -1;
	m->error_data = json_get(d, error, "data");
	return 0;
}

int
jsonrpc_read(const struct json_doc *d, struct jsonrpc *m, struct error *e)
{
	int method;

	*m = (struct jsonrpc){.params = json_get(d, 0, "params"),
	    .result = json_get(d, 0, "result"),
	    .message = -1,
	    .error_data = -1};
	if (json_type(d, 0) != JSON_OBJECT)
		return bad(e, "no object");
	if (!json_is(d, json_get(d, 0, "jsonrpc"), "2.0"))
		return bad(e, "\"jsonrpc\" is not \"2.0\"");
	if (read_id(d, m, e) == -1)
		return -1;
	method = json_get(d, 0, "method");
	if (method == -1)
		return read_answer(d, m, e);
	if (json_type(d, method) != JSON_STRING)
		return bad(e, "the method is no text");
	m->method = json_inner(d, method);
	return read_request(d, m, e);
}

void
jsonrpc_write_begin(
    struct json_writer *w, struct text *out, int64_t id, const char *method)
{
	json_write_init(w, out);
	json_write_object(w);
	json_put_str(w, "jsonrpc", "2.0");
	if (id >= 0)
		json_put_int(w, "id", id);
	json_put_str(w, "method", method);
}

void
jsonrpc_write_answer(struct json_writer *w, struct text *out, struct span id)
{
	json_write_init(w, out);
	json_write_object(w);
	json_put_str(w, "jsonrpc", "2.0");
	json_put_raw(w, "id", id);
}

void
jsonrpc_write_error(
    struct text *out, struct span id, int code, const char *message)
{
	struct json_writer w;

	jsonrpc_write_answer(&w, out, id);
	json_put_object(&w, "error");
	json_put_int(&w, "code", code);
	json_put_str(&w, "message", message);
	json_write_end(&w);
	json_write_end(&w);
}
