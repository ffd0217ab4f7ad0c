#include "net/provider_private.h"

#include <string.h>

/*
 * The names that servers give to errors, in "code" or "type".  What is not
 * here is the server's own trouble, which may pass.
 */
static const struct {
	const char *name;
	enum error_code code;
	int is_final;
} names[] = {
    {"insufficient_quota", ERROR_MODEL_RATE_LIMITED, 1},
    {"billing_hard_limit_reached", ERROR_MODEL_RATE_LIMITED, 1},
    {"billing_not_active", ERROR_MODEL_RATE_LIMITED, 1},
    {"billing_error", ERROR_MODEL_RATE_LIMITED, 1},
    {"rate_limit_exceeded", ERROR_MODEL_RATE_LIMITED, 0},
    {"rate_limit_error", ERROR_MODEL_RATE_LIMITED, 0},
    {"rate_limited", ERROR_MODEL_RATE_LIMITED, 0},
    {"too_many_requests", ERROR_MODEL_RATE_LIMITED, 0},
    {"slow_down", ERROR_MODEL_RATE_LIMITED, 0},
    {"requests", ERROR_MODEL_RATE_LIMITED, 0},
    {"tokens", ERROR_MODEL_RATE_LIMITED, 0},
    {"invalid_api_key", ERROR_MODEL_AUTH, 1},
    {"authentication_error", ERROR_MODEL_AUTH, 1},
    {"permission_error", ERROR_MODEL_AUTH, 1},
    {"permission_denied", ERROR_MODEL_AUTH, 1},
    {"invalid_request_error", ERROR_MODEL_REJECTED, 1},
    {"invalid_prompt", ERROR_MODEL_REJECTED, 1},
    {"context_length_exceeded", ERROR_MODEL_REJECTED, 1},
    {"exceed_context_size_error", ERROR_MODEL_REJECTED, 1},
    {"model_not_found", ERROR_MODEL_REJECTED, 1},
    {"not_found_error", ERROR_MODEL_REJECTED, 1},
    {"not_supported_error", ERROR_MODEL_REJECTED, 1},
    {"unsupported_parameter", ERROR_MODEL_REJECTED, 1},
    {"request_too_large", ERROR_MODEL_REJECTED, 1},
    {"BadRequestError", ERROR_MODEL_REJECTED, 1},
    {"content_filter", ERROR_MODEL_REFUSED, 1},
    {"content_policy_violation", ERROR_MODEL_REFUSED, 1},
};

/* Some servers put the HTTP status into "code". */
static enum error_code
of_number(int64_t status, int *is_final)
{
	*is_final = 0;
	if (status == 429)
		return ERROR_MODEL_RATE_LIMITED;
	if (status == 408 || status == 409 || status < 400 || status >= 500)
		return ERROR_MODEL_UNAVAILABLE;
	*is_final = 1;
	return status == 401 || status == 403 ? ERROR_MODEL_AUTH
					      : ERROR_MODEL_REJECTED;
}

/* The row of a name; -1 when there is none. */
static int
find(const struct json_doc *d, int v)
{
	if (json_type(d, v) != JSON_STRING)
		return -1;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (json_is(d, v, names[i].name))
			return (int)i;
	return -1;
}

enum error_code
provider_error_code(const struct json_doc *d, int v, int *is_final)
{
	int code = json_get(d, v, "code"), type = json_get(d, v, "type"), row;

	if (json_type(d, code) == JSON_NUMBER)
		return of_number(json_int_or(d, code, 0), is_final);
	row = find(d, code);
	if (row == -1)
		row = find(d, type);
	*is_final = row == -1 ? 0 : names[row].is_final;
	return row == -1 ? ERROR_MODEL_UNAVAILABLE : names[row].code;
}

/* Not all servers have a code for it; these words are the others'. */
static int
tells_too_long(struct span message)
{
	static const char *const words[] = {"maximum context length",
	    "context window", "context length", "prompt is too long",
	    "input is too long", "available context size"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (span_search(message, span_of(words[i]), 0) < message.n)
			return 1;
	return 0;
}

int
provider_says_too_long(const struct json_doc *d, int v)
{
	static const char *const members[] = {"code", "type"};

	for (int i = 0; i < 2; i++) {
		int name = json_get(d, v, members[i]);

		if (json_is(d, name, "context_length_exceeded") ||
		    json_is(d, name, "exceed_context_size_error"))
			return 1;
	}
	if (json_type(d, v) != JSON_STRING)
		v = json_get(d, v, "message");
	return json_type(d, v) == JSON_STRING &&
	       tells_too_long(json_inner(d, v));
}

int
provider_is_too_long(struct span body)
{
	struct json_doc d;
	struct error e;
	int is = 0;

	json_doc_init(&d);
	if (json_parse(&d, body, 0, &e) == 0)
		is = provider_says_too_long(&d, json_get(&d, 0, "error")) ||
		     provider_says_too_long(&d, 0);
	json_doc_release(&d);
	return is;
}

static void
add_message(const struct json_doc *d, int error, struct text *t)
{
	int v = json_type(d, error) == JSON_STRING
		    ? error
		    : json_get(d, error, "message");

	if (v == -1)
		v = json_get(d, 0, "message");
	if (v == -1)
		v = json_get(d, 0, "detail");
	json_string_add(d, v, t);
}

/* Text of strangers on one line, cut. */
static void
set_message(struct error *e, enum error_code code, int status, struct text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if ((unsigned char)t->p[i] < ' ' || t->p[i] == 0x7f)
			t->p[i] = ' ';
	error_set(e, code, 0, "status %d%s%.*s", status, t->n > 0 ? ": " : "",
	    t->n > 300 ? 300 : (int)t->n, t->n > 0 ? t->p : "");
}

void
provider_read_error(
    int status, struct span body, struct error *e, int *is_final)
{
	enum error_code code = ERROR_NONE;
	struct json_doc d;
	struct text t;
	struct error bad;
	int error;

	*is_final = 0;
	text_init(&t, LIMIT_SSE_EVENT);
	json_doc_init(&d);
	if (json_parse(&d, body, 0, &bad) == 0) {
		error = json_get(&d, 0, "error");
		if (json_type(&d, error) == JSON_OBJECT)
			code = provider_error_code(&d, error, is_final);
		add_message(&d, error, &t);
	} else {
		text_add(&t, span_slice(span_trim(body), 0, 200));
	}
	if (status != 429 && code != ERROR_MODEL_RATE_LIMITED)
		*is_final = 0;
	set_message(e, code, status, &t);
	json_doc_release(&d);
	text_release(&t);
}
