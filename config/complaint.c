#include "config/complaint.h"

#include <stdio.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/text.h"

void
complaints_init(struct complaints *c, struct arena *arena)
{
	*c = (struct complaints){.arena = arena};
}

int
complain(struct complaints *c, enum error_code code, const char *file,
    unsigned line, unsigned column, const char *fmt, ...)
{
	struct complaint *new;
	struct error e;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof e.text, fmt, ap);
	va_end(ap);

	c->n++;
	if (c->n > COMPLAINTS_KEPT)
		return -1;
	new = arena_alloc(c->arena, sizeof *new);
	if (new == NULL)
		return -1;
	new->code = code;
	new->file = file;
	new->line = line;
	new->column = column;
	new->text = arena_strndup(c->arena, e.text, strlen(e.text));
	if (new->text == NULL)
		new->text = "out of memory";
	if (c->last == NULL)
		c->first = new;
	else
		c->last->next = new;
	c->last = new;
	return -1;
}

void
complaint_print(const struct complaint *c, struct text *out)
{
	if (c->file != NULL)
		text_add_str(out, c->file);
	if (c->line > 0)
		text_printf(out, ":%u:%u", c->line, c->column);
	if (c->file != NULL)
		text_add_str(out, ": ");
	text_add_str(out, c->text);
}

int
complaints_error(const struct complaints *c, struct error *e)
{
	const struct complaint *one = c->first;
	enum error_code code;
	char more[48] = "";

	CHECK(c->n > 0);
	if (one == NULL)
		return error_set(e, ERROR_FULL, 0, "out of memory");
	code = one->code == ERROR_NO_INPUT ? ERROR_NO_INPUT : ERROR_CONFIG;
	if (c->n > 1)
		snprintf(more, sizeof more, " (and %u more)", c->n - 1);
	if (one->line > 0)
		return error_set(e, code, 0, "%s:%u:%u: %s%s", one->file,
		    one->line, one->column, one->text, more);
	return error_set(e, code, 0, "%s%s%s%s",
	    one->file != NULL ? one->file : "", one->file != NULL ? ": " : "",
	    one->text, more);
}
