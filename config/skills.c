#include "config/skills.h"

#include <stdlib.h>
#include <string.h>

#include "config/agent.h"
#include "config/complaint.h"
#include "config/manifest.h"
#include "config/table_private.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/base64.h"
#include "net/json.h"
#include "net/json_write.h"

/*
 * Theory of operation
 *
 * Literal skills are rewritten as the JSON of a manifest, which is then read
 * as any manifest is: so files of skills can be all that entries can be, and
 * there is one place that knows what is allowed.  Texts go through base64,
 * because a ${...} in a skill's script is the script's business.
 */

#define AT(member) .offset = offsetof(struct skills, member)

static const struct field skills_fields[] = {
    {"path", FIELD_TEXT, AT(path), .preset_text = SKILLS_PATH,
	.doc = "folder of the workspace where skills are"},
    {"literal", FIELD_JSON, AT(literal),
	.doc = "skills: name, description, content, scripts, references, "
	       "assets"},
    {"from", FIELD_JSON, FIELD_OBJECT_ONLY, AT(from),
	.doc = "a folder of skills, as an entry of a manifest"},
    {"lazy_from", FIELD_JSON, AT(lazy_from),
	.doc = "a folder of skills here, of which the model loads what it "
	       "needs: a path, or a local_dir"},
    {.name = NULL},
};

const struct table skills_table = {
    .name = "skills",
    .doc = "Instructions that the model looks up when a task asks for them.",
    .bytes = sizeof(struct skills),
    .fields = skills_fields,
};

/* What is being settled. */
struct settle {
	struct table_reader *r;
	struct agent *a;
	struct skills *s;
	int at; /* where "skills" stands, for complaints */
};

/* --- as the JSON of a manifest --- */

/* Read what t holds as a manifest of this agent's. */
static int
read_manifest(const struct settle *k, const struct text *t)
{
	struct table_reader sub = *k->r;
	struct complaints found; /* placed in t, which nobody has seen */
	struct json_doc doc;
	struct error e;
	int status;

	if (text_overflowed(t))
		return table_complain(k->r, k->at, "skills are too large");
	json_doc_init(&doc);
	complaints_init(&found, k->r->arena);
	sub.complaints = &found;
	sub.doc = &doc;
	sub.is_override = 1;
	sub.overrides = NULL;
	status = json_parse(&doc, text_span(t), JSON_UNIQUE, &e);
	if (status == -1)
		table_complain(k->r, k->at, "skills: %s", e.text);
	else
		status = manifest_read(&sub, 0, &k->s->manifest);
	for (const struct complaint *c = found.first; c != NULL; c = c->next)
		table_complain(k->r, k->at, "%s", c->text);
	json_doc_release(&doc);
	return status;
}

/* {"entries": {KEY: ... the caller writes the value and two ends. */
static void
begin_entries(struct json_writer *w, struct text *t)
{
	text_init(t, LIMIT_CONFIG_FILE * 2);
	json_write_init(w, t);
	json_write_object(w);
	json_put_object(w, "entries");
}

static int
end_entries(const struct settle *k, struct json_writer *w, struct text *t)
{
	int status;

	json_write_end(w);
	json_write_end(w);
	status = read_manifest(k, t);
	text_release(t);
	return status;
}

static void
put_text_entry(struct json_writer *w, struct span content)
{
	struct text base64;

	text_init(&base64, 2 * LIMIT_CONFIG_FILE);
	base64_encode(content, &base64);
	json_write_object(w);
	json_put_str(w, "type", "file");
	json_put_span(w, "content_base64", text_span(&base64));
	json_write_end(w);
	text_release(&base64);
}

/* A text, {"file": PATH}, or an entry as it stands. */
static int
put_file(const struct settle *k, const struct json_doc *d, int v,
    struct json_writer *w)
{
	int file = json_get(d, v, "file");
	struct span s;

