#include "tools/mcp.h"

#include <string.h>

#include "config/agent.h"
#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "tools/mcp_auth.h"
#include "tools/mcp_private.h"

#define ARENA_MAX (64 * MIB)
#define NOTES_MAX (256 * KIB)

/* --- how a server is reached --- */

static void
identify(struct mcp_server *s)
{
	const struct mcp_spec *spec = s->spec;
	struct hash h;
	struct digest out;

	hash_init(&h);
	if (spec->url != NULL)
		hash_add(&h, span_of(spec->url));
	else {
		hash_add(&h, span_of(spec->command));
		for (unsigned i = 0; i < spec->args.n; i++) {
			hash_add(&h, (struct span){"", 1});
			hash_add(&h, span_of(spec->args.at[i]));
		}
	}
	hash_end(&h, &out);
	digest_text(&out, s->identity);
}

static int
read_secrets(struct mcp_server *s, const struct agent_header *list, unsigned n,
    const char *what, struct error *e)
{
	if (n > MCP_HEADERS_MAX)
		return error_set(e, ERROR_CONFIG, 0, "%s: %d are the most",
		    what, MCP_HEADERS_MAX);
	for (unsigned i = 0; i < n; i++)
		if (list[i].value == NULL &&
		    secret_ref_read(&list[i].secret, &s->secret[i], e) == -1)
			return error_wrap(e, "%s", what);
	return 0;
}

