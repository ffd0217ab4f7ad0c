#include "tools/mcp_auth.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/challenge.h"
#include "tools/mcp_flow.h"
#include "tools/mcp_private.h"

#define AUTH_MAGIC 0x70016a01u

struct mcp_auth {
	unsigned magic;
	struct mcp_server *server;
	struct mcp_grant_kept grant; /* empty: there was no login */
	struct secret token, client_secret, private_key;
	struct text challenge; /* the last one */
	struct mcp_flow *flow;
	struct list waiting; /* requests */
	/* A login that somebody runs the loop for. */
	int logging_in, login_is_over;
	struct error login_error;
	void (*show)(void *owner, struct span url);
	void *show_owner;
};

/* --- from birth to death --- */

static int
use_token(struct mcp_auth *a, struct error *e)
{
	secret_release(&a->token);
	if (a->grant.access.n == 0)
		return 0;
	return secret_from_span(
	    &a->token, text_span(&a->grant.access), "the token", e);
}

static int
read_credentials(struct mcp_auth *a, struct error *e)
{
	const struct mcp_oauth *o = &a->server->spec->oauth;

	if (o->client_secret.kind != SECRET_NOWHERE &&
	    secret_ref_read(&o->client_secret, &a->client_secret, e) == -1)
		return error_wrap(e, "oauth.client_secret");
	if (o->private_key.kind != SECRET_NOWHERE &&
	    secret_ref_read(&o->private_key, &a->private_key, e) == -1)
		return error_wrap(e, "oauth.private_key");
	return 0;
}

struct mcp_auth *
mcp_auth_new(struct mcp_server *s, struct error *e)
{
	struct mcp_auth *a = pool_take(sizeof *a, NULL);

	if (a == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for logins");
		return NULL;
	}
	memset(a, 0, sizeof *a);
	a->magic = AUTH_MAGIC;
	a->server = s;
	mcp_grant_init(&a->grant);
	text_init(&a->challenge, LIMIT_HTTP_LINE);
	list_init(&a->waiting);
	if (read_credentials(a, e) == 0 &&
	    (s->spec->oauth.grant == MCP_GRANT_CLIENT ||
		mcp_tokens_load(s, &a->grant, e) == 0) &&
	    use_token(a, e) == 0)
		return a;
	mcp_auth_free(a);
	return NULL;
}

void
mcp_auth_free(struct mcp_auth *a)
{
	if (a == NULL)
		return;
	CHECK_OBJ(a, AUTH_MAGIC);
	mcp_flow_free(a->flow);
	mcp_grant_release(&a->grant);
	secret_release(&a->token);
	secret_release(&a->client_secret);
	secret_release(&a->private_key);
	text_release(&a->challenge);
	a->magic = 0;
	pool_give(a);
}

const struct secret *
mcp_auth_token(const struct mcp_auth *a)
{
	return a != NULL && a->token.n > 0 ? &a->token : NULL;
}

/* --- getting one --- */

static void
tell_waiting(struct mcp_auth *a, const struct error *error)
{
	struct list_node *n;

	while ((n = list_first(&a->waiting)) != NULL) {
		struct mcp_request *q =
		    container_of(n, struct mcp_request, in_auth);

		list_remove(&a->waiting, &q->in_auth);
		if (error != NULL)
			request_fail(q, error);
		else
			request_send(q);
	}
}

static void
flowed(struct mcp_flow *f, const struct mcp_grant_kept *grant,
    const struct error *error, void *owner)
{
	struct mcp_auth *a = owner;
	struct error e;
	int rc = -1;

	CHECK_OBJ(a, AUTH_MAGIC);
	if (error != NULL)
		e = *error;
	else {
		mcp_grant_copy(&a->grant, grant);
		rc = use_token(a, &e);
		if (rc == 0 && a->server->spec->oauth.grant == MCP_GRANT_CODE)
			rc = mcp_tokens_store(a->server, &a->grant, &e);
	}
	a->flow = NULL;
	if (rc == -1)
		error_wrap(&e, "login");
	if (a->logging_in) {
		a->login_is_over = 1;
		a->login_error = rc == -1 ? e : (struct error){.code = 0};
		loop_break(a->server->mcp->set.loop);
	}
	tell_waiting(a, rc == -1 ? &e : NULL);
	mcp_flow_free(f);
}

static void
show(void *owner, struct span url)
{
	struct mcp_auth *a = owner;

	a->show(a->show_owner, url);
}

