/*
 * skep check: is a file what it should be, and what does it come to?
 */

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/agent_family.h"
#include "config/complaint.h"
#include "config/manifest.h"
#include "config/mock.h"
#include "config/profile.h"
#include "config/settings.h"
#include "config/skill.h"
#include "config/source.h"
#include "config/table.h"
#include "config/task.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/cmd/check_private.h"
#include "engine/handoff_check.h"
#include "net/json_write.h"
#include "sandbox/seccomp.h"
#include "tools/tool.h"

#define EFFECTIVE_BYTES (8 * LIMIT_CONFIG_FILE - 1)

/* What a good file came to, for --effective. */
struct checked {
	const struct table *table;
	const void *object;
};

/* --- names that only other layers know --- */

static void
check_syscalls(const struct profile *p, const char *path, struct complaints *c)
{
	for (unsigned i = 0; i < p->denied_syscalls.n; i++) {
		const char *name = p->denied_syscalls.at[i];

		if (!seccomp_name_is_known(span_of(name)))
			complain(c, ERROR_SYNTAX, path, 0, 0,
			    "denied_syscalls: there is no system call \"%s\"",
			    name);
	}
}

/* Where element i of a list of the file stands; nowhere is fine, too. */
static void
find_element(struct cli *cli, const char *path, const char *list, unsigned i,
    struct json_place *at)
{
	struct complaints ignored;
	struct source s;
	int v;

	*at = (struct json_place){0, 0, 0};
	complaints_init(&ignored, &cli->arena);
	if (strcmp(path, "-") == 0 ||
	    source_open(&s, &cli->arena, path, &ignored) == -1)
		return;
	v = json_at(&s.doc, json_get(&s.doc, 0, list), (int)i);
	if (v != -1)
		json_place(&s.doc, v, at);
	source_release(&s);
}

static void
check_tools(struct cli *cli, const struct agent *a, struct complaints *c)
{
	struct toolset set = {.n = 0};
	struct json_place at;
	struct error e;

	for (unsigned i = 0; i < a->tools.n; i++) {
		if (agent_link(a, a->tools.at[i]) != NULL ||
		    toolset_add(&set, a->tools.at[i], &e) == 0)
			continue;
		find_element(cli, a->file, "tools", i, &at);
		complain(c, ERROR_SYNTAX, a->file, at.line, at.column,
		    "tools[%u]: %s", i, e.text);
	}
}

/* A tool and an agent of one name could not be told apart. */
static void
check_links(const struct agent *a, struct complaints *c)
{
	for (unsigned i = 0; i < a->agents_n; i++)
		if (tool_exists(a->agents[i].name))
			complain(c, ERROR_SYNTAX, a->file, a->agents[i].line,
			    a->agents[i].column,
			    "agents.%s: this is the name of a tool",
			    a->agents[i].name);
}

/* --- the kinds --- */

static void
check_agent(struct cli *cli, const char *path, struct complaints *c,
    struct checked *out)
{
	const struct agent *a =
	    agent_load(&cli->arena, path, &cli->overrides, c);
	struct agent_family family;

	if (a == NULL)
		return;
	handoff_check(a, c);
	agent_family(a, &family);
	for (unsigned i = 0; i < family.n; i++) {
		const struct agent *m = family.member[i];

		check_tools(cli, m, c);
		check_links(m, c);
		check_syscalls(m->sandbox.profile, m->file, c);
	}
	*out = (struct checked){&agent_table, a};
}

static void
check_profile(struct cli *cli, const char *path, struct complaints *c,
    struct checked *out)
{
	const struct profile *p = profile_builtin(path);

	if (p == NULL || access(path, F_OK) == 0)
		p = profile_load_file(&cli->arena, path, c);
	if (p == NULL)
		return;
	check_syscalls(p, path, c);
	*out = (struct checked){&profile_table, p};
}

static void
check_settings(struct cli *cli, const char *path, struct complaints *c,
    struct checked *out)
{
	struct settings *s = arena_alloc(&cli->arena, sizeof *s);

	if (s == NULL)
		complain(c, ERROR_FULL, path, 0, 0, "out of memory");
	else if (settings_load_file(s, &cli->arena, path, &cli->overrides, c) ==
		 0)
		*out = (struct checked){&settings_table, s};
}

/* A folder, or the SKILL.md in it. */
static void
check_skill(struct cli *cli, const char *path, struct complaints *c)
{
	struct span s = span_of(path), end = span_of("/" SKILL_FILE);

	if (span_has_suffix(s, end))
		path = arena_strndup(&cli->arena, path, s.n - end.n);
	if (path != NULL)
		skill_folder_check(&cli->arena, path, c);
}

static void
check_as(struct cli *cli, enum kind kind, const char *path,
    struct complaints *c, struct checked *out)
{
	switch (kind) {
	case KIND_UNKNOWN:
	case KINDS:
		break;
	case KIND_AGENT:
		check_agent(cli, path, c, out);
		break;
	case KIND_MANIFEST:
		*out = (struct checked){
		    &manifest_table, manifest_load(&cli->arena, path, c)};
		break;
	case KIND_PROFILE:
		check_profile(cli, path, c, out);
		break;
	case KIND_POLICY:
		complain(c, ERROR_SYNTAX, path, 0, 0,
		    "this version of skep knows no policies");
		break;
	case KIND_TASKS:
		check_tasks(&cli->arena, path, c);
		break;
	case KIND_SETTINGS:
		check_settings(cli, path, c, out);
		break;
	case KIND_MOCK:
		mock_script_release(mock_script_load(&cli->arena, path, c));
		break;
	case KIND_SKILL:
		check_skill(cli, path, c);
		break;
	case KIND_JSON:
		check_json(path, c);
		break;
	}
}

