#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/tls_sign.h"
#include "tools/mcp_discover.h"
#include "tools/mcp_private.h"

static void
assert_candidates(int (*next)(struct span s, unsigned i, struct text *out),
    const char *url, const char *const wanted[])
{
	struct text t;

	text_init(&t, 4096);
	for (unsigned i = 0;; i++) {
		text_clear(&t);
		if (!next(span_of(url), i, &t)) {
			assert_null(wanted[i]);
			break;
		}
		assert_string_equal(t.p, wanted[i]);
	}
	text_release(&t);
}

static void
descriptions_are_looked_for_in_the_order_of_the_standards(void **state)
{
	(void)state;
	assert_candidates(mcp_protected_address, "https://h:8443/a/mcp?x=1",
	    (const char *const[]){
		"https://h:8443/.well-known/oauth-protected-resource/a/mcp",
		"https://h:8443/.well-known/oauth-protected-resource", NULL});
	assert_candidates(mcp_protected_address, "http://127.0.0.1:1/",
	    (const char *const[]){
		"http://127.0.0.1:1/.well-known/oauth-protected-resource",
		NULL});
	assert_candidates(mcp_issuer_address, "https://i/t1/",
	    (const char *const[]){
		"https://i/.well-known/oauth-authorization-server/t1",
		"https://i/.well-known/openid-configuration/t1",
		"https://i/t1/.well-known/openid-configuration", NULL});
	assert_candidates(mcp_issuer_address, "https://i",
	    (const char *const[]){
		"https://i/.well-known/oauth-authorization-server",
		"https://i/.well-known/openid-configuration", NULL});
	assert_candidates(
	    mcp_issuer_address, "ftp://i", (const char *const[]){NULL});
}

static void
a_resource_is_the_server_or_above_it(void **state)
{
	struct span url = span_of("https://h/a/mcp");

	(void)state;
	assert_true(mcp_resource_matches(url, url));
	assert_true(mcp_resource_matches(span_of("https://H:443/a/"), url));
	assert_true(mcp_resource_matches(span_of("https://h"), url));
	assert_false(mcp_resource_matches(span_of("https://h/a/mc"), url));
	assert_false(mcp_resource_matches(span_of("https://h/a/mcp/x"), url));
	assert_false(mcp_resource_matches(span_of("http://h/a/mcp"), url));
	assert_false(mcp_resource_matches(span_of("https://h.evil/a"), url));
	assert_false(mcp_resource_matches(span_of("h"), url));
}

static void
scopes_are_a_union_and_queries_are_decoded(void **state)
{
	struct text t;

	(void)state;
	text_init(&t, 4096);
	mcp_scope_add(span_of("a b"), &t);
	mcp_scope_add(span_of("b  c a"), &t);
	assert_string_equal(t.p, "a b c");
	text_clear(&t);
	assert_true(mcp_query_get(span_of("state=x&code=a%2Fb"), "code", &t));
	assert_string_equal(t.p, "a/b");
	assert_false(mcp_query_get(span_of("xcode=1"), "code", &t));
	assert_false(mcp_query_get(span_of("code=%zz"), "code", &t));
	text_release(&t);
}

static void
arguments_go_into_fields_as_they_can(void **state)
{
	static const struct {
		const char *given, *field;
	} cases[] = {
	    {"us west 1", "us west 1"},
	    {"", ""},
	    {" padded ", "=?base64?IHBhZGRlZCA=?="},
	    {"a\nb", "=?base64?YQpi?="},
	    {"\xc3\xbc", "=?base64?w7w=?="},
	    {"=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="},
	};
	struct text t;

	(void)state;
	text_init(&t, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		text_clear(&t);
		mcp_field_add(span_of(cases[i].given), &t);
		assert_true(span_is(text_span(&t), cases[i].field));
	}
	text_release(&t);
}

static void
names_for_models_are_short_and_plain(void **state)
{
	struct arena a;
	char tool[200];
	const char *one, *other;

	(void)state;
	arena_init(&a, 65536);
	assert_string_equal(
	    mcp_full_name(&a, "s", span_of("read.file/x")), "s__read_file_x");
	memset(tool, 'x', sizeof tool);
	one = mcp_full_name(&a, "s", (struct span){tool, 150});
	other = mcp_full_name(&a, "s", (struct span){tool, 151});
	assert_int_equal(strlen(one), 64);
	assert_string_not_equal(one, other);
	arena_release(&a);
}

static void
what_is_no_key_does_not_sign(void **state)
{
	unsigned char out[TLS_SIGNATURE_BYTES];
	struct error e;

	(void)state;
	assert_int_equal(tls_sign(span_of(""), span_of("text"), out, &e), -1);
	assert_int_equal(e.code, ERROR_CONFIG);
	assert_int_equal(tls_sign(span_of("-----BEGIN PRIVATE KEY-----\nAAAA\n"
					  "-----END PRIVATE KEY-----\n"),
			     span_of("text"), out, &e),
	    -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		descriptions_are_looked_for_in_the_order_of_the_standards),
	    cmocka_unit_test(a_resource_is_the_server_or_above_it),
	    cmocka_unit_test(scopes_are_a_union_and_queries_are_decoded),
	    cmocka_unit_test(arguments_go_into_fields_as_they_can),
	    cmocka_unit_test(names_for_models_are_short_and_plain),
	    cmocka_unit_test(what_is_no_key_does_not_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
