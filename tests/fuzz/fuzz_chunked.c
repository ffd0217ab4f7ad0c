/* Chunked bodies: the same body however they are cut. */

#include <stdint.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "net/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct http_head head;

static void
decode(struct span s, size_t step, struct text *out)
{
	struct http1_chunked c;
	struct span in, body;
	struct error e;
	enum http1_chunk r = CHUNK_MORE;
	size_t at, left = 0;

	http1_chunked_init(&c);
	for (at = 0; at < s.n && r == CHUNK_MORE; at += step) {
		in = span_slice(s, at, at + step);
		while (
		    (r = http1_chunked_next(&c, &in, &body, &e)) == CHUNK_BODY)
			text_add(out, body);
		left = at + step < s.n ? s.n - at - step + in.n : in.n;
	}
	text_printf(out, "\n%d ", r);
	if (r == CHUNK_END) {
		text_printf(out, "%zu ", left);
		text_add(out, text_span(&c.trailers));
		http1_parse_fields(&head, text_span(&c.trailers), &e);
	}
	http1_chunked_release(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = {(const char *)p, n};
	struct text want, got;

	if (n > 65536)
		return 0;
	text_init(&want, 8 << 20);
	text_init(&got, 8 << 20);
	decode(s, n > 0 ? n : 1, &want);
	for (size_t step = 1; step < 12; step += 5) {
		text_clear(&got);
		decode(s, step, &got);
		CHECK(span_eq(text_span(&want), text_span(&got)));
	}
	text_release(&want);
	text_release(&got);
	return 0;
}
