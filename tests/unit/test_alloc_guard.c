#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/alloc_guard.h"
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "engine/base/pool.h"
#include "engine/base/slab.h"
#include "engine/base/text.h"

static void
an_allocation_is_noticed(void **state)
{
	void *volatile p;
	char *line;

	(void)state;
	if (alloc_guard_count() == -1)
		skip();
	alloc_guard_arm();
	p = malloc(10);
	free(p);
	p = calloc(1, 10);
	p = realloc(p, 20);
	free(p);
	assert_int_equal(asprintf(&line, "%d", 1), 1);
	free(line);
	assert_int_equal(alloc_guard_count(), 4);
	alloc_guard_disarm();
	p = malloc(10);
	free(p);
	assert_int_equal(alloc_guard_count(), 4);
}

static void
never(struct loop_timer *t)
{
	(void)t;
}

static void
ends(struct loop_deferred *d)
{
	loop_break(d->loop);
}

static void
the_floor_allocates_nothing_after_start_up(void **state)
{
	static char bytes[10000];
	struct loop_deferred deferred;
	struct loop_timer timer;
	struct error e;
	struct arena arena;
	struct slab slab;
	struct text text;
	struct buf buf;
	struct loop *loop;

	(void)state;
	assert_int_equal(slab_init(&slab, "s", 100, 10, &e), 0);
	loop = loop_new(&e);
	assert_non_null(loop);
	pool_give(pool_take(1, NULL));
	alloc_guard_arm();
	arena_init(&arena, 1 * MIB);
	text_init(&text, 1 * MIB);
	buf_init(&buf, 1 * MIB);
	for (int i = 0; i < 100; i++) {
		arena_printf(&arena, "%d", i);
		text_printf(&text, "%*d", 500, i);
		buf_write(&buf, (struct span){bytes, sizeof bytes});
	}
	slab_give(&slab, slab_take(&slab));
	loop_timer_init(&timer, loop, never);
	loop_timer_start(&timer, 1000);
	loop_deferred_init(&deferred, loop, ends);
	loop_defer(&deferred);
	loop_run(loop);
	loop_timer_stop(&timer);
	error_set(&e, ERROR_IO, 5, "x");
	arena_release(&arena);
	text_release(&text);
	buf_release(&buf);
	if (alloc_guard_count() != -1)
		assert_int_equal(alloc_guard_count(), 0);
	alloc_guard_disarm();
	loop_free(loop);
	slab_release(&slab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_allocation_is_noticed),
	    cmocka_unit_test(the_floor_allocates_nothing_after_start_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
