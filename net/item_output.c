#include "net/item.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/json.h"

/* Text without the line ends behind it. */
static void
add_stripped(const struct json_doc *d, int v, struct text *t)
{
	size_t from = t->n;

	json_string_add(d, v, t);
	while (t->n > from && t->p[t->n - 1] == '\n')
		t->n--;
	if (t->p != NULL)
		t->p[t->n] = '\0';
}

/* One command: its streams, exit code when not 0, time-out. */
static void
add_command(const struct json_doc *d, int v, struct text *t)
{
	int outcome = json_get(d, v, "outcome");
	int64_t code = json_int_or(d, json_get(d, outcome, "exit_code"), 0);
	size_t from = t->n;

	add_stripped(d, json_get(d, v, "stdout"), t);
	if (json_inner(d, json_get(d, v, "stderr")).n > 0) {
		text_add_str(t, t->n > from ? "\n\nstderr:\n" : "stderr:\n");
		add_stripped(d, json_get(d, v, "stderr"), t);
	}
	if (code != 0)
		text_printf(t, "%sexit code: %lld", t->n > from ? "\n" : "",
		    (long long)code);
	if (json_is(d, json_get(d, outcome, "type"), "timeout"))
		text_add_str(
		    t, t->n > from ? "\nstatus: timeout" : "status: timeout");
	if (t->n == from)
		text_add_str(t, "(no output)");
}

static void
add_list(const struct json_doc *d, struct text *t)
{
	size_t from = t->n;

	for (int v = json_first(d, 0); v != -1; v = json_next(d, 0, v)) {
		int text = json_get(d, v, "text");

		if (json_get(d, v, "outcome") != -1) {
			if (t->n > from)
				text_add_str(t, "\n\n");
			add_command(d, v, t);
		} else if (text != -1) {
			if (t->n > from)
				text_add_char(t, '\n');
			json_string_add(d, text, t);
		}
	}
}

void
item_add_output(const struct item *it, struct text *t)
{
	struct json_doc d;
	struct error e;

	json_doc_init(&d);
	if (it->payload.n > 0 && json_parse(&d, it->payload, 0, &e) == 0) {
		if (json_type(&d, 0) == JSON_ARRAY)
			add_list(&d, t);
		else
			item_add_payload(it, t);
	}
	json_doc_release(&d);
}
