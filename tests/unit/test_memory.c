/* The folder of a memory: what gets in, what is chosen, what is forgotten. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/memory.h"

static char state_folder[64];
static struct memory memory;
static struct text text;
static struct error e;

static int
begin(void **state)
{
	(void)state;
	snprintf(state_folder, sizeof state_folder, "/tmp/test_memory.XXXXXX");
	text_init(&text, MEMORY_FILE_MAX);
	return mkdtemp(state_folder) == NULL ||
		       memory_locate(&memory, state_folder, "bee", &e) == -1 ||
		       memory_make(&memory, &e) == -1
		   ? -1
		   : 0;
}

static int
end(void **state)
{
	char path[128];

	(void)state;
	text_release(&text);
	if (memory_exists(&memory))
		memory_forget(&memory, NULL, &e);
	snprintf(path, sizeof path, "%s/memory", state_folder);
	rmdir(path);
	return rmdir(state_folder);
}

static void
put(const char *path, const char *content)
{
	assert_int_equal(memory_store(&memory, path, span_of(content), &e), 0);
}

static const char *
get(const char *path)
{
	text_clear(&text);
	if (memory_load(&memory, path, &text, &e) == -1)
		return NULL;
	return text.p == NULL ? "" : text.p;
}

static void
note(const char *rollout, const char *slug, const char *raw)
{
	struct memory_note n = {.rollout = rollout,
	    .slug = span_of(slug),
	    .summary = span_of("What was done."),
	    .raw = span_of(raw),
	    .state = "completed",
	    .at_ms = 1700000000000};

	assert_int_equal(memory_add_note(&memory, &n, &e), 0);
	usleep(2000); /* the next one is newer */
}

static void
names_are_checked(void **state)
{
	struct memory m;

	(void)state;
	assert_int_equal(memory_locate(&m, "/s", "../x", &e), -1);
	assert_int_equal(memory_locate(&m, "/s", ".x", &e), -1);
	assert_int_equal(memory_locate(&m, "/s", "a/b", &e), -1);
	assert_int_equal(memory_locate(&m, "/s", "A.b_c-9", &e), 0);
	assert_string_equal(m.path, "/s/memory/A.b_c-9");
	assert_true(memory_id_is_fine(span_of("A1b.c-d_e")));
	assert_false(memory_id_is_fine(span_of(".x")));
	assert_false(memory_id_is_fine(span_of("a/b")));
	assert_false(memory_id_is_fine(span_of("")));
	assert_false(memory_id_is_fine((struct span){"a\0b", 3}));
	assert_true(memory_slug_is_fine(span_of("a_b-1")));
	assert_false(memory_slug_is_fine(span_of("A")));
}

static void
files_are_replaced_and_appended(void **state)
{
	(void)state;
	put("memories/MEMORY.md", "one");
	put("memories/MEMORY.md", "two");
	assert_string_equal(get("memories/MEMORY.md"), "two");
	for (int i = 0; i < 3; i++)
		assert_int_equal(memory_append(&memory, "sessions/x.jsonl",
				     span_of("line\n"), &e),
		    0);
	assert_string_equal(get("sessions/x.jsonl"), "line\nline\nline\n");
	assert_null(get("memories/gone"));
	assert_int_equal(e.code, ERROR_NOT_FOUND);
}

