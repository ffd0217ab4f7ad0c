#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/http1.h"
#include "net/retry.h"

static struct http_head head;

/* 784111777 is Sun, 06 Nov 1994 08:49:37 GMT. */
#define NOW INT64_C(784111777)

static void
field(const char *name, const char *value)
{
	head.field[head.fields].name = span_of(name);
	head.field[head.fields++].value = span_of(value);
}

static struct retry_verdict
decide(enum retry_event event, int status, unsigned attempt)
{
	struct retry_case c = {.event = event,
	    .status = status,
	    .attempt = attempt,
	    .protocol_faults = attempt,
	    .head = &head,
	    .wall_seconds = NOW,
	    .random = UINT32_MAX};
	struct retry_verdict v;

	retry_decide(&retry_default, &c, &v);
	return v;
}

static void
each_status_has_its_verdict(void **state)
{
	static const struct {
		int status, again;
		enum error_code code;
		int lowers;
	} cases[] = {
	    {401, 0, ERROR_MODEL_AUTH, 0},
	    {403, 0, ERROR_MODEL_AUTH, 0},
	    {400, 0, ERROR_MODEL_REJECTED, 0},
	    {404, 0, ERROR_MODEL_REJECTED, 0},
	    {405, 0, ERROR_MODEL_REJECTED, 0},
	    {413, 0, ERROR_MODEL_REJECTED, 0},
	    {422, 0, ERROR_MODEL_REJECTED, 0},
	    {418, 0, ERROR_MODEL_REJECTED, 0},
	    {501, 0, ERROR_MODEL_REJECTED, 0},
	    {302, 0, ERROR_MODEL_REJECTED, 0},
	    {408, 1, ERROR_MODEL_UNAVAILABLE, 0},
	    {409, 1, ERROR_MODEL_UNAVAILABLE, 0},
	    {500, 1, ERROR_MODEL_UNAVAILABLE, 0},
	    {502, 1, ERROR_MODEL_UNAVAILABLE, 0},
	    {503, 1, ERROR_MODEL_UNAVAILABLE, 1},
	    {504, 1, ERROR_MODEL_UNAVAILABLE, 0},
	    {529, 1, ERROR_MODEL_UNAVAILABLE, 1},
	    {429, 1, ERROR_MODEL_RATE_LIMITED, 1},
	};

	(void)state;
	head.fields = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct retry_verdict v =
		    decide(RETRY_EV_STATUS, cases[i].status, 1);

		assert_int_equal(v.again, cases[i].again);
		assert_int_equal(v.code, cases[i].code);
		assert_int_equal(v.lowers_limit, cases[i].lowers);
		v = decide(RETRY_EV_STATUS, cases[i].status, 6);
		assert_int_equal(v.again, 0);
		assert_int_equal(v.code, cases[i].code);
	}
}

static void
each_failure_has_its_verdict(void **state)
{
	static const struct {
		enum retry_event event;
		int again;
		enum error_code code;
	} cases[] = {
	    {RETRY_EV_CONNECT, 1, ERROR_MODEL_UNREACHABLE},
	    {RETRY_EV_TLS, 0, ERROR_MODEL_TLS},
	    {RETRY_EV_TLS_CUT, 1, ERROR_MODEL_TLS},
	    {RETRY_EV_CUT, 1, ERROR_MODEL_UNAVAILABLE},
	    {RETRY_EV_PROTOCOL, 1, ERROR_MODEL_PROTOCOL},
	};

	(void)state;
	head.fields = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct retry_verdict v = decide(cases[i].event, 0, 1);

		assert_int_equal(v.again, cases[i].again);
		assert_int_equal(v.code, cases[i].code);
		assert_false(v.lowers_limit);
	}
	assert_false(decide(RETRY_EV_PROTOCOL, 0, 2).again);
}

static void
what_the_answer_says_decides(void **state)
{
	struct retry_case c = {.event = RETRY_EV_SAID,
	    .attempt = 1,
	    .said = ERROR_MODEL_RATE_LIMITED};
	struct retry_verdict v;

	(void)state;
	retry_decide(&retry_default, &c, &v);
	assert_true(v.again);
	assert_true(v.lowers_limit);
	c.is_final = 1;
	retry_decide(&retry_default, &c, &v);
	assert_false(v.again);
	assert_false(v.lowers_limit);
	assert_int_equal(v.code, ERROR_MODEL_RATE_LIMITED);
	assert_non_null(strstr(v.why, "waiting does not help"));
	/* To a refusal waiting is beside the point. */
	c.said = ERROR_MODEL_REFUSED;
	retry_decide(&retry_default, &c, &v);
	assert_false(v.again);
	assert_int_equal(v.code, ERROR_MODEL_REFUSED);
	assert_null(strstr(v.why, "waiting"));
	c.is_final = 0;
	c.said = ERROR_MODEL_INCOMPLETE;
	retry_decide(&retry_default, &c, &v);
	assert_false(v.again);
	assert_int_equal(v.code, ERROR_MODEL_INCOMPLETE);
	c.said = ERROR_NONE;
	retry_decide(&retry_default, &c, &v);
	assert_true(v.again);
	assert_int_equal(v.code, ERROR_MODEL_UNAVAILABLE);
	/* A quota that is used up, said in the body of a 429. */
	c = (struct retry_case){.event = RETRY_EV_STATUS,
	    .status = 429,
	    .attempt = 1,
	    .is_final = 1};
	retry_decide(&retry_default, &c, &v);
	assert_false(v.again);
	assert_int_equal(v.code, ERROR_MODEL_RATE_LIMITED);
}

