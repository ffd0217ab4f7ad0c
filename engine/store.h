#ifndef SKEP_ENGINE_STORE_H
#define SKEP_ENGINE_STORE_H

/*
 * The store is the SQLite file STATE/skep.db: what runs exist, where each is,
 * its items and calls as they happen, and its result.
 *
 * Theory of operation
 *
 * One engine writes; the state directory's lock sees to that.  It opens one
 * transaction per turn of the loop at most, and nothing acts on a decision
 * before that transaction is committed.  The functions that record return
 * nothing: the first failure inside a transaction is kept, later records do
 * nothing, and store_commit() reports it; then all of the turn is gone.
 *
 * Readers (ps, show, log) open the file read-only, at any time, and see what
 * was committed.  Write-ahead logging keeps both from waiting for each other.
 *
 * With synchronous NORMAL what was committed survives any end of the process;
 * with FULL also a loss of power.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/span.h"
#include "engine/budget.h"
#include "engine/run.h"

struct store;
struct text;

#define STORE_VERSION 2 /* of the schema: SQLite's user_version */
#define RUN_ID_HEX 16
#define RUN_ID_BYTES (RUN_ID_HEX + 1)

enum store_durability {
	STORE_NORMAL, /* survives a crash of the process */
	STORE_FULL,   /* and of the machine */
};

enum store_answer {
	STORE_READY,
	STORE_LATER, /* another process holds the lock for a moment */
	STORE_FAILED,
};

struct store_run {
	int64_t number; /* what the tables are joined by */
	int64_t parent; /* the run that started it; 0: none did */
	unsigned depth; /* below a task's run */
	char id[RUN_ID_BYTES];
	struct digest agent, task;
	struct span agent_name;
	struct span custom_id; /* p == NULL: none */
	uint64_t line;         /* in the task file; 0: none */
	int64_t created_ms;
};

struct store_end {
	enum run_state state;
	struct span error_code, error_message; /* p == NULL: none */
	struct span result;                    /* the result line, no newline */
	int64_t at_ms;
};

/* --- opening --- */

/*
 * For the engine, which holds the state directory's lock; made when missing,
 * brought to STORE_VERSION when older.  NULL and *e: VERSION (newer),
 * CANNOT_CREATE (read-only), IO (full, damaged).
 */
struct store *store_open(
    const char *path, enum store_durability durability, struct error *e);

/* For readers.  NULL and *e: NOT_FOUND, VERSION, IO. */
struct store *store_open_reader(const char *path, struct error *e);
void store_close(struct store *s);

/* The highest run number given so far. */
int64_t store_last_number(const struct store *s);

/* --- one turn's transaction --- */

enum store_answer store_begin(struct store *s, struct error *e);
enum store_answer store_commit(struct store *s, struct error *e);

/* --- recording, inside a transaction; everything is borrowed --- */

void store_run_add(struct store *s, const struct store_run *run);

/*
 * Start an unfinished run over: its items, its calls and the runs that it
 * started go, attempts count.
 */
void store_run_again(
    struct store *s, int64_t number, uint64_t line, int64_t at_ms);
void store_run_state(
    struct store *s, int64_t number, enum run_state state, int64_t at_ms);
void store_run_usage(struct store *s, int64_t number, const struct spending *u);
void store_run_end(
    struct store *s, int64_t number, const struct store_end *end);

/* Another agent has taken the run over. */
void store_run_agent(struct store *s, int64_t number, struct span name);

/* The unfinished runs that it started, and theirs, are cancelled with it. */
void store_run_cut_below(struct store *s, int64_t number, int64_t at_ms);

/* Its result line is out. */
void store_run_written(struct store *s, int64_t number);

void store_item_add(struct store *s, int64_t number, uint64_t seq,
    uint64_t turn, int64_t at_ms, struct span json);

/* kind: "model" or "tool". */
void store_call_begin(struct store *s, int64_t number, uint64_t seq,
    const char *kind, uint64_t turn, struct span name, struct span call_id,
    int64_t at_ms);
/* outcome: one word; what: a sentence, may be empty. */
void store_call_end(struct store *s, int64_t number, uint64_t seq,
    const char *outcome, struct span what, int64_t at_ms);

/* --- finding, by the engine --- */

struct store_found {
	int64_t number;
	char id[RUN_ID_BYTES];
	enum run_state state;
	int is_written;
	int task_differs; /* same custom_id, another task line */
	uint64_t attempts;
};

/*
 * The newest run of this agent and custom_id; one with the same task is
 * preferred.  With custom_id.p == NULL: of this task at this line.
 * 1 found, 0 not, -1 and *e.
 */
int store_find(struct store *s, const struct digest *agent,
    struct span custom_id, const struct digest *task, uint64_t line,
    struct store_found *out, struct error *e);

/* Append a run's result line; 1, or 0 when it has none, or -1 and *e. */
int store_result(
    struct store *s, int64_t number, struct text *out, struct error *e);

/* The version of SQLite, for --version. */
void store_library_version(char *out, size_t size);

#endif
