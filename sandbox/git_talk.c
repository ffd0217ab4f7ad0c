#include "sandbox/git_remote.h"

#include <stdio.h>
#include <string.h>

#include "config/manifest.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "net/http.h"
#include "sandbox/git_private.h"

/*
 * Theory of operation
 *
 * One request at a time.  ADVERTISING: the capabilities come, of which an
 * older form has a head that git at this end of a pipe does not expect.
 * LISTENING: pkt-lines are gathered up to a flush.  ASKING: that request is
 * on its way and its answer comes.  Bytes that git does not take at once are
 * kept, and the server is not read from until they are gone.
 */

#define GIT_TALK_MAGIC 0x5a4d8040
#define REQUEST_MAX (4 * MIB)
#define SERVICE "# service=git-upload-pack\n"
#define FIRST_BYTE_MS 60000
#define IDLE_MS 60000

enum talk_state { TALK_ADVERTISING, TALK_LISTENING, TALK_ASKING, TALK_OVER };

struct git_talk {
	unsigned magic;
	enum talk_state state;
	const struct git_remote *remote;
	const struct manifest_entry *entry;
	const struct git_talk_ops *ops;
	void *owner;
	struct http_call *call;
	struct text advertised; /* its beginning, until it can be judged */
	int judged;
	struct text request;
	size_t next_line; /* where in it the next pkt-line begins */
	struct span body; /* the request, as slices want it */
	struct text left; /* for git, not taken yet */
	int answered;     /* the call is over, but left is not empty */
};

static void
fail(struct git_talk *t, const struct error *e)
{
	t->state = TALK_OVER;
	if (t->call != NULL)
		http_cancel(t->call);
	t->call = NULL;
	t->ops->failed(e, t->owner);
}

static int
fail_with(struct git_talk *t, const char *what)
{
	struct error e;

	error_set(&e, ERROR_MANIFEST, 0, "git_clone_error: %.*s/%s: %s",
	    (int)http_origin_text(t->remote->origin).n,
	    http_origin_text(t->remote->origin).p, t->entry->git.repo, what);
	fail(t, &e);
	return -1;
}

/* --- bytes for git --- */

static void
answer_is_over(struct git_talk *t)
{
	t->answered = 0;
	t->state = TALK_LISTENING;
	text_clear(&t->request);
	t->next_line = 0;
	t->ops->ready(t->owner);
}

static void
give(struct git_talk *t, struct span s)
{
	size_t taken = 0;

	if (t->left.n == 0)
		taken = t->ops->bytes(s, t->owner);
	if (taken == s.n || t->state == TALK_OVER)
		return;
	text_add(&t->left, span_slice(s, taken, s.n));
	if (text_overflowed(&t->left))
		fail_with(t, "its answer cannot be held");
	else if (t->call != NULL)
		http_pause(t->call);
}

void
git_talk_resume(struct git_talk *t)
{
	CHECK_OBJ(t, GIT_TALK_MAGIC);
	while (t->left.n > 0) {
		size_t taken = t->ops->bytes(text_span(&t->left), t->owner);

		if (taken == 0)
			return;
		text_drop(&t->left, taken);
	}
	if (t->call != NULL)
		http_resume(t->call);
	else if (t->answered)
		answer_is_over(t);
}

/* --- the capabilities --- */

/* Cut the old head off the beginning, see that what follows is version 2. */
static void
judge_advertisement(struct git_talk *t)
{
	static const char head[] = "001e" SERVICE "0000";
	static const char wanted[] = "000eversion 2\n";
	struct span s = text_span(&t->advertised);

	if (span_has_prefix(s, span_of(head)))
		s = span_slice(s, strlen(head), s.n);
	else if (s.n < strlen(head) && span_has_prefix(span_of(head), s))
		return; /* not all of it has come */
	if (s.n < strlen(wanted))
		return;
	if (!span_has_prefix(s, span_of(wanted))) {
		fail_with(t, "the server does not speak version 2 of the "
			     "protocol");
		return;
	}
	t->judged = 1;
	give(t, s);
	text_release(&t->advertised);
}

