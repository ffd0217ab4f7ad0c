#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "net/base64.h"
#include "net/url.h"

static struct arena arena;
static struct error err;
static struct text out;

static const char *
printed(const struct url *u)
{
	text_clear(&out);
	url_add(u, &out);
	return out.p;
}

static void
urls_are_cut_into_their_parts(void **state)
{
	static const struct {
		const char *url, *host, *target, *printed;
		unsigned port;
		int is_ip;
	} cases[] = {
	    {"https://api.openai.com/v1", "api.openai.com", "/v1",
		"https://api.openai.com/v1", 443, 0},
	    {"HTTP://LocalHost:8080", "localhost", "/",
		"http://localhost:8080/", 8080, 0},
	    {"http://127.0.0.1:80?a=b#c", "127.0.0.1", "/?a=b",
		"http://127.0.0.1/?a=b", 80, 4},
	    {"https://[::1]:9/x", "::1", "/x", "https://[::1]:9/x", 9, 6},
	    {"http://a_b-c.d:/", "a_b-c.d", "/", "http://a_b-c.d/", 80, 0},
	    {"http+unix://%2Frun%2Fx.sock/v1", "/run/x.sock", "/v1",
		"http+unix://%2Frun%2Fx.sock/v1", 0, 0},
	    {"http://3f2a9c/", "3f2a9c", "/", "http://3f2a9c/", 80, 0},
	};
	struct url u;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (url_parse(&u, span_of(cases[i].url), &arena, &err) == -1)
			fail_msg("%s", err.text);
		assert_true(span_is(u.host, cases[i].host));
		assert_true(span_is(u.target, cases[i].target));
		assert_int_equal(u.port, cases[i].port);
		assert_int_equal(u.is_ip, cases[i].is_ip);
		assert_string_equal(printed(&u), cases[i].printed);
	}
}

static void
what_is_no_url_is_refused(void **state)
{
	static const char *const bad[] = {"", "x", "ftp://a/", "file:///etc",
	    "http:/a", "http://", "http:///x", "http://u:p@h/", "http://a b/",
	    "http://a/b c", "http://a/\n", "http://a:0/", "http://a:65536/",
	    "http://a:x/", "http://[::1/", "http://[::1]x/",
	    "http://[1.2.3.4]/", "http://::1/", "http://1.2.3/",
	    "http://0x7f.1/", "http://.a/", "http://a..b/", "http://\xc3\xa9/",
	    "http://a\\b/", "http://a%41/", "http://[fe80::1%25eth0]/",
	    "http+unix://x/", "http+unix:///x", "http+unix://%2Fa%00b/",
	    "http+unix://%2/"};
	struct url u;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (url_parse(&u, span_of(bad[i]), &arena, &err) != -1)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(
	    url_parse(&u, span_of("http://user:secret@h/"), &arena, &err), -1);
	assert_null(strstr(err.text, "secret"));
}

static void
endpoints_are_joined_to_a_base(void **state)
{
	struct url u;

	(void)state;
	url_join(
	    &u, span_of("https://h/v1/"), span_of("/responses"), &arena, &err);
	assert_string_equal(printed(&u), "https://h/v1/responses");
	url_join(&u, span_of("https://h"), span_of("responses"), &arena, &err);
	assert_string_equal(printed(&u), "https://h/responses");
	url_join(&u, span_of("https://h/o?api-version=2"),
	    span_of("/responses"), &arena, &err);
	assert_string_equal(printed(&u), "https://h/o/responses?api-version=2");
}

