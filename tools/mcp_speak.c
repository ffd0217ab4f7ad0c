#include "engine/base/check.h"
#include "tools/mcp_private.h"

#define CLIENT_NAME "skep"
#define CLIENT_VERSION "1"
#define CODE_UNSUPPORTED_VERSION (-32022)
#define META "io.modelcontextprotocol/"

static const struct {
	const char *text;
	int stateless;
} revisions[MCP_REVISIONS] = {
    [MCP_UNKNOWN] = {"", 0},
#define REVISION(NAME, text, stateless) [MCP_##NAME] = {text, stateless},
#include "tools/mcp_revisions.def"
};

const char *
mcp_revision_text(enum mcp_revision r)
{
	CHECK(r < MCP_REVISIONS);
	return revisions[r].text;
}

enum mcp_revision
mcp_revision_of(struct span text)
{
	for (unsigned r = MCP_UNKNOWN + 1; r < MCP_REVISIONS; r++)
		if (span_is(text, revisions[r].text))
			return (enum mcp_revision)r;
	return MCP_UNKNOWN;
}

int
mcp_revision_is_stateless(enum mcp_revision r)
{
	CHECK(r < MCP_REVISIONS);
	return revisions[r].stateless;
}

/* --- what is said --- */

static void
write_client(struct json_writer *w, const char *key)
{
	json_put_object(w, key);
	json_put_str(w, "name", CLIENT_NAME);
	json_put_str(w, "version", CLIENT_VERSION);
	json_write_end(w);
}

static void
write_meta(const struct mcp_request *q, struct json_writer *w)
{
	int stateless = mcp_revision_is_stateless(q->revision);

	if (!stateless && q->parent[0] == '\0')
		return;
	json_put_object(w, "_meta");
	if (stateless) {
		json_put_str(
		    w, META "protocolVersion", mcp_revision_text(q->revision));
		write_client(w, META "clientInfo");
		json_put_object(w, META "clientCapabilities");
		mcp_write_capabilities(q->link->server->spec, w);
		json_write_end(w);
	}
	if (q->parent[0] != '\0')
		json_put_str(w, "traceparent", q->parent);
	json_write_end(w);
}

void
mcp_write_request(struct mcp_request *q)
{
	struct json_writer w;

	q->id = ++q->link->next_id;
	text_clear(&q->body);
	jsonrpc_write_begin(&w, &q->body, q->id, q->method);
	json_put_object(&w, "params");
	for (unsigned i = 0; i < q->members; i++)
		json_put_raw(&w, q->member[i].key, q->member[i].json);
	write_meta(q, &w);
	json_write_end(&w);
	json_write_end(&w);
}

void
mcp_write_cancel(const struct mcp_request *q, struct text *out)
{
	struct json_writer w;

	jsonrpc_write_begin(&w, out, -1, "notifications/cancelled");
	json_put_object(&w, "params");
	json_put_int(&w, "requestId", q->id);
	json_put_str(&w, "reason", "nobody waits for the answer any more");
	json_write_end(&w);
	json_write_end(&w);
}

/* --- greetings --- */

static void
learn_offers(struct mcp_server *s, const struct json_doc *d, int result)
{
	int all = json_get(d, result, "capabilities");

	s->has_tools = json_get(d, all, "tools") != -1;
}

/* A greeting is a request of the link's own; the link's timer guards it. */
static struct mcp_request *
greeting(struct mcp_link *l, const char *method, mcp_done_fn *done)
{
	struct mcp_request *q = request_new(l, method);
	struct error e;

	if (q == NULL) {
		error_set(&e, ERROR_FULL, 0, "too many calls of servers");
		link_down(l, &e);
		return NULL;
	}
	q->is_greeting = 1;
	q->done = done;
	return q;
}

static void
say_ready(struct mcp_link *l)
{
	struct json_writer w;
	struct text t;

	text_init(&t, KIB);
	jsonrpc_write_begin(&w, &t, -1, "notifications/initialized");
	json_write_end(&w);
	l->transport->post(l, text_span(&t));
	text_release(&t);
}

