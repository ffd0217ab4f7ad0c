#ifndef SKEP_ENGINE_OUTLET_H
#define SKEP_ENGINE_OUTLET_H

/*
 * The outlet is where result lines leave: a file, a pipe, a terminal.  It
 * never blocks the loop and never sets O_NONBLOCK on a descriptor that others
 * share: to anything but a regular file it writes at most what a pipe that
 * polls writable must take.  When nobody reads, it is simply full.
 *
 * A line is out when all its bytes were accepted by the kernel; only then is
 * written() told.  The first failure is told once, and then nothing more.
 */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/text.h"

#define OUTLET_LINES_MAX 256 /* queued at once */

struct outlet_ops {
	/* This line is out; outlet_has_room() may have become true. */
	void (*written)(void *owner, void *tag);
	/* Everything is; may be NULL. */
	void (*emptied)(void *owner);
	void (*failed)(void *owner, const struct error *e);
};

struct outlet {
	int fd; /* borrowed */
	int is_regular, is_tty;
	const char *name; /* for messages */
	struct loop_io io;
	struct text bytes; /* queued, from sent on */
	size_t sent;
	uint64_t total; /* bytes accepted by the kernel since the beginning */
	struct {
		uint64_t end; /* out when total reaches this */
		void *tag;
	} line[OUTLET_LINES_MAX]; /* a ring */
	unsigned first, lines;
	int is_broken;
	const struct outlet_ops *ops;
	void *owner;
};

/* Keeps name and ops; fd stays open until after outlet_release(). */
void outlet_init(struct outlet *o, struct loop *loop, int fd, const char *name,
    const struct outlet_ops *ops, void *owner);
void outlet_release(struct outlet *o);

/* True when another line may be put. */
int outlet_has_room(const struct outlet *o);

/* True when all that was put is out. */
int outlet_is_empty(const struct outlet *o);

/*
 * Where to append the next line; then outlet_put() ends it.  The newline is
 * the outlet's.  With tag NULL nobody is told when it is out, and there may be
 * any number of such lines; beyond 128 MiB the outlet fails.
 */
struct text *outlet_text(struct outlet *o);
void outlet_put(struct outlet *o, void *tag);

#endif
