#ifndef SKEP_NET_SSE_H
#define SKEP_NET_SSE_H

/*
 * Server-sent events, parsed as the WHATWG HTML standard says.
 *
 * The parser pulls: give it the bytes that came, ask for events until it
 * wants more.  What lies whole in the given bytes, one data line and the
 * type, is not copied.  Bytes may be cut anywhere, between CR and LF too.
 *
 *	while ((r = sse_next(&s, &in, &ev, e)) == SSE_EVENT)
 *		...
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"
#include "engine/base/text.h"

struct error;

/* Spans are good until the next call, or until the input goes. */
struct sse_event {
	struct span type; /* "" means "message" */
	struct span data; /* lines joined by LF */
	struct span id;   /* the last event id so far */
};

enum sse_result { SSE_MORE, SSE_EVENT, SSE_BAD };

struct sse {
	struct text line; /* a line cut by the end of the input */
	struct text data; /* data lines that could not stay where they were */
	struct text type;
	struct text id;
	const char *next_lf;   /* in the input; its end if it has no more */
	const char *next_cr;   /* the same */
	struct span data_here; /* or one data line in the input */
	struct span type_here; /* the same of the type */
	size_t event_bytes_max;
	uint64_t retry_ms; /* last "retry" field; UINT64_MAX: none came */
	uint64_t events;
	uint8_t has_data, has_line, after_cr, bom_seen, emitted;
};

/* Lines and events over the two ceilings are refused. */
void sse_init(struct sse *s, size_t line_bytes_max, size_t event_bytes_max);
void sse_release(struct sse *s);

/*
 * Take bytes from the front of *in up to the end of the next event.
 * SSE_MORE: *in is empty, the rest is remembered.  SSE_BAD and *e (TOO_BIG).
 * An event that the stream's end cuts off is dropped: nothing to call.
 */
enum sse_result sse_next(
    struct sse *s, struct span *in, struct sse_event *ev, struct error *e);

/* True when the stream's end now would cut an event in two. */
int sse_is_inside(const struct sse *s);

#endif