	if (json_type(d, v) == JSON_STRING) {
		if (json_string(d, v, k->r->arena, &s) == -1)
			return table_full(k->r);
		put_text_entry(w, s);
	} else if (json_type(d, v) != JSON_OBJECT) {
		return table_complain(k->r, k->at,
		    "skills: a file is a text, {\"file\": \"PATH\"} or an "
		    "entry of a manifest");
	} else if (file != -1 && json_size(d, v) == 1) {
		json_write_object(w);
		json_put_str(w, "type", "local_file");
		json_write_key(w, "src");
		json_write_raw(w, json_raw(d, file));
		json_write_end(w);
	} else {
		json_write_raw(w, json_raw(d, v));
	}
	return 0;
}

/* "scripts" and its like: names to files. */
static int
put_folder(const struct settle *k, const struct json_doc *d, int skill,
    const char *name, struct json_writer *w)
{
	int v = json_get(d, skill, name), status = 0;

	if (v == -1 || json_type(d, v) == JSON_NULL)
		return 0;
	if (json_type(d, v) != JSON_OBJECT)
		return table_complain(
		    k->r, k->at, "skills: %s is an object of files", name);
	json_put_object(w, name);
	json_put_str(w, "type", "dir");
	json_put_object(w, "children");
	for (int key = json_first(d, v); key != -1 && status == 0;
	     key = json_next(d, v, key)) {
		struct span at;

		if (json_string(d, key, k->r->arena, &at) == -1)
			return table_full(k->r);
		json_write_key_span(w, at);
		status = put_file(k, d, json_value(d, key), w);
	}
	json_write_end(w);
	json_write_end(w);
	return status;
}

/* --- literal skills --- */

static int
text_member(const struct settle *k, const struct json_doc *d, int skill,
    const char *name, struct span *out)
{
	int v = json_get(d, skill, name);
	struct span s;

	if (v == -1 || json_type(d, v) != JSON_STRING)
		return table_complain(k->r, k->at,
		    "skills: each literal skill has a text \"%s\"", name);
	if (json_string(d, v, k->r->arena, &s) == -1)
		return table_full(k->r);
	*out = arena_span(k->r->arena, s);
	return out->p == NULL ? table_full(k->r) : 0;
}

/* Only known members, so that a typing error is not a missing script. */
static int
check_members(const struct settle *k, const struct json_doc *d, int skill)
{
	static const char *const known[] = {"name", "description", "content",
	    "scripts", "references", "assets"};

	for (int key = json_first(d, skill); key != -1;
	     key = json_next(d, skill, key)) {
		size_t i = 0;

		while (i < 6 && !json_is(d, key, known[i]))
			i++;
		if (i == 6)
			return table_complain(k->r, k->at,
			    "skills: %.*s is no member of a literal skill",
			    (int)json_inner(d, key).n, json_inner(d, key).p);
	}
	return 0;
}

static int
read_literal(const struct settle *k, const struct json_doc *d, int skill,
    struct skill *out)
{
	const char *fault;

	if (json_type(d, skill) != JSON_OBJECT)
		return table_complain(
		    k->r, k->at, "skills: a literal skill is an object");
	if (check_members(k, d, skill) == -1 ||
	    text_member(k, d, skill, "name", &out->name) == -1 ||
	    text_member(k, d, skill, "description", &out->description) == -1)
		return -1;
	fault = skill_name_fault(out->name);
	if (fault != NULL)
		return table_complain(k->r, k->at, "skills: the name %.*s %s",
		    (int)(out->name.n < 80 ? out->name.n : 80), out->name.p,
		    fault);
	if (out->description.n == 0 ||
	    out->description.n > 4 * SKILL_DESCRIPTION_MAX)
		return table_complain(k->r, k->at,
		    "skills: the description of %.*s must have 1 to 1024 "
		    "characters",
		    (int)out->name.n, out->name.p);
	out->folder = arena_strndup(k->r->arena, out->name.p, out->name.n);
	return out->folder == NULL ? table_full(k->r) : 0;
}

static int
is_taken(const struct settle *k, const struct skill *list, unsigned n)
{
	const struct manifest *m = k->a->manifest;
	const char *path =
	    arena_printf(k->r->arena, "%s/%s", k->s->path, list[n].folder);
	size_t length = path == NULL ? 0 : strlen(path);

	for (unsigned i = 0; i < n; i++)
		if (span_eq(list[i].name, list[n].name))
			return table_complain(k->r, k->at,
			    "skills: duplicate skill name: %s", list[n].folder);
	for (unsigned i = 0; m != NULL && i < m->entries_n; i++)
		if (path != NULL &&
		    strncmp(m->entries[i].path, path, length) == 0 &&
		    (m->entries[i].path[length] == '\0' ||
			m->entries[i].path[length] == '/'))
			return table_complain(k->r, k->at,
			    "skill path already exists in manifest: %s", path);
	return path == NULL ? table_full(k->r) : 0;
}

