#include "config/mcp_spec.h"

#include <fnmatch.h>
#include <string.h>

#include "config/agent.h"
#include "config/agent_private.h"
#include "config/profile.h"
#include "config/table_private.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "net/json.h"
#include "net/json_write.h"

#define SECONDS_MAX 86400.0

/* --- names with a value or a reference --- */

/* One list after the other: struct mcp_spec has a pointer and its count. */
struct named {
	const struct agent_header **at;
	unsigned *n;
};

static int
named_one(struct table_reader *r, int key, struct agent_header *h)
{
	int v = json_value(r->doc, key);

	if (table_text(r, key, &h->name) == -1)
		return -1;
	if (json_type(r->doc, v) != JSON_STRING)
		return table_secret(r, v, &h->secret);
	return table_text(r, v, &h->value);
}

static int
named_read(struct table_reader *r, int v, struct named out,
    int (*check)(struct table_reader *r, int key, const struct agent_header *h))
{
	struct agent_header *list;
	unsigned n = 0;
	int status = 0;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(
		    r, v, "an object of texts and references");
	list = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *list);
	if (list == NULL)
		return table_full(r);
	for (int key = json_first(r->doc, v); key != -1;
	     key = json_next(r->doc, v, key))
		if (named_one(r, key, &list[n]) == -1 ||
		    check(r, key, &list[n]) == -1)
			status = -1;
		else
			n++;
	*out.at = list;
	*out.n = n;
	return status;
}

static void
named_write(struct json_writer *w, const char *key,
    const struct agent_header *at, unsigned n)
{
	if (n == 0)
		return;
	json_put_object(w, key);
	for (unsigned i = 0; i < n; i++) {
		json_write_key(w, at[i].name);
		if (at[i].value != NULL)
			json_write_str(w, at[i].value);
		else
			secret_ref_write(&at[i].secret, w);
	}
	json_write_end(w);
}

static int
check_variable(struct table_reader *r, int key, const struct agent_header *h)
{
	if (h->name[0] == '\0' || strchr(h->name, '=') != NULL)
		return table_complain(r, key, "not a name of a variable");
	return 0;
}

static int
env_read(struct table_reader *r, int v, void *at)
{
	struct mcp_spec *s = container_of(at, struct mcp_spec, env);

	return named_read(
	    r, v, (struct named){&s->env, &s->env_n}, check_variable);
}

static void
env_write(struct json_writer *w, const char *key, const void *at)
{
	const struct mcp_spec *s = container_of(at, struct mcp_spec, env);

	named_write(w, key, s->env, s->env_n);
}

static int
headers_read(struct table_reader *r, int v, void *at)
{
	struct mcp_spec *s = container_of(at, struct mcp_spec, headers);

	return named_read(r, v, (struct named){&s->headers, &s->headers_n},
	    agent_header_check);
}

static void
headers_write(struct json_writer *w, const char *key, const void *at)
{
	const struct mcp_spec *s = container_of(at, struct mcp_spec, headers);

	named_write(w, key, s->headers, s->headers_n);
}

static const struct field_custom env_custom = {
    env_read, env_write, agent_headers_schema};
static const struct field_custom headers_custom = {
    headers_read, headers_write, agent_headers_schema};

/* --- one server --- */

static const char *const grant_names[] = {
    [MCP_GRANT_CODE] = "authorization_code",
    [MCP_GRANT_CLIENT] = "client_credentials",
    NULL,
};

static int
oauth_check(struct table_reader *r, int v, void *at)
{
	struct mcp_oauth *o = at;

	o->is_given = v != -1;
	if (o->grant == MCP_GRANT_CLIENT && o->client_id == NULL && v != -1)
		return table_complain(r, v,
		    "client_credentials needs a client_id, and a client_secret "
		    "or private_key");
	if (o->client_secret.kind != SECRET_NOWHERE &&
	    o->private_key.kind != SECRET_NOWHERE)
		return table_complain(
		    r, v, "a client_secret or a private_key, not both");
	return 0;
}

#define OAUTH(member) .offset = offsetof(struct mcp_oauth, member)

