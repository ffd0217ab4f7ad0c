#include "engine/outlet.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/os.h"
#include "engine/base/pool.h"
#include "engine/terminal.h"

/* No further line is put while this much is queued. */
#define QUEUE_FULL ((size_t)1 << 20)

/* What a pipe that polls writable takes without blocking. */
#define CAREFUL_BYTES PIPE_BUF

static void
fail(struct outlet *o, int why)
{
	struct error e;

	loop_io_want(&o->io, LOOP_NOTHING);
	o->is_broken = 1;
	error_set(&e, ERROR_IO, why, "cannot write results to %s", o->name);
	o->ops->failed(o->owner, &e);
}

/* Tell of the lines that are out now. */
static void
settle(struct outlet *o)
{
	while (o->lines > 0 && o->line[o->first].end <= o->total) {
		void *tag = o->line[o->first].tag;

		o->first = (o->first + 1) % OUTLET_LINES_MAX;
		o->lines--;
		o->ops->written(o->owner, tag);
	}
}

/* Write from the front of s; how many of its bytes are out, or -1. */
static ssize_t
write_some(const struct outlet *o, struct span s)
{
	char escape[TERMINAL_ESCAPE];
	size_t n = s.n;

	if (!o->is_regular && n > CAREFUL_BYTES)
		n = CAREFUL_BYTES;
	if (o->is_tty) {
		size_t plain = terminal_json(s, escape, &n);

		if (plain == 0)
			return os->write(o->fd, escape, strlen(escape)) == -1
				   ? -1
				   : (ssize_t)n;
		n = plain < CAREFUL_BYTES ? plain : CAREFUL_BYTES;
	}
	return os->write(o->fd, s.p, n);
}

static void
ready(struct loop_io *io, int want)
{
	struct outlet *o = container_of(io, struct outlet, io);
	ssize_t went;

	(void)want;
	went = write_some(
	    o, span_slice(text_span(&o->bytes), o->sent, o->bytes.n));
	if (went == -1) {
		if (errno != EAGAIN && errno != EINTR)
			fail(o, errno);
		return;
	}
	o->sent += (size_t)went;
	o->total += (uint64_t)went;
	if (o->sent == o->bytes.n) {
		text_clear(&o->bytes);
		o->sent = 0;
		loop_io_want(&o->io, LOOP_NOTHING);
	}
	settle(o);
	if (outlet_is_empty(o) && o->ops->emptied != NULL)
		o->ops->emptied(o->owner);
}

void
outlet_init(struct outlet *o, struct loop *loop, int fd, const char *name,
    const struct outlet_ops *ops, void *owner)
{
	struct stat st;

	*o = (struct outlet){
	    .fd = fd,
	    .name = name,
	    .is_tty = isatty(fd),
	    .is_regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode),
	    .ops = ops,
	    .owner = owner,
	};
	text_init(&o->bytes, POOL_BLOCK_MAX - 1);
	loop_io_init(&o->io, loop, fd, ready);
}

void
outlet_release(struct outlet *o)
{
	loop_io_want(&o->io, LOOP_NOTHING);
	text_release(&o->bytes);
}

int
outlet_has_room(const struct outlet *o)
{
	return !o->is_broken && o->lines < OUTLET_LINES_MAX &&
	       o->bytes.n - o->sent < QUEUE_FULL;
}

int
outlet_is_empty(const struct outlet *o)
{
	return o->bytes.n == o->sent;
}

struct text *
outlet_text(struct outlet *o)
{
	/* Do not let what is out already pile up before what is not. */
	if (o->sent >= QUEUE_FULL) {
		text_drop(&o->bytes, o->sent);
		o->sent = 0;
	}
	return &o->bytes;
}

void
outlet_put(struct outlet *o, void *tag)
{
	unsigned at = (o->first + o->lines) % OUTLET_LINES_MAX;

	text_add_char(&o->bytes, '\n');
	if (o->is_broken)
		return;
	if (text_overflowed(&o->bytes)) {
		fail(o, ENOBUFS);
		return;
	}
	if (tag != NULL) {
		CHECK(o->lines < OUTLET_LINES_MAX);
		o->line[at].end = o->total + (o->bytes.n - o->sent);
		o->line[at].tag = tag;
		o->lines++;
	}
	loop_io_want(&o->io, LOOP_WRITE);
}
