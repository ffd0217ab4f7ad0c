/* OUTPUTS: what the agent declares leaves the sandbox before that goes. */

#include <string.h>

#include "config/profile.h"
#include "engine/base/check.h"
#include "engine/errand.h"
#include "engine/role.h"
#include "sandbox/outputs.h"

static const struct error no_memory = {
    .code = ERROR_INTERNAL,
    .text = "no memory for the list of outputs",
};

/* The list is lent, what it links lies in our arena: copy and keep. */
static int
keep_files(struct errand *er, const struct list *files)
{
	const struct list_node *n = list_first(files);

	for (; n != NULL; n = list_next(files, n)) {
		struct output_file *copy = arena_alloc(&er->keep, sizeof *copy);

		if (copy == NULL)
			return -1;
		*copy = *container_of(n, struct output_file, link);
		copy->link = (struct list_node){NULL, NULL};
		list_append(&er->files, &copy->link);
	}
	return 0;
}

/* The folder outside cannot be written: that is not the run's fault. */
static int
is_worlds_fault(const struct error *e)
{
	return e->code == ERROR_IO || e->code == ERROR_CANNOT_CREATE;
}

static void
collected(const struct list *files, const struct error *error, void *owner)
{
	struct errand *er = owner;
	struct error e;

	er->outputs = NULL;
	if (keep_files(er, files) == -1)
		error = &no_memory;
	if (error != NULL && is_worlds_fault(error))
		er->supplies->stop(er->supplies->stopper, error);
	else if (error != NULL)
		errand_fail(er, error,
		    error->code == ERROR_TOO_BIG ? ERROR_OUTPUT_MISSING
						 : ERROR_INTERNAL);
	else if (errand_list_changes(er, &e) == -1)
		errand_fail(er, &e, ERROR_INTERNAL);
}

const char *const *
errand_outputs(const struct errand *er)
{
	const struct role *role =
	    er->role->outputs[0] != NULL ? er->role : er->first;

	return (const char *const *)role->outputs;
}

const char *
errand_outputs_dir(struct errand *er, struct error *e)
{
	const struct supplies *s = er->supplies;
	const char *dir;

	if (er->outputs_dir != NULL)
		dir = er->outputs_dir;
	else if (s->outputs_dir == NULL || er->family.depth > 0)
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
	struct outputs_limits limits;
	const char *dir;

	errand_clock_run(er);
	if (errand_outputs(er)[0] == NULL)
		return errand_list_changes(er, e);
	dir = errand_outputs_dir(er, e);
	if (dir == NULL)
		return -1;
	outputs_limits_of(&er->profile->limits, errand_outputs(er), &limits);
	er->outputs = outputs_start(er->supplies->loop, er->sandbox,
	    errand_outputs(er), dir, &limits, &er->keep, collected, er, e);
	if (er->outputs != NULL)
		return 0;
	if (is_worlds_fault(e)) {
		er->supplies->stop(er->supplies->stopper, e);
		return 0;
	}
	if (e->code > ERROR_INTERNAL)
		e->code = ERROR_INTERNAL;
	return -1;
}
