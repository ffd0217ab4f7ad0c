/*
 * Manifests as a task line may bring them: what is accepted stays inside the
 * workspace, grants nothing, and means the same when it is written out.
 */

#include "config/complaint.h"
#include "config/manifest.h"
#include "config/source.h"
#include "config/table.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/json_write.h"
#include "tests/fuzz/fuzz.h"

static const struct manifest *
read_manifest(struct arena *a, struct span s)
{
	struct complaints c;
	struct source source;
	const struct manifest *m = NULL;
	struct table_reader r = {.arena = a,
	    .complaints = &c,
	    .file = "task",
	    .folder = "/nonexistent",
	    .untrusted = 1};

	complaints_init(&c, a);
	if (source_open_text(&source, s, "task", "/nonexistent", &c) == -1)
		return NULL;
	r.doc = &source.doc;
	if (manifest_read(&r, 0, &m) == -1)
		CHECK(c.n > 0);
	source_release(&source);
	return c.n == 0 ? m : NULL;
}

static void
check_path(struct span path)
{
	CHECK(path.n > 0);
	CHECK(path.p[0] != '/');
	while (path.p != NULL) {
		struct span part = span_cut(&path, '/');

		CHECK(part.n > 0);
		CHECK(!span_is(part, "."));
		CHECK(!span_is(part, ".."));
		CHECK(span_find(part, '\\', 0) == part.n);
	}
}

static void
write_manifest(const struct manifest *m, struct text *out)
{
	struct json_writer w;

	json_write_init(&w, out);
	table_put(&manifest_table, m, 0, &w);
	CHECK(json_write_done(&w) == 0 || text_overflowed(out));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct manifest *m, *again;
	struct arena a;
	struct text one, two;

	fuzz_start();
	arena_init(&a, 64 * MIB);
	text_init(&one, 16 * MIB);
	text_init(&two, 16 * MIB);
	m = read_manifest(&a, (struct span){(const char *)p, n});
	if (m != NULL) {
		CHECK(m->grants_n == 0);
		for (unsigned i = 0; i < m->entries_n; i++)
			check_path(span_of(m->entries[i].path));
		write_manifest(m, &one);
		again = read_manifest(&a, text_span(&one));
		if (again != NULL) {
			write_manifest(again, &two);
			CHECK(span_eq(text_span(&one), text_span(&two)));
		} else {
			CHECK(arena_overflowed(&a) || text_overflowed(&one));
		}
	}
	text_release(&one);
	text_release(&two);
	arena_release(&a);
	CHECK(pool_in_use() == 0);
	return 0;
}
