/*
 * The patch tool, on the sandbox double and, where files are more than bytes,
 * on a real one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "net/json_write.h"
#include "tests/unit/sandbox_test.h"
#include "tests/unit/tools_test.h"

static struct sandbox_test t;
static const struct null_script nothing;

static void
open_tools(void)
{
	struct sandbox *sb = st_create(&t, NULL);
	struct error e;

	assert_non_null(sb);
	tt_open(t.loop, sb);
	assert_int_equal(toolset_add(&tt.set, "apply_patch", &e), 0);
}

static int
fresh(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	st_open(&t);
	st_null(&t, &nothing);
	open_tools();
	return 0;
}

static int
fresh_real(void **state)
{
	struct error e;

	(void)state;
	memset(&t, 0, sizeof t);
	if (zygote_start(&t.zygote, &e) == -1) {
		print_message("%s\n", e.text);
		return -1;
	}
	st_open(&t);
	t.profile.limits.disk_bytes = 4 * MIB;
	st_local(&t, NULL);
	if (t.host == NULL)
		return -1;
	open_tools();
	return 0;
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

/* Apply a patch as a custom tool; the answer's text. */
static const char *
patch(const char *input)
{
	struct json_writer w;
	struct text item;
	struct span s;

	text_init(&item, 64 * MIB);
	json_write_init(&w, &item);
	json_write_object(&w);
	json_put_str(&w, "type", "custom_tool_call");
	json_put_str(&w, "call_id", "c1");
	json_put_str(&w, "name", "apply_patch");
	json_put_str(&w, "input", input);
	json_write_end(&w);
	tt_begin(item.p);
	loop_run(t.loop);
	text_release(&item);
	assert_true(span_is(tt_member(0, "type"), "custom_tool_call_output"));
	s = tt_member(0, "output");
	return arena_strndup(&tt.arena, s.p, s.n);
}

static void
put(const char *path, const char *content)
{
	assert_int_equal(st_put(&t, tt.sb, path, content), 0);
}

/* What a file holds; NULL when there is none. */
static const char *
get(const char *path)
{
	return st_get(&t, tt.sb, path) == 0 ? t.bytes.p : NULL;
}

#define PATCH(body) "*** Begin Patch\n" body "*** End Patch\n"

static void
files_are_added_changed_moved_and_deleted(void **state)
{
	(void)state;
	put("b.txt", "one\ntwo\n");
	put("c.txt", "x\n");
	put("old/d.txt", "d\n");
	assert_string_equal(
	    patch(PATCH("*** Add File: a/new.txt\n+hello\n+\n"
			"*** Update File: b.txt\n@@\n one\n-two\n+2\n"
			"*** Delete File: c.txt\n"
			"*** Update File: old/d.txt\n*** Move to: e.txt\n"
			"@@\n-d\n+D\n")),
	    "Created a/new.txt\nUpdated b.txt\nDeleted c.txt\n"
	    "Updated old/d.txt\nMoved old/d.txt to e.txt");
	assert_string_equal(get("a/new.txt"), "hello\n");
	assert_string_equal(get("b.txt"), "one\n2\n");
	assert_null(get("c.txt"));
	assert_null(get("old/d.txt"));
	assert_string_equal(get("e.txt"), "D\n");
}

static void
operations_see_what_those_before_them_did(void **state)
{
	(void)state;
	assert_string_equal(
	    patch(PATCH("*** Add File: a\n+1\n+\n"
			"*** Update File: ./a\n@@\n-1\n+2\n"
			"*** Update File: a\n*** Move to: b\n@@\n-2\n+3\n"
			"*** Add File: a\n+new\n"
			"*** Add File: gone\n+x\n*** Delete File: gone\n")),
	    "Created a\nUpdated ./a\nUpdated a\nMoved a to b\nCreated a\n"
	    "Created gone\nDeleted gone");
	assert_string_equal(get("a"), "new");
	assert_string_equal(get("b"), "3\n");
	assert_null(get("gone"));
}

