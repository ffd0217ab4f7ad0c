#ifndef SKEP_TOOLS_POLL_H
#define SKEP_TOOLS_POLL_H

/*
 * A call's watch over a process: until it ends or the yield time passes;
 * then the call is answered with what came.
 */

#include <stdint.h>

#include "engine/base/loop.h"

struct json_doc;
struct process;
struct text;
struct tool_call;

#define POLL_YIELD_MIN_MS 250
#define POLL_YIELD_MAX_MS 30000

struct poll {
	struct tool_call *call;
	struct process *process;
	struct loop_timer timer;
	uint64_t tokens_max;
	int settling, is_last;
};

/* Begin; call->state is p from now on.  Reads max_output_tokens from args. */
void poll_start(struct poll *p, struct tool_call *call, struct process *process,
    uint64_t yield_ms, const struct json_doc *args);

/* Give up.  The process goes too unless the model knows its number. */
void poll_stop(struct poll *p);

/* Answer as if a command had said this and exited with 1. */
void poll_refuse(struct tool_call *call, const char *text);

/* yield_time_ms of args within its bounds. */
uint64_t poll_yield_ms(
    const struct json_doc *args, uint64_t otherwise, uint64_t least);

#endif
