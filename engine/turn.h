#ifndef SKEP_ENGINE_TURN_H
#define SKEP_ENGINE_TURN_H

/*
 * A turn is one model call and what follows from it.  This module makes the
 * request from a transcript, puts the reply's items into it, and keeps the
 * tool calls that the reply asked for until each has an answer; then it puts
 * the answers behind them in the order in which the model asked.  Pure: no
 * socket, no store, no clock.
 */

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/gate.h"
#include "net/item.h"

struct arena;
struct errand;
struct model_reply;
struct model_request;
struct text;
struct tool_call;
struct transcript;

/* One tool call of a turn. */
struct turn_call {
	struct errand *errand;
	struct item item;
	struct gate_ticket place; /* among the commands */
	struct tool_call *call;   /* under way; NULL before and after */
	struct span answer;       /* its item, in scratch; n == 0: not yet */
	uint64_t seq;             /* in the store */
	int64_t began_ms, ended_ms;
	unsigned needs_sandbox : 1;
	unsigned is_waiting : 1; /* in the run's own line, not at a gate */
	unsigned begin_recorded : 1, end_recorded : 1;
};

struct turn {
	struct turn_call *call; /* in scratch */
	unsigned calls, answered;
};

void turn_init(struct turn *t);

/*
 * Put the reply's items into the transcript and its calls into t; what it
 * said (of messages) is appended to said.  -1 and *e: MODEL_PROTOCOL,
 * INTERNAL (no memory).
 */
int turn_take_reply(struct turn *t, const struct model_reply *reply,
    struct transcript *tr, struct arena *scratch, uint32_t number,
    int64_t at_ms, struct text *said, struct error *e);

/* All calls have an answer: put them into the transcript.  -1: no memory. */
int turn_put_answers(
    struct turn *t, struct transcript *tr, uint32_t number, int64_t at_ms);

#endif
