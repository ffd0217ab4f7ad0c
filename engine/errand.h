#ifndef SKEP_ENGINE_ERRAND_H
#define SKEP_ENGINE_ERRAND_H

/*
 * An errand is what a run carries: its task, transcript, turn, sandbox,
 * budget and, in the end, its result.  The run (run.h) knows *when* something
 * happens; the errand's ports, each in a file of its own, know *what*:
 *
 *	errand_model.c    MODEL     one model turn (with turn.h)
 *	errand_prompt.c             what that turn's model is told (prompt.h)
  *	errand_checks.c   CHECKS    guardrails, and answers sent back
 *	errand_compact.c  COMPACTION  a summary takes its older part's place
 *	errand_sandbox.c  SANDBOX   built lazily, at the first tool call
 *	errand_tools.c    TOOLS     calls side by side, answers in their order
 *	errand_outputs.c  OUTPUTS   declared outputs leave the sandbox
 *	errand_changes.c            and what changed there is listed
 *	errand_record.c   commit    what the store is told
 *
 * Memory: struct errand comes from a slab; `keep` holds task and transcript
 * for the run's life, `scratch` what one turn needs.
 */

#include <stdint.h>

#include "config/task.h"
#include "engine/base/arena.h"
#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/slab.h"
#include "engine/base/trace.h"
#include "engine/budget.h"
#include "engine/environment.h"
#include "engine/family.h"
#include "engine/result.h"
#include "engine/run.h"
#include "engine/store.h"
#include "engine/survey.h"
#include "engine/transcript.h"
#include "engine/turn.h"
#include "tools/tool.h"

struct agent;
struct agent_handoff;
struct changes;
struct errand;
struct keeper;
struct model_call;
struct outputs;
struct profile;
struct role;
struct sandbox;
struct sandbox_host;
struct sched;
struct text;
struct toolbox;
struct usage;

/* What is looked at in CHECKS. */
enum errand_check {
	CHECK_INPUT,  /* the task, by guardrails */
	CHECK_FORM,   /* nothing: the answer was sent back for its form */
	CHECK_OUTPUT, /* the answer, by guardrails */
};

/* Who wants to know what happens; every function may be NULL. */
struct errand_watch {
	void (*started)(struct errand *er);
	void (*turn_started)(struct errand *er);
	void (*text)(struct errand *er, struct span text);
	void (*restarted)(struct errand *er); /* forget this turn's text */
	void (*tool_called)(struct errand *er, const struct turn_call *call);
	void (*tool_output)(struct errand *er, const struct turn_call *call);
	void (*turn_finished)(struct errand *er);
	/* Another agent has taken it over. */
	void (*role_changed)(struct errand *er);
	/* An agent was started below it, at any depth, or has ended. */
	void (*child_started)(struct errand *er, const struct errand *child);
	void (*child_ended)(struct errand *er, const struct errand *child);
	/* It is over and on disk; er is gone when this returns. */
	void (*ended)(struct errand *er);
};

/* What all errands of an engine share; borrowed by each. */
struct supplies {
	struct loop *loop;
	struct store *store;
	struct sched *sched;
	struct role *role; /* one for every agent; the first one's is tasks' */
	unsigned roles;
	struct sandbox_host *host;
	struct tools *tools;
	const char *outputs_dir; /* --outputs; NULL: below the state */
	int outputs_dir_is_one;  /* of one run: no folder per run in it */
	const char *state_path;
	struct slab errands;
	struct keeper *keeper; /* of the first agent's memory */
	int64_t last_number;
	const struct errand_watch *watch;
	void *watcher;
	/* The world is broken (a full disk): end the engine, not the run. */
	void (*stop)(void *stopper, const struct error *e);
	void *stopper;
};

/* Milliseconds by the monotonic clock, spent on one kind of thing. */
struct stopwatch {
	uint64_t since; /* 0: not running */
	uint64_t total;
};

