/*
 * The JSON guard, tokens and strings: what the guard passes can be read
 * without a fault, however it was cut.
 */

#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_guard.h"
#include "net/utf8.h"
#include "tests/fuzz/fuzz.h"

/* Feed piece by piece; the verdict, and the offset it was reached at. */
static int
guard_pieces(struct span s, size_t piece, unsigned flags, size_t *at)
{
	struct json_guard g;
	struct error e;
	int result = 0;

	json_guard_init(&g, MIB, flags);
	for (size_t i = 0; i < s.n && result == 0; i += piece)
		result = json_guard_feed(&g, span_slice(s, i, i + piece), &e);
	if (result == 0)
		result = json_guard_end(&g, &e);
	*at = g.bytes;
	return result;
}

static void
read_all(struct json_doc *d)
{
	struct arena a;
	struct text t;
	char path[200];

	arena_init(&a, 8 * MIB);
	text_init(&t, 8 * MIB);
	for (int v = 0; v < d->tokens; v++) {
		enum json_type type = json_type(d, v);
		struct json_place place;
		struct span s;
		int64_t whole;
		double real;

		CHECK(json_raw(d, v).n > 0);
		json_path(d, v, path, sizeof path);
		json_place(d, v, &place);
		CHECK(place.offset <= d->text.n);
		json_int(d, v, INT64_MIN, INT64_MAX, &whole);
		json_real(d, v, &real);
		CHECK(
		    (json_string(d, v, &a, &s) == 0) == (type == JSON_STRING) ||
		    arena_overflowed(&a));
		text_clear(&t);
		json_string_add(d, v, &t);
	}
	arena_release(&a);
	text_release(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s;
	struct json_doc d;
	struct error e;
	unsigned flags;
	size_t whole_at, bytes_at;
	int whole;

	fuzz_start();
	if (n < 1)
		return 0;
	flags = p[0] & (JSON_UNIQUE | JSON_UNICODE);
	s = (struct span){(const char *)p + 1, n - 1};

	whole = guard_pieces(s, s.n + 1, flags, &whole_at);
	CHECK(guard_pieces(s, 1, flags, &bytes_at) == whole);
	CHECK(bytes_at == whole_at);
	CHECK(guard_pieces(s, 7, flags, &bytes_at) == whole);
	CHECK(bytes_at == whole_at);

	json_doc_init(&d);
	if (json_parse(&d, s, flags, &e) == 0) {
		CHECK(whole == 0);
		read_all(&d);
	} else {
		CHECK(whole == -1 || flags & JSON_UNIQUE);
	}
	json_doc_release(&d);
	CHECK(pool_in_use() == 0);
	return 0;
}
