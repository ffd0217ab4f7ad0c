#ifndef SKEP_TOOLS_TRUNCATE_H
#define SKEP_TOOLS_TRUNCATE_H

/*
 * Long output is cut in the middle, to a number of tokens of four bytes each.
 * The algorithm and every byte of its result are those that models know.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

struct text;

#define TRUNCATE_TOKEN_BYTES 4

/*
 * What is to be cut: valid UTF-8, of which gap_bytes were not kept at
 * text.p + gap_at (a boundary of characters).
 */
struct truncate_source {
	struct span text;
	size_t gap_at;
	uint64_t gap_bytes; /* 0: text is whole */
	uint64_t lines;     /* of everything; see truncate_lines() */
};

/* Lines in a whole text: what follows the last newline is one if not empty. */
uint64_t truncate_lines(struct span text);

uint64_t truncate_tokens(uint64_t bytes);

/*
 * Append the source within tokens_max tokens to out.  1 when it had to be
 * cut; then *tokens is how many it had.
 */
int truncate_add(struct text *out, const struct truncate_source *source,
    uint64_t tokens_max, uint64_t *tokens);

#endif