struct errand {
	struct supplies *supplies;
	const struct role *role;  /* whose part it plays now */
	const struct role *first; /* and played at first */
	struct family family;
	struct run *run;                  /* NULL until admitted */
	void *owner;                      /* who waits for it */
	const struct errand_watch *watch; /* the supplies', or its owner's */
	const char *outputs_dir; /* NULL: where the supplies' outputs go */

	int64_t number;
	char id[RUN_ID_BYTES];
	uint64_t attempts;      /* 1: it has no row in the store yet */
	unsigned is_stored : 1; /* the row is there, for this attempt */
	unsigned has_started : 1;
	unsigned call_open : 1;    /* the store knows a model call in flight */
	unsigned was_surveyed : 1; /* found is what its workspace says */
	unsigned has_looked : 1;   /* by itself, not through its parent */
	unsigned is_over : 1;      /* ended; waits for its sandbox to go */
	unsigned remembers : 1;    /* its sandbox knows what was there first */
	unsigned used_tools : 1;
	unsigned answer_repaired : 1; /* it was sent back once */
	unsigned is_changed_known : 1;
	unsigned compaction_failed : 1; /* it goes on as long as it can */
	unsigned role_changed : 1;      /* and the store is to be told */
	unsigned shares_sandbox : 1;    /* it is its parent's */

	const struct agent_handoff *handoff; /* when this turn is over */
	const struct agent_handoff *handed;  /* what the next call shows */
	unsigned hides_reasoning : 1;        /* of another model */
	const struct profile *profile;       /* of its sandbox */

	struct arena keep, scratch;
	struct task task;
	struct budget budget;
	struct span instructions; /* the agent's, with names replaced */
	struct span prompt;       /* what its role's model is told; prompt.h */
	struct transcript transcript;
	struct turn turn;
	struct list programs;   /* struct program_call: not yet forgotten */
	uint64_t program_calls; /* made so far */
	struct spending spent;
	struct call_tokens last;
	uint64_t calls; /* model and tool calls, as numbered in the store */
	uint64_t model_seq;
	struct span answer; /* what the model said last, in keep */
	struct span model_name, request_id;
	struct error *overflow; /* in keep: the model found it too long */

	struct model_call *model;
	struct toolbox *toolbox;
	struct sandbox *sandbox;
	const struct manifest *manifest; /* what its workspace began with */
	struct environment environment;  /* of its commands */
	struct survey *survey;           /* under way */
	struct survey_found found;
	struct guards *guards; /* looking; see errand_checks.c */
	enum errand_check check;
	struct outputs *outputs;
	struct list files; /* struct output_file: collected outputs */
	struct changes *changes;
	struct list changed; /* struct changed_file, once they are known */
	uint64_t changed_omitted;
	struct result result;    /* filled when it ends */
	struct span result_line; /* the same as text */

	struct loop_timer wall;
	uint64_t wall_left_ms;
	int64_t queued_ms, started_ms;
	uint64_t started_at; /* monotonic */
	struct stopwatch model_time, waited, sandbox_time, tools_time;
	struct trace_ring trace; /* what happened last */
};

extern const struct run_ports errand_ports;

/*
 * A new one, not yet a run; NULL when all slots are taken.  Then either
 * errand_admit() or errand_drop().
 */
struct errand *errand_new(struct supplies *s, void *owner);
void errand_drop(struct errand *er);

/*
 * Read its task from a line of a task file, in its arena; -1 and *e
 * (BAD_TASK): custom_id and digest are set as far as they could be read.
 */
int errand_read_task(struct errand *er, struct span line, uint64_t number,
    const char *folder, struct error *e);

/*
 * Make it a run of the scheduler's.  found: its row from an earlier attempt,
 * or NULL.  bad: what is wrong with its task, or NULL; then it ends with
 * that.  CHECKs that sched_room() > 0.
 */
void errand_admit(struct errand *er, const struct store_found *found,
    const struct error *bad);

/*
 * Make it a run that another run waits for: its role, task and profile are
 * set.  -1: there is no room.
 */
int errand_admit_child(struct errand *er);

