#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/model_call.h"
#include "tests/unit/net_test.h"

#define SCRIPT(...) ((const struct raw_step[]){__VA_ARGS__, {RAW_END, NULL}})
#define EVENTS                \
	"HTTP/1.1 200 OK\r\n" \
	"Content-Type: text/event-stream\r\nX-Request-Id: req-7\r\n\r\n"
#define DELTA \
	"data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hel\"}\n\n"
#define ITEM                                                                  \
	"data: {\"type\":\"response.output_item.done\",\"output_index\":0,"   \
	"\"item\":{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"m\"," \
	"\"content\":[{\"type\":\"output_text\",\"text\":\"Hello\"}]}}\n\n"
#define COMPLETED                                                       \
	"data: {\"type\":\"response.completed\",\"response\":{\"id\":"  \
	"\"r\",\"status\":\"completed\",\"usage\":{\"input_tokens\":3," \
	"\"output_tokens\":2}}}\n\n"
#define GOOD                                                       \
	{RAW_HEAD, NULL}, {RAW_SEND, EVENTS DELTA ITEM COMPLETED}, \
	    {RAW_FIN, NULL},                                       \
	{                                                          \
		RAW_END, NULL                                      \
	}
#define ERROR_ANSWER(status, fields, body)                                   \
	"HTTP/1.1 " status " X\r\nContent-Type: application/json\r\n" fields \
	"Connection: close\r\n\r\n" body

/* --- a call that writes down what it is told --- */

struct called {
	struct model_call *call;
	int over, done, failed, restarted, places;
	struct text text;
	unsigned items, attempts;
	uint64_t output_tokens;
	struct model_failure failure;
	struct text request_id, item;
	int cancel_in_text;
};

static void
told_text(void *owner, struct span text)
{
	struct called *c = owner;

	text_add(&c->text, text);
	if (c->cancel_in_text) {
		model_call_cancel(c->call);
		c->call = NULL;
		c->over = 1;
	}
}

static void
told_restarted(void *owner)
{
	struct called *c = owner;

	c->restarted++;
	text_clear(&c->text);
}

static void
told_placed(void *owner, int has_place)
{
	(void)has_place;
	((struct called *)owner)->places++;
}

static void
told_done(void *owner, const struct model_result *r)
{
	struct called *c = owner;

	assert_int_equal(r->reply->end, REPLY_DONE);
	c->over = c->done = 1;
	c->items = r->reply->items;
	c->attempts = r->attempts;
	c->output_tokens = r->reply->usage.output_tokens;
	text_add(&c->request_id, r->request_id);
	if (r->reply->items > 0)
		text_add(&c->item, reply_item(r->reply, 0));
}

static void
told_failed(void *owner, const struct model_failure *f)
{
	struct called *c = owner;

	c->over = c->failed = 1;
	c->failure = *f;
	c->attempts = f->attempts;
}

static const struct model_call_ops ops = {
    .text = told_text,
    .restarted = told_restarted,
    .placed = told_placed,
    .done = told_done,
    .failed = told_failed,
};

static void
called_init(struct called *c)
{
	memset(c, 0, sizeof *c);
	text_init(&c->text, MIB);
	text_init(&c->request_id, KIB);
	text_init(&c->item, MIB);
}

static void
called_release(struct called *c)
{
	text_release(&c->text);
	text_release(&c->request_id);
	text_release(&c->item);
}

static struct model_endpoint *
endpoint(const char *url, const struct secret *key, unsigned attempts)
{
	char base[128];
	struct model_endpoint_settings s = {
	    .provider = &provider_responses,
	    .api_key = key,
	    .first_byte_ms = 300,
	    .idle_ms = 300,
	    .retry = {attempts, 1, 5, 300},
	};
	struct model_endpoint *ep;
	struct error e;

	snprintf(base, sizeof base, "%s/v1", url);
	s.base_url = span_of(base);
	ep = model_endpoint_new(net_client, &s, &e);
	if (ep == NULL)
		fail_msg("%s", e.text);
	return ep;
}

static void
start(struct called *c, struct model_endpoint *ep)
{
	static const char item[] =
	    "{\"type\":\"message\",\"role\":\"user\",\"content\":\"hi\"}";
	struct span items[] = {span_of(item)};
	struct model_request q = {
	    .model = span_of("m"), .items = items, .nitems = 1, .stream = 1};
	struct error e;

	c->call = model_call_start(ep, &q, &ops, c, &e);
	if (c->call == NULL)
		fail_msg("%s", e.text);
}

/* Play the script to a call with so many attempts. */
static void
call_against(struct called *c, const struct raw_step *script, unsigned attempts,
    struct text *heard)
{
	struct model_endpoint *ep;
	struct raw_peer p;

