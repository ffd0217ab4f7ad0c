/*
 * Members of an agent's model that need a closer look.
 */

#include "config/agent_private.h"
#include "config/pin.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "net/json.h"

static int
check_pins(struct table_reader *r, int pins, const struct agent_model *m)
{
	struct digest ignored;
	int status = 0, i = 0;
	struct error e;

	if (m->pins.n > AGENT_PINS_MAX)
		return table_complain(
		    r, pins, "at most %d pins", AGENT_PINS_MAX);
	for (int v = json_first(r->doc, pins); v != -1 && i < (int)m->pins.n;
	     v = json_next(r->doc, pins, v), i++)
		if (pin_parse(m->pins.at[i], &ignored, &e) == -1)
			status = table_complain(r, v, "%s", e.text);
	return status;
}

/* "http://host:port" or "none"; a password does not belong in a file. */
static int
check_proxy(struct table_reader *r, int v, const struct agent_model *m)
{
	struct span s = span_of(m->proxy), http = span_of("http://");

	if (span_is(s, "none"))
		return 0;
	if (span_find(s, '@', 0) < s.n)
		return table_complain(r, v,
		    "a user and password do not belong here; put them in "
		    "HTTPS_PROXY");
	if (!span_has_prefix(s, http) || s.n == http.n)
		return table_complain(
		    r, v, "must be http://HOST:PORT, or none");
	return 0;
}

int
agent_model_check(struct table_reader *r, int v, void *at)
{
	const struct agent_model *m = at;
	int pins = json_get(r->doc, v, "pins"), status = 0;
	int proxy = json_get(r->doc, v, "proxy");

	if (pins != -1)
		status |= check_pins(r, pins, m);
	if (proxy != -1 && m->proxy != NULL)
		status |= check_proxy(r, proxy, m);
	return status;
}