static void
nothing_leads_out(void **state)
{
	char path[LIMIT_PATH + 64];

	(void)state;
	snprintf(path, sizeof path, "%s/memories/MEMORY.md", memory.path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_null(get("memories/MEMORY.md"));
	assert_false(memory_has(&memory, "memories/MEMORY.md"));
	assert_int_equal(
	    memory_append(&memory, "memories/MEMORY.md", span_of("x"), &e), -1);
	assert_null(get("../../../etc/passwd"));
	put("memories/MEMORY.md", "mine"); /* in the link's place */
	assert_string_equal(get("memories/MEMORY.md"), "mine");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(get("memories/MEMORY.md"));
}

static void
a_note_becomes_two_files(void **state)
{
	(void)state;
	note("r1", "Fix: the Build!", "Use make.");
	assert_string_equal(get("memories/raw_memories/r1.md"),
	    "rollout_id: r1\nupdated_at: 2023-11-14T22:13:20.000Z\n"
	    "rollout_path: sessions/r1.jsonl\n"
	    "rollout_summary_file: rollout_summaries/r1_fix_the_build.md\n"
	    "terminal_state: completed\n\nUse make.\n");
	assert_string_equal(
	    get("memories/rollout_summaries/r1_fix_the_build.md"),
	    "session_id: r1\nupdated_at: 2023-11-14T22:13:20.000Z\n"
	    "rollout_path: sessions/r1.jsonl\nterminal_state: completed\n\n"
	    "What was done.\n");
	note("r1", "../..", "Again.");
	assert_null(get("memories/rollout_summaries/r1_fix_the_build.md"));
	assert_non_null(get("memories/rollout_summaries/r1_rollout.md"));
	note("r2", "x", "  \n");
	assert_string_equal(get("memories/raw_memories/r2.md"), "");
}

static struct memory_selection
selected(unsigned kept, const char *changes)
{
	struct memory_selection sel;
	struct text t;

	text_init(&t, 1 * MIB);
	assert_int_equal(memory_select(&memory, kept, &sel, &t, &e), 0);
	assert_string_equal(t.p == NULL ? "" : t.p, changes);
	text_release(&t);
	return sel;
}

static void
the_newest_are_selected(void **state)
{
	struct memory_selection sel;

	(void)state;
	selected(2, "");
	note("a", "s", "A.");
	note("b", "s", "B.");
	note("empty", "s", "");
	sel = selected(2, "- added: b\n- added: a\n");
	assert_int_equal(sel.added, 2);
	assert_int_equal(memory_select_done(&memory, 2, 0, &e), 0);
	sel = selected(2, "- retained: b\n- retained: a\n");
	assert_int_equal(sel.added + sel.removed, 0);
	note("c", "s", "C.");
	sel = selected(2, "- added: c\n- retained: b\n- removed: a\n");
	assert_int_equal(sel.removed, 1);
	assert_non_null(strstr(get("memories/raw_memories.md"), "## c\n\n"));
	assert_null(strstr(text.p, "## a\n"));
	assert_int_equal(memory_select_done(&memory, 2, 0, &e), 0);
	assert_null(get("memories/rollout_summaries/a_s.md"));
	assert_non_null(get("memories/rollout_summaries/b_s.md"));
}

static void
a_selection_of_nonsense_is_none(void **state)
{
	static const char *const nonsense[] = {"", "[{", "[]", "{}",
	    "{\"selected\":{}}", "{\"selected\":[1,null,{\"rollout_id\":[]}]}",
	    "{\"selected\":[{\"rollout_id\":\"../../x\"}]}"};

	(void)state;
	note("a", "s", "A.");
	for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
		put("memories/phase_two_selection.json", nonsense[i]);
		selected(8, "- added: a\n");
	}
}

static void
only_text_is_taken_over(void **state)
{
	char path[LIMIT_PATH + 64];

	(void)state;
	assert_int_equal(memory_install(&memory, "staging", &e), -1);
	put("memories/MEMORY.md", "old");
	snprintf(path, sizeof path, "%s/staging", memory.path);
	assert_int_equal(mkdir(path, 0700), 0);
	put("staging/MEMORY.md", "bad \xff");
	put("staging/memory_summary.md", "new");
	assert_int_equal(memory_install(&memory, "staging", &e), 1);
	assert_string_equal(get("memories/MEMORY.md"), "old");
	assert_string_equal(get("memories/memory_summary.md"), "new");
}

static void
what_is_shown_is_what_is_there(void **state)
{
	const struct manifest *m;
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 * MIB);
	assert_false(memory_can_be_read(&memory));
	put("memories/memory_summary.md", "s");
	assert_true(memory_can_be_read(&memory));
	m = memory_manifest(&memory, 0, &arena);
	assert_int_equal(m->entries_n, 3);
	assert_string_equal(m->entries[0].path, "memories");
	assert_string_equal(m->entries[1].path, "memories/memory_summary.md");
	assert_string_equal(m->entries[2].path, "memories/rollout_summaries");
	arena_release(&arena);
}

static void
one_rollout_is_forgotten_with_what_came_of_it(void **state)
{
	(void)state;
	note("a", "s", "A.");
	note("b", "s", "B.");
	put("sessions/a.jsonl", "{}\n");
	put("memories/MEMORY.md", "A and B");
	assert_int_equal(memory_forget(&memory, "gone", &e), -1);
	assert_int_equal(memory_forget(&memory, "../a", &e), -1);
	assert_int_equal(memory_forget(&memory, "a", &e), 0);
	assert_null(get("sessions/a.jsonl"));
	assert_null(get("memories/raw_memories/a.md"));
	assert_null(get("memories/rollout_summaries/a_s.md"));
	assert_null(get("memories/MEMORY.md"));
	assert_non_null(get("memories/raw_memories/b.md"));
	assert_int_equal(memory_forget(&memory, NULL, &e), 0);
	assert_false(memory_exists(&memory));
	assert_int_equal(memory_forget(&memory, NULL, &e), -1);
	assert_int_equal(e.code, ERROR_NOT_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	    T(names_are_checked),
	    T(files_are_replaced_and_appended),
	    T(nothing_leads_out),
	    T(a_note_becomes_two_files),
	    T(the_newest_are_selected),
	    T(a_selection_of_nonsense_is_none),
	    T(only_text_is_taken_over),
	    T(what_is_shown_is_what_is_there),
	    T(one_rollout_is_forgotten_with_what_came_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
