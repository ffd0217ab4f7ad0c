#include "engine/answer.h"

#include "engine/base/error.h"
#include "net/json.h"
#include "net/json_schema.h"

static int
check(struct json_doc *schema, struct json_doc *doc, struct span schema_text,
    struct span answer, struct error *e)
{
	if (json_parse(schema, schema_text, 0, e) == -1)
		return -1;
	if (json_parse(doc, answer, 0, e) == -1)
		return error_wrap(e, "line %u, column %u, is no JSON",
		    doc->fault.line, doc->fault.column);
	return json_schema_fits(schema, 0, doc, 0, e);
}

int
answer_check(struct span schema, struct span answer, struct error *e)
{
	struct json_doc schema_doc, doc;
	int r;

	if (schema.n == 0)
		return 0;
	json_doc_init(&schema_doc);
	json_doc_init(&doc);
	r = check(&schema_doc, &doc, schema, answer, e);
	json_doc_release(&schema_doc);
	json_doc_release(&doc);
	if (r == 0)
		return 0;
	e->code = e->code == ERROR_FULL ? ERROR_INTERNAL : ERROR_MODEL_PROTOCOL;
	return error_wrap(e, "the answer does not fit answer_schema");
}
