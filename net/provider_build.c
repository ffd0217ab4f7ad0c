#include "net/provider_private.h"

#include <string.h>

int
extras_read(struct extras *s, const struct model_request *q,
    const char *const *reserved, struct error *e)
{
	json_doc_init(&s->doc);
	if (q->settings.n == 0)
		return 0;
	if (json_parse(&s->doc, q->settings, JSON_UNIQUE, e) == -1)
		return error_wrap(e, "model.settings");
	if (json_type(&s->doc, 0) != JSON_OBJECT)
		return error_set(
		    e, ERROR_CONFIG, 0, "model.settings: expected an object");
	for (; *reserved != NULL; reserved++)
		if (json_get(&s->doc, 0, *reserved) != -1)
			return error_set(e, ERROR_CONFIG, 0,
			    "model.settings.%s: skep writes this member "
			    "itself; remove it",
			    *reserved);
	return 0;
}

void
extras_release(struct extras *s)
{
	json_doc_release(&s->doc);
}

int
extras_get(const struct extras *s, const char *name)
{
	return json_get(&s->doc, 0, name);
}

static int
is_listed(const struct json_doc *d, int key, const char *const *list)
{
	for (; *list != NULL; list++)
		if (json_is(d, key, *list))
			return 1;
	return 0;
}

void
extras_write(
    const struct extras *s, struct json_writer *w, const char *const *except)
{
	const struct json_doc *d = &s->doc;

	for (int k = json_first(d, 0); k != -1; k = json_next(d, 0, k)) {
		if (is_listed(d, k, except))
			continue;
		json_write_key_span(w, json_inner(d, k));
		json_write_raw(w, json_raw(d, json_value(d, k)));
	}
}

int
build_done(const struct json_writer *w, struct error *e)
{
	if (json_write_done(w) == 0)
		return 0;
	return error_set(e, ERROR_TOO_BIG, 0,
	    "a request of more than %zu bytes", w->out->bytes_max);
}
