#ifndef SKEP_ENGINE_ENDPOINT_H
#define SKEP_ENGINE_ENDPOINT_H

/*
 * Where an agent's model is: the HTTP client, the endpoint of its API, and
 * the secrets that are shown to it.  Opened once, before anything runs; this
 * is the only place where the engine reads keys.
 */

#include "engine/base/secret.h"

struct agent_model;
struct error;
struct http_client;
struct http_request_field;
struct loop;
struct model_endpoint;

#define ENDPOINT_HEADERS_MAX 64

struct endpoint {
	struct http_client *http;
	struct model_endpoint *model;
	struct secret api_key;
	struct secret header[ENDPOINT_HEADERS_MAX];
	struct http_request_field *fields;
};

struct endpoint_settings {
	int plain_anywhere;      /* HTTP without TLS, to any host */
	unsigned calls_max;      /* model calls in flight at once */
	const char *dns_servers; /* NULL: the system's */
};

/*
 * Keeps the agent's model.  -1 and *e: CONFIG, NO_INPUT, MODEL_TLS; then
 * endpoint_close() all the same.
 */
int endpoint_open(struct endpoint *ep, struct loop *loop,
    const struct agent_model *m, const struct endpoint_settings *settings,
    struct error *e);

/* Would an endpoint for either do for the other as well? */
int endpoint_is_same(const struct agent_model *a, const struct agent_model *b);

/* No call may be under way.  A zeroed one is fine. */
void endpoint_close(struct endpoint *ep);

#endif
