/*
 * What one sandbox leaves behind, the next does not find: stages serve again
 * when nothing was done to them, and only then.  As root and as uid 1000.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/stage.h"
#include "tests/unit/sandbox_test.h"

#define LIVES 12     /* of sandboxes that left something behind */
#define PATIENCE 200 /* lives until a clean stage has come back */
#define BIRTH "stat -c '%d %.9W' /tmp; " /* no two stages share it */

static struct sandbox_test t;
static char folder[64];

static int
fresh(void **state)
{
	const struct sandbox_host_settings few = {
	    .netns_ready = 2, .cgroups_ready = 2};

	(void)state;
	return st_fresh_with(&t, &few);
}

static int
done(void **state)
{
	(void)state;
	st_done(&t);
	return 0;
}

/* One sandbox's life; the birth of its stage in out. */
static void
live(const char *act, char out[64])
{
	struct sandbox *sb = st_create(&t, NULL);
	char line[512];

	assert_non_null(sb);
	snprintf(line, sizeof line, "%s%s", BIRTH, act);
	st_sh(&t, sb, line);
	if (t.report.exit != 0)
		print_error("%s: %s\n", act, t.err.p != NULL ? t.err.p : "");
	assert_int_equal(t.report.exit, 0);
	snprintf(out, 64, "%.*s", (int)t.out.n, t.out.p);
	st_destroy(&t, sb);
}

/* How often a stage served again in so many lives; stops at the first. */
static int
serves_again(const char *act, unsigned lives)
{
	static char born[PATIENCE][64];

	for (unsigned i = 0; i < lives; i++) {
		live(act, born[i]);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(born[i], born[k]) == 0)
				return 1;
		st_for_ms(&t, 2); /* the maker looks it over */
	}
	return 0;
}

static void
what_nobody_wrote_to_serves_again(void **state)
{
	(void)state;
	assert_true(serves_again("true", PATIENCE));
	assert_true(serves_again("cat /etc/passwd /proc/mounts", PATIENCE));
}

#define IPC                                                                  \
	"python3 -c 'import ctypes; c = ctypes.CDLL(None, use_errno=True)\n" \
	"assert c."

static void
what_was_changed_does_not(void **state)
{
	static const char *const acts[] = {"echo x > /tmp/x",
	    "echo x > /dev/shm/x", "echo x > /workspace/x",
	    "echo x > /tmp/x; rm /tmp/x", /* its number is gone */
	    "mkdir /workspace/.git/x",
	    "mkdir /workspace/.git/x; rmdir /workspace/.git/x",
	    "chmod 0700 /workspace", "chmod 0700 /workspace/.git",
	    "touch -d 2001-01-01 /workspace/.git",
	    "touch -d 2001-01-01 /dev/shm",
	    "python3 -c 'import os; os.setxattr(\"/tmp\", \"user.a\", b\"1\")'"
	    " || chmod 700 /tmp",
	    IPC "shmget(0, 4096, 0o1600) >= 0'",
	    IPC "semget(0, 1, 0o1600) >= 0'", IPC "msgget(0, 0o1600) >= 0'",
	    IPC "mq_open(b\"/q\", 0o102, 0o600, None) >= 0'"};

	(void)state;
	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
		if (serves_again(acts[i], LIVES))
			fail_msg("%s: served again", acts[i]);
}

/* Open folders could be sent from one to the other through a socket in it. */
static void
who_shares_a_folder_shares_no_stage(void **state)
{
	const struct sandbox_bind bind = {.src = folder, .dst = "/shared"};
	const struct sandbox_host_settings shared = {
	    .netns_ready = 2, .cgroups_ready = 2, .binds = &bind, .binds_n = 1};

	(void)state;
	assert_int_equal(st_fresh_with(&t, &shared), 0);
	assert_false(serves_again("true", 2 * LIVES));
	st_done(&t);
}

static void
what_was_read_is_not_told(void **state)
{
	char born[64];

	(void)state;
	live("for d in /tmp /workspace /dev/shm; do a=$(stat -c %x $d); "
	     "sleep 0.01; ls $d; test \"$a\" = \"$(stat -c %x $d)\" || exit; "
	     "done",
	    born);
}

/* Wherever the next sandbox is built, it finds nothing. */
static void
the_next_finds_nothing(void **state)
{
	static const char leave[] =
	    "echo s > /tmp/s; echo s > /dev/shm/s; echo s > /workspace/s; "
	    "echo s > /workspace/.git/s; chmod 777 /workspace; "
	    "ipcmk -Q -M 4096 -S 1 > /dev/null";
	static const char look[] =
	    "test -z \"$(ls -A /tmp /dev/shm /workspace/.git /workspace/.skep "
	    "| grep -v -e : -e hooks)\" || exit 1; "
	    "test ! -e /workspace/s || exit 2; "
	    "test $(stat -c %a /workspace) = 755 || exit 3; "
	    "test -z \"$(ipcs | grep 0x)\" || exit 4";
	char born[64];

	(void)state;
	for (unsigned i = 0; i < LIVES; i++) {
		live(leave, born);
		live(look, born);
		live("true", born);
		live(look, born);
	}
}

/* A sandbox that cannot be killed while it lives shares with nobody. */
static void
two_at_a_time_have_one_each(void **state)
{
	struct sandbox *sb[6];
	char born[6][64];

	(void)state;
	live("true", born[0]);
	for (unsigned i = 0; i < 6; i++) {
		sb[i] = st_create(&t, NULL);
		assert_non_null(sb[i]);
		st_sh(&t, sb[i], BIRTH "echo mine > /dev/shm/mine");
		assert_int_equal(t.report.exit, 0);
		snprintf(born[i], 64, "%.*s", (int)t.out.n, t.out.p);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(born[i], born[k]);
	}
	for (unsigned i = 0; i < 6; i++)
		st_destroy(&t, sb[i]);
}

static int
run(const char *as)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		what_nobody_wrote_to_serves_again, fresh, done),
	    cmocka_unit_test_setup_teardown(
		what_was_changed_does_not, fresh, done),
	    cmocka_unit_test(who_shares_a_folder_shares_no_stage),
	    cmocka_unit_test_setup_teardown(
		what_was_read_is_not_told, fresh, done),
	    cmocka_unit_test_setup_teardown(
		the_next_finds_nothing, fresh, done),
	    cmocka_unit_test_setup_teardown(
		two_at_a_time_have_one_each, fresh, done)};

	return cmocka_run_group_tests_name(as, tests, NULL, NULL);
}

int
main(void)
{
	return st_main(run, folder);
}
