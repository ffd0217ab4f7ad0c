#ifndef SKEP_ENGINE_SURVEY_H
#define SKEP_ENGINE_SURVEY_H

/*
 * A survey is a look at a run's workspace before its first turn, for what the
 * prompt tells of it: the file system, the AGENTS.md files, the index of
 * skills, the summary of a memory.
 *
 * Theory of operation
 *
 * The sandbox of a run is built before its first turn only when there is
 * something to look at: a manifest with entries, a folder to work in, a
 * memory.  Otherwise the workspace is empty, which is known without looking,
 * and the sandbox waits for the first tool call as ever: an agent that needs
 * none costs none.
 *
 * Everything is read by the file verbs, so no path of the workspace is opened
 * out here, nothing waits (a FIFO is no regular file), and what leads out of
 * the workspace is denied.  What is read is bounded before it is read.  All of
 * it is text that somebody else wrote: it is shown to the model as such and
 * decides nothing in here.  What cannot be read is left out; only a lost
 * sandbox, or a missing cwd, ends the run.
 *
 * The steps (survey_steps.def), one after the other, each in a file of its
 * own: survey_tree.c, survey_rules.c, survey_skills.c, survey_memory.c.
 */

#include "engine/base/span.h"

struct agent;
struct arena;
struct error;
struct loop;
struct manifest;
struct sandbox;
struct survey;

/* What was found, in the arena keep; n == 0: nothing. */
struct survey_found {
	struct span tree;   /* the drawing of the file system */
	struct span rules;  /* of AGENTS.md files, each in its own mark */
	struct span skills; /* the lines of the index */
	struct span memory; /* the summary, short enough to be shown */
};

struct survey_order {
	struct loop *loop;
	struct sandbox *sandbox;
	const struct agent *agent;
	const struct manifest *manifest; /* for descriptions; may be NULL */
	const char *cwd;                 /* below the root; NULL: the root */
	struct arena *keep;
};

/* error == NULL, or SANDBOX_LOST, MANIFEST (cwd), FULL.  Then it is over. */
typedef void survey_done_fn(const struct error *error, void *owner);

/* Copies order, keeps what it names, and found.  NULL and *e. */
struct survey *survey_start(const struct survey_order *order,
    struct survey_found *found, survey_done_fn *done, void *owner,
    struct error *e);

void survey_cancel(struct survey *s); /* NULL is fine */

#endif
