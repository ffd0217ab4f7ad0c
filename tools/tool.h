#ifndef SKEP_TOOLS_TOOL_H
#define SKEP_TOOLS_TOOL_H

/*
 * Tools: what an agent may call.
 *
 * Theory of operation
 *
 * A toolbox belongs to one run: it knows the run's sandbox and the commands
 * that outlive the call which started them.  A tool call is one item of the
 * model's being worked on; it always ends with one item to answer it.
 * Whatever the model did wrong -- an unknown tool, arguments that are no
 * JSON, a command that cannot be found -- is said in that item, in words for
 * the model; the engine sees an error only when there is no room for the call.
 *
 * tool_call_start() gives a handle; done is never called before it returns,
 * exactly once, and never after tool_call_free().
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/span.h"
#include "net/item.h"
#include "net/provider.h"

struct error;
struct exec_spec;
struct loop;
struct sandbox;
struct skills;
struct tool;
struct tool_agents;
struct tool_call;
struct tool_programs;
struct tool_timeouts;
struct toolbox;
struct tools;

/* --- the tools of an agent --- */

#define TOOLS_MAX 256 /* of one agent */

struct toolset {
	const struct tool *tool[TOOLS_MAX];
	unsigned n;
};

/* True for the name of a built-in tool. */
int tool_exists(const char *name);

/*
 * Add the tool of this name, and what it brings (exec_command brings
 * write_stdin); one that is there already is fine.  -1 and *e (CONFIG) when
 * there is none of that name; the text lists those that are.
 */
int toolset_add(struct toolset *set, const char *name, struct error *e);

/* Is the tool of this name among them? */
int toolset_has(const struct toolset *set, const char *name);

/* Does any of them need a sandbox? */
int toolset_is_sandboxed(const struct toolset *set);

/*
 * What to tell the model: fills out[] (at least TOOLS_MAX), returns how many.
 * The texts are constant.  Without native tools everything is a function.
 */
size_t toolset_specs(
    const struct toolset *set, int has_native_tools, struct tool_spec *out);

/*
 * False when a call must not wait for a place among the commands: what it
 * waits for may want one.  An unknown tool takes one like any other.
 */
int toolset_takes_place(const struct toolset *set, const struct item *call);

/* True when a call lasts as long as an agent that it starts. */
int toolset_starts_agent(const struct toolset *set, const struct item *call);

/* True when a call is the last of its turn: it hands the run on. */
int toolset_ends_turn(const struct toolset *set, const struct item *call);

/* True when a call must have a sandbox; false when it can only be refused. */
int toolset_needs_sandbox(const struct toolset *set, const struct item *call);

/* --- all runs --- */

struct tools_limits {
	unsigned boxes_max;     /* runs that have a toolbox at once */
	unsigned calls_max;     /* tool calls at once, of all runs */
	unsigned processes_max; /* commands alive at once, of all runs */
};

/* Takes all memory.  NULL and *e (FULL).  Keeps loop. */
struct tools *tools_new(
    struct loop *loop, const struct tools_limits *limits, struct error *e);
void tools_free(struct tools *tools); /* every toolbox must be freed */

/* --- one run --- */

/* What the engine lends a toolbox. */
struct tool_host {
	/* The run's sandbox, ready; NULL when there is none (any more). */
	struct sandbox *(*sandbox)(void *owner);
	const struct tool_agents *agents;     /* subagents.h; or NULL */
	const struct tool_programs *programs; /* program.h; or NULL */
	void *owner;
	/* Where relative paths start, below the root; NULL: there.  Kept. */
	const char *cwd;
	/* Those that load_skill may load; NULL: none.  Kept. */
	const struct skills *skills;
	/* How long a tool may take; NULL: as long as it likes.  Kept. */
	const struct tool_timeouts *timeouts;
	/*
	 * Fill in what this command's environment has beyond the profile's;
	 * what is pointed at stays for the toolbox's life.  command: the whole
	 * line, or NULL when it is not plain what will run.  May be NULL.
	 */
	void (*environment)(
	    void *owner, const char *command, struct exec_spec *spec);
	const char *run; /* its id, for traces; kept; or NULL */
};

/* Keeps set; copies host.  NULL and *e (FULL). */
struct toolbox *toolbox_new(struct tools *tools, const struct toolset *set,
    const struct tool_host *host, struct error *e);

/*
 * Another agent has the run: its tools from now on, and what its programs may
 * do.  Keeps both.  What programs have under way goes on.
 */
void toolbox_set_tools(struct toolbox *box, const struct toolset *set,
    const struct tool_programs *programs);

/* And its skills, which load_skill may load.  Kept. */
void toolbox_set_skills(struct toolbox *box, const struct skills *skills);

/*
 * Kill every command and give up every call, without calling back.  Before
 * sandbox_destroy().  NULL is fine.
 */
void toolbox_free(struct toolbox *box);

/*
 * The sandbox is about to be given up, but the run goes on: end its commands.
 * A later write_stdin is told that its session is gone.
 */
void toolbox_leave_sandbox(struct toolbox *box);

/* --- one call --- */

/*
 * The answer: one JSON object, until tool_call_free(call), which done or
 * anybody later calls.
 */
typedef void tool_done_fn(
    struct tool_call *call, struct span answer, void *owner);

/* Borrows item.  NULL and *e: FULL. */
struct tool_call *tool_call_start(struct toolbox *box, const struct item *item,
    tool_done_fn *done, void *owner, struct error *e);

/*
 * Give it up.  What it started ends, unless the model was told of it.  NULL
 * is fine.
 */
void tool_call_free(struct tool_call *call);

#endif
