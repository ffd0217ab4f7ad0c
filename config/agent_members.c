/*
 * The members of an agent that are more than a value.
 */

#include <string.h>
#include <strings.h>

#include "config/agent_private.h"
#include "config/manifest_private.h"
#include "config/profile.h"
#include "config/source.h"
#include "config/table_private.h"
#include "config/vars.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "net/json_write.h"
#include "net/utf8.h"

/* --- headers: name to text or reference --- */

/* Headers that carry credentials must not stand in clear. */
static const char *const secret_headers[] = {"authorization", "x-api-key",
    "api-key", "proxy-authorization", "cookie", "x-goog-api-key"};

static int
is_secret_header(const char *name)
{
	for (size_t i = 0; i < sizeof secret_headers / sizeof secret_headers[0];
	     i++)
		if (strcasecmp(name, secret_headers[i]) == 0)
			return 1;
	return 0;
}

static int
is_token(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "0123456789!#$%&'*+-.^_`|~");

	return n > 0 && s[n] == '\0';
}

int
agent_header_check(
    struct table_reader *r, int key, const struct agent_header *h)
{
	int v = json_value(r->doc, key);

	if (!is_token(h->name))
		return table_complain(r, key, "not a name of a header");
	if (h->value == NULL)
		return 0;
	if (is_secret_header(h->name))
		return table_complain(r, v,
		    "a secret must not stand here in clear; give "
		    "{\"env\": \"NAME\"} or {\"file\": \"PATH\"}");
	if (strpbrk(h->value, "\r\n") != NULL)
		return table_complain(r, v, "a header is one line");
	return 0;
}

static int
header_read(struct table_reader *r, int key, struct agent_header *h)
{
	int v = json_value(r->doc, key);

	if (table_text(r, key, &h->name) == -1)
		return -1;
	if (json_type(r->doc, v) != JSON_STRING || is_secret_header(h->name)) {
		if (table_secret(r, v, &h->secret) == -1)
			return -1;
	} else if (table_text(r, v, &h->value) == -1)
		return -1;
	return agent_header_check(r, key, h);
}

static int
headers_read(struct table_reader *r, int v, void *at)
{
	struct agent_model *m = container_of(at, struct agent_model, headers);
	struct agent_header *list;
	unsigned n = 0;
	int status = 0;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an object of headers");
	list = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *list);
	if (list == NULL)
		return table_full(r);
	for (int key = json_first(r->doc, v); key != -1;
	     key = json_next(r->doc, v, key)) {
		if (header_read(r, key, &list[n]) == -1)
			status = -1;
		else
			n++;
	}
	m->headers = list;
	m->headers_n = n;
	return status;
}

static void
headers_write(struct json_writer *w, const char *key, const void *at)
{
	const struct agent_model *m =
	    container_of(at, struct agent_model, headers);

	json_put_object(w, key);
	for (unsigned i = 0; i < m->headers_n; i++) {
		const struct agent_header *h = &m->headers[i];

		json_write_key(w, h->name);
		if (h->value != NULL)
			json_write_str(w, h->value);
		else
			secret_ref_write(&h->secret, w);
	}
	json_write_end(w);
}