/* It is over, and nobody needs it: free it when its sandbox has gone. */
void errand_bury(struct errand *er);

/* The role of this agent; CHECKs that there is one. */
const struct role *supplies_role(
    const struct supplies *s, const struct agent *a);

/*
 * The engine ends before the run does: give up what is in flight, without a
 * word to anybody.  Its sandbox goes with the host.
 */
void errand_abandon(struct errand *er);

/* --- between the files of an errand --- */

int64_t errand_now(void);                  /* Unix milliseconds */
void errand_clock_run(struct errand *er);  /* wall time counts */
void errand_clock_stop(struct errand *er); /* it waits for a place */

void stopwatch_start(struct stopwatch *w, const struct loop *l);
void stopwatch_stop(struct stopwatch *w, const struct loop *l);

/* End the run with e; a code that is none of a result's becomes instead. */
void errand_fail(
    struct errand *er, const struct error *e, enum error_code instead);

/*
 * Make er->prompt for the role that it plays now: before its first turn, and
 * again when the role changes.  -1 and *e.
 */
int errand_write_prompt(struct errand *er, struct error *e);

/*
 * Must its workspace be there and looked at before the first turn?  Then
 * errand_survey() looks once the sandbox is up, and posts READY or an error;
 * in MODEL, where a child in its parent's sandbox begins, it calls the model.
 */
int errand_must_look(const struct errand *er);
int errand_survey(struct errand *er, struct error *e);

/* Is this the first turn of a child that works where its parent works? */
int errand_looks_into_parents(const struct errand *er);

/* Where its tools begin, below the root; NULL: there. */
const char *errand_cwd(const struct errand *er);

int errand_afford(const struct run *run, struct error *e);
void errand_record(struct run *run, enum run_state from, enum run_state to);
int errand_call_model(struct run *run, struct error *e);
int errand_compact(struct run *run, struct error *e);
int errand_check(struct run *run, struct error *e);
int errand_build_sandbox(struct run *run, struct error *e);
int errand_call_tools(struct run *run, struct error *e);
int errand_collect_outputs(struct run *run, struct error *e);

/*
 * Is this in the form that was asked for?  0; else -1, and the model is asked
 * once more, or the run has failed.
 */
int errand_check_form(struct errand *er, struct span said);

/* Must nobody see an answer before guardrails have? */
int errand_holds_answer(const struct errand *er);

/* This is the answer; the items behind the first `from` are about it. */
void errand_stop(struct errand *er, struct span said, size_t from);

/* The same with the result of a tool, if the agent stops at one; else 0. */
int errand_stops_at_tool(struct errand *er, size_t from);

/* --- of any model call, be it a turn's or a compaction's --- */

void errand_model_over(struct errand *er);
void errand_model_placed(void *owner, int has_place);
void errand_count_tokens(struct errand *er, const struct usage *u);

/* The turn is over: is the next request going to be too long? */
void errand_note_length(struct errand *er);

/* The model says so, in e: 1 if the run may try once more, shorter. */
int errand_overflowed(struct errand *er, const struct error *e);
/* Calls of programs: errand_programs.c. */
const struct tool_programs *errand_programs(const struct errand *er);
void errand_record_programs(struct errand *er, enum run_state to, int64_t now);
void errand_go_on(struct run *run);
void errand_drop_programs(struct errand *er);

/* Start calls that waited for another agent of this run to end. */
void errand_go_on_calling(struct errand *er);

/* What is to be collected: its role's, else the first one's. */
const char *const *errand_outputs(const struct errand *er);

/* Print what happened last to the errand that moved last: for check_dump. */
void errand_dump(void);
void errand_trace_ends(const struct errand *er);

/* The second half of OUTPUTS; ends with RUN_EV_COLLECTED.  -1 and *e. */
int errand_list_changes(struct errand *er, struct error *e);
void errand_cancel_changes(struct errand *er);

/* Where its outputs go, in scratch; NULL and *e. */
const char *errand_outputs_dir(struct errand *er, struct error *e);

#endif
