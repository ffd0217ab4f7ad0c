#include "engine/mock/mock.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/mock.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/os.h"
#include "engine/base/slab.h"
#include "engine/mock/admission.h"
#include "engine/mock/answer.h"
#include "engine/mock/ask.h"
#include "engine/mock/rule.h"
#include "engine/mock/say.h"
#include "net/json_write.h"
#include "net/server.h"
#include "net/tls.h"
#include "net/utf8.h"

#define ANSWERS_MAX 65536 /* on their way at once */
#define STATUS_MAX 1000
#define SHOWN 60 /* bytes of a text that no rule matches */

struct mock {
	struct loop *loop;
	const struct mock_script *script;
	struct tls *tls;
	struct server *server;
	struct slab answers;
	struct list in_flight;
	unsigned in_flight_peak;
	uint64_t requests;
	struct admission admission;
	uint64_t by_status[STATUS_MAX];
};

/* --- answers --- */

static void
forget(struct answer *a)
{
	struct mock *m = a->owner;

	list_remove(&m->in_flight, &a->link);
	answer_release(a);
	slab_give(&m->answers, a);
}

/* NULL when there are too many: refused with the last means. */
static struct answer *
begin(struct mock *m, struct exchange *x)
{
	struct answer *a = slab_take(&m->answers);

	if (a == NULL) {
		server_answer(x, 503, "text/plain", span_of("too many\n"));
		return NULL;
	}
	answer_init(a, m->loop, x, forget, m);
	list_append(&m->in_flight, &a->link);
	if (m->in_flight.length > m->in_flight_peak)
		m->in_flight_peak = m->in_flight.length;
	exchange_set_user(x, a);
	return a;
}

static void
start(struct mock *m, struct answer *a)
{
	if (text_overflowed(&a->body) || text_overflowed(&a->pauses)) {
		text_clear(&a->body);
		text_clear(&a->pauses);
		a->status = 500;
	}
	if (a->status >= 0 && a->status < STATUS_MAX)
		m->by_status[a->status]++;
	answer_start(a);
}

static void
say_error(struct mock *m, struct answer *a, const struct mock_ask *ask,
    int status, const char *message)
{
	a->status = status;
	mock_say_error(ask, status, message, &a->body);
	start(m, a);
}

/* --- models --- */

/* As the rule's fault wants it, or the parts in the dialect of ask. */
static void
write_answer(struct answer *a, struct mock_ask *ask, struct mock_parts *parts)
{
	const struct mock_fault *fault = &parts->rule->fault;
	struct mock_say say = {.ask = ask,
	    .parts = parts,
	    .body = &a->body,
	    .pauses = &a->pauses,
	    .created = os->wall_ms() / 1000};

	if (fault->status != 0)
		a->status = (int)fault->status;
	if (fault->body.n > 0) {
		text_add(&a->body, fault->body);
		return;
	}
	if (a->status < 200 || a->status > 299) {
		mock_say_error(ask, a->status, "scripted fault", &a->body);
		return;
	}
	a->is_stream = ask->stream;
	if (ask->stream)
		a->content_type = "text/event-stream; charset=utf-8";
	if (ask->api == MOCK_RESPONSES)
		mock_say_responses(&say);
	else if (ask->api == MOCK_CHAT)
		mock_say_chat(&say);
	else
		mock_say_messages(&say);
}

static struct span
field(const void *owner, const char *name)
{
	return exchange_field(owner, name);
}

/* One end of a text, on one line. */
static void
add_shown(struct text *t, const char *name, struct span s, int is_end)
{
	size_t n = s.n < SHOWN ? s.n : SHOWN;
	size_t from = is_end ? s.n - n : 0;
	const char *cut = s.n > n ? "..." : "";

	text_printf(t, ", %s \"%s", name, is_end ? cut : "");
	for (size_t at = from, bytes; at < from + n; at += bytes) {
		uint32_t c = utf8_at(s, at, &bytes);

		utf8_add(t, c < 0x20 || c == 0x7f ? ' ' : c);
	}
	text_printf(t, "%s\"", is_end ? "" : cut);
}

