/* Server-sent events: the same, however the stream was cut. */

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/sse.h"
#include "tests/fuzz/fuzz.h"

#define LINE_MAX_HERE 300
#define EVENT_MAX_HERE 500

/* A digest of everything that comes out of s cut into pieces. */
static uint64_t
events_of(struct span s, size_t piece, uint64_t *retry_ms)
{
	struct sse sse;
	struct sse_event ev;
	struct error e;
	enum sse_result r = SSE_MORE;
	uint64_t h = 14695981039346656037u;

	sse_init(&sse, LINE_MAX_HERE, EVENT_MAX_HERE);
	for (size_t i = 0; i < s.n && r != SSE_BAD; i += piece) {
		struct span in = span_slice(s, i, i + piece);

		while ((r = sse_next(&sse, &in, &ev, &e)) == SSE_EVENT) {
			CHECK(ev.data.n <= EVENT_MAX_HERE);
			fuzz_mix_span(&h, ev.type);
			fuzz_mix_span(&h, ev.data);
			fuzz_mix_span(&h, ev.id);
		}
		CHECK(r == SSE_BAD || in.n == 0);
	}
	fuzz_mix(&h, &(int){r == SSE_BAD}, sizeof(int));
	*retry_ms = sse.retry_ms;
	sse_release(&sse);
	CHECK(pool_in_use() == 0);
	return h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = {(const char *)p, n};
	uint64_t whole, retry_ms, retry_other_ms;

	fuzz_start();
	whole = events_of(s, n + 1, &retry_ms);
	for (size_t piece = 1; piece <= 5; piece += 2) {
		CHECK(events_of(s, piece, &retry_other_ms) == whole);
		CHECK(retry_other_ms == retry_ms);
	}
	return 0;
}
