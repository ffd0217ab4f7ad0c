/* OUTPUTS: what the agent declares leaves the sandbox before that goes. */

#include <string.h>

#include "engine/base/check.h"
#include "engine/errand.h"
#include "sandbox/outputs.h"

static void
collected(const struct list *files, const struct error *error, void *owner)
{
	struct errand *er = owner;

	er->outputs = NULL;
	er->files = files;
	if (error != NULL)
		errand_fail(er, error,
		    error->code == ERROR_TOO_BIG ? ERROR_OUTPUT_MISSING
						 : ERROR_INTERNAL);
	else
		run_post(er->run, RUN_EV_COLLECTED);
}

const char *
errand_outputs_dir(struct errand *er, struct error *e)
{
	const struct supplies *s = er->supplies;
	const char *dir;

	if (s->outputs_dir == NULL)
		dir = arena_printf(
		    &er->keep, "%s/runs/%s/outputs", s->state_path, er->id);
	else if (s->outputs_dir_is_one)
		dir = s->outputs_dir;
	else
		dir = arena_printf(&er->keep, "%s/%s", s->outputs_dir, er->id);
	if (dir == NULL)
		error_set(e, ERROR_INTERNAL, 0, "no memory for a path");
	return dir;
}

int
errand_collect_outputs(struct run *run, struct error *e)
{
	struct errand *er = run_owner(run);
	struct outputs_limits limits = {0, 0};
	const char *dir = errand_outputs_dir(er, e);

	errand_clock_run(er);
	if (dir == NULL)
		return -1;
	er->outputs = outputs_start(er->supplies->loop, er->sandbox,
	    er->supplies->outputs, dir, &limits, &er->keep, collected, er, e);
	if (er->outputs == NULL && e->code > ERROR_INTERNAL)
		e->code = ERROR_INTERNAL;
	return er->outputs == NULL ? -1 : 0;
}
