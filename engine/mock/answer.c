#include "engine/mock/answer.h"

#include "config/mock.h"
#include "engine/base/check.h"
#include "net/server.h"

#define TICK_MS 20 /* how often bytes_per_second lets bytes go */

static const struct mock_timing no_timing;
static const struct mock_fault no_fault = {.after_bytes = -1};

static const struct mock_timing *
timing(const struct answer *a)
{
	return a->rule == NULL ? &no_timing : &a->rule->timing;
}

static const struct mock_fault *
fault(const struct answer *a)
{
	return a->rule == NULL ? &no_fault : &a->rule->fault;
}

/* A delay with the rule's jitter; the seed and the request decide it. */
static uint64_t
delay(struct answer *a, int64_t ms)
{
	double jitter = timing(a)->jitter, part;

	if (jitter <= 0 || ms <= 0)
		return ms > 0 ? (uint64_t)ms : 0;
	a->random = a->random * 6364136223846793005u + 1442695040888963407u;
	part = (double)(a->random >> 33) / (double)(1u << 31); /* 0..1 */
	return (uint64_t)((double)ms * (1 + jitter * (2 * part - 1)) + .5);
}

static void
send_head(struct answer *a)
{
	const struct named_list *more = &fault(a)->headers;
	struct http_field field[ANSWER_FIELDS_MAX];
	unsigned n = 0;

	field[n++] = (struct http_field){
	    span_of("content-type"), span_of(a->content_type)};
	if (a->is_stream)
		field[n++] = (struct http_field){
		    span_of("cache-control"), span_of("no-store")};
	if (a->retry_after != NULL)
		field[n++] = (struct http_field){
		    span_of("retry-after"), span_of(a->retry_after)};
	for (unsigned i = 0; i < more->n && n < ANSWER_FIELDS_MAX; i++)
		field[n++] = (struct http_field){
		    span_of(more->at[i].name), more->at[i].value};
	server_head(
	    a->x, a->status, field, n, a->is_stream ? -1 : (int64_t)a->body.n);
	a->head_sent = 1;
}

/* How far the body goes before it ends or a fault takes over. */
static size_t
end_of(const struct answer *a)
{
	int64_t after = a->said_goaway ? -1 : fault(a)->after_bytes;

	if (after >= 0 && (uint64_t)after < a->body.n)
		return (size_t)after;
	return a->body.n;
}

static void go_on(struct answer *a);

static void
misbehave(struct answer *a)
{
	static const char garbage[] =
	    "\x16\x03garbage \xff\xfe{\"\r\n\r\nHTTP/9.9 000 ?\r\n\x00\x01";

	switch (fault(a)->then) {
	case MOCK_RESET:
		server_reset(a->x);
		break;
	case MOCK_GARBAGE:
		server_raw(a->x, (struct span){garbage, sizeof garbage - 1});
		break;
	case MOCK_STALL:
		return; /* until the peer gives up */
	case MOCK_GOAWAY:
		a->said_goaway = 1;
		server_goaway(a->x);
		go_on(a);
		return;
	default:
		server_close(a->x);
	}
	a->over(a);
}

static void
finish(struct answer *a)
{
	if (fault(a)->after_bytes >= 0 && !a->said_goaway) {
		misbehave(a);
		return;
	}
	server_end(a->x);
	a->over(a);
}

/* Where the stream rests next, at most at end. */
static size_t
next_pause(const struct answer *a, size_t end)
{
	size_t pause;

	if ((a->pause_at + 1) * sizeof pause > a->pauses.n)
		return end;
	memcpy(&pause, a->pauses.p + a->pause_at * sizeof pause, sizeof pause);
	return pause < end ? pause : end;
}

/* 1 when all up to `to` went; else writable() comes. */
static int
send_to(struct answer *a, size_t to)
{
	if (a->at < to)
		a->at += server_write(
		    a->x, span_slice(text_span(&a->body), a->at, to));
	return a->at == to;
}

static void
send_slowly(struct answer *a, size_t end)
{
	uint64_t rate = (uint64_t)fault(a)->bytes_per_second, wait = TICK_MS;
	uint64_t n = rate * TICK_MS / 1000;

	if (n == 0) {
		n = 1;
		wait = 1000 / rate;
	}
	if (n > end - a->at)
		n = end - a->at;
	if (!send_to(a, a->at + (size_t)n))
		return;
	if (a->at == end)
		finish(a);
	else
		loop_timer_start(&a->timer, wait);
}

static void
go_on(struct answer *a)
{
	size_t end = end_of(a), to;

	if (!a->head_sent && end == 0 && fault(a)->after_bytes == 0 &&
	    !a->said_goaway) {
		misbehave(a); /* not even a head */
		return;
	}
	if (!a->head_sent)
		send_head(a);
	if (fault(a)->bytes_per_second > 0 && a->at < end) {
		send_slowly(a, end);
		return;
	}
	to = next_pause(a, end);
	if (!send_to(a, to))
		return;
	if (a->at == end) {
		finish(a);
		return;
	}
	a->pause_at++;
	loop_timer_start(&a->timer, delay(a, timing(a)->chunk_ms));
}

static void
expired(struct loop_timer *t)
{
	go_on(container_of(t, struct answer, timer));
}

void
answer_init(struct answer *a, struct loop *loop, struct exchange *x,
    void (*over)(struct answer *a), void *owner)
{
	a->x = x;
	a->owner = owner;
	a->over = over;
	a->status = 200;
	a->content_type = "application/json";
	text_init(&a->body, ANSWER_BODY_MAX);
	text_init(&a->pauses, ANSWER_BODY_MAX);
	loop_timer_init(&a->timer, loop, expired);
}

void
answer_start(struct answer *a)
{
	int64_t first_ms = timing(a)->first_byte_ms;

	a->random ^= (uint64_t)timing(a)->seed * 0x9e3779b97f4a7c15u;
	if (first_ms > 0)
		loop_timer_start(&a->timer, delay(a, first_ms));
	else
		go_on(a);
}

void
answer_go_on(struct answer *a)
{
	if (a->head_sent && !loop_timer_is_active(&a->timer))
		go_on(a);
}

void
answer_release(struct answer *a)
{
	loop_timer_stop(&a->timer);
	text_release(&a->body);
	text_release(&a->pauses);
}
