/* Who owns a state directory, and how its owner is spoken to. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/control.h"
#include "engine/state_dir.h"

static char root[] = "/tmp/test_state_dir-XXXXXX";
static char path[128];
static struct error e;

static void
the_default_is_where_xdg_says(void **state)
{
	struct state_dir d;

	(void)state;
	setenv("HOME", "/home/x", 1);
	setenv("XDG_STATE_HOME", "/var/x", 1);
	assert_int_equal(state_dir_choose(&d, "/given", &e), 0);
	assert_string_equal(d.path, "/given");
	assert_int_equal(state_dir_choose(&d, NULL, &e), 0);
	assert_string_equal(d.path, "/var/x/skep");
	setenv("XDG_STATE_HOME", "relative", 1); /* XDG: ignore it */
	assert_int_equal(state_dir_choose(&d, NULL, &e), 0);
	assert_string_equal(d.path, "/home/x/.local/state/skep");
	unsetenv("HOME");
	assert_int_equal(state_dir_choose(&d, NULL, &e), -1);
}

static void
one_owner_at_a_time_and_it_is_named(void **state)
{
	struct state_dir d, other, reader;
	char pid[24];

	(void)state;
	state_dir_choose(&d, path, &e);
	state_dir_choose(&other, path, &e);
	state_dir_choose(&reader, path, &e);
	assert_int_equal(state_dir_own(&d, &e), 0); /* folders are made */
	assert_int_equal(state_dir_own(&other, &e), -1);
	assert_int_equal(error_exit_status(e.code), 75);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	assert_non_null(strstr(e.text, pid));
	assert_int_equal(state_dir_open(&reader, &e), 0);
	assert_int_equal(state_dir_owner(&reader), getpid());
	state_dir_close(&d);
	assert_int_equal(state_dir_owner(&reader), 0);
	assert_int_equal(state_dir_own(&other, &e), 0);
	state_dir_close(&other);
	state_dir_close(&reader);
}

static void
a_dead_owner_owns_nothing(void **state)
{
	struct state_dir d;
	pid_t child;

	(void)state;
	state_dir_choose(&d, path, &e);
	child = fork();
	if (child == 0)
		_exit(state_dir_own(&d, &e) == 0 ? 0 : 1);
	waitpid(child, NULL, 0);
	assert_int_equal(state_dir_own(&d, &e), 0);
	state_dir_close(&d);
}

static void
no_folder_is_said(void **state)
{
	struct state_dir d;

	(void)state;
	state_dir_choose(&d, "/nonexistent/x", &e);
	assert_int_equal(state_dir_open(&d, &e), -1);
	assert_int_equal(e.code, ERROR_NOT_FOUND);
	state_dir_choose(&d, "/proc/skep/x", &e);
	assert_int_equal(state_dir_own(&d, &e), -1);
	assert_int_equal(error_exit_status(e.code), 73);
}

/* --- the control socket --- */

static struct state_dir owned;
static int answer;
static struct error asked_error;

static int
cancel(const char *id, void *owner)
{
	(void)owner;
	return strcmp(id, "0123456789abcdef") == 0;
}

static void *
ask(void *loop)
{
	struct state_dir d;

	(void)loop;
	state_dir_choose(&d, owned.path, &asked_error);
	state_dir_open(&d, &asked_error);
	answer = 10 * control_cancel(&d, "0123456789abcdef", &asked_error);
	answer += control_cancel(&d, "ffffffffffffffff", &asked_error);
	state_dir_close(&d);
	return NULL;
}

static void
enough(struct loop_timer *t)
{
	loop_break(t->loop);
}

static void
a_request_is_answered(void **state)
{
	struct loop *loop = loop_new(&e);
	struct loop_timer patience;
	struct control control;
	pthread_t thread;
	char longer[300];

	(void)state;
	/* A path that no socket address has room for. */
	snprintf(longer, sizeof longer, "%s/%0100d/%0100d", root, 1, 2);
	state_dir_choose(&owned, longer, &e);
	assert_int_equal(state_dir_own(&owned, &e), 0);
	assert_int_equal(
	    control_start(&control, loop, &owned, cancel, NULL, &e), 0);
	pthread_create(&thread, NULL, ask, NULL);
	loop_timer_init(&patience, loop, enough);
	loop_timer_start(&patience, 300);
	loop_run(loop);
	pthread_join(thread, NULL);
	assert_int_equal(answer, 10); /* yes, then no */
	control_stop(&control);
	assert_int_equal(control_cancel(&owned, "0123456789abcdef", &e), -1);
	assert_int_equal(e.code, ERROR_CLOSED);
	state_dir_close(&owned);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    cmocka_unit_test(the_default_is_where_xdg_says),
	    cmocka_unit_test(one_owner_at_a_time_and_it_is_named),
	    cmocka_unit_test(a_dead_owner_owns_nothing),
	    cmocka_unit_test(no_folder_is_said),
	    cmocka_unit_test(a_request_is_answered),
	};
	char command[160];
	int status;

	if (mkdtemp(root) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/a/b/c", root);
	status = cmocka_run_group_tests(cases, NULL, NULL);
	snprintf(command, sizeof command, "rm -r %s", root);
	return system(command) != 0 || status;
}
