#ifndef SKEP_TOOLS_OUTPUT_H
#define SKEP_TOOLS_OUTPUT_H

/*
 * What a command wrote and the model was not told yet.
 *
 * Theory of operation
 *
 * Head and tail are kept, OUTPUT_HEAD bytes and a ring of OUTPUT_RING.  Once
 * more came than a model is shown, everything goes to a file in the workspace
 * as well (FILE_OF), in slices, by the sandbox's put verb.  The file is
 * written from the ring: a byte is not overwritten before it was written, so
 * a slow disk stops the command, never loses output.  When the file cannot be
 * written, or is as long as OUTPUT_FILE_MAX, only head and tail remain.
 *
 * A chunk is what is told at a time: output_settle() stops taking bytes and
 * writes the file's rest, output_tell() gives the model its text, and
 * output_next() begins the next chunk.  A character that is split between two
 * chunks goes to the second.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/span.h"

struct file_op;
struct sandbox;
struct text;

#define OUTPUT_HEAD (LIMIT_OUTPUT_KEPT / 2)
#define OUTPUT_RING (LIMIT_OUTPUT_KEPT / 2)
#define OUTPUT_FILE_MAX (256 * MIB)
#define OUTPUT_TOKENS 10000 /* shown when nobody asked for another number */
#define OUTPUT_TOKENS_MAX (LIMIT_OUTPUT_KEPT / 4)
#define OUTPUT_PUTS 4 /* slices on their way */

enum output_file { OUTPUT_NO_FILE, OUTPUT_FILE, OUTPUT_FILE_FAILED };

struct output {
	struct sandbox *sandbox;
	char id[8];      /* of the chunk; names its file */
	char suffix[12]; /* of the file: "", ".stdout" */
	char *kept;      /* a pool block */
	size_t size;
	uint64_t bytes, newlines; /* of the chunk */
	int frozen;               /* settling: nothing is taken */
	int full;                 /* a byte was refused */

	enum output_file file;
	uint64_t written; /* bytes handed to puts */
	struct file_op *put[OUTPUT_PUTS];
	struct error file_error;

	/* There is room again; everything asked for is on disk. */
	void (*room)(struct output *o);
	void (*settled)(struct output *o);
	void *owner;
};

/* suffix is at most 11 bytes.  room and settled may be NULL. */
void output_init(struct output *o, struct sandbox *sandbox, const char *suffix,
    void (*room)(struct output *o), void (*settled)(struct output *o),
    void *owner);

/* Give everything up; no callback any more. */
void output_release(struct output *o);

/* How many bytes were taken; less than s.n: wait for room(). */
size_t output_add(struct output *o, struct span s);

/*
 * Take nothing more, and see that the file is whole if a text of tokens_max
 * tokens would be cut.  1: it is; 0: settled() comes later, not before this
 * returns.
 */
int output_settle(struct output *o, uint64_t tokens_max, int is_last);

/*
 * Append the chunk as valid UTF-8 in at most tokens_max tokens; 1 when it had
 * to be cut, then *tokens is how many it had.  is_last: no more will come, so
 * half a character at the end is shown as U+FFFD.
 */
int output_tell(struct output *o, uint64_t tokens_max, int is_last,
    struct text *out, uint64_t *tokens);

/* "`.skep/outputs/ID` (N bytes)" or why there is none; for a chunk cut. */
void output_tell_file(const struct output *o, struct text *out);

/* Nobody was told after all: take again, after output_settle(). */
void output_thaw(struct output *o);

/* Forget what was told; take again. */
void output_next(struct output *o);

#endif