static int
put_literal(const struct settle *k, const struct json_doc *d, int skill,
    const struct skill *known, struct json_writer *w)
{
	const char *key =
	    arena_printf(k->r->arena, "%s/%s", k->s->path, known->folder);
	int content = json_get(d, skill, "content"), status;

	if (key == NULL)
		return table_full(k->r);
	if (content == -1)
		return table_complain(k->r, k->at,
		    "skills: %s has no \"content\"", known->folder);
	json_put_object(w, key);
	json_put_str(w, "type", "dir");
	json_put_object(w, "children");
	json_write_key(w, SKILL_FILE);
	status = put_file(k, d, content, w);
	if (status == 0)
		status = put_folder(k, d, skill, "scripts", w);
	if (status == 0)
		status = put_folder(k, d, skill, "references", w);
	if (status == 0)
		status = put_folder(k, d, skill, "assets", w);
	json_write_end(w);
	json_write_end(w);
	return status;
}

static int
put_literals(const struct settle *k, const struct json_doc *d,
    struct skill *list, struct json_writer *w)
{
	unsigned n = 0;

	if (json_type(d, 0) != JSON_ARRAY || json_size(d, 0) == 0 ||
	    json_size(d, 0) > SKILLS_MAX)
		return table_complain(k->r, k->at,
		    "skills: literal is a list of 1 to %d skills", SKILLS_MAX);
	for (int v = json_first(d, 0); v != -1; v = json_next(d, 0, v), n++)
		if (read_literal(k, d, v, &list[n]) == -1 ||
		    is_taken(k, list, n) == -1 ||
		    put_literal(k, d, v, &list[n], w) == -1)
			return -1;
	qsort(list, n, sizeof *list, skill_compare);
	k->s->skill = list;
	k->s->n = n;
	return 0;
}

static int
settle_literal(const struct settle *k)
{
	struct skill *list =
	    arena_alloc(k->r->arena, SKILLS_MAX * sizeof *list);
	struct json_writer w;
	struct json_doc doc;
	struct error e;
	struct text t;
	int status;

	if (list == NULL)
		return table_full(k->r);
	json_doc_init(&doc);
	begin_entries(&w, &t);
	status = json_parse(&doc, k->s->literal, JSON_UNIQUE, &e);
	if (status == -1)
		table_complain(k->r, k->at, "skills: %s", e.text);
	else
		status = put_literals(k, &doc, list, &w);
	if (status == -1)
		text_release(&t);
	else
		status = end_entries(k, &w, &t);
	json_doc_release(&doc);
	return status;
}

/* --- from, lazy_from --- */

/* The entry that the agent's manifest has at path, above or below it. */
static const struct manifest_entry *
entry_about(const struct settle *k)
{
	const struct manifest *m = k->a->manifest;
	const char *path = k->s->path;
	size_t n = strlen(path);

	for (unsigned i = 0; m != NULL && i < m->entries_n; i++) {
		const char *other = m->entries[i].path;
		size_t other_n = strlen(other);

		if (strncmp(path, other, n < other_n ? n : other_n) == 0 &&
		    (n == other_n ||
			(n < other_n ? other[n] : path[other_n]) == '/'))
			return &m->entries[i];
	}
	return NULL;
}

static int
settle_entry(const struct settle *k, struct span json)
{
	struct json_writer w;
	struct text t;

	begin_entries(&w, &t);
	json_put_raw(&w, k->s->path, json);
	if (end_entries(k, &w, &t) == -1)
		return -1;
	if (k->s->manifest->entries_n > 0 &&
	    entry_type_is_folder(k->s->manifest->entries[0].type))
		return 0;
	return table_complain(
	    k->r, k->at, "skills: `from` must be a folder of some type");
}

