#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "net/json.h"
#include "net/json_shape.h"

struct learnt {
	struct json_doc doc;
	struct json_shape shape;
};

static void
learn(struct learnt *l, const char *text)
{
	struct error e;

	json_doc_init(&l->doc);
	json_shape_init(&l->shape);
	assert_int_equal(json_parse(&l->doc, span_of(text), 0, &e), 0);
	json_shape_learn(&l->shape, &l->doc);
}

static void
forget(struct learnt *l)
{
	json_doc_release(&l->doc);
	json_shape_release(&l->shape);
}

static const char event[] =
    "{\"type\":\"delta\",\"n\":12,\"in\":[{\"x\":null}],\"text\":\"ab\","
    "\"list\":[],\"last\":-1.5e3}";

/* Learn event, and see whether text fits, its leaf "text" being want. */
static int
fits(const char *text, const char *want, uint32_t *changed)
{
	struct learnt l;
	struct json_fit fit;
	int leaf, r;

	learn(&l, event);
	leaf = json_shape_leaf(&l.shape, &l.doc, json_get(&l.doc, 0, "text"));
	assert_int_equal(leaf, 3);
	r = json_shape_fits(&l.shape, span_of(text), (unsigned)leaf, &fit);
	if (r) {
		assert_true(span_is(fit.leaf, want));
		*changed = fit.changed;
	}
	forget(&l);
	return r;
}

static void
leaves_may_differ(void **state)
{
	static const struct {
		const char *text, *want;
		uint32_t changed;
	} row[] = {
	    {event, "\"ab\"", 0},
	    {"{\"type\":\"delta\",\"n\":12,\"in\":[{\"x\":null}],\"text\":"
	     "\"a\",\"list\":[],\"last\":-1.5e3}",
		"\"a\"", 8},
	    {"{\"type\":\"delta\",\"n\":123,\"in\":[{\"x\":true}],\"text\":"
	     "\"ab\",\"list\":[],\"last\":0}",
		"\"ab\"", 2 | 4 | 16},
	    {"{\"type\":\"\",\"n\":\"twelve\",\"in\":[{\"x\":{}}],\"text\":"
	     "\"ab\",\"list\":[],\"last\":-1.5e3}",
		NULL, 0},
	    {"{\"type\":\"\",\"n\":\"12\",\"in\":[{\"x\":0.5}],\"text\":"
	     "\"\\\"\\ud83d\\ude00\xc3\xa9\\\\\",\"list\":[],\"last\":1}",
		"\"\\\"\\ud83d\\ude00\xc3\xa9\\\\\"", 1 | 2 | 4 | 8 | 16},
	    {"{\"type\":\"delta\",\"n\":1,\"in\":[{\"x\":null}],\"text\":"
	     "null,\"list\":[],\"last\":-1.5e3}",
		"null", 2 | 8},
	};
	uint32_t changed;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		changed = 99;
		assert_int_equal(fits(row[i].text, row[i].want, &changed),
		    row[i].want != NULL);
		if (row[i].want != NULL)
			assert_int_equal(changed, row[i].changed);
	}
}

/* What another parser might let pass for one that differs in a leaf. */
static void
anything_else_is_refused(void **state)
{
	static const struct {
		const char *from, *to;
	} row[] = {
	    {"12", "012"},
	    {"12", "1x"},
	    {"12", "-"},
	    {"12", "1."},
	    {"12", "12 "},
	    {"12", "[12]"},
	    {"12", "12,\"m\":1"},
	    {"12", ""},
	    {"\"ab\"", "\"ab"},
	    {"\"ab\"", "\"ab\"\""},
	    {"\"ab\"", "\"a\nb\""},
	    {"\"ab\"", "\"\\x\""},
	    {"\"ab\"", "\"\xc3\""},
	    {"\"ab\"", "\"\xed\xa0\x80\""},
	    {"\"ab\"", "\"ab\",\"text\":\"cd\""},
	    {"\"ab\"", "ab"},
	    {"null", "nul"},
	    {"null", "nulll"},
	    {"\"text\"", "\"tex\""},
	    {"\"text\"", "\"tex\\u0074\""},
	    {"[]", "[1]"},
	    {"-1.5e3}", "-1.5e3"},
	    {"-1.5e3}", "-1.5e}"},
	    {"-1.5e3}", "-1.5e3}}"},
	    {"-1.5e3}", "-1.5e3} "},
	    {"{\"type\"", "[\"type\""},
	    {"{\"type\"", " {\"type\""},
	};
	char text[256];
	uint32_t changed;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		const char *at = strstr(event, row[i].from);
		size_t before = (size_t)(at - event), to = strlen(row[i].to);

		memcpy(text, event, before);
		memcpy(text + before, row[i].to, to);
		strcpy(text + before + to, at + strlen(row[i].from));
		if (fits(text, "\"ab\"", &changed))
			fail_msg("fits: %s", text);
	}
	/* Cut anywhere, and with anything behind it. */
	for (size_t n = 0; n < sizeof(event) - 1; n++) {
		memcpy(text, event, n);
		text[n] = '\0';
		assert_false(fits(text, "", &changed));
	}
}

static void
what_is_too_large_has_no_shape(void **state)
{
	static char text[2 * JSON_SHAPE_BYTES];
	struct json_fit fit;
	struct learnt l;

	(void)state;
	strcpy(text, "[0");
	for (int i = 1; i < JSON_SHAPE_LEAVES; i++)
		strcat(text, ",0");
	strcat(text, "]");
	learn(&l, text);
	assert_int_equal(l.shape.leaves, JSON_SHAPE_LEAVES);
	assert_true(json_shape_fits(
	    &l.shape, span_of(text), JSON_SHAPE_LEAVES - 1, &fit));
	assert_true(span_is(fit.leaf, "0"));
	forget(&l);

	strcpy(strchr(text, ']'), ",0]");
	learn(&l, text);
	assert_int_equal(l.shape.leaves, 0);
	assert_false(json_shape_fits(&l.shape, span_of(text), 0, &fit));
	forget(&l);

	memset(text, 'x', sizeof(text));
	memcpy(text, "[\"", 2);
	strcpy(text + JSON_SHAPE_BYTES, "\"]");
	learn(&l, text);
	assert_int_equal(l.shape.leaves, 0);
	forget(&l);

	learn(&l, "{}");
	assert_false(json_shape_fits(&l.shape, span_of("{}"), 0, &fit));
	forget(&l);
}

static void
leaves_are_found_by_their_values(void **state)
{
	struct learnt l;
	int in;

	(void)state;
	learn(&l, event);
	in = json_get(&l.doc, 0, "in");
	assert_int_equal(json_shape_leaf(&l.shape, &l.doc, in), -1);
	assert_int_equal(json_shape_leaf(&l.shape, &l.doc, -1), -1);
	assert_int_equal(json_shape_leaf(&l.shape, &l.doc,
			     json_get(&l.doc, json_first(&l.doc, in), "x")),
	    2);
	/* A key is none. */
	assert_int_equal(
	    json_shape_leaf(&l.shape, &l.doc, json_first(&l.doc, 0)), -1);
	forget(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(leaves_may_differ),
	    cmocka_unit_test(anything_else_is_refused),
	    cmocka_unit_test(what_is_too_large_has_no_shape),
	    cmocka_unit_test(leaves_are_found_by_their_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
