#ifndef SKEP_ENGINE_MEMORY_H
#define SKEP_ENGINE_MEMORY_H

/*
 * A memory is what agents remember from one run to the next: a folder in the
 * state directory, shared by the runs of all agents that name it.
 *
 *	STATE/memory/NAME/
 *	  sessions/<rollout>.jsonl	what happened: a line for each attempt
 *	  memories/memory_summary.md	shown to every run
 *	  memories/MEMORY.md		a handbook to search
 *	  memories/raw_memories.md	the newest raw memories together
 *	  memories/raw_memories/<rollout>.md
 *	  memories/rollout_summaries/<rollout>_<slug>.md
 *	  memories/phase_two_selection.json
 *	  memories/skills/...
 *
 * Theory of operation
 *
 * It lives outside of workspaces, since those end with their runs.  A run is
 * given a copy: handbook, summary, summaries of rollouts and skills are laid
 * into its workspace as entries of its manifest (memory_manifest()), at
 * memories/, and what it does to that copy is lost with it.  So no run can
 * damage what others remember, and a thousand at once need no locks.  What it
 * was given is what there was when its sandbox was built: in a long batch the
 * summary may grow on the way, and prompts differ from there on.
 *
 * When a run ends, its rollout -- input, items, how it ended -- is appended
 * (O_APPEND) to sessions/; its id is the run's.  The rest is made in the
 * background by two runs of their own, see keeper.h: one that extracts what
 * is worth keeping of a rollout, one that consolidates all of it.
 *
 * The state directory is locked by its engine, so nobody else writes here.
 * Readers (skep memory) may look at any time: a file is replaced by renaming,
 * never written in place.
 *
 * Nothing here is trusted.  It was written by models that had read anything:
 * names are checked, files are opened below the folder without following a
 * link and read with bounds, what is no text is passed over, and what a memory
 * says is shown to a model as data.  It decides nothing.
 */

#include <stdint.h>

#include "engine/base/limits.h"
#include "engine/base/span.h"
#include "engine/store.h"

struct arena;
struct errand;
struct error;
struct manifest;
struct text;

#define MEMORY_SESSIONS "sessions"
#define MEMORY_FILES "memories"
#define MEMORY_RAW MEMORY_FILES "/raw_memories"
#define MEMORY_SUMMARIES MEMORY_FILES "/rollout_summaries"
#define MEMORY_SUMMARY "memory_summary.md"
#define MEMORY_HANDBOOK "MEMORY.md"
#define MEMORY_SKILLS "skills"
#define MEMORY_RAW_MERGED MEMORY_FILES "/raw_memories.md"
#define MEMORY_SELECTION MEMORY_FILES "/phase_two_selection.json"

#define MEMORY_FILE_MAX (16 * MIB) /* of any file that is read whole */
#define MEMORY_ROLLOUT_MAX (8 * MIB)
#define MEMORY_ID_MAX 128
#define MEMORY_SLUG_MAX 80
#define MEMORY_SUMMARY_TOKENS 15000 /* shown of the summary */

struct memory {
	char path[LIMIT_PATH]; /* the folder; "": there is none */
};

/* Where it is; touches nothing.  -1 and *e (CONFIG): a bad name, too long. */
int memory_locate(
    struct memory *m, const char *state, const char *name, struct error *e);

/* Make its folders.  -1 and *e. */
int memory_make(const struct memory *m, struct error *e);
int memory_exists(const struct memory *m);

/* [A-Za-z0-9][A-Za-z0-9._-]{0,127}; [a-z0-9][a-z0-9_-]{0,79}. */
int memory_id_is_fine(struct span id);
int memory_slug_is_fine(struct span slug);

/* UTF-8 without a NUL. */
int memory_is_text(struct span s);

/* --- files, by their path below the folder --- */

/* Append a whole file to out.  -1 and *e: NOT_FOUND, TOO_BIG, IO. */
int memory_load(const struct memory *m, const char *path, struct text *out,
    struct error *e);

/* Put it there, whole, in the place of what was there. */
int memory_store(const struct memory *m, const char *path, struct span bytes,
    struct error *e);

/* Add bytes at its end, in one write. */
int memory_append(const struct memory *m, const char *path, struct span bytes,
    struct error *e);

int memory_has(const struct memory *m, const char *path);

/* With all that is below it; what is missing is fine. */
void memory_remove(const struct memory *m, const char *path);

struct memory_entry {
	const char *name;
	int is_folder; /* else it is a regular file */
	uint64_t bytes;
	int64_t mtime_ms;
};

/* Call fn for each file and folder of one folder until it says other than 0. */
int memory_each(const struct memory *m, const char *folder,
    int (*fn)(const struct memory_entry *entry, void *owner), void *owner,
    struct error *e);

/* --- what runs are given --- */

/* Is there anything to show? */
int memory_can_be_read(const struct memory *m);

/*
 * The entries for a workspace, in arena; NULL when it is full.  with_raw: and
 * the merged raw memories, for phase two.
 */
const struct manifest *memory_manifest(
    const struct memory *m, int with_raw, struct arena *arena);

/* --- rollouts: memory_rollout.c --- */

/*
 * Append what became of er, which has ended, as a line.  0, 1 when there is
 * nothing to tell (it never came to a model), or -1 and *e.
 */
int memory_add_rollout(
    const struct memory *m, const struct errand *er, struct error *e);

/* --- what is made of them: memory_notes.c, memory_select.c --- */

/* What phase one said of a rollout. */
struct memory_note {
	const char *rollout; /* its id */
	struct span slug, summary, raw;
	const char *state; /* terminal_state */
	int64_t at_ms;
};

/*
 * Keep it: a raw memory and a summary.  An empty raw memory says that the
 * rollout was looked at and had nothing worth keeping.
 */
int memory_add_note(
    const struct memory *m, const struct memory_note *note, struct error *e);

struct memory_selection {
	unsigned selected, added, retained, removed;
};

/*
 * Choose the newest kept raw memories, merge them, and compare with what phase
 * two was given last; *changes tells it in lines (appended, may be NULL).
 * Nothing is selected for good before memory_select_done().
 */
int memory_select(const struct memory *m, unsigned kept,
    struct memory_selection *out, struct text *changes, struct error *e);
int memory_select_done(
    const struct memory *m, unsigned kept, int64_t at_ms, struct error *e);

/*
 * Take what phase two made from folder (absolute): handbook, summary, skills,
 * each if it is text of a bearable size; how many were taken, or -1 and *e.
 */
int memory_install(const struct memory *m, const char *folder, struct error *e);

/*
 * Forget one rollout, or all (NULL): with what was made of it.  Handbook and
 * summary go, too, for who knows what of it is in them; they are made again
 * from what is left.  -1 and *e (NOT_FOUND).
 */
int memory_forget(const struct memory *m, const char *rollout, struct error *e);

#endif