static int
start(struct mcp_auth *a, int refresh, struct span more, struct error *e)
{
	struct mcp *m = a->server->mcp;
	struct mcp_flow_settings s = {
	    .http = m->http,
	    .spec = a->server->spec,
	    .client_secret = secret_reveal(&a->client_secret),
	    .private_key = secret_reveal(&a->private_key),
	    .plain_anywhere = m->set.plain_anywhere,
	    .challenge = text_span(&a->challenge),
	    .scope_more = more,
	    .before = a->grant.issuer.n > 0 ? &a->grant : NULL,
	    .refresh = refresh,
	    .show = a->logging_in ? show : NULL,
	};

	a->flow = mcp_flow_start(&s, flowed, a, e);
	return a->flow == NULL ? -1 : 0;
}

/* --- being refused --- */

static void
say_what_to_do(struct mcp_request *q)
{
	const char *name = q->link->server->spec->name;
	struct text error, scope;
	struct error e;

	text_init(&error, LIMIT_HTTP_LINE);
	text_init(&scope, LIMIT_HTTP_LINE);
	(void)challenge_get(
	    text_span(&q->challenge), "bearer", "error", &error);
	(void)challenge_get(
	    text_span(&q->challenge), "bearer", "scope", &scope);
	if (q->status == 401)
		error_set(&e, ERROR_DENIED, 0,
		    "the server wants a login; a person gives one with: skep "
		    "servers AGENT login %s",
		    name);
	else if (span_is(text_span(&error), "insufficient_scope"))
		error_set(&e, ERROR_DENIED, 0,
		    "the server wants more rights for this; a person gives "
		    "them with: skep servers AGENT login %s --scope '%.200s'",
		    name, scope.n > 0 ? scope.p : "");
	else
		error_set(&e, ERROR_DENIED, 0,
		    "the server refused this (HTTP status %d)", q->status);
	text_release(&error);
	text_release(&scope);
	request_fail(q, &e);
}

void
mcp_auth_refused(struct mcp_request *q)
{
	struct mcp_server *s = q->link->server;
	struct mcp_auth *a = s->auth;
	int by_itself = s->spec->oauth.grant == MCP_GRANT_CLIENT;
	struct error e;

	text_clear(&a->challenge);
	text_add(&a->challenge, text_span(&q->challenge));
	if (q->status != 401 || q->logins > 0 ||
	    (!by_itself && a->grant.refresh.n == 0)) {
		say_what_to_do(q);
		return;
	}
	q->logins++;
	q->link->transport->drop(q->link, q);
	list_append(&a->waiting, &q->in_auth);
	if (a->flow == NULL &&
	    start(a, !by_itself, (struct span){NULL, 0}, &e) == -1)
		tell_waiting(a, &e);
}

void
mcp_auth_forget(struct mcp_request *q)
{
	if (list_is_linked(&q->in_auth))
		list_remove(&q->link->server->auth->waiting, &q->in_auth);
}

/* --- people --- */

int
mcp_login(struct mcp *m, unsigned i, struct span more,
    void (*show_url)(void *owner, struct span url), void *owner,
    struct error *e)
{
	struct mcp_server *s = &m->server[i];
	struct mcp_auth *a = s->auth;

	CHECK(i < m->servers);
	if (a == NULL)
		return error_set(e, ERROR_CONFIG, 0,
		    "the server %s is a command: it has no login",
		    s->spec->name);
	if (mcp_list(m, NULL, e) == -1)
		return -1;
	if (s->error.code == ERROR_NONE && more.n == 0)
		return 0; /* it lets us in already */
	if (s->error.code != ERROR_NONE && s->error.code != ERROR_DENIED) {
		*e = s->error;
		return -1;
	}
	a->logging_in = 1;
	a->show = show_url;
	a->show_owner = owner;
	if (start(a, 0, more, e) == -1)
		return -1;
	while (!a->login_is_over)
		loop_run(m->set.loop);
	a->logging_in = 0;
	*e = a->login_error;
	return a->login_error.code == ERROR_NONE ? 0 : -1;
}

int
mcp_logout(struct mcp *m, unsigned i, struct error *e)
{
	struct mcp_grant_kept none;
	int rc;

	CHECK(i < m->servers);
	mcp_grant_init(&none);
	rc = mcp_tokens_store(&m->server[i], &none, e);
	mcp_grant_release(&none);
	return rc;
}
