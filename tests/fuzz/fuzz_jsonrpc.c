/* Messages of tool servers, and their challenges: read, refused, answered. */

#include <stdint.h>

#include "config/mcp_spec.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "net/challenge.h"
#include "tools/mcp_discover.h"
#include "tools/mcp_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
answer(const struct json_doc *d, const struct jsonrpc *m, int elicitation)
{
	struct mcp_spec spec = {.elicitation = elicitation};
	struct json_doc written;
	struct jsonrpc read;
	struct error e;
	struct text t;

	text_init(&t, 8 << 20);
	json_doc_init(&written);
	if (m->kind == JSONRPC_REQUEST) {
		mcp_answer_request(&spec, d, m, &t);
		CHECK(json_parse(&written, text_span(&t), 0, &e) == 0);
		CHECK(jsonrpc_read(&written, &read, &e) == 0);
		CHECK(
		    read.kind == JSONRPC_RESULT || read.kind == JSONRPC_ERROR);
	} else if (m->kind == JSONRPC_RESULT &&
		   mcp_answer_inputs(&spec, d, m->result, &t, &e) == 0)
		CHECK(json_parse(&written, text_span(&t), 0, &e) == 0);
	json_doc_release(&written);
	text_release(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = {(const char *)p, n};
	struct json_doc d;
	struct jsonrpc m;
	struct error e;
	struct text t;

	if (n > 65536)
		return 0;
	text_init(&t, 1 << 20);
	(void)challenge_get(s, "bearer", "scope", &t);
	(void)mcp_query_get(s, "code", &t);
	(void)mcp_issuer_address(s, 2, &t);
	(void)mcp_resource_matches(s, span_of("https://h/mcp"));
	text_release(&t);
	json_doc_init(&d);
	if (json_parse(&d, s, 0, &e) == 0 && jsonrpc_read(&d, &m, &e) == 0)
		for (int i = 0; i < 2; i++)
			answer(&d, &m, i);
	json_doc_release(&d);
	return 0;
}
