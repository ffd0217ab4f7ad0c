/* What the model of a run is told before the conversation begins. */

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

int
errand_write_prompt(struct errand *er, struct error *e)
{
	struct prompt_facts facts = {.role = er->role};
	struct text text;
	int answer;

	er->prompt = text_span(&er->role->prompt);
	if (er->prompt.n > 0)
		return 0;
	if (expand_instructions(er, e) == -1)
		return -1;
	facts.instructions = er->instructions;
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
