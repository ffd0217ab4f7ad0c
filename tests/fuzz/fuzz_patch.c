/*
 * Patches: a file, a NUL, a patch.  Whatever is read is carried out on the
 * file; a refusal says why, and nothing is read beyond its input.
 */

#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "tests/fuzz/fuzz.h"
#include "tools/diff.h"
#include "tools/patch.h"

static void
carry_out(const struct patch_op *op, struct span file)
{
	struct text out;
	struct error e;
	int rc = 0;

	text_init(&out, 4 * MIB);
	e.text[0] = '\0';
	if (op->kind == PATCH_CREATE)
		rc = diff_create(op->diff, &out, &e);
	else if (op->kind == PATCH_UPDATE)
		rc = diff_update(file, op->diff, &out, &e);
	CHECK(op->path.n > 0);
	CHECK((rc == -1) == (e.text[0] != '\0'));
	if (rc == 0)
		CHECK(out.n <= file.n + op->diff.n + file.n);
	text_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span rest = {(const char *)p, n}, file;
	struct arena arena;
	struct patch patch;
	struct error e;

	fuzz_start();
	if (n > 65536)
		return 0;
	file = span_cut(&rest, '\0');
	arena_init(&arena, 16 * MIB);
	if (rest.p != NULL && patch_parse(&patch, rest, &arena, &e) == 0) {
		CHECK(patch.ops > 0);
		for (unsigned i = 0; i < patch.ops; i++)
			carry_out(&patch.op[i], file);
	}
	arena_release(&arena);
	return 0;
}
