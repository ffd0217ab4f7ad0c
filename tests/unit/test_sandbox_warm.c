/*
 * Sandboxes made ahead of time: given to who asks, once, and gone with the
 * host.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/manifest.h"
#include "sandbox/backend.h"
#include "sandbox/warm.h"
#include "tests/unit/sandbox_test.h"

#define KEPT 3

static struct sandbox_test t;
static char folder[64];

static void
wait_for_stock(void)
{
	for (int i = 0; i < 2000 && warm_count(t.host->warm) < KEPT; i++)
		st_for_ms(&t, 5);
	st_for_ms(&t, 5); /* the last one may still be in the making */
	while (t.host->sandboxes.length < KEPT)
		st_for_ms(&t, 5);
	assert_int_equal(warm_count(t.host->warm), KEPT);
}

static int
fresh(void **state)
{
	struct sandbox_host_settings s = {
	    .warm = KEPT, .sandboxes_max = 4, .netns_ready = 4};

	(void)state;
	if (st_fresh(&t) == -1)
		return -1;
	sandbox_host_free(t.host);
	zygote_stop(&t.zygote);
	assert_int_equal(zygote_start(&t.zygote, &t.error), 0);
	st_local(&t, &s);
	return t.host == NULL ? -1 : 0;
}

static int
done(void **state)
{
	(void)state;
	st_done(&t);
	return 0;
}

static const struct manifest_entry entries[] = {
    {.type = ENTRY_FILE, .path = "a", .mode = 0644, .content = {"A\n", 2}}};
static const struct manifest manifest = {
    .file = "test", .root = "/workspace", .entries = entries, .entries_n = 1};

static void
who_asks_is_given_one_that_is_clean(void **state)
{
	(void)state;
	wait_for_stock();
	assert_int_equal(sandbox_host_live(t.host), 0);
	for (int i = 0; i < 12; i++) {
		uint32_t newest = t.host->next_id;
		int is_warm = i % 2 == 0;
		struct sandbox *sb;

		if (is_warm)
			wait_for_stock();
		newest = t.host->next_id;
		sb = st_create(&t, i % 3 == 0 ? &manifest : NULL);
		assert_non_null(sb);
		if (is_warm)
			assert_true(sb->id <= newest);
		assert_int_equal(sandbox_host_live(t.host), 1);
		st_sh(&t, sb,
		    "ls; ls -A /tmp /dev/shm; cat a 2>/dev/null; "
		    "echo x > /tmp/left; echo x > left; echo x > /dev/shm/l; "
		    "sleep 100 & :");
		assert_string_equal(t.out.p, i % 3 == 0
						 ? "a\n/dev/shm:\n\n/tmp:\nA\n"
						 : "/dev/shm:\n\n/tmp:\n");
		st_destroy(&t, sb);
	}
}

static void
they_take_no_place_of_others(void **state)
{
	struct sandbox *sb[4];

	(void)state;
	wait_for_stock();
	for (int i = 0; i < 4; i++) {
		sb[i] = st_create(&t, NULL);
		assert_non_null(sb[i]);
	}
	assert_int_equal(sandbox_host_live(t.host), 4);
	assert_null(st_create(&t, NULL));
	assert_int_equal(t.error.code, ERROR_FULL);
	for (int i = 0; i < 4; i++) {
		st_sh(&t, sb[i], "echo fine");
		assert_string_equal(t.out.p, "fine\n");
		st_destroy(&t, sb[i]);
	}
	wait_for_stock();
}

static void
somebody_elses_user_gets_a_new_one(void **state)
{
	static const char *const users[] = {"ann"};
	struct manifest m = {
	    .file = "test", .root = "/workspace", .users = {users, 1}};
	struct sandbox *sb;
	uint32_t newest;

	(void)state;
	wait_for_stock();
	newest = t.host->next_id;
	sb = st_create_spec(
	    &t, (struct sandbox_spec){.manifest = &m, .run_as = "ann"});
	assert_true(sb->id > newest);
	st_sh(&t, sb, "id -un");
	assert_string_equal(t.out.p, "ann\n");
	st_destroy(&t, sb);
}

static void
one_that_dies_is_replaced(void **state)
{
	char command[256];
	struct sandbox *sb;

	(void)state;
	wait_for_stock();
	snprintf(command, sizeof command,
	    "for p in $(cat /proc/%d/task/%d/children); do "
	    "[ $(cat /proc/$p/comm) != skep-init ] || kill -9 $p; done",
	    (int)t.zygote.pid, (int)t.zygote.pid);
	/* The kernel's list may leave one out while others end. */
	for (int i = 0; i < 100 && warm_count(t.host->warm) > 0; i++) {
		assert_int_equal(system(command), 0);
		st_for_ms(&t, 5);
	}
	assert_int_equal(warm_count(t.host->warm), 0);
	sb = st_create(&t, NULL);
	st_sh(&t, sb, "echo fine");
	assert_string_equal(t.out.p, "fine\n");
	st_destroy(&t, sb);
	wait_for_stock();
}

static void
given_up_or_dead_while_it_is_handed_over(void **state)
{
	struct sandbox_spec spec = {.profile = &t.profile};
	struct sandbox *sb;

	(void)state;
	wait_for_stock();
	sb = sandbox_create(t.host, &spec, &st_ops, &t, &t.error);
	st_destroy(&t, sb);
	wait_for_stock();
	t.created = 0;
	sb = sandbox_create(t.host, &spec, &st_ops, &t, &t.error);
	sandbox_host_free(t.host); /* nobody is told */
	t.host = NULL;
	assert_int_equal(t.created, 0);
}

static int
run(const char *as)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
	    T(who_asks_is_given_one_that_is_clean),
	    T(they_take_no_place_of_others),
	    T(somebody_elses_user_gets_a_new_one),
	    T(one_that_dies_is_replaced),
	    T(given_up_or_dead_while_it_is_handed_over),
	};

	return cmocka_run_group_tests_name(as, tests, NULL, NULL);
}

int
main(void)
{
	return st_main(run, folder);
}
