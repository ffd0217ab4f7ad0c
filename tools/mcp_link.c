#include "engine/base/check.h"
#include "tools/mcp_private.h"

#define BACKOFF_MS 100
#define BACKOFF_MAX_MS 8000
#define PART_MS 2000

/* --- requests --- */

static void
timed_out(struct loop_timer *t)
{
	struct mcp_request *q = container_of(t, struct mcp_request, timer);
	struct error e;

	CHECK_OBJ(q, MCP_REQUEST_MAGIC);
	error_set(&e, ERROR_TIMEOUT, 0, "no answer within %g seconds%s",
	    q->timeout_ms / 1000.0,
	    q->is_sent ? "; the server was told to stop, and what it did "
			 "until then is not known"
		       : ", as the server was not ready");
	if (q->is_sent)
		q->link->transport->forget(q->link, q);
	request_fail(q, &e);
}

static void
failed_before(struct loop_deferred *d)
{
	struct mcp_request *q = container_of(d, struct mcp_request, fails);
	struct error e = q->failure;

	request_fail(q, &e);
}

struct mcp_request *
request_new(struct mcp_link *l, const char *method)
{
	struct mcp *m = l->server->mcp;
	struct mcp_request *q = slab_take(&m->requests);

	if (q == NULL)
		return NULL;
	q->magic = MCP_REQUEST_MAGIC;
	q->link = l;
	q->method = method;
	arena_init(&q->arena, 2 * MCP_MESSAGE_MAX);
	text_init(&q->body, 2 * MCP_MESSAGE_MAX);
	text_init(&q->fields, LIMIT_HTTP_HEAD);
	text_init(&q->reply, MCP_MESSAGE_MAX);
	text_init(&q->challenge, LIMIT_HTTP_LINE);
	text_init(&q->event_id, LIMIT_HTTP_LINE);
	loop_timer_init(&q->timer, m->set.loop, timed_out);
	loop_deferred_init(&q->fails, m->set.loop, failed_before);
	list_append(&l->requests, &q->node);
	return q;
}

static void
release(struct mcp *m, struct mcp_request *q)
{
	arena_release(&q->arena);
	text_release(&q->body);
	text_release(&q->fields);
	text_release(&q->reply);
	text_release(&q->challenge);
	text_release(&q->event_id);
	q->magic = 0;
	slab_give(&m->requests, q);
}

static void
unlink_request(struct mcp_request *q)
{
	CHECK_OBJ(q, MCP_REQUEST_MAGIC);
	loop_timer_stop(&q->timer);
	loop_undefer(&q->fails);
	list_remove(&q->link->requests, &q->node);
}

void
request_free(struct mcp_request *q)
{
	unlink_request(q);
	q->link->transport->drop(q->link, q);
	release(q->link->server->mcp, q);
}

/* It is on no list while its owner is told, who may do anything. */
void
request_end(struct mcp_request *q, const struct mcp_answer *a)
{
	struct mcp_link *l = q->link;

	unlink_request(q);
	if (a->error == NULL)
		l->failures = 0;
	if (q->done != NULL)
		q->done(q, a, q->owner);
	l->transport->drop(l, q);
	release(l->server->mcp, q);
}

void
request_put(struct mcp_request *q, const char *key, struct span json)
{
	CHECK(q->members < MCP_MEMBERS_MAX);
	q->member[q->members++] =
	    (struct mcp_member){key, arena_span(&q->arena, json)};
}

void
request_put_text(struct mcp_request *q, const char *key, struct span s)
{
	struct text t;
	struct json_writer w;

	text_init(&t, MCP_MESSAGE_MAX);
	json_write_init(&w, &t);
	json_write_span(&w, s);
	request_put(q, key, text_span(&t));
	text_release(&t);
}

void
request_fail(struct mcp_request *q, const struct error *e)
{
	struct mcp_answer a = {.error = e, .result = -1};

	request_end(q, &a);
}

void
request_fail_soon(struct mcp_request *q, const struct error *e)
{
	q->failure = *e;
	loop_defer(&q->fails);
}

void
request_send(struct mcp_request *q)
{
	struct error e;

	if (!q->is_greeting)
		q->revision = q->link->revision;
	mcp_write_request(q);
	if (text_overflowed(&q->body) || arena_overflowed(&q->arena)) {
		error_set(&e, ERROR_TOO_BIG, 0, "the request is too long");
		request_fail_soon(q, &e);
		return;
	}
	q->is_sent = 1;
	q->link->transport->send(q->link, q);
}

/* --- a link's states --- */

static void
start(struct mcp_link *l)
{
	struct error e;

	l->state = LINK_STARTING;
	l->revision = l->server->revision;
	loop_timer_start(
	    &l->timer, (uint64_t)(l->server->spec->connect_seconds * 1000));
	if (l->transport->start(l, &e) == -1)
		link_down(l, &e);
}

