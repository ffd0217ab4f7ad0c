#ifndef SKEP_TOOLS_SUBAGENTS_H
#define SKEP_TOOLS_SUBAGENTS_H

/*
 * Tools that are about other agents.
 *
 *	transfer_to_NAME	another agent takes the run over
 *	NAME			an agent as a function: asked, and waited for
 *	spawn_agent		starts one and goes on
 *	wait_agent		waits for some of those
 *	list_agents		says how they are
 *	cancel_agent		stops one
 *
 * The first two are made for each agent from what it names; the others are
 * built in.  None runs anything itself: what there is to do the engine does,
 * behind struct tool_agents.  None takes a place among the commands, because
 * what it waits for will want one.
 */

#include "engine/base/span.h"

struct arena;
struct error;
struct text;
struct toolbox;
struct toolset;

enum subagent_status {
	SUBAGENT_RUNNING,
	SUBAGENT_FINISHED,
	SUBAGENT_FAILED,
	SUBAGENT_CANCELLED,
};

/* An agent that was started from a run; the engine's, as long as that. */
struct subagent {
	const char *id;
	const char *agent; /* its name, as the one who started it knows it */
	enum subagent_status status;
	struct span output;  /* what it said; when it has finished */
	struct span trouble; /* why not; when it has ended otherwise */
};

/* What the engine does; owner is the tool host's. */
struct tool_agents {
	/*
	 * Hand the run to this agent when the turn is over; says what to
	 * answer the model, also when another one was first.
	 */
	void (*transfer)(void *owner, const char *name, struct text *answer);

	/*
	 * Start the agent of this name, or a copy of the caller's (NULL).
	 * NULL and a complaint for the model: there is none, or a limit.
	 */
	struct subagent *(*start)(void *owner, struct span name,
	    struct span input, struct text *complaint);

	/* The i-th that was started, from 0; NULL beyond the last. */
	struct subagent *(*at)(void *owner, unsigned i);

	/* Ask it to stop; it ends later, and that is heard.  Fine when over. */
	void (*cancel)(void *owner, struct subagent *s);
};

/* The engine says that one has ended: the calls that wait for it go on. */
void toolbox_subagent_ended(struct toolbox *box);

/* --- for the tools of an agent --- */

struct subagent_offer {
	const char *name;        /* as the agent knows the other one */
	const char *title;       /* what the other one calls itself */
	const char *description; /* of the other one, or NULL */
	const char *text;        /* instead of ours around it; NULL: ours */
	const char *schema;      /* of a transfer's input; NULL: none */
	int needs_sandbox;       /* of the one who starts it */
};

/* One more tool, in arena; -1 and *e (CONFIG). */
int toolset_add_transfer(struct toolset *set, struct arena *arena,
    const struct subagent_offer *offer, struct error *e);
int toolset_add_agent(struct toolset *set, struct arena *arena,
    const struct subagent_offer *offer, struct error *e);

/* Where there is spawn_agent, say whom it can start. */
int toolset_offer_agents(struct toolset *set, struct arena *arena,
    const struct subagent_offer *offers, unsigned n, int needs_sandbox,
    struct error *e);

#endif