static int
open_command(struct mcp_server *s, struct error *e)
{
	const struct mcp_spec *spec = s->spec;
	const char **argv;

	argv = arena_alloc(
	    &s->mcp->arena, ((size_t)spec->args.n + 2) * sizeof *argv);
	if (argv == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for a command");
	argv[0] = spec->command;
	for (unsigned i = 0; i < spec->args.n; i++)
		argv[i + 1] = spec->args.at[i];
	s->argv = argv;
	return read_secrets(s, spec->env, spec->env_n, "env", e);
}

static int
open_address(struct mcp_server *s, struct error *e)
{
	const struct mcp_spec *spec = s->spec;
	struct mcp *m = s->mcp;
	struct http_origin_settings set = {
	    .url = span_of(spec->url),
	    .identity = span_of(spec->name),
	    .tls.ca_file = spec->ca_file,
	    .plain_anywhere = m->set.plain_anywhere,
	    .limit_is_fixed = 1,
	    .connect_ms = (uint32_t)(spec->connect_seconds * 1000),
	};

	if (read_secrets(s, spec->headers, spec->headers_n, "headers", e) == -1)
		return -1;
	s->origin = http_origin_new(m->http, &set, e);
	if (s->origin == NULL)
		return -1;
	if (url_parse(&s->url, span_of(spec->url), &m->arena, e) == -1)
		return -1;
	s->target = s->url.target;
	s->auth = mcp_auth_new(s, e);
	return s->auth == NULL ? -1 : 0;
}

static int
open_server(struct mcp *m, struct mcp_server *s, unsigned i, struct error *e)
{
	s->mcp = m;
	s->spec = &m->set.specs->at[i];
	identify(s);
	s->tool = pool_take(MCP_TOOLS_MAX * sizeof *s->tool, NULL);
	if (s->tool == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for tools");
	if ((s->spec->url != NULL ? open_address(s, e) : open_command(s, e)) ==
	    -1)
		return error_wrap(e, "mcp server %s", s->spec->name);
	return 0;
}

/* --- all of them --- */

static unsigned
count_addresses(const struct mcp_specs *specs)
{
	unsigned n = 0;

	for (unsigned i = 0; i < specs->n; i++)
		n += specs->at[i].url != NULL;
	return n;
}

static int
open_memory(struct mcp *m, struct error *e)
{
	const struct mcp_settings *set = &m->set;
	/* One for each run, those that part, and those while listing. */
	unsigned links = (2 * set->runs_max + 2) * set->specs->n;
	struct http_client_settings http = {
	    .calls_max = 2 * set->calls_max + links};

	if (slab_init(&m->links, "links", sizeof(struct mcp_link), links, e) ==
		-1 ||
	    slab_init(&m->requests, "server requests",
		sizeof(struct mcp_request), 2 * (set->calls_max + links),
		e) == -1)
		return -1;
	if (count_addresses(set->specs) == 0)
		return 0;
	m->http = http_client_new(set->loop, &http, e);
	return m->http == NULL ? -1 : 0;
}

struct mcp *
mcp_new(const struct mcp_settings *settings, struct error *e)
{
	struct mcp *m = pool_take(sizeof *m, NULL);

	if (m == NULL) {
		error_set(e, ERROR_FULL, 0, "no memory for servers");
		return NULL;
	}
	memset(m, 0, sizeof *m);
	m->magic = MCP_MAGIC;
	m->set = *settings;
	arena_init(&m->arena, ARENA_MAX);
	text_init(&m->notes, NOTES_MAX);
	list_init(&m->closing);
	list_init(&m->links_listing);
	if (open_memory(m, e) == -1) {
		mcp_free(m);
		return NULL;
	}
	for (; m->servers < settings->specs->n; m->servers++)
		if (open_server(m, &m->server[m->servers], m->servers, e) ==
		    -1) {
			m->servers++;
			mcp_free(m);
			return NULL;
		}
	return m;
}

static void
close_server(struct mcp_server *s)
{
	if (s->shared != NULL)
		link_close(s->shared);
	for (unsigned i = 0; i < MCP_HEADERS_MAX; i++)
		secret_release(&s->secret[i]);
	pool_give(s->tool);
}

void
mcp_free(struct mcp *m)
{
	if (m == NULL)
		return;
	CHECK_OBJ(m, MCP_MAGIC);
	for (unsigned i = 0; i < m->servers; i++)
		close_server(&m->server[i]);
	links_free(&m->closing);
	for (unsigned i = 0; i < m->servers; i++)
		mcp_auth_free(m->server[i].auth);
	for (unsigned i = 0; i < m->servers; i++)
		http_origin_free(m->server[i].origin);
	if (m->http != NULL)
		http_client_free(m->http);
	slab_release(&m->links);
	slab_release(&m->requests);
	text_release(&m->notes);
	arena_release(&m->arena);
	m->magic = 0;
	pool_give(m);
}

unsigned
mcp_sandboxes_max(const struct mcp_specs *specs, unsigned runs)
{
	/* At work, parting, and going away already. */
	return (specs->n - count_addresses(specs)) * (3 * runs + 2);
}

struct span
mcp_notes(const struct mcp *m)
{
	return text_span(&m->notes);
}

/* --- for people --- */

int
mcp_server_facts(const struct mcp *m, unsigned i, struct mcp_server_facts *out)
{
	const struct mcp_server *s = &m->server[i];

	if (i >= m->servers)
		return -1;
	*out = (struct mcp_server_facts){
	    .spec = s->spec,
	    .revision = mcp_revision_text(s->revision),
	    .error = s->error.code != ERROR_NONE ? &s->error : NULL,
	    .wants_login = s->error.code == ERROR_DENIED,
	    .tools = s->tools,
	};
	return 0;
}

void
mcp_tool_facts(
    const struct mcp *m, unsigned i, unsigned k, struct mcp_tool_facts *out)
{
	const struct mcp_tool *t = &m->server[i].tool[k];

	CHECK(i < m->servers && k < m->server[i].tools);
	*out = (struct mcp_tool_facts){
	    .name = t->name,
	    .full = t->pin == MCP_PINNED || t->pin == MCP_FIRST ? t->tool.name
								: NULL,
	    .pin = t->pin,
	    .why = t->why,
	    .description = t->description,
	    .schema = t->schema,
	};
}
