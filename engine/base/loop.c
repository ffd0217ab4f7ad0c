#include "engine/base/loop.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/os.h"

/*
 * Theory of operation
 *
 * One turn of libev is: prepare watchers, sleep, check watchers, then what
 * happened.  Our first check watcher notes when the turn began; our last
 * prepare watcher notes how long it took, the engine's own prepare work
 * included.  Deferred calls run in the check watcher; an idle watcher that is
 * active while there are any keeps the loop from sleeping.
 */

struct loop {
	struct ev_loop *ev;
	ev_check woke;
	ev_prepare sleeps;
	ev_idle deferring;
	struct loop_deferred waiting; /* heads of two circular lists */
	struct loop_deferred running;
	uint64_t now_us; /* when this turn began */
	uint64_t lag_us;
};

/* libev's macros look at one struct through another, as its manual warns. */
#pragma GCC diagnostic ignored "-Wstrict-aliasing"

static void
nothing(struct ev_loop *ev, ev_idle *w, int revents)
{
	(void)ev;
	(void)w;
	(void)revents;
}

static int
is_empty(const struct loop_deferred *head)
{
	return head->next == head;
}

static void
make_empty(struct loop_deferred *head)
{
	head->prev = head->next = head;
}

/* A call that is deferred while these run waits for the next turn. */
static void
run_deferred(struct loop *l)
{
	struct loop_deferred *first = l->waiting.next, *last = l->waiting.prev;

	CHECK(is_empty(&l->running));
	first->prev = last->next = &l->running;
	l->running.next = first;
	l->running.prev = last;
	make_empty(&l->waiting);
	ev_idle_stop(l->ev, &l->deferring);
	while (!is_empty(&l->running)) {
		struct loop_deferred *d = l->running.next;

		loop_undefer(d);
		d->run(d);
	}
}

static void
woke(struct ev_loop *ev, ev_check *w, int revents)
{
	struct loop *l = container_of(w, struct loop, woke);

	(void)ev;
	(void)revents;
	l->now_us = os->now_us();
	if (!is_empty(&l->waiting))
		run_deferred(l);
}

static void
sleeps(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop *l = container_of(w, struct loop, sleeps);
	uint64_t took_us = os->now_us() - l->now_us;

	(void)ev;
	(void)revents;
	if (took_us > l->lag_us)
		l->lag_us = took_us;
}

struct loop *
loop_new(struct error *e)
{
	struct loop *l = calloc(1, sizeof *l);

	if (l == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for the event loop");
		return NULL;
	}
	l->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (l->ev == NULL) {
		error_set(e, ERROR_SYSTEM, 0,
		    "libev finds no way to poll on this kernel");
		free(l);
		return NULL;
	}
	make_empty(&l->waiting);
	make_empty(&l->running);
	l->now_us = os->now_us();
	ev_check_init(&l->woke, woke);
	ev_set_priority(&l->woke, EV_MAXPRI);
	ev_prepare_init(&l->sleeps, sleeps);
	ev_set_priority(&l->sleeps, EV_MINPRI);
	ev_idle_init(&l->deferring, nothing);
	ev_check_start(l->ev, &l->woke);
	ev_unref(l->ev);
	ev_prepare_start(l->ev, &l->sleeps);
	ev_unref(l->ev);
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	CHECK(is_empty(&l->waiting));
	CHECK(is_empty(&l->running));
	ev_ref(l->ev);
	ev_prepare_stop(l->ev, &l->sleeps);
	ev_ref(l->ev);
	ev_check_stop(l->ev, &l->woke);
	ev_loop_destroy(l->ev);
	free(l);
}

void
loop_run(struct loop *l)
{
	l->now_us = os->now_us();
	ev_run(l->ev, 0);
}

void
loop_break(struct loop *l)
{
	ev_break(l->ev, EVBREAK_ALL);
}

uint64_t
loop_now_ms(const struct loop *l)
{
	return l->now_us / 1000;
}

uint64_t
loop_now_us(const struct loop *l)
{
	(void)l;
	return os->now_us();
}

uint64_t
loop_lag_us(struct loop *l)
{
	uint64_t lag_us = l->lag_us;

	l->lag_us = 0;
	return lag_us;
}

/* descriptors */

static void
io_ready(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop_io *io = container_of(w, struct loop_io, w);

	(void)ev;
	io->ready(io, revents & (LOOP_READ | LOOP_WRITE));
}

void
loop_io_init(struct loop_io *io, struct loop *l, int fd,
    void (*ready)(struct loop_io *io, int want))
{
	io->loop = l;
	io->ready = ready;
	ev_io_init(&io->w, io_ready, fd, 0);
}

