/*
 * Task lines: each is read or refused with a reason; what is read can be
 * used as it is, and reading it again gives the same.
 */

#include "config/manifest.h"
#include "config/task.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "net/json.h"
#include "tests/fuzz/fuzz.h"

/* The items go into a request as they are: one JSON array of objects. */
static void
check_items(struct span items)
{
	struct json_doc d;
	struct error e;

	json_doc_init(&d);
	CHECK(json_parse(&d, items, 0, &e) == 0);
	CHECK(json_type(&d, 0) == JSON_ARRAY);
	for (int i = json_first(&d, 0); i != -1; i = json_next(&d, 0, i))
		CHECK(json_type(&d, i) == JSON_OBJECT);
	json_doc_release(&d);
}

static void
check_task(const struct task *t)
{
	CHECK(t->custom_id.n > 0);
	CHECK(t->input.p != NULL);
	CHECK(memchr(t->custom_id.p, '\0', t->custom_id.n) == NULL);
	if (t->items.n > 0)
		check_items(t->items);
	CHECK(t->budget.turns >= 0);
	CHECK(t->budget.wall_seconds >= 0);
	for (unsigned i = 0; i < t->variables.n; i++) {
		CHECK(t->variables.at[i].name != NULL);
		CHECK(t->variables.at[i].value.p != NULL);
	}
	if (t->manifest != NULL)
		CHECK(t->manifest->grants_n == 0);
}

static void
check_same(const struct task *a, const struct task *b)
{
	CHECK(digest_eq(&a->digest, &b->digest));
	CHECK(span_eq(a->custom_id, b->custom_id));
	CHECK(span_eq(a->input, b->input));
	CHECK(span_eq(a->items, b->items));
	CHECK(a->class == b->class);
	CHECK(a->variables.n == b->variables.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span line = {(const char *)p, n};
	struct task one, two;
	struct arena a;
	struct error e = {0};
	int status;

	fuzz_start();
	arena_init(&a, 256 * MIB);
	status = task_read(&one, &a, line, 1, "/nonexistent", &e);
	if (status == 0)
		check_task(&one);
	else {
		CHECK(e.code == ERROR_BAD_TASK || e.code == ERROR_FULL);
		CHECK(e.text[0] != '\0');
	}
	CHECK(task_read(&two, &a, line, 1, "/nonexistent", &e) == status);
	check_same(&one, &two);
	arena_release(&a);
	CHECK(pool_in_use() == 0);
	return 0;
}
