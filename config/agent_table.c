/*
 * The table of an agent.
 */

#include "config/agent_private.h"
#include "config/cwd.h"
#include "config/manifest_private.h"

static const char *const api_names[] = {
    [API_RESPONSES] = "responses",
    [API_CHAT] = "chat",
    [API_MESSAGES] = "messages",
    NULL,
};

const char *
model_api_name(enum model_api api)
{
	return api_names[api];
}

#define SECONDS_MAX 86400.0

#define RETRY(member) .offset = offsetof(struct agent_retry, member)

static const struct field retry_fields[] = {
    {"attempts", FIELD_INT, RETRY(attempts), .min = 1, .max = 100, .preset = 6,
	.doc = "the first one included"},
    {"base_ms", FIELD_INT, RETRY(base_ms), .max = 600000, .preset = 500,
	.doc = "wait before the second attempt, at most"},
    {"max_ms", FIELD_INT, RETRY(max_ms), .max = 3600000, .preset = 60000,
	.doc = "longest wait"},
    {"retry_after_max_seconds", FIELD_REAL, RETRY(retry_after_max_seconds),
	.max = SECONDS_MAX, .preset = 300,
	.doc = "longest Retry-After that is honoured"},
    {.name = NULL},
};

static const struct table retry_table = {
    .name = "retry",
    .doc = "How often a failed call is tried again.",
    .bytes = sizeof(struct agent_retry),
    .fields = retry_fields,
};

#define MODEL(member) .offset = offsetof(struct agent_model, member)

static const struct field model_fields[] = {
    {"api", FIELD_CHOICE, MODEL(api), .names = api_names,
	.doc = "which API the server speaks"},
    {"name", FIELD_TEXT, FIELD_REQUIRED, MODEL(name),
	.doc = "the model's name at its server"},
    {"base_url", FIELD_TEXT, FIELD_ASIDE, MODEL(base_url),
	.doc = "up to and without /responses and the like"},
    {"api_key", FIELD_SECRET, FIELD_ASIDE | FIELD_NULLABLE, MODEL(api_key),
	.doc = "where the key is; none for a local server"},
    {"headers", FIELD_CUSTOM, MODEL(headers), .custom = &agent_headers_custom,
	.doc = "sent with every request"},
    {"ca_file", FIELD_PATH, FIELD_ASIDE, MODEL(ca_file),
	.doc = "certificates to trust instead of the system's"},
    {"client_cert", FIELD_PATH, FIELD_ASIDE, MODEL(client_cert),
	.doc = "our certificate, where the server asks for one"},
    {"client_key", FIELD_CUSTOM, FIELD_ASIDE, MODEL(client_key),
	.custom = &agent_key_custom, .doc = "and its key"},
    {"pins", FIELD_TEXTS, FIELD_ASIDE, MODEL(pins),
	.doc = "sha256//BASE64 of public keys, one of which must be in the "
	       "server's chain"},
    {"proxy", FIELD_TEXT, FIELD_ASIDE, MODEL(proxy),
	.doc = "http://HOST:PORT to go by way of, instead of HTTPS_PROXY; or "
	       "none"},
    {"first_byte_seconds", FIELD_REAL, FIELD_ASIDE, MODEL(first_byte_seconds),
	.min = 0.001, .max = SECONDS_MAX, .preset = 120,
	.doc = "patience until an answer begins"},
    {"idle_seconds", FIELD_REAL, FIELD_ASIDE, MODEL(idle_seconds), .min = 0.001,
	.max = SECONDS_MAX, .preset = 120,
	.doc = "patience while an answer comes"},
    {"settings", FIELD_JSON, FIELD_OBJECT_ONLY, MODEL(settings),
	.doc = "members for the request: temperature, reasoning, ..."},
    {"retry", FIELD_OBJECT, FIELD_ASIDE, MODEL(retry), .table = &retry_table,
	.doc = "how often a failed call is tried again"},
    {.name = NULL},
};

static const struct table model_table = {
    .name = "model",
    .doc = "Which model, and how it is reached.",
    .bytes = sizeof(struct agent_model),
    .fields = model_fields,
    .check = agent_model_check,
};

static const char *const workspace_names[] = {"plain", "layered", NULL};

static const char *const backend_names[] = {"local", "null", NULL};

