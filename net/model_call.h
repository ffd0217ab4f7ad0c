#ifndef SKEP_NET_MODEL_CALL_H
#define SKEP_NET_MODEL_CALL_H

/*
 * One logical call of a model: from a request in the provider's terms to a
 * reply that is whole, or one error.
 *
 * Theory of operation
 *
 * An endpoint is a model API at a place, with a key; made once, shared by all
 * runs that use it.  A call builds its body once and sends it as often as the
 * retry table allows: a cut, stalled or limited answer is waited out and
 * asked for anew, and nothing of an unfinished one is kept.  Text that was
 * told through text() belongs to an attempt; restarted() says that it counts
 * no longer.
 *
 * done() or failed() is called once, never before model_call_start() returns
 * and never after model_call_cancel(); the call is gone when it returns.
 */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/secret.h"
#include "engine/base/span.h"
#include "net/http.h"
#include "net/provider.h"
#include "net/retry.h"

struct http_client;
struct model_call;
struct model_endpoint;

/* --- endpoints --- */

struct model_endpoint_settings {
	const struct provider_ops *provider;
	struct span base_url;         /* "https://api.openai.com/v1" */
	const struct secret *api_key; /* kept; NULL: none */
	/* Further fields of each request; names and values are kept. */
	const struct http_request_field *fields;
	unsigned nfields;
	const char *ca_file, *cert_file, *key_file;
	struct digest pin[TLS_PINS_MAX]; /* as struct tls_client_settings */
	unsigned npins;
	struct span proxy; /* as struct http_origin_settings */
	int no_proxy;
	int plain_anywhere;        /* plain http beyond loopback was allowed */
	uint32_t first_byte_ms;    /* 0: 120,000 */
	uint32_t idle_ms;          /* 0: 60,000 */
	struct retry_policy retry; /* attempts == 0: the default */
	unsigned connections_max, calls_max; /* 0: as struct http_origin */
};

/* NULL and *e (CONFIG, MODEL_TLS, NO_INPUT).  Reads files: at start only. */
struct model_endpoint *model_endpoint_new(struct http_client *c,
    const struct model_endpoint_settings *s, struct error *e);
void model_endpoint_free(struct model_endpoint *ep); /* no calls left */

struct http_origin *model_endpoint_origin(const struct model_endpoint *ep);

/* --- calls --- */

struct model_timing {           /* milliseconds */
	uint64_t wait_ms;       /* for places, all attempts: not the run's */
	uint64_t backoff_ms;    /* between attempts */
	uint64_t first_byte_ms; /* of the last attempt, from its place */
	uint64_t total_ms;
};

struct model_result {
	/* Whole: end is REPLY_DONE.  Borrowed; copy what is kept. */
	const struct model_reply *reply;
	struct span request_id; /* of the server; empty when it gave none */
	unsigned attempts;
	struct model_timing timing;
};

struct model_failure {
	/*
	 * code is of part one of errors.def; text says what was tried, how
	 * often, and the last answer.
	 */
	struct error error;
	unsigned attempts;
	int status;             /* of the last answer; 0: none */
	struct span request_id; /* borrowed */
	struct usage usage;     /* of the last attempt, as far as known */
	int is_too_long;        /* the request exceeds the model's window */
	struct model_timing timing;
};

struct model_call_ops {
	/* All but done and failed may be NULL. */
	void (*text)(void *owner, struct span text);
	void (*reasoning)(void *owner, struct span text);
	void (*restarted)(void *owner); /* forget the text of this call */
	/* The call waits for a place, or no longer: such time is not the
	   run's.  Told when it changes; a call begins waiting. */
	void (*placed)(void *owner, int has_place);
	void (*done)(void *owner, const struct model_result *r);
	void (*failed)(void *owner, const struct model_failure *f);
};

/*
 * q is read before this returns; nothing of it is kept.  ops is kept.
 * NULL and *e: CONFIG (settings), TOO_BIG, FULL.
 */
struct model_call *model_call_start(struct model_endpoint *ep,
    const struct model_request *q, const struct model_call_ops *ops,
    void *owner, struct error *e);
void model_call_cancel(struct model_call *call);

/* What the last failure was, while retrying; "" when none.  For budget_wall. */
const char *model_call_trouble(const struct model_call *call);

#endif
