#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "net/base64.h"
#include "tests/unit/sandbox_test.h"
#include "tests/unit/tools_test.h"
#include "tools/image.h"

static struct sandbox_test t;
static const struct null_script nothing;

static int
fresh(void **state)
{
	struct sandbox *sb;
	struct error e;

	(void)state;
	memset(&t, 0, sizeof t);
	st_open(&t);
	st_null(&t, &nothing);
	sb = st_create(&t, NULL);
	assert_non_null(sb);
	tt_open(t.loop, sb);
	return toolset_add(&tt.set, "view_image", &e);
}

static int
done(void **state)
{
	(void)state;
	tt_close();
	st_destroy(&t, tt.sb);
	st_close(&t);
	return pool_in_use() == 0 ? 0 : -1;
}

static void
put(const char *path, uint64_t offset, struct span s)
{
	st_file(&t,
	    sandbox_put(tt.sb, path, 0644, offset, FILE_CREATE | FILE_PARENTS,
		s, st_landed, &t, &t.file_error));
	assert_null(t.file.error);
}

#define BYTES(s) ((struct span){(s), sizeof(s) - 1})

static void
the_kind_is_told_by_the_first_bytes(void **state)
{
	(void)state;
	assert_string_equal(
	    image_type(BYTES("\x89PNG\r\n\x1a\n....")), "image/png");
	assert_string_equal(
	    image_type(BYTES("\xff\xd8\xff\xe0")), "image/jpeg");
	assert_string_equal(image_type(BYTES("GIF89a..")), "image/gif");
	assert_string_equal(
	    image_type(BYTES("RIFF\1\2\3\4WEBPVP8 ")), "image/webp");
	assert_null(image_type(BYTES("RIFF\1\2\3\4WAVEfmt ")));
	assert_null(image_type(BYTES("RIFF")));
	assert_string_equal(image_type(BYTES("BM\1\2")), "image/bmp");
	assert_string_equal(image_type(BYTES("MM\0*")), "image/tiff");
	assert_string_equal(
	    image_type(BYTES("<svg xmlns='x'>")), "image/svg+xml");
	assert_string_equal(
	    image_type(BYTES("\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <svg> "
			     "-->\n<!DOCTYPE svg>\n<svg>")),
	    "image/svg+xml");
	assert_null(image_type(BYTES("<svgx>")));
	assert_null(image_type(BYTES("<html><svg>")));
	assert_null(image_type(BYTES("<?xml <!-- ")));
	assert_null(image_type(BYTES("")));
}

static void
an_image_is_shown_as_a_data_url(void **state)
{
	static char png[200000] = "\x89PNG\r\n\x1a\n";
	struct text want;
	struct span url;

	(void)state;
	for (size_t i = 8; i < sizeof png; i++)
		png[i] = (char)(i * 7);
	for (size_t at = 0; at < sizeof png; at += 50000)
		put("pics/a.png", at, (struct span){png + at, 50000});
	tt_begin("{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":"
		 "\"view_image\",\"arguments\":"
		 "\"{\\\"path\\\":\\\"pics/a.png\\\"}\"}");
	loop_run(t.loop);
	assert_true(span_is(tt_member(0, "type"), "function_call_output"));
	text_init(&want, 1 * MIB);
	text_add_str(&want, "data:image/png;base64,");
	base64_encode((struct span){png, sizeof png}, &want);
	url = tt_member(
	    json_at(&tt.doc, json_get(&tt.doc, 0, "output"), 0), "image_url");
	assert_true(span_eq(url, text_span(&want)));
	text_release(&want);
}

static void
what_cannot_be_shown_is_said_in_known_words(void **state)
{
	struct span png = BYTES("\x89PNG\r\n\x1a\n");

	(void)state;
	assert_string_equal(tt_call("view_image", "{\"path\":\"no/such.png\"}"),
	    "image path `no/such.png` was not found");
	put("text.png", 0, BYTES("hello"));
	assert_string_equal(tt_call("view_image", "{\"path\":\"text.png\"}"),
	    "image path `text.png` is not a supported image file");
	put("empty.png", 0, BYTES(""));
	assert_string_equal(tt_call("view_image", "{\"path\":\"empty.png\"}"),
	    "image path `empty.png` is not a supported image file");
	put("big.png", 0, png);
	put("big.png", 10 * MIB, png);
	assert_string_equal(tt_call("view_image", "{\"path\":\"big.png\"}"),
	    "image path `big.png` exceeded the allowed size of 10MB; resize "
	    "or compress the image and try again");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_kind_is_told_by_the_first_bytes),
	    TEST(an_image_is_shown_as_a_data_url),
	    TEST(what_cannot_be_shown_is_said_in_known_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
