/* TOKEN: the last step of every login. */

#include "engine/base/os.h"
#include "engine/base/secret.h"
#include "net/base64.h"
#include "net/json_write.h"
#include "net/tls_sign.h"
#include "net/url.h"
#include "tools/mcp_discover.h"
#include "tools/mcp_flow_private.h"

#define ASSERTION_SECONDS 300

/* The words that the token's server uses for what went wrong. */
void
flow_refused(struct mcp_flow *f, const struct json_doc *d)
{
	struct text t;

	if (f->status == 0) {
		loop_defer(&f->over); /* f->error says it */
		return;
	}
	flow_text_init(&t);
	if (d == NULL || !flow_take(d, 0, "error", &t))
		text_printf(&t, "HTTP status %d", f->status);
	text_add_str(&t,
	    d != NULL && json_get(d, 0, "error_description") != -1 ? ": " : "");
	if (d != NULL)
		(void)flow_take(d, 0, "error_description", &t);
	error_set(&f->error, ERROR_DENIED, 0, "no token was given: %s", t.p);
	loop_defer(&f->over);
	text_release(&t);
}

void
flow_got_token(struct mcp_flow *f, const struct json_doc *d)
{
	struct text type;
	int64_t seconds;

	flow_text_init(&type);
	if (f->status / 100 != 2 || d == NULL) {
		flow_refused(f, d);
		return;
	}
	text_clear(&f->grant.access);
	if (!flow_take(d, 0, "access_token", &f->grant.access) ||
	    f->grant.access.n == 0)
		flow_fail(f, "the answer has no token in it");
	else if (!flow_take(d, 0, "token_type", &type) ||
		 !span_is_nocase(text_span(&type), "bearer"))
		flow_fail(f, "the token is of a kind that skep does not know");
	else {
		if (json_get(d, 0, "refresh_token") != -1) {
			text_clear(&f->grant.refresh);
			(void)flow_take(
			    d, 0, "refresh_token", &f->grant.refresh);
		}
		if (json_type(d, json_get(d, 0, "scope")) == JSON_STRING) {
			text_clear(&f->grant.scope);
			(void)flow_take(d, 0, "scope", &f->grant.scope);
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

	flow_text_init(&pair);
	url_encode(text_span(&f->grant.client_id), 0, &pair);
	text_add_char(&pair, ':');
	url_encode(text_span(&f->grant.client_secret), 0, &pair);
	text_add_str(out, "Basic ");
	base64_encode(text_span(&pair), out);
	flow_text_wipe(&pair);
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

	flow_text_init(&id);
	flow_random(&id);
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

	flow_text_init(&jwt);
	flow_text_init(&part);
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

	flow_text_init(&authorization);
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
		flow_fetch(f, "POST", text_span(&f->grant.token_endpoint),
		    span_of("application/x-www-form-urlencoded"),
		    text_span(form), text_span(&authorization), flow_got_token);
	flow_text_wipe(&authorization);
}

void
flow_ask_by_refresh(struct mcp_flow *f)
{
	struct text form;

	flow_text_init(&form);
	mcp_form_add(&form, "grant_type", span_of("refresh_token"));
	mcp_form_add(&form, "refresh_token", text_span(&f->grant.refresh));
	ask_token(f, &form);
	flow_text_wipe(&form);
}

void
flow_ask_by_credentials(struct mcp_flow *f)
{
	struct text form;

	flow_text_init(&form);
	mcp_form_add(&form, "grant_type", span_of("client_credentials"));
	mcp_form_add(&form, "scope", text_span(&f->grant.scope));
	ask_token(f, &form);
	flow_text_wipe(&form);
}

void
flow_ask_by_code(struct mcp_flow *f, struct span code)
{
	struct text form;

	flow_text_init(&form);
	mcp_form_add(&form, "grant_type", span_of("authorization_code"));
	mcp_form_add(&form, "code", code);
	mcp_form_add(&form, "redirect_uri", text_span(&f->redirect));
	mcp_form_add(&form, "code_verifier", text_span(&f->verifier));
	ask_token(f, &form);
	flow_text_wipe(&form);
}
