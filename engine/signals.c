#include "engine/signals.h"

#include <signal.h>

#include "engine/base/check.h"

static void
count(struct signals *s, int signo)
{
	s->signo = signo;
	if (s->came++ == 0 && signo != SIGHUP)
		s->drain(s->owner);
	else
		s->stop(s->owner);
}

static void
interrupted(struct loop_signal *w, int signo)
{
	count(container_of(w, struct signals, interrupt), signo);
}

static void
terminated(struct loop_signal *w, int signo)
{
	count(container_of(w, struct signals, terminate), signo);
}

static void
hung_up(struct loop_signal *w, int signo)
{
	count(container_of(w, struct signals, hang_up), signo);
}

void
signals_start(struct signals *s, struct loop *l, void (*drain)(void *owner),
    void (*stop)(void *owner), void *owner)
{
	s->came = s->signo = 0;
	s->drain = drain;
	s->stop = stop;
	s->owner = owner;
	loop_signal_start(&s->interrupt, l, SIGINT, interrupted);
	loop_signal_start(&s->terminate, l, SIGTERM, terminated);
	loop_signal_start(&s->hang_up, l, SIGHUP, hung_up);
}

void
signals_stop(struct signals *s)
{
	loop_signal_stop(&s->interrupt);
	loop_signal_stop(&s->terminate);
	loop_signal_stop(&s->hang_up);
}
