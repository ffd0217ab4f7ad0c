/*
 * Resources and prompts of servers, as tools of ours.  Only what the agent
 * file lets through is listed and read.
 */

#include <string.h>

#include "engine/base/check.h"
#include "tools/mcp_private.h"
#include "tools/registry.h"

extern const char tools_mcp_list_resources_txt[],
    tools_mcp_list_resources_json[], tools_mcp_read_resource_txt[],
    tools_mcp_read_resource_json[], tools_mcp_list_prompts_txt[],
    tools_mcp_list_prompts_json[], tools_mcp_get_prompt_txt[],
    tools_mcp_get_prompt_json[];

enum offer { LIST_RESOURCES, READ_RESOURCE, LIST_PROMPTS, GET_PROMPT, OFFERS };

struct mcp_offer {
	struct tool tool;
	struct mcp *mcp;
};

static int start(struct tool_call *call, const struct json_doc *args);

#define OFFER(called, file)                                    \
	{                                                      \
		.name = called, .native = TOOL_FUNCTION,       \
		.description = tools_##file##_txt,             \
		.schema = tools_##file##_json, .start = start, \
		.stop = mcp_call_stop,                         \
	}

static const struct tool offers[OFFERS] = {
    [LIST_RESOURCES] = OFFER("list_mcp_resources", mcp_list_resources),
    [READ_RESOURCE] = OFFER("read_mcp_resource", mcp_read_resource),
    [LIST_PROMPTS] = OFFER("list_mcp_prompts", mcp_list_prompts),
    [GET_PROMPT] = OFFER("get_mcp_prompt", mcp_get_prompt),
};

static int
is_open(const struct mcp_spec *spec, struct span uri)
{
	return mcp_pattern_match(&spec->allow_resources, uri) &&
	       !mcp_pattern_match(&spec->block_resources, uri);
}

/* --- what came --- */

static void
add_text(struct mcp_call *c, const struct json_doc *d, int v, const char *key,
    const char *before)
{
	int value = json_get(d, v, key);

	if (json_type(d, value) != JSON_STRING)
		return;
	text_add_str(&c->all, before);
	json_string_add(d, value, &c->all);
}

/* Lines of what can be read; the others are not named. */
static void
add_resources(
    struct mcp_call *c, const struct json_doc *d, int list, const char *address)
{
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v)) {
		struct text uri;

		text_init(&uri, LIMIT_URL);
		json_string_add(d, json_get(d, v, address), &uri);
		if (uri.n > 0 && is_open(c->server->spec, text_span(&uri))) {
			text_add(&c->all, text_span(&uri));
			add_text(c, d, v, "name", ": ");
			add_text(c, d, v, "mimeType", ", ");
			add_text(c, d, v, "description", ", ");
			text_add_char(&c->all, '\n');
		}
		text_release(&uri);
	}
}

static void
add_prompts(struct mcp_call *c, const struct json_doc *d, int list)
{
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v)) {
		int arguments = json_get(d, v, "arguments");

		add_text(c, d, v, "name", "");
		add_text(c, d, v, "description", ": ");
		for (int a = json_first(d, arguments); a != -1;
		     a = json_next(d, arguments, a)) {
			add_text(c, d, a, "name", "\n  argument ");
			if (json_bool_or(d, json_get(d, a, "required"), 0))
				text_add_str(&c->all, " (required)");
			add_text(c, d, a, "description", ": ");
		}
		text_add_char(&c->all, '\n');
	}
}

static void
add_messages(struct mcp_call *c, const struct json_doc *d, int list)
{
	for (int v = json_first(d, list); v != -1; v = json_next(d, list, v)) {
		if (c->all.n > 0)
			text_add_char(&c->all, '\n');
		add_text(c, d, v, "role", "");
		text_add_str(&c->all, ":\n");
		mcp_content_add(c, d, json_get(d, v, "content"));
	}
}

static void
done(struct mcp_request *q, const struct mcp_answer *a, void *owner)
{
	struct mcp_call *c = owner;
	const struct json_doc *d = a->doc;
	int all = json_get(d, a->result, "contents");

	c->request = NULL;
	if (a->error != NULL) {
		mcp_call_fail(c, a->error);
		return;
	}
	for (int v = json_first(d, all); v != -1; v = json_next(d, all, v))
		mcp_resource_add(c, d, v);
	add_resources(c, d, json_get(d, a->result, "resources"), "uri");
	add_resources(
	    c, d, json_get(d, a->result, "resourceTemplates"), "uriTemplate");
	add_prompts(c, d, json_get(d, a->result, "prompts"));
	add_messages(c, d, json_get(d, a->result, "messages"));
	if (c->all.n == 0)
		text_add_str(&c->all, "(nothing)");
	add_text(c, d, a->result, "nextCursor", "\nmore with cursor ");
	(void)q;
	mcp_call_tell(c);
}