static int
settle_from(const struct settle *k)
{
	const struct manifest_entry *there = entry_about(k);

	if (there == NULL || strcmp(there->path, k->s->path) != 0)
		return settle_entry(k, k->s->from);
	if (!entry_type_is_folder(there->type))
		return table_complain(k->r, k->at,
		    "skills root path already exists in manifest: %s",
		    there->path);
	return 0; /* the manifest's own folder is the one */
}

static int
list_lazy(const struct settle *k)
{
	const char *dir, *below;
	struct manifest with = *k->s->manifest;
	struct error e;

	if (with.entries[0].type != ENTRY_LOCAL_DIR ||
	    with.entries[0].src == NULL)
		return table_complain(k->r, k->at,
		    "skills: lazy_from is a path, or a local_dir with a src");
	if (k->a->manifest != NULL) {
		with.grants = k->a->manifest->grants;
		with.grants_n = k->a->manifest->grants_n;
	}
	if (manifest_source(
		k->r->arena, &with, &with.entries[0], &dir, &below, &e) == -1 ||
	    skill_folder_list(
		k->r->arena, dir, below, &k->s->skill, &k->s->n, &e) == -1)
		return table_complain(k->r, k->at, "skills: %s", e.text);
	return 0;
}

static int
settle_lazy(const struct settle *k)
{
	const struct manifest_entry *there = entry_about(k);
	struct json_writer w;
	struct text t;
	int status;

	if (there != NULL)
		return table_complain(k->r, k->at,
		    "skills lazy_from path overlaps existing manifest "
		    "entries: %s",
		    there->path);
	if (k->s->lazy_from.p[0] == '{')
		return settle_entry(k, k->s->lazy_from) == -1 ? -1
							      : list_lazy(k);
	text_init(&t, LIMIT_PATH * 8);
	json_write_init(&w, &t);
	json_write_object(&w);
	json_put_str(&w, "type", "local_dir");
	json_put_raw(&w, "src", k->s->lazy_from);
	json_write_end(&w);
	status = settle_entry(k, text_span(&t));
	text_release(&t);
	return status == -1 ? -1 : list_lazy(k);
}

/* --- which of them --- */

static int
settle_source(struct settle *k)
{
	struct skills *s = k->s;

	switch ((s->literal.n > 0) + (s->from.n > 0) + (s->lazy_from.n > 0)) {
	case 0:
		return table_complain(k->r, k->at,
		    "skills need one of literal, from and lazy_from");
	case 1:
		break;
	default:
		return table_complain(k->r, k->at,
		    "skills take only one of literal, from and lazy_from");
	}
	s->source = s->literal.n > 0 ? SKILLS_LITERAL
		    : s->from.n > 0  ? SKILLS_FROM
				     : SKILLS_LAZY;
	if (s->source == SKILLS_LITERAL)
		return settle_literal(k);
	return s->source == SKILLS_FROM ? settle_from(k) : settle_lazy(k);
}

int
skills_settle(struct table_reader *r, int v, struct agent *a)
{
	struct settle k = {.r = r,
	    .a = a,
	    .s = &a->skills,
	    .at = json_get(r->doc, v, "skills")};
	struct error e;

	/* Where they would lie, and none: as an agent without is written. */
	if (a->skills.literal.n + a->skills.from.n + a->skills.lazy_from.n ==
		0 &&
	    (k.at == -1 ||
		json_is(r->doc, json_get(r->doc, k.at, "path"), SKILLS_PATH)))
		return 0;
	if (a->tools.n == 0)
		return table_complain(r, k.at,
		    "skills need a tool to be read with, such as exec_command");
	if (manifest_path(
		r->arena, span_of(a->skills.path), &a->skills.path, &e) == -1)
		return table_complain(r, k.at, "skills: path: %s", e.text);
	if (strcmp(a->skills.path, ".") == 0)
		return table_complain(
		    r, k.at, "skills: path must not be the workspace itself");
	if (settle_source(&k) == -1)
		return -1;
	if (a->skills.source == SKILLS_LAZY || a->skills.manifest == NULL)
		return 0;
	a->manifest =
	    manifest_merge(r->arena, a->manifest, a->skills.manifest, &e);
	return a->manifest == NULL
		   ? table_complain(r, k.at, "skills: %s", e.text)
		   : 0;
}