#define SANDBOX(member) .offset = offsetof(struct agent_sandbox, member)

static const struct field sandbox_fields[] = {
    {"backend", FIELD_CHOICE, SANDBOX(backend), .names = backend_names,
	.doc = "where sandboxes run"},
    {"profile", FIELD_CUSTOM, SANDBOX(profile), .custom = &agent_profile_custom,
	.doc = "draft, delivery, privileged, bare, a file, or a profile"},
    {"rootfs", FIELD_TEXT, SANDBOX(rootfs),
	.doc = "host or dir:PATH, instead of the profile's"},
    {"workspace", FIELD_CHOICE, FIELD_ASIDE, SANDBOX(workspace),
	.names = workspace_names,
	.doc = "plain: a copy of the manifest; layered: on top of one that all "
	       "runs share"},
    {"changes", FIELD_BOOL, FIELD_ASIDE, SANDBOX(changes), .preset = 1,
	.doc = "results list the files that were added, modified or deleted"},
    {"share", FIELD_BOOL, SANDBOX(share),
	.doc = "as a subagent, work in the sandbox of who started it"},
    {.name = NULL},
};

static const struct table sandbox_table = {
    .name = "sandbox",
    .doc = "Where the agent's commands run, and what they may do.",
    .bytes = sizeof(struct agent_sandbox),
    .fields = sandbox_fields,
};

#define SUBAGENTS(member) .offset = offsetof(struct agent_subagents, member)

static const struct field subagents_fields[] = {
    {"depth", FIELD_INT, SUBAGENTS(depth), .max = 8, .preset = 2,
	.doc = "how deep agents may start agents; 0: not at all"},
    {"at_once", FIELD_INT, SUBAGENTS(at_once), .min = 1, .max = 64, .preset = 8,
	.doc = "agents that one run may have at work at once"},
    {"total", FIELD_INT, SUBAGENTS(total), .max = 100000, .preset = 64,
	.doc = "agents started below one run in all"},
    {.name = NULL},
};

static const struct table subagents_table = {
    .name = "subagents",
    .doc = "How many agents a run may start, and how deep.",
    .bytes = sizeof(struct agent_subagents),
    .fields = subagents_fields,
};

#define COMPACTION(member) .offset = offsetof(struct agent_compaction, member)

static const struct field compaction_fields[] = {
    {"enabled", FIELD_BOOL, COMPACTION(enabled), .preset = 1,
	.doc = "false: a transcript is sent whole, however long"},
    {"threshold_tokens", FIELD_INT, COMPACTION(threshold_tokens), .min = 1000,
	.max = 100000000, .preset = 240000,
	.doc = "how long a request may get; nine tenths of the model's window"},
    {"keep_tokens", FIELD_INT, COMPACTION(keep_tokens), .max = 100000000,
	.preset = 20000, .doc = "of the last turns, which stay as they are"},
    {"summary_tokens", FIELD_INT, COMPACTION(summary_tokens), .min = 100,
	.max = 1000000, .preset = 4000, .doc = "how long a summary may be"},
    {.name = NULL},
};

static const struct table compaction_table = {
    .name = "compaction",
    .doc = "What becomes of a transcript that outgrows its model.",
    .bytes = sizeof(struct agent_compaction),
    .fields = compaction_fields,
};

#define AGENT(member) .offset = offsetof(struct agent, member)

