#ifndef SKEP_CONFIG_BUDGET_H
#define SKEP_CONFIG_BUDGET_H

/* What a run may spend, and what a model's tokens cost. */

#include <stdint.h>

struct table;

/* 0: not limited. */
struct budget {
	int64_t turns;
	int64_t tokens; /* input and output together */
	double usd;
	double wall_seconds; /* from run.started */
};

/* US dollars for a million tokens. */
struct prices {
	double input, cached_input, output;
};

extern const struct table agent_budget_table, task_budget_table, prices_table;

#endif
