#ifndef SKEP_CONFIG_MEMORY_H
#define SKEP_CONFIG_MEMORY_H

/*
 * The memory of an agent: "memory": true, or an object with the keys below.
 * What it is, and where it lives between runs, is said in engine/memory.h.
 */

#include <stdint.h>

#include "config/budget.h"

struct agent;
struct field_custom;
struct table_reader;

#define MEMORY_FOLDER "memories" /* below the root of the workspace */
#define MEMORY_NAME_MAX 64

/* One of the two runs that make a memory of what happened. */
struct memory_phase {
	const char *model; /* at the agent's own server; NULL: the agent's */
	struct budget budget;
};

struct agent_memory {
	int is_on;
	const char *name; /* runs of all agents that name it share it */
	int read;         /* its summary and files are shown to runs */
	int generate;     /* runs add to it */
	int64_t kept;     /* rollouts that it is made of: the newest */
	/* How long an engine with nothing else to do goes on learning. */
	uint64_t linger_ms;
	struct memory_phase phase_one, phase_two;
};

extern const struct field_custom memory_custom;

/* 0 when name can be that of a memory: [A-Za-z0-9][A-Za-z0-9._-]*. */
int memory_name_check(const char *name);

/* Once the agent is read; v is the agent.  -1 when it complained. */
int memory_settle(struct table_reader *r, int v, struct agent *a);

#endif
