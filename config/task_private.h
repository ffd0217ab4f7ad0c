#ifndef SKEP_CONFIG_TASK_PRIVATE_H
#define SKEP_CONFIG_TASK_PRIVATE_H

/* The inside of tasks: task.c and task_input.c. */

#include "config/task.h"

struct table_reader;

/* A line as its table reads it. */
struct task_written {
	const char *custom_id;
	struct span input;
	struct span items;
	const struct manifest *manifest;
	const char *cwd;
	enum task_class class;
	struct budget budget;
	struct named_list variables;
	const char *method, *url;
	int input_at, body_at; /* values; 0: not there */
};

/* Where the input is; -1: not there. */
struct task_source_values {
	int input;        /* a text or a list of items */
	int messages;     /* a list of chat messages */
	int instructions; /* a text */
};

/* task_input.c: t's items and input from them; -1 when it complained. */
int task_items(struct table_reader *r, const struct task_source_values *from,
    struct task_written *t);

#endif
