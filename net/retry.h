#ifndef SKEP_NET_RETRY_H
#define SKEP_NET_RETRY_H

/*
 * Whether a model call that failed is tried again, when, and what its error
 * is called when it is not.  A pure table: no clock, no randomness, no state
 * but what the caller gives.
 */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/span.h"

struct http_head;

struct retry_policy {
	unsigned attempts; /* in all, the first included */
	uint32_t base_ms;
	uint32_t max_ms;
	uint32_t retry_after_max_seconds;
};
extern const struct retry_policy retry_default;

enum retry_event {
	RETRY_EV_CONNECT,  /* not found, refused, unreachable, time-out, reset
			       before the first byte */
	RETRY_EV_TLS,      /* certificate, host name, version, handshake */
	RETRY_EV_TLS_CUT,  /* time-out or reset during the handshake */
	RETRY_EV_STATUS,   /* an answer of status */
	RETRY_EV_CUT,      /* answer cut, stalled, without its end; first-byte
			       or idle time-out */
	RETRY_EV_PROTOCOL, /* against HTTP, SSE or JSON; a ceiling; a content
			       type nobody asked for */
	RETRY_EV_SAID,     /* the answer itself says error, see said */
};

struct retry_case {
	enum retry_event event;
	int status;               /* of RETRY_EV_STATUS; 0 otherwise */
	unsigned attempt;         /* which one failed, from 1 */
	unsigned protocol_faults; /* RETRY_EV_PROTOCOL so far, this included */
	/*
	 * What an error body or event means (provider.h): MODEL_UNAVAILABLE,
	 * MODEL_RATE_LIMITED, MODEL_REJECTED, MODEL_AUTH ...; NONE: it does
	 * not say.  is_final: waiting cannot help (quota exhausted).
	 */
	enum error_code said;
	int is_final;
	const struct http_head *head; /* or NULL; for Retry-After and quotas */
	int64_t wall_seconds;         /* now, Unix epoch; for dates */
	uint32_t random;              /* uniform; for the jitter */
};

struct retry_verdict {
	int again;
	uint64_t wait_ms;     /* when again */
	enum error_code code; /* when not: the result's error.code */
	int lowers_limit;     /* 429, 503, 529: fewer at once, please */
	const char *why;      /* a phrase for the message */
};

void retry_decide(const struct retry_policy *p, const struct retry_case *c,
    struct retry_verdict *v);

/* Retry-After or retry-after-ms in milliseconds; -1 without a usable one. */
int64_t retry_after_ms(const struct http_head *h, int64_t wall_seconds);

/* An IMF-fixdate, RFC 850 or asctime date; -1 when it is none. */
int64_t http_date(struct span s);

#endif