static const struct field agent_fields[] = {
    {"$schema", FIELD_NOTHING, .doc = "where an editor finds the schema"},
    {"name", FIELD_TEXT, FIELD_REQUIRED, AGENT(name),
	.doc = "the agent's name"},
    {"description", FIELD_TEXT, FIELD_NULLABLE, AGENT(description),
	.doc = "what other agents are told of it"},
    {"model", FIELD_OBJECT, AGENT(model), .table = &model_table,
	.doc = "which model, and how it is reached"},
    {"instructions", FIELD_CUSTOM, AGENT(instructions),
	.custom = &agent_instructions_custom,
	.doc = "a text or {file}; ${...} is replaced"},
    {"base_instructions", FIELD_CUSTOM, AGENT(base_instructions),
	.custom = &agent_base_custom,
	.doc = "what stands before them instead of ours; null: nothing"},
    {"answer_schema", FIELD_JSON, FIELD_OBJECT_ONLY, AGENT(answer_schema),
	.doc = "JSON Schema that the final answer must fit"},
    {"manifest", FIELD_CUSTOM, FIELD_NULLABLE, AGENT(manifest),
	.custom = &agent_manifest_custom,
	.doc = "what a fresh workspace contains"},
    {"git_hosts", FIELD_LIST, AGENT(git_hosts),
	.offset_n = offsetof(struct agent, git_hosts_n),
	.table = &git_host_table,
	.doc = "servers of repositories that the manifest may name"},
    {"cwd", FIELD_CUSTOM, FIELD_NULLABLE, AGENT(cwd), .custom = &cwd_custom,
	.doc = "folder of the workspace in which tools begin"},
    {"guardrails", FIELD_OBJECT, AGENT(guardrails), .table = &guardrails_table,
	.doc = "what looks at its input and its answer"},
    {"tool_use", FIELD_CUSTOM, AGENT(tool_use), .custom = &tool_use_custom,
	.doc = "whether a tool's result is the answer"},
    {"tool_timeout_seconds", FIELD_CUSTOM, AGENT(tool_timeouts),
	.custom = &tool_timeouts_custom, .doc = "how long a tool may take"},
    {"run_as", FIELD_TEXT, FIELD_NULLABLE, AGENT(run_as),
	.doc = "one of the manifest's users, as whom tools work"},
    {"agents_md", FIELD_BOOL, AGENT(agents_md), .preset = 1,
	.doc = "whether the workspace's AGENTS.md files go into the prompt"},
    {"skills", FIELD_OBJECT, AGENT(skills), .table = &skills_table,
	.doc = "instructions that the model looks up when it needs them"},
    {"memory", FIELD_CUSTOM, FIELD_NULLABLE, AGENT(memory),
	.custom = &memory_custom,
	.doc = "what the agent remembers from one run to the next"},
    {"outputs", FIELD_CUSTOM, AGENT(outputs), .custom = &agent_outputs_custom,
	.doc = "files and folders of the workspace to collect"},
    {"tools", FIELD_TEXTS, AGENT(tools), .doc = "what the model may call"},
    {"hosted_tools", FIELD_JSON, AGENT(hosted_tools),
	.doc = "tools that the model's server runs: [{type, ...}], as it "
	       "takes them"},
    {"mcp_servers", FIELD_CUSTOM, AGENT(mcp_servers),
	.custom = &mcp_specs_custom,
	.doc = "tool servers, by name: commands or addresses"},
    {"sandbox", FIELD_OBJECT, AGENT(sandbox), .table = &sandbox_table,
	.doc = "where commands run"},
    {"compaction", FIELD_OBJECT, AGENT(compaction), .table = &compaction_table,
	.doc = "when and how the older part of a transcript is summarised"},
    {"budget", FIELD_OBJECT, AGENT(budget), .table = &agent_budget_table,
	.doc = "what a run may spend"},
    {"prices", FIELD_OBJECT, FIELD_ASIDE, AGENT(prices), .table = &prices_table,
	.doc = "what the model's tokens cost"},
    {"code_mode", FIELD_CUSTOM, AGENT(code_mode),
	.custom = &agent_code_mode_custom,
	.doc = "programs that the model runs may call its tools"},
    {"agents", FIELD_CUSTOM, FIELD_ASIDE, AGENT(agents),
	.custom = &agent_links_custom,
	.doc = "other agents by name: as tools, for handoffs, as subagents"},
    {"handoffs", FIELD_CUSTOM, AGENT(handoffs),
	.custom = &agent_handoffs_custom,
	.doc = "which of them may take the run over"},
    {"subagents", FIELD_OBJECT, AGENT(subagents), .table = &subagents_table,
	.doc = "how many agents a run may start, and how deep"},
    {"variables", FIELD_NAMED, AGENT(variables),
	.doc = "values for ${variables.NAME}, where a task gives none"},
    {.name = NULL},
};

const struct table agent_table = {
    .name = "agent",
    .doc = "An agent: who works, with what, within which limits.",
    .bytes = sizeof(struct agent),
    .fields = agent_fields,
    .check = agent_check,
    .defs = manifest_entry_defs,
};