static void
go(struct loop_deferred *d)
{
	struct mcp_link *l = container_of(d, struct mcp_link, go);

	CHECK_OBJ(l, MCP_LINK_MAGIC);
	if (l->state == LINK_IDLE)
		start(l);
}

static void
too_slow(struct mcp_link *l)
{
	struct error e;

	error_set(&e, ERROR_TIMEOUT, 0, "it did not %s within %g seconds",
	    l->state == LINK_STARTING ? "start" : "introduce itself",
	    l->server->spec->connect_seconds);
	link_down(l, &e);
}

static void
timer(struct loop_timer *t)
{
	struct mcp_link *l = container_of(t, struct mcp_link, timer);

	CHECK_OBJ(l, MCP_LINK_MAGIC);
	switch (l->state) {
	case LINK_STARTING:
	case LINK_GREETING:
		too_slow(l);
		break;
	case LINK_DOWN:
		l->state = LINK_IDLE;
		if (l->requests.length > 0)
			start(l);
		break;
	case LINK_CLOSING:
		link_gone(l);
		break;
	case LINK_IDLE:
	case LINK_READY:
		break;
	}
}

void
link_started(struct mcp_link *l)
{
	CHECK(l->state == LINK_STARTING);
	l->state = LINK_GREETING;
	if (mcp_revision_is_stateless(l->revision))
		link_ready(l);
	else
		mcp_greet(l);
}

void
link_ready(struct mcp_link *l)
{
	struct list_node *n, *next;

	CHECK(l->state == LINK_GREETING);
	l->state = LINK_READY;
	loop_timer_stop(&l->timer);
	if (l->transport->ready != NULL)
		l->transport->ready(l);
	for (n = list_first(&l->requests); n != NULL; n = next) {
		struct mcp_request *q =
		    container_of(n, struct mcp_request, node);

		next = list_next(&l->requests, n);
		if (!q->is_sent && q->failure.code == ERROR_NONE)
			request_send(q);
	}
}

static uint64_t
backoff_ms(unsigned failures)
{
	uint64_t ms = BACKOFF_MS;

	while (failures-- > 1 && ms < BACKOFF_MAX_MS)
		ms *= 2;
	return ms;
}

/* All that wait end; what was sent may have been carried out. */
static void
end_requests(struct mcp_link *l)
{
	struct list_node *n;
	struct error e;

	while ((n = list_first(&l->requests)) != NULL) {
		struct mcp_request *q =
		    container_of(n, struct mcp_request, node);

		if (q->is_greeting || q->is_post) {
			request_free(q);
			continue;
		}
		e = l->error;
		if (q->is_sent)
			error_set(&e, l->error.code, 0,
			    "%.400s; whether the call was carried out is not "
			    "known",
			    l->error.text);
		request_fail(q, &e);
	}
}

/*
 * A server of an older revision may end when it is asked what it does not
 * know.  It is started again, and greeted as it is used to.
 */
static int
begin_without_probe(struct mcp_link *l)
{
	struct list_node *n, *next;

	if (!l->probing || l->exec == NULL || l->state != LINK_GREETING)
		return 0;
	l->probing = 0;
	l->server->is_shy = 1;
	for (n = list_first(&l->requests); n != NULL; n = next) {
		struct mcp_request *q =
		    container_of(n, struct mcp_request, node);

		next = list_next(&l->requests, n);
		if (q->is_greeting)
			request_free(q);
	}
	l->transport->stop(l);
	loop_timer_stop(&l->timer);
	l->state = LINK_IDLE;
	loop_defer(&l->go);
	return 1;
}

void
link_down(struct mcp_link *l, const struct error *e)
{
	CHECK_OBJ(l, MCP_LINK_MAGIC);
	if (begin_without_probe(l))
		return;
	if (l->state == LINK_CLOSING) {
		loop_timer_start(&l->timer, 0); /* it need not be polite */
		return;
	}
	l->error = *e;
	l->failures++;
	l->state = LINK_DOWN;
	l->transport->stop(l);
	loop_timer_start(&l->timer, backoff_ms(l->failures));
	end_requests(l);
}

/* --- from birth to death --- */

static struct mcp_link *
link_new(struct mcp_server *server, struct error *e)
{
	struct mcp *m = server->mcp;
	struct mcp_link *l = slab_take(&m->links);

	if (l == NULL) {
		error_set(e, ERROR_FULL, 0, "all %u links are in use",
		    m->links.slots);
		return NULL;
	}
	l->magic = MCP_LINK_MAGIC;
	l->server = server;
	l->transport = server->spec->url != NULL ? &mcp_http : &mcp_stdio;
	list_init(&l->requests);
	loop_timer_init(&l->timer, m->set.loop, timer);
	loop_deferred_init(&l->go, m->set.loop, go);
	text_init(&l->line, MCP_MESSAGE_MAX);
	text_init(&l->out, 4 * MCP_MESSAGE_MAX);
	text_init(&l->session, LIMIT_HTTP_LINE);
	return l;
}