void
agent_headers_schema(struct json_writer *w)
{
	json_put_str(w, "type", "object");
	json_put_object(w, "additionalProperties");
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_object(w);
	table_secret_schema(w);
	json_write_end(w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom agent_headers_custom = {
    headers_read, headers_write, agent_headers_schema};

/* --- a private key: a path, or a reference --- */

static int
key_read(struct table_reader *r, int v, void *at)
{
	struct secret_ref *ref = at;
	const char *path;

	if (json_type(r->doc, v) != JSON_STRING)
		return table_secret(r, v, at);
	if (span_has_prefix(json_inner(r->doc, v), span_of("-----BEGIN")))
		return table_complain(
		    r, v, "a key must not stand here in clear; name its file");
	if (table_text(r, v, &path) == -1 ||
	    (path = table_path(r, span_of(path))) == NULL)
		return -1;
	*ref = (struct secret_ref){SECRET_FILE, path};
	return 0;
}

static void
key_write(struct json_writer *w, const char *key, const void *at)
{
	const struct secret_ref *ref = at;

	if (ref->kind == SECRET_NOWHERE)
		return;
	json_write_key(w, key);
	secret_ref_write(ref, w);
}

static void
key_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_object(w);
	table_secret_schema(w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom agent_key_custom = {key_read, key_write, key_schema};

/* --- a text here, or {"file": PATH} --- */

static int
file_text(struct table_reader *r, int v, const char *path, struct span *out)
{
	struct text t;
	struct error e;
	int status = -1;

	text_init(&t, LIMIT_CONFIG_FILE);
	if (source_read_file(path, &t, &e) == -1)
		table_complain(r, v, "%s: %s", path, e.text);
	else if (utf8_check(text_span(&t)) < t.n)
		table_complain(r, v, "%s is not UTF-8", path);
	else {
		out->p = arena_strndup(r->arena, t.p != NULL ? t.p : "", t.n);
		out->n = t.n;
		status = out->p != NULL ? 0 : table_full(r);
	}
	text_release(&t);
	return status;
}

/* The path in {"file": PATH} and nothing else; NULL and no complaint. */
static int
named_file(struct table_reader *r, int v, const char **path)
{
	int file = json_get(r->doc, v, "file");
	const char *text;

	*path = NULL;
	if (file == -1 || json_size(r->doc, v) != 1)
		return 0;
	if (table_text(r, file, &text) == -1)
		return -1;
	*path = table_path(r, span_of(text));
	return *path != NULL ? 0 : -1;
}

/* A text in the arena, from here or from a file. */
static int
text_or_file(struct table_reader *r, int v, struct span *out)
{
	const char *path;
	struct span s;

	if (json_type(r->doc, v) == JSON_STRING) {
		if (json_string(r->doc, v, r->arena, &s) == -1)
			return table_full(r);
		s = arena_span(r->arena, s);
	} else {
		if (named_file(r, v, &path) == -1)
			return -1;
		if (path == NULL)
			return table_complain_type(
			    r, v, "a text or {\"file\": \"PATH\"}");
		if (file_text(r, v, path, &s) == -1)
			return -1;
	}
	*out = s;
	return 0;
}

static int
instructions_read(struct table_reader *r, int v, void *at)
{
	struct span *out = at, s;
	struct error e;
	size_t where;

	if (text_or_file(r, v, &s) == -1)
		return -1;
	if (vars_check(s, &where, &e) == -1)
		return table_complain(r, v, "%s", e.text);
	*out = s;
	return 0;
}

static void
instructions_write(struct json_writer *w, const char *key, const void *at)
{
	const struct span *s = at;

	if (s->n > 0)
		json_put_span(w, key, *s);
}

static void
file_schema(struct json_writer *w)
{
	json_write_object(w);
	json_put_str(w, "type", "object");
	json_put_object(w, "properties");
	json_put_object(w, "file");
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_end(w);
	json_put_array(w, "required");
	json_write_str(w, "file");
	json_write_end(w);
	json_put_bool(w, "additionalProperties", 0);
	json_write_end(w);
}

static void
instructions_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	file_schema(w);
	json_write_end(w);
}

const struct field_custom agent_instructions_custom = {
    instructions_read, instructions_write, instructions_schema};

/* --- the base prompt: a text, a file, or null for none --- */

static int
base_read(struct table_reader *r, int v, void *at)
{
	struct span *out = at;

	if (json_type(r->doc, v) != JSON_NULL)
		return text_or_file(r, v, out);
	*out = (struct span){"", 0};
	return 0;
}

static void
base_write(struct json_writer *w, const char *key, const void *at)
{
	const struct span *s = at;

	if (s->p != NULL && s->n == 0)
		json_put_null(w, key);
	else if (s->p != NULL)
		json_put_span(w, key, *s);
}

static void
base_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	file_schema(w);
	json_write_object(w);
	json_put_str(w, "type", "null");
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom agent_base_custom = {
    base_read, base_write, base_schema};

/* --- the manifest: here, or {"file": PATH} --- */

static int
manifest_member_read(struct table_reader *r, int v, void *at)
{
	const struct manifest **out = at;
	const char *path;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(
		    r, v, "a manifest or {\"file\": \"PATH\"}");
	if (named_file(r, v, &path) == -1)
		return -1;
	if (path == NULL)
		return manifest_read(r, v, out);
	if (table_exists(r, v, path) == -1)
		return -1;
	*out = manifest_load(r->arena, path, r->complaints);
	return *out != NULL ? 0 : -1;
}

static void
manifest_member_write(struct json_writer *w, const char *key, const void *at)
{
	const struct manifest *const *m = at;

	if (*m == NULL)
		return;
	json_write_key(w, key);
	table_put(&manifest_table, *m, 0, w);
}

static void
manifest_member_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	file_schema(w);
	json_write_object(w);
	table_schema_of(&manifest_table, w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom agent_manifest_custom = {
    manifest_member_read, manifest_member_write, manifest_member_schema};

/* --- the profile: a name, a file, or here --- */

static int
profile_member_read(struct table_reader *r, int v, void *at)
{
	const struct profile **out = at;
	const char *name;

	if (json_type(r->doc, v) == JSON_OBJECT)
		return profile_read(r, v, out);
	if (json_type(r->doc, v) != JSON_STRING)
		return table_complain_type(
		    r, v, "a profile's name, its file, or a profile");
	if (table_text(r, v, &name) == -1)
		return -1;
	return profile_read_name(r, v, name, out);
}

static void
profile_member_write(struct json_writer *w, const char *key, const void *at)
{
	const struct profile *const *p = at;

	if (*p == NULL)
		return; /* a tool server's that has no sandbox */
	json_write_key(w, key);
	table_put(&profile_table, *p, 0, w);
}

static void
profile_member_schema(struct json_writer *w)
{
	json_put_array(w, "anyOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_object(w);
	table_schema_of(&profile_table, w);
	json_write_end(w);
	json_write_end(w);
}

const struct field_custom agent_profile_custom = {
    profile_member_read, profile_member_write, profile_member_schema};
