#include "engine/capacity.h"

#include "config/agent.h"
#include "engine/base/limits.h"
#include "engine/errand.h"
#include "engine/role.h"
#include "engine/sched.h"
#include "tools/program.h"

/* Runs that runs started, at once, of all: 40 MB of memory at the most. */
#define CHILDREN_MAX 16384

/* Calls about agents at once, of all runs. */
#define LIGHT_CALLS_MAX 262144

/* The most that any agent may have at work at once; 0: none starts any. */
static uint64_t
at_once_max(const struct supplies *s)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < s->roles; i++) {
		uint64_t n = (uint64_t)s->role[i].agent->subagents.at_once;

		if (role_starts_agents(&s->role[i]) && n > most)
			most = n;
	}
	return most;
}

unsigned
capacity_children(const struct supplies *s, unsigned jobs)
{
	const struct agent_subagents *limits = &s->role[0].agent->subagents;
	uint64_t most = at_once_max(s), level = 1, tree = 0;

	for (int64_t depth = 0; depth < limits->depth; depth++) {
		level =
		    level * most < CHILDREN_MAX ? level * most : CHILDREN_MAX;
		tree += level;
	}
	if (tree > (uint64_t)limits->total)
		tree = (uint64_t)limits->total;
	return 2 * tree * jobs < CHILDREN_MAX ? (unsigned)(2 * tree * jobs)
					      : CHILDREN_MAX;
}

unsigned
capacity_sandboxes(const struct supplies *s, const struct sched_limits *limits)
{
	unsigned depth = (unsigned)s->role[0].agent->subagents.depth;

	return limits->sandboxes_max *
	       (limits->children_max > 0 ? depth + 1 : 1);
}

unsigned
capacity_calls(const struct supplies *s, const struct sched_limits *limits)
{
	unsigned runs = limits->runs_max + limits->children_max;
	unsigned calls = limits->commands_max * (SCHED_DEPTH_MAX + 1);
	int have_programs = 0;

	/* Programs call in the place of the command that they are. */
	for (unsigned i = 0; i < s->roles; i++)
		have_programs |= s->role[i].agent->code_mode.enabled;
	if (have_programs)
		calls += runs * PROGRAM_CALLS_MAX;
	/* What is about agents takes no place among the commands. */
	if (limits->children_max > 0 || s->roles > 1)
		calls += runs < LIGHT_CALLS_MAX / LIMIT_TOOL_CALLS_PER_TURN
			     ? runs * LIMIT_TOOL_CALLS_PER_TURN
			     : LIGHT_CALLS_MAX;
	return calls;
}
