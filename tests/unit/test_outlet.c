/* The outlet: nobody reads, somebody does, nobody ever will. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/outlet.h"

static struct loop *loop;
static struct outlet outlet;
static struct loop_timer patience;
static unsigned written, failures;
static struct error why;
static const char *last_tag;

static void
is_written(void *owner, void *tag)
{
	(void)owner;
	written++;
	last_tag = tag;
}

static void
has_failed(void *owner, const struct error *e)
{
	(void)owner;
	failures++;
	why = *e;
}

static const struct outlet_ops ops = {
    .written = is_written,
    .failed = has_failed,
};

static void
enough(struct loop_timer *t)
{
	loop_break(t->loop);
}

static void
turn_for(unsigned ms)
{
	loop_timer_init(&patience, loop, enough);
	loop_timer_start(&patience, ms);
	loop_run(loop);
}

static void
open_on(int fd)
{
	written = failures = 0;
	outlet_init(&outlet, loop, fd, "the pipe", &ops, NULL);
}

static void
put(const char *line, const char *tag)
{
	text_add_str(outlet_text(&outlet), line);
	outlet_put(&outlet, (void *)(uintptr_t)tag);
}

static void
lines_arrive_in_order(void **state)
{
	int fd[2];
	char got[64];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	open_on(fd[1]);
	put("one", "1");
	put("two", "2");
	assert_int_equal(written, 0); /* never before the call returns */
	turn_for(20);
	assert_int_equal(written, 2);
	assert_string_equal(last_tag, "2");
	n = read(fd[0], got, sizeof got);
	assert_int_equal(n, 8);
	assert_memory_equal(got, "one\ntwo\n", 8);
	assert_true(outlet_is_empty(&outlet));
	outlet_release(&outlet);
	close(fd[0]);
	close(fd[1]);
}

/* A blocking pipe that is full does not stop the loop, and is not lost. */
static void
nobody_reads_for_a_while(void **state)
{
	static char line[3000];
	char got[4096];
	size_t total = 0;
	int fd[2], lines = 0;

	(void)state;
	memset(line, 'x', sizeof line - 1);
	assert_int_equal(pipe(fd), 0);
	open_on(fd[1]);
	while (outlet_has_room(&outlet) && lines < 100) {
		put(line, "t");
		lines++;
	}
	assert_int_equal(lines, 100);
	turn_for(50);
	assert_true(written >= 10 && written < 100);
	for (int i = 0; i < 1000 && written < 100; i++) {
		total += (size_t)read(fd[0], got, sizeof got);
		turn_for(1);
	}
	assert_int_equal(written, 100);
	assert_true(total <= 100 * sizeof line);
	assert_int_equal(failures, 0);
	outlet_release(&outlet);
	close(fd[0]);
	close(fd[1]);
}

static void
it_is_full_before_it_is_big(void **state)
{
	static char line[100000];
	int fd[2], lines = 0;

	(void)state;
	memset(line, 'x', sizeof line - 1);
	assert_int_equal(pipe(fd), 0);
	open_on(fd[1]);
	for (; outlet_has_room(&outlet); lines++)
		put(line, "t");
	assert_true(lines < 20);
	outlet_release(&outlet);
	open_on(fd[1]);
	for (lines = 0; outlet_has_room(&outlet); lines++)
		put("", "t");
	assert_int_equal(lines, OUTLET_LINES_MAX);
	outlet_release(&outlet);
	close(fd[0]);
	close(fd[1]);
}

static void
nobody_will_ever_read(void **state)
{
	int fd[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fd), 0);
	close(fd[0]);
	open_on(fd[1]);
	put("one", "1");
	turn_for(20);
	assert_int_equal(failures, 1);
	assert_int_equal(written, 0);
	assert_int_equal(error_exit_status(why.code), 74);
	assert_non_null(strstr(why.text, "the pipe"));
	assert_false(outlet_has_room(&outlet));
	put("two", "2");
	turn_for(20);
	assert_int_equal(failures, 1); /* told once */
	outlet_release(&outlet);
	close(fd[1]);
}

static void
a_file_takes_it_all(void **state)
{
	char path[] = "/tmp/test_outlet-XXXXXX";
	int fd = mkstemp(path);
	static char line[200000];

	(void)state;
	memset(line, 'x', sizeof line - 1);
	open_on(fd);
	for (int i = 0; i < 5; i++)
		put(line, "t");
	put("quiet", NULL);
	turn_for(20);
	assert_int_equal(written, 5);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 5 * 200000 + 6);
	outlet_release(&outlet);
	close(fd);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest cases[] = {
	    cmocka_unit_test(lines_arrive_in_order),
	    cmocka_unit_test(nobody_reads_for_a_while),
	    cmocka_unit_test(it_is_full_before_it_is_big),
	    cmocka_unit_test(nobody_will_ever_read),
	    cmocka_unit_test(a_file_takes_it_all),
	};
	struct error e;
	int status;

	if (pool_start(GIB, &e) == -1 || (loop = loop_new(&e)) == NULL)
		return 1;
	status = cmocka_run_group_tests(cases, NULL, NULL);
	loop_free(loop);
	pool_stop();
	return status;
}
