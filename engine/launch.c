#include "engine/launch.h"

#include <string.h>
#include <sysexits.h>

#include "config/agent_family.h"
#include "config/complaint.h"
#include "engine/base/trace.h"
#include "engine/cli.h"
#include "engine/handoff_check.h"

/* Every fault, and the status that the first one gives. */
static int
complain_all(struct cli *cli, const struct complaints *c)
{
	struct error e;

	complaints_error(c, &e);
	return cli_complain(
	    cli, c, e.code == ERROR_NO_INPUT ? EX_NOINPUT : EX_CONFIG);
}

/* A -c that no table knew is a mistake, not a wish. */
static int
check_overrides(struct cli *cli)
{
	for (unsigned i = 0; i < cli->overrides.n; i++)
		if (!cli->overrides.at[i].used)
			return cli_usage(cli, "there is no setting '%s'",
			    cli->overrides.at[i].key);
	return 0;
}

static int
count_variables(const struct cli *cli)
{
	unsigned at = 0;
	int n = 0;

	while (cli_next(cli, "var", &at) != NULL)
		n++;
	return n;
}

/*
 * The agent with the --var ones before its own.  They change what it does,
 * so they change its digest.
 */
static int
add_variables(struct cli *cli, struct agent *a)
{
	int n = count_variables(cli);
	struct named_text *list;
	const struct cli_given *given;
	unsigned at = 0, i = 0;
	struct hash hash;
	struct digest digest;

	if (n == 0)
		return 0;
	list = arena_alloc(
	    &cli->arena, ((size_t)n + a->variables.n) * sizeof *list);
	if (list == NULL)
		return cli_usage(cli, "too many variables");
	hash_init(&hash);
	hash_add(&hash, span_of(a->digest));
	while ((given = cli_next(cli, "var", &at)) != NULL) {
		const char *equals = strchr(given->text, '=');

		if (equals == NULL || equals == given->text)
			return cli_usage(cli, "--var %s: give it as NAME=VALUE",
			    given->text);
		list[i].name = arena_strndup(
		    &cli->arena, given->text, (size_t)(equals - given->text));
		list[i++].value = span_of(equals + 1);
		hash_add(
		    &hash, (struct span){given->text, strlen(given->text) + 1});
	}
	hash_end(&hash, &digest);
	digest_text(&digest, a->digest);
	for (unsigned k = 0; k < a->variables.n; k++)
		list[i++] = a->variables.at[k];
	a->variables = (struct named_list){list, i};
	return 0;
}

/* Its subagents hear of them, too. */
static int
add_variables_to_all(struct cli *cli, struct agent *first)
{
	struct agent_family family;
	int status = 0;

	agent_family(first, &family);
	for (unsigned i = 0; status == 0 && i < family.n; i++)
		status = add_variables(cli, (struct agent *)family.member[i]);
	return status;
}

static void
note(void *noter, struct span line)
{
	cli_note(noter, "%.*s", (int)line.n, line.p);
}

int
launch_prepare(struct launch *l, struct cli *cli)
{
	struct agent *agent;
	struct complaints c;
	struct error e;
	int status;

	memset(l, 0, sizeof *l);
	trace_level(cli->verbose);
	complaints_init(&c, &cli->arena);
	agent = agent_load(&cli->arena, cli->operand[0], &cli->overrides, &c);
	if (agent == NULL ||
	    settings_load(&l->settings, &cli->arena, &cli->overrides, &c) == -1)
		return complain_all(cli, &c);
	handoff_check(agent, &c);
	if (c.n > 0)
		return complain_all(cli, &c);
	status = check_overrides(cli);
	if (status == 0)
		status = add_variables_to_all(cli, agent);
	if (status != 0)
		return status;
	l->engine = (struct engine_settings){
	    .agent = agent,
	    .settings = &l->settings,
	    .outputs_dir = cli_text(cli, "outputs", NULL),
	    .zygote = &cli->zygote,
	    .zygote_error = &cli->zygote_error,
	    .note = note,
	    .noter = cli,
	};
	l->engine.state = cli_state_folder(cli, &e);
	return l->engine.state == NULL ? cli_fail(cli, &e) : 0;
}

int
launch_refused(struct cli *cli, const struct error *e)
{
	int status = cli_fail(cli, e);

	switch (e->code) {
	case ERROR_SANDBOX_UNAVAILABLE:
		return EX_UNAVAILABLE;
	case ERROR_MODEL_TLS:
		return EX_CONFIG;
	default:
		return status;
	}
}

void
launch_tell_memory(struct cli *cli, const struct engine *en)
{
	const struct error *e = engine_memory_trouble(en);

	if (e != NULL)
		cli_note(
		    cli, "the memory: %s: %s", error_name(e->code), e->text);
}
