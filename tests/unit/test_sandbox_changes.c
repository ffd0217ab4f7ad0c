/*
 * What commands changed in a workspace, as it is told: added, modified,
 * deleted, hidden.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "sandbox/baseline.h"
#include "sandbox/changes.h"
#include "tests/unit/sandbox_test.h"

static struct sandbox_test t;
static char folder[64];

static struct {
	int done;
	struct error error;
	uint64_t omitted;
	unsigned n;
	char paths[8192];
} told;

static int
fresh(void **state)
{
	(void)state;
	return st_fresh(&t);
}

static int
done(void **state)
{
	(void)state;
	st_done(&t);
	return 0;
}

static void
came(const struct list *files, uint64_t omitted, const struct error *error,
    void *owner)
{
	size_t used = 0;

	(void)owner;
	told.done = 1;
	told.omitted = omitted;
	told.n = files->length;
	told.error.code = error != NULL ? error->code : ERROR_NONE;
	told.paths[0] = '\0';
	for (struct list_node *n = list_first(files); n != NULL;
	     n = list_next(files, n)) {
		struct changed_file *f =
		    container_of(n, struct changed_file, link);
		char digest[HASH_TEXT_MAX] = "sha256:-";

		if (f->has_digest)
			digest_text(&f->digest, digest);
		if (used < sizeof told.paths - 300)
			used += (size_t)snprintf(told.paths + used,
			    sizeof told.paths - used, "%c %.40s %llu %.8s\n",
			    change_name(f->change)[0], f->path,
			    (unsigned long long)f->bytes, digest + 7);
	}
	loop_break(t.loop);
}

static void
look(struct sandbox *sb)
{
	struct arena a;

	arena_init(&a, 8 << 20);
	told.done = 0;
	assert_non_null(changes_start(t.loop, sb, &a, came, NULL, &t.error));
	st_until(&t, &told.done);
	assert_int_equal(told.error.code, ERROR_NONE);
	arena_release(&a);
}

static const struct manifest_entry entries[] = {
    {.type = ENTRY_FILE, .path = "kept", .mode = 0644, .content = {"kept", 4}},
    {.type = ENTRY_FILE,
	.path = "sub/edited",
	.mode = 0644,
	.content = {"before", 6}},
    {.type = ENTRY_FILE, .path = "sub/gone", .mode = 0644},
    {.type = ENTRY_FILE, .path = "sub/replaced", .mode = 0644},
    {.type = ENTRY_FILE, .path = "sub/linked", .mode = 0644},
    {.type = ENTRY_FILE, .path = "tree/a/one", .mode = 0644},
    {.type = ENTRY_FILE, .path = "tree/b", .mode = 0644},
    {.type = ENTRY_FILE, .path = "tree.txt", .mode = 0644},
    {.type = ENTRY_FILE, .path = "shut/in", .mode = 0644},
};
static const struct manifest manifest = {.file = "test",
    .root = "/workspace",
    .entries = entries,
    .entries_n = sizeof entries / sizeof entries[0]};

static struct sandbox *
create(const struct manifest *m)
{
	struct sandbox *sb = st_create_spec(
	    &t, (struct sandbox_spec){.manifest = m, .remembers = 1});

	assert_non_null(sb);
	return sb;
}

static void
a_baseline_finds_what_it_was_told(void **state)
{
	static const char *const paths[] = {
	    "b", "a/x", "a.txt", "a/y/z", "a", "b", "ab/c"};
	struct baseline *b = baseline_new(&t.error);
	unsigned from, to;

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		baseline_add(b, paths[i], (int64_t)i + 1, 1);
	assert_int_equal(baseline_seal(b, &t.error), 0);
	assert_int_equal(baseline_count(b), 6);
	assert_string_equal(baseline_path(b, 0), "a");
	assert_true(baseline_find(b, "a/y/z") >= 0);
	assert_int_equal(baseline_find(b, "a/y"), -1);
	assert_int_equal(baseline_find(b, ""), -1);
	assert_int_equal(
	    baseline_stamp_of(b, (unsigned)baseline_find(b, "ab/c")), 7);
	assert_true(baseline_is_settled(b));
	from = baseline_below(b, "a", &to);
	assert_int_equal(to - from, 2);
	assert_string_equal(baseline_path(b, from), "a/x");
	from = baseline_below(b, "c", &to);
	assert_int_equal(to, from);
	baseline_drop(baseline_hold(b));
	baseline_drop(b);
	assert_int_equal(baseline_find(NULL, "a"), -1);
}

static void
nothing_changed_is_an_empty_list(void **state)
{
	struct sandbox *sb = create(&manifest);

	(void)state;
	look(sb);
	assert_string_equal(told.paths, "");
	st_sh(&t, sb, "cat kept sub/*; ls -R >/dev/null; mkdir d; rmdir d");
	look(sb);
	assert_string_equal(told.paths, "");
	st_destroy(&t, sb);
	sb = create(NULL);
	look(sb);
	assert_string_equal(told.paths, "");
	st_sh(&t, sb, "echo x > made");
	look(sb);
	assert_string_equal(told.paths, "a made 2 73cb3858\n");
	st_destroy(&t, sb);
}

static void
every_kind_of_change_is_told(void **state)
{
	struct sandbox *sb = create(&manifest);

	(void)state;
	st_sh(&t, sb,
	    "printf abc > sub/edited; mkdir new; printf x > new/file; "
	    "cp kept copy; touch -d 2001-01-01 copy sub/edited; "
	    "ln -s kept link; mkfifo fifo; : > z; rm z; rm sub/gone; "
	    "echo anew > tmp; mv tmp sub/replaced; "
	    "ln -sf ../kept sub/linked; rm -r tree; echo file > tree");
	look(sb);
	assert_string_equal(told.paths, "a copy 4 79f076ab\n"
					"a new/file 1 2d711642\n"
					"m sub/edited 3 ba7816bf\n"
					"d sub/gone 0 -\n"
					"d sub/linked 0 -\n"
					"m sub/replaced 5 08b2ccd6\n"
					"a tree 5 8b911a87\n"
					"d tree/a/one 0 -\n"
					"d tree/b 0 -\n");
	st_destroy(&t, sb);
}

static void
what_is_shut_is_told_as_hidden(void **state)
{
	struct sandbox *sb = create(&manifest);

	(void)state;
	st_sh(&t, sb,
	    "echo x > shut/new; chmod 0 shut; echo y > dark; chmod 0 dark");
	look(sb);
	assert_string_equal(told.paths, "a dark 2 -\nh shut 0 -\n");
	st_destroy(&t, sb);
}

static void
a_tree_too_deep_hides_nothing_else(void **state)
{
	struct sandbox *sb = create(&manifest);

	(void)state;
	st_sh(&t, sb,
	    "echo 1 > first; echo 2 > zz; python3 -c '\n"
	    "import os\n"
	    "for i in range(200): os.mkdir(\"7\" * 200); os.chdir(\"7\" * 200)\n"
	    "open(\"leaf\", \"w\")'");
	look(sb);
	assert_non_null(strstr(told.paths, "a first "));
	assert_non_null(strstr(told.paths, "a zz "));
	assert_int_equal(told.n, 3);
	st_destroy(&t, sb);
}

static void
more_than_are_listed_are_counted(void **state)
{
	struct sandbox *sb = create(&manifest);

	(void)state;
	st_sh(&t, sb,
	    "rm -r tree; i=0; while [ $i -lt 1100 ]; do : > f$i; "
	    "i=$((i+1)); done");
	look(sb);
	assert_int_equal(told.n, CHANGES_FILES_MAX);
	assert_int_equal(told.omitted, 102);
	st_destroy(&t, sb);
}

static int
run(const char *as)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
	    T(a_baseline_finds_what_it_was_told),
	    T(nothing_changed_is_an_empty_list),
	    T(every_kind_of_change_is_told),
	    T(what_is_shut_is_told_as_hidden),
	    T(a_tree_too_deep_hides_nothing_else),
	    T(more_than_are_listed_are_counted),
	};

	return cmocka_run_group_tests_name(as, tests, NULL, NULL);
}

int
main(void)
{
	return st_main(run, folder);
}
