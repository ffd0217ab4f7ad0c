#include "engine/survey.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/pool.h"
#include "engine/survey_private.h"
#include "sandbox/reading.h"
#include "sandbox/sandbox.h"
#include "sandbox/tree.h"

#define SURVEY_MAGIC 0x5e4cee01u
#define ARENA_MAX (16 * MIB)

static enum survey_answer (*const steps[])(struct survey *s) = {
#define SURVEY_STEP(name) survey_##name,
#include "engine/survey_steps.def"
};

#define STEPS (sizeof steps / sizeof steps[0])

static void
end(struct survey *s)
{
	if (s->op != NULL)
		file_op_cancel(s->op);
	tree_cancel(s->tree);
	reading_cancel(s->reading);
	loop_undefer(&s->next);
	arena_release(&s->arena);
	s->magic = 0;
	pool_give(s);
}

static void
run(struct loop_deferred *d)
{
	struct survey *s = container_of(d, struct survey, next);
	survey_done_fn *done = s->done;
	void *owner = s->owner;
	struct error e;
	int failed;

	CHECK_OBJ(s, SURVEY_MAGIC);
	while (!s->failed && s->step < STEPS) {
		switch (steps[s->step++](s)) {
		case SURVEY_STARTED:
			return;
		case SURVEY_NOTHING:
			break;
		case SURVEY_FAILED:
			s->failed = 1;
			break;
		}
	}
	e = s->error;
	failed = s->failed;
	end(s);
	done(failed ? &e : NULL, owner);
}

void
survey_step_done(struct survey *s, const struct error *error)
{
	CHECK_OBJ(s, SURVEY_MAGIC);
	if (error != NULL) {
		s->failed = 1;
		s->error = *error;
	}
	loop_defer(&s->next);
}

int
survey_keep(struct survey *s, struct span text, struct span *found)
{
	*found = arena_span(s->order.keep, text);
	if (found->p != NULL || text.n == 0)
		return 0;
	found->n = 0;
	return error_set(&s->error, ERROR_INTERNAL, 0,
	    "no memory for what the workspace says");
}

struct survey *
survey_start(const struct survey_order *order, struct survey_found *found,
    survey_done_fn *done, void *owner, struct error *e)
{
	struct survey *s = pool_take(sizeof *s, NULL);

	if (s == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory to look at a workspace");
		return NULL;
	}
	memset(s, 0, sizeof *s);
	s->magic = SURVEY_MAGIC;
	s->order = *order;
	s->found = found;
	s->done = done;
	s->owner = owner;
	arena_init(&s->arena, ARENA_MAX);
	loop_deferred_init(&s->next, order->loop, run);
	loop_defer(&s->next);
	return s;
}

void
survey_cancel(struct survey *s)
{
	if (s == NULL)
		return;
	CHECK_OBJ(s, SURVEY_MAGIC);
	end(s);
}

/* --- cwd: the folder that the run was told to work in must be there --- */

static void
found_cwd(struct file_op *op, const struct file_result *r, void *owner)
{
	struct survey *s = owner;
	struct error e;

	(void)op;
	s->op = NULL;
	if (r->error == NULL && r->stat.kind == FILE_DIR) {
		survey_step_done(s, NULL);
		return;
	}
	if (r->error != NULL && r->error->code == ERROR_SANDBOX_LOST)
		e = *r->error;
	else
		error_set(&e, ERROR_MANIFEST, 0,
		    "cwd: there is no folder %s in the workspace",
		    s->order.cwd);
	survey_step_done(s, &e);
}

enum survey_answer
survey_cwd(struct survey *s)
{
	if (s->order.cwd == NULL)
		return SURVEY_NOTHING;
	/* By way of a link it could be looked at, but not be worked in. */
	s->op = sandbox_stat(s->order.sandbox, s->order.cwd, FILE_NOFOLLOW,
	    found_cwd, s, &s->error);
	return s->op == NULL ? SURVEY_FAILED : SURVEY_STARTED;
}
