/*
 * skep servers: the tool servers of an agent, what they offer, and what a
 * person says to that: tools accepted, logins given.  (Not `skep mcp`: that
 * name is kept for skep as such a server itself.)
 */

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "config/agent.h"
#include "engine/base/text.h"
#include "engine/cli.h"
#include "engine/launch.h"
#include "engine/state_dir.h"
#include "engine/terminal.h"
#include "net/json_write.h"
#include "sandbox/sandbox.h"
#include "tools/mcp.h"

#define SHOWN_MAX (16 * MIB)

struct desk {
	struct cli *cli;
	struct launch launch;
	struct state_dir state;
	struct loop *loop;
	struct sandbox_host *host;
	struct mcp_specs specs; /* all of the agent's, or the one meant */
	struct mcp *mcp;
};

/* --- open and close --- */

/* "skep servers AGENT": all; "... VERB NAME": that one. */
static int
choose(struct desk *d, const char *name, struct error *e)
{
	const struct mcp_specs *all = &d->launch.engine.agent->mcp_servers;
	const struct mcp_spec *one =
	    name == NULL ? NULL : mcp_specs_get(all, name);

	d->specs = *all;
	if (all->n == 0)
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "the agent names no servers (mcp_servers)");
	if (name != NULL && one == NULL)
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "the agent names no server %s", name);
	if (one != NULL)
		d->specs = (struct mcp_specs){one, 1};
	return 0;
}

static int
open_sandboxes(struct desk *d, struct error *e)
{
	const struct profile *profiles[MCP_SERVERS_MAX];
	struct sandbox_host_settings set = {
	    .sandboxes_max = mcp_sandboxes_max(&d->specs, 1),
	    .profiles = profiles,
	};

	for (unsigned i = 0; i < d->specs.n; i++)
		if (d->specs.at[i].profile != NULL)
			profiles[set.profiles_n++] = d->specs.at[i].profile;
	if (set.profiles_n == 0)
		return 0;
	if (d->cli->zygote_error.code != ERROR_NONE) {
		*e = d->cli->zygote_error;
		return -1;
	}
	set.netns_ready = set.cgroups_ready = 1;
	d->host = sandbox_host_new(d->loop, &d->cli->zygote, &set, e);
	return d->host == NULL ? -1 : 0;
}

static int
desk_open(struct desk *d, const char *name, struct error *e)
{
	struct mcp_settings set = {
	    .specs = &d->specs, .runs_max = 1, .calls_max = 16};

	if (choose(d, name, e) == -1 ||
	    state_dir_choose(&d->state, d->launch.engine.state, e) == -1 ||
	    state_dir_own(&d->state, e) == -1)
		return -1;
	d->loop = loop_new(e);
	if (d->loop == NULL || open_sandboxes(d, e) == -1)
		return -1;
	set.loop = d->loop;
	set.host = d->host;
	set.state_path = d->state.path;
	set.plain_anywhere = d->launch.settings.http_allowed;
	d->mcp = mcp_new(&set, e);
	return d->mcp == NULL ? -1 : 0;
}

static void
desk_close(struct desk *d)
{
	mcp_free(d->mcp);
	sandbox_host_free(d->host);
	if (d->loop != NULL)
		loop_free(d->loop);
	state_dir_close(&d->state);
}

/* --- what they offer --- */

static const char *const pin_names[] = {
    [MCP_PINNED] = "accepted",
    [MCP_FIRST] = "new",
    [MCP_CHANGED] = "changed",
    [MCP_BAD] = "unusable",
    [MCP_BLOCKED] = "blocked",
};

static void
write_tool(const struct mcp_tool_facts *t, struct json_writer *w)
{
	json_write_object(w);
	json_put_span(w, "name", t->name);
	json_put_str(w, "offered_as", t->full);
	json_put_str(w, "state", pin_names[t->pin]);
	if (t->why != NULL)
		json_put_str(w, "reason", t->why);
	json_put_span(w, "description", t->description);
	if (t->schema.n > 0)
		json_put_raw(w, "schema", t->schema);
	json_write_end(w);
}

static void
write_server(const struct desk *d, unsigned i, const struct mcp_server_facts *s,
    struct text *out)
{
	struct mcp_tool_facts t;
	struct json_writer w;

	json_write_init(&w, out);
	json_write_object(&w);
	json_put_str(&w, "server", s->spec->name);
	json_put_str(&w, "revision", s->revision);
	json_put_str(&w, "error", s->error == NULL ? NULL : s->error->text);
	json_put_bool(&w, "wants_login", s->wants_login);
	json_put_array(&w, "tools");
	for (unsigned k = 0; k < s->tools; k++) {
		mcp_tool_facts(d->mcp, i, k, &t);
		write_tool(&t, &w);
	}
	json_write_end(&w);
	json_write_end(&w);
	text_add_char(out, '\n');
}

/* The first line of a description, for a terminal. */
static void
show_tool(const struct mcp_tool_facts *t, struct text *out)
{
	struct span line = span_trim(t->description);

	text_printf(out, "  %-9s ", pin_names[t->pin]);
	terminal_fit(t->name, 60, out);
	text_add_str(out, "  ");
	terminal_fit(
	    t->why != NULL ? span_of(t->why) : span_cut(&line, '\n'), 100, out);
	text_add_char(out, '\n');
}

