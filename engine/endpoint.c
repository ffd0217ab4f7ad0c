#include "engine/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "config/agent.h"
#include "config/pin.h"
#include "engine/base/error.h"
#include "net/dns.h"
#include "net/http.h"
#include "net/model_call.h"

/* Most connections to one server, unless it speaks HTTP/2 over fewer. */
#define CONNECTIONS_MAX 1000

/* Calls that wait for a place are calls as well. */
#define CALLS_SPARE 64

/* The agent's headers, secrets read. */
static int
read_headers(struct endpoint *ep, const struct agent_model *m, struct error *e)
{
	if (m->headers_n == 0)
		return 0;
	if (m->headers_n > ENDPOINT_HEADERS_MAX)
		return error_set(e, ERROR_CONFIG, 0,
		    "model.headers: %d are the most", ENDPOINT_HEADERS_MAX);
	ep->fields = calloc(m->headers_n, sizeof *ep->fields);
	if (ep->fields == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for headers");
	for (unsigned i = 0; i < m->headers_n; i++) {
		const struct agent_header *h = &m->headers[i];

		ep->fields[i].name = h->name;
		if (h->value != NULL) {
			ep->fields[i].value = span_of(h->value);
			continue;
		}
		if (secret_ref_read(&h->secret, &ep->header[i], e) == -1)
			return -1;
		ep->fields[i].secret = &ep->header[i];
	}
	return 0;
}

static int
key_file_of(const struct agent_model *m, const char **out, struct error *e)
{
	*out = NULL;
	if (m->client_key.kind == SECRET_NOWHERE)
		return 0;
	if (m->client_key.kind != SECRET_FILE)
		return error_set(e, ERROR_CONFIG, 0,
		    "model.client_key: give it as {\"file\": PATH}");
	*out = m->client_key.name;
	return 0;
}

static int
read_pins(const struct agent_model *m, struct model_endpoint_settings *s,
    struct error *e)
{
	_Static_assert(AGENT_PINS_MAX <= TLS_PINS_MAX, "all pins have a place");

	for (; s->npins < m->pins.n; s->npins++)
		if (pin_parse(m->pins.at[s->npins], &s->pin[s->npins], e) == -1)
			return error_wrap(e, "model.pins");
	return 0;
}

static struct model_endpoint_settings
settings_of(const struct agent_model *m)
{
	return (struct model_endpoint_settings){
	    .provider = provider_find(span_of(model_api_name(m->api))),
	    .base_url = span_of(m->base_url),
	    .ca_file = m->ca_file,
	    .cert_file = m->client_cert,
	    .no_proxy = m->proxy != NULL && strcmp(m->proxy, "none") == 0,
	    .first_byte_ms = (uint32_t)(m->first_byte_seconds * 1000),
	    .idle_ms = (uint32_t)(m->idle_seconds * 1000),
	    .retry =
		{
		    .attempts = (unsigned)m->retry.attempts,
		    .base_ms = (uint32_t)m->retry.base_ms,
		    .max_ms = (uint32_t)m->retry.max_ms,
		    .retry_after_max_seconds =
			(uint32_t)m->retry.retry_after_max_seconds,
		},
	};
}

int
endpoint_open(struct endpoint *ep, struct loop *loop,
    const struct agent_model *m, const struct endpoint_settings *set,
    struct error *e)
{
	struct model_endpoint_settings s = settings_of(m);
	struct dns_settings dns = {.servers = set->dns_servers};
	struct http_client_settings http = {
	    .calls_max = set->calls_max + CALLS_SPARE,
	    .connections_max = set->calls_max < CONNECTIONS_MAX
				   ? set->calls_max
				   : CONNECTIONS_MAX,
	    .dns = &dns,
	};

	if (s.provider == NULL)
		return error_set(e, ERROR_CONFIG, 0,
		    "model.api: \"%s\" is not built in",
		    model_api_name(m->api));
	if (m->api_key.kind != SECRET_NOWHERE) {
		if (secret_ref_read(&m->api_key, &ep->api_key, e) == -1)
			return -1;
		s.api_key = &ep->api_key;
	}
	if (read_headers(ep, m, e) == -1 ||
	    key_file_of(m, &s.key_file, e) == -1 || read_pins(m, &s, e) == -1)
		return -1;
	if (m->proxy != NULL && !s.no_proxy)
		s.proxy = span_of(m->proxy);
	s.fields = ep->fields;
	s.nfields = m->headers_n;
	s.plain_anywhere = set->plain_anywhere;
	s.connections_max = http.connections_max;
	ep->http = http_client_new(loop, &http, e);
	if (ep->http == NULL)
		return -1;
	ep->model = model_endpoint_new(ep->http, &s, e);
	return ep->model == NULL ? -1 : 0;
}

static int
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static int
same_secret(const struct secret_ref *a, const struct secret_ref *b)
{
	return a->kind == b->kind && same_text(a->name, b->name);
}

static int
same_patience(const struct agent_model *a, const struct agent_model *b)
{
	return a->first_byte_seconds == b->first_byte_seconds &&
	       a->idle_seconds == b->idle_seconds &&
	       a->retry.attempts == b->retry.attempts &&
	       a->retry.base_ms == b->retry.base_ms &&
	       a->retry.max_ms == b->retry.max_ms &&
	       a->retry.retry_after_max_seconds ==
		   b->retry.retry_after_max_seconds;
}

int
endpoint_is_same(const struct agent_model *a, const struct agent_model *b)
{
	return a->api == b->api && same_text(a->base_url, b->base_url) &&
	       same_secret(&a->api_key, &b->api_key) &&
	       a->headers_n == b->headers_n &&
	       (a->headers_n == 0 || a->headers == b->headers) &&
	       same_text(a->ca_file, b->ca_file) &&
	       same_text(a->client_cert, b->client_cert) &&
	       same_secret(&a->client_key, &b->client_key) &&
	       a->pins.n == b->pins.n &&
	       (a->pins.n == 0 || a->pins.at == b->pins.at) &&
	       same_text(a->proxy, b->proxy) && same_patience(a, b);
}

void
endpoint_close(struct endpoint *ep)
{
	if (ep->model != NULL)
		model_endpoint_free(ep->model);
	if (ep->http != NULL)
		http_client_free(ep->http);
	free(ep->fields);
	for (size_t i = 0; i < ENDPOINT_HEADERS_MAX; i++)
		secret_release(&ep->header[i]);
	secret_release(&ep->api_key);
}