/* --- asking --- */

/* The server that the call names; complains when it may not be asked. */
static struct mcp_server *
find_server(struct tool_call *call, const struct json_doc *args, int prompts)
{
	const struct mcp_offer *o =
	    container_of(call->tool, struct mcp_offer, tool);
	int name = json_get(args, 0, "server");
	unsigned n = 0;

	for (unsigned i = 0; i < o->mcp->servers; i++) {
		struct mcp_server *s = &o->mcp->server[i];

		if (json_is(args, name, s->spec->name) &&
		    (prompts ? s->spec->prompts
			     : s->spec->allow_resources.n > 0))
			return s;
	}
	text_add_str(&call->text, "there is no such server here; there are:");
	for (unsigned i = 0; i < o->mcp->servers; i++) {
		const struct mcp_spec *spec = o->mcp->server[i].spec;

		if (prompts ? spec->prompts : spec->allow_resources.n > 0)
			text_printf(&call->text, "%s %s", n++ > 0 ? "," : "",
			    spec->name);
	}
	return NULL;
}

static void
put(struct mcp_question *q, struct mcp_member *member, const char *key,
    const struct json_doc *args, int v)
{
	if (v == -1 || json_type(args, v) == JSON_NULL)
		return;
	member[q->members++] = (struct mcp_member){key, json_raw(args, v)};
}

static int
start(struct tool_call *call, const struct json_doc *args)
{
	const struct mcp_offer *o =
	    container_of(call->tool, struct mcp_offer, tool);
	enum offer which = (enum offer)(o - o->mcp->offer);
	struct mcp_server *s = find_server(
	    call, args, which == LIST_PROMPTS || which == GET_PROMPT);
	struct mcp_call *c = s == NULL ? NULL : mcp_call_new(call, s);
	struct mcp_member member[2];
	struct mcp_question q = {.member = member};

	if (c == NULL)
		return -1;
	put(&q, member, "cursor", args, json_get(args, 0, "cursor"));
	switch (which) {
	case LIST_RESOURCES:
		q.method = json_bool_or(args, json_get(args, 0, "templates"), 0)
			       ? "resources/templates/list"
			       : "resources/list";
		break;
	case READ_RESOURCE:
		q.method = "resources/read";
		put(&q, member, "uri", args, json_get(args, 0, "uri"));
		if (json_string(args, json_get(args, 0, "uri"), &call->arena,
			&q.name) == -1 ||
		    !is_open(s->spec, q.name)) {
			text_add_str(&call->text,
			    "this agent may not read that resource");
			return -1;
		}
		break;
	case LIST_PROMPTS:
		q.method = "prompts/list";
		break;
	case GET_PROMPT:
	case OFFERS:
		q.method = "prompts/get";
		put(&q, member, "name", args, json_get(args, 0, "name"));
		put(&q, member, "arguments", args,
		    json_get(args, 0, "arguments"));
		(void)json_string(
		    args, json_get(args, 0, "name"), &call->arena, &q.name);
		break;
	}
	return mcp_call_ask(c, &q, done);
}

int
mcp_offers_add(struct mcp *m, struct toolset *set, struct error *e)
{
	int resources = 0, prompts = 0;

	for (unsigned i = 0; i < m->servers; i++) {
		resources |= m->server[i].spec->allow_resources.n > 0;
		prompts |= m->server[i].spec->prompts;
	}
	m->offer = arena_alloc(&m->arena, OFFERS * sizeof *m->offer);
	if (m->offer == NULL)
		return error_set(e, ERROR_FULL, 0, "no memory for tools");
	for (unsigned i = 0; i < OFFERS; i++) {
		m->offer[i] = (struct mcp_offer){offers[i], m};
		if ((i <= READ_RESOURCE ? resources : prompts) &&
		    toolset_add_tool(set, &m->offer[i].tool, e) == -1)
			return -1;
	}
	return 0;
}
