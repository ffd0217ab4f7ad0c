/*
 * STATE/mcp/pins.json: what tools were when they were accepted.
 *
 *	{"version": 1, "servers": {IDENTITY: {"name": NAME,
 *	    "tools": {TOOL: "sha256:..."}}}}
 *
 * IDENTITY is the digest of how a server is reached: a command and its
 * arguments, or an address.  Whoever writes another one into the agent file
 * has looked at it anew.  All tools that a server has when it is met first
 * are accepted; later, one that is new or differs is not offered until
 * mcp_accept().
 */

#include "engine/base/check.h"
#include "tools/mcp_private.h"

#define FILE_NAME "pins.json"
#define VERSION 1
#define FILE_MAX (16 * MIB)

static int
load(struct mcp *m, struct text *text, struct json_doc *d, struct error *e)
{
	struct error why;

	if (mcp_file_read(m->set.state_path, FILE_NAME, text, e) == -1)
		return -1;
	if (text->n == 0)
		text_add_str(text, "{\"version\":1,\"servers\":{}}");
	if (json_parse(d, text_span(text), 0, &why) == -1)
		return error_set(e, ERROR_CONFIG, 0,
		    "%s/mcp/" FILE_NAME " is damaged: %s", m->set.state_path,
		    why.text);
	if (json_int_or(d, json_get(d, 0, "version"), -1) != VERSION)
		return error_set(e, ERROR_VERSION, 0,
		    "%s/mcp/" FILE_NAME " is not of version %d",
		    m->set.state_path, VERSION);
	return 0;
}

static void
write_server(const struct mcp_server *s, const struct json_doc *d, int pinned,
    const char *only, int all, struct json_writer *w)
{
	json_write_key(w, s->identity);
	json_write_object(w);
	json_put_str(w, "name", s->spec->name);
	json_put_object(w, "tools");
	for (unsigned i = 0; i < s->tools; i++) {
		const struct mcp_tool *t = &s->tool[i];
		int known = json_get_span(d, pinned, t->name);
		int taken = all || (only != NULL && span_is(t->name, only));

		if (t->digest[0] == '\0' || (known == -1 && !taken))
			continue;
		json_write_key_span(w, t->name);
		if (taken)
			json_write_str(w, t->digest);
		else
			json_write_raw(w, json_raw(d, known));
	}
	json_write_end(w);
	json_write_end(w);
}

/* Everything as it was, and s with the tools that are accepted now. */
static int
store(struct mcp_server *s, const struct json_doc *d, const char *only, int all,
    struct error *e)
{
	int servers = json_get(d, 0, "servers");
	int pinned = json_get(d, json_get(d, servers, s->identity), "tools");
	struct json_writer w;
	struct text t;
	int rc;

	text_init(&t, FILE_MAX);
	json_write_init(&w, &t);
	json_write_object(&w);
	json_put_int(&w, "version", VERSION);
	json_put_object(&w, "servers");
	for (int key = json_first(d, servers); key != -1;
	     key = json_next(d, servers, key)) {
		if (json_is(d, key, s->identity))
			continue;
		json_write_key_span(&w, json_inner(d, key));
		json_write_raw(&w, json_raw(d, json_value(d, key)));
	}
	write_server(s, d, pinned, only, all, &w);
	json_write_end(&w);
	json_write_end(&w);
	rc = json_write_done(&w) == 0
		 ? mcp_file_write(
		       s->mcp->set.state_path, FILE_NAME, text_span(&t), e)
		 : error_set(e, ERROR_TOO_BIG, 0, "too many pins");
	text_release(&t);
	return rc;
}

static void
compare(struct mcp_server *s, const struct json_doc *d, int pinned)
{
	for (unsigned i = 0; i < s->tools; i++) {
		struct mcp_tool *t = &s->tool[i];
		int known = json_get_span(d, pinned, t->name);

		if (t->pin == MCP_BAD || t->pin == MCP_BLOCKED)
			continue;
		t->pin = pinned == -1                   ? MCP_FIRST
			 : json_is(d, known, t->digest) ? MCP_PINNED
							: MCP_CHANGED;
	}
}

int
mcp_pins_apply(struct mcp_server *s, struct error *e)
{
	struct json_doc d;
	struct text text;
	int server, rc;

	json_doc_init(&d);
	text_init(&text, FILE_MAX);
	rc = load(s->mcp, &text, &d, e);
	if (rc == 0) {
		server = json_get(&d, json_get(&d, 0, "servers"), s->identity);
		compare(s, &d, json_get(&d, server, "tools"));
		if (server == -1 && s->tools > 0)
			rc = store(s, &d, NULL, 1, e);
	}
	json_doc_release(&d);
	text_release(&text);
	return rc;
}

int
mcp_accept(struct mcp *m, unsigned i, const char *tool, struct error *e)
{
	struct mcp_server *s = &m->server[i];
	struct json_doc d;
	struct text text;
	int rc, found = tool == NULL;

	CHECK(i < m->servers);
	for (unsigned k = 0; k < s->tools; k++)
		found |= tool != NULL && span_is(s->tool[k].name, tool);
	if (!found)
		return error_set(e, ERROR_NOT_FOUND, 0,
		    "the server %s has no tool %s", s->spec->name, tool);
	json_doc_init(&d);
	text_init(&text, FILE_MAX);
	rc = load(m, &text, &d, e);
	if (rc == 0)
		rc = store(s, &d, tool, tool == NULL, e);
	json_doc_release(&d);
	text_release(&text);
	return rc;
}
