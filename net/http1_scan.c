#include "net/http1.h"

#include <string.h>

#include "engine/base/error.h"

void
http1_scan_init(struct http1_scan *s, int is_response)
{
	*s = (struct http1_scan){.is_response = (uint8_t)is_response};
}

static enum http1_result
bad(struct error *e, const char *what)
{
	error_set(e, ERROR_PROTOCOL, 0, "HTTP: %s", what);
	return HTTP1_BAD;
}

static enum http1_result
too_big(struct error *e, const char *what, size_t limit)
{
	error_set(
	    e, ERROR_TOO_BIG, 0, "HTTP: %s of more than %zu", what, limit);
	return HTTP1_BAD;
}

/* A response begins like one; what does not is found out at once. */
static int
begins_wrong(const struct http1_scan *s, unsigned char c)
{
	static const char start[] = "HTTP/1.";

	if (s->is_response)
		return s->at < sizeof(start) - 1 && c != start[s->at];
	return s->at == 0 && !http_is_token((struct span){(char *)&c, 1});
}

/* A LF: HTTP1_DONE behind the empty line. */
static enum http1_result
line_ended(struct http1_scan *s, struct span bytes, struct error *e)
{
	if (s->at == 0 || bytes.p[s->at - 1] != '\r')
		return bad(e, "a line ends in LF alone");
	if (s->at - s->line_start == 1)
		return HTTP1_DONE;
	if (s->lines++ > LIMIT_HTTP_FIELDS)
		return too_big(e, "fields", LIMIT_HTTP_FIELDS);
	s->line_start = s->at + 1;
	return HTTP1_MORE;
}

enum http1_result
http1_scan(struct http1_scan *s, struct span bytes, size_t *head_bytes,
    struct error *e)
{
	enum http1_result r;
	unsigned char c;

	for (; s->at < bytes.n; s->at++) {
		c = (unsigned char)bytes.p[s->at];
		if (s->at - s->line_start >= LIMIT_HTTP_LINE)
			return too_big(e, "a line", LIMIT_HTTP_LINE);
		if (s->at >= LIMIT_HTTP_HEAD)
			return too_big(e, "a head", LIMIT_HTTP_HEAD);
		if (begins_wrong(s, c))
			return bad(e,
			    s->is_response
				? "the answer does not begin with HTTP/1."
				: "the request does not begin with a method");
		if (c != '\n' && s->at > 0 && bytes.p[s->at - 1] == '\r')
			return bad(e, "CR without LF");
		if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') ||
		    c == 0x7f)
			return bad(e, "a control character in the head");
		if (c != '\n')
			continue;
		r = line_ended(s, bytes, e);
		if (r == HTTP1_DONE)
			*head_bytes = ++s->at;
		if (r != HTTP1_MORE)
			return r;
	}
	return HTTP1_MORE;
}
