#include "config/budget.h"

#include "config/table.h"

#define TURNS_MAX 1e6
#define TOKENS_MAX 1e12
#define USD_MAX 1e9
#define SECONDS_MAX 31536000.0 /* a year */

#define BUDGET(name_, type_, most, preset_, doc_)                      \
	{                                                              \
		.name = #name_, .type = type_,                         \
		.offset = offsetof(struct budget, name_), .max = most, \
		.preset = preset_, .doc = doc_                         \
	}

/* An agent that is given no budget must still come to an end. */
#define TURNS_DEFAULT 100

static const struct field agent_fields[] = {
    BUDGET(turns, FIELD_INT, TURNS_MAX, TURNS_DEFAULT,
	"model turns; 0: not limited"),
    BUDGET(tokens, FIELD_INT, TOKENS_MAX, 0,
	"input and output tokens together; 0: not limited"),
    BUDGET(usd, FIELD_REAL, USD_MAX, 0,
	"US dollars by the agent's prices; 0: not limited"),
    BUDGET(wall_seconds, FIELD_REAL, SECONDS_MAX, 0,
	"time from the run's start; 0: not limited"),
    {.name = NULL},
};

const struct table agent_budget_table = {
    .name = "budget",
    .doc = "What a run may spend.",
    .bytes = sizeof(struct budget),
    .fields = agent_fields,
};

static const struct field task_fields[] = {
    BUDGET(turns, FIELD_INT, TURNS_MAX, 0, "model turns; 0: the agent's"),
    BUDGET(tokens, FIELD_INT, TOKENS_MAX, 0,
	"input and output tokens together; 0: the agent's"),
    BUDGET(usd, FIELD_REAL, USD_MAX, 0, "US dollars; 0: the agent's"),
    BUDGET(wall_seconds, FIELD_REAL, SECONDS_MAX, 0,
	"time from the run's start; 0: the agent's"),
    {.name = NULL},
};

const struct table task_budget_table = {
    .name = "budget",
    .doc = "What this run may spend, where that is less than the agent's.",
    .bytes = sizeof(struct budget),
    .fields = task_fields,
};

#define PRICE(member_, doc_)                                                \
	{                                                                   \
		.name = #member_, .type = FIELD_REAL,                       \
		.offset = offsetof(struct prices, member_), .max = USD_MAX, \
		.doc = doc_                                                 \
	}

static const struct field prices_fields[] = {
    PRICE(input, "dollars for a million input tokens"),
    PRICE(cached_input, "dollars for a million cached input tokens"),
    PRICE(output, "dollars for a million output tokens"),
    {.name = NULL},
};

const struct table prices_table = {
    .name = "prices",
    .doc = "What the model's tokens cost.",
    .bytes = sizeof(struct prices),
    .fields = prices_fields,
};
