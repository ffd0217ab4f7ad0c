#include "net/http.h"

#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/dns.h"
#include "net/http_private.h"
#include "net/stream.h"

#define CALLS_MAX 4096
#define CONNECTIONS_MAX 1024
#define ORIGIN_CONNECTIONS 256
#define ORIGIN_CONNECT_MS 20000
#define ORIGIN_IDLE_MS 30000
#define ORIGIN_ARENA (16 * KIB)

/* --- the client --- */

struct http_client *
http_client_new(struct loop *l, const struct http_client_settings *settings,
    struct error *e)
{
	static const struct http_client_settings none;
	struct http_client *c = pool_take(sizeof *c, NULL);

	if (settings == NULL)
		settings = &none;
	if (c == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for the HTTP client");
		return NULL;
	}
	memset(c, 0, sizeof *c);
	c->loop = l;
	list_init(&c->origins);
	if (slab_init(&c->calls, "http calls", sizeof(struct http_call),
		settings->calls_max > 0 ? settings->calls_max : CALLS_MAX,
		e) == -1)
		goto no_calls;
	if (slab_init(&c->connections, "http connections",
		sizeof(struct http_connection),
		settings->connections_max > 0 ? settings->connections_max
					      : CONNECTIONS_MAX,
		e) == -1)
		goto no_connections;
	c->dns = dns_new(l, settings->dns, e);
	if (c->dns == NULL)
		goto no_dns;
	c->tls = tls_new(l, e);
	if (c->tls == NULL)
		goto no_tls;
	return c;
no_tls:
	dns_free(c->dns);
no_dns:
	slab_release(&c->connections);
no_connections:
	slab_release(&c->calls);
no_calls:
	pool_give(c);
	return NULL;
}

static void
cancel_list(struct list *l)
{
	struct list_node *n;

	while ((n = list_first(l)) != NULL)
		http_cancel(container_of(n, struct http_call, node));
}

static void
cancel_all(struct http_origin *o)
{
	struct list *busy = &o->connections[CONNECTION_BUSY];
	struct list_node *n;

	cancel_list(&o->waiting);
	cancel_list(&o->pending);
	while ((n = list_first(busy)) != NULL) {
		struct http_connection *c =
		    container_of(n, struct http_connection, node);
		struct list_node *first = list_first(&c->calls);

		if (first == NULL)
			break;
		http_cancel(container_of(first, struct http_call, node));
	}
}

void
http_client_free(struct http_client *c)
{
	struct list_node *n;

	if (c == NULL)
		return;
	while ((n = list_first(&c->origins)) != NULL) {
		struct http_origin *o =
		    container_of(n, struct http_origin, node);

		cancel_all(o);
		http_origin_free(o);
	}
	tls_free(c->tls);
	dns_free(c->dns);
	slab_release(&c->connections);
	slab_release(&c->calls);
	wipe(c->out, sizeof c->out);
	pool_give(c);
}

struct loop *
http_client_loop(const struct http_client *c)
{
	return c->loop;
}

/* --- origins --- */

static int
origin_names(struct http_origin *o, struct error *e)
{
	static const char *const scheme[] = {
	    [URL_HTTP] = "http://",
	    [URL_HTTPS] = "https://",
	    [URL_UNIX] = "http+unix://",
	};
	struct text t;

	text_init(&t, 4096);
	text_add_str(&t, scheme[o->url.scheme]);
	url_add_host(&o->url, &t);
	o->text = arena_span(&o->arena, text_span(&t));
	if (o->url.scheme == URL_UNIX)
		o->host = span_of("localhost");
	else
		o->host = span_slice(
		    o->text, strlen(scheme[o->url.scheme]), o->text.n);
	if (text_overflowed(&t) || o->text.p == NULL) {
		text_release(&t);
		return error_set(e, ERROR_FULL, 0, "the URL is too long");
	}
	text_release(&t);
	return 0;
}

