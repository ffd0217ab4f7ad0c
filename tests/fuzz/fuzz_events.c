/*
 * Answers of the model APIs.  The first byte chooses which; the rest is a
 * stream of events, or, in upper case, a plain answer.  However it is cut,
 * and whether or not events are expected to have the last one's shape, the
 * same comes of it, and every item kept can be read again and sent back.
 */

#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/item.h"
#include "net/provider.h"
#include "net/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct provider_ops *
chosen(uint8_t c)
{
	switch (c | 0x20) {
	case 'c':
		return provider_find(span_of("chat"));
	case 'm':
		return provider_find(span_of("messages"));
	default:
		return provider_find(span_of("responses"));
	}
}

static void
note_text(void *owner, struct span s)
{
	text_add(owner, s);
	text_add_char(owner, '\n');
}

static void
send_back(
    const struct provider_ops *ops, struct model_reply *r, struct text *body)
{
	struct span items[LIMIT_REPLY_ITEMS];
	struct model_request q = {.model = {"m", 1}, .items = items};
	struct arena a;
	struct item it;
	struct json_doc d;
	struct error e;
	size_t from = body->n;

	arena_init(&a, 1 << 24);
	for (; q.nitems < r->items; q.nitems++) {
		items[q.nitems] = reply_item(r, (unsigned)q.nitems);
		CHECK(item_parse(&it, items[q.nitems], &a, &e) == 0);
	}
	CHECK(ops->build(&q, body, &e) == 0);
	json_doc_init(&d);
	CHECK(json_parse(
		  &d, span_slice(text_span(body), from, body->n), 0, &e) == 0);
	json_doc_release(&d);
	arena_release(&a);
}

static void
replay(const struct provider_ops *ops, struct span stream, size_t step,
    int in_full, struct text *out)
{
	struct reply_watch watch = {note_text, note_text, out};
	struct model_reply r;
	struct sse sse;
	struct sse_event ev;
	struct error e;
	struct span in;
	int verdict = 0;

	reply_init(&r, ops, &watch);
	sse_init(&sse, LIMIT_SSE_LINE, LIMIT_SSE_EVENT);
	for (size_t at = 0; at < stream.n && verdict == 0; at += step) {
		in = span_slice(stream, at, at + step);
		while (
		    verdict == 0 && sse_next(&sse, &in, &ev, &e) == SSE_EVENT) {
			if (in_full)
				json_shape_forget(&r.next.shape);
			verdict = reply_event(&r, &ev);
		}
	}
	if (verdict == 0)
		verdict = reply_finish(&r);
	text_printf(out, "%d %d %u\n", verdict, r.end, r.items);
	if (verdict == 0)
		send_back(ops, &r, out);
	else
		text_add_str(out, r.error.text);
	reply_release(&r);
	sse_release(&sse);
}

static void
plain(const struct provider_ops *ops, struct span body)
{
	struct model_reply r;
	struct text out;

	text_init(&out, 64 << 20);
	reply_init(&r, ops, NULL);
	if (reply_whole(&r, body) == 0)
		send_back(ops, &r, &out);
	else
		CHECK(r.error.code != ERROR_NONE);
	reply_release(&r);
	text_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = {(const char *)p + 1, n - 1};
	const struct provider_ops *ops;
	struct text want, got;

	if (n < 2 || n > 65536)
		return 0;
	ops = chosen(p[0]);
	if (ops == NULL)
		return 0;
	if (p[0] >= 'A' && p[0] <= 'Z') {
		plain(ops, s);
		return 0;
	}
	text_init(&want, 64 << 20);
	text_init(&got, 64 << 20);
	replay(ops, s, s.n, 0, &want);
	replay(ops, s, 7, 1, &got);
	CHECK(span_eq(text_span(&want), text_span(&got)));
	text_release(&want);
	text_release(&got);
	return 0;
}
