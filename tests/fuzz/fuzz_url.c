/* URLs: what is accepted prints, and reads back the same. */

#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/base64.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
round_trip(const struct url *u, struct arena *a)
{
	struct text t;
	struct url back;
	struct error e;

	text_init(&t, 1 << 20);
	url_add(u, &t);
	CHECK(url_parse(&back, text_span(&t), a, &e) == 0);
	CHECK(url_same_origin(u, &back));
	CHECK(span_eq(u->target, back.target));
	text_release(&t);
}

static void
decoded(struct span s)
{
	struct text t, again;
	struct error e;

	text_init(&t, 1 << 20);
	text_init(&again, 1 << 20);
	if (base64_decode(s, &t, &e) == 0) {
		base64_encode(text_span(&t), &again);
		CHECK(span_eq(text_span(&again), s));
	}
	text_release(&t);
	text_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = {(const char *)p, n};
	struct arena a;
	struct url u, base;
	struct error e;

	if (n > 8192)
		return 0;
	arena_init(&a, 1 << 20);
	if (url_parse(&u, s, &a, &e) == 0)
		round_trip(&u, &a);
	CHECK(url_parse(&base, span_of("https://h:1/a/b?c"), &a, &e) == 0);
	if (url_resolve(&u, &base, s, &a, &e) == 0)
		round_trip(&u, &a);
	decoded(s);
	arena_release(&a);
	return 0;
}
