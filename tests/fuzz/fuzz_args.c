/*
 * Arguments against our own schemas: refused with words, or accepted for
 * good; never both.
 */

#include "engine/base/text.h"
#include "net/json.h"
#include "tests/fuzz/fuzz.h"
#include "tools/args.h"

extern const char tools_exec_command_json[], tools_shell_json[];
extern const char tools_write_stdin_json[];

static void
check(const char *schema, const struct json_doc *args)
{
	struct text complaint;
	struct json_doc s;
	struct error e;
	int rc;

	text_init(&complaint, 65536);
	json_doc_init(&s);
	CHECK(json_parse(&s, span_of(schema), 0, &e) == 0);
	rc = args_check(&s, args, &complaint);
	CHECK((rc == -1) == (complaint.n > 0));
	json_doc_release(&s);
	text_release(&complaint);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct json_doc args;
	struct error e;

	fuzz_start();
	json_doc_init(&args);
	if (n < 65536 &&
	    json_parse(&args, (struct span){(const char *)p, n}, 0, &e) == 0) {
		check(tools_exec_command_json, &args);
		check(tools_write_stdin_json, &args);
		check(tools_shell_json, &args);
	}
	json_doc_release(&args);
	return 0;
}
