#ifndef SKEP_ENGINE_HANDOFF_CHECK_H
#define SKEP_ENGINE_HANDOFF_CHECK_H

/*
 * An agent that takes a run over works in the sandbox that is there: it can
 * bring a workspace or a profile of its own only where none can be up before
 * it comes.  Seen here before anything runs, for one step; at the transfer
 * itself for all (handoff.c).
 */

struct agent;
struct complaints;

/* All agents that first can come to.  Complains. */
void handoff_check(const struct agent *first, struct complaints *c);

#endif
