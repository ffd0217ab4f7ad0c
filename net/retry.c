#include "net/retry.h"

#include <string.h>

#include "net/http1.h"

const struct retry_policy retry_default = {6, 500, 60000, 300};

/* --- what the fields say --- */

/* "1", "0.5": seconds, not negative; -1 when it is neither. */
static int64_t
seconds_to_ms(struct span s)
{
	size_t point = span_find(s, '.', 0);
	unsigned long long whole, unit = 100;
	int64_t ms;

	if (span_to_u64(span_slice(s, 0, point), 1000000000000ULL, &whole) ==
	    -1)
		return -1;
	ms = (int64_t)whole * 1000;
	for (size_t i = point + 1; i < s.n; i++, unit /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		ms += (int64_t)(unit * (unsigned)(s.p[i] - '0'));
	}
	return ms;
}

int64_t
retry_after_ms(const struct http_head *h, int64_t wall_seconds)
{
	unsigned long long ms;
	struct span after;
	int64_t date;

	if (h == NULL)
		return -1;
	if (span_to_u64(http_field_get(h, "retry-after-ms"), INT64_MAX, &ms) ==
	    0)
		return (int64_t)ms;
	after = http_field_get(h, "retry-after");
	if (after.n == 0)
		return -1;
	if (after.p[0] >= '0' && after.p[0] <= '9' && seconds_to_ms(after) >= 0)
		return seconds_to_ms(after);
	date = http_date(after);
	if (date == -1)
		return -1;
	return date > wall_seconds ? (date - wall_seconds) * 1000 : 0;
}

/* "6m0s", "1.5s", "20ms": a quota's time to its reset; -1 when it is none. */
static int64_t
duration_ms(struct span s)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	int64_t total = 0, value;
	size_t n, i;

	while (s.n > 0) {
		for (n = 0; n < s.n && strchr("0123456789.", s.p[n]); n++)
			;
		value = seconds_to_ms(span_slice(s, 0, n));
		s = span_slice(s, n, s.n);
		if (value == -1 || value > INT64_C(1000000000))
			return -1;
		for (i = 0; i < 4; i++)
			if (span_has_prefix(s, span_of(units[i].unit)))
				break;
		if (i == 4 || s.n == 0)
			return -1;
		total += value * units[i].ms / 1000;
		s = span_slice(s, strlen(units[i].unit), s.n);
	}
	return total;
}

/* How long an exhausted quota still lasts; 0 when none says so. */
static uint64_t
quota_ms(const struct http_head *h)
{
	static const char *const names[2][2] = {
	    {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
	    {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"},
	};
	int64_t longest = 0, ms;

	for (int i = 0; h != NULL && i < 2; i++) {
		if (!span_is(http_field_get(h, names[i][0]), "0"))
			continue;
		ms = duration_ms(http_field_get(h, names[i][1]));
		if (ms > longest)
			longest = ms;
	}
	return (uint64_t)longest;
}

/* --- the table --- */

/* What a status means; *again when trying once more may help. */
static enum error_code
of_status(int status, int *again, const char **why)
{
	*again = 0;
	switch (status) {
	case 401:
	case 403:
		*why = "the server refused the credentials";
		return ERROR_MODEL_AUTH;
	case 429:
		*again = 1;
		*why = "too many requests";
		return ERROR_MODEL_RATE_LIMITED;
	case 408:
	case 409:
		*again = 1;
		*why = "the server could not answer now";
		return ERROR_MODEL_UNAVAILABLE;
	case 501:
	case 505:
		*why = "the server cannot do this";
		return ERROR_MODEL_REJECTED;
	default:
		break;
	}
	if (status >= 500 && status < 600) {
		*again = 1;
		*why = "the server failed";
		return ERROR_MODEL_UNAVAILABLE;
	}
	*why = status >= 300 && status < 400 ? "a redirect"
					     : "the server refused the request";
	return ERROR_MODEL_REJECTED;
}

static enum error_code
of_said(const struct retry_case *c, int *again, const char **why)
{
	*why = "the answer reports an error";
	*again = !c->is_final && (c->said == ERROR_MODEL_UNAVAILABLE ||
				     c->said == ERROR_MODEL_RATE_LIMITED);
	if (c->said == ERROR_NONE) {
		*again = 1;
		return ERROR_MODEL_UNAVAILABLE;
	}
	return c->said;
}

static enum error_code
of_event(const struct retry_case *c, int *again, const char **why)
{
	*again = 1;
	switch (c->event) {
	case RETRY_EV_CONNECT:
		*why = "no connection";
		return ERROR_MODEL_UNREACHABLE;
	case RETRY_EV_TLS:
		*again = 0;
		*why = "TLS failed";
		return ERROR_MODEL_TLS;
	case RETRY_EV_TLS_CUT:
		*why = "the handshake was cut";
		return ERROR_MODEL_TLS;
	case RETRY_EV_CUT:
		*why = "the answer was cut";
		return ERROR_MODEL_UNAVAILABLE;
	case RETRY_EV_PROTOCOL:
		*again = c->protocol_faults <= 1;
		*why = "the answer breaks the protocol";
		return ERROR_MODEL_PROTOCOL;
	case RETRY_EV_SAID:
		return of_said(c, again, why);
	case RETRY_EV_STATUS:
		break;
	}
	return of_status(c->status, again, why);
}

/* --- the wait --- */

/* random scaled to 0..most. */
static uint64_t
jitter(uint64_t most, uint32_t random)
{
	return (most + 1) * random >> 32;
}

static uint64_t
backoff(const struct retry_policy *p, unsigned attempt, uint32_t random)
{
	uint64_t most = p->base_ms;

	while (--attempt > 0 && most < p->max_ms)
		most *= 2;
	return jitter(most < p->max_ms ? most : p->max_ms, random);
}

void
retry_decide(const struct retry_policy *p, const struct retry_case *c,
    struct retry_verdict *v)
{
	uint64_t quota = quota_ms(c->head);
	int64_t after;

	*v = (struct retry_verdict){.again = 0};
	v->code = of_event(c, &v->again, &v->why);
	v->lowers_limit = c->status == 429 || c->status == 503 ||
			  c->status == 529 ||
			  v->code == ERROR_MODEL_RATE_LIMITED;
	if (c->is_final) {
		v->again = v->lowers_limit = 0;
		if (v->code == ERROR_MODEL_RATE_LIMITED)
			v->why = "the server says that waiting does not help";
	}
	if (!v->again)
		return;
	if (c->attempt >= p->attempts) {
		v->again = 0;
		return;
	}
	v->wait_ms = backoff(p, c->attempt, c->random);
	after = retry_after_ms(c->head, c->wall_seconds);
	if (after >= 0) {
		if ((uint64_t)after >
		    (uint64_t)p->retry_after_max_seconds * 1000) {
			v->again = 0;
			v->why = "the server asks for too long a pause";
			return;
		}
		v->wait_ms =
		    (uint64_t)after + jitter(p->base_ms / 2, c->random);
	} else if (v->code == ERROR_MODEL_RATE_LIMITED && quota > v->wait_ms) {
		v->wait_ms = quota < p->max_ms ? quota : p->max_ms;
	}
}
