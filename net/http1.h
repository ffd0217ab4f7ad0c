#ifndef SKEP_NET_HTTP1_H
#define SKEP_NET_HTTP1_H

/*
 * HTTP/1.1 messages: RFC 9110 and 9112, pure and strict.
 *
 * Bytes come in pieces.  The caller gathers the head in one text and asks
 * http1_scan() after each piece whether it is whole (nothing is looked at
 * twice); then http1_parse_request() or _response() cuts it into spans and
 * decides how the body is framed.  Refused, because two parsers might read
 * them differently: bare LF or CR, folded lines, NUL and other controls, a
 * space before the colon, Transfer-Encoding together with Content-Length,
 * several lengths that differ, any coding but "chunked".
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/limits.h"
#include "engine/base/span.h"
#include "engine/base/text.h"

struct error;

struct http_field {
	struct span name, value;
};

enum http_framing {
	HTTP_NO_BODY,
	HTTP_LENGTH,
	HTTP_CHUNKED,
	HTTP_UNTIL_CLOSE,
};

struct http_head {
	struct span method, target; /* of a request */
	int status;                 /* of a response */
	struct span reason;
	int minor; /* HTTP/1.minor */
	enum http_framing framing;
	uint64_t length;     /* of HTTP_LENGTH */
	int keeps_alive;     /* the connection may be used again */
	int expects_100;     /* a request's Expect: 100-continue */
	struct span upgrade; /* Upgrade, when Connection names it */
	unsigned fields;
	struct http_field field[LIMIT_HTTP_FIELDS];
};

/* The value of the first field of that name; p == NULL when there is none. */
struct span http_field_get(const struct http_head *h, const char *name);

/* True when a comma-separated list field holds the token (any of them). */
int http_field_has(
    const struct http_head *h, const char *name, const char *token);

/* A method or field name; a field value. */
int http_is_token(struct span s);
int http_is_value(struct span s);

/* --- the head --- */

enum http1_result { HTTP1_MORE, HTTP1_DONE, HTTP1_BAD };

struct http1_scan {
	size_t at;         /* bytes looked at */
	size_t line_start; /* of the line being read */
	unsigned lines;
	uint8_t is_response;
};

void http1_scan_init(struct http1_scan *s, int is_response);

/*
 * Look at what was added to the text since the last call.  HTTP1_DONE: the
 * head is its first *head_bytes bytes, the empty line included.  HTTP1_BAD
 * and *e: PROTOCOL or TOO_BIG.
 */
enum http1_result http1_scan(struct http1_scan *s, struct span bytes,
    size_t *head_bytes, struct error *e);

/* Spans in *h point into head.  0, or -1 and *e. */
int http1_parse_request(struct http_head *h, struct span head, struct error *e);

/* method is the request's: it decides whether there is a body. */
int http1_parse_response(
    struct http_head *h, struct span head, struct span method, struct error *e);

/* Field lines alone (trailers); h->field is filled. */
int http1_parse_fields(struct http_head *h, struct span lines, struct error *e);

/* --- chunked bodies --- */

struct http1_chunked {
	uint64_t left; /* of the chunk being read */
	uint64_t body_bytes;
	unsigned line_bytes; /* of the line being read */
	uint8_t state;
	uint8_t digits;
	struct text trailers; /* field lines, without the empty line */
};

enum http1_chunk { CHUNK_MORE, CHUNK_BODY, CHUNK_END, CHUNK_BAD };

void http1_chunked_init(struct http1_chunked *c);
void http1_chunked_release(struct http1_chunked *c);

/*
 * Take bytes from the front of *in.  CHUNK_BODY: *body points into them.
 * CHUNK_END: the message is over and *in is what follows it.
 */
enum http1_chunk http1_chunked_next(struct http1_chunked *c, struct span *in,
    struct span *body, struct error *e);

/* --- writing --- */

/*
 * Append a request line, then the fields; then http1_add_end().  -1 and *e
 * (INTERNAL is not used: a bad name or value may come from configuration,
 * it is SYNTAX).
 */
int http1_add_request(
    struct text *t, struct span method, struct span target, struct error *e);
int http1_add_response(
    struct text *t, int status, const char *reason, struct error *e);
int http1_add_field(
    struct text *t, const char *name, struct span value, struct error *e);
int http1_add_end(struct text *t, struct error *e);

/* The line before a chunk of n > 0 bytes; behind the chunk goes "\r\n". */
#define HTTP1_CHUNK_LINE 20
size_t http1_chunk_line(char out[HTTP1_CHUNK_LINE], size_t n);
#define HTTP1_LAST_CHUNK "0\r\n\r\n"

/* "Too Many Requests"; "" when unknown. */
const char *http_reason(int status);

#endif