	raw_start(&p, script);
	ep = endpoint(p.url, NULL, attempts);
	called_init(c);
	start(c, ep);
	net_run_until(&c->over);
	net_run_ms(1);
	if (heard != NULL)
		text_add(heard, text_span(&p.heard));
	model_endpoint_free(ep);
	raw_stop(&p);
}

/* --- good answers --- */

static void
a_stream_becomes_a_reply(void **state)
{
	struct called c;

	(void)state;
	call_against(&c, SCRIPT(GOOD), 1, NULL);
	if (c.failed)
		fail_msg("%s", c.failure.error.text);
	assert_int_equal(c.items, 1);
	assert_int_equal(c.output_tokens, 2);
	assert_int_equal(c.places, 1);
	assert_string_equal(c.text.p, "Hel");
	assert_string_equal(c.request_id.p, "req-7");
	called_release(&c);
}

static void
a_stream_that_does_not_end_after_its_last_event_is_whole(void **state)
{
	struct called c;

	(void)state;
	call_against(&c,
	    SCRIPT({RAW_HEAD, NULL}, {RAW_SEND, EVENTS ITEM COMPLETED},
		{RAW_STALL, NULL}),
	    1, NULL);
	assert_int_equal(c.done, 1);
	called_release(&c);
	call_against(&c,
	    SCRIPT({RAW_HEAD, NULL}, {RAW_SEND, EVENTS ITEM COMPLETED},
		{RAW_RESET, NULL}),
	    1, NULL);
	assert_int_equal(c.done, 1);
	called_release(&c);
}

static void
a_same_origin_redirect_is_followed_and_no_other(void **state)
{
	static const char *const away[] = {"https://example.com/v1/x",
	    "http://127.0.0.1:1/v1/x", "file:///etc/passwd", "//evil/", ""};
	char answer[300];
	struct text heard;
	struct called c;

	(void)state;
	text_init(&heard, MIB);
	call_against(&c,
	    SCRIPT({RAW_HEAD, NULL},
		{RAW_SEND, "HTTP/1.1 308 X\r\nLocation: /v2/there\r\n"
			   "Connection: close\r\nContent-Length: 0\r\n\r\n"},
		{RAW_FIN, NULL}, {RAW_END, NULL}, GOOD),
	    1, &heard);
	assert_int_equal(c.done, 1);
	assert_non_null(strstr(heard.p, "POST /v1/responses "));
	assert_non_null(strstr(heard.p, "POST /v2/there "));
	called_release(&c);
	text_release(&heard);
	for (size_t i = 0; i < sizeof away / sizeof *away; i++) {
		snprintf(answer, sizeof answer,
		    "HTTP/1.1 307 X\r\nLocation: %s\r\n"
		    "Content-Length: 0\r\n\r\n",
		    away[i]);
		call_against(&c,
		    SCRIPT({RAW_HEAD, NULL}, {RAW_SEND, answer},
			{RAW_STALL, NULL}),
		    3, NULL);
		assert_int_equal(c.failure.error.code, ERROR_MODEL_REJECTED);
		assert_int_equal(c.attempts, 1);
		assert_non_null(strstr(c.failure.error.text, away[i]));
		called_release(&c);
	}
}

static void
redirects_in_a_circle_end(void **state)
{
#define CIRCLE                                                            \
	{RAW_HEAD, NULL},                                                 \
	    {RAW_SEND, "HTTP/1.1 307 X\r\nLocation: /again\r\n"           \
		       "Connection: close\r\nContent-Length: 0\r\n\r\n"}, \
	    {RAW_FIN, NULL},                                              \
	{                                                                 \
		RAW_END, NULL                                             \
	}
	struct called c;

	(void)state;
	call_against(&c,
	    SCRIPT(CIRCLE, CIRCLE, CIRCLE, CIRCLE, CIRCLE, CIRCLE, CIRCLE), 3,
	    NULL);
	assert_int_equal(c.failure.error.code, ERROR_MODEL_REJECTED);
	called_release(&c);
}

/* --- trying again --- */

