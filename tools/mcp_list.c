#include <string.h>

#include "engine/base/check.h"
#include "engine/base/pool.h"
#include "tools/mcp_private.h"
#include "tools/registry.h"

/* Function names, as all model APIs take them. */
#define NAME_MAX 64
#define DESCRIPTION_MAX (16 * KIB)
#define SCHEMA_MAX (128 * KIB)
#define DIGITS 8 /* of the digest, where a name had to be cut */

/* --- one tool --- */

static int
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

const char *
mcp_full_name(struct arena *a, const char *server, struct span tool)
{
	char *name = arena_printf(
	    a, "%s__%.*s", server, (int)tool.n, tool.n > 0 ? tool.p : "");
	struct digest digest;
	char hex[HASH_HEX + 1];
	size_t n;

	if (name == NULL)
		return NULL;
	n = strlen(name);
	for (size_t i = 0; i < n; i++)
		if (!is_name_char(name[i]))
			name[i] = '_';
	if (n <= NAME_MAX)
		return name;
	hash_of(tool, &digest);
	hex_encode(digest.byte, sizeof digest.byte, hex);
	return arena_printf(
	    a, "%.*s_%.*s", NAME_MAX - DIGITS - 1, name, DIGITS, hex);
}

static int
has_controls(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ')
			return 1;
	return 0;
}

/* As it was sent; with "properties" where the APIs of models want them. */
static int
read_schema(
    struct mcp_tool *t, const struct json_doc *d, int v, struct arena *a)
{
	struct span raw = json_raw(d, v);
	const char *more = json_size(d, v) > 0 ? "," : "";

	if (json_get(d, v, "properties") != -1)
		t->schema = arena_span(a, raw);
	else {
		raw = span_slice(raw, 1, raw.n);
		t->tool.schema = arena_printf(
		    a, "{\"properties\":{}%s%.*s", more, (int)raw.n, raw.p);
		t->schema = span_of(t->tool.schema);
	}
	t->tool.schema = t->schema.p == NULL
			     ? NULL
			     : arena_strndup(a, t->schema.p, t->schema.n);
	return t->tool.schema == NULL ? -1 : 0;
}

static void
digest(struct mcp_tool *t, struct span schema)
{
	struct hash h;
	struct digest out;

	hash_init(&h);
	hash_add(&h, t->name);
	hash_add(&h, (struct span){"", 1});
	hash_add(&h, t->description);
	hash_add(&h, (struct span){"", 1});
	hash_add(&h, schema);
	hash_end(&h, &out);
	digest_text(&out, t->digest);
}

static void
bad(struct mcp_tool *t, const char *why)
{
	t->pin = MCP_BAD;
	t->why = why;
}

static int
is_wanted(const struct mcp_spec *spec, struct span name)
{
	return (spec->allow_tools.n == 0 ||
		   mcp_pattern_match(&spec->allow_tools, name)) &&
	       !mcp_pattern_match(&spec->block_tools, name);
}

static void
judge(struct mcp_server *s, struct mcp_tool *t, const struct json_doc *d,
    int schema)
{
	struct json_doc own;
	struct error ignored;

	json_doc_init(&own);
	for (unsigned i = 0; i < s->tools; i++)
		if (span_eq(s->tool[i].name, t->name))
			bad(t, "two tools have this name");
	if (t->name.n == 0 || has_controls(t->name))
		bad(t, "the name cannot be used");
	else if (t->description.n > DESCRIPTION_MAX || t->schema.n > SCHEMA_MAX)
		bad(t, "it says more of itself than 16 KiB, or 128 of its "
		       "arguments");
	else if (!json_is(d, json_get(d, schema, "type"), "object"))
		bad(t, "its arguments are no object");
	else if (s->revision == MCP_LATEST && s->spec->url != NULL &&
		 json_parse(&own, t->schema, 0, &ignored) == 0 &&
		 mcp_params_read(&own, &s->mcp->arena, &t->param, &t->params,
		     &t->why) == -1)
		t->pin = MCP_BAD;
	else if (!is_wanted(s->spec, t->name))
		t->pin = MCP_BLOCKED;
	json_doc_release(&own);
}

int
mcp_tool_read(struct mcp_server *s, struct mcp_tool *t,
    const struct json_doc *d, int v, struct error *e)
{
	struct arena *a = &s->mcp->arena;
	int schema = json_get(d, v, "inputSchema");
	struct span description = {NULL, 0};

	*t = (struct mcp_tool){.server = s};
	(void)json_string(d, json_get(d, v, "name"), a, &t->name);
	(void)json_string(d, json_get(d, v, "description"), a, &description);
	t->name = arena_span(a, t->name);
	t->tool.description = arena_strndup(
	    a, description.p != NULL ? description.p : "", description.n);
	t->description = (struct span){t->tool.description, description.n};
	t->tool.name = mcp_full_name(a, s->spec->name, t->name);
	t->tool.native = TOOL_FUNCTION;
	t->tool.start = mcp_call_start;
	t->tool.stop = mcp_call_stop;
	t->tool.checks_itself = 1;
	if (json_type(d, schema) != JSON_OBJECT)
		bad(t, "it says nothing of its arguments");
	else if (read_schema(t, d, schema, a) == -1)
		return error_set(e, ERROR_FULL, 0, "too many tools");
	else {
		digest(t, json_raw(d, schema));
		judge(s, t, d, schema);
	}
	return arena_overflowed(a)
		   ? error_set(e, ERROR_FULL, 0, "too many tools")
		   : 0;
}

/* --- all of them --- */

