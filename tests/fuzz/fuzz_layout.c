/*
 * A tree: each line of input is an entry, "D" or "F", its path, a tab and a
 * description.  However names look, the drawing has a line for each entry
 * that is shown, is no longer than it may be, and is valid UTF-8.
 */

#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tools/layout.h"

static size_t
newlines(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span rest = {(const char *)p, n};
	struct layout layout;
	struct arena arena;
	struct text out;

	arena_init(&arena, 16 * MIB);
	layout_init(&layout, &arena);
	text_init(&out, 16 * MIB);
	while (rest.p != NULL && rest.n > 0) {
		struct span line = span_cut(&rest, '\n');
		struct span path = span_slice(line, 1, line.n), what = path;

		path = span_cut(&what, '\t');
		if (path.n > 0 && path.p[0] != '/' && path.p[path.n - 1] != '/')
			layout_add(&layout, path, line.p[0] == 'D',
			    what.p == NULL ? span_of("") : what);
	}
	layout_write(&layout, &out);
	CHECK(utf8_check(text_span(&out)) == out.n);
	CHECK(utf8_count(text_span(&out)) <= LAYOUT_CHARS);
	if (span_search(text_span(&out), span_of("\n... (truncated "), 0) ==
	    out.n)
		CHECK(newlines(text_span(&out)) == layout.lines);
	text_release(&out);
	arena_release(&arena);
	return 0;
}