static int
origin_trust(struct http_origin *o, struct error *e)
{
	static const char *const both[] = {"h2", "http/1.1", NULL};
	static const char *const one[] = {"http/1.1", NULL, NULL};

	if (o->url.scheme == URL_UNIX)
		return 0;
	if (o->url.scheme == URL_HTTP) {
		if (o->set.plain_anywhere || url_is_loopback(&o->url))
			return 0;
		return error_set(e, ERROR_CONFIG, 0,
		    "%.*s: without TLS only this machine may be spoken to; "
		    "use https",
		    (int)o->text.n, o->text.p);
	}
	memcpy(o->set.tls.alpn, o->set.http1_only ? one : both, sizeof both);
	o->tls = tls_client_new(o->client->tls, &o->set.tls, e);
	return o->tls == NULL ? -1 : 0;
}

static struct span
from_environment(const char *upper, const char *lower)
{
	const char *value = getenv(lower);

	if (value == NULL || *value == '\0')
		value = getenv(upper);
	return span_of(value);
}

static int
origin_proxy(struct http_origin *o, struct error *e)
{
	struct span text = o->set.proxy;

	if (o->tls == NULL || o->set.no_proxy)
		return 0;
	if (text.n == 0) {
		text = from_environment("HTTPS_PROXY", "https_proxy");
		if (text.n == 0 || url_is_loopback(&o->url) ||
		    proxy_is_excepted(
			&o->url, from_environment("NO_PROXY", "no_proxy")))
			return 0;
	}
	return proxy_parse(&o->proxy, text, &o->arena, e);
}

struct http_origin *
http_origin_new(struct http_client *c,
    const struct http_origin_settings *settings, struct error *e)
{
	struct http_origin *o = pool_take(sizeof *o, NULL);

	if (o == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for an origin");
		return NULL;
	}
	memset(o, 0, sizeof *o);
	o->magic = ORIGIN_MAGIC;
	o->client = c;
	o->set = *settings;
	if (o->set.connections_max == 0)
		o->set.connections_max = ORIGIN_CONNECTIONS;
	if (o->set.calls_max == 0)
		o->set.calls_max = c->calls.slots;
	if (o->set.connect_ms == 0)
		o->set.connect_ms = ORIGIN_CONNECT_MS;
	if (o->set.idle_keep_ms == 0)
		o->set.idle_keep_ms = ORIGIN_IDLE_MS;
	origin_init(o);
	arena_init(&o->arena, ORIGIN_ARENA);
	list_append(&c->origins, &o->node);
	if (url_parse(&o->url, settings->url, &o->arena, e) == -1) {
		e->code = ERROR_CONFIG;
		goto failed;
	}
	if (origin_names(o, e) == -1 || origin_trust(o, e) == -1 ||
	    origin_proxy(o, e) == -1)
		goto failed;
	if (o->tls == NULL)
		o->protocol =
		    o->set.http2_unasked ? &http2_protocol : &http1_protocol;
	return o;
failed:
	http_origin_free(o);
	return NULL;
}

void
http_origin_free(struct http_origin *o)
{
	if (o == NULL)
		return;
	CHECK_OBJ(o, ORIGIN_MAGIC);
	CHECK(o->counts.in_flight == 0 && o->waiting.length == 0);
	origin_close_all(o);
	tls_client_free(o->tls);
	list_remove(&o->client->origins, &o->node);
	arena_release(&o->arena);
	o->magic = 0;
	pool_give(o);
}

struct span
http_origin_text(const struct http_origin *o)
{
	return o->text;
}

const struct url *
http_origin_url(const struct http_origin *o)
{
	return &o->url;
}

void
http_origin_counts(const struct http_origin *o, struct http_counts *out)
{
	*out = o->counts;
	out->waiting = o->waiting.length;
	out->connections = origin_connections(o);
	out->idle = o->connections[CONNECTION_IDLE].length;
	for (int i = 0; i < 3; i++) {
		const struct list *l = &o->connections[i];

		for (struct list_node *n = list_first(l); n != NULL;
		     n = list_next(l, n)) {
			struct http_connection *c =
			    container_of(n, struct http_connection, node);

			if (c->stream == NULL)
				continue;
			out->bytes_in += c->stream->bytes_in;
			out->bytes_out += c->stream->bytes_out;
		}
	}
}