static int ask(
    struct mcp_server *s, struct span cursor, unsigned page, struct error *e);

static void
listed(struct mcp_server *s, const struct error *e)
{
	struct mcp *m = s->mcp;

	if (e != NULL)
		s->error = *e;
	CHECK(m->listing > 0);
	if (--m->listing == 0)
		loop_break(m->set.loop);
}

static int
take_page(
    struct mcp_server *s, const struct json_doc *d, int tools, struct error *e)
{
	if (json_type(d, tools) != JSON_ARRAY)
		return error_set(e, ERROR_PROTOCOL, 0,
		    "it answered tools/list without a list of tools");
	for (int v = json_first(d, tools); v != -1;
	     v = json_next(d, tools, v)) {
		if (s->tools == MCP_TOOLS_MAX)
			return error_set(e, ERROR_PROTOCOL, 0,
			    "it has more than %d tools", MCP_TOOLS_MAX);
		if (mcp_tool_read(s, &s->tool[s->tools], d, v, e) == -1)
			return -1;
		s->tools++;
	}
	return 0;
}

static void
told(struct mcp_request *q, const struct mcp_answer *a, void *owner)
{
	struct mcp_server *s = owner;
	struct span cursor = {NULL, 0};
	struct error e;
	int next;

	(void)q;
	if (a->error != NULL) {
		/* It has none, and says so in its way. */
		listed(s, a->code == JSONRPC_METHOD_NOT_FOUND && !s->has_tools
			      ? NULL
			      : a->error);
		return;
	}
	next = json_get(a->doc, a->result, "nextCursor");
	if (take_page(s, a->doc, json_get(a->doc, a->result, "tools"), &e) ==
	    -1) {
		listed(s, &e);
		return;
	}
	if (json_type(a->doc, next) != JSON_STRING) {
		listed(s, NULL);
		return;
	}
	cursor = json_raw(a->doc, next);
	if (++s->pages > MCP_PAGES_MAX)
		error_set(
		    &e, ERROR_PROTOCOL, 0, "its list of tools does not end");
	else if (ask(s, cursor, s->pages, &e) == 0)
		return;
	listed(s, &e);
}

static int
ask(struct mcp_server *s, struct span cursor, unsigned page, struct error *e)
{
	struct mcp_member member = {"cursor", cursor};
	struct mcp_question q = {
	    .method = "tools/list",
	    .member = &member,
	    .members = page > 0,
	    .timeout_ms = (uint32_t)(s->spec->call_seconds * 1000),
	};
	struct mcp_link *l = link_get(s, &s->mcp->links_listing, e);

	if (l == NULL)
		return -1;
	return mcp_ask(l, &q, told, s, e) == NULL ? -1 : 0;
}

/* What people should know of a server's tools. */
static void
note_tools(struct mcp_server *s)
{
	struct text *t = &s->mcp->notes;

	for (unsigned i = 0; i < s->tools; i++) {
		const struct mcp_tool *tool = &s->tool[i];

		if (tool->pin == MCP_CHANGED)
			text_printf(t,
			    "mcp server %s: the tool %s is not what was "
			    "accepted, and is not offered; look at it and "
			    "accept it with skep servers\n",
			    s->spec->name, tool->tool.name);
		else if (tool->pin == MCP_BAD)
			text_printf(t,
			    "mcp server %s: the tool %s is not offered: %s\n",
			    s->spec->name, tool->tool.name, tool->why);
	}
}

static int
add_tools(struct mcp_server *s, struct toolset *set, struct error *e)
{
	int sandboxed = toolset_is_sandboxed(set);

	for (unsigned i = 0; i < s->tools; i++) {
		struct mcp_tool *t = &s->tool[i];

		if (t->pin != MCP_PINNED && t->pin != MCP_FIRST)
			continue;
		t->tool.needs_sandbox = sandboxed; /* for what is spilled */
		if (toolset_add_tool(set, &t->tool, e) == -1)
			return -1;
	}
	return 0;
}

/* A server could not be had: that is the end, unless it need not be there. */
static int
missing(struct mcp_server *s, struct error *e)
{
	error_wrap(&s->error, "mcp server %s", s->spec->name);
	if (s->spec->required) {
		*e = s->error;
		return -1;
	}
	text_printf(
	    &s->mcp->notes, "%s; runs go on without it\n", s->error.text);
	return 0;
}

static int
finish(struct mcp *m, struct toolset *set, struct error *e)
{
	for (unsigned i = 0; i < m->servers; i++) {
		struct mcp_server *s = &m->server[i];

		if (s->error.code != ERROR_NONE) {
			if (set != NULL && missing(s, e) == -1)
				return -1;
			continue;
		}
		if (mcp_pins_apply(s, e) == -1)
			return -1;
		note_tools(s);
		if (set != NULL && add_tools(s, set, e) == -1)
			return -1;
	}
	return set == NULL ? 0 : mcp_offers_add(m, set, e);
}

int
mcp_list(struct mcp *m, struct toolset *set, struct error *e)
{
	struct error why;

	CHECK_OBJ(m, MCP_MAGIC);
	m->listing = 1;
	for (unsigned i = 0; i < m->servers; i++) {
		m->listing++;
		if (ask(&m->server[i], (struct span){NULL, 0}, 0, &why) == -1)
			listed(&m->server[i], &why);
	}
	if (--m->listing > 0)
		loop_run(m->set.loop);
	mcp_links_close(&m->links_listing);
	if (m->listing > 0)
		return error_set(
		    e, ERROR_CANCELLED, 0, "stopped while it asked servers");
	return finish(m, set, e);
}