static void
passing_troubles_are_waited_out(void **state)
{
	static const char *const trouble[] = {
	    ERROR_ANSWER("429", "Retry-After: 0\r\n", "{}"),
	    ERROR_ANSWER("500", "", "oops"),
	    ERROR_ANSWER("503", "", ""),
	    ERROR_ANSWER("529", "", "{\"error\":{\"type\":\"overloaded\"}}"),
	    ERROR_ANSWER("408", "", ""),
	    EVENTS DELTA,      /* cut in the middle */
	    EVENTS DELTA ITEM, /* without its closing event */
	    EVENTS "data: {\"type\":\"error\",\"code\":\"server_error\","
		   "\"message\":\"x\"}\n\n",
	    "",                          /* closed without an answer */
	    "HTTP/1.1 200 OK\r\n\r\nhm", /* of no type at all */
	    EVENTS "data: {not JSON\n\n",
	};
	struct text heard;
	struct called c;

	(void)state;
	for (size_t i = 0; i < sizeof trouble / sizeof *trouble; i++) {
		text_init(&heard, MIB);
		call_against(&c,
		    SCRIPT({RAW_HEAD, NULL}, {RAW_SEND, trouble[i]},
			{RAW_FIN, NULL}, {RAW_END, NULL}, GOOD),
		    2, &heard);
		if (!c.done)
			fail_msg("%zu: %s", i, c.failure.error.text);
		assert_int_equal(c.attempts, 2);
		assert_int_equal(c.items, 1); /* nothing of the first */
		assert_string_equal(c.text.p, "Hel");
		assert_non_null(strstr(heard.p, "x-stainless-retry-count: 0"));
		assert_non_null(strstr(heard.p, "x-stainless-retry-count: 1"));
		called_release(&c);
		text_release(&heard);
	}
}

static void
each_failure_has_its_code(void **state)
{
	static const struct {
		const char *answer;
		enum error_code code;
		unsigned attempts;
	} is[] = {
	    {ERROR_ANSWER("401", "", ""), ERROR_MODEL_AUTH, 1},
	    {ERROR_ANSWER("403", "", ""), ERROR_MODEL_AUTH, 1},
	    {ERROR_ANSWER("400", "", "{\"error\":{\"message\":\"no\"}}"),
		ERROR_MODEL_REJECTED, 1},
	    {ERROR_ANSWER("404", "", ""), ERROR_MODEL_REJECTED, 1},
	    {ERROR_ANSWER("501", "", ""), ERROR_MODEL_REJECTED, 1},
	    {ERROR_ANSWER("302", "", "moved"), ERROR_MODEL_REJECTED, 1},
	    {ERROR_ANSWER("302", "Location: /x\r\n", ""), ERROR_MODEL_REJECTED,
		1},
	    {ERROR_ANSWER("503", "", ""), ERROR_MODEL_UNAVAILABLE, 2},
	    {ERROR_ANSWER("429", "", ""), ERROR_MODEL_RATE_LIMITED, 2},
	    {ERROR_ANSWER("429", "Retry-After: 1000000000\r\n", ""),
		ERROR_MODEL_RATE_LIMITED, 1},
	    {ERROR_ANSWER(
		 "429", "", "{\"error\":{\"code\":\"insufficient_quota\"}}"),
		ERROR_MODEL_RATE_LIMITED, 1},
	    {EVENTS DELTA, ERROR_MODEL_UNAVAILABLE, 2},
	    {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>",
		ERROR_MODEL_PROTOCOL, 2},
	    {EVENTS "data: [1e\n\n", ERROR_MODEL_PROTOCOL, 2},
	    {"HTTP/1.1 200 OK\nContent-Type: text/html\n\n",
		ERROR_MODEL_PROTOCOL, 2},
	    {EVENTS "data: {\"type\":\"response.incomplete\",\"response\":{"
		    "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"
		    "}}\n\n",
		ERROR_MODEL_INCOMPLETE, 1},
	};
	struct called c;

	(void)state;
	for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
		call_against(&c,
		    SCRIPT({RAW_HEAD, NULL}, {RAW_SEND, is[i].answer},
			{RAW_FIN, NULL}, {RAW_END, NULL}, {RAW_HEAD, NULL},
			{RAW_SEND, is[i].answer}, {RAW_FIN, NULL}),
		    2, NULL);
		if (c.failure.error.code != is[i].code ||
		    c.attempts != is[i].attempts)
			fail_msg("%zu: %u attempts, %s", i, c.attempts,
			    c.failure.error.text);
		assert_non_null(
		    strstr(c.failure.error.text, "POST http://127.0.0.1:"));
		called_release(&c);
	}
}

static void
silence_and_stalls_are_given_up(void **state)
{
	struct called c;

	(void)state;
	call_against(&c, SCRIPT({RAW_STALL, NULL}), 1, NULL);
	assert_int_equal(c.failure.error.code, ERROR_MODEL_UNAVAILABLE);
	called_release(&c);
	call_against(&c,
	    SCRIPT(
		{RAW_HEAD, NULL}, {RAW_SEND, EVENTS DELTA}, {RAW_STALL, NULL}),
	    1, NULL);
	assert_int_equal(c.failure.error.code, ERROR_MODEL_UNAVAILABLE);
	assert_non_null(strstr(c.failure.error.text, "stalled"));
	called_release(&c);
}

