#ifndef SKEP_ENGINE_HANDOFF_H
#define SKEP_ENGINE_HANDOFF_H

/*
 * A handoff: another agent takes a run over, with its own instructions,
 * tools and model, in the same conversation, sandbox and budget.
 *
 * The model asks for it by a tool call; the first one in a turn counts.  When
 * all calls of the turn have their answers, the run changes its role, and
 * the next turn is the new agent's.  What that is shown of the conversation
 * so far may be filtered, or told in one message; the transcript in the store
 * stays what it was.  Reasoning is not shown to another model than its own.
 */

#include "engine/base/span.h"

struct errand;
struct error;
struct text;

/* The tools' port (tools/subagents.h); owner is the errand. */
void handoff_ask(void *owner, const char *name, struct text *answer);

/* The turn is over: change the role if that was asked.  -1 and *e. */
int handoff_carry_out(struct errand *er, struct error *e);

/*
 * Before the next model call, when the store knows all items: show what the
 * handoff says of them.  -1 and *e.
 */
int handoff_show(struct errand *er, struct error *e);

/*
 * Append one message that tells the n items to who was not there; role is
 * who says it.  One such message among them is taken apart.  Pure.
 */
void handoff_nest(
    struct text *out, const char *role, const struct span *items, size_t n);

#endif
