#include "tools/mcp_flow.h"

#include <string.h>

#include "config/mcp_spec.h"
#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/base/secret.h"
#include "net/base64.h"
#include "net/challenge.h"
#include "net/http.h"
#include "net/http_fetch.h"
#include "net/json.h"
#include "net/json_write.h"
#include "net/server.h"
#include "net/tls_sign.h"
#include "net/url.h"
#include "tools/mcp_discover.h"

#define FLOW_MAGIC 0x70016f01u
#define FETCH_MS 10000
#define ASSERTION_SECONDS 300
#define TEXT_MAX (64 * KIB)

struct mcp_flow {
	unsigned magic;
	struct mcp_flow_settings set;
	struct text secret, key, challenge, more; /* what set points to */
	struct mcp_grant_kept grant;              /* that is being made */
	struct http_fetch *fetch;
	void (*step)(struct mcp_flow *f, const struct json_doc *d);
	int status;
	unsigned candidate;
	int is_legacy; /* nobody described the server */

	struct text authorize, registrar; /* endpoints */
	struct text issuer_scopes;        /* all that the issuer knows */
	int takes_metadata, names_issuer; /* of the issuer */
	int methods;                      /* enum method, or'ed */

	struct server *listener;
	struct text redirect, state, verifier;
	struct error error;
	struct loop_deferred over;
	mcp_flow_done_fn *done;
	void *owner;
};

enum method {
	METHOD_BASIC = 1,
	METHOD_POST = 2,
	METHOD_NONE = 4,
	METHOD_JWT = 8
};

/* --- grants --- */

#define EACH_TEXT(g, F)                                                     \
	F(&(g)->access), F(&(g)->refresh), F(&(g)->scope), F(&(g)->issuer), \
	    F(&(g)->token_endpoint), F(&(g)->resource), F(&(g)->client_id), \
	    F(&(g)->client_secret), F(&(g)->method)

static void
init_text(struct text *t)
{
	text_init(t, TEXT_MAX);
}

static void
wipe_text(struct text *t)
{
	if (t->p != NULL)
		wipe(t->p, t->size);
	text_release(t);
}

void
mcp_grant_init(struct mcp_grant_kept *g)
{
	EACH_TEXT(g, init_text);
	g->expires_ms = 0;
}

void
mcp_grant_release(struct mcp_grant_kept *g)
{
	EACH_TEXT(g, wipe_text);
}

static void
set_text(struct text *t, struct span s)
{
	text_clear(t);
	text_add(t, s);
}

