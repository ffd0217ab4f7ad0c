#ifndef SKEP_ENGINE_TASK_SOURCE_H
#define SKEP_ENGINE_TASK_SOURCE_H

/*
 * Where a batch's tasks come from: a regular file, a FIFO, standard input.
 * It is streamed, never held whole, and reading it never blocks the loop.
 */

#include <stdint.h>

#include "config/task_reader.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"

struct task_source {
	int fd;
	int is_regular;
	const char *name; /* for messages */
	struct task_reader reader;
	char *block; /* what was read last; a pool block */
	struct loop_io io;
	int is_waiting; /* for bytes of a pipe */
	int at_end;
	uint64_t tasks;     /* lines with something on them; 0: not known */
	uint64_t bytes;     /* of a regular file */
	struct error error; /* reading failed */
	void (*readable)(struct task_source *src);
};

enum task_source_next {
	TASK_SOURCE_LINE,
	TASK_SOURCE_LONG, /* a line above the ceiling; nothing is kept */
	TASK_SOURCE_WAIT, /* readable() will be called */
	TASK_SOURCE_END,
	TASK_SOURCE_ERROR, /* src->error */
};

/* path "-": standard input.  -1 and *e: NO_INPUT.  Keeps path. */
int task_source_open(
    struct task_source *src, const char *path, struct error *e);

/*
 * Read a regular file through once: count its tasks and refuse a custom_id
 * that stands in it twice.  -1 and *e: SYNTAX (names both lines), IO.
 * Does nothing with anything else.
 */
int task_source_check(struct task_source *src, struct error *e);

/* From now on bytes may be waited for. */
void task_source_start(struct task_source *src, struct loop *l,
    void (*readable)(struct task_source *src));

/* *line is valid until the next call; its number is src->reader.number. */
enum task_source_next task_source_next(
    struct task_source *src, struct span *line);

void task_source_close(struct task_source *src);

#endif
