#include "net/http1.h"

#include <string.h>

#include "engine/base/error.h"

static int
bad(struct error *e, const char *what)
{
	return error_set(e, ERROR_PROTOCOL, 0, "HTTP: %s", what);
}

static int
too_big(struct error *e, const char *what)
{
	return error_set(e, ERROR_TOO_BIG, 0, "HTTP: %s", what);
}

int
http_is_token(struct span s)
{
	if (s.n == 0)
		return 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i], letter = c | 0x20;

		if ((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)
			return 0;
	}
	return 1;
}

int
http_is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return 0;
	}
	return 1;
}

struct span
http_field_get(const struct http_head *h, const char *name)
{
	for (unsigned i = 0; i < h->fields; i++)
		if (span_is_nocase(h->field[i].name, name))
			return h->field[i].value;
	return (struct span){NULL, 0};
}

int
http_field_has(const struct http_head *h, const char *name, const char *token)
{
	struct span rest;

	for (unsigned i = 0; i < h->fields; i++) {
		if (!span_is_nocase(h->field[i].name, name))
			continue;
		rest = h->field[i].value;
		while (rest.p != NULL)
			if (span_is_nocase(
				span_trim(span_cut(&rest, ',')), token))
				return 1;
	}
	return 0;
}

/* --- lines --- */

/* Cut the next line off a scanned head; it ends in CRLF. */
static struct span
cut_line(struct span *rest)
{
	size_t n = span_find(*rest, '\r', 0);
	struct span line = span_slice(*rest, 0, n);

	*rest = span_slice(*rest, n + 2, rest->n);
	return line;
}

static int
parse_field(struct http_head *h, struct span line, struct error *e)
{
	size_t colon = span_find(line, ':', 0);
	struct http_field *f;

	if (h->fields == LIMIT_HTTP_FIELDS)
		return too_big(e, "too many fields");
	if (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
		return bad(e, "a folded field line");
	if (colon == line.n)
		return bad(e, "a field line without a colon");
	f = &h->field[h->fields];
	f->name = span_slice(line, 0, colon);
	f->value = span_trim(span_slice(line, colon + 1, line.n));
	if (!http_is_token(f->name))
		return bad(e, "a field name with forbidden characters");
	if (!http_is_value(f->value))
		return bad(e, "a field value with control characters");
	h->fields++;
	return 0;
}

int
http1_parse_fields(struct http_head *h, struct span lines, struct error *e)
{
	struct span line;

	h->fields = 0;
	while (lines.n > 0) {
		line = cut_line(&lines);
		if (line.n == 0)
			break;
		if (parse_field(h, line, e) == -1)
			return -1;
	}
	return 0;
}

/* "HTTP/1.0" or "HTTP/1.1". */
static int
parse_version(struct http_head *h, struct span s, struct error *e)
{
	if (span_is(s, "HTTP/1.1"))
		h->minor = 1;
	else if (span_is(s, "HTTP/1.0"))
		h->minor = 0;
	else
		return bad(e, "a version other than HTTP/1.0 and 1.1");
	return 0;
}

/* --- framing --- */

/* The length all Content-Length fields agree on; 1 when there is one. */
static int
content_length(struct http_head *h, struct error *e)
{
	unsigned long long n;
	struct span rest;
	int found = 0;

	for (unsigned i = 0; i < h->fields; i++) {
		if (!span_is_nocase(h->field[i].name, "content-length"))
			continue;
		rest = h->field[i].value;
		if (rest.n == 0)
			return bad(e, "an empty Content-Length");
		while (rest.p != NULL) {
			if (span_to_u64(span_trim(span_cut(&rest, ',')),
				INT64_MAX, &n) == -1)
				return bad(
				    e, "a Content-Length that is no number");
			if (found && n != h->length)
				return bad(
				    e, "two Content-Lengths that differ");
			h->length = n;
			found = 1;
		}
	}
	return found;
}

/* What the fields alone say about the body. */
static int
framing(struct http_head *h, enum http_framing otherwise, struct error *e)
{
	int has_length = content_length(h, e), codings = 0;

	if (has_length == -1)
		return -1;
	for (unsigned i = 0; i < h->fields; i++) {
		if (!span_is_nocase(h->field[i].name, "transfer-encoding"))
			continue;
		codings++;
		if (!span_is_nocase(h->field[i].value, "chunked"))
			return bad(e, "a Transfer-Encoding but chunked");
	}
	if (codings > 1)
		return bad(e, "two Transfer-Encodings");
	if (codings == 1 && has_length)
		return bad(e, "Transfer-Encoding beside Content-Length");
	if (codings == 1 && h->minor == 0)
		return bad(e, "Transfer-Encoding in HTTP/1.0");
	h->framing = codings      ? HTTP_CHUNKED
		     : has_length ? HTTP_LENGTH
				  : otherwise;
	if (h->framing == HTTP_LENGTH && h->length == 0)
		h->framing = HTTP_NO_BODY;
	return 0;
}

static void
connection(struct http_head *h)
{
	h->keeps_alive = h->minor == 1
			     ? !http_field_has(h, "connection", "close")
			     : http_field_has(h, "connection", "keep-alive");
	if (h->framing == HTTP_UNTIL_CLOSE)
		h->keeps_alive = 0;
	h->upgrade = (struct span){NULL, 0};
	if (http_field_has(h, "connection", "upgrade"))
		h->upgrade = http_field_get(h, "upgrade");
}

/* --- requests and responses --- */

static unsigned
count_fields(const struct http_head *h, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->fields; i++)
		n += span_is_nocase(h->field[i].name, name) != 0;
	return n;
}