/* --- one exchange --- */

static void
got_head(void *owner, const struct http_head *head)
{
	struct git_talk *t = owner;
	struct span type = http_field_get(head, "content-type");
	const char *wanted = t->state == TALK_ADVERTISING
				 ? "application/x-git-upload-pack-advertisement"
				 : "application/x-git-upload-pack-result";
	char what[160];

	CHECK_OBJ(t, GIT_TALK_MAGIC);
	if (head->status == 401 || head->status == 403)
		snprintf(what, sizeof what,
		    "the server refuses with status %d; it wants other (or "
		    "some) credentials",
		    head->status);
	else if (head->status == 404)
		snprintf(what, sizeof what,
		    "the server knows no such repository (status 404)");
	else if (head->status != 200)
		snprintf(what, sizeof what, "the server answers status %d",
		    head->status);
	else if (!span_is_nocase(type, wanted))
		snprintf(what, sizeof what,
		    "this is no server of git: it sends %.*s",
		    (int)(type.n < 60 ? type.n : 60),
		    type.p != NULL ? type.p : "");
	else
		return;
	fail_with(t, what);
}

static void
got_body(void *owner, struct span bytes)
{
	struct git_talk *t = owner;

	CHECK_OBJ(t, GIT_TALK_MAGIC);
	if (t->state != TALK_ADVERTISING || t->judged) {
		give(t, bytes);
		return;
	}
	text_add(&t->advertised, bytes);
	if (text_overflowed(&t->advertised))
		fail_with(t, "its capabilities are too long");
	else
		judge_advertisement(t);
}

static void
got_end(void *owner, const struct http_head *trailers)
{
	struct git_talk *t = owner;

	(void)trailers;
	CHECK_OBJ(t, GIT_TALK_MAGIC);
	t->call = NULL;
	if (t->state == TALK_ADVERTISING && !t->judged) {
		fail_with(t, "the server sends no capabilities");
		return;
	}
	t->answered = 1;
	if (t->left.n == 0)
		answer_is_over(t);
}

static void
got_failure(void *owner, const struct http_failure *f)
{
	struct git_talk *t = owner;
	struct error e = f->error;

	CHECK_OBJ(t, GIT_TALK_MAGIC);
	t->call = NULL;
	error_wrap(&e, "git_clone_error");
	e.code = ERROR_MANIFEST;
	fail(t, &e);
}

static const struct http_ops ops = {
    .head = got_head,
    .body = got_body,
    .end = got_end,
    .failed = got_failure,
};

static int
ask(struct git_talk *t, const char *method, const char *what, struct error *e)
{
	struct http_request_field fields[6] = {
	    {.name = "user-agent", .value = span_of("git/2.39 (skep)")},
	    {.name = "git-protocol", .value = span_of("version=2")},
	    {.name = "accept", .value = span_of("*/*")},
	};
	struct http_request q = {.method = method,
	    .fields = fields,
	    .nfields = 3,
	    .first_byte_ms = FIRST_BYTE_MS,
	    .idle_ms = IDLE_MS};
	struct text target;

	if (t->remote->authorization.n > 0)
		fields[q.nfields++] =
		    (struct http_request_field){.name = "authorization",
			.value = span_of("Basic "),
			.secret = &t->remote->authorization};
	if (t->request.n > 0) {
		t->body = text_span(&t->request);
		q.body = &t->body;
		q.nbody = 1;
		fields[q.nfields++] = (struct http_request_field){
		    .name = "content-type",
		    .value = span_of("application/x-git-upload-pack-request")};
	}
	text_init(&target, LIMIT_URL);
	text_add(&target, t->remote->path);
	text_printf(&target, "/%s/%s", t->entry->git.repo, what);
	q.target = text_span(&target);
	t->call = http_start(t->remote->origin, &q, &ops, t, e);
	text_release(&target);
	return t->call != NULL ? 0 : -1;
}