static void
nobody_there_is_unreachable(void **state)
{
	struct model_endpoint *ep;
	struct raw_peer p;
	struct called c;

	(void)state;
	raw_start(&p, SCRIPT({RAW_STALL, NULL}));
	raw_stop(&p);
	ep = endpoint(p.url, NULL, 3);
	called_init(&c);
	start(&c, ep);
	net_run_until(&c.over);
	assert_int_equal(c.failure.error.code, ERROR_MODEL_UNREACHABLE);
	assert_int_equal(c.attempts, 3);
	assert_non_null(strstr(c.failure.error.text, "3 times"));
	called_release(&c);
	model_endpoint_free(ep);
}

static void
a_certificate_nobody_trusts_is_not_tried_again(void **state)
{
	struct model_endpoint *ep;
	struct called c;
	struct echo ec;

	(void)state;
	echo_start(&ec, 1, NULL);
	ep = endpoint(ec.url, NULL, 3); /* the system's roots */
	called_init(&c);
	start(&c, ep);
	net_run_until(&c.over);
	assert_int_equal(c.failure.error.code, ERROR_MODEL_TLS);
	assert_int_equal(c.attempts, 1);
	called_release(&c);
	model_endpoint_free(ep);
	echo_stop(&ec);
}

/* --- secrets --- */

static void
no_error_repeats_the_key(void **state)
{
	struct model_endpoint *ep;
	struct secret key;
	struct raw_peer p;
	struct called c;
	struct error e;

	(void)state;
	setenv("MODEL_TEST_KEY", "sk-very-secret", 1);
	assert_int_equal(secret_from_env(&key, "MODEL_TEST_KEY", &e), 0);
	raw_start(
	    &p, SCRIPT({RAW_HEAD, NULL},
		    {RAW_SEND, ERROR_ANSWER("401", "",
				   "{\"error\":{\"message\":\"bad key "
				   "sk-very-secret, sk-very-secret!\"}}")},
		    {RAW_FIN, NULL}));
	ep = endpoint(p.url, &key, 1);
	called_init(&c);
	start(&c, ep);
	net_run_until(&c.over);
	assert_int_equal(c.failure.error.code, ERROR_MODEL_AUTH);
	assert_null(strstr(c.failure.error.text, "sk-very-secret"));
	assert_non_null(strstr(c.failure.error.text, "bad key ***"));
	/* But it was sent. */
	assert_non_null(strstr(p.heard.p, ": Bearer sk-very-secret\r\n"));
	called_release(&c);
	model_endpoint_free(ep);
	raw_stop(&p);
	secret_release(&key);
}

/* --- cancelling --- */

static void
a_call_can_be_cancelled_at_any_moment(void **state)
{
	struct model_endpoint *ep;
	struct raw_peer p;
	struct called c;

	(void)state;
	for (unsigned ms = 0; ms < 6; ms++) {
		raw_start(&p,
		    SCRIPT({RAW_HEAD, NULL},
			{RAW_SEND, ERROR_ANSWER("500", "", "")},
			{RAW_FIN, NULL}, {RAW_END, NULL}, {RAW_STALL, NULL}));
		ep = endpoint(p.url, NULL, 3);
		called_init(&c);
		start(&c, ep);
		net_run_ms(ms);
		model_call_cancel(c.call);
		net_run_ms(3);
		assert_false(c.over);
		called_release(&c);
		model_endpoint_free(ep);
		raw_stop(&p);
	}
	raw_start(&p, SCRIPT(GOOD));
	ep = endpoint(p.url, NULL, 3);
	called_init(&c);
	c.cancel_in_text = 1;
	start(&c, ep);
	net_run_until(&c.over);
	net_run_ms(2);
	assert_false(c.done || c.failed);
	called_release(&c);
	model_endpoint_free(ep);
	raw_stop(&p);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, net_setup, net_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_stream_becomes_a_reply),
	    TEST(a_stream_that_does_not_end_after_its_last_event_is_whole),
	    TEST(a_same_origin_redirect_is_followed_and_no_other),
	    TEST(redirects_in_a_circle_end),
	    TEST(passing_troubles_are_waited_out),
	    TEST(each_failure_has_its_code),
	    TEST(silence_and_stalls_are_given_up),
	    TEST(nobody_there_is_unreachable),
	    TEST(a_certificate_nobody_trusts_is_not_tried_again),
	    TEST(no_error_repeats_the_key),
	    TEST(a_call_can_be_cancelled_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