/* For who writes the script: what its rules could have matched. */
static void
say_unmatched(struct mock *m, struct answer *a, const struct mock_ask *ask)
{
	struct text t;

	text_init(&t, 2048);
	text_printf(&t, "no rule of the script matches this request: turn %lld",
	    (long long)ask->turn);
	add_shown(&t, "model", ask->model, 0);
	add_shown(&t, "input", text_span(&ask->input), 0);
	add_shown(&t, "last_output", text_span(&ask->last_output), 1);
	say_error(m, a, ask, 404, t.p);
	text_release(&t);
}

static void
answer_ask(struct mock *m, struct answer *a, struct mock_ask *ask)
{
	struct mock_fields fields = {field, a->x};
	const struct mock_rule *rule;
	struct mock_parts parts;
	struct error e;

	if (mock_ask_read(ask, exchange_body(a->x), &fields, &e) == -1) {
		say_error(m, a, ask, 400, e.text);
		return;
	}
	if (!admission_let_in(&m->admission, m->in_flight.length)) {
		a->retry_after = "1";
		say_error(m, a, ask, 429, "more requests than in_flight_max");
		return;
	}
	rule = mock_rule_find(m->script, ask);
	if (rule == NULL) {
		say_unmatched(m, a, ask);
		return;
	}
	if (mock_rule_fill(rule, ask, &parts, &e) == -1) {
		say_error(m, a, ask, 500, e.text);
		return;
	}
	a->rule = rule;
	a->random = ask->fingerprint;
	write_answer(a, ask, &parts);
	start(m, a);
}

static void
serve_ask(struct mock *m, struct answer *a, enum mock_api api)
{
	struct mock_ask ask;

	mock_ask_init(&ask, api);
	answer_ask(m, a, &ask);
	mock_ask_release(&ask);
}

static void
serve_responses(struct mock *m, struct answer *a)
{
	serve_ask(m, a, MOCK_RESPONSES);
}

static void
serve_chat(struct mock *m, struct answer *a)
{
	serve_ask(m, a, MOCK_CHAT);
}

static void
serve_messages(struct mock *m, struct answer *a)
{
	serve_ask(m, a, MOCK_MESSAGES);
}

/* One list that both families of clients understand. */
static void
serve_models(struct mock *m, struct answer *a)
{
	const struct text_list *models = &m->script->models;
	struct json_writer w;

	json_write_init(&w, &a->body);
	json_write_object(&w);
	json_put_str(&w, "object", "list");
	json_put_array(&w, "data");
	for (unsigned i = 0; i < models->n; i++) {
		json_write_object(&w);
		json_put_str(&w, "id", models->at[i]);
		json_put_str(&w, "object", "model");
		json_put_str(&w, "type", "model");
		json_put_str(&w, "display_name", models->at[i]);
		json_put_int(&w, "created", 0);
		json_put_str(&w, "created_at", "1970-01-01T00:00:00Z");
		json_put_str(&w, "owned_by", "skep");
		json_write_end(&w);
	}
	json_write_end(&w);
	json_put_bool(&w, "has_more", 0);
	json_write_end(&w);
	start(m, a);
}

/* --- counts --- */

static void
write_connections(struct mock *m, struct json_writer *w)
{
	struct tls_counts tls = {0};
	struct server_counts c;

	server_counts(m->server, &c);
	if (m->tls != NULL)
		tls_counts(m->tls, &tls);
	json_put_object(w, "connections");
	json_put_uint(w, "now", c.connections);
	json_put_uint(w, "peak", c.connections_peak);
	json_put_uint(w, "accepted", c.accepted);
	json_put_uint(w, "refused", c.refused);
	json_write_end(w);
	json_put_object(w, "handshakes");
	json_put_uint(w, "full", tls.full);
	json_put_uint(w, "resumed", tls.resumed);
	json_put_uint(w, "failed", tls.failed);
	json_write_end(w);
}

