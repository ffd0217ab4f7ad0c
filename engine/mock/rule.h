#ifndef SKEP_ENGINE_MOCK_RULE_H
#define SKEP_ENGINE_MOCK_RULE_H

/*
 * Which rule answers a request, and what its replies become: the parts of an
 * answer, templates filled in, ready for any dialect.
 */

#include <stdint.h>

#include "config/mock.h"
#include "engine/base/span.h"

struct error;
struct mock_ask;

/* The first rule whose `when` holds, or NULL. */
const struct mock_rule *mock_rule_find(
    const struct mock_script *script, struct mock_ask *ask);

/* How a tool is called. */
enum mock_call {
	MOCK_CALL_FUNCTION,
	MOCK_CALL_CUSTOM,
	MOCK_CALL_SHELL,
	MOCK_CALL_PATCH
};

struct mock_part {
	enum mock_reply_kind kind;
	struct span text;    /* TEXT, REASONING, REFUSAL */
	struct span tool;    /* TOOL: its name */
	enum mock_call call; /* TOOL */
	struct span payload; /* TOOL: JSON, or a custom tool's text */
	struct span item;    /* ITEM: JSON */
	char id[32];         /* the item's: "fc_..." */
	char call_id[32];    /* TOOL: "call_..." */
};

struct mock_parts {
	const struct mock_rule *rule;
	struct mock_part *part; /* in the ask's arena */
	unsigned n;
	int calls; /* there is a TOOL among them */
	int refuses;
	struct mock_usage usage;
};

/* Fill in the rule's replies; -1 and *e (TOO_BIG) when they are too long. */
int mock_rule_fill(const struct mock_rule *rule, struct mock_ask *ask,
    struct mock_parts *out, struct error *e);

/*
 * Cut the next piece of at most chars characters off *rest (all of it when
 * chars is 0); 0 when nothing is left.
 */
int mock_piece(struct span *rest, int64_t chars, struct span *piece);

#endif
