#ifndef SKEP_ENGINE_ANSWER_H
#define SKEP_ENGINE_ANSWER_H

/* The final answer of an agent that promised a form for it. */

#include "engine/base/span.h"

struct error;

/*
 * answer is one JSON document that fits schema (of an agent, so it has been
 * checked); without a schema anything does.  0, or -1 and *e
 * (MODEL_PROTOCOL; INTERNAL when memory is short).
 */
int answer_check(struct span schema, struct span answer, struct error *e);

#endif
