#include "tools/mcp_flow.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/secret.h"
#include "net/challenge.h"
#include "net/http.h"
#include "net/http_fetch.h"
#include "net/server.h"
#include "tools/mcp_discover.h"
#include "tools/mcp_flow_private.h"

#define FETCH_MS 10000
#define TEXT_MAX (64 * KIB)

/* --- grants --- */

#define EACH_TEXT(g, F)                                                     \
	F(&(g)->access), F(&(g)->refresh), F(&(g)->scope), F(&(g)->issuer), \
	    F(&(g)->token_endpoint), F(&(g)->resource), F(&(g)->client_id), \
	    F(&(g)->client_secret), F(&(g)->method)

void
flow_text_init(struct text *t)
{
	text_init(t, TEXT_MAX);
}

void
flow_text_wipe(struct text *t)
{
	if (t->p != NULL)
		wipe(t->p, t->size);
	text_release(t);
}

void
mcp_grant_init(struct mcp_grant_kept *g)
{
	EACH_TEXT(g, flow_text_init);
	g->expires_ms = 0;
}

void
mcp_grant_release(struct mcp_grant_kept *g)
{
	EACH_TEXT(g, flow_text_wipe);
}

void
flow_text_set(struct text *t, struct span s)
{
	text_clear(t);
	text_add(t, s);
}

void
mcp_grant_copy(struct mcp_grant_kept *to, const struct mcp_grant_kept *from)
{
	flow_text_set(&to->access, text_span(&from->access));
	flow_text_set(&to->refresh, text_span(&from->refresh));
	flow_text_set(&to->scope, text_span(&from->scope));
	flow_text_set(&to->issuer, text_span(&from->issuer));
	flow_text_set(&to->token_endpoint, text_span(&from->token_endpoint));
	flow_text_set(&to->resource, text_span(&from->resource));
	flow_text_set(&to->client_id, text_span(&from->client_id));
	flow_text_set(&to->client_secret, text_span(&from->client_secret));
	flow_text_set(&to->method, text_span(&from->method));
	to->expires_ms = from->expires_ms;
}

void
flow_random(struct text *out)
{
	unsigned char bytes[32];

	CHECK(os->random(bytes, sizeof bytes) == 0);
	mcp_base64url((struct span){(const char *)bytes, sizeof bytes}, out);
}

/* --- ends and fetches --- */

static void
over(struct loop_deferred *d)
{
	struct mcp_flow *f = container_of(d, struct mcp_flow, over);

	CHECK_OBJ(f, FLOW_MAGIC);
	f->done(f, &f->grant, f->error.code != ERROR_NONE ? &f->error : NULL,
	    f->owner);
}

void
flow_fail(struct mcp_flow *f, const char *why)
{
	error_set(&f->error, ERROR_DENIED, 0, "%s", why);
	loop_defer(&f->over);
}

static void
fetched(struct http_fetch *fetch, int status, struct span body,
    const struct error *error, void *owner)
{
	struct mcp_flow *f = owner;
	struct json_doc d;
	struct error ignored;
	int is_json;

	json_doc_init(&d);
	f->status = error == NULL ? status : 0;
	if (error != NULL)
		f->error = *error;
	is_json = error == NULL && json_parse(&d, body, 0, &ignored) == 0 &&
		  json_type(&d, 0) == JSON_OBJECT;
	f->fetch = NULL;
	f->step(f, is_json ? &d : NULL);
	json_doc_release(&d);
	http_fetch_free(fetch);
}

void
flow_fetch(struct mcp_flow *f, const char *method, struct span url,
    struct span type, struct span body, struct span authorization,
    void (*step)(struct mcp_flow *f, const struct json_doc *d))
{
	struct http_fetch_settings s = {
	    .method = method,
	    .url = url,
	    .content_type = type,
	    .body = body,
	    .authorization = authorization,
	    .ca_file = f->set.spec->ca_file,
	    .plain_anywhere = f->set.plain_anywhere,
	    .timeout_ms = FETCH_MS,
	};

	f->step = step;
	f->error.code = ERROR_NONE;
	f->fetch = http_fetch_start(f->set.http, &s, fetched, f, &f->error);
	if (f->fetch == NULL)
		loop_defer(&f->over);
}

static void
get(struct mcp_flow *f, struct span url,
    void (*step)(struct mcp_flow *f, const struct json_doc *d))
{
	struct span none = {NULL, 0};

	flow_fetch(f, "GET", url, none, none, none, step);
}

