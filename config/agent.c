#include "config/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "config/agent_family.h"
#include "config/agent_private.h"
#include "config/complaint.h"
#include "config/nearest.h"
#include "config/overrides.h"
#include "config/profile.h"
#include "config/source.h"
#include "config/table.h"
#include "engine/base/arena.h"
#include "net/json.h"
#include "net/json_schema.h"

/* --- checks across members --- */

static int
check_url(struct table_reader *r, int model, struct agent_model *m)
{
	static const char *const homes[] = {
	    [API_RESPONSES] = "https://api.openai.com/v1",
	    [API_CHAT] = "https://api.openai.com/v1",
	    [API_MESSAGES] = "https://api.anthropic.com/v1",
	};
	int at = json_get(r->doc, model, "base_url");
	struct span url, authority;
	size_t scheme;

	if (m->base_url == NULL)
		m->base_url = homes[m->api];
	url = span_of(m->base_url);
	if (span_has_prefix(url, span_of("https://")))
		scheme = 8;
	else if (span_has_prefix(url, span_of("http://")))
		scheme = 7;
	else
		return table_complain(r, at,
		    "%s is no address; give one such as "
		    "https://api.openai.com/v1",
		    m->base_url);
	authority = span_slice(url, scheme, span_find(url, '/', scheme));
	if (span_find(authority, '@', 0) < authority.n)
		return table_complain(r, at,
		    "a password must not stand in an address; use api_key or "
		    "headers");
	if (authority.n == 0 || strpbrk(m->base_url, " ?#") != NULL)
		return table_complain(r, at,
		    "not an address of a server: spaces, ? and # cannot "
		    "stand in it");
	while (url.n > scheme + 1 && url.p[url.n - 1] == '/')
		url.n--;
	m->base_url = arena_strndup(r->arena, url.p, url.n);
	return m->base_url != NULL ? 0 : table_complain(r, at, "out of memory");
}

static int
check_file(
    struct table_reader *r, int model, const char *member, const char *path)
{
	struct stat st;

	if (path == NULL)
		return 0;
	if (stat(path, &st) == -1)
		return table_complain(r, json_get(r->doc, model, member),
		    "%s: %s", path, strerror(errno));
	return 0;
}

static int
check_secret(struct table_reader *r, int model, const char *member,
    const struct secret_ref *ref)
{
	struct error e;

	/* A variable may be set later, where the agent runs. */
	if (ref->kind != SECRET_FILE || secret_ref_check(ref, &e) == 0)
		return 0;
	return table_complain(r, json_get(r->doc, model, member), "%s", e.text);
}

static int
check_model(struct table_reader *r, int model, struct agent_model *m)
{
	int status = check_url(r, model, m);

	if (check_file(r, model, "ca_file", m->ca_file) == -1 ||
	    check_file(r, model, "client_cert", m->client_cert) == -1 ||
	    check_secret(r, model, "api_key", &m->api_key) == -1 ||
	    check_secret(r, model, "client_key", &m->client_key) == -1)
		status = -1;
	for (unsigned i = 0; i < m->headers_n; i++)
		if (check_secret(r, model, "headers", &m->headers[i].secret) ==
		    -1)
			status = -1;
	if ((m->client_cert != NULL) != (m->client_key.kind != SECRET_NOWHERE))
		status = table_complain(r, model,
		    "client_cert and client_key belong together; give both");
	return status;
}

/* The root file system of the agent goes into a profile of its own. */
static int
apply_rootfs(struct table_reader *r, int sandbox, struct agent_sandbox *s)
{
	int at = json_get(r->doc, sandbox, "rootfs");
	struct span rootfs = span_of(s->rootfs);
	struct profile *p = arena_alloc(r->arena, sizeof *p);

	if (p == NULL)
		return table_complain(r, at, "out of memory");
	*p = *s->profile;
	if (span_is(rootfs, "host")) {
		p->rootfs = ROOTFS_HOST;
		p->rootfs_path = NULL;
	} else if (span_has_prefix(rootfs, span_of("dir:")) && rootfs.n > 4) {
		p->rootfs = ROOTFS_DIR;
		p->rootfs_path = table_path(r, span_slice(rootfs, 4, rootfs.n));
		if (p->rootfs_path == NULL)
			return -1;
	} else {
		return table_complain(r, at,
		    "unknown root file system; give \"host\" or \"dir:PATH\"");
	}
	s->profile = p;
	return 0;
}

/* It must be one that we can enforce. */
static int
check_answer_schema(struct table_reader *r, int v, struct span schema)
{
	struct json_doc d;
	struct error e;
	int status = 0;

	if (schema.n == 0)
		return 0;
	json_doc_init(&d);
	if (json_parse(&d, schema, JSON_UNIQUE, &e) == -1 ||
	    json_schema_check(&d, 0, &e) == -1)
		status = table_complain(
		    r, json_get(r->doc, v, "answer_schema"), "%s", e.text);
	json_doc_release(&d);
	return status;
}

static int
has_grants(const struct agent *a)
{
	return a->manifest != NULL && a->manifest->grants_n > 0;
}

