#include "engine/network.h"

#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/role.h"
#include "net/http.h"
#include "net/json_write.h"
#include "net/model_call.h"

#define MEGABYTE 1e6

/* NULL for a role that goes by an endpoint of another, where it is counted. */
static const struct http_origin *
origin_of(const struct role *role, struct http_counts *n)
{
	const struct http_origin *o;

	if (role->endpoint.model == NULL)
		return NULL;
	o = model_endpoint_origin(role->endpoint.model);
	http_origin_counts(o, n);
	return o;
}

static void
add_line(const struct role *role, struct text *out)
{
	struct http_counts n;
	const struct http_origin *o = origin_of(role, &n);
	struct span origin;

	if (o == NULL || n.requests == 0)
		return;
	origin = http_origin_text(o);
	if (out->n > 0)
		text_add_char(out, '\n');
	text_printf(out, "%.*s: %llu requests, %u at once at most, %llu ",
	    (int)origin.n, origin.p, n.requests, n.in_flight_peak, n.limited);
	text_add_str(out, "told to wait (429, 503, 529)");
	if (n.limited > 0)
		text_printf(out, ", limit %u in the end", n.limit);
	text_printf(out,
	    "; connections %llu (full handshakes %llu, resumed %llu), used "
	    "again %llu times; %.1f MB in, %.1f MB out",
	    n.connects, n.handshakes_full, n.handshakes_resumed, n.reused,
	    (double)n.bytes_in / MEGABYTE, (double)n.bytes_out / MEGABYTE);
	if (n.failures > 0 || n.resent > 0)
		text_printf(
		    out, "; %llu broke, %llu sent again", n.failures, n.resent);
}

void
network_account(const struct supplies *s, struct text *out)
{
	for (unsigned i = 0; i < s->roles; i++)
		add_line(&s->role[i], out);
}

void
network_limits(const struct supplies *s, struct text *out)
{
	struct http_counts n;

	for (unsigned i = 0; i < s->roles; i++)
		if (origin_of(&s->role[i], &n) != NULL && n.limited > 0)
			text_printf(
			    out, "; the server takes %u at once", n.limit);
}

static void
put_one(const struct role *role, struct json_writer *w)
{
	struct http_counts n;
	const struct http_origin *o = origin_of(role, &n);

	if (o == NULL)
		return;
	json_write_object(w);
	json_put_str(w, "agent", role->agent->name);
	json_put_span(w, "origin", http_origin_text(o));
	json_put_uint(w, "requests", n.requests);
	json_put_uint(w, "answers", n.answers);
	json_put_uint(w, "failures", n.failures);
	json_put_uint(w, "resent", n.resent);
	json_put_uint(w, "limited", n.limited);
	json_put_uint(w, "limit", n.limit);
	json_put_uint(w, "in_flight", n.in_flight);
	json_put_uint(w, "in_flight_peak", n.in_flight_peak);
	json_put_uint(w, "waiting", n.waiting);
	json_put_uint(w, "waiting_peak", n.waiting_peak);
	json_put_uint(w, "connections", n.connections);
	json_put_uint(w, "connects", n.connects);
	json_put_uint(w, "reused", n.reused);
	json_put_uint(w, "handshakes_full", n.handshakes_full);
	json_put_uint(w, "handshakes_resumed", n.handshakes_resumed);
	json_put_uint(w, "bytes_in", n.bytes_in);
	json_put_uint(w, "bytes_out", n.bytes_out);
	json_write_end(w);
}

void
network_put(const struct supplies *s, struct json_writer *w)
{
	json_put_array(w, "network");
	for (unsigned i = 0; i < s->roles; i++)
		put_one(&s->role[i], w);
	json_write_end(w);
}
