#ifndef SKEP_TESTS_UNIT_TOOLS_TEST_H
#define SKEP_TESTS_UNIT_TOOLS_TEST_H

/*
 * A toolbox on a sandbox, one call after the other, for tests of tools.
 */

#include "engine/base/arena.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "tools/tool.h"

struct loop;
struct sandbox;

struct tools_test {
	struct loop *loop;
	struct sandbox *sb;
	struct tools *tools;
	struct toolset set; /* exec_command, write_stdin, shell */
	struct toolbox *box;
	struct arena arena; /* reset by every call */
	struct text answer; /* the last one, and read */
	struct json_doc doc;
	int answers;
};

extern struct tools_test tt;

void tt_open(struct loop *loop, struct sandbox *sb);
void tt_close(void);

struct sandbox *tt_lend(void *owner);

/* Start a call, an item in JSON; it must not answer before this returns. */
struct tool_call *tt_begin(const char *json);

/* A string of the last answer; in the arena. */
struct span tt_member(int object, const char *key);

/* Call a function and wait: the text of its answer. */
const char *tt_call(const char *name, const char *arguments);

/* A result without what differs each time: its first two lines. */
const char *tt_rest(const char *result);

/* The session that a result names. */
unsigned tt_session(const char *result);

#endif