static void
a_patch_that_fails_changes_nothing(void **state)
{
	(void)state;
	put("a", "1\n");
	assert_string_equal(
	    patch(PATCH("*** Add File: n\n+x\n*** Update File: a\n@@\n-1\n+2\n"
			"*** Update File: a\n@@\n-1\n+3\n")),
	    "Invalid Context 0:\n1");
	assert_null(get("n"));
	assert_string_equal(get("a"), "1\n");
	assert_string_equal(
	    patch(PATCH("*** Delete File: a\n*** Delete File: b\n")),
	    "apply_patch missing file: b");
	assert_string_equal(get("a"), "1\n");
	assert_string_equal(patch(PATCH("*** Update File: nope\n@@\n-1\n+2\n")),
	    "apply_patch missing file: nope");
}

static void
paths_stay_inside_the_workspace(void **state)
{
	static const char *const bad[] = {"../x", "a/../../x", "/etc/passwd",
	    "/workspace2/x", "C:/x", "a/b/../../../x"};
	char input[200], want[100];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(input, sizeof input, PATCH("*** Add File: %s\n+x\n"),
		    bad[i]);
		snprintf(want, sizeof want,
		    "apply_patch path must not escape root: %s", bad[i]);
		assert_string_equal(patch(input), want);
	}
	assert_string_equal(
	    patch(PATCH("*** Add File: /workspace/in/../y\\z\n+x\n")),
	    "Created /workspace/in/../y/z");
	assert_string_equal(get("y/z"), "x");
	assert_string_equal(patch(PATCH("*** Add File: a/..\n+x\n")),
	    "apply_patch path must be non-empty");
}

static void
what_is_no_patch_is_said_in_known_words(void **state)
{
	(void)state;
	assert_string_equal(patch("hello"),
	    "apply_patch input must start with '*** Begin Patch'");
	assert_string_equal(patch(PATCH("")),
	    "apply_patch input must include at least one file operation");
	put("bin", "\xff\xfe");
	assert_string_equal(patch(PATCH("*** Update File: bin\n@@\n-a\n+b\n")),
	    "apply_patch could not decode file: bin");
	put("dir/x", "");
	assert_string_equal(patch(PATCH("*** Add File: dir\n+x\n")),
	    "apply_patch path is not a file: dir");
}

static void
every_way_of_calling_it_is_answered_in_kind(void **state)
{
	(void)state;
	assert_string_equal(
	    tt_call("apply_patch",
		"{\"input\":\"*** Begin Patch\\n*** Add File: f\\n+x\\n"
		"*** End Patch\"}"),
	    "Created f");
	assert_string_equal(get("f"), "x");
	tt_begin("{\"type\":\"apply_patch_call\",\"id\":\"p\",\"call_id\":"
		 "\"c2\",\"operation\":{\"type\":\"update_file\",\"path\":"
		 "\"f\",\"diff\":\"@@\\n-x\\n+y\"}}");
	loop_run(t.loop);
	assert_true(span_is(tt_member(0, "type"), "apply_patch_call_output"));
	assert_true(span_is(tt_member(0, "status"), "completed"));
	assert_true(span_is(tt_member(0, "output"), "Updated f"));
	assert_string_equal(get("f"), "y");
	tt_begin("{\"type\":\"apply_patch_call\",\"id\":\"p\",\"call_id\":"
		 "\"c2\",\"operation\":{\"type\":\"delete_file\",\"path\":"
		 "\"g\"}}");
	loop_run(t.loop);
	assert_true(span_is(tt_member(0, "status"), "failed"));
	assert_string_equal(
	    patch("{\"operations\":[{\"type\":\"create_file\",\"path\":"
		  "\"h\",\"diff\":\"+1\"}]}"),
	    "Created h");
}

static void
a_patch_can_be_given_up_halfway(void **state)
{
	struct tool_call *c;

	(void)state;
	c = tt_begin("{\"type\":\"custom_tool_call\",\"call_id\":\"c\","
		     "\"name\":\"apply_patch\",\"input\":\"*** Begin "
		     "Patch\\n*** Add File: f\\n+x\\n*** End Patch\"}");
	tool_call_free(c);
	st_for_ms(&t, 20);
	assert_null(get("f"));
	assert_int_equal(tt.answers, 0);
}

