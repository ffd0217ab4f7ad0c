#include "net/provider.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "net/provider_private.h"
#include "net/sse.h"

const struct provider_ops *
provider_find(struct span name)
{
	static const struct provider_ops *const all[] = {
	    &provider_responses, &provider_chat, &provider_messages};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (span_is(name, all[i]->name))
			return all[i];
	return NULL;
}

void
reply_init(struct model_reply *r, const struct provider_ops *ops,
    const struct reply_watch *watch)
{
	*r = (struct model_reply){.ops = ops};
	if (watch != NULL)
		r->watch = *watch;
	text_init(&r->bytes, LIMIT_ANSWER);
	text_init(&r->id, 4096);
	text_init(&r->model, 4096);
	text_init(&r->told, LIMIT_SSE_EVENT);
	json_doc_init(&r->doc);
	json_shape_init(&r->next.shape);
}

void
reply_release(struct model_reply *r)
{
	text_release(&r->bytes);
	text_release(&r->id);
	text_release(&r->model);
	text_release(&r->told);
	json_doc_release(&r->doc);
	json_shape_release(&r->next.shape);
	pool_give(r->item);
	reply_drop_blocks(r);
	pool_give(r->block);
	r->item = NULL;
	r->block = NULL;
	r->items = r->items_size = r->blocks_size = 0;
}

void
reply_clear(struct model_reply *r)
{
	const struct provider_ops *ops = r->ops;
	struct reply_watch watch = r->watch;

	reply_release(r);
	reply_init(r, ops, &watch);
}

struct span
reply_item(const struct model_reply *r, unsigned i)
{
	CHECK(i < r->items);
	return (struct span){r->bytes.p + r->item[i].at, r->item[i].n};
}

int
reply_fail(struct model_reply *r, enum error_code code, int is_final,
    const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	r->end = REPLY_FAILED;
	r->is_final = is_final;
	return error_set(&r->error, code, 0, "%s", text);
}

/* --- events --- */

static int
bad_json(struct model_reply *r, size_t offset, const struct error *e)
{
	if (e->code == ERROR_FULL)
		return reply_fail(r, ERROR_INTERNAL, 1, "%s", e->text);
	return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
	    "bad JSON in the answer, at byte %zu: %s", offset, e->text);
}

/* Something other than an event's JSON: 1. */
static int
is_marker(struct model_reply *r, struct span data)
{
	if (data.n > 16)
		return 0;
	data = span_trim(data);
	if (span_is(data, "[DONE]"))
		r->done_marked = 1;
	return data.n == 0 || r->done_marked;
}

static int
read_event(struct model_reply *r, const struct sse_event *ev)
{
	struct error e;
	int took = reply_next_piece(r, ev->data);

	if (took != 0)
		return took == 1 ? 0 : -1;
	json_shape_forget(&r->next.shape);
	if (json_parse(&r->doc, ev->data, 0, &e) == -1)
		return bad_json(r, r->doc.fault.offset, &e);
	if (json_type(&r->doc, 0) != JSON_OBJECT)
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "an event that is %s, not an object",
		    json_type_name(json_type(&r->doc, 0)));
	return r->ops->event(r, ev);
}

int
reply_event(struct model_reply *r, const struct sse_event *ev)
{
	if (r->end == REPLY_DONE)
		return 0;
	if (r->end != REPLY_OPEN)
		return -1;
	r->events++;
	r->received += ev->data.n;
	if (r->received > LIMIT_ANSWER)
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "an answer of more than %zu bytes", LIMIT_ANSWER);
	if (is_marker(r, ev->data))
		return r->done_marked && r->ops->done_marker ? reply_finish(r)
							     : 0;
	return read_event(r, ev);
}

int
reply_whole(struct model_reply *r, struct span body)
{
	struct error e;
	size_t room;
	int error;

	if (json_parse(&r->doc, body, 0, &e) == -1)
		return bad_json(r, r->doc.fault.offset, &e);
	error = json_get(&r->doc, 0, "error");
	if (json_type(&r->doc, error) == JSON_OBJECT ||
	    json_type(&r->doc, error) == JSON_STRING)
		return reply_said_error(r, error);
	if (json_type(&r->doc, 0) != JSON_OBJECT)
		return reply_fail(r, ERROR_MODEL_PROTOCOL, 0,
		    "an answer that is not a JSON object");
	/* Items are parts of the body: one block, instead of ever larger ones. */
	(void)text_room(&r->bytes, body.n, &room);
	return r->ops->whole(r);
}

int
reply_finish(struct model_reply *r)
{
	if (r->end == REPLY_DONE)
		return 0;
	if (r->end != REPLY_OPEN)
		return -1;
	return r->ops->finish(r);
}
