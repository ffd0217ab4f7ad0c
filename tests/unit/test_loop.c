#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/os.h"

static struct loop *loop;
static struct {
	int ran, turns, order, signo;
	struct loop_deferred a, b, c;
	struct loop_timer timer, other;
	struct loop_turn turn;
	struct loop_signal signal;
	struct loop_io io;
} t;

static int
fresh(void **state)
{
	struct error e;

	(void)state;
	loop_free(loop);
	loop = loop_new(&e);
	t.ran = t.turns = t.order = t.signo = 0;
	return loop == NULL ? -1 : 0;
}

static int
done(void **state)
{
	(void)state;
	loop_free(loop);
	loop = NULL;
	return 0;
}

static void
a_runs(struct loop_deferred *d)
{
	t.order = t.order * 10 + 1;
	t.ran++;
	loop_defer(d); /* again, in the next turn */
	loop_undefer(&t.b);
	if (t.ran == 3) {
		loop_undefer(d);
		loop_break(loop);
	}
}

static void
must_not_run(struct loop_deferred *d)
{
	(void)d;
	fail();
}

static void
c_runs(struct loop_deferred *d)
{
	(void)d;
	t.order = t.order * 10 + 3;
}

static void
deferred_calls_run_in_order_once_and_can_be_taken_back(void **state)
{
	(void)state;
	loop_deferred_init(&t.a, loop, a_runs);
	loop_deferred_init(&t.b, loop, must_not_run);
	loop_deferred_init(&t.c, loop, c_runs);
	loop_undefer(&t.c);
	loop_defer(&t.a);
	loop_defer(&t.b);
	loop_defer(&t.c);
	loop_defer(&t.c);
	assert_int_equal(t.order, 0);
	loop_run(loop);
	assert_int_equal(t.order, 1311);
}

static void
breaks(struct loop_timer *timer)
{
	(void)timer;
	t.ran++;
	loop_break(loop);
}

static void
must_not_expire(struct loop_timer *timer)
{
	(void)timer;
	fail();
}

static void
a_timer_is_never_early_even_in_a_long_turn(void **state)
{
	uint64_t began;

	(void)state;
	loop_timer_init(&t.timer, loop, breaks);
	loop_timer_init(&t.other, loop, must_not_expire);
	loop_timer_stop(&t.other);
	loop_timer_start(&t.other, 1);
	assert_true(loop_timer_is_active(&t.other));
	loop_timer_stop(&t.other);
	assert_false(loop_timer_is_active(&t.other));
	assert_int_equal(loop_timer_left_ms(&t.other), 0);
	for (began = os->now_us(); os->now_us() < began + 30000;)
		;
	began = os->now_us();
	loop_timer_start(&t.timer, 20);
	assert_true(loop_timer_left_ms(&t.timer) >= 20);
	loop_run(loop);
	assert_true(os->now_us() - began >= 19000);
	assert_int_equal(t.ran, 1);
	assert_false(loop_timer_is_active(&t.timer));
}

static void
three_turns(struct loop_turn *turn)
{
	t.turns++;
	loop_turn_again(turn, t.turns < 3);
	if (t.turns == 3)
		loop_break(loop);
}

static void
a_turn_can_ask_not_to_sleep(void **state)
{
	(void)state;
	loop_turn_start(&t.turn, loop, three_turns);
	loop_run(loop);
	assert_int_equal(t.turns, 3);
	loop_turn_stop(&t.turn);
}

static void
came(struct loop_signal *s, int signo)
{
	t.signo = signo;
	loop_signal_stop(s);
	loop_break(loop);
}

static void
signals_arrive_on_the_loop(void **state)
{
	(void)state;
	loop_signal_start(&t.signal, loop, SIGUSR1, came);
	raise(SIGUSR1);
	assert_int_equal(t.signo, 0);
	loop_run(loop);
	assert_int_equal(t.signo, SIGUSR1);
}

static void
ready(struct loop_io *io, int want)
{
	t.ran++;
	t.order = want;
	loop_io_want(io, LOOP_NOTHING);
	loop_break(loop);
}

static void
descriptors_are_watched_for_what_is_wanted(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	loop_io_init(&t.io, loop, fd[1], ready);
	loop_io_want(&t.io, LOOP_NOTHING);
	loop_io_want(&t.io, LOOP_READ);
	loop_io_want(&t.io, LOOP_WRITE);
	loop_run(loop);
	assert_int_equal(t.order, LOOP_WRITE);
	loop_io_init(&t.io, loop, fd[0], ready);
	loop_io_want(&t.io, LOOP_READ);
	close(fd[1]);
	loop_run(loop);
	assert_int_equal(t.order, LOOP_READ);
	assert_int_equal(t.ran, 2);
	close(fd[0]);
}

static void
burns(struct loop_deferred *d)
{
	uint64_t began = os->now_us();

	(void)d;
	while (os->now_us() < began + 15000)
		;
	loop_defer(&t.b);
}

static void
ends(struct loop_deferred *d)
{
	(void)d;
	loop_break(loop);
}

static void
the_longest_turn_is_known(void **state)
{
	(void)state;
	loop_deferred_init(&t.a, loop, burns);
	loop_deferred_init(&t.b, loop, ends);
	loop_defer(&t.a);
	loop_run(loop);
	assert_true(loop_lag_us(loop) >= 15000);
	assert_int_equal(loop_lag_us(loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		deferred_calls_run_in_order_once_and_can_be_taken_back, fresh,
		done),
	    cmocka_unit_test_setup_teardown(
		a_timer_is_never_early_even_in_a_long_turn, fresh, done),
	    cmocka_unit_test_setup_teardown(
		a_turn_can_ask_not_to_sleep, fresh, done),
	    cmocka_unit_test_setup_teardown(
		signals_arrive_on_the_loop, fresh, done),
	    cmocka_unit_test_setup_teardown(
		descriptors_are_watched_for_what_is_wanted, fresh, done),
	    cmocka_unit_test_setup_teardown(
		the_longest_turn_is_known, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
