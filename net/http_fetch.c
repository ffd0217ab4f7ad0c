#include "net/http_fetch.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/base/secret.h"
#include "engine/base/text.h"
#include "net/http.h"

#define FETCH_MAGIC 0x6e66e7c1u

struct http_fetch {
	unsigned magic;
	struct arena arena;
	struct http_origin *origin;
	struct http_call *call;
	struct text body, answer;
	struct span slice;
	int status;
	struct error error;
	struct loop_deferred over;
	http_fetch_done_fn *done;
	void *owner;
};

static void
over(struct loop_deferred *d)
{
	struct http_fetch *f = container_of(d, struct http_fetch, over);

	CHECK_OBJ(f, FETCH_MAGIC);
	f->done(f, f->status, text_span(&f->answer),
	    f->error.code == ERROR_NONE ? NULL : &f->error, f->owner);
}

static void
head(void *owner, const struct http_head *h)
{
	struct http_fetch *f = owner;

	f->status = h->status;
}

static void
body(void *owner, struct span bytes)
{
	struct http_fetch *f = owner;

	text_add(&f->answer, bytes);
	if (!text_overflowed(&f->answer))
		return;
	error_set(&f->error, ERROR_TOO_BIG, 0, "%.*s: the answer is too long",
	    (int)http_origin_text(f->origin).n, http_origin_text(f->origin).p);
	http_cancel(f->call);
	f->call = NULL;
	loop_defer(&f->over);
}

static void
end(void *owner, const struct http_head *trailers)
{
	struct http_fetch *f = owner;

	(void)trailers;
	f->call = NULL;
	loop_defer(&f->over);
}

static void
failed(void *owner, const struct http_failure *why)
{
	struct http_fetch *f = owner;
	struct span at = http_origin_text(f->origin);

	f->call = NULL;
	f->error = why->error;
	error_wrap(&f->error, "%.*s", (int)at.n, at.p);
	loop_defer(&f->over);
}

static const struct http_ops ops = {
    .head = head,
    .body = body,
    .end = end,
    .failed = failed,
};

static int
begin(struct http_fetch *f, struct http_client *c,
    const struct http_fetch_settings *s, struct error *e)
{
	struct http_origin_settings origin = {
	    .url = s->url,
	    .tls.ca_file = s->ca_file,
	    .plain_anywhere = s->plain_anywhere,
	    .limit_is_fixed = 1,
	    .connect_ms = s->timeout_ms,
	};
	struct http_request_field field[4] = {
	    {"User-Agent", span_of("skep"), NULL},
	    {"Accept", span_of("application/json"), NULL}};
	struct http_request q = {.method = s->method,
	    .fields = field,
	    .nfields = 2,
	    .body = &f->slice,
	    .nbody = s->body.n > 0,
	    .once = s->body.n > 0,
	    .total_ms = s->timeout_ms};
	struct url u;

	if (url_parse(&u, s->url, &f->arena, e) == -1)
		return -1;
	f->origin = http_origin_new(c, &origin, e);
	if (f->origin == NULL)
		return -1;
	if (s->body.n > 0)
		field[q.nfields++] = (struct http_request_field){
		    "Content-Type", s->content_type, NULL};
	if (s->authorization.n > 0)
		field[q.nfields++] = (struct http_request_field){
		    "Authorization", s->authorization, NULL};
	text_add(&f->body, s->body);
	f->slice = text_span(&f->body);
	q.target = u.target;
	f->call = http_start(f->origin, &q, &ops, f, e);
	return f->call == NULL ? -1 : 0;
}

struct http_fetch *
http_fetch_start(struct http_client *c, const struct http_fetch_settings *s,
    http_fetch_done_fn *done, void *owner, struct error *e)
{
	struct http_fetch *f = pool_take(sizeof *f, NULL);

	if (f == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for a request");
		return NULL;
	}
	memset(f, 0, sizeof *f);
	f->magic = FETCH_MAGIC;
	f->done = done;
	f->owner = owner;
	arena_init(&f->arena, 4 * LIMIT_URL);
	text_init(&f->body, HTTP_FETCH_MAX);
	text_init(&f->answer, HTTP_FETCH_MAX);
	loop_deferred_init(&f->over, http_client_loop(c), over);
	if (begin(f, c, s, e) == 0)
		return f;
	http_fetch_free(f);
	return NULL;
}

void
http_fetch_free(struct http_fetch *f)
{
	if (f == NULL)
		return;
	CHECK_OBJ(f, FETCH_MAGIC);
	loop_undefer(&f->over);
	if (f->call != NULL)
		http_cancel(f->call);
	http_origin_free(f->origin);
	if (f->body.p != NULL)
		wipe(f->body.p, f->body.size);
	if (f->answer.p != NULL)
		wipe(f->answer.p, f->answer.size);
	text_release(&f->body);
	text_release(&f->answer);
	arena_release(&f->arena);
	f->magic = 0;
	pool_give(f);
}
