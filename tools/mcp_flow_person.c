/* PERSON and REGISTER: who we are at an issuer, and who is let in. */

#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "net/http.h"
#include "net/json_write.h"
#include "net/server.h"
#include "tools/mcp_discover.h"
#include "tools/mcp_flow_private.h"

/* --- PERSON --- */

/* NULL when the way back is as it must be; else why not. */
static const char *
judge_return(struct mcp_flow *f, struct span query)
{
	struct text t;
	const char *why = NULL;

	flow_text_init(&t);
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
	flow_text_init(&code);
	why = judge_return(f, target);
	if (why == NULL && !mcp_query_get(target, "code", &code))
		why = "the login was refused";
	server_answer(x, why == NULL ? 200 : 400, "text/plain",
	    span_of(why == NULL ? "Thank you.  You can close this page.\n"
				: "This did not work; skep says why.\n"));
	if (f->step == NULL) { /* once is enough */
		f->step = flow_got_token;
		if (why != NULL)
			flow_fail(f, why);
		else
			flow_ask_by_code(f, text_span(&code));
	}
	flow_text_wipe(&code);
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

	flow_text_init(&url);
	flow_text_init(&challenge);
	flow_random(&f->state);
	flow_random(&f->verifier);
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
		flow_ask_by_credentials(f);
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
	flow_text_set(&f->grant.method, span_of(method));
}

static void
registered(struct mcp_flow *f, const struct json_doc *d)
{
	if (f->status / 100 != 2 || d == NULL) {
		flow_refused(f, d);
		return;
	}
	text_clear(&f->grant.client_id);
	text_clear(&f->grant.client_secret);
	if (!flow_take(d, 0, "client_id", &f->grant.client_id)) {
		flow_fail(f, "the registration gave no client_id");
		return;
	}
	(void)flow_take(d, 0, "client_secret", &f->grant.client_secret);
	choose_method(f);
	if (json_type(d, json_get(d, 0, "token_endpoint_auth_method")) ==
	    JSON_STRING) {
		text_clear(&f->grant.method);
		(void)flow_take(
		    d, 0, "token_endpoint_auth_method", &f->grant.method);
	}
	ask_grant(f);
}

static void
register_now(struct mcp_flow *f)
{
	struct json_writer w;
	struct text t;

	flow_text_init(&t);
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
	flow_fetch(f, "POST", text_span(&f->registrar),
	    span_of("application/json"), text_span(&t), (struct span){NULL, 0},
	    registered);
	text_release(&t);
}

void
flow_find_client(struct mcp_flow *f)
{
	const struct mcp_oauth *o = &f->set.spec->oauth;

	if (o->grant == MCP_GRANT_CODE && listen_here(f) == -1) {
		loop_defer(&f->over);
		return;
	}
	if (o->client_id != NULL) {
		flow_text_set(&f->grant.client_id, span_of(o->client_id));
		flow_text_set(&f->grant.client_secret, text_span(&f->secret));
		choose_method(f);
		ask_grant(f);
	} else if (o->client_metadata_url != NULL && f->takes_metadata) {
		flow_text_set(
		    &f->grant.client_id, span_of(o->client_metadata_url));
		choose_method(f);
		ask_grant(f);
	} else if (f->registrar.n > 0)
		register_now(f);
	else
		flow_fail(
		    f, "the issuer registers nobody; give oauth.client_id");
}
