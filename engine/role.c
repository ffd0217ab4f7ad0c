#include "engine/role.h"

#include <stdlib.h>
#include <string.h>

#include "config/agent_family.h"
#include "config/profile.h"
#include "config/vars.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "tools/mcp.h"
#include "tools/subagents.h"

#define ROLE_MAX (64 * MIB)
#include "engine/prompt.h"
#include "net/json.h"
#include "net/json_write.h"
#include "sandbox/git_remote.h"

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

/* The servers that its workspaces may be fetched from. */
static int
open_remotes(
    struct role *role, const struct role_settings *set, struct error *e)
{
	const struct agent *a = role->agent;
	struct git_remotes_settings with = {
	    .loop = set->loop,
	    .hosts = a->git_hosts,
	    .hosts_n = a->git_hosts_n,
	    .manifest = a->manifest,
	    .plain_anywhere = set->endpoint.plain_anywhere,
	};

	if (a->git_hosts_n == 0 && !manifest_has(a->manifest, ENTRY_GIT_REPO))
		return 0;
	role->remotes = git_remotes_new(&with, e);
	return role->remotes != NULL ? 0 : -1;
}

static struct subagent_offer
offer_of(const struct agent_link *link)
{
	const struct agent *a = link->agent;

	return (struct subagent_offer){
	    .name = link->name,
	    .title = a->name,
	    .description = a->description,
	    .needs_sandbox = a->sandbox.share,
	};
}

static int
add_tool(struct role *role, const char *name, struct error *e)
{
	const struct agent_link *link = agent_link(role->agent, name);
	struct subagent_offer offer;

	if (link == NULL)
		return toolset_add(&role->toolset, name, e);
	offer = offer_of(link);
	return toolset_add_agent(&role->toolset, &role->arena, &offer, e);
}

static int
add_transfer(struct role *role, const struct agent_handoff *h, struct error *e)
{
	struct subagent_offer offer = offer_of(h->to);

	offer.needs_sandbox = 0;
	offer.text = h->description;
	if (h->input.n > 0)
		offer.schema =
		    arena_strndup(&role->arena, h->input.p, h->input.n);
	return toolset_add_transfer(&role->toolset, &role->arena, &offer, e);
}

/* Whom spawn_agent can start: all that the agent names, and itself. */
static int
offer_agents(struct role *role, struct error *e)
{
	const struct agent *a = role->agent;
	struct subagent_offer offers[AGENTS_MAX];
	int needs_sandbox = a->sandbox.share;

	for (unsigned i = 0; i < a->agents_n; i++) {
		offers[i] = offer_of(&a->agents[i]);
		needs_sandbox |= offers[i].needs_sandbox;
	}
	return toolset_offer_agents(&role->toolset, &role->arena, offers,
	    a->agents_n, needs_sandbox, e);
}

/* Tools that the model's server runs stand behind ours, as they were given. */
static int
add_hosted_tools(struct role *role, struct error *e)
{
	struct json_doc d;
	int status = 0;

	if (role->agent->hosted_tools.n == 0)
		return 0;
	json_doc_init(&d);
	CHECK(json_parse(&d, role->agent->hosted_tools, 0, e) == 0);
	/* An override has not been looked at. */
	if (json_type(&d, 0) != JSON_ARRAY)
		status = error_set(
		    e, ERROR_CONFIG, 0, "hosted_tools: give a list of tools");
	for (int v = json_first(&d, 0); v != -1 && status == 0;
	     v = json_next(&d, 0, v)) {
		if (role->specs == TOOLS_MAX ||
		    json_type(&d, v) != JSON_OBJECT) {
			status = error_set(e, ERROR_CONFIG, 0,
			    "hosted_tools: give objects, and with the other "
			    "tools at most %d",
			    TOOLS_MAX);
			break;
		}
		role->spec[role->specs++] = (struct tool_spec){
		    .kind = TOOL_RAW, .parameters = json_raw(&d, v)};
	}
	json_doc_release(&d);
	return status;
}

/* As the API of its model wants them. */
static int
describe_tools(struct role *role, struct error *e)
{
	const struct provider_ops *provider =
	    provider_find(span_of(model_api_name(role->agent->model.api)));

	role->specs = toolset_specs(
	    &role->toolset, provider->has_native_tools, role->spec);
	return add_hosted_tools(role, e);
}

static int
add_tools(struct role *role, struct error *e)
{
	const struct agent *a = role->agent;

	for (unsigned i = 0; i < a->tools.n; i++)
		if (add_tool(role, a->tools.at[i], e) == -1)
			return -1;
	if (role->agent->skills.source == SKILLS_LAZY &&
	    toolset_add(&role->toolset, "load_skill", e) == -1)
		return -1;
	for (unsigned i = 0; i < a->handoffs_n; i++)
		if (add_transfer(role, &a->handoffs[i], e) == -1)
			return -1;
	if (toolset_has(&role->toolset, "spawn_agent") &&
	    offer_agents(role, e) == -1)
		return -1;
	return describe_tools(role, e);
}