/* Asking for the counts does not count. */
static void
serve_stats(struct mock *m, struct exchange *x)
{
	struct json_writer w;
	struct text body;
	char status[8];

	text_init(&body, 64 * KIB);
	json_write_init(&w, &body);
	json_write_object(&w);
	json_put_uint(&w, "requests", m->requests);
	json_put_object(&w, "answers");
	for (unsigned i = 0; i < STATUS_MAX; i++) {
		if (m->by_status[i] == 0)
			continue;
		snprintf(status, sizeof status, "%u", i);
		json_put_uint(&w, status, m->by_status[i]);
	}
	json_write_end(&w);
	write_connections(m, &w);
	json_put_object(&w, "in_flight");
	json_put_uint(&w, "now", m->in_flight.length);
	json_put_uint(&w, "peak", m->in_flight_peak);
	json_write_end(&w);
	admission_write(&m->admission, &w);
	json_write_end(&w);
	server_answer(x, 200, "application/json", text_span(&body));
	text_release(&body);
}

/* --- requests --- */

static const struct {
	const char *method, *path; /* below /v1, which may be left out */
	void (*serve)(struct mock *m, struct answer *a);
} routes[] = {
    {"POST", "/responses", serve_responses},
    {"POST", "/chat/completions", serve_chat},
    {"POST", "/messages", serve_messages},
    {"GET", "/models", serve_models},
};

static void
requested(void *owner, struct exchange *x)
{
	struct mock *m = owner;
	struct span path = exchange_target(x), method = exchange_method(x);
	struct answer *a;
	int status = 404;

	path = span_cut(&path, '?');
	if (span_is(path, "/stats") && span_is(method, "GET")) {
		serve_stats(m, x);
		return;
	}
	m->requests++;
	a = begin(m, x);
	if (a == NULL)
		return;
	if (span_has_prefix(path, span_of("/v1/")))
		path = span_slice(path, 3, path.n);
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (!span_is(path, routes[i].path))
			continue;
		status = 405;
		if (!span_is(method, routes[i].method))
			continue;
		routes[i].serve(m, a);
		return;
	}
	say_error(m, a, NULL, status,
	    status == 405 ? "this path takes another method"
			  : "there is nothing at this path");
}

static void
writable(void *owner, struct exchange *x)
{
	(void)owner;
	if (exchange_user(x) != NULL)
		answer_go_on(exchange_user(x));
}

static void
gone(void *owner, struct exchange *x)
{
	(void)owner;
	if (exchange_user(x) != NULL)
		forget(exchange_user(x));
}

static const struct server_ops ops = {requested, writable, gone};

struct mock *
mock_new(
    struct loop *loop, const struct mock_settings *settings, struct error *e)
{
	struct server_settings server = {
	    .at = *settings->at, .tls = settings->tls_server};
	struct mock *m = calloc(1, sizeof *m);

	if (m == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for the server");
		return NULL;
	}
	m->loop = loop;
	m->script = settings->script;
	m->tls = settings->tls;
	list_init(&m->in_flight);
	admission_init(&m->admission, m->script);
	if (slab_init(&m->answers, "answers", sizeof(struct answer),
		ANSWERS_MAX, e) == 0)
		m->server = server_new(loop, &server, &ops, m, e);
	if (m->server == NULL) {
		mock_free(m);
		return NULL;
	}
	return m;
}

void
mock_free(struct mock *m)
{
	if (m == NULL)
		return;
	if (m->server != NULL)
		server_free(m->server);
	CHECK(m->in_flight.length == 0);
	slab_release(&m->answers);
	free(m);
}

const struct address *
mock_address(const struct mock *m)
{
	return server_address(m->server);
}
