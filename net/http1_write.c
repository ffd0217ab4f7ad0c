#include "net/http1.h"

#include <stdio.h>

#include "engine/base/error.h"

static int
added(struct text *t, struct error *e)
{
	if (text_overflowed(t))
		return error_set(
		    e, ERROR_TOO_BIG, 0, "HTTP: a head of too many bytes");
	return 0;
}

int
http1_add_request(
    struct text *t, struct span method, struct span target, struct error *e)
{
	if (!http_is_token(method))
		return error_set(e, ERROR_SYNTAX, 0, "HTTP: a bad method");
	for (size_t i = 0; i < target.n; i++)
		if ((unsigned char)target.p[i] <= ' ' ||
		    (unsigned char)target.p[i] >= 0x7f)
			return error_set(e, ERROR_SYNTAX, 0,
			    "HTTP: a request target with forbidden characters");
	text_add(t, method);
	text_add_char(t, ' ');
	text_add(t, target);
	text_add_str(t, " HTTP/1.1\r\n");
	return added(t, e);
}

int
http1_add_response(
    struct text *t, int status, const char *reason, struct error *e)
{
	text_printf(t, "HTTP/1.1 %03d %s\r\n", status, reason);
	return added(t, e);
}

int
http1_add_field(
    struct text *t, const char *name, struct span value, struct error *e)
{
	if (!http_is_token(span_of(name)))
		return error_set(
		    e, ERROR_SYNTAX, 0, "HTTP: not the name of a field");
	if (!http_is_value(value))
		return error_set(e, ERROR_SYNTAX, 0,
		    "HTTP: control characters in the value of %s", name);
	text_add_str(t, name);
	text_add_str(t, ": ");
	text_add(t, span_trim(value));
	text_add_str(t, "\r\n");
	return added(t, e);
}

int
http1_add_end(struct text *t, struct error *e)
{
	text_add_str(t, "\r\n");
	return added(t, e);
}

size_t
http1_chunk_line(char out[HTTP1_CHUNK_LINE], size_t n)
{
	return (size_t)snprintf(out, HTTP1_CHUNK_LINE, "%zx\r\n", n);
}

const char *
http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
	    {100, "Continue"},
	    {101, "Switching Protocols"},
	    {200, "OK"},
	    {201, "Created"},
	    {202, "Accepted"},
	    {204, "No Content"},
	    {206, "Partial Content"},
	    {301, "Moved Permanently"},
	    {302, "Found"},
	    {303, "See Other"},
	    {304, "Not Modified"},
	    {307, "Temporary Redirect"},
	    {308, "Permanent Redirect"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {411, "Length Required"},
	    {413, "Content Too Large"},
	    {414, "URI Too Long"},
	    {415, "Unsupported Media Type"},
	    {417, "Expectation Failed"},
	    {422, "Unprocessable Content"},
	    {426, "Upgrade Required"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {502, "Bad Gateway"},
	    {503, "Service Unavailable"},
	    {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"},
	    {529, "Overloaded"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}