static const struct field oauth_fields[] = {
    {"grant", FIELD_CHOICE, OAUTH(grant), .names = grant_names,
	.doc = "a person logs in once, or the program itself"},
    {"client_id", FIELD_TEXT, OAUTH(client_id),
	.doc = "where the server's operator gave one"},
    {"client_secret", FIELD_SECRET, OAUTH(client_secret),
	.doc = "and its secret"},
    {"private_key", FIELD_SECRET, OAUTH(private_key),
	.doc = "PEM of a P-256 key that signs instead of a secret"},
    {"client_metadata_url", FIELD_TEXT, OAUTH(client_metadata_url),
	.doc = "an https address of ours that describes this client"},
    {"scope", FIELD_TEXT, OAUTH(scope),
	.doc = "asked for instead of what the server names"},
    {"redirect_port", FIELD_INT, OAUTH(redirect_port), .max = 65535,
	.doc = "of 127.0.0.1, for the browser's way back; 0 is any"},
    {.name = NULL},
};

static const struct table oauth_table = {
    .name = "oauth",
    .doc = "How a token for the server is got.",
    .bytes = sizeof(struct mcp_oauth),
    .fields = oauth_fields,
    .check = oauth_check,
};

static const char *const elicitation_names[] = {
    [MCP_DECLINE] = "decline",
    [MCP_DEFAULTS] = "defaults",
    NULL,
};

/* A server lives as long as its run: the clock of commands is not for it. */
static int
server_profile(struct table_reader *r, struct mcp_spec *s)
{
	const struct profile *given =
	    s->profile != NULL ? s->profile : profile_builtin("draft");
	struct profile *own = arena_alloc(r->arena, sizeof *own);

	if (own == NULL)
		return table_full(r);
	*own = *given;
	own->limits.command_ms = own->limits.output_bytes = 0;
	s->profile = own;
	return 0;
}

static int
check_address(struct table_reader *r, int v, const struct mcp_spec *s)
{
	int at = json_get(r->doc, v, "url");
	struct span url = span_of(s->url);

	if (!span_has_prefix(url, span_of("https://")) &&
	    !span_has_prefix(url, span_of("http://")))
		return table_complain(r, at,
		    "%s is no address; give one such as "
		    "https://tools.example.com/mcp",
		    s->url);
	if (s->env_n > 0 || s->args.n > 0 || s->profile != NULL || s->shared)
		return table_complain(
		    r, v, "args, env, profile and shared are for a command");
	return 0;
}

static int
server_check(struct table_reader *r, int v, void *at)
{
	struct mcp_spec *s = at;

	if ((s->command == NULL) == (s->url == NULL))
		return table_complain(
		    r, v, "give either a \"command\" or a \"url\"");
	if (s->url != NULL)
		return check_address(r, v, s);
	if (s->command[0] == '\0')
		return table_complain(
		    r, json_get(r->doc, v, "command"), "the command is empty");
	if (s->headers_n > 0 || s->oauth.is_given || s->ca_file != NULL)
		return table_complain(
		    r, v, "headers, ca_file and oauth are for a url");
	return server_profile(r, s);
}

#define SERVER(member) .offset = offsetof(struct mcp_spec, member)

