/* The store as the engine and its readers see it, on a real file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/store_read.h"

static char folder[] = "/tmp/test_store-XXXXXX";
static char path[64];
static struct store *store;
static struct error e;

static void
run_sql(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
remove_file(const char *suffix)
{
	char name[96];

	snprintf(name, sizeof name, "%s%s", path, suffix);
	unlink(name);
}

static int
set_up(void **state)
{
	(void)state;
	store = store_open(path, STORE_NORMAL, &e);
	return store == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	store_close(store);
	store = NULL;
	remove_file("");
	remove_file("-wal");
	remove_file("-shm");
	return 0;
}

static struct store_run
a_run(int64_t number, const char *custom_id, const char *task)
{
	struct store_run run = {
	    .number = number,
	    .agent_name = span_of("test"),
	    .custom_id = span_of(custom_id),
	    .line = (uint64_t)number,
	    .created_ms = 1000,
	};

	hash_of(span_of("agent"), &run.agent);
	hash_of(span_of(task), &run.task);
	snprintf(run.id, sizeof run.id, "%016llx",
	    (unsigned long long)(0xabc0000000000000 + (uint64_t)number));
	return run;
}

static void
add(int64_t number, const char *custom_id, const char *task)
{
	struct store_run run = a_run(number, custom_id, task);

	assert_int_equal(store_begin(store, &e), STORE_READY);
	store_run_add(store, &run);
	assert_int_equal(store_commit(store, &e), STORE_READY);
}

static void
end_run(int64_t number, const char *result)
{
	struct store_end end = {
	    .state = RUN_FINISHED,
	    .result = span_of(result),
	    .at_ms = 2000,
	};

	assert_int_equal(store_begin(store, &e), STORE_READY);
	store_run_end(store, number, &end);
	assert_int_equal(store_commit(store, &e), STORE_READY);
}

static int
find(const char *custom_id, const char *task, struct store_found *found)
{
	struct digest agent, digest;

	hash_of(span_of("agent"), &agent);
	hash_of(span_of(task), &digest);
	return store_find(
	    store, &agent, span_of(custom_id), &digest, 7, found, &e);
}

static void
a_run_is_found_by_what_identifies_it(void **state)
{
	struct store_found found;

	(void)state;
	add(1, "a", "task one");
	assert_int_equal(find("a", "task one", &found), 1);
	assert_int_equal(found.number, 1);
	assert_int_equal(found.state, RUN_QUEUED);
	assert_int_equal(found.task_differs, 0);
	assert_int_equal(find("b", "task one", &found), 0);
	assert_int_equal(find("a", "task two", &found), 1);
	assert_int_equal(found.task_differs, 1);
	add(2, "a", "task two");
	add(3, "a", "task three");
	assert_int_equal(find("a", "task two", &found), 1);
	assert_int_equal(found.number, 2);
}

static void
a_line_without_a_name_is_found_by_its_number(void **state)
{
	struct store_found found;

	(void)state;
	add(7, NULL, "nonsense");
	assert_int_equal(find(NULL, "nonsense", &found), 1);
	assert_int_equal(find(NULL, "other nonsense", &found), 0);
}

static void
a_result_stays_until_it_is_written(void **state)
{
	struct store_found found;
	struct text out;

	(void)state;
	text_init(&out, MIB);
	add(1, "a", "t");
	assert_int_equal(store_result(store, 1, &out, &e), 0);
	end_run(1, "{\"custom_id\":\"a\"}");
	assert_int_equal(store_result(store, 1, &out, &e), 1);
	assert_string_equal(out.p, "{\"custom_id\":\"a\"}");
	find("a", "t", &found);
	assert_int_equal(found.state, RUN_FINISHED);
	assert_int_equal(found.is_written, 0);
	store_begin(store, &e);
	store_run_written(store, 1);
	store_commit(store, &e);
	find("a", "t", &found);
	assert_int_equal(found.is_written, 1);
	text_release(&out);
}

static void
starting_over_forgets_items_and_calls(void **state)
{
	struct store_found found;
	struct store_cursor *c;
	struct store_row_item item;

	(void)state;
	add(1, "a", "t");
	store_begin(store, &e);
	store_item_add(store, 1, 1, 0, 5, span_of("{\"type\":\"message\"}"));
	store_call_begin(
	    store, 1, 1, "model", 1, span_of("m"), (struct span){NULL, 0}, 5);
	store_commit(store, &e);
	store_begin(store, &e);
	store_run_again(store, 1, 9, 6);
	store_item_add(store, 1, 1, 0, 7, span_of("{\"type\":\"other\"}"));
	assert_int_equal(store_commit(store, &e), STORE_READY);
	find("a", "t", &found);
	assert_int_equal(found.attempts, 2);
	c = store_items(store, 1, 0, &e);
	assert_int_equal(store_next_item(c, &item, &e), 1);
	assert_true(span_is(item.json, "{\"type\":\"other\"}"));
	assert_int_equal(store_next_item(c, &item, &e), 0);
	store_cursor_close(c);
}

static void
one_failure_undoes_the_whole_turn(void **state)
{
	struct store_run twice = a_run(5, "x", "t");
	struct store_found found;

	(void)state;
	add(1, "a", "t");
	assert_int_equal(store_begin(store, &e), STORE_READY);
	store_run_add(store, &twice);
	twice.number = 6; /* the same id again: refused */
	store_run_add(store, &twice);
	store_run_state(store, 1, RUN_MODEL, 3);
	assert_int_equal(store_commit(store, &e), STORE_FAILED);
	assert_int_equal(find("x", "t", &found), 0);
	find("a", "t", &found);
	assert_int_equal(found.state, RUN_QUEUED);
	add(7, "y", "t"); /* and it goes on working */
	assert_int_equal(find("y", "t", &found), 1);
}