struct mcp_link *
link_get(struct mcp_server *server, struct list *list, struct error *e)
{
	struct mcp_link *l;

	if (server->shared != NULL)
		return server->shared;
	for (struct list_node *n = list == NULL ? NULL : list_first(list);
	     n != NULL; n = list_next(list, n)) {
		l = container_of(n, struct mcp_link, node);
		if (l->server == server)
			return l;
	}
	l = link_new(server, e);
	if (l != NULL && server->spec->shared)
		server->shared = l;
	else if (l != NULL && list != NULL) {
		l->list = list;
		list_append(list, &l->node);
	}
	return l;
}

static void
link_free(struct mcp_link *l)
{
	struct list_node *n;

	while ((n = list_first(&l->requests)) != NULL)
		request_free(container_of(n, struct mcp_request, node));
	l->transport->stop(l);
	loop_timer_stop(&l->timer);
	loop_undefer(&l->go);
	if (list_is_linked(&l->node))
		list_remove(l->state == LINK_CLOSING ? &l->server->mcp->closing
						     : l->list,
		    &l->node);
	text_release(&l->line);
	text_release(&l->out);
	text_release(&l->session);
	l->magic = 0;
	slab_give(&l->server->mcp->links, l);
}

void
link_gone(struct mcp_link *l)
{
	CHECK(l->state == LINK_CLOSING);
	link_free(l);
}

/* As many may take their time as there are runs; the others may not. */
static void
hurry(struct mcp *m)
{
	while (m->closing.length > m->set.runs_max * m->servers)
		link_free(container_of(
		    list_first(&m->closing), struct mcp_link, node));
}

void
link_close(struct mcp_link *l)
{
	struct mcp *m = l->server->mcp;
	struct list_node *n;
	int was_up = l->state == LINK_READY || l->state == LINK_GREETING;

	CHECK_OBJ(l, MCP_LINK_MAGIC);
	while ((n = list_first(&l->requests)) != NULL)
		request_free(container_of(n, struct mcp_request, node));
	if (l->server->shared == l)
		l->server->shared = NULL;
	if (list_is_linked(&l->node))
		list_remove(l->list, &l->node);
	loop_undefer(&l->go);
	l->state = LINK_CLOSING;
	hurry(m);
	list_append(&m->closing, &l->node);
	loop_timer_start(
	    &l->timer, was_up && l->transport->part(l) ? PART_MS : 0);
}

void
mcp_links_close(struct list *links)
{
	struct list_node *n;

	while ((n = list_first(links)) != NULL)
		link_close(container_of(n, struct mcp_link, node));
}

void
links_free(struct list *closing)
{
	struct list_node *n;

	while ((n = list_first(closing)) != NULL)
		link_free(container_of(n, struct mcp_link, node));
}

/* --- asking --- */

struct mcp_request *
mcp_ask(struct mcp_link *l, const struct mcp_question *ask, mcp_done_fn *done,
    void *owner, struct error *e)
{
	struct mcp_request *q;

	CHECK_OBJ(l, MCP_LINK_MAGIC);
	q = request_new(l, ask->method);
	if (q == NULL) {
		error_set(
		    e, ERROR_FULL, 0, "too many calls of servers at once");
		return NULL;
	}
	for (unsigned i = 0; i < ask->members; i++)
		request_put(q, ask->member[i].key, ask->member[i].json);
	q->asked = q->members;
	text_add(&q->fields, ask->fields);
	q->name = arena_span(&q->arena, ask->name);
	if (ask->parent != NULL)
		memcpy(q->parent, ask->parent, strlen(ask->parent) + 1);
	q->done = done;
	q->owner = owner;
	q->timeout_ms = ask->timeout_ms;
	loop_timer_start(&q->timer, ask->timeout_ms);
	if (l->state == LINK_READY)
		request_send(q);
	else if (l->state == LINK_IDLE)
		loop_defer(&l->go);
	else if (l->state == LINK_DOWN && l->failures >= LINK_FAILURES_MAX) {
		error_set(&q->failure, l->error.code, 0,
		    "it failed %u times in a row and is not tried again; the "
		    "last time: %.300s",
		    l->failures, l->error.text);
		loop_defer(&q->fails);
	}
	return q;
}

void
mcp_forget(struct mcp_request *q)
{
	if (q == NULL)
		return;
	CHECK_OBJ(q, MCP_REQUEST_MAGIC);
	if (q->is_sent)
		q->link->transport->forget(q->link, q);
	request_free(q);
}