static void
initialized(struct mcp_request *q, const struct mcp_answer *a, void *owner)
{
	struct mcp_link *l = owner;
	enum mcp_revision r = MCP_UNKNOWN;
	struct error e;
	int version;

	(void)q;
	if (a->error != NULL) {
		link_down(l, a->error);
		return;
	}
	version = json_get(a->doc, a->result, "protocolVersion");
	if (json_type(a->doc, version) == JSON_STRING)
		r = mcp_revision_of(json_inner(a->doc, version));
	if (r == MCP_UNKNOWN || mcp_revision_is_stateless(r)) {
		struct span s = json_raw(a->doc, version);

		error_set(&e, ERROR_PROTOCOL, 0,
		    "it speaks a revision of the protocol that skep does not: "
		    "%.*s",
		    s.n < 40 ? (int)s.n : 40, s.n > 0 ? s.p : "none");
		link_down(l, &e);
		return;
	}
	l->revision = l->server->revision = r;
	learn_offers(l->server, a->doc, a->result);
	say_ready(l);
	link_ready(l);
}

static void
initialize(struct mcp_link *l)
{
	struct mcp_request *q = greeting(l, "initialize", initialized);
	enum mcp_revision r =
	    l->revision == MCP_UNKNOWN ? MCP_LATEST_LEGACY : l->revision;
	struct json_writer w;
	struct text t;

	if (q == NULL)
		return;
	q->owner = l;
	request_put_text(q, "protocolVersion", span_of(mcp_revision_text(r)));
	text_init(&t, 4 * KIB);
	json_write_init(&w, &t);
	json_write_object(&w);
	mcp_write_capabilities(l->server->spec, &w);
	json_write_end(&w);
	request_put(q, "capabilities", text_span(&t));
	text_clear(&t);
	json_write_init(&w, &t);
	json_write_object(&w);
	json_put_str(&w, "name", CLIENT_NAME);
	json_put_str(&w, "version", CLIENT_VERSION);
	json_write_end(&w);
	request_put(q, "clientInfo", text_span(&t));
	text_release(&t);
	request_send(q);
}

static void discover(struct mcp_link *l);

/* Is the newest revision among those in the list? */
static int
offers_latest(const struct json_doc *d, int list)
{
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v))
		if (json_is(d, v, mcp_revision_text(MCP_LATEST)))
			return 1;
	return 0;
}

/* Nobody there, or not for us: another greeting would meet the same. */
static int
is_hopeless(const struct error *e)
{
	return e->code == ERROR_CONNECT || e->code == ERROR_TLS ||
	       e->code == ERROR_DENIED || e->code == ERROR_FULL;
}

static void
discovered(struct mcp_request *q, const struct mcp_answer *a, void *owner)
{
	struct mcp_link *l = owner;

	(void)q;
	l->probing = 0;
	if (a->error == NULL &&
	    offers_latest(
		a->doc, json_get(a->doc, a->result, "supportedVersions"))) {
		l->revision = l->server->revision = MCP_LATEST;
		learn_offers(l->server, a->doc, a->result);
		link_ready(l);
	} else if (a->error == NULL || a->doc == NULL) {
		if (a->error != NULL && is_hopeless(a->error))
			link_down(l, a->error);
		else
			initialize(l);
	} else if (a->code == CODE_UNSUPPORTED_VERSION && !l->asked_again &&
		   offers_latest(
		       a->doc, json_get(a->doc, a->result, "supported"))) {
		l->asked_again = 1;
		discover(l);
	} else
		initialize(l);
}

static void
discover(struct mcp_link *l)
{
	struct mcp_request *q = greeting(l, "server/discover", discovered);

	if (q == NULL)
		return;
	l->probing = 1;
	q->owner = l;
	q->revision = MCP_LATEST;
	/* Who does not know the question may say nothing at all. */
	q->timeout_ms = (uint32_t)(l->server->spec->connect_seconds * 500);
	loop_timer_start(&q->timer, q->timeout_ms);
	request_send(q);
}

void
mcp_greet(struct mcp_link *l)
{
	l->asked_again = 0;
	if (l->revision == MCP_UNKNOWN && !l->server->is_shy)
		discover(l);
	else
		initialize(l);
}

/* --- what is heard --- */

static struct mcp_request *
find(struct mcp_link *l, int64_t id)
{
	for (struct list_node *n = list_first(&l->requests); n != NULL;
	     n = list_next(&l->requests, n)) {
		struct mcp_request *q =
		    container_of(n, struct mcp_request, node);

		if (q->is_sent && !q->is_post && q->id == id)
			return q;
	}
	return NULL;
}

static void
tell_error(
    struct mcp_request *q, const struct json_doc *d, const struct jsonrpc *m)
{
	struct mcp_answer a = {
	    .code = m->code, .doc = d, .result = m->error_data};
	struct error e;
	struct text t;