static void
show_server(const struct desk *d, unsigned i, const struct mcp_server_facts *s,
    struct text *out)
{
	struct mcp_tool_facts t;

	text_printf(out, "%s: ", s->spec->name);
	if (s->error != NULL)
		terminal_fit(span_of(s->error->text), 400, out);
	else
		text_printf(out, "%s, %u tools", s->revision, s->tools);
	text_add_char(out, '\n');
	for (unsigned k = 0; k < s->tools; k++) {
		mcp_tool_facts(d->mcp, i, k, &t);
		show_tool(&t, out);
	}
}

static int
list(struct desk *d, struct error *e)
{
	struct mcp_server_facts s;
	struct text out;
	int failed = 0, rc;

	if (mcp_list(d->mcp, NULL, e) == -1)
		return -1;
	text_init(&out, SHOWN_MAX);
	for (unsigned i = 0; mcp_server_facts(d->mcp, i, &s) == 0; i++) {
		failed |= s.error != NULL;
		if (d->cli->json)
			write_server(d, i, &s, &out);
		else
			show_server(d, i, &s, &out);
	}
	rc = cli_write(text_span(&out), e);
	text_release(&out);
	if (rc == 0 && failed)
		rc = error_set(
		    e, ERROR_CONNECT, 0, "not all servers could be had");
	return rc;
}

static int
accept_tools(struct desk *d, struct error *e)
{
	const char *tool = d->cli->operands > 3 ? d->cli->operand[3] : NULL;
	struct mcp_server_facts s;

	if (mcp_list(d->mcp, NULL, e) == -1)
		return -1;
	(void)mcp_server_facts(d->mcp, 0, &s);
	if (s.error != NULL) {
		*e = *s.error;
		return -1;
	}
	if (mcp_accept(d->mcp, 0, tool, e) == -1)
		return -1;
	cli_note(d->cli, "%s of %s %s accepted as offered now",
	    tool != NULL ? tool : "all tools", s.spec->name,
	    tool != NULL ? "is" : "are");
	return 0;
}

/* The address is the result: a person or a program opens it. */
static void
show_address(void *owner, struct span url)
{
	struct desk *d = owner;
	struct json_writer w;
	struct error ignored;
	struct text out;

	text_init(&out, MIB);
	if (d->cli->json) {
		json_write_init(&w, &out);
		json_write_object(&w);
		json_put_span(&w, "url", url);
		json_write_end(&w);
	} else
		text_add(&out, url);
	text_add_char(&out, '\n');
	(void)cli_write(text_span(&out), &ignored);
	text_release(&out);
	cli_note(d->cli, "open this address in a browser on this machine");
}

static int
login(struct desk *d, struct error *e)
{
	struct span more = span_of(cli_text(d->cli, "scope", ""));

	if (mcp_login(d->mcp, 0, more, show_address, d, e) == -1)
		return -1;
	cli_note(d->cli, "%s lets us in", d->specs.at[0].name);
	return 0;
}

static int
logout(struct desk *d, struct error *e)
{
	if (mcp_logout(d->mcp, 0, e) == -1)
		return -1;
	cli_note(d->cli, "the login at %s is forgotten", d->specs.at[0].name);
	return 0;
}

static const struct {
	const char *name;
	int wants_server;
	int (*work)(struct desk *d, struct error *e);
} verbs[] = {
    {"list", 0, list},
    {"accept", 1, accept_tools},
    {"login", 1, login},
    {"logout", 1, logout},
};

#define VERBS (sizeof verbs / sizeof verbs[0])

static int
run(struct cli *cli)
{
	const char *verb = cli->operands > 1 ? cli->operand[1] : "list";
	const char *name = cli->operands > 2 ? cli->operand[2] : NULL;
	struct desk *d;
	struct error e;
	size_t i = 0;
	int status;

	while (i < VERBS && strcmp(verbs[i].name, verb) != 0)
		i++;
	if (i == VERBS)
		return cli_usage(cli, "there is no '%s' for servers", verb);
	if (verbs[i].wants_server && name == NULL)
		return cli_usage(cli, "%s: which server?", verb);
	d = calloc(1, sizeof *d);
	if (d == NULL)
		return EX_OSERR;
	d->cli = cli;
	d->state.fd = d->state.lock_fd = -1;
	status = launch_prepare(&d->launch, cli);
	if (status == 0 &&
	    (desk_open(d, name, &e) == -1 || verbs[i].work(d, &e) == -1))
		status = launch_refused(cli, &e);
	desk_close(d);
	free(d);
	return status;
}

const struct command cmd_servers = {
    .name = "servers",
    .summary = "the tool servers of an agent: what they offer, logins",
    .arguments = "AGENT [list|accept NAME [TOOL]|login NAME|logout NAME]",
    .text =
	"Without a verb, or with list, asks every server of the agent's "
	"mcp_servers what it offers.  Tools are pinned as they were when they "
	"were first seen; one that is new or changed since is not offered to "
	"models until it is accepted, alone or with all others of its server.  "
	"login prints an address to be opened in a browser on this machine, "
	"and waits until it comes back; the token is kept below the state "
	"directory.",
    .options = options_servers,
    .operands_min = 1,
    .operands_max = 4,
    .flags = COMMAND_SANDBOXES,
    .run = run,
};
