#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/os.h"
#include "engine/base/trace.h"

static uint64_t clock_us;

static uint64_t
still(void)
{
	return clock_us;
}

static const char *
dump(const struct trace_ring *ring)
{
	static char out[16384];
	ssize_t n;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	trace_dump(ring, fd[1]);
	close(fd[1]);
	n = read(fd[0], out, sizeof out - 1);
	close(fd[0]);
	assert_true(n >= 0);
	out[n] = '\0';
	return out;
}

static void
a_ring_keeps_the_last_events_with_their_distance(void **state)
{
	struct trace_ring ring = {.name = "r-1", .turn = 3};
	const char *text, *line;
	struct os frozen = os_linux;
	int lines = 0;

	(void)state;
	frozen.now_us = still;
	os = &frozen;
	clock_us = 5000000;
	trace(&ring, EV_RUN_STATE, 1, 2);
	clock_us += 1500000;
	trace(&ring, EV_NOTE, -7, INT64_MIN);
	assert_string_equal(dump(&ring),
	    "r-1 3 5.000000 +0.000000 run_state 1 2\n"
	    "r-1 3 6.500000 +1.500000 note -7 -9223372036854775808\n");
	for (int i = 0; i < 100; i++)
		trace(&ring, EV_NOTE, i, 0);
	os = &os_linux;
	text = dump(&ring);
	for (line = text; (line = strchr(line, '\n')) != NULL; line++)
		lines++;
	assert_int_equal(lines, TRACE_RING);
	assert_non_null(strstr(text, "note 36 0\n"));
	assert_null(strstr(text, "note 35 0\n"));
	assert_non_null(strstr(text, "note 99 0\n"));
	assert_string_equal(trace_name(EV_LOOP_LAG), "loop_lag");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ring_keeps_the_last_events_with_their_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
