#ifndef SKEP_ENGINE_CMD_CHECK_PRIVATE_H
#define SKEP_ENGINE_CMD_CHECK_PRIVATE_H

/* The inside of skep check: check*.c. */

#include "engine/cli.h"

struct complaints;

enum kind {
	KIND_UNKNOWN,
	KIND_AGENT,
	KIND_MANIFEST,
	KIND_PROFILE,
	KIND_POLICY,
	KIND_TASKS,
	KIND_SETTINGS,
	KIND_MOCK,
	KIND_SKILL,
	KIND_JSON,
	KINDS
};

const char *kind_name(enum kind kind);
enum kind kind_of_name(const char *name);

/* What path is, by its name, its "$schema" or its members; may complain. */
enum kind kind_of_file(
    struct arena *arena, const char *path, struct complaints *c);

/* check_lines.c: files that are read as they come, of any size. */
void check_json(const char *path, struct complaints *c);
void check_tasks(struct arena *arena, const char *path, struct complaints *c);

#endif