/* An agent's stands for the agents that it names as well. */
static int
digest_of(const struct checked *checked, char out[HASH_TEXT_MAX])
{
	const struct agent *a = checked->object;

	if (checked->table != &agent_table)
		return table_digest(checked->table, checked->object, out);
	memcpy(out, a->digest, sizeof a->digest);
	return 0;
}

/* --- saying --- */

static int
print_effective(struct cli *cli, enum kind kind, const char *path,
    const struct checked *checked)
{
	char digest[HASH_TEXT_MAX];
	struct json_writer w;
	struct error e;
	struct text t;
	int status = 0;

	text_init(&t, EFFECTIVE_BYTES);
	if (cli->json)
		json_write_init(&w, &t);
	else
		json_write_init_pretty(&w, &t, 2);
	json_write_object(&w);
	json_put_str(&w, "file", path);
	json_put_str(&w, "kind", kind_name(kind));
	if (checked->object != NULL) {
		if (digest_of(checked, digest) == 0)
			json_put_str(&w, "digest", digest);
		json_write_key(&w, "effective");
		table_put(checked->table, checked->object, TABLE_ALL, &w);
	}
	json_write_end(&w);
	text_add_char(&t, '\n');
	if (json_write_done(&w) == -1)
		error_set(
		    &e, ERROR_TOO_BIG, 0, "%s: too large to be shown", path);
	if (json_write_done(&w) == -1 || cli_write(text_span(&t), &e) == -1)
		status = cli_fail(cli, &e);
	text_release(&t);
	return status;
}

/* The worse of two exit statuses: a missing file before a bad one. */
static int
worse(int a, int b)
{
	return a > b ? a : b;
}

static int
is_missing(const struct complaints *c)
{
	return c->first != NULL && c->first->code == ERROR_NO_INPUT;
}

static int
check_file(struct cli *cli, enum kind kind, const char *path)
{
	struct complaints c;
	struct checked checked = {NULL, NULL};
	int status = 0;

	complaints_init(&c, &cli->arena);
	if (kind == KIND_UNKNOWN && strcmp(path, "-") == 0)
		complain(&c, ERROR_SYNTAX, "standard input", 0, 0,
		    "say what it is with --kind");
	else if (kind == KIND_UNKNOWN) {
		kind = kind_of_file(&cli->arena, path, &c);
		if (kind == KIND_JSON)
			cli_note(cli,
			    "%s: nothing in it tells what kind of file it is, "
			    "so it is checked as plain JSON; or say --kind",
			    path);
	}
	if (c.n == 0)
		check_as(cli, kind, path, &c, &checked);
	if (c.n > 0)
		status = cli_complain(
		    cli, &c, is_missing(&c) ? EX_NOINPUT : EX_DATAERR);
	else if (cli_has(cli, "effective"))
		status = print_effective(cli, kind, path, &checked);
	return status;
}

static int
print_schema(struct cli *cli, enum kind kind)
{
	static const struct table *const tables[KINDS] = {
	    [KIND_AGENT] = &agent_table,
	    [KIND_MANIFEST] = &manifest_table,
	    [KIND_PROFILE] = &profile_table,
	    [KIND_TASKS] = &task_table,
	    [KIND_SETTINGS] = &settings_table,
	    [KIND_MOCK] = &mock_table,
	};
	struct error e;
	struct text t;
	int status = 0;

	if (tables[kind] == NULL)
		return cli_usage(cli, "there is no such schema");
	text_init(&t, 4 * MIB);
	table_schema(tables[kind], &t);
	if (cli_write(text_span(&t), &e) == -1)
		status = cli_fail(cli, &e);
	text_release(&t);
	return status;
}

static int
run(struct cli *cli)
{
	const char *schema = cli_text(cli, "schema", NULL);
	enum kind kind = kind_of_name(cli_text(cli, "kind", "unknown"));
	int status = 0;

	if (schema != NULL)
		return print_schema(cli, kind_of_name(schema));
	if (cli->operands == 0)
		return cli_usage(cli, "say which files: skep check FILE...");
	cli->overrides.ignores_environment = 1;
	for (int i = 0; i < cli->operands; i++)
		status = worse(status, check_file(cli, kind, cli->operand[i]));
	return status;
}

const struct command cmd_check = {
    .name = "check",
    .summary = "say whether files are valid",
    .arguments = "FILE...",
    .text =
	"Agents, manifests, profiles, task files, settings, mock scripts and "
	"folders of skills are checked against what skep would do with them; any other JSON "
	"against RFC 8259. Each fault is one line: FILE:LINE:COLUMN: what is "
	"wrong; what to do.\n"
	"Exit status: 0 all are valid, 65 one is not, 66 one is missing.",
    .options = options_check,
    .operands_max = -1,
    .run = run,
};
