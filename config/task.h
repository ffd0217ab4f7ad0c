#ifndef SKEP_CONFIG_TASK_H
#define SKEP_CONFIG_TASK_H

/*
 * A task: one line of a batch.
 *
 *	{"custom_id": "r17", "input": "...", "manifest": {...},
 *	 "class": "draft", "budget": {...}, "variables": {...}}
 *
 * A line made for OpenAI's Batch API (custom_id, method, url, body) is taken
 * as it is: the body's input or messages are the task's input, the body's
 * instructions are put before it as a developer message; model, tools and
 * sampling are the agent's.
 */

#include <stdint.h>

#include "config/budget.h"
#include "config/text_list.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"

struct arena;
struct complaints;
struct manifest;
struct table;

enum task_class { CLASS_NONE, CLASS_DRAFT, CLASS_DELIVERY, CLASS_PRIVILEGED };

struct task {
	uint64_t line;         /* its number in the file, from 1 */
	struct span custom_id; /* n == 0: it has none that can be used */
	struct span input;     /* text; of items, that of user messages */
	struct span items;     /* a JSON array of input items, or n == 0 */
	const struct manifest *manifest; /* NULL: the agent's alone */
	const char *cwd;                 /* NULL: the agent's */
	enum task_class class;
	struct budget budget; /* 0: the agent's */
	struct named_list variables;
	struct digest digest; /* of the line, without its line end */
};

/*
 * Read one line (without its line end) into *t, in arena; folder is where
 * relative sources of its manifest lie.  -1 and *e (BAD_TASK, reason named)
 * when it cannot be used; t->custom_id is then set if it could be read, and
 * t->digest always.
 */
int task_read(struct task *t, struct arena *arena, struct span line,
    uint64_t number, const char *folder, struct error *e);

/*
 * The same with every fault of the line as a complaint at file:number:column.
 */
int task_check(struct task *t, struct arena *arena, struct span line,
    uint64_t number, const char *file, const char *folder,
    struct complaints *c);

/* The kind of a line. */
extern const struct table task_table;

#endif