static void
readers_see_what_was_committed_and_only_that(void **state)
{
	struct store *reader;
	struct store_cursor *c;
	struct store_row_run row;
	struct store_run run = a_run(2, "b", "t");

	(void)state;
	add(1, "a", "t");
	store_begin(store, &e);
	store_run_add(store, &run);
	reader = store_open_reader(path, &e);
	assert_non_null(reader);
	c = store_runs(reader, 0, &e);
	assert_int_equal(store_next_run(c, &row, &e), 1);
	assert_true(span_is(row.custom_id, "a"));
	assert_int_equal(store_next_run(c, &row, &e), 0);
	store_cursor_close(c);
	store_commit(store, &e);
	c = store_runs(reader, 1, &e);
	assert_int_equal(store_next_run(c, &row, &e), 1);
	assert_true(span_is(row.custom_id, "b")); /* newest first */
	store_cursor_close(c);
	store_close(reader);
}

static void
another_writer_makes_us_wait_not_fail(void **state)
{
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	assert_int_equal(store_begin(store, &e), STORE_LATER);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
	add(1, "a", "t");
}

static void
names_resolve_by_id_prefix_and_custom_id(void **state)
{
	int64_t number;

	(void)state;
	add(1, "alpha", "t");
	add(0x10, "beta", "t");
	assert_int_equal(store_resolve(store, span_of("beta"), &number, &e), 0);
	assert_int_equal(number, 0x10);
	assert_int_equal(
	    store_resolve(store, span_of("abc0000000000010"), &number, &e), 0);
	assert_int_equal(number, 0x10);
	assert_int_equal(
	    store_resolve(store, span_of("abc000000000001"), &number, &e), 0);
	assert_int_equal(number, 0x10);
	assert_int_equal(store_resolve(store, span_of("abc"), &number, &e), -1);
	assert_non_null(strstr(e.text, "abc0000000000001, abc0000000000010"));
	assert_int_equal(store_resolve(store, span_of("fff"), &number, &e), -1);
	assert_int_equal(e.code, ERROR_NOT_FOUND);
	assert_int_equal(
	    store_resolve(store, span_of("no' OR 1"), &number, &e), -1);
}

static void
a_newer_version_is_refused_and_untouched(void **state)
{
	(void)state;
	store_close(store);
	run_sql("PRAGMA user_version = 99");
	store = store_open(path, STORE_NORMAL, &e);
	assert_null(store);
	assert_int_equal(e.code, ERROR_VERSION);
	assert_int_equal(error_exit_status(e.code), 78);
	assert_null(store_open_reader(path, &e));
	assert_int_equal(e.code, ERROR_VERSION);
}

static void
what_is_no_database_is_an_error(void **state)
{
	FILE *f;

	(void)state;
	store_close(store);
	remove_file("-wal");
	f = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database\n", f);
	fclose(f);
	store = store_open(path, STORE_NORMAL, &e);
	assert_null(store);
	assert_int_equal(error_exit_status(e.code), 74);
	assert_null(store_open_reader("/nonexistent/skep.db", &e));
	assert_int_equal(e.code, ERROR_NOT_FOUND);
}