/* A member that is a text, appended; 1 when it was there. */
int
flow_take(
    const struct json_doc *d, int object, const char *key, struct text *out)
{
	int v = json_get(d, object, key);

	if (json_type(d, v) != JSON_STRING)
		return 0;
	json_string_add(d, v, out);
	return 1;
}

/* --- ISSUER --- */

static void
choose_scope(struct mcp_flow *f)
{
	struct text *scope = &f->grant.scope;

	if (f->set.spec->oauth.scope != NULL)
		flow_text_set(scope, span_of(f->set.spec->oauth.scope));
	if (f->set.before != NULL)
		mcp_scope_add(text_span(&f->set.before->scope), scope);
	mcp_scope_add(text_span(&f->more), scope);
	/* So that a token can be refreshed without a person. */
	if (f->set.spec->oauth.grant == MCP_GRANT_CODE && scope->n > 0) {
		struct span all = text_span(&f->issuer_scopes);

		while (all.n > 0)
			if (span_is(span_cut(&all, ' '), "offline_access"))
				mcp_scope_add(span_of("offline_access"), scope);
	}
}

static void
read_methods(struct mcp_flow *f, const struct json_doc *d)
{
	int list = json_get(d, 0, "token_endpoint_auth_methods_supported");

	f->methods =
	    (mcp_list_has(d, list, "client_secret_basic") ? METHOD_BASIC : 0) |
	    (mcp_list_has(d, list, "client_secret_post") ? METHOD_POST : 0) |
	    (mcp_list_has(d, list, "none") ? METHOD_NONE : 0);
}

static void
join_words(const struct json_doc *d, int list, struct text *out)
{
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v)) {
		struct text word;

		flow_text_init(&word);
		json_string_add(d, v, &word);
		mcp_scope_add(text_span(&word), out);
		text_release(&word);
	}
}

/* NULL when the issuer can be used; else why not. */
static const char *
read_issuer(struct mcp_flow *f, const struct json_doc *d)
{
	int is_code = f->set.spec->oauth.grant == MCP_GRANT_CODE;
	struct text name;
	int matches;

	flow_text_init(&name);
	(void)flow_take(d, 0, "issuer", &name);
	matches = span_eq(text_span(&name), text_span(&f->grant.issuer));
	text_release(&name);
	if (!matches)
		return "the issuer calls itself by another name than the "
		       "address that led to it";
	if (!flow_take(d, 0, "token_endpoint", &f->grant.token_endpoint))
		return "the issuer has no token endpoint";
	if (is_code &&
	    !flow_take(d, 0, "authorization_endpoint", &f->authorize))
		return "the issuer has no authorization endpoint";
	if (is_code &&
	    !mcp_list_has(
		d, json_get(d, 0, "code_challenge_methods_supported"), "S256"))
		return "the issuer does not do PKCE with S256";
	(void)flow_take(d, 0, "registration_endpoint", &f->registrar);
	f->takes_metadata = json_bool_or(
	    d, json_get(d, 0, "client_id_metadata_document_supported"), 0);
	f->names_issuer = json_bool_or(d,
	    json_get(d, 0, "authorization_response_iss_parameter_supported"),
	    0);
	read_methods(f, d);
	join_words(d, json_get(d, 0, "scopes_supported"), &f->issuer_scopes);
	return NULL;
}

/* Endpoints as they were before anybody described them. */
static void
assume_endpoints(struct mcp_flow *f)
{
	struct span root = text_span(&f->grant.issuer);

	text_printf(
	    &f->grant.token_endpoint, "%.*s/token", (int)root.n, root.p);
	text_printf(&f->authorize, "%.*s/authorize", (int)root.n, root.p);
	text_printf(&f->registrar, "%.*s/register", (int)root.n, root.p);
	f->methods = METHOD_NONE;
	choose_scope(f);
	flow_find_client(f);
}

static void ask_issuer(struct mcp_flow *f);

static void
issuer_told(struct mcp_flow *f, const struct json_doc *d)
{
	const char *why;

	if (f->status != 200 || d == NULL) {
		f->candidate++;
		ask_issuer(f);
		return;
	}
	why = read_issuer(f, d);
	if (why != NULL) {
		flow_fail(f, why);
		return;
	}
	choose_scope(f);
	flow_find_client(f);
}

