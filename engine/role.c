#include "engine/role.h"

#include <stdlib.h>
#include <string.h>

#include "config/profile.h"
#include "config/vars.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/prompt.h"

static int
hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* "sha256:<hex>" as bytes; the text is ours, so it is well-formed. */
static void
digest_of_text(const char *text, struct digest *out)
{
	const char *hex = strchr(text, ':');

	CHECK(hex != NULL && strlen(hex + 1) == HASH_HEX);
	for (size_t i = 0; i < HASH_BYTES; i++)
		out->byte[i] = (unsigned char)(hex_digit(hex[1 + 2 * i]) << 4 |
					       hex_digit(hex[2 + 2 * i]));
}

static int
copy_outputs(struct role *role, struct error *e)
{
	const struct text_list *declared = &role->agent->outputs;

	role->outputs = calloc(declared->n + 1, sizeof *role->outputs);
	if (role->outputs == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for outputs");
	for (unsigned i = 0; i < declared->n; i++)
		role->outputs[i] = declared->at[i];
	return 0;
}

static int
add_tools(struct role *role, struct error *e)
{
	const struct text_list *names = &role->agent->tools;
	const struct provider_ops *provider =
	    provider_find(span_of(model_api_name(role->agent->model.api)));

	for (unsigned i = 0; i < names->n; i++)
		if (toolset_add(&role->toolset, names->at[i], e) == -1)
			return -1;
	if (role->agent->skills.source == SKILLS_LAZY &&
	    toolset_add(&role->toolset, "load_skill", e) == -1)
		return -1;
	role->specs = toolset_specs(
	    &role->toolset, provider->has_native_tools, role->spec);
	return 0;
}

/* Runs whose prompt has nothing of their own in it share one. */
static int
write_prompt(struct role *role, struct error *e)
{
	struct prompt_facts facts = {.role = role,
	    .instructions = role->agent->instructions,
	    .cwd = role->agent->cwd};

	text_init(&role->prompt, PROMPT_MAX);
	return vars_occur(facts.instructions)
		   ? 0
		   : prompt_write(&facts, &role->prompt, e);
}

int
role_open(struct role *role, const struct agent *agent,
    const struct role_settings *set, struct error *e)
{
	role->agent = agent;
	digest_of_text(agent->digest, &role->digest);
	profile_digest(agent->sandbox.profile, role->profile_digest);
	if (endpoint_open(&role->endpoint, set->loop, &agent->model,
		set->plain_anywhere, set->calls_max, e) == -1 ||
	    environment_secrets_open(&role->secrets, agent->manifest, e) ==
		-1 ||
	    copy_outputs(role, e) == -1)
		return -1;
	return add_tools(role, e) == -1 ? -1 : write_prompt(role, e);
}

void
role_close(struct role *role)
{
	endpoint_close(&role->endpoint);
	environment_secrets_release(&role->secrets);
	free(role->outputs);
	role->outputs = NULL;
	text_release(&role->prompt);
}

int
role_needs_sandbox(const struct role *role)
{
	return role->toolset.n > 0 || role->outputs[0] != NULL;
}

int
role_is_sandboxed(const struct role *role)
{
	return toolset_is_sandboxed(&role->toolset);
}