/*
 * The settings of turns after the first tool call: a tool that must be called
 * must be called once, or the run would never end.
 */
static int
relax_settings(struct role *role, struct error *e)
{
	struct span given = role->agent->model.settings;
	struct json_writer w;
	struct json_doc d;
	struct text out;

	role->settings_later = given;
	if (given.n == 0)
		return 0;
	json_doc_init(&d);
	text_init(&out, LIMIT_CONFIG_FILE);
	json_write_init(&w, &out);
	json_write_object(&w);
	if (json_parse(&d, given, 0, e) == -1) {
		json_doc_release(&d);
		return -1;
	}
	for (int key = json_first(&d, 0); key != -1;
	     key = json_next(&d, 0, key)) {
		if (json_is(&d, key, "tool_choice"))
			continue;
		json_write_key_span(&w, json_inner(&d, key));
		json_write_raw(&w, json_raw(&d, json_value(&d, key)));
	}
	json_write_end(&w);
	if (json_get(&d, 0, "tool_choice") != -1)
		role->settings_later =
		    arena_span(&role->arena, text_span(&out));
	json_doc_release(&d);
	text_release(&out);
	return role->settings_later.p != NULL
		   ? 0
		   : error_set(e, ERROR_FULL, 0, "no memory for settings");
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

/* One that is there already, so that connections are shared, or a new one. */
static int
find_endpoint(
    struct role *role, const struct role_settings *set, struct error *e)
{
	const struct agent_model *m = &role->agent->model;

	for (unsigned i = 0; i < set->others_n; i++)
		if (endpoint_is_same(m, &set->others[i].agent->model)) {
			role->model = set->others[i].model;
			return 0;
		}
	if (endpoint_open(&role->endpoint, set->loop, m, &set->endpoint, e) ==
	    -1)
		return -1;
	role->model = role->endpoint.model;
	return 0;
}

int
role_open(struct role *role, const struct agent *agent,
    const struct role_settings *set, struct error *e)
{
	role->agent = agent;
	arena_init(&role->arena, ROLE_MAX);
	digest_of_text(agent->digest, &role->digest);
	profile_digest(agent->sandbox.profile, role->profile_digest);
	if (find_endpoint(role, set, e) == -1 ||
	    open_remotes(role, set, e) == -1 ||
	    environment_secrets_open(&role->secrets, agent->manifest, e) ==
		-1 ||
	    copy_outputs(role, e) == -1)
		return -1;
	if (agent->memory.is_on && agent->memory.read &&
	    memory_locate(
		&role->memory, set->state_path, agent->memory.name, e) == -1)
		return -1;
	if (relax_settings(role, e) == -1)
		return -1;
	return add_tools(role, e) == -1 ? -1 : write_prompt(role, e);
}

int
role_connect(struct role *role, const struct role_settings *set,
    struct sandbox_host *host, struct error *e)
{
	struct mcp_settings servers = {
	    .loop = set->loop,
	    .host = host,
	    .specs = &role->agent->mcp_servers,
	    .state_path = set->state_path,
	    .plain_anywhere = set->endpoint.plain_anywhere,
	    .runs_max = set->runs_max,
	    .calls_max = set->runs_max * 8 + LIMIT_TOOL_CALLS_PER_TURN,
	};

	if (servers.specs->n == 0)
		return 0;
	role->mcp = mcp_new(&servers, e);
	if (role->mcp == NULL || mcp_list(role->mcp, &role->toolset, e) == -1)
		return -1;
	return describe_tools(role, e);
}

void
role_disconnect(struct role *role)
{
	mcp_free(role->mcp);
	role->mcp = NULL;
}

void
role_close(struct role *role)
{
	git_remotes_free(role->remotes);
	role->remotes = NULL;
	endpoint_close(&role->endpoint);
	environment_secrets_release(&role->secrets);
	free(role->outputs);
	role->outputs = NULL;
	text_release(&role->prompt);
	if (role->agent != NULL)
		arena_release(&role->arena);
}

int
role_needs_sandbox(const struct role *role)
{
	return role_is_sandboxed(role) || role->outputs[0] != NULL ||
	       guardrails_need_sandbox(&role->agent->guardrails) ||
	       mcp_sandboxes_max(&role->agent->mcp_servers, 1) > 0;
}

int
role_is_sandboxed(const struct role *role)
{
	return toolset_is_sandboxed(&role->toolset);
}

int
role_starts_agents(const struct role *role)
{
	const struct agent *a = role->agent;

	for (unsigned i = 0; i < a->tools.n; i++)
		if (agent_link(a, a->tools.at[i]) != NULL)
			return 1;
	return toolset_has(&role->toolset, "spawn_agent");
}
