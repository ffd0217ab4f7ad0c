#ifndef SKEP_ENGINE_FAMILY_H
#define SKEP_ENGINE_FAMILY_H

/*
 * Runs that a run starts: its children, theirs, and what goes up and down
 * this tree.
 *
 * Theory of operation
 *
 * A child is an errand like any other, with a row of its own in the store
 * that names its parent.  It works in its parent's place (sched.h), in a
 * sandbox of its own or in its parent's, and in no wider profile.  What it
 * spends counts for it and for every run above it; before each of its turns
 * all their budgets are asked.  How deep, how many at once and how many in
 * all: every run above it has a say, and what exceeds is told to the model.
 *
 * When a child ends, what it said is kept by its parent, for the tools that
 * ask (tools/subagents.h).  When a parent ends, its children are cancelled:
 * in the store in the transaction of that end, in here by the usual way; the
 * parent's sandbox goes when the last of them has gone.  A parent
 * that starts over after a crash starts with no children.
 */

#include <stdint.h>

#include "engine/base/list.h"
#include "tools/subagents.h"

struct budget;
struct call_tokens;
struct errand;
struct error;
struct spending;

/* What a parent keeps of a child, in its own arena. */
struct child {
	struct subagent told;
	struct errand *errand; /* NULL: it has ended */
	struct list_node link;
};

struct family {
	struct errand *parent; /* NULL: of a task */
	struct child *record;  /* the parent's */
	struct list_node in_parent;
	struct list alive;   /* struct errand: children not yet buried */
	struct list started; /* struct child: all, in their order */
	unsigned depth;      /* 0: of a task */
	unsigned working;    /* children that have not ended */
	uint64_t below;      /* started below it in all */
	unsigned may_go : 1; /* over, but for its children */
};

void family_init(struct family *f);

/* What the tools of a run may do about agents; owner is the errand. */
extern const struct tool_agents family_ports;

/*
 * May another child of er's start now, for what stands in its own line?  One
 * that has ended and is not yet buried still has its place.
 */
int family_has_room(const struct errand *er);

/* What er spent on one model call, or one tool call, counts above it, too. */
void family_count_tokens(struct errand *er, const struct call_tokens *tokens);
void family_count_tool_call(struct errand *er);

/* Could all runs above er afford another turn of it?  -1 and *e. */
int family_afford(const struct errand *er, struct error *e);

/* er has ended and is recorded: tell its parent, and stop its children. */
void family_ended(struct errand *er);

/*
 * er is about to be freed.  1 when it may be; 0 when children still need it:
 * then errand_bury() is called again after the last of them.
 */
int family_lets_go(struct errand *er);

/* er is freed. */
void family_left(struct errand *er);

#endif
