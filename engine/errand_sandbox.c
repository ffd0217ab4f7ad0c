/* SANDBOX: built from the manifest at the first tool call that needs one. */

#include "config/manifest.h"
#include "config/vars.h"
#include "engine/base/check.h"
#include "engine/code_mode.h"
#include "engine/errand.h"
#include "engine/role.h"
#include "sandbox/sandbox.h"

static void
created(struct sandbox *sb, const struct error *error, void *owner)
{
	struct errand *er = owner;
	struct error e;

	stopwatch_stop(&er->sandbox_time, er->supplies->loop);
	(void)sb; /* destroyed when the run ends */
	if (error != NULL) {
		errand_fail(er, error, ERROR_SANDBOX_UNAVAILABLE);
		return;
	}
	if (er->spent.turns > 0 || !errand_must_look(er))
		run_post(er->run, RUN_EV_READY);
	else if (errand_survey(er, &e) == -1)
		errand_fail(er, &e, ERROR_INTERNAL);
}

static void
lost(struct sandbox *sb, const struct error *error, void *owner)
{
	(void)sb;
	errand_fail(owner, error, ERROR_SANDBOX_LOST);
}

static const struct sandbox_ops ops = {created, lost};

/* Whose workspace it is: its agent's now, else the first one's. */
static const struct role *
owner_of_manifest(const struct errand *er)
{
	return er->role->agent->manifest != NULL ? er->role : er->first;
}

/* The same with the memory's files, if there is one to be read. */
static const struct manifest *
add_memory(struct errand *er, const struct manifest *m, struct error *e)
{
	const struct manifest *memory;

	if (!memory_can_be_read(&er->role->memory))
		return m;
	memory = memory_manifest(&er->role->memory, 0, &er->keep);
	if (memory == NULL) {
		error_set(e, ERROR_INTERNAL, 0, "no memory for a memory");
		return NULL;
	}
	return manifest_merge(&er->keep, m, memory, e);
}

/* The agent's manifest with the task's over it and all names replaced. */
static int
make_manifest(struct errand *er, const struct manifest **out, struct error *e)
{
	const struct agent *agent = owner_of_manifest(er)->agent;
	struct vars vars = {
	    .input = er->task.input,
	    .custom_id = er->task.custom_id,
	    .task = er->task.variables,
	    .agent = agent->variables,
	};
	const struct manifest *m;

	*out = NULL;
	if (agent->manifest == NULL && er->task.manifest == NULL) {
		*out = add_memory(er, NULL, e);
		return *out == NULL && memory_can_be_read(&er->role->memory)
			   ? -1
			   : 0;
	}
	m = manifest_merge(&er->keep, agent->manifest, er->task.manifest, e);
	if (m != NULL)
		m = manifest_expand(&er->keep, m, &vars, e);
	if (m != NULL)
		m = add_memory(er, m, e);
	*out = m;
	return m == NULL ? -1 : 0;
}

/* An agent that may come to work in it calls tools from programs. */
static int
add_code_mode(struct errand *er, const struct manifest **m, struct error *e)
{
	int wanted = 0;

	for (unsigned i = 0; i < er->supplies->roles; i++)
		wanted |= er->supplies->role[i].agent->code_mode.enabled;
	if (!wanted)
		return 0;
	*m = code_mode_manifest(&er->keep, *m, e);
	return *m == NULL ? -1 : 0;
}

int
errand_build_sandbox(struct run *run, struct error *e)
{
	struct errand *er = run_owner(run);
	struct supplies *s = er->supplies;
	struct sandbox_spec spec = {
	    .profile = er->profile,
	    .layered = er->role->agent->sandbox.workspace == WORKSPACE_LAYERED,
	    .remembers = er->role->agent->sandbox.changes,
	    .run_as = er->role->agent->run_as,
	    .remotes = er->role->remotes,
	    .label = er->id,
	};

	errand_clock_run(er);
	er->remembers = spec.remembers != 0;
	run_set_tells_changes(run, spec.remembers);
	if (make_manifest(er, &spec.manifest, e) == -1 ||
	    add_code_mode(er, &spec.manifest, e) == -1) {
		e->code = ERROR_MANIFEST;
		return -1;
	}
	er->manifest = spec.manifest;
	if (environment_init(&er->environment, &er->keep, spec.manifest,
		&owner_of_manifest(er)->secrets) == -1)
		return error_set(
		    e, ERROR_INTERNAL, 0, "no memory for an environment");
	stopwatch_start(&er->sandbox_time, s->loop);
	er->sandbox = sandbox_create(s->host, &spec, &ops, er, e);
	if (er->sandbox != NULL)
		return 0;
	stopwatch_stop(&er->sandbox_time, s->loop);
	if (e->code > ERROR_INTERNAL)
		e->code = ERROR_SANDBOX_UNAVAILABLE;
	return -1;
}
