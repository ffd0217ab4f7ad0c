/*
 * Task files: the same lines, however the bytes arrive.  (What a line means
 * is read by task_read(), which must answer every line.)
 */

#include "config/task_reader.h"
#include "tests/fuzz/fuzz.h"

static uint64_t
lines_of(struct span s, size_t piece)
{
	struct task_reader r;
	struct span line;
	enum task_line kind = TASK_MORE;
	uint64_t h = 14695981039346656037u, number = 0;

	task_reader_init(&r);
	for (size_t i = 0; kind != TASK_END; i += piece) {
		if (i < s.n)
			task_reader_feed(&r, span_slice(s, i, i + piece));
		else
			task_reader_end(&r);
		while ((kind = task_reader_next(&r, &line)) == TASK_LINE) {
			CHECK(r.number > number);
			number = r.number;
			CHECK(r.offset <= s.n);
			CHECK(line.n > 0);
			fuzz_mix(&h, &r.number, sizeof r.number);
			fuzz_mix(&h, &r.offset, sizeof r.offset);
			fuzz_mix_span(&h, line);
		}
	}
	task_reader_release(&r);
	CHECK(pool_in_use() == 0);
	return h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = {(const char *)p, n};
	uint64_t whole;

	fuzz_start();
	whole = lines_of(s, n + 1);
	for (size_t piece = 1; piece <= 7; piece += 3)
		CHECK(lines_of(s, piece) == whole);
	return 0;
}