static const struct field server_fields[] = {
    {"command", FIELD_TEXT, SERVER(command),
	.doc = "a program that speaks on its standard streams"},
    {"args", FIELD_TEXTS, SERVER(args), .doc = "its arguments"},
    {"env", FIELD_CUSTOM, SERVER(env), .custom = &env_custom,
	.doc = "its environment: texts, or where a secret is"},
    {"profile", FIELD_CUSTOM, SERVER(profile), .custom = &agent_profile_custom,
	.doc = "of its sandbox; draft"},
    {"shared", FIELD_BOOL, SERVER(shared),
	.doc = "one process for all runs instead of one for each"},
    {"url", FIELD_TEXT, SERVER(url), .doc = "or: where it listens"},
    {"headers", FIELD_CUSTOM, SERVER(headers), .custom = &headers_custom,
	.doc = "sent with every request"},
    {"ca_file", FIELD_PATH, SERVER(ca_file),
	.doc = "certificates to trust instead of the system's"},
    {"oauth", FIELD_OBJECT, SERVER(oauth), .table = &oauth_table,
	.doc = "how a token is got"},
    {"allow_tools", FIELD_TEXTS, SERVER(allow_tools),
	.doc = "patterns; absent: all its tools"},
    {"block_tools", FIELD_TEXTS, SERVER(block_tools),
	.doc = "patterns of tools that are not offered"},
    {"allow_resources", FIELD_TEXTS, SERVER(allow_resources),
	.doc = "patterns of addresses; absent: none"},
    {"block_resources", FIELD_TEXTS, SERVER(block_resources),
	.doc = "patterns of addresses that are refused"},
    {"prompts", FIELD_BOOL, SERVER(prompts),
	.doc = "the model may read the server's prompts"},
    {"elicitation", FIELD_CHOICE, SERVER(elicitation),
	.names = elicitation_names,
	.doc = "what a server that asks a person hears: no, or the defaults"},
    {"required", FIELD_BOOL, SERVER(required), .preset = 1,
	.doc = "false: runs go on without its tools when it cannot be had"},
    {"connect_seconds", FIELD_REAL, FIELD_ASIDE, SERVER(connect_seconds),
	.min = 0.001, .max = SECONDS_MAX, .preset = 10,
	.doc = "patience until it has introduced itself"},
    {"call_seconds", FIELD_REAL, FIELD_ASIDE, SERVER(call_seconds),
	.min = 0.001, .max = SECONDS_MAX, .preset = 60,
	.doc = "patience with one call"},
    {.name = NULL},
};

static const struct table server_table = {
    .name = "mcp_server",
    .doc = "A tool server that speaks the Model Context Protocol.",
    .bytes = sizeof(struct mcp_spec),
    .fields = server_fields,
    .check = server_check,
};

/* --- all of them --- */

/* It stands before "__" in the names of tools, which models know. */
static int
check_name(struct table_reader *r, int key, const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	if (n == 0 || name[n] != '\0' || n > MCP_NAME_MAX ||
	    strstr(name, "__") != NULL || name[n - 1] == '_')
		return table_complain(r, key,
		    "a server's name has letters, digits, - and _, at most %d "
		    "of them, no __ and no _ at the end",
		    MCP_NAME_MAX);
	return 0;
}

static int
specs_read(struct table_reader *r, int v, void *at)
{
	struct overrides *overrides = r->overrides;
	struct mcp_specs *out = at;
	struct mcp_spec *list;
	unsigned n = 0;
	int status = 0;

	if (v == -1)
		return 0; /* only overrides, which complain for themselves */
	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an object of servers");
	if (json_size(r->doc, v) > MCP_SERVERS_MAX)
		return table_complain(
		    r, v, "%d servers are the most", MCP_SERVERS_MAX);
	list = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *list);
	if (list == NULL)
		return table_full(r);
	r->overrides = NULL;
	for (int key = json_first(r->doc, v); key != -1;
	     key = json_next(r->doc, v, key)) {
		const char *name;

		if (table_text(r, key, &name) == -1 ||
		    check_name(r, key, name) == -1 ||
		    table_read(r, &server_table, json_value(r->doc, key),
			&list[n]) == -1)
			status = -1;
		else
			list[n++].name = name;
	}
	r->overrides = overrides;
	*out = (struct mcp_specs){list, n};
	return status;
}

static void
specs_write(struct json_writer *w, const char *key, const void *at)
{
	const struct mcp_specs *l = at;

	if (l->n == 0)
		return;
	json_put_object(w, key);
	for (unsigned i = 0; i < l->n; i++) {
		json_write_key(w, l->at[i].name);
		table_put(&server_table, &l->at[i], 0, w);
	}
	json_write_end(w);
}

static void
specs_schema(struct json_writer *w)
{
	json_put_str(w, "type", "object");
	json_put_object(w, "additionalProperties");
	table_schema_of(&server_table, w);
	json_write_end(w);
}

const struct field_custom mcp_specs_custom = {
    specs_read, specs_write, specs_schema};

const struct mcp_spec *
mcp_specs_get(const struct mcp_specs *l, const char *name)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->at[i].name, name) == 0)
			return &l->at[i];
	return NULL;
}

int
mcp_pattern_match(const struct text_list *patterns, struct span s)
{
	char text[LIMIT_URL];

	if (s.n >= sizeof text)
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	for (unsigned i = 0; i < patterns->n; i++)
		if (fnmatch(patterns->at[i], text, 0) == 0)
			return 1;
	return 0;
}
