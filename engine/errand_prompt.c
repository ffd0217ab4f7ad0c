/* What the model of a run is told before the conversation begins. */

#include "config/manifest.h"
#include "config/vars.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/errand.h"
#include "engine/prompt.h"
#include "engine/role.h"

/* The agent's instructions with the task's names in them. */
static int
expand_instructions(struct errand *er, struct error *e)
{
	struct span given = er->role->agent->instructions;
	struct vars vars = {
	    .input = er->task.input,
	    .custom_id = er->task.custom_id,
	    .task = er->task.variables,
	    .agent = er->role->agent->variables,
	};
	struct text text;
	int answer;

	er->instructions = given;
	if (!vars_occur(given))
		return 0;
	text_init(&text, LIMIT_CONFIG_FILE + 4 * LIMIT_TASK_LINE);
	answer = vars_expand(given, &vars, &text, e);
	if (answer == -1)
		error_wrap(e, "instructions");
	else
		er->instructions = arena_span(&er->keep, text_span(&text));
	text_release(&text);
	return answer;
}

const char *
errand_cwd(const struct errand *er)
{
	/* A handoff moves nobody. */
	return er->task.cwd != NULL ? er->task.cwd : er->first->agent->cwd;
}

static int
has_entries(const struct manifest *m)
{
	return m != NULL && m->entries_n > 0;
}

int
errand_must_look(const struct errand *er)
{
	return role_is_sandboxed(er->role) &&
	       (has_entries(er->role->agent->manifest) ||
		   has_entries(er->task.manifest) || errand_cwd(er) != NULL ||
		   memory_can_be_read(&er->role->memory));
}

static void
surveyed(const struct error *error, void *owner)
{
	struct errand *er = owner;
	struct error e;

	er->survey = NULL;
	if (error != NULL) {
		errand_fail(er, error, ERROR_SANDBOX_LOST);
		return;
	}
	er->was_surveyed = er->has_looked = 1;
	if (errand_write_prompt(er, &e) == -1)
		errand_fail(er, &e, ERROR_INTERNAL);
	else if (run_state(er->run) != RUN_MODEL)
		run_post(er->run, RUN_EV_READY);
	else if (errand_call_model(er->run, &e) == -1)
		errand_fail(er, &e, ERROR_INTERNAL);
}

int
errand_looks_into_parents(const struct errand *er)
{
	return er->shares_sandbox && !er->has_looked && er->sandbox != NULL &&
	       role_is_sandboxed(er->role);
}

int
errand_survey(struct errand *er, struct error *e)
{
	struct survey_order order = {
	    .loop = er->supplies->loop,
	    .sandbox = er->sandbox,
	    .agent = er->role->agent,
	    .manifest = er->manifest,
	    .cwd = errand_cwd(er),
	    .keep = &er->keep,
	};

	er->survey = survey_start(&order, &er->found, surveyed, er, e);
	return er->survey == NULL ? -1 : 0;
}

int
errand_write_prompt(struct errand *er, struct error *e)
{
	struct prompt_facts facts = {
	    .role = er->role, .found = er->was_surveyed ? &er->found : NULL};
	struct text text;
	int answer;

	er->prompt = text_span(&er->role->prompt);
	if (er->prompt.n > 0 && !er->was_surveyed)
		return 0;
	if (expand_instructions(er, e) == -1)
		return -1;
	facts.instructions = er->instructions;
	facts.cwd = errand_cwd(er);
	text_init(&text, PROMPT_MAX);
	answer = prompt_write(&facts, &text, e);
	if (answer == 0) {
		er->prompt = arena_span(&er->keep, text_span(&text));
		if (er->prompt.p == NULL && text.n > 0)
			answer = error_set(e, ERROR_INTERNAL, 0,
			    "no memory for the instructions");
	}
	text_release(&text);
	return answer;
}
