/* Server-sent events: the same events however the stream is cut. */

#include <stdint.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
replay(struct span stream, size_t step, struct text *out)
{
	struct sse s;
	struct sse_event ev;
	struct error e;
	struct span in;
	enum sse_result r = SSE_MORE;

	sse_init(&s, 300, 1000);
	for (size_t at = 0; at < stream.n && r == SSE_MORE; at += step) {
		in = span_slice(stream, at, at + step);
		while ((r = sse_next(&s, &in, &ev, &e)) == SSE_EVENT) {
			text_printf(out, "\n%zu %zu %zu\n", ev.type.n,
			    ev.data.n, ev.id.n);
			text_add(out, ev.type);
			text_add(out, ev.data);
			text_add(out, ev.id);
		}
		if (r == SSE_MORE)
			CHECK(in.n == 0);
	}
	text_printf(out, "end %d", r == SSE_BAD);
	if (r == SSE_MORE)
		text_printf(out, " %d %llu", sse_is_inside(&s),
		    (unsigned long long)s.retry_ms);
	sse_release(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span stream = {(const char *)p, n};
	struct text want, got;

	if (n > 65536)
		return 0;
	text_init(&want, 8 << 20);
	text_init(&got, 8 << 20);
	replay(stream, n > 0 ? n : 1, &want);
	for (size_t step = 1; step < 20; step += 6) {
		text_clear(&got);
		replay(stream, step, &got);
		CHECK(span_eq(text_span(&want), text_span(&got)));
	}
	text_release(&want);
	text_release(&got);
	return 0;
}
