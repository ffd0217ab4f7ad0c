#ifndef SKEP_CONFIG_VARS_H
#define SKEP_CONFIG_VARS_H

/*
 * ${input}, ${custom_id} and ${variables.NAME} in texts.  $${ is a literal
 * ${; a $ before anything else is itself.  Values are put in as they are and
 * not searched again.
 */

#include "config/text_list.h"
#include "engine/base/span.h"

struct error;
struct text;

struct vars {
	struct span input;             /* p == NULL: not known here */
	struct span custom_id;         /* likewise */
	struct named_list task, agent; /* ${variables.*}, task first */
};

/* True when s has something to replace ($${ included). */
int vars_occur(struct span s);

/*
 * 0 when every name in s is of the three kinds and well-formed; -1 and *e
 * (SYNTAX), with the offset of the fault in *at.  Whether a variable has a
 * value is not asked.
 */
int vars_check(struct span s, size_t *at, struct error *e);

/*
 * Append s with every name replaced; -1 and *e (SYNTAX) names the first that
 * is unknown.
 */
int vars_expand(
    struct span s, const struct vars *vars, struct text *out, struct error *e);

#endif
