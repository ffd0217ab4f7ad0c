#ifndef SKEP_CONFIG_TASK_READER_H
#define SKEP_CONFIG_TASK_READER_H

/*
 * Cuts a task file into lines, however it arrives: a regular file, a pipe
 * that is still growing, standard input.  Feed it bytes; it never holds more
 * than one line, and of a line that is too long nothing.
 *
 * A byte order mark at the start, CR before LF and blank lines are skipped; a
 * last line without LF is a line.
 */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/span.h"
#include "engine/base/text.h"

struct task_reader {
	struct text line; /* what is held of a line that was fed in pieces */
	uint64_t number;  /* of the line last given, from 1 */
	uint64_t offset;  /* of its first byte in the file */
	uint64_t fed;     /* bytes fed so far */
	uint64_t skipped; /* bytes of the present line that were dropped */
	struct span rest; /* of the bytes fed last */
	int given;        /* line was given out: clear it first */
	int at_end;
};

enum task_line {
	TASK_MORE, /* feed more bytes */
	TASK_LINE, /* a line */
	TASK_LONG, /* a line above LIMIT_TASK_LINE; nothing of it is kept */
	TASK_END,  /* after task_reader_end(): there are no more */
};

void task_reader_init(struct task_reader *r);
void task_reader_release(struct task_reader *r);

/*
 * Hand over the next bytes, which are borrowed until task_reader_next() says
 * TASK_MORE; only then may more be fed.
 */
void task_reader_feed(struct task_reader *r, struct span bytes);

/* There will be no more bytes. */
void task_reader_end(struct task_reader *r);

/*
 * The next line in *line, valid until the next call; its number is r->number
 * and its offset r->offset.
 */
enum task_line task_reader_next(struct task_reader *r, struct span *line);

#endif