static void
ask_issuer(struct mcp_flow *f)
{
	struct text url;

	flow_text_init(&url);
	if (mcp_issuer_address(text_span(&f->grant.issuer), f->candidate, &url))
		get(f, text_span(&url), issuer_told);
	else if (f->is_legacy)
		assume_endpoints(f);
	else
		flow_fail(f, "the issuer does not describe itself");
	text_release(&url);
}

/* --- PROTECTED --- */

static void ask_protected(struct mcp_flow *f);

static const char *
read_protected(struct mcp_flow *f, const struct json_doc *d)
{
	struct text *resource = &f->grant.resource;
	int issuers = json_get(d, 0, "authorization_servers");
	int first = json_at(d, issuers, 0);

	text_clear(resource);
	if (!flow_take(d, 0, "resource", resource) ||
	    !mcp_resource_matches(
		text_span(resource), span_of(f->set.spec->url)))
		return "what the server calls itself is not its address";
	if (json_type(d, first) != JSON_STRING)
		return "the server names no issuer of tokens";
	json_string_add(d, first, &f->grant.issuer);
	if (f->grant.scope.n == 0)
		join_words(
		    d, json_get(d, 0, "scopes_supported"), &f->grant.scope);
	return NULL;
}

static void
protected_told(struct mcp_flow *f, const struct json_doc *d)
{
	const char *why;

	if (f->status != 200 || d == NULL) {
		f->candidate++;
		ask_protected(f);
		return;
	}
	why = read_protected(f, d);
	if (why != NULL) {
		flow_fail(f, why);
		return;
	}
	f->candidate = 0;
	ask_issuer(f);
}

/* The address in the challenge is the first candidate, and the only one. */
static void
ask_protected(struct mcp_flow *f)
{
	struct text url;

	flow_text_init(&url);
	if (challenge_get(text_span(&f->challenge), "bearer",
		"resource_metadata", &url)) {
		if (f->candidate == 0)
			get(f, text_span(&url), protected_told);
		else
			flow_fail(f, "the server's description cannot be had");
	} else if (mcp_protected_address(
		       span_of(f->set.spec->url), f->candidate, &url))
		get(f, text_span(&url), protected_told);
	else {
		f->is_legacy = 1;
		f->candidate = 0;
		flow_text_set(&f->grant.resource, span_of(f->set.spec->url));
		mcp_origin_add(span_of(f->set.spec->url), &f->grant.issuer);
		ask_issuer(f);
	}
	text_release(&url);
}

/* --- life --- */

static void
copy_settings(struct mcp_flow *f, const struct mcp_flow_settings *s)
{
	struct text *const texts[] = {&f->secret, &f->key, &f->challenge,
	    &f->more, &f->authorize, &f->registrar, &f->issuer_scopes,
	    &f->redirect, &f->state, &f->verifier};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		flow_text_init(texts[i]);
	mcp_grant_init(&f->grant);
	f->set = *s;
	text_add(&f->secret, s->client_secret);
	text_add(&f->key, s->private_key);
	text_add(&f->challenge, s->challenge);
	text_add(&f->more, s->scope_more);
}

struct mcp_flow *
mcp_flow_start(const struct mcp_flow_settings *s, mcp_flow_done_fn *done,
    void *owner, struct error *e)
{
	struct mcp_flow *f = pool_take(sizeof *f, NULL);

	if (f == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for a login");
		return NULL;
	}
	memset(f, 0, sizeof *f);
	f->magic = FLOW_MAGIC;
	f->done = done;
	f->owner = owner;
	copy_settings(f, s);
	loop_deferred_init(&f->over, http_client_loop(s->http), over);
	if (s->refresh) {
		mcp_grant_copy(&f->grant, s->before);
		flow_ask_by_refresh(f);
		return f;
	}
	(void)challenge_get(
	    text_span(&f->challenge), "bearer", "scope", &f->grant.scope);
	ask_protected(f);
	return f;
}

void
mcp_flow_free(struct mcp_flow *f)
{
	if (f == NULL)
		return;
	CHECK_OBJ(f, FLOW_MAGIC);
	loop_undefer(&f->over);
	http_fetch_free(f->fetch);
	if (f->listener != NULL)
		server_free(f->listener);
	mcp_grant_release(&f->grant);
	flow_text_wipe(&f->secret);
	flow_text_wipe(&f->key);
	flow_text_wipe(&f->verifier);
	text_release(&f->challenge);
	text_release(&f->more);
	text_release(&f->authorize);
	text_release(&f->registrar);
	text_release(&f->issuer_scopes);
	text_release(&f->redirect);
	text_release(&f->state);
	f->magic = 0;
	pool_give(f);
}
