/* Relaxed JSON: what is made strict keeps its length and its strings. */

#include <string.h>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct json_doc d;
	struct error e;
	struct text t;
	size_t at = 0;

	fuzz_start();
	text_init(&t, 4 * MIB);
	text_add(&t, (struct span){(const char *)p, n});
	if (t.p != NULL && !text_overflowed(&t)) {
		if (json_relax(t.p, t.n, &at, &e) == -1) {
			CHECK(at <= n);
		} else {
			json_doc_init(&d);
			if (json_parse(&d, text_span(&t), JSON_UNIQUE, &e) ==
			    -1)
				CHECK(d.fault.offset <= n);
			json_doc_release(&d);
		}
		for (size_t i = 0; i < n; i++)
			CHECK(t.p[i] == (char)p[i] || t.p[i] == ' ');
	}
	text_release(&t);
	CHECK(pool_in_use() == 0);
	return 0;
}
