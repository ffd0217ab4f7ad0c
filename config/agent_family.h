#ifndef SKEP_CONFIG_AGENT_FAMILY_H
#define SKEP_CONFIG_AGENT_FAMILY_H

/*
 * An agent and all that it names: itself, the agents of its "agents", theirs,
 * and so on, each file once.  Files may name each other in circles; what
 * follows from that at run time is bounded by turns, depth and totals.
 *
 * What a member leaves out it has from the first: model, prices, profile and
 * variables; its name from the key that names it.  How a model is reached
 * goes with its address: a member that says "api" or "base_url" gets neither
 * key nor headers of another's.
 *
 * Rights only narrow: a member with a profile of its own must be no wider
 * than who names it.
 */

#include <sys/types.h>

#include "config/agent.h"

struct table_reader;

#define AGENTS_MAX 64 /* in a family */

struct agent_family {
	const struct agent *member[AGENTS_MAX]; /* [0] was asked for */
	unsigned n;
};

/*
 * The family of an agent from agent_load(): first itself, then in the order
 * in which they are named, breadth first.
 */
void agent_family(const struct agent *first, struct agent_family *out);

/* Where m stands in it, or -1. */
int agent_family_find(const struct agent_family *f, const struct agent *m);

/* --- while they are read: agent.c and agent_links.c --- */

struct agent_nursery {
	struct agent *member[AGENTS_MAX];
	struct {
		dev_t device; /* the file it is read from; or inode 0 */
		ino_t inode;
	} file[AGENTS_MAX];
	unsigned n;
};

/*
 * All are read: give them what they left out, see what they may not do, and
 * compute their digests.  -1 and complaints.
 */
int agent_nursery_finish(
    struct agent_nursery *n, struct arena *arena, struct complaints *c);

/* One more, from the file at path or from value v; NULL and complaints. */
struct agent *agent_read_file(
    struct table_reader *r, int v, const char *path, const char *name);
struct agent *agent_read_value(struct table_reader *r, int v, const char *name);

#endif