void
loop_io_want(struct loop_io *io, int want)
{
	int is_active = ev_is_active(&io->w);

	if (is_active && (io->w.events & (EV_READ | EV_WRITE)) == want)
		return;
	if (is_active || ev_is_pending(&io->w))
		ev_io_stop(io->loop->ev, &io->w);
	if (want == LOOP_NOTHING)
		return;
	ev_io_set(&io->w, io->w.fd, want);
	ev_io_start(io->loop->ev, &io->w);
}

/* timers */

static void
timer_expired(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct loop_timer *t = container_of(w, struct loop_timer, w);

	(void)ev;
	(void)revents;
	t->expired(t);
}

void
loop_timer_init(
    struct loop_timer *t, struct loop *l, void (*expired)(struct loop_timer *t))
{
	t->loop = l;
	t->expired = expired;
	ev_timer_init(&t->w, timer_expired, 0., 0.);
}

/* libev counts from the beginning of the turn, which may be long ago. */
void
loop_timer_start(struct loop_timer *t, uint64_t after_ms)
{
	struct ev_loop *ev = t->loop->ev;
	double late = (double)(os->now_us() - t->loop->now_us) / 1e6;

	ev_timer_stop(ev, &t->w);
	ev_timer_set(&t->w, (double)after_ms / 1e3 + late, 0.);
	ev_timer_start(ev, &t->w);
}

void
loop_timer_stop(struct loop_timer *t)
{
	if (t->loop != NULL)
		ev_timer_stop(t->loop->ev, &t->w);
}

int
loop_timer_is_active(const struct loop_timer *t)
{
	return ev_is_active(&t->w);
}

uint64_t
loop_timer_left_ms(const struct loop_timer *t)
{
	ev_timer w = t->w;
	double left;

	if (!ev_is_active(&w))
		return 0;
	left = ev_timer_remaining(t->loop->ev, &w) * 1e3;
	return left <= 0. ? 0 : (uint64_t)(left + .999);
}

/* deferred calls */

void
loop_deferred_init(struct loop_deferred *d, struct loop *l,
    void (*run)(struct loop_deferred *d))
{
	*d = (struct loop_deferred){.loop = l, .run = run};
}

void
loop_defer(struct loop_deferred *d)
{
	struct loop *l = d->loop;

	if (d->next != NULL)
		return;
	if (is_empty(&l->waiting))
		ev_idle_start(l->ev, &l->deferring);
	d->prev = l->waiting.prev;
	d->next = &l->waiting;
	d->prev->next = d;
	l->waiting.prev = d;
}

void
loop_undefer(struct loop_deferred *d)
{
	if (d->next == NULL)
		return;
	d->prev->next = d->next;
	d->next->prev = d->prev;
	d->prev = d->next = NULL;
	if (is_empty(&d->loop->waiting))
		ev_idle_stop(d->loop->ev, &d->loop->deferring);
}

/* the turn */

static void
turn_comes(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop_turn *t = container_of(w, struct loop_turn, w);

	(void)ev;
	(void)revents;
	t->turn(t);
}

void
loop_turn_start(
    struct loop_turn *t, struct loop *l, void (*turn)(struct loop_turn *t))
{
	t->loop = l;
	t->turn = turn;
	ev_prepare_init(&t->w, turn_comes);
	ev_idle_init(&t->awake, nothing);
	ev_prepare_start(l->ev, &t->w);
}

void
loop_turn_stop(struct loop_turn *t)
{
	if (t->loop == NULL)
		return;
	ev_idle_stop(t->loop->ev, &t->awake);
	ev_prepare_stop(t->loop->ev, &t->w);
}

void
loop_turn_again(struct loop_turn *t, int again)
{
	if (again)
		ev_idle_start(t->loop->ev, &t->awake);
	else
		ev_idle_stop(t->loop->ev, &t->awake);
}

/* signals */

static void
signal_came(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct loop_signal *s = container_of(w, struct loop_signal, w);

	(void)ev;
	(void)revents;
	s->came(s, w->signum);
}

void
loop_signal_start(struct loop_signal *s, struct loop *l, int signo,
    void (*came)(struct loop_signal *s, int signo))
{
	s->loop = l;
	s->came = came;
	ev_signal_init(&s->w, signal_came, signo);
	ev_signal_start(l->ev, &s->w);
}

void
loop_signal_stop(struct loop_signal *s)
{
	if (s->loop != NULL)
		ev_signal_stop(s->loop->ev, &s->w);
}

void
loop_library_version(char *out, size_t size)
{
	snprintf(out, size, "%d.%d", ev_version_major(), ev_version_minor());
}
