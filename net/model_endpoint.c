#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/model_private.h"

#define ENDPOINT_ARENA (64 * KIB)
#define FIRST_BYTE_MS 120000
#define IDLE_MS 60000

static int
add_field(
    struct model_endpoint *ep, struct http_request_field f, struct error *e)
{
	if (ep->nfields + 2 >= ENDPOINT_FIELDS_MAX)
		return error_set(e, ERROR_CONFIG, 0,
		    "a model has at most %d header fields",
		    ENDPOINT_FIELDS_MAX - 2);
	if (!http_is_token(span_of(f.name)) || !http_is_value(f.value) ||
	    (f.secret != NULL && !http_is_value(secret_reveal(f.secret))))
		return error_set(e, ERROR_CONFIG, 0,
		    "the header field \"%s\" cannot be sent", f.name);
	ep->field[ep->nfields++] = f;
	return 0;
}

static int
add_plain(struct model_endpoint *ep, const char *name, const char *value,
    struct error *e)
{
	return add_field(
	    ep, (struct http_request_field){name, span_of(value), NULL}, e);
}

/* The dialect's own fields, whose names need a NUL here. */
static int
add_dialect(struct model_endpoint *ep, struct error *e)
{
	const struct http_field *f = ep->set.provider->fields;

	for (; f != NULL && f->name.n > 0; f++) {
		const char *name =
		    arena_strndup(&ep->arena, f->name.p, f->name.n);

		if (name == NULL)
			return error_set(e, ERROR_FULL, 0, "no memory");
		if (add_field(ep,
			(struct http_request_field){name, f->value, NULL},
			e) == -1)
			return -1;
	}
	return 0;
}

static int
add_key(struct model_endpoint *ep, struct error *e)
{
	const struct provider_ops *p = ep->set.provider;
	struct http_request_field f = {p->key_field,
	    span_of(p->key_prefix == NULL ? "" : p->key_prefix),
	    ep->set.api_key};

	return ep->set.api_key == NULL ? 0 : add_field(ep, f, e);
}

static int
add_fields(struct model_endpoint *ep, struct error *e)
{
	if (add_plain(ep, "Content-Type", "application/json", e) == -1 ||
	    add_plain(ep, "User-Agent", "skep", e) == -1 ||
	    add_dialect(ep, e) == -1 || add_key(ep, e) == -1)
		return -1;
	for (unsigned i = 0; i < ep->set.nfields; i++)
		if (add_field(ep, ep->set.fields[i], e) == -1)
			return -1;
	return 0;
}

static int
open_origin(struct model_endpoint *ep, struct error *e)
{
	struct http_origin_settings s = {
	    .url = ep->set.base_url,
	    .tls.ca_file = ep->set.ca_file,
	    .tls.cert_file = ep->set.cert_file,
	    .tls.key_file = ep->set.key_file,
	    .tls.npins = ep->set.npins,
	    .proxy = ep->set.proxy,
	    .no_proxy = ep->set.no_proxy,
	    .plain_anywhere = ep->set.plain_anywhere,
	    .connections_max = ep->set.connections_max,
	    .calls_max = ep->set.calls_max,
	};

	memcpy(s.tls.pin, ep->set.pin, sizeof s.tls.pin);
	ep->origin = http_origin_new(ep->client, &s, e);
	if (ep->origin != NULL)
		return 0;
	if (e->code == ERROR_TLS)
		e->code = ERROR_MODEL_TLS;
	return -1;
}

struct model_endpoint *
model_endpoint_new(struct http_client *c,
    const struct model_endpoint_settings *s, struct error *e)
{
	struct model_endpoint *ep = pool_take(sizeof *ep, NULL);
	struct url u;

	if (ep == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for an endpoint");
		return NULL;
	}
	memset(ep, 0, sizeof *ep);
	ep->magic = ENDPOINT_MAGIC;
	ep->client = c;
	ep->set = *s;
	arena_init(&ep->arena, ENDPOINT_ARENA);
	if (ep->set.first_byte_ms == 0)
		ep->set.first_byte_ms = FIRST_BYTE_MS;
	if (ep->set.idle_ms == 0)
		ep->set.idle_ms = IDLE_MS;
	if (ep->set.retry.attempts == 0)
		ep->set.retry = retry_default;
	if (url_join(&u, s->base_url, span_of(s->provider->path), &ep->arena,
		e) == -1) {
		error_wrap(e, "base_url");
		e->code = ERROR_CONFIG;
		goto failed;
	}
	ep->target = u.target;
	if (add_fields(ep, e) == -1 || open_origin(ep, e) == -1)
		goto failed;
	return ep;
failed:
	model_endpoint_free(ep);
	return NULL;
}

void
model_endpoint_free(struct model_endpoint *ep)
{
	if (ep == NULL)
		return;
	CHECK_OBJ(ep, ENDPOINT_MAGIC);
	http_origin_free(ep->origin);
	arena_release(&ep->arena);
	ep->magic = 0;
	pool_give(ep);
}

struct http_origin *
model_endpoint_origin(const struct model_endpoint *ep)
{
	return ep->origin;
}
