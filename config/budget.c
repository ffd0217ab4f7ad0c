#include "config/budget.h"

#include "config/table.h"

#define TURNS_MAX 1e6
#define TOKENS_MAX 1e12
#define USD_MAX 1e9
#define SECONDS_MAX 31536000.0 /* a year */

#define BUDGET(member) .offset = offsetof(struct budget, member)

static const struct field budget_fields[] = {
    {"turns", FIELD_INT, BUDGET(turns), .max = TURNS_MAX,
	.doc = "model turns; 0: not limited"},
    {"tokens", FIELD_INT, BUDGET(tokens), .max = TOKENS_MAX,
	.doc = "input and output tokens together; 0: not limited"},
    {"usd", FIELD_REAL, BUDGET(usd), .max = USD_MAX,
	.doc = "US dollars by the agent's prices; 0: not limited"},
    {"wall_seconds", FIELD_REAL, BUDGET(wall_seconds), .max = SECONDS_MAX,
	.doc = "time from the run's start; 0: not limited"},
    {.name = NULL},
};

const struct table budget_table = {
    .name = "budget",
    .doc = "What a run may spend.",
    .bytes = sizeof(struct budget),
    .fields = budget_fields,
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