/* --- on a real file system --- */

static void
modes_and_symbolic_links_stay(void **state)
{
	(void)state;
	st_sh(&t, tt.sb,
	    "echo one > a; chmod 755 a; echo one > real; ln -s real link; "
	    "mkdir sub; echo one > sub/f; ln -s sub dirlink");
	assert_string_equal(
	    patch(PATCH("*** Update File: a\n@@\n-one\n+two\n"
			"*** Update File: link\n@@\n-one\n+two\n"
			"*** Update File: dirlink/f\n@@\n-one\n+two\n")),
	    "Updated a\nUpdated link\nUpdated dirlink/f");
	st_sh(&t, tt.sb,
	    "stat -c %a a; cat a real sub/f; readlink link dirlink; ls -A");
	assert_string_equal(t.out.p,
	    "755\ntwo\ntwo\ntwo\nreal\nsub\n.git\n.skep\na\ndirlink\nlink\n"
	    "real\nsub\n");
}

static void
links_out_of_the_workspace_are_not_followed(void **state)
{
	(void)state;
	st_sh(&t, tt.sb,
	    "ln -s /tmp/x out; ln -s /tmp outdir; "
	    "echo keep > /tmp/x; ln -s /etc/passwd pw");
	(void)patch(PATCH("*** Update File: out\n@@\n-keep\n+lost\n"));
	(void)patch(PATCH("*** Add File: outdir/y\n+lost\n"));
	(void)patch(PATCH("*** Add File: out\n+lost\n"));
	assert_null(strstr(
	    patch(PATCH("*** Update File: pw\n@@\n-zzz\n+b\n")), "root"));
	st_sh(&t, tt.sb, "cat /tmp/x; ls /tmp");
	assert_string_equal(t.out.p, "keep\nx\n");
}

static void
protected_paths_and_full_disks_change_nothing(void **state)
{
	static char big[6 << 20];
	const char *said;
	size_t n;

	(void)state;
	put("a", "1\n");
	said = patch(PATCH("*** Update File: a\n@@\n-1\n+2\n"
			   "*** Add File: .git/hooks/pre-commit\n+evil\n"));
	assert_string_equal(said,
	    "apply_patch could not write file: .git/hooks/pre-commit: "
	    "Read-only file system");
	assert_string_equal(get("a"), "1\n");
	n = (size_t)snprintf(big, sizeof big,
	    "*** Begin Patch\n*** Update File: a\n@@\n-1\n+2\n");
	for (int i = 0; i < 2; i++) {
		n += (size_t)snprintf(
		    big + n, sizeof big - n, "*** Add File: big%d\n+", i);
		memset(big + n, 'x', 1900000);
		n += 1900000;
		big[n++] = '\n';
	}
	snprintf(big + n, sizeof big - n, "*** End Patch\n");
	st_sh(&t, tt.sb, "head -c 2000000 /dev/zero > ballast");
	said = patch(big);
	assert_non_null(strstr(said, "apply_patch could not write file: big"));
	assert_non_null(strstr(said, "No space left on device"));
	st_sh(&t, tt.sb, "cat a; ls -A");
	assert_string_equal(t.out.p, "1\n.git\n.skep\na\nballast\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
#define REAL(name) cmocka_unit_test_setup_teardown(name, fresh_real, done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(files_are_added_changed_moved_and_deleted),
	    TEST(operations_see_what_those_before_them_did),
	    TEST(a_patch_that_fails_changes_nothing),
	    TEST(paths_stay_inside_the_workspace),
	    TEST(what_is_no_patch_is_said_in_known_words),
	    TEST(every_way_of_calling_it_is_answered_in_kind),
	    TEST(a_patch_can_be_given_up_halfway),
	    REAL(modes_and_symbolic_links_stay),
	    REAL(links_out_of_the_workspace_are_not_followed),
	    REAL(protected_paths_and_full_disks_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