/* RFC 3986, section 5.4, those that end on an http URL. */
static void
references_resolve_as_the_standard_says(void **state)
{
	static const char *const cases[][2] = {
	    {"g", "http://a/b/c/g"},
	    {"./g", "http://a/b/c/g"},
	    {"g/", "http://a/b/c/g/"},
	    {"/g", "http://a/g"},
	    {"//g", "http://g/"},
	    {"?y", "http://a/b/c/d;p?y"},
	    {"g?y", "http://a/b/c/g?y"},
	    {"#s", "http://a/b/c/d;p?q"},
	    {"g#s", "http://a/b/c/g"},
	    {";x", "http://a/b/c/;x"},
	    {"", "http://a/b/c/d;p?q"},
	    {".", "http://a/b/c/"},
	    {"./", "http://a/b/c/"},
	    {"..", "http://a/b/"},
	    {"../", "http://a/b/"},
	    {"../g", "http://a/b/g"},
	    {"../..", "http://a/"},
	    {"../../g", "http://a/g"},
	    {"../../../g", "http://a/g"},
	    {"/./g", "http://a/g"},
	    {"/../g", "http://a/g"},
	    {"g.", "http://a/b/c/g."},
	    {"..g", "http://a/b/c/..g"},
	    {"./../g", "http://a/b/g"},
	    {"./g/.", "http://a/b/c/g/"},
	    {"g/./h", "http://a/b/c/g/h"},
	    {"g/../h", "http://a/b/c/h"},
	    {"g;x=1/../y", "http://a/b/c/y"},
	    {"g?y/../x", "http://a/b/c/g?y/../x"},
	    {"https://b:4/x", "https://b:4/x"},
	};
	struct url base, u;

	(void)state;
	url_parse(&base, span_of("http://a/b/c/d;p?q"), &arena, &err);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (url_resolve(
			&u, &base, span_of(cases[i][0]), &arena, &err) == -1)
			fail_msg("%s: %s", cases[i][0], err.text);
		assert_string_equal(printed(&u), cases[i][1]);
	}
	assert_int_equal(
	    url_resolve(&u, &base, span_of("file:///etc/passwd"), &arena, &err),
	    -1);
}

static void
origins_and_loopback_are_told_apart(void **state)
{
	static const struct {
		const char *url;
		int loopback;
	} cases[] = {{"http://127.9.9.9/", 1}, {"http://[::1]/", 1},
	    {"http://localhost:1/", 1}, {"http://x.localhost/", 1},
	    {"http://127.0.0.1.example.com/", 0}, {"http://10.0.0.1/", 0},
	    {"http://localhost.example.com/", 0}, {"http+unix://%2Fx/", 1}};
	struct url a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		url_parse(&a, span_of(cases[i].url), &arena, &err);
		assert_int_equal(url_is_loopback(&a), cases[i].loopback);
	}
	url_parse(&a, span_of("https://H/"), &arena, &err);
	url_parse(&b, span_of("https://h:443/x"), &arena, &err);
	assert_true(url_same_origin(&a, &b));
	url_parse(&b, span_of("http://h:443/"), &arena, &err);
	assert_false(url_same_origin(&a, &b));
}

static void
base64_is_that_of_the_rfc(void **state)
{
	static const char *const cases[][2] = {{"", ""}, {"f", "Zg=="},
	    {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
	    {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
	    {"\xff\xfe\xfd?", "//79Pw=="}};
	static const char *const bad[] = {"Z", "Zg",
	    "Zg=", "Zg==Zg==", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "====", "Zm9-",
	    "=m9v", "Z=9v"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		text_clear(&out);
		base64_encode(span_of(cases[i][0]), &out);
		assert_true(span_is(text_span(&out), cases[i][1]));
		assert_int_equal(
		    base64_size(strlen(cases[i][0])), strlen(cases[i][1]));
		text_clear(&out);
		assert_int_equal(
		    base64_decode(span_of(cases[i][1]), &out, &err), 0);
		assert_true(span_is(text_span(&out), cases[i][0]));
	}
	text_clear(&out);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (base64_decode(span_of(bad[i]), &out, &err) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(out.n, 0);
	}
}

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	text_init(&out, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	text_release(&out);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(urls_are_cut_into_their_parts),
	    cmocka_unit_test(what_is_no_url_is_refused),
	    cmocka_unit_test(endpoints_are_joined_to_a_base),
	    cmocka_unit_test(references_resolve_as_the_standard_says),
	    cmocka_unit_test(origins_and_loopback_are_told_apart),
	    cmocka_unit_test(base64_is_that_of_the_rfc),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
