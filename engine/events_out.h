#ifndef SKEP_ENGINE_EVENTS_OUT_H
#define SKEP_ENGINE_EVENTS_OUT_H

/*
 * The event lines of `skep run --json`: one JSON object a line,
 *
 *	{"event":"run.started","run_id":"...","at":"...", ...}
 *
 * the last of which, run.finished, carries the whole result line.  Pure: each
 * function appends one line's object, without the newline.
 */

#include "engine/base/span.h"

struct errand;
struct text;
struct turn_call;

void event_run_started(const struct errand *er, struct text *out);
void event_turn_started(const struct errand *er, struct text *out);
void event_text_delta(
    const struct errand *er, struct span text, struct text *out);
/* What was told of this turn's text counts no longer. */
void event_text_restarted(const struct errand *er, struct text *out);
void event_tool_called(
    const struct errand *er, const struct turn_call *call, struct text *out);
void event_tool_output(
    const struct errand *er, const struct turn_call *call, struct text *out);
void event_turn_finished(const struct errand *er, struct text *out);
void event_agent_updated(const struct errand *er, struct text *out);
void event_agent_started(
    const struct errand *er, const struct errand *child, struct text *out);
void event_agent_finished(
    const struct errand *er, const struct errand *child, struct text *out);
void event_run_finished(const struct errand *er, struct text *out);

#endif