	text_init(&t, MCP_MESSAGE_MAX);
	json_string_add(d, m->message, &t);
	error_set(&e, ERROR_PROTOCOL, 0,
	    "the server answered with error %lld: %s", (long long)m->code,
	    t.n > 0 ? t.p : "no message");
	text_release(&t);
	a.error = &e;
	request_end(q, &a);
}

/* The server wants to know something before it can go on. */
static void
go_another_round(struct mcp_request *q, const struct json_doc *d, int result)
{
	int state = json_get(d, result, "requestState");
	struct error e;
	struct text t;

	text_init(&t, MCP_MESSAGE_MAX);
	if (++q->rounds > MCP_ROUNDS_MAX)
		error_set(&e, ERROR_PROTOCOL, 0,
		    "the server asked for more input %d times and did not end "
		    "the call",
		    MCP_ROUNDS_MAX);
	else if (mcp_answer_inputs(q->link->server->spec, d, result, &t, &e) ==
		 0)
		e.code = ERROR_NONE;
	if (e.code != ERROR_NONE) {
		text_release(&t);
		request_fail(q, &e);
		return;
	}
	q->members = q->asked;
	request_put(q, "inputResponses", text_span(&t));
	if (state != -1)
		request_put(q, "requestState", json_raw(d, state));
	text_release(&t);
	q->link->transport->drop(q->link, q);
	request_send(q);
}

static void
tell_result(struct mcp_request *q, const struct json_doc *d, int result)
{
	struct mcp_answer a = {.doc = d, .result = result};
	int type = json_get(d, result, "resultType");
	struct error e;

	if (type == -1 || json_is(d, type, "complete"))
		request_end(q, &a);
	else if (json_is(d, type, "input_required") && !q->is_greeting)
		go_another_round(q, d, result);
	else {
		error_set(&e, ERROR_PROTOCOL, 0,
		    "the server answered with a kind of result that skep does "
		    "not know");
		request_fail(q, &e);
	}
}

static int
heard_answer(struct mcp_link *l, struct mcp_request *q,
    const struct json_doc *d, const struct jsonrpc *m, struct error *e)
{
	struct mcp_request *found = q;

	if (q == NULL || m->kind != JSONRPC_ERROR || m->id.n > 0)
		found = find(l, m->number);
	/* A late answer, or a second one, concerns nobody. */
	if (found == NULL && m->number > 0 && m->number <= l->next_id &&
	    q == NULL)
		return 0;
	if (found == NULL || (q != NULL && found != q))
		return error_set(e, ERROR_PROTOCOL, 0,
		    "it answered a request that was never sent");
	if (m->kind == JSONRPC_RESULT && json_type(d, m->result) != JSON_OBJECT)
		return error_set(
		    e, ERROR_PROTOCOL, 0, "a result of it is no object");
	if (m->kind == JSONRPC_RESULT)
		tell_result(found, d, m->result);
	else
		tell_error(found, d, m);
	return 1;
}

static int
heard_request(struct mcp_link *l, const struct mcp_request *q,
    const struct json_doc *d, const struct jsonrpc *m, struct error *e)
{
	struct text t;

	if (mcp_revision_is_stateless(q != NULL ? q->revision : l->revision))
		return error_set(e, ERROR_PROTOCOL, 0,
		    "it sent a request of its own (%.*s), which the protocol "
		    "forbids",
		    m->method.n < 60 ? (int)m->method.n : 60, m->method.p);
	text_init(&t, MCP_MESSAGE_MAX);
	mcp_answer_request(l->server->spec, d, m, &t);
	l->transport->post(l, text_span(&t));
	text_release(&t);
	return 0;
}

int
mcp_heard(struct mcp_link *l, struct mcp_request *q, struct span message,
    struct error *e)
{
	struct json_doc d;
	struct jsonrpc m;
	int rc = -1;

	json_doc_init(&d);
	if (json_parse(&d, message, 0, e) == -1 ||
	    jsonrpc_read(&d, &m, e) == -1)
		rc = -1;
	else if (m.kind == JSONRPC_REQUEST)
		rc = heard_request(l, q, &d, &m, e);
	else if (m.kind == JSONRPC_NOTIFICATION)
		rc = 0;
	else
		rc = heard_answer(l, q, &d, &m, e);
	json_doc_release(&d);
	return rc;
}