static int
check_run_as(struct table_reader *r, int v, const struct agent *a)
{
	const struct profile *p = a->sandbox.profile;

	if (a->run_as == NULL || manifest_has_user(a->manifest, a->run_as) ||
	    (p != NULL && strcmp(a->run_as, p->user) == 0))
		return 0;
	return table_complain(r, json_get(r->doc, v, "run_as"),
	    "there is no user %.64s; a manifest's \"users\" makes one",
	    a->run_as);
}

/* What stands in a hosted tool's own words cannot be a reference. */
static int
check_hosted_tool(struct table_reader *r, int v)
{
	static const char *const secrets[] = {"authorization", "headers"};
	int type = json_get(r->doc, v, "type");

	if (json_type(r->doc, v) != JSON_OBJECT ||
	    json_type(r->doc, type) != JSON_STRING)
		return table_complain(r, v,
		    "give an object with a type, such as "
		    "{\"type\": \"web_search\"}");
	if (json_is(r->doc, type, "function") ||
	    json_is(r->doc, type, "custom"))
		return table_complain(r, type,
		    "we would have to run it: tools of yours are served by "
		    "MCP servers");
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		if (json_get(r->doc, v, secrets[i]) != -1)
			return table_complain(r,
			    json_get(r->doc, v, secrets[i]),
			    "a secret would stand here in clear");
	return 0;
}

static int
check_hosted_tools(struct table_reader *r, int agent, enum model_api api)
{
	int list = json_get(r->doc, agent, "hosted_tools"), status = 0;

	if (list == -1)
		return 0;
	if (json_type(r->doc, list) != JSON_ARRAY)
		return table_complain_type(r, list, "a list of tools");
	if (api == API_CHAT && json_size(r->doc, list) > 0)
		return table_complain(r, list,
		    "Chat Completions has no hosted tools; use the Responses "
		    "or the Messages API");
	for (int v = json_first(r->doc, list); v != -1;
	     v = json_next(r->doc, list, v))
		if (check_hosted_tool(r, v) == -1)
			status = -1;
	return status;
}

int
agent_check(struct table_reader *r, int v, void *at)
{
	struct agent *a = at;
	int status = check_model(r, json_get(r->doc, v, "model"), &a->model);

	if (skills_settle(r, v, a) == -1 || memory_settle(r, v, a) == -1)
		status = -1;

	if (check_answer_schema(r, v, a->answer_schema) == -1)
		status = -1;
	if (check_hosted_tools(r, v, a->model.api) == -1)
		status = -1;

	if (a->name[0] == '\0')
		status = table_complain(
		    r, json_get(r->doc, v, "name"), "the name is empty");
	if (check_run_as(r, v, a) == -1)
		status = -1;
	a->sandbox.has_profile = a->sandbox.profile != NULL ||
				 a->sandbox.rootfs != NULL || has_grants(a);
	if (a->sandbox.profile == NULL && a != r->nursery->member[0] &&
	    !a->sandbox.has_profile)
		return status; /* it will have the first one's */
	if (a->sandbox.profile == NULL)
		a->sandbox.profile = profile_builtin("draft");
	a->sandbox.profile =
	    manifest_grants_apply(r->arena, a->manifest, a->sandbox.profile);
	if (a->sandbox.profile == NULL)
		return table_complain(r, v, "out of memory");
	if (a->sandbox.rootfs != NULL &&
	    apply_rootfs(r, json_get(r->doc, v, "sandbox"), &a->sandbox) == -1)
		status = -1;
	return status;
}

/* --- overrides that nobody wanted --- */

static void
offer_fields(struct nearest *n, struct arena *arena, const struct table *t,
    const char *path)
{
	for (const struct field *f = t->fields; f->name != NULL; f++) {
		const char *name = f->name;

		if (path[0] != '\0')
			name = arena_printf(arena, "%s.%s", path, f->name);
		if (name == NULL)
			return;
		nearest_offer(n, name);
		if (f->type == FIELD_OBJECT)
			offer_fields(n, arena, f->table, name);
	}
}

static void
complain_unused(
    struct arena *arena, const struct overrides *o, struct complaints *c)
{
	struct nearest near;
	char hint[NEAREST_HINT];

	for (unsigned i = 0; i < o->n; i++) {
		const struct override *one = &o->at[i];

		if (one->used || strncmp(one->key, "engine.", 7) == 0)
			continue;
		nearest_init(&near, span_of(one->key));
		offer_fields(&near, arena, &agent_table, "");
		complain(c, ERROR_CONFIG, one->from, 0, 0,
		    "there is no such setting%s", nearest_hint(&near, hint));
	}
}

/* --- reading --- */

/* A folder means the agent.json in it. */
static const char *
find_file(struct arena *arena, const char *path)
{
	struct stat st;
	size_t n = strlen(path);

	if (strcmp(path, "-") == 0 || stat(path, &st) == -1 ||
	    !S_ISDIR(st.st_mode))
		return arena_strndup(arena, path, n);
	while (n > 1 && path[n - 1] == '/')
		n--;
	return arena_printf(arena, "%.*s/agent.json", (int)n, path);
}

