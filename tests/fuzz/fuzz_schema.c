/*
 * JSON Schema: a schema and a document, a NUL between them.  Whatever they
 * are, the question ends, and the same question has the same answer.
 */

#include <stdint.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "net/json.h"
#include "net/json_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *cut = n > 0 ? memchr(p, 0, n) : NULL;
	struct json_doc schema, doc;
	struct error e, again;
	struct span s, d;
	int first;

	if (cut == NULL || n > 4096)
		return 0;
	s = (struct span){(const char *)p, (size_t)(cut - p)};
	d = (struct span){(const char *)cut + 1, n - s.n - 1};
	json_doc_init(&schema);
	json_doc_init(&doc);
	if (json_parse(&schema, s, JSON_UNIQUE, &e) == 0 &&
	    json_schema_check(&schema, 0, &e) == 0 &&
	    json_parse(&doc, d, 0, &e) == 0) {
		first = json_schema_fits(&schema, 0, &doc, 0, &e);
		CHECK(json_schema_fits(&schema, 0, &doc, 0, &again) == first);
	}
	json_doc_release(&schema);
	json_doc_release(&doc);
	return 0;
}
