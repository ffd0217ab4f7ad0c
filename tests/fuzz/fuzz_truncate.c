/*
 * Long output cut to a budget: never more than it, never half a character,
 * and the same whether its middle was kept or only counted.
 */

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tools/truncate.h"

/* As gather() of tools/output.c leaves it: both ends, a gap between. */
static void
check_gap(
    const struct truncate_source *whole, uint64_t tokens_max, struct span want)
{
	size_t keep = (size_t)tokens_max * TRUNCATE_TOKEN_BYTES + 8;
	struct truncate_source cut = {.lines = whole->lines};
	size_t tail = whole->text.n - keep;
	struct text ends, got;
	uint64_t tokens;

	if (whole->text.n < 2 * keep + 8)
		return;
	while (((unsigned char)whole->text.p[tail] & 0xc0) == 0x80)
		tail++;
	text_init(&ends, 1 * MIB);
	text_init(&got, 1 * MIB);
	cut.gap_at = utf8_floor(whole->text, keep);
	cut.gap_bytes = tail - cut.gap_at;
	text_add(&ends, span_slice(whole->text, 0, cut.gap_at));
	text_add(&ends, span_slice(whole->text, tail, whole->text.n));
	cut.text = text_span(&ends);
	CHECK(truncate_add(&got, &cut, tokens_max, &tokens) == 1);
	CHECK(span_eq(text_span(&got), want));
	text_release(&ends);
	text_release(&got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct truncate_source s = {.gap_bytes = 0};
	struct text valid, out;
	uint64_t tokens = 0, max;
	int cut;

	fuzz_start();
	if (n < 1 || n > 65536)
		return 0;
	max = p[0];
	text_init(&valid, 1 * MIB);
	text_init(&out, 1 * MIB);
	utf8_add_valid(&valid, (struct span){(const char *)p + 1, n - 1});
	s.text = text_span(&valid);
	s.lines = truncate_lines(s.text);
	cut = truncate_add(&out, &s, max, &tokens);
	CHECK(utf8_check(text_span(&out)) == out.n);
	CHECK(out.n <= max * TRUNCATE_TOKEN_BYTES);
	CHECK(cut == (truncate_tokens(valid.n) > max));
	if (cut) {
		CHECK(tokens == truncate_tokens(valid.n));
		check_gap(&s, max, text_span(&out));
	} else
		CHECK(span_eq(text_span(&out), s.text));
	text_release(&valid);
	text_release(&out);
	return 0;
}
