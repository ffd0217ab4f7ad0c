/*
 * STATE/mcp/tokens.json: what people were given when they logged in, for
 * their eyes only (mode 0600) and outside of every sandbox.
 *
 *	{"version": 1, "servers": {IDENTITY: {"name", "issuer",
 *	    "token_endpoint", "resource", "client_id", "client_secret",
 *	    "method", "access_token", "refresh_token", "scope",
 *	    "expires_ms"}}}
 */

#include "tools/mcp_flow.h"
#include "tools/mcp_private.h"

#define FILE_NAME "tokens.json"
#define VERSION 1
#define FILE_MAX (4 * MIB)

static const struct {
	const char *key;
	size_t offset;
} members[] = {
    {"issuer", offsetof(struct mcp_grant_kept, issuer)},
    {"token_endpoint", offsetof(struct mcp_grant_kept, token_endpoint)},
    {"resource", offsetof(struct mcp_grant_kept, resource)},
    {"client_id", offsetof(struct mcp_grant_kept, client_id)},
    {"client_secret", offsetof(struct mcp_grant_kept, client_secret)},
    {"method", offsetof(struct mcp_grant_kept, method)},
    {"access_token", offsetof(struct mcp_grant_kept, access)},
    {"refresh_token", offsetof(struct mcp_grant_kept, refresh)},
    {"scope", offsetof(struct mcp_grant_kept, scope)},
};

#define MEMBERS (sizeof members / sizeof members[0])

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
forget(struct text *t)
{
	if (t->p != NULL)
		wipe(t->p, t->size);
	text_release(t);
}

int
mcp_tokens_load(struct mcp_server *s, struct mcp_grant_kept *g, struct error *e)
{
	struct json_doc d;
	struct text text;
	int one, rc;

	json_doc_init(&d);
	text_init(&text, FILE_MAX);
	rc = load(s->mcp, &text, &d, e);
	one = json_get(&d, json_get(&d, 0, "servers"), s->identity);
	for (size_t i = 0; rc == 0 && i < MEMBERS; i++) {
		struct text *t =
		    (struct text *)(void *)((char *)g + members[i].offset);

		text_clear(t);
		json_string_add(&d, json_get(&d, one, members[i].key), t);
	}
	if (rc == 0)
		g->expires_ms =
		    json_int_or(&d, json_get(&d, one, "expires_ms"), 0);
	json_doc_release(&d);
	forget(&text);
	return rc;
}

static void
write_one(const struct mcp_server *s, const struct mcp_grant_kept *g,
    struct json_writer *w)
{
	json_write_key(w, s->identity);
	json_write_object(w);
	json_put_str(w, "name", s->spec->name);
	for (size_t i = 0; i < MEMBERS; i++)
		json_put_span(w, members[i].key,
		    text_span((
			const struct text *)(const void *)((const char *)g +
							   members[i].offset)));
	json_put_int(w, "expires_ms", g->expires_ms);
	json_write_end(w);
}

int
mcp_tokens_store(
    struct mcp_server *s, const struct mcp_grant_kept *g, struct error *e)
{
	struct json_doc d;
	struct json_writer w;
	struct text text, out;
	int servers, rc;

	json_doc_init(&d);
	text_init(&text, FILE_MAX);
	text_init(&out, FILE_MAX);
	rc = load(s->mcp, &text, &d, e);
	servers = json_get(&d, 0, "servers");
	json_write_init(&w, &out);
	json_write_object(&w);
	json_put_int(&w, "version", VERSION);
	json_put_object(&w, "servers");
	for (int key = json_first(&d, servers); key != -1;
	     key = json_next(&d, servers, key)) {
		if (json_is(&d, key, s->identity))
			continue;
		json_write_key_span(&w, json_inner(&d, key));
		json_write_raw(&w, json_raw(&d, json_value(&d, key)));
	}
	if (g->access.n > 0)
		write_one(s, g, &w);
	json_write_end(&w);
	json_write_end(&w);
	if (rc == 0)
		rc = mcp_file_write(
		    s->mcp->set.state_path, FILE_NAME, text_span(&out), e);
	json_doc_release(&d);
	forget(&text);
	forget(&out);
	return rc;
}
