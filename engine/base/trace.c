#include "engine/base/trace.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"

static const struct {
	const char *name;
	int level;
} events[] = {
#define EVENT(NAME, name, level, doc) [EV_##NAME] = {#name, level},
#include "engine/base/events.def"
};

static int shown_level;

void
trace_level(int level)
{
	shown_level = level;
}

const char *
trace_name(enum trace_event ev)
{
	CHECK((unsigned)ev < TRACE_NEVENTS);
	return events[ev].name;
}

/* A line made without stdio, which may not be used in a signal handler. */
struct line {
	char p[160];
	size_t n;
};

static void
put(struct line *line, const char *s)
{
	while (*s != '\0' && line->n < sizeof line->p - 1)
		line->p[line->n++] = *s++;
}

/* With at least width digits. */
static void
put_number(struct line *line, int64_t value, int width)
{
	char digits[24], *at = digits + sizeof digits;
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

	*--at = '\0';
	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
		width--;
	} while (left > 0 || width > 0);
	if (value < 0)
		*--at = '-';
	put(line, at);
}

/* "r-12 3 120.004500 +0.000300 run_state 2 3" */
static void
show(const char *name, const struct trace_entry *e, uint64_t before_us, int fd)
{
	uint64_t since_us = before_us == 0 ? 0 : e->at_us - before_us;
	struct line line = {.n = 0};
	ssize_t ignored;

	put(&line, name);
	put(&line, " ");
	put_number(&line, e->turn, 1);
	put(&line, " ");
	put_number(&line, (int64_t)(e->at_us / 1000000), 1);
	put(&line, ".");
	put_number(&line, (int64_t)(e->at_us % 1000000), 6);
	put(&line, " +");
	put_number(&line, (int64_t)(since_us / 1000000), 1);
	put(&line, ".");
	put_number(&line, (int64_t)(since_us % 1000000), 6);
	put(&line, " ");
	put(&line, e->event < TRACE_NEVENTS ? events[e->event].name : "?");
	put(&line, " ");
	put_number(&line, e->a, 1);
	put(&line, " ");
	put_number(&line, e->b, 1);
	line.p[line.n++] = '\n';
	ignored = write(fd, line.p, line.n);
	(void)ignored; /* a trace may be lost */
}

static const struct trace_entry *
entry_at(const struct trace_ring *ring, unsigned i)
{
	return &ring->entry[i % TRACE_RING];
}

void
trace(struct trace_ring *ring, enum trace_event ev, int32_t a, int64_t b)
{
	struct trace_entry e = {.at_us = os->now_us(), .a = a, .b = b};
	uint64_t before_us = 0;

	CHECK((unsigned)ev < TRACE_NEVENTS);
	e.event = (uint16_t)ev;
	if (ring != NULL) {
		e.turn = ring->turn;
		if (ring->written > 0)
			before_us = entry_at(ring, ring->written - 1)->at_us;
		ring->entry[ring->written++ % TRACE_RING] = e;
	}
	if (events[ev].level <= shown_level)
		show(ring == NULL ? "skep" : ring->name, &e, before_us,
		    STDERR_FILENO);
}

void
trace_dump(const struct trace_ring *ring, int fd)
{
	unsigned first = 0;
	uint64_t before_us = 0;

	if (ring->written > TRACE_RING)
		first = ring->written - TRACE_RING;
	for (unsigned i = first; i < ring->written; i++) {
		show(ring->name, entry_at(ring, i), before_us, fd);
		before_us = entry_at(ring, i)->at_us;
	}
}
