#ifndef SKEP_BASE_LOOP_H
#define SKEP_BASE_LOOP_H

/*
 * The event loop: libev behind five small nouns, each embedded in the object
 * that owns it (recover that with container_of).  This header is the only
 * file that includes <ev.h>.
 *
 * Every stop and cancel may be called on a watcher that is not started, a
 * zeroed one included, and promises that its callback will not run.  Callbacks may stop, restart or
 * free any watcher, their own included.
 */

#include <ev.h>
#include <stdint.h>

struct error;
struct loop;

/* NULL and *e when libev finds no way to poll. */
struct loop *loop_new(struct error *e);
void loop_free(struct loop *l); /* every watcher must be stopped */

/* Run until loop_break(), or until nothing is left that could happen. */
void loop_run(struct loop *l);
void loop_break(struct loop *l);

/* Monotonic: _ms as the turn began, _us re-read now. */
uint64_t loop_now_ms(const struct loop *l);
uint64_t loop_now_us(const struct loop *l);

/* A descriptor that becomes readable or writable. */
enum loop_want { LOOP_NOTHING = 0, LOOP_READ = EV_READ, LOOP_WRITE = EV_WRITE };

struct loop_io {
	ev_io w;
	struct loop *loop;
	void (*ready)(struct loop_io *io, int want);
};
void loop_io_init(struct loop_io *io, struct loop *l, int fd,
    void (*ready)(struct loop_io *io, int want));
/* Wait for exactly this; LOOP_NOTHING stops.  Before close(fd): nothing. */
void loop_io_want(struct loop_io *io, int want);

/* A deadline; one shot. */
struct loop_timer {
	ev_timer w;
	struct loop *loop;
	void (*expired)(struct loop_timer *t);
};
void loop_timer_init(struct loop_timer *t, struct loop *l,
    void (*expired)(struct loop_timer *t));
void loop_timer_start(struct loop_timer *t, uint64_t after_ms); /* restarts */
void loop_timer_stop(struct loop_timer *t);
int loop_timer_is_active(const struct loop_timer *t);
uint64_t loop_timer_left_ms(const struct loop_timer *t);

/*
 * Run once, soon, from the loop: for results that are known before start
 * returned.  Deferring twice runs once.
 */
struct loop_deferred {
	struct loop *loop;
	void (*run)(struct loop_deferred *d);
	struct loop_deferred *prev, *next; /* NULL while not deferred */
};
void loop_deferred_init(struct loop_deferred *d, struct loop *l,
    void (*run)(struct loop_deferred *d));
void loop_defer(struct loop_deferred *d);
void loop_undefer(struct loop_deferred *d);

/* Called once a turn, just before the loop sleeps. */
struct loop_turn {
	ev_prepare w;
	ev_idle awake; /* active while the loop must not sleep */
	struct loop *loop;
	void (*turn)(struct loop_turn *t);
};
void loop_turn_start(
    struct loop_turn *t, struct loop *l, void (*turn)(struct loop_turn *t));
void loop_turn_stop(struct loop_turn *t);
/* 1: come back at once instead of sleeping; 0: sleep as usual. */
void loop_turn_again(struct loop_turn *t, int again);

/* A signal, delivered on the loop. */
struct loop_signal {
	ev_signal w;
	struct loop *loop;
	void (*came)(struct loop_signal *s, int signo);
};
void loop_signal_start(struct loop_signal *s, struct loop *l, int signo,
    void (*came)(struct loop_signal *s, int signo));
void loop_signal_stop(struct loop_signal *s);

/* The longest turn since the last call, in microseconds: the loop's lag. */
uint64_t loop_lag_us(struct loop *l);

/* The version of libev, for --version. */
void loop_library_version(char *out, size_t size);

#endif
