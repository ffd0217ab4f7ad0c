#ifndef SKEP_TOOLS_PROCESS_H
#define SKEP_TOOLS_PROCESS_H

/*
 * A command that was started by exec_command and may outlive that call: a
 * session, which the model knows by a number.  A toolbox holds at most
 * PROCESSES_MAX of them; beyond, the least recently used goes, those that
 * ended first, but none of the PROCESSES_RECENT used last.
 */

#include "engine/base/list.h"
#include "engine/base/text.h"
#include "sandbox/sandbox.h"
#include "tools/output.h"

#define PROCESS_MAGIC 0x70017903u
#define PROCESSES_MAX 64
#define PROCESSES_WARN 60
#define PROCESSES_RECENT 8
#define PROCESS_STDIN_MAX (256 * 1024)

struct program;
struct tool_call;
struct toolbox;

struct process {
	unsigned magic;
	struct toolbox *box;
	struct list_node link;
	unsigned session; /* 0: the model does not know it yet */
	int tty;
	struct exec *exec;
	struct output output;
	struct text typed; /* for its stdin, not taken yet */
	int ended;
	struct exec_report report;
	struct program *program; /* or NULL */

	/* The call that waits for it: told of the end and of settled output. */
	struct tool_call *waiter;
	void (*woken)(struct tool_call *waiter);
};

/*
 * Start a command; cwd may be NULL, and line, which is all of the command when
 * that is plain to see (tool_host).  can_call: where the agent's programs call
 * tools, this one may.  NULL and *e; what was pruned to make
 * room is in the toolbox's text.
 */
struct process *process_start(struct toolbox *box, const char *const *argv,
    const char *cwd, const char *line, int tty, int can_call, struct error *e);

/* Kill it if it runs; forget it.  NULL is fine. */
void process_free(struct process *p);

/* By session number; NULL when there is none. */
struct process *process_find(const struct toolbox *box, int64_t session);

/* Now the most recently used. */
void process_use(struct process *p);

/* Give it a number, for the model to name it by. */
void process_name(struct process *p);

/* Type s; -1 when its stdin is closed or takes no more. */
int process_type(struct process *p, struct span s);

/* What was told is told: take output again. */
void process_go_on(struct process *p);

/* Append "exited with code N" and the like, and notes on limits it met. */
void process_tell_end(const struct process *p, struct text *out);

/* Append a line "Note: ..." for each limit that was met, or a failed start. */
void report_tell_notes(const struct exec_report *r, struct text *out);

#endif
