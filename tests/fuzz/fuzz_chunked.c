/* Chunked bodies: the same bytes, however the message was cut. */

#include "net/http1.h"
#include "tests/fuzz/fuzz.h"

struct outcome {
	uint64_t body; /* a digest */
	uint64_t trailers;
	size_t left; /* bytes behind the end */
	enum http1_chunk end;
};

static struct outcome
decode(struct span s, size_t piece)
{
	struct http1_chunked c;
	struct outcome o = {14695981039346656037u, 0, 0, CHUNK_MORE};
	struct span body;
	struct error e;

	http1_chunked_init(&c);
	for (size_t i = 0; i < s.n && o.end == CHUNK_MORE; i += piece) {
		struct span in = span_slice(s, i, i + piece);

		do {
			o.end = http1_chunked_next(&c, &in, &body, &e);
			if (o.end == CHUNK_BODY) {
				CHECK(body.n > 0);
				fuzz_mix(&o.body, body.p, body.n);
			}
		} while (o.end == CHUNK_BODY);
		CHECK(o.end != CHUNK_MORE || in.n == 0);
		if (o.end == CHUNK_END)
			o.left = (size_t)(s.p + s.n - in.p);
	}
	fuzz_mix_span(&o.trailers, text_span(&c.trailers));
	if (o.end == CHUNK_BAD)
		o.trailers = 0;
	http1_chunked_release(&c);
	return o;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = {(const char *)p, n};
	struct outcome whole, cut;

	fuzz_start();
	whole = decode(s, n + 1);
	for (size_t piece = 1; piece <= 5; piece += 2) {
		cut = decode(s, piece);
		CHECK(cut.end == whole.end);
		CHECK(cut.body == whole.body);
		CHECK(cut.trailers == whole.trailers);
		CHECK(cut.left == whole.left);
	}
	CHECK(pool_in_use() == 0);
	return 0;
}