static int
is_target(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' ||
		    (unsigned char)s.p[i] >= 0x7f)
			return 0;
	return s.n > 0;
}

int
http1_parse_request(struct http_head *h, struct span head, struct error *e)
{
	struct span line = cut_line(&head);

	h->status = 0;
	h->length = 0;
	h->method = span_cut(&line, ' ');
	h->target = span_cut(&line, ' ');
	if (!http_is_token(h->method) || !is_target(h->target))
		return bad(e, "a malformed request line");
	if (parse_version(h, line, e) == -1)
		return -1;
	if (http1_parse_fields(h, head, e) == -1)
		return -1;
	if (count_fields(h, "host") > 1 ||
	    (h->minor == 1 && count_fields(h, "host") == 0))
		return bad(e, "not exactly one Host field");
	if (framing(h, HTTP_NO_BODY, e) == -1)
		return -1;
	h->expects_100 =
	    h->minor == 1 && http_field_has(h, "expect", "100-continue");
	connection(h);
	return 0;
}

static int
has_body(const struct http_head *h, struct span method)
{
	if (h->status < 200 || h->status == 204 || h->status == 304)
		return 0;
	if (span_is(method, "HEAD"))
		return 0;
	return !(span_is(method, "CONNECT") && h->status < 300);
}

int
http1_parse_response(
    struct http_head *h, struct span head, struct span method, struct error *e)
{
	struct span line = cut_line(&head), status;
	unsigned long long code;

	h->length = 0;
	h->expects_100 = 0;
	h->method = h->target = (struct span){NULL, 0};
	if (parse_version(h, span_cut(&line, ' '), e) == -1)
		return -1;
	status = span_cut(&line, ' ');
	if (status.n != 3 || span_to_u64(status, 999, &code) == -1 ||
	    code < 100)
		return bad(e, "a malformed status line");
	h->status = (int)code;
	h->reason = line;
	if (http1_parse_fields(h, head, e) == -1 ||
	    framing(h, HTTP_UNTIL_CLOSE, e) == -1)
		return -1;
	if (!has_body(h, method))
		h->framing = HTTP_NO_BODY;
	connection(h);
	return 0;
}
