#ifndef SKEP_NET_HTTP_FETCH_H
#define SKEP_NET_HTTP_FETCH_H

/*
 * One small exchange with any address: request in, whole answer out, held in
 * memory up to HTTP_FETCH_MAX.  For the documents and forms of logins, not
 * for anything frequent: every fetch has an origin of its own, so nothing is
 * shared or kept.  Redirects are not followed.  The body is wiped when it was
 * sent.
 */

#include <stdint.h>

#include "engine/base/limits.h"
#include "engine/base/span.h"

struct error;
struct http_client;
struct http_fetch;

#define HTTP_FETCH_MAX (1 * MIB)

struct http_fetch_settings {
	const char *method; /* kept: a literal */
	struct span url;
	struct span content_type; /* of body, when there is one */
	struct span body;
	struct span authorization; /* a field's value; or empty */
	const char *ca_file;       /* NULL: the system's */
	int plain_anywhere;
	uint32_t timeout_ms;
};

/* error is NULL when there is an answer, whatever its status. */
typedef void http_fetch_done_fn(struct http_fetch *f, int status,
    struct span body, const struct error *error, void *owner);

/* Copies all spans.  NULL and *e.  done is never called before it returns. */
struct http_fetch *http_fetch_start(struct http_client *c,
    const struct http_fetch_settings *s, http_fetch_done_fn *done, void *owner,
    struct error *e);

/* No callback after this.  NULL is fine; in done() too. */
void http_fetch_free(struct http_fetch *f);

#endif
