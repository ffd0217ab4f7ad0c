#ifndef SKEP_ENGINE_COMPACTION_H
#define SKEP_ENGINE_COMPACTION_H

/*
 * Compaction: what is sent of a transcript that has outgrown its model.
 *
 * Theory of operation
 *
 * A transcript has a head (what the task brought), turns, and the turn that
 * was last.  When the next request would pass the agent's threshold, or when
 * the model's server says that a request does not fit, the turns between the
 * head and the last few are told to the model once more, as one text, by a
 * call of its own: no tools, its own instructions (tools/compaction.txt), a
 * bounded answer.  That summary then stands in their place.  Whole turns are
 * summarised or kept, so a call is never parted from its result.
 *
 * The summary is told to the model as the user's words, marked for what it
 * is; the store keeps every item, and the summary as one more, of the type
 * "compaction".  A server that compacts by itself sends such an item: then
 * everything before it is no longer sent, and nothing is done here.
 *
 * This module is pure: when, what, and the text of it.  errand_compact.c does
 * it.
 *
 * Tokens are guessed where no server has counted them: a token is four bytes.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"

struct text;
struct transcript;

/* Items [head, cut) of a transcript become one. */
struct compaction_cut {
	size_t head, cut;
};

/* The most of one item, and of all, that a summary is made from. */
#define COMPACTION_ITEM_TOKENS 1000

/*
 * Where to cut, keeping at most keep_tokens of the last turns, and the head
 * if it has at most head_tokens.  0 when there is nothing that a summary could
 * stand for.
 */
int compaction_plan(const struct transcript *t, uint64_t head_tokens,
    uint64_t keep_tokens, struct compaction_cut *cut);

/* The items of a cut as text, at most tokens_max tokens of it. */
void compaction_tell(const struct transcript *t,
    const struct compaction_cut *cut, uint64_t tokens_max, struct text *out);

/* A guess at what the items from..n of a transcript cost. */
uint64_t compaction_tokens(const struct transcript *t, size_t from);

/* What is sent, and what the store keeps, for a summary; one item each. */
void compaction_write_message(struct span summary, struct text *out);
void compaction_write_item(
    struct span summary, const struct compaction_cut *cut, struct text *out);

#endif