static void
numbers_go_on_where_they_were(void **state)
{
	(void)state;
	add(41, "a", "t");
	store_close(store);
	store = store_open(path, STORE_FULL, &e);
	assert_non_null(store);
	assert_int_equal(store_last_number(store), 41);
}

static void
add_below(int64_t number, int64_t parent, unsigned depth)
{
	struct store_run run = a_run(number, "", "x");

	run.custom_id.p = NULL;
	run.line = 7;
	run.parent = parent;
	run.depth = depth;
	assert_int_equal(store_begin(store, &e), STORE_READY);
	store_run_add(store, &run);
	assert_int_equal(store_commit(store, &e), STORE_READY);
}

/* What is below run 1, as "number/depth/state " in the order of a tree. */
static const char *
tree(void)
{
	static char out[256];
	struct store_cursor *c = store_runs_below(store, 1, &e);
	struct store_row_run row;
	size_t n = 0;

	out[0] = '\0';
	assert_non_null(c);
	while (store_next_run(c, &row, &e) == 1)
		n += (size_t)snprintf(out + n, sizeof out - n, "%d/%u/%s ",
		    (int)row.number, row.depth, run_state_name(row.state));
	store_cursor_close(c);
	return out;
}

static void
runs_that_a_run_started_are_its_tree(void **state)
{
	(void)state;
	add(1, "a", "one");
	add_below(2, 1, 1);
	add_below(3, 1, 1);
	add_below(4, 2, 2);
	assert_string_equal(tree(), "2/1/queued 4/2/queued 3/1/queued ");
	end_run(3, "{}");
	assert_int_equal(store_begin(store, &e), STORE_READY);
	store_run_cut_below(store, 1, 3000);
	assert_int_equal(store_commit(store, &e), STORE_READY);
	assert_string_equal(
	    tree(), "2/1/cancelled 4/2/cancelled 3/1/finished ");
}

static void
starting_over_forgets_the_tree(void **state)
{
	(void)state;
	add(1, "a", "one");
	add_below(2, 1, 1);
	add_below(3, 2, 2);
	add(4, "b", "two");
	assert_int_equal(store_begin(store, &e), STORE_READY);
	store_item_add(store, 3, 1, 1, 0, span_of("{}"));
	store_run_again(store, 1, 1, 3000);
	assert_int_equal(store_commit(store, &e), STORE_READY);
	assert_string_equal(tree(), "");
	assert_int_equal(store_last_number(store), 4);
}

static void
a_child_is_no_tasks_run(void **state)
{
	struct store_found found;
	struct digest agent, digest;

	(void)state;
	add(1, "a", "one");
	add_below(2, 1, 1);
	hash_of(span_of("agent"), &agent);
	hash_of(span_of("x"), &digest);
	assert_int_equal(store_find(store, &agent, (struct span){NULL, 0},
			     &digest, 7, &found, &e),
	    0);
}

static void
a_file_of_version_1_is_brought_forward(void **state)
{
	(void)state;
	add(1, "a", "one");
	store_close(store);
	run_sql("DROP INDEX runs_by_parent;"
		"ALTER TABLE runs DROP COLUMN parent;"
		"ALTER TABLE runs DROP COLUMN depth;"
		"ALTER TABLE runs DROP COLUMN agent_now;"
		"PRAGMA user_version = 1");
	store = store_open(path, STORE_NORMAL, &e);
	assert_non_null(store);
	add_below(2, 1, 1);
	assert_string_equal(tree(), "2/1/queued ");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    CASE(a_run_is_found_by_what_identifies_it),
	    CASE(a_line_without_a_name_is_found_by_its_number),
	    CASE(a_result_stays_until_it_is_written),
	    CASE(starting_over_forgets_items_and_calls),
	    CASE(one_failure_undoes_the_whole_turn),
	    CASE(readers_see_what_was_committed_and_only_that),
	    CASE(another_writer_makes_us_wait_not_fail),
	    CASE(names_resolve_by_id_prefix_and_custom_id),
	    CASE(a_newer_version_is_refused_and_untouched),
	    CASE(what_is_no_database_is_an_error),
	    CASE(numbers_go_on_where_they_were),
	    CASE(runs_that_a_run_started_are_its_tree),
	    CASE(starting_over_forgets_the_tree),
	    CASE(a_child_is_no_tasks_run),
	    CASE(a_file_of_version_1_is_brought_forward),
	};
	int status;

	if (pool_start(GIB, &e) == -1 || mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/skep.db", folder);
	status = cmocka_run_group_tests(cases, NULL, NULL);
	rmdir(folder);
	pool_stop();
	return status;
}