/* A new one of r's family, to be read; NULL and complains at v. */
static struct agent *
new_agent(struct table_reader *r, int v, const char *name)
{
	struct agent_nursery *n = r->nursery;
	struct agent *a = arena_alloc(r->arena, sizeof *a);

	if (a == NULL) {
		table_complain(r, v, "out of memory");
		return NULL;
	}
	if (n->n == AGENTS_MAX) {
		table_complain(r, v, "more than %d agents in all", AGENTS_MAX);
		return NULL;
	}
	table_defaults(&agent_table, a);
	a->name = name;
	n->file[n->n].inode = 0;
	n->member[n->n++] = a;
	return a;
}

/*
 * What object v does not say of its model is as with the first agent, unless
 * it says where that is reached: no key goes to somebody else's address.
 */
static void
inherit_model(const struct table_reader *r, int v, struct agent *a)
{
	int model = json_get(r->doc, v, "model");

	if (a != r->nursery->member[0] &&
	    json_get(r->doc, model, "base_url") == -1 &&
	    json_get(r->doc, model, "api") == -1)
		a->model = r->nursery->member[0]->model;
}

/* Read a from the file at path, whatever was read of it stays. */
static int
read_from_file(struct table_reader *r, const char *path, struct agent *a)
{
	struct source s;
	int status;

	if (source_open(&s, r->arena, path, r->complaints) == -1)
		return -1;
	r->file = a->file = path;
	r->folder = a->folder = s.folder;
	r->doc = &s.doc;
	inherit_model(r, 0, a);
	status = table_read_over(r, &agent_table, 0, a);
	source_release(&s);
	return status;
}

/* "agents.NAME" for what is below; back to what it was with leave_name(). */
static size_t
enter_name(struct table_reader *r, const char *name)
{
	size_t before = r->path_n, n = strlen(name);

	if (before + 1 + n < sizeof r->path) {
		r->path[before] = '.';
		memcpy(r->path + before + 1, name, n + 1);
		r->path_n = before + 1 + n;
	}
	return before;
}

static void
leave_name(struct table_reader *r, size_t before)
{
	r->path_n = before;
	r->path[before] = '\0';
}

struct agent *
agent_read_value(struct table_reader *r, int v, const char *name)
{
	struct agent *a = new_agent(r, v, name);
	size_t before;
	int status;

	if (a == NULL)
		return NULL;
	a->file = r->file;
	a->folder = r->folder;
	inherit_model(r, v, a);
	before = enter_name(r, name);
	status = table_read_over(r, &agent_table, v, a);
	leave_name(r, before);
	return status == 0 ? a : NULL;
}

struct agent *
agent_read_file(
    struct table_reader *r, int v, const char *path, const char *name)
{
	struct agent_nursery *n = r->nursery;
	struct table_reader below = *r;
	struct agent *a;
	struct stat st;

	path = find_file(r->arena, path);
	if (path == NULL || stat(path, &st) == -1) {
		table_complain(r, v, "%s: %s", path == NULL ? "" : path,
		    strerror(path == NULL ? ENOMEM : errno));
		return NULL;
	}
	for (unsigned i = 0; i < n->n; i++)
		if (n->file[i].inode == st.st_ino &&
		    n->file[i].device == st.st_dev)
			return n->member[i];
	a = new_agent(r, v, name);
	if (a == NULL)
		return NULL;
	n->file[n->n - 1].inode = st.st_ino;
	n->file[n->n - 1].device = st.st_dev;
	enter_name(&below, name);
	return read_from_file(&below, path, a) == 0 ? a : NULL;
}

/* The first of a family is read under no name. */
static struct agent *
read_first(struct table_reader *r, const char *path)
{
	struct agent *a = new_agent(r, -1, NULL);
	struct stat st;

	if (a == NULL)
		return NULL;
	if (strcmp(path, "-") != 0 && stat(path, &st) == 0) {
		r->nursery->file[0].inode = st.st_ino;
		r->nursery->file[0].device = st.st_dev;
	}
	return read_from_file(r, path, a) == 0 ? a : NULL;
}

struct agent *
agent_load(struct arena *arena, const char *path, struct overrides *overrides,
    struct complaints *c)
{
	struct agent_nursery *nursery = arena_alloc(arena, sizeof *nursery);
	struct table_reader r = {
	    .arena = arena,
	    .complaints = c,
	    .overrides = overrides,
	    .nursery = nursery,
	};
	unsigned before = c->n;
	struct agent *a;

	path = find_file(arena, path);
	if (nursery == NULL || path == NULL) {
		complain(c, ERROR_FULL, NULL, 0, 0, "out of memory");
		return NULL;
	}
	nursery->n = 0;
	a = read_first(&r, path);
	if (a != NULL && c->n == before)
		agent_nursery_finish(nursery, arena, c);
	if (overrides != NULL)
		complain_unused(arena, overrides, c);
	return c->n == before ? a : NULL;
}