void
mcp_grant_copy(struct mcp_grant_kept *to, const struct mcp_grant_kept *from)
{
	set_text(&to->access, text_span(&from->access));
	set_text(&to->refresh, text_span(&from->refresh));
	set_text(&to->scope, text_span(&from->scope));
	set_text(&to->issuer, text_span(&from->issuer));
	set_text(&to->token_endpoint, text_span(&from->token_endpoint));
	set_text(&to->resource, text_span(&from->resource));
	set_text(&to->client_id, text_span(&from->client_id));
	set_text(&to->client_secret, text_span(&from->client_secret));
	set_text(&to->method, text_span(&from->method));
	to->expires_ms = from->expires_ms;
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

static void
fail(struct mcp_flow *f, const char *why)
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

static void
fetch(struct mcp_flow *f, const char *method, struct span url, struct span type,
    struct span body, struct span authorization,
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

	fetch(f, "GET", url, none, none, none, step);
}

/* A member that is a text, appended; 1 when it was there. */
static int
take(const struct json_doc *d, int object, const char *key, struct text *out)
{
	int v = json_get(d, object, key);

	if (json_type(d, v) != JSON_STRING)
		return 0;
	json_string_add(d, v, out);
	return 1;
}

/* --- TOKEN --- */

/* The words that the token's server uses for what went wrong. */
static void
token_refused(struct mcp_flow *f, const struct json_doc *d)
{
	struct text t;

	if (f->status == 0) {
		loop_defer(&f->over); /* f->error says it */
		return;
	}
	init_text(&t);
	if (d == NULL || !take(d, 0, "error", &t))
		text_printf(&t, "HTTP status %d", f->status);
	text_add_str(&t,
	    d != NULL && json_get(d, 0, "error_description") != -1 ? ": " : "");
	if (d != NULL)
		(void)take(d, 0, "error_description", &t);
	error_set(&f->error, ERROR_DENIED, 0, "no token was given: %s", t.p);
	loop_defer(&f->over);
	text_release(&t);
}

static void
got_token(struct mcp_flow *f, const struct json_doc *d)
{
	struct text type;
	int64_t seconds;

	init_text(&type);
	if (f->status / 100 != 2 || d == NULL) {
		token_refused(f, d);
		return;
	}
	text_clear(&f->grant.access);
	if (!take(d, 0, "access_token", &f->grant.access) ||
	    f->grant.access.n == 0)
		fail(f, "the answer has no token in it");
	else if (!take(d, 0, "token_type", &type) ||
		 !span_is_nocase(text_span(&type), "bearer"))
		fail(f, "the token is of a kind that skep does not know");
	else {
		if (json_get(d, 0, "refresh_token") != -1) {
			text_clear(&f->grant.refresh);
			(void)take(d, 0, "refresh_token", &f->grant.refresh);
		}
		if (json_type(d, json_get(d, 0, "scope")) == JSON_STRING) {
			text_clear(&f->grant.scope);
			(void)take(d, 0, "scope", &f->grant.scope);
		}
		seconds = json_int_or(d, json_get(d, 0, "expires_in"), 0);
		f->grant.expires_ms =
		    seconds > 0 ? os->wall_ms() + seconds * 1000 : 0;
		loop_defer(&f->over);
	}
	text_release(&type);
}

/* "Basic ..." of id and secret, each encoded as in a form. */
static void
write_basic(const struct mcp_flow *f, struct text *out)
{
	struct text pair;

	init_text(&pair);
	url_encode(text_span(&f->grant.client_id), 0, &pair);
	text_add_char(&pair, ':');
	url_encode(text_span(&f->grant.client_secret), 0, &pair);
	text_add_str(out, "Basic ");
	base64_encode(text_span(&pair), out);
	wipe_text(&pair);
}

static void
random_text(struct text *out)
{
	unsigned char bytes[32];

	CHECK(os->random(bytes, sizeof bytes) == 0);
	mcp_base64url((struct span){(const char *)bytes, sizeof bytes}, out);
}

static void
add_part(struct text *out, const struct text *json)
{
	if (out->n > 0)
		text_add_char(out, '.');
	mcp_base64url(text_span(json), out);
}

static void
write_claims(const struct mcp_flow *f, struct text *out)
{
	int64_t now = os->wall_ms() / 1000;
	struct json_writer w;
	struct text id;

	init_text(&id);
	random_text(&id);
	json_write_init(&w, out);
	json_write_object(&w);
	json_put_span(&w, "iss", text_span(&f->grant.client_id));
	json_put_span(&w, "sub", text_span(&f->grant.client_id));
	json_put_span(&w, "aud", text_span(&f->grant.issuer));
	json_put_span(&w, "jti", text_span(&id));
	json_put_int(&w, "iat", now);
	json_put_int(&w, "exp", now + ASSERTION_SECONDS);
	json_write_end(&w);
	text_release(&id);
}

static void
write_algorithm(struct text *out)
{
	struct json_writer w;

	json_write_init(&w, out);
	json_write_object(&w);
	json_put_str(&w, "alg", "ES256");
	json_put_str(&w, "typ", "JWT");
	json_write_end(&w);
}

/* Who we are, signed with our key (RFC 7523). */
static int
add_assertion(struct mcp_flow *f, struct text *form)
{
	unsigned char signature[TLS_SIGNATURE_BYTES];
	struct text jwt, part;
	int rc;

	init_text(&jwt);
	init_text(&part);
	write_algorithm(&part);
	add_part(&jwt, &part);
	text_clear(&part);
	write_claims(f, &part);
	add_part(&jwt, &part);
	rc =
	    tls_sign(text_span(&f->key), text_span(&jwt), signature, &f->error);
	text_add_char(&jwt, '.');
	mcp_base64url(
	    (struct span){(const char *)signature, sizeof signature}, &jwt);
	mcp_form_add(form, "client_assertion_type",
	    span_of("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
	mcp_form_add(form, "client_assertion", text_span(&jwt));
	text_release(&jwt);
	text_release(&part);
	return rc;
}

/* Ask for a token; form holds the grant's own members. */
static void
ask_token(struct mcp_flow *f, struct text *form)
{
	struct span method = text_span(&f->grant.method);
	struct text authorization;

	init_text(&authorization);
	mcp_form_add(form, "resource", text_span(&f->grant.resource));
	if (span_is(method, "client_secret_basic"))
		write_basic(f, &authorization);
	else
		mcp_form_add(form, "client_id", text_span(&f->grant.client_id));
	if (span_is(method, "client_secret_post"))
		mcp_form_add(
		    form, "client_secret", text_span(&f->grant.client_secret));
	if (span_is(method, "private_key_jwt") && add_assertion(f, form) == -1)
		loop_defer(&f->over);
	else
		fetch(f, "POST", text_span(&f->grant.token_endpoint),
		    span_of("application/x-www-form-urlencoded"),
		    text_span(form), text_span(&authorization), got_token);
	wipe_text(&authorization);
}

static void
ask_by_refresh(struct mcp_flow *f)
{
	struct text form;

	init_text(&form);
	mcp_form_add(&form, "grant_type", span_of("refresh_token"));
	mcp_form_add(&form, "refresh_token", text_span(&f->grant.refresh));
	ask_token(f, &form);
	wipe_text(&form);
}

static void
ask_by_credentials(struct mcp_flow *f)
{
	struct text form;

	init_text(&form);
	mcp_form_add(&form, "grant_type", span_of("client_credentials"));
	mcp_form_add(&form, "scope", text_span(&f->grant.scope));
	ask_token(f, &form);
	wipe_text(&form);
}

static void
ask_by_code(struct mcp_flow *f, struct span code)
{
	struct text form;

	init_text(&form);
	mcp_form_add(&form, "grant_type", span_of("authorization_code"));
	mcp_form_add(&form, "code", code);
	mcp_form_add(&form, "redirect_uri", text_span(&f->redirect));
	mcp_form_add(&form, "code_verifier", text_span(&f->verifier));
	ask_token(f, &form);
	wipe_text(&form);
}

/* --- PERSON --- */

/* NULL when the way back is as it must be; else why not. */
static const char *
judge_return(struct mcp_flow *f, struct span query)
{
	struct text t;
	const char *why = NULL;

	init_text(&t);
	if (!mcp_query_get(query, "state", &t) ||
	    !span_eq(text_span(&t), text_span(&f->state)))
		why = "the browser came back with another state than it left "
		      "with";
	text_clear(&t);
	if (why == NULL && mcp_query_get(query, "iss", &t)) {
		if (!span_eq(text_span(&t), text_span(&f->grant.issuer)))
			why = "the browser came back from another issuer than "
			      "the one it was sent to";
	} else if (why == NULL && f->names_issuer)
		why = "the browser came back without the name of the issuer";
	text_release(&t);
	return why;
}

static void
returned(void *owner, struct exchange *x)
{
	struct mcp_flow *f = owner;
	struct span target = exchange_target(x);
	struct span path = span_cut(&target, '?');
	struct text code;
	const char *why;

	if (!span_is(path, "/callback")) {
		server_answer(x, 404, "text/plain", span_of("not here\n"));
		return;
	}
	init_text(&code);
	why = judge_return(f, target);
	if (why == NULL && !mcp_query_get(target, "code", &code))
		why = "the login was refused";
	server_answer(x, why == NULL ? 200 : 400, "text/plain",
	    span_of(why == NULL ? "Thank you.  You can close this page.\n"
				: "This did not work; skep says why.\n"));
	if (f->step == NULL) { /* once is enough */
		f->step = got_token;
		if (why != NULL)
			fail(f, why);
		else
			ask_by_code(f, text_span(&code));
	}
	wipe_text(&code);
}

static void
ignore_exchange(void *owner, struct exchange *x)
{
	(void)owner;
	(void)x;
}

static const struct server_ops listener_ops = {
    .request = returned,
    .writable = ignore_exchange,
    .gone = ignore_exchange,
};

static int
listen_here(struct mcp_flow *f)
{
	struct server_settings s = {.idle_ms = 1000};

	CHECK(address_numeric(&s.at, span_of("127.0.0.1"),
		  (uint16_t)f->set.spec->oauth.redirect_port) == 0);
	f->listener = server_new(
	    http_client_loop(f->set.http), &s, &listener_ops, f, &f->error);
	if (f->listener == NULL)
		return -1;
	text_printf(&f->redirect, "http://127.0.0.1:%u/callback",
	    address_port(server_address(f->listener)));
	return 0;
}

static void
ask_person(struct mcp_flow *f)
{
	struct text url, challenge;
	struct digest digest;

	init_text(&url);
	init_text(&challenge);
	random_text(&f->state);
	random_text(&f->verifier);
	hash_of(text_span(&f->verifier), &digest);
	mcp_base64url(
	    (struct span){(const char *)digest.byte, HASH_BYTES}, &challenge);
	text_add(&url, text_span(&f->authorize));
	if (span_find(text_span(&url), '?', 0) == url.n)
		text_add_char(&url, '?');
	mcp_form_add(&url, "response_type", span_of("code"));
	mcp_form_add(&url, "client_id", text_span(&f->grant.client_id));
	mcp_form_add(&url, "redirect_uri", text_span(&f->redirect));
	mcp_form_add(&url, "scope", text_span(&f->grant.scope));
	mcp_form_add(&url, "state", text_span(&f->state));
	mcp_form_add(&url, "code_challenge", text_span(&challenge));
	mcp_form_add(&url, "code_challenge_method", span_of("S256"));
	mcp_form_add(&url, "resource", text_span(&f->grant.resource));
	f->step = NULL;
	f->set.show(f->owner, text_span(&url));
	text_release(&url);
	text_release(&challenge);
}

/* --- REGISTER --- */

static void
ask_grant(struct mcp_flow *f)
{
	if (f->set.spec->oauth.grant == MCP_GRANT_CLIENT)
		ask_by_credentials(f);
	else
		ask_person(f);
}

/* How we show that we are who we say, by what both sides can do. */
static void
choose_method(struct mcp_flow *f)
{
	const char *method = "none";

	if (f->key.n > 0)
		method = "private_key_jwt";
	else if (f->grant.client_secret.n > 0) {
		if (f->methods & METHOD_BASIC || f->methods == 0)
			method = "client_secret_basic";
		else if (f->methods & METHOD_POST)
			method = "client_secret_post";
	}
	set_text(&f->grant.method, span_of(method));
}

static void
registered(struct mcp_flow *f, const struct json_doc *d)
{
	if (f->status / 100 != 2 || d == NULL) {
		token_refused(f, d);
		return;
	}
	text_clear(&f->grant.client_id);
	text_clear(&f->grant.client_secret);
	if (!take(d, 0, "client_id", &f->grant.client_id)) {
		fail(f, "the registration gave no client_id");
		return;
	}
	(void)take(d, 0, "client_secret", &f->grant.client_secret);
	choose_method(f);
	if (json_type(d, json_get(d, 0, "token_endpoint_auth_method")) ==
	    JSON_STRING) {
		text_clear(&f->grant.method);
		(void)take(
		    d, 0, "token_endpoint_auth_method", &f->grant.method);
	}
	ask_grant(f);
}

static void
register_now(struct mcp_flow *f)
{
	struct json_writer w;
	struct text t;

	init_text(&t);
	json_write_init(&w, &t);
	json_write_object(&w);
	json_put_str(&w, "client_name", "skep");
	json_put_str(&w, "application_type", "native");
	json_put_array(&w, "redirect_uris");
	json_write_span(&w, text_span(&f->redirect));
	json_write_end(&w);
	json_put_array(&w, "grant_types");
	json_write_str(&w, "authorization_code");
	json_write_str(&w, "refresh_token");
	json_write_end(&w);
	json_put_array(&w, "response_types");
	json_write_str(&w, "code");
	json_write_end(&w);
	json_put_str(&w, "token_endpoint_auth_method",
	    f->methods & METHOD_NONE    ? "none"
	    : f->methods & METHOD_BASIC ? "client_secret_basic"
	    : f->methods & METHOD_POST  ? "client_secret_post"
					: "none");
	json_write_end(&w);
	fetch(f, "POST", text_span(&f->registrar), span_of("application/json"),
	    text_span(&t), (struct span){NULL, 0}, registered);
	text_release(&t);
}

static void
find_client(struct mcp_flow *f)
{
	const struct mcp_oauth *o = &f->set.spec->oauth;

	if (o->grant == MCP_GRANT_CODE && listen_here(f) == -1) {
		loop_defer(&f->over);
		return;
	}
	if (o->client_id != NULL) {
		set_text(&f->grant.client_id, span_of(o->client_id));
		set_text(&f->grant.client_secret, text_span(&f->secret));
		choose_method(f);
		ask_grant(f);
	} else if (o->client_metadata_url != NULL && f->takes_metadata) {
		set_text(&f->grant.client_id, span_of(o->client_metadata_url));
		choose_method(f);
		ask_grant(f);
	} else if (f->registrar.n > 0)
		register_now(f);
	else
		fail(f, "the issuer registers nobody; give oauth.client_id");
}

/* --- ISSUER --- */

static void
choose_scope(struct mcp_flow *f)
{
	struct text *scope = &f->grant.scope;

	if (f->set.spec->oauth.scope != NULL)
		set_text(scope, span_of(f->set.spec->oauth.scope));
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
	    (mcp_list_has(d, list, "none") ? METHOD_NONE : 0) |
	    (mcp_list_has(d, list, "private_key_jwt") ? METHOD_JWT : 0);
}

static void
join_words(const struct json_doc *d, int list, struct text *out)
{
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v)) {
		struct text word;

		init_text(&word);
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

	init_text(&name);
	(void)take(d, 0, "issuer", &name);
	matches = span_eq(text_span(&name), text_span(&f->grant.issuer));
	text_release(&name);
	if (!matches)
		return "the issuer calls itself by another name than the "
		       "address that led to it";
	if (!take(d, 0, "token_endpoint", &f->grant.token_endpoint))
		return "the issuer has no token endpoint";
	if (is_code && !take(d, 0, "authorization_endpoint", &f->authorize))
		return "the issuer has no authorization endpoint";
	if (is_code &&
	    !mcp_list_has(
		d, json_get(d, 0, "code_challenge_methods_supported"), "S256"))
		return "the issuer does not do PKCE with S256";
	(void)take(d, 0, "registration_endpoint", &f->registrar);
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
	find_client(f);
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
		fail(f, why);
		return;
	}
	choose_scope(f);
	find_client(f);
}

static void
ask_issuer(struct mcp_flow *f)
{
	struct text url;

	init_text(&url);
	if (mcp_issuer_address(text_span(&f->grant.issuer), f->candidate, &url))
		get(f, text_span(&url), issuer_told);
	else if (f->is_legacy)
		assume_endpoints(f);
	else
		fail(f, "the issuer does not describe itself");
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
	if (!take(d, 0, "resource", resource) ||
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
		fail(f, why);
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

	init_text(&url);
	if (challenge_get(text_span(&f->challenge), "bearer",
		"resource_metadata", &url)) {
		if (f->candidate == 0)
			get(f, text_span(&url), protected_told);
		else
			fail(f, "the server's description cannot be had");
	} else if (mcp_protected_address(
		       span_of(f->set.spec->url), f->candidate, &url))
		get(f, text_span(&url), protected_told);
	else {
		f->is_legacy = 1;
		f->candidate = 0;
		set_text(&f->grant.resource, span_of(f->set.spec->url));
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
		init_text(texts[i]);
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
		ask_by_refresh(f);
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
	wipe_text(&f->secret);
	wipe_text(&f->key);
	wipe_text(&f->verifier);
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
