#ifndef SKEP_ENGINE_SURVEY_PRIVATE_H
#define SKEP_ENGINE_SURVEY_PRIVATE_H

/*
 * The inside of a survey: survey*.c.
 *
 * A step is a function that starts something.  It says SURVEY_STARTED, and
 * then survey_step_done() is called exactly once, from a callback; or that
 * there is nothing to do; or it fails.
 */

#include "engine/base/arena.h"
#include "engine/base/error.h"
#include "engine/base/loop.h"
#include "engine/base/text.h"
#include "engine/survey.h"
#include "tools/layout.h"

struct file_op;
struct reading;
struct tree;

enum survey_answer { SURVEY_STARTED, SURVEY_NOTHING, SURVEY_FAILED };

struct survey {
	unsigned magic;
	struct survey_order order;
	struct survey_found *found;
	survey_done_fn *done;
	void *owner;
	struct loop_deferred next;
	unsigned step;
	int failed;
	struct error error;
	struct arena arena; /* gone with the survey */

	/* What is under way; NULL when not. */
	struct file_op *op;
	struct tree *tree;
	struct reading *reading;
	void *state; /* the step's own, in arena */
	struct layout layout;
};

/* error: NULL, or why the survey ends. */
void survey_step_done(struct survey *s, const struct error *error);

/* Remember a text that was found; -1 after an error was set. */
int survey_keep(struct survey *s, struct span text, struct span *found);

#define SURVEY_STEP(name) enum survey_answer survey_##name(struct survey *s);
#include "engine/survey_steps.def"

#endif
