/* JSONTestSuite: what must be accepted, what must be refused, never a crash. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/error.h"
#include "net/json.h"
#include "tests/unit/guarded.h"

#define CORPUS "tests/corpora/json/test_parsing"

static struct json_doc doc;
static struct guarded guarded;

/* In pieces of step bytes, each against the end of its memory. */
static int
fed(struct span s, size_t step)
{
	struct json_guard g;
	struct error e;
	size_t n;

	json_guard_init(&g, s.n, 0);
	for (size_t at = 0; at < s.n; at += n) {
		n = s.n - at < step ? s.n - at : step;
		if (json_guard_feed(&g,
			guarded_copy(&guarded, span_slice(s, at, at + n)),
			&e) == -1)
			return -1;
	}
	return json_guard_end(&g, &e);
}

static int
judge(struct span s)
{
	static const size_t steps[] = {1, 2, 3, 7, 8, 9, 64, SIZE_MAX};
	struct error e;
	struct json_guard g;
	int verdict = json_parse(&doc, guarded_copy(&guarded, s), 0, &e);

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		assert_int_equal(fed(s, steps[i]), verdict);
	/* Cut in two at every byte, and cut off there. */
	for (size_t at = 0; at < s.n && s.n < 4096; at++) {
		int r;

		json_guard_init(&g, s.n, 0);
		r = json_guard_feed(&g, span_slice(s, 0, at), &e);
		if (r == 0)
			r = json_guard_feed(&g, span_slice(s, at, s.n), &e);
		if (r == 0)
			r = json_guard_end(&g, &e);
		assert_int_equal(r, verdict);
		json_parse(
		    &doc, guarded_copy(&guarded, span_slice(s, 0, at)), 0, &e);
	}
	return verdict;
}

static void
the_corpus_is_judged_as_it_asks(void **state)
{
	unsigned yes = 0, no = 0, either = 0, wrong = 0;
	struct dirent *entry;
	DIR *dir = opendir(CORPUS);
	char path[512], *bytes;
	size_t n;
	int verdict;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", entry->d_name);
		bytes = guarded_file(path, &n);
		verdict = judge((struct span){bytes, n});
		free(bytes);
		yes += entry->d_name[0] == 'y';
		no += entry->d_name[0] == 'n';
		either += entry->d_name[0] == 'i';
		if ((entry->d_name[0] == 'y' && verdict == -1) ||
		    (entry->d_name[0] == 'n' && verdict == 0)) {
			print_error("%s: wrong verdict\n", entry->d_name);
			wrong++;
		}
	}
	closedir(dir);
	assert_int_equal(yes, 95);
	assert_int_equal(no, 188);
	assert_int_equal(either, 35);
	assert_int_equal(wrong, 0);
}

static void
a_hundred_thousand_brackets_are_refused_at_the_129th(void **state)
{
	size_t n = 100000;
	char *brackets = malloc(n);
	struct json_guard g;
	struct error e;

	(void)state;
	memset(brackets, '[', n);
	assert_int_equal(
	    json_parse(&doc, (struct span){brackets, n}, 0, &e), -1);
	assert_int_equal(e.code, ERROR_TOO_BIG);
	assert_int_equal(doc.fault.offset, 128);
	json_guard_init(&g, n, 0);
	assert_int_equal(
	    json_guard_feed(&g, (struct span){brackets, n}, &e), -1);
	assert_int_equal(g.bytes, 128);
	free(brackets);
}

static void
the_deepest_document_allowed_is_read(void **state)
{
	char deep[4 * LIMIT_JSON_DEPTH];
	size_t n = 0;
	struct error e;
	int v = 0;

	(void)state;
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		deep[n++] = '[';
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		deep[n++] = ']';
	assert_int_equal(json_parse(&doc, (struct span){deep, n}, 0, &e), 0);
	for (int i = 1; i < LIMIT_JSON_DEPTH; i++)
		v = json_at(&doc, v, 0);
	assert_int_equal(v, LIMIT_JSON_DEPTH - 1);
	assert_int_equal(json_first(&doc, v), -1);
}

static void
the_token_ceiling_holds(void **state)
{
	size_t n = 2 * LIMIT_JSON_TOKENS + 1;
	char *zeros = malloc(n);
	struct error e;

	(void)state;
	zeros[0] = '[';
	for (size_t i = 1; i < n; i += 2)
		memcpy(zeros + i, "0,", 2);
	zeros[n - 1] = ']';
	assert_int_equal(json_parse(&doc, (struct span){zeros, n}, 0, &e), -1);
	assert_int_equal(e.code, ERROR_TOO_BIG);
	/* The array itself counts, so one element less just fits. */
	zeros[n - 3] = ']';
	assert_int_equal(
	    json_parse(&doc, (struct span){zeros, n - 2}, 0, &e), 0);
	assert_int_equal(doc.tokens, LIMIT_JSON_TOKENS);
	free(zeros);
}

static void
the_byte_ceiling_holds(void **state)
{
	struct json_guard g;
	struct error e;

	(void)state;
	json_guard_init(&g, 4, 0);
	assert_int_equal(json_guard_feed(&g, span_of("[1"), &e), 0);
	assert_int_equal(json_guard_feed(&g, span_of(",2]"), &e), -1);
	assert_int_equal(e.code, ERROR_TOO_BIG);
	assert_int_equal(json_guard_feed(&g, span_of("]"), &e), -1);
}

static int
setup(void **state)
{
	(void)state;
	json_doc_init(&doc);
	guarded_init(&guarded, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	json_doc_release(&doc);
	guarded_release(&guarded);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_corpus_is_judged_as_it_asks),
	    cmocka_unit_test(
		a_hundred_thousand_brackets_are_refused_at_the_129th),
	    cmocka_unit_test(the_deepest_document_allowed_is_read),
	    cmocka_unit_test(the_token_ceiling_holds),
	    cmocka_unit_test(the_byte_ceiling_holds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
