#ifndef SKEP_TOOLS_CALL_H
#define SKEP_TOOLS_CALL_H

/*
 * The inside of a toolbox and of a call, for the files of tools/ only.
 *
 * A tool's start() begins the work or complains; later it answers, once, with
 * one of the tool_call_answer functions.  All three may be called from any
 * callback: the engine hears of it from the loop.
 */

#include "engine/base/arena.h"
#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/slab.h"
#include "engine/base/text.h"
#include "net/json.h"
#include "net/json_write.h"
#include "tools/tool.h"

#define TOOL_CALL_MAGIC 0x70017c01u
#define TOOLBOX_MAGIC 0x70017b02u

struct tool {
	const char *name;
	enum tool_kind native;      /* how it is declared where that is known */
	enum item_kind native_item; /* and called */
	const char *description;    /* tools/NAME.txt */
	const char *schema;         /* tools/NAME.json */
	const char *format;         /* of a custom tool: its grammar */
	const char *brings;         /* NULL, or another tool */
	int needs_sandbox;
	int takes_no_place; /* among the commands */
	int starts_agent;   /* and lasts as long as that works */
	int checks_itself;  /* arguments are not checked here */
	int ends_turn;      /* the run is another agent's then */

	/*
	 * args are valid while this runs, after the schema unless the call is
	 * a native item; NULL when a custom tool is called with its text.  -1: call->text is a complaint for the model.
	 */
	int (*start)(struct tool_call *call, const struct json_doc *args);
	/* Give up what is under way; the call was not answered. */
	void (*stop)(struct tool_call *call);
	/* An agent that this run started has ended; or NULL. */
	void (*heard)(struct tool_call *call);
};

struct tools {
	struct loop *loop;
	struct slab boxes, calls, processes;
};

struct toolbox {
	unsigned magic;
	struct tools *tools;
	const struct toolset *set;
	struct tool_host host;
	struct list calls;
	struct list processes; /* the least recently used first */
	struct list links;     /* to tool servers; see mcp.h */
	struct text pruned;    /* sessions ended to make room, to be told */
};

struct tool_call {
	unsigned magic;
	struct toolbox *box;
	struct list_node link;
	const struct tool *tool; /* NULL: unknown */
	enum item_kind kind;     /* of the item to answer */
	struct span call_id;     /* in arena */
	struct span input;       /* the payload as text; while start() runs */
	int failed;              /* for answers that have a status */
	int by_program;          /* not the model's: program.h */
	struct arena arena;
	struct text text;   /* the complaint, or what is being written */
	struct text answer; /* JSON */
	struct loop_deferred answered;
	struct loop_timer timeout; /* when its tool has taken too long */
	double timeout_seconds;
	uint64_t started_us;
	void *state; /* the tool's own, in arena */
	tool_done_fn *done;
	void *owner;
};

/* As tool_call_start(), for what a program asks. */
struct tool_call *tool_call_start_by_program(struct toolbox *box,
    const struct item *item, tool_done_fn *done, void *owner, struct error *e);

struct sandbox *tool_call_sandbox(const struct tool_call *call);

/*
 * A path as the model gave it, from where the run works: relative to the root
 * or absolute, in the call's arena.  NULL when that is full.
 */
const char *tool_call_path(struct tool_call *call, const char *path);

/* The environment of a command: see tool_host. */
void toolbox_environment(
    const struct toolbox *box, const char *command, struct exec_spec *spec);
uint64_t tool_call_wall_us(const struct tool_call *call);

/* Answer with call->text, in the item that its kind asks for. */
void tool_call_answer_text(struct tool_call *call);

/* Answer that it went wrong, as call->text says. */
void tool_call_answer_trouble(struct tool_call *call);

/* Answer with call->answer, which holds the whole item. */
void tool_call_answer_item(struct tool_call *call);

#endif
