#ifndef SKEP_TOOLS_PROGRAM_H
#define SKEP_TOOLS_PROGRAM_H

/*
 * A program is a command that calls the agent's tools: code mode.
 *
 * Theory of operation
 *
 * A command of exec_command has a socket as its descriptor 3, to us.  A
 * request is one line of JSON, and so is its answer:
 *
 *	{"id": ANY, "tool": NAME, "arguments": {...}}
 *	{"id": ANY, "ok": true, "output": TEXT}
 *
 * Several may be under way; answers come as they are ready.  With "raw": true
 * the answer says "bytes": N instead of "output", and N bytes follow its line:
 * for shells.  A call that goes wrong is "ok": false, with the text that a
 * model would be told.
 *
 * Who asks is not trusted: a line that is no request is answered as such, and
 * after PROGRAM_FAULTS_MAX of them, or one longer than PROGRAM_LINE_MAX, the
 * program is hung up on.  No more than PROGRAM_CALLS_MAX calls are under way;
 * then nothing is read, and the program waits.  When the command has ended, so
 * has the program, whoever still holds its descriptor.
 *
 * The engine is asked before a call (struct tool_programs), records it, and
 * only then lets it begin; so a call of a program has the same limits and the
 * same record as one of the model.  A command that a program starts is no
 * program, nor is one that is given a secret, and a program cannot hand the
 * run on.
 */

#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/text.h"
#include "net/item.h"

struct process;
struct program;
struct tool_call;
struct toolbox;

#define PROGRAM_MAGIC 0x70017905u
#define PROGRAM_CALLS_MAX 8
#define PROGRAM_FAULTS_MAX 16
#define PROGRAM_LINE_MAX (4 * MIB)
#define PROGRAM_DESCRIPTOR 3

struct program_call {
	struct program *program; /* NULL: it has ended */
	struct list_node link;   /* among the program's */
	struct tool_call *call;  /* under way; NULL before and after */
	struct arena arena;
	struct item item;
	struct span id; /* as JSON */
	int raw;

	/* The engine's, from ask() to program_call_free(). */
	struct list_node in_run;
	uint64_t seq;
	int64_t ended_ms;
	unsigned is_recorded : 1, has_begun : 1, is_over : 1, is_cut : 1;
};

/* What the engine does for programs; owner is the tool host's. */
struct tool_programs {
	/*
	 * May it be called?  0: the engine has it, and calls
	 * program_call_begin() when that is recorded.  -1 and a complaint.
	 */
	int (*ask)(
	    void *owner, struct program_call *call, struct text *complaint);

	/*
	 * It is over: record that, and program_call_free() it.  Gives what the
	 * program may see of the answer (an item), valid until the next call;
	 * answer.n == 0: it was cut off.
	 */
	struct span (*over)(
	    void *owner, struct program_call *call, struct span answer);
};

struct program {
	unsigned magic;
	struct toolbox *box;
	const struct tool_programs *ports; /* as it began */
	int fd;
	struct loop_io io;
	struct text in, out;
	size_t read; /* of in, taken already */
	struct list calls;
	unsigned faults;
	uint64_t made; /* calls, for their ids */
};

/* For a command that was just started; takes fd.  NULL: there is no room. */
struct program *program_new(struct toolbox *box, int fd);

/* Hang up, and give up its calls.  NULL is fine. */
void program_free(struct program *p);

/* From the engine: it is recorded.  Answers later, whatever happens. */
void program_call_begin(struct program_call *call);
void program_call_free(struct program_call *call);

#endif