/* --- what git says --- */

/* The length of the pkt-line at p; 0: a flush; -1: none. */
static int
pkt_length(const char *p)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef";
		const char *d =
		    p[i] != '\0' ? strchr(digits, p[i] | 0x20) : NULL;

		if (d == NULL)
			return -1;
		value = value << 4 | (int)(d - digits);
	}
	/* 1 and 2 are marks without content; 3 is nothing. */
	return value == 3 ? -1 : value;
}

/* Bytes of s up to and with a flush, *whole; or all of it; -1. */
static ptrdiff_t
find_flush(struct git_talk *t, struct span s, int *whole)
{
	size_t before = t->request.n;

	*whole = 0;
	text_add(&t->request, s);
	if (text_overflowed(&t->request))
		return -1;
	while (!*whole && t->next_line + 4 <= t->request.n) {
		int n = pkt_length(t->request.p + t->next_line);

		if (n == -1)
			return -1;
		*whole = n == 0;
		t->next_line += n < 4 ? 4 : (size_t)n;
	}
	if (!*whole)
		return (ptrdiff_t)s.n;
	text_cut(&t->request, t->next_line);
	return (ptrdiff_t)(t->next_line - before);
}

ptrdiff_t
git_talk_say(struct git_talk *t, struct span s, struct error *e)
{
	ptrdiff_t taken;
	int whole;

	CHECK_OBJ(t, GIT_TALK_MAGIC);
	if (t->state == TALK_OVER)
		return (ptrdiff_t)s.n;
	if (t->state != TALK_LISTENING || s.n == 0)
		return 0;
	taken = find_flush(t, s, &whole);
	if (taken == -1)
		return error_set(e, ERROR_MANIFEST, 0,
		    "git_clone_error: git in the sandbox does not speak its "
		    "protocol");
	if (!whole)
		return taken;
	if (t->request.n == 4) {
		t->state = TALK_OVER;
		t->ops->hung_up(t->owner);
		return taken;
	}
	t->state = TALK_ASKING;
	if (ask(t, "POST", "git-upload-pack", e) == 0)
		return taken;
	error_wrap(e, "git_clone_error");
	e->code = ERROR_MANIFEST;
	return -1;
}

/* --- its life --- */

struct git_talk *
git_talk_start(const struct git_remotes *all,
    const struct manifest_entry *entry, const struct git_talk_ops *talk_ops,
    void *owner, struct error *e)
{
	const struct git_remote *remote = git_remote_of(all, entry, e);
	struct git_talk *t = remote != NULL ? pool_take(sizeof *t, NULL) : NULL;

	if (t == NULL) {
		if (remote != NULL)
			error_set(e, ERROR_FULL, 0, "memory to fetch with git");
		return NULL;
	}
	*t = (struct git_talk){.magic = GIT_TALK_MAGIC,
	    .remote = remote,
	    .entry = entry,
	    .ops = talk_ops,
	    .owner = owner};
	text_init(&t->advertised, 64 * KIB);
	text_init(&t->request, REQUEST_MAX);
	text_init(&t->left, 4 * MIB);
	if (ask(t, "GET", "info/refs?service=git-upload-pack", e) == 0)
		return t;
	error_wrap(e, "git_clone_error");
	e->code = ERROR_MANIFEST;
	git_talk_free(t);
	return NULL;
}

void
git_talk_free(struct git_talk *t)
{
	if (t == NULL)
		return;
	CHECK_OBJ(t, GIT_TALK_MAGIC);
	if (t->call != NULL)
		http_cancel(t->call);
	text_release(&t->advertised);
	text_release(&t->request);
	text_release(&t->left);
	t->magic = 0;
	pool_give(t);
}
