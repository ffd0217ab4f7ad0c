#ifndef SKEP_ENGINE_CAPACITY_H
#define SKEP_ENGINE_CAPACITY_H

/*
 * How many slots an engine takes for what runs may start: whole trees of
 * agents, their sandboxes, and the calls that wait for them.  Slots that are
 * never used cost no memory.
 */

struct sched_limits;
struct supplies;

/*
 * Runs that runs start, at once, and as many that have ended and are not yet
 * buried; jobs: trees.  Where there is a ceiling, a model is told to wait.
 */
unsigned capacity_children(const struct supplies *s, unsigned jobs);

/* Sandboxes of tasks' runs, and as many of each depth below them. */
unsigned capacity_sandboxes(
    const struct supplies *s, const struct sched_limits *limits);

/* Tool calls of all runs. */
unsigned capacity_calls(
    const struct supplies *s, const struct sched_limits *limits);

#endif
