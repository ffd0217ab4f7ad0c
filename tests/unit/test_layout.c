/* The drawing of a workspace, to the byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/utf8.h"
#include "tools/layout.h"

static struct arena arena;
static struct layout layout;
static struct text out;

static int
begin(void **state)
{
	(void)state;
	arena_init(&arena, 1 * MIB);
	layout_init(&layout, &arena);
	text_init(&out, 1 * MIB);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	text_release(&out);
	arena_release(&arena);
	return 0;
}

static void
file(const char *path, const char *description)
{
	layout_add(&layout, span_of(path), 0, span_of(description));
}

static void
folder(const char *path)
{
	layout_add(&layout, span_of(path), 1, span_of(""));
}

static const char *
drawn(void)
{
	text_clear(&out);
	layout_write(&layout, &out);
	return out.p;
}

static void
an_empty_workspace_is_its_root(void **state)
{
	(void)state;
	assert_string_equal(drawn(), "/workspace");
}

static void
every_entry_has_a_line_and_a_comment(void **state)
{
	(void)state;
	file("README.md", "read me");
	folder("host");
	folder("repo");
	folder("src");
	file("src/a.c", "");
	folder("src/lib");
	file("src/lib/z.c", "");
	assert_string_equal(drawn(),
	    "/workspace\n"
	    "├── README.md    # /workspace/README.md — read me\n"
	    "├── host/        # /workspace/host\n"
	    "├── repo/        # /workspace/repo\n"
	    "└── src/         # /workspace/src\n"
	    "    ├── a.c      # /workspace/src/a.c\n"
	    "    └── lib/     # /workspace/src/lib\n"
	    "        └── z.c  # /workspace/src/lib/z.c");
}

static void
a_branch_goes_on_past_what_is_in_a_folder(void **state)
{
	(void)state;
	folder("a");
	folder("a/b");
	file("a/b/c", "");
	file("a/d", "");
	file("e", "");
	assert_string_equal(drawn(), "/workspace\n"
				     "├── a/         # /workspace/a\n"
				     "│   ├── b/     # /workspace/a/b\n"
				     "│   │   └── c  # /workspace/a/b/c\n"
				     "│   └── d      # /workspace/a/d\n"
				     "└── e          # /workspace/e");
}

static void
widths_are_characters(void **state)
{
	(void)state;
	file("aaaa", "");
	file("ééé", "");
	assert_string_equal(drawn(), "/workspace\n"
				     "├── aaaa  # /workspace/aaaa\n"
				     "└── ééé   # /workspace/ééé");
}

static void
no_name_can_begin_a_line_of_its_own(void **state)
{
	(void)state;
	file("a\n# Obey", "");
	file("b\x1b[2J\xff", "");
	file("c\xe2\x80\xa8"
	     "d",
	    "");
	assert_string_equal(drawn(),
	    "/workspace\n"
	    "├── a\xef\xbf\xbd# Obey  # /workspace/a\xef\xbf\xbd# Obey\n"
	    "├── b\xef\xbf\xbd[2J\xef\xbf\xbd    # "
	    "/workspace/b\xef\xbf\xbd[2J\xef\xbf\xbd\n"
	    "└── c\xef\xbf\xbd"
	    "d       # /workspace/c\xef\xbf\xbd"
	    "d");
}

static void
what_is_deeper_is_not_drawn(void **state)
{
	(void)state;
	folder("a");
	folder("a/b");
	folder("a/b/c");
	file("a/b/c/d", "");
	drawn();
	assert_null(strstr(out.p, "c/d"));
}

/*
 * 200 files of equal length: each line has 4 + 5 + 2 + 2 + 16 = 29 characters
 * and its newline, the root 10 and one, so 6,011 in all.  The notice has 150
 * characters with a number of four digits.
 */
static void
a_long_drawing_is_cut_and_says_how_much(void **state)
{
	char name[16], want[64];
	size_t kept, notice;
	const char *at;

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "f%04d", i);
		file(name, "");
	}
	drawn();
	at = strstr(out.p, "\n... (truncated ");
	assert_non_null(at);
	notice = strlen(at) + 1; /* its final newline is counted, too */
	kept = LAYOUT_CHARS - notice;
	snprintf(want, sizeof want, "\n... (truncated %zu chars)\n\nThe files",
	    (size_t)6011 - kept);
	assert_memory_equal(at, want, strlen(want));
	assert_true(utf8_count((struct span){out.p, out.n}) < LAYOUT_CHARS);
	assert_true(
	    utf8_count((struct span){out.p, (size_t)(at - out.p)}) > kept - 30);
}

static void
the_rest_of_a_long_tree_still_counts(void **state)
{
	char name[300];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "f%06d", i);
		file(name, "");
	}
	memset(name, 'g', 200);
	name[200] = '\0';
	file(name, "");
	drawn();
	/* The widest name is far below, yet every line makes room for it. */
	assert_memory_equal(
	    out.p + strlen("/workspace\n├── f000000") + (200 - 7) + 2, "# /",
	    3);
	/* 11 + 100001 lines of 207 + comments of 2000213, less what is kept */
	assert_non_null(strstr(out.p, "... (truncated 22695"));
	assert_true(arena.peak < 64 * KIB);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	    T(an_empty_workspace_is_its_root),
	    T(every_entry_has_a_line_and_a_comment),
	    T(a_branch_goes_on_past_what_is_in_a_folder),
	    T(widths_are_characters),
	    T(no_name_can_begin_a_line_of_its_own),
	    T(what_is_deeper_is_not_drawn),
	    T(a_long_drawing_is_cut_and_says_how_much),
	    T(the_rest_of_a_long_tree_still_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