static void
the_wait_doubles_up_to_its_ceiling_with_full_jitter(void **state)
{
	struct retry_policy p = {100, 500, 60000, 300};
	struct retry_case c = {.event = RETRY_EV_CONNECT};
	struct retry_verdict v;
	uint64_t most = 500;

	(void)state;
	for (c.attempt = 1; c.attempt < 50; c.attempt++) {
		c.random = UINT32_MAX;
		retry_decide(&p, &c, &v);
		assert_true(v.again);
		assert_true(v.wait_ms == most);
		c.random = 0;
		retry_decide(&p, &c, &v);
		assert_true(v.wait_ms == 0);
		most = most * 2 < 60000 ? most * 2 : 60000;
	}
}

static void
retry_after_is_honoured_up_to_its_limit(void **state)
{
	static const struct {
		const char *value;
		int64_t ms;
	} cases[] = {
	    {"0", 0},
	    {"5", 5000},
	    {"1.5", 1500},
	    {"300", 300000},
	    {"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
	    {"Sunday, 06-Nov-94 08:49:47 GMT", 10000},
	    {"Sun Nov  6 08:49:47 1994", 10000},
	    {"Sun, 06 Nov 1994 08:49:27 GMT", 0},
	    {"garbage", -1},
	    {"-1", -1},
	    {"", -1},
	    {"5 minutes", -1},
	    {"Sun, 06 Nov 1994 08:49:47 CET", -1},
	    {"Sun, 99 Nov 1994 08:49:47 GMT", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct retry_verdict v;

		head.fields = 0;
		field("Retry-After", cases[i].value);
		assert_true(retry_after_ms(&head, NOW) == cases[i].ms);
		v = decide(RETRY_EV_STATUS, 429, 1);
		assert_true(v.again);
		if (cases[i].ms == -1)
			assert_in_range(v.wait_ms, 0, 500);
		else
			assert_in_range(
			    v.wait_ms, cases[i].ms, cases[i].ms + 250);
	}
	for (int i = 0; i < 3; i++) {
		static const char *const far[] = {
		    "301", "1000000000", "Sun, 06 Nov 2094 08:49:47 GMT"};

		head.fields = 0;
		field("Retry-After", far[i]);
		assert_false(decide(RETRY_EV_STATUS, 503, 1).again);
	}
	head.fields = 0;
	field("retry-after-ms", "20");
	field("retry-after", "7");
	assert_true(retry_after_ms(&head, NOW) == 20);
}

static void
an_exhausted_quota_is_waited_for(void **state)
{
	(void)state;
	head.fields = 0;
	field("x-ratelimit-remaining-requests", "0");
	field("x-ratelimit-reset-requests", "1m6.5s");
	field("x-ratelimit-remaining-tokens", "100");
	field("x-ratelimit-reset-tokens", "6h");
	assert_true(decide(RETRY_EV_STATUS, 429, 1).wait_ms == 60000);
	head.field[1].value = span_of("2s500ms");
	assert_true(decide(RETRY_EV_STATUS, 429, 1).wait_ms == 2500);
	head.field[1].value = span_of("soon");
	assert_true(decide(RETRY_EV_STATUS, 429, 1).wait_ms == 500);
}

static void
dates_count_leap_years(void **state)
{
	(void)state;
	assert_true(http_date(span_of("Thu, 01 Jan 1970 00:00:00 GMT")) == 0);
	assert_true(
	    http_date(span_of("Thu, 29 Feb 2024 12:00:00 GMT")) == 1709208000);
	assert_true(
	    http_date(span_of("Fri, 01 Mar 2024 00:00:00 GMT")) == 1709251200);
	assert_true(
	    http_date(span_of("Tue, 19 Jan 2038 03:14:08 GMT")) == 2147483648);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_status_has_its_verdict),
	    cmocka_unit_test(each_failure_has_its_verdict),
	    cmocka_unit_test(what_the_answer_says_decides),
	    cmocka_unit_test(
		the_wait_doubles_up_to_its_ceiling_with_full_jitter),
	    cmocka_unit_test(retry_after_is_honoured_up_to_its_limit),
	    cmocka_unit_test(an_exhausted_quota_is_waited_for),
	    cmocka_unit_test(dates_count_leap_years),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
