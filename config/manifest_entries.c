/*
 * The entries of a manifest: a tree in the file, flat in memory.
 *
 * The tree is walked with a stack of its own, whose depth the document's
 * ceiling bounds.  Each entry is read by the table of its type.
 */

#include <stdlib.h>
#include <string.h>

#include "config/manifest_private.h"
#include "config/vars.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "net/base64.h"
#include "net/json.h"
#include "net/json_write.h"

/* --- permissions: {owner, group, other, directory} or as `ls -l` --- */

struct permissions {
	int64_t owner, group, other;
	int directory;
};

#define BITS(name_, preset_)                                             \
	{                                                                \
		.name = #name_, .type = FIELD_INT,                       \
		.offset = offsetof(struct permissions, name_), .max = 7, \
		.preset = preset_, .doc = "4 read, 2 write, 1 execute"   \
	}

static const struct field permission_fields[] = {
    BITS(owner, 7),
    BITS(group, 0),
    BITS(other, 0),
    {"directory", FIELD_BOOL, .offset = offsetof(struct permissions, directory),
	.doc = "whether they are a folder's"},
    {.name = NULL},
};

static const struct table permission_table = {
    .name = "permissions",
    .doc = "Who may do what.",
    .bytes = sizeof(struct permissions),
    .fields = permission_fields,
};

static int
mode_read(struct table_reader *r, int v, void *at)
{
	uint32_t *mode = at;
	struct permissions p;
	const char *text;

	if (json_type(r->doc, v) == JSON_STRING) {
		if (table_text(r, v, &text) == -1)
			return -1;
		if (manifest_mode_from_ls(span_of(text), mode) == -1)
			return table_complain(r, v,
			    "not permissions as `ls -l` prints them, such as "
			    "\"-rwxr-x---\"");
		return 0;
	}
	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v,
		    "{\"owner\": 7, \"group\": 5, \"other\": 5} or "
		    "\"-rwxr-xr-x\"");
	if (table_read(r, &permission_table, v, &p) == -1)
		return -1;
	*mode = (uint32_t)(p.owner << 6 | p.group << 3 | p.other);
	return 0;
}

static void
mode_schema(struct json_writer *w)
{
	json_put_array(w, "oneOf");
	json_write_object(w);
	json_put_str(w, "type", "string");
	json_write_end(w);
	json_write_object(w);
	table_schema_of(&permission_table, w);
	json_write_end(w);
	json_write_end(w);
}

static const struct field_custom mode_custom = {mode_read, NULL, mode_schema};

/* --- children, which the walk below reads --- */

static int
children_read(struct table_reader *r, int v, void *at)
{
	(void)r;
	(void)v;
	(void)at;
	return 0;
}

static void
entries_schema(struct json_writer *w)
{
	json_put_str(w, "type", "object");
	json_put_object(w, "additionalProperties");
	json_put_str(w, "$ref", "#/$defs/entry");
	json_write_end(w);
}

static const struct field_custom children_custom = {
    children_read, NULL, entries_schema};

/* --- the types --- */

enum encoding { ENCODING_TEXT, ENCODING_BASE64 };
static const char *const encoding_names[] = {"utf-8", "base64", NULL};

/* One entry as it stands in the file. */
struct written {
	struct manifest_entry entry;
	enum encoding encoding;
	int is_dir;
	struct span content_base64;
};

#define AT(member) .offset = offsetof(struct written, member)
#define COMMON                                                                 \
	{"type", FIELD_NOTHING, .doc = "what it is"},                          \
	    {"description", FIELD_TEXT, FIELD_NULLABLE, AT(entry.description), \
		.doc = "for people and the model"},                            \
	    {"ephemeral", FIELD_BOOL, AT(entry.ephemeral),                     \
		.doc = "not part of snapshots"},                               \
	    {"group", FIELD_TEXT, FIELD_NULLABLE, AT(entry.group),             \
		.doc = "the group it belongs to"},                             \
	    {"is_dir", FIELD_BOOL, FIELD_NULLABLE, AT(is_dir), .preset = -1,   \
		.doc = "follows from the type"},                               \
	{                                                                      \
		"permissions", FIELD_CUSTOM, FIELD_NULLABLE, AT(entry.mode),   \
		    .custom = &mode_custom,                                    \
		    .doc = "owner, group, other; default 7 5 5"                \
	}

static const struct field dir_fields[] = {
    COMMON,
    {"children", FIELD_CUSTOM, FIELD_NULLABLE, .custom = &children_custom,
	.doc = "entries inside"},
    {.name = NULL},
};

static const struct field file_fields[] = {
    COMMON,
    {"content", FIELD_BYTES, FIELD_NULLABLE, AT(entry.content),
	.doc = "its text, with ${...} replaced"},
    {"encoding", FIELD_CHOICE, AT(encoding), .names = encoding_names,
	.doc = "how content is written"},
    {"content_base64", FIELD_BYTES, FIELD_NULLABLE, AT(content_base64),
	.doc = "its bytes, instead of content"},
    {.name = NULL},
};

static const struct field local_file_fields[] = {
    COMMON,
    {"src", FIELD_TEXT, FIELD_REQUIRED, AT(entry.src),
	.doc = "a file of the host, below the folder of this file"},
    {.name = NULL},
};

static const struct field local_dir_fields[] = {
    COMMON,
    {"src", FIELD_TEXT, FIELD_NULLABLE, AT(entry.src),
	.doc = "a folder of the host, below the folder of this file"},
    {.name = NULL},
};

#define TABLE(name, fields, doc)                                         \
	{                                                                \
		name, doc, sizeof(struct written), fields, NULL, NULL, 1 \
	}

static const struct table type_tables[ENTRY_TYPES] = {
    [ENTRY_DIR] = TABLE("dir", dir_fields, "A folder with its children."),
    [ENTRY_FILE] = TABLE("file", file_fields, "A file with this content."),
    [ENTRY_LOCAL_FILE] =
	TABLE("local_file", local_file_fields, "A copy of a file."),
    [ENTRY_LOCAL_DIR] = TABLE("local_dir", local_dir_fields,
	"A copy of the regular files of a folder."),
};

static const char *const type_names[] = {
#define ENTRY(TYPE, name, doc) #name,
#include "config/entries.def"
    NULL};

const char *
entry_type_name(enum entry_type type)
{
	CHECK((unsigned)type < ENTRY_TYPES);
	return type_names[type];
}

/* --- the walk --- */

struct level {
	int object; /* whose members are the entries */
	int key;    /* the one that is being read; -1: none left */
	const char *path;
	unsigned depth;
};

struct walk {
	struct table_reader *r;
	struct manifest_entry *entries;
	unsigned n, room;
	unsigned levels;
	struct level level[LIMIT_JSON_DEPTH];
	int status;
};

static int
read_type(struct table_reader *r, int v, enum entry_type *type)
{
	int t = json_get(r->doc, v, "type");
	struct span s;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an entry: an object");
	if (t == -1)
		return table_complain(r, v,
		    "\"type\" is missing; registered types: dir, file, "
		    "local_file, local_dir");
	for (unsigned i = 0; i < ENTRY_TYPES; i++)
		if (json_is(r->doc, t, type_names[i])) {
			*type = (enum entry_type)i;
			return 0;
		}
	if (json_type(r->doc, t) != JSON_STRING)
		return table_complain_type(r, t, "the name of a type");
	s = json_inner(r->doc, t);
	return table_complain(r, t,
	    "Unknown entry type `%.*s`. Registered types: dir, file, "
	    "local_file, local_dir",
	    s.n < 64 ? (int)s.n : 64, s.p);
}

static int
decode(struct table_reader *r, int v, struct span base64, struct span *out)
{
	struct text t;
	struct error e;
	int status = 0;

	text_init(&t, LIMIT_CONFIG_FILE);
	if (base64_decode(base64, &t, &e) == -1)
		status = table_complain(
		    r, v, "the content is not base64: %s", e.text);
	else {
		/* arena_strndup: so that an empty file has bytes, too. */
		out->p = arena_strndup(r->arena, t.p != NULL ? t.p : "", t.n);
		out->n = t.n;
		if (out->p == NULL)
			status = table_complain(r, v, "out of memory");
	}
	text_release(&t);
	return status;
}

static int
check_content(struct table_reader *r, int v, struct written *w)
{
	struct span base64 = w->content_base64;
	struct error e;
	size_t at;

	if (base64.p != NULL && w->entry.content.p != NULL)
		return table_complain(
		    r, v, "content and content_base64: give one of them");
	if (w->encoding == ENCODING_BASE64)
		base64 = w->entry.content;
	if (base64.p != NULL) {
		w->entry.is_base64 = 1;
		return decode(r, v, base64, &w->entry.content);
	}
	if (w->entry.content.p == NULL)
		w->entry.content = span_of("");
	if (vars_check(w->entry.content, &at, &e) == -1)
		return table_complain(
		    r, json_get(r->doc, v, "content"), "%s", e.text);
	return 0;
}

static int
check_src(struct table_reader *r, int v, struct manifest_entry *entry)
{
	int src = json_get(r->doc, v, "src");
	struct error e;
	size_t at;

	entry->folder = r->folder;
	if (entry->src == NULL)
		return 0;
	if (entry->src[0] == '\0')
		return table_complain(r, src, "the path is empty");
	if (vars_check(span_of(entry->src), &at, &e) == -1)
		return table_complain(r, src, "%s", e.text);
	return 0;
}

/* One entry, without what is below it. */
static int
read_entry(struct table_reader *r, int v, struct manifest_entry *out)
{
	struct written w;
	enum entry_type type;

	if (read_type(r, v, &type) == -1 ||
	    table_read(r, &type_tables[type], v, &w) == -1)
		return -1;
	if (json_get(r->doc, v, "permissions") == -1 ||
	    json_type(r->doc, json_get(r->doc, v, "permissions")) == JSON_NULL)
		w.entry.mode = MANIFEST_MODE_DEFAULT;
	w.entry.type = type;
	if (w.is_dir != -1 &&
	    w.is_dir != (type == ENTRY_DIR || type == ENTRY_LOCAL_DIR))
		return table_complain(r, json_get(r->doc, v, "is_dir"),
		    "does not fit the type; leave it out");
	if (type == ENTRY_FILE && check_content(r, v, &w) == -1)
		return -1;
	if ((type == ENTRY_LOCAL_FILE || type == ENTRY_LOCAL_DIR) &&
	    check_src(r, v, &w.entry) == -1)
		return -1;
	*out = w.entry;
	return 0;
}

static struct manifest_entry *
new_entry(struct walk *w)
{
	if (w->n == w->room) {
		unsigned room = w->room == 0 ? 16 : 2 * w->room;
		struct manifest_entry *more =
		    arena_alloc(w->r->arena, room * sizeof *more);

		if (more == NULL) {
			table_complain(w->r, -1, "out of memory");
			return NULL;
		}
		if (w->n > 0)
			memcpy(more, w->entries, w->n * sizeof *more);
		w->entries = more;
		w->room = room;
	}
	return &w->entries[w->n++];
}

/* The key's path below its folder, normalised. */
static const char *
entry_path(struct walk *w, const struct level *l)
{
	struct table_reader *r = w->r;
	const char *name, *path;
	struct error e;

	if (table_text(r, l->key, &name) == -1)
		return NULL;
	if (manifest_path(r->arena, span_of(name), &path, &e) == -1) {
		table_complain(r, l->key, "%s", e.text);
		return NULL;
	}
	if (strcmp(path, ".") == 0) {
		table_complain(r, l->key,
		    "manifest path must name something "
		    "below the root: %s",
		    name);
		return NULL;
	}
	if (l->path == NULL)
		return path;
	path = arena_printf(r->arena, "%s/%s", l->path, path);
	if (path == NULL || strlen(path) >= LIMIT_PATH) {
		table_complain(r, l->key, "this path is too long");
		return NULL;
	}
	return path;
}

static void
descend(struct walk *w, int object, const char *path, unsigned depth)
{
	struct table_reader *r = w->r;

	if (json_type(r->doc, object) != JSON_OBJECT) {
		w->status =
		    table_complain_type(r, object, "an object of entries");
		return;
	}
	CHECK(w->levels < LIMIT_JSON_DEPTH);
	w->level[w->levels++] =
	    (struct level){object, json_first(r->doc, object), path, depth};
}

/* The entry under the key of the innermost level. */
static void
step(struct walk *w)
{
	struct level *l = &w->level[w->levels - 1];
	struct table_reader *r = w->r;
	int key = l->key, v = json_value(r->doc, key), children;
	struct manifest_entry *entry;
	const char *path = entry_path(w, l);

	l->key = json_next(r->doc, l->object, key);
	entry = path != NULL ? new_entry(w) : NULL;
	if (entry == NULL || read_entry(r, v, entry) == -1) {
		w->n -= entry != NULL;
		w->status = -1;
		return;
	}
	entry->path = path;
	entry->depth = l->depth;
	entry->at = key;
	children = json_get(r->doc, v, "children");
	if (entry->type == ENTRY_DIR && children != -1 &&
	    json_type(r->doc, children) != JSON_NULL)
		descend(w, children, path, l->depth + 1);
}

/* --- collisions --- */

static int
by_path(const void *a, const void *b)
{
	const struct manifest_entry *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static const struct manifest_entry *
find(const struct manifest_entry *const *sorted, unsigned n, const char *path)
{
	struct manifest_entry wanted = {.path = path};
	const struct manifest_entry *key = &wanted, *const * found;

	found = bsearch(&key, sorted, n, sizeof *sorted, by_path);
	return found != NULL ? *found : NULL;
}

/* Something above the entry that is no folder made here. */
static int
check_above(struct table_reader *r, const struct manifest_entry *entry,
    const struct manifest_entry *const *sorted, unsigned n)
{
	char above[LIMIT_PATH];
	size_t length = strlen(entry->path);

	memcpy(above, entry->path, length + 1);
	while (length-- > 0) {
		const struct manifest_entry *parent;

		if (above[length] != '/')
			continue;
		above[length] = '\0';
		parent = find(sorted, n, above);
		if (parent != NULL && (parent->type == ENTRY_FILE ||
					  parent->type == ENTRY_LOCAL_FILE))
			return table_complain(r, entry->at,
			    "manifest path lies below a file: %s", entry->path);
	}
	return 0;
}

static int
check_collisions(
    struct table_reader *r, const struct manifest_entry *entries, unsigned n)
{
	const struct manifest_entry **sorted =
	    arena_alloc(r->arena, (n + 1) * sizeof *sorted);
	int status = 0;

	if (sorted == NULL)
		return table_complain(r, -1, "out of memory");
	for (unsigned i = 0; i < n; i++)
		sorted[i] = &entries[i];
	qsort(sorted, n, sizeof *sorted, by_path);
	for (unsigned i = 1; i < n; i++)
		if (strcmp(sorted[i - 1]->path, sorted[i]->path) == 0)
			status = table_complain(r, sorted[i]->at,
			    "manifest path stands here twice: %s",
			    sorted[i]->path);
	for (unsigned i = 0; i < n; i++)
		if (check_above(r, &entries[i], sorted, n) == -1)
			status = -1;
	return status;
}

/* --- the member --- */

static int
entries_read(struct table_reader *r, int v, void *at)
{
	struct manifest *m = container_of(at, struct manifest, entries);
	struct walk w = {.r = r};

	descend(&w, v, NULL, 0);
	while (w.levels > 0) {
		if (w.level[w.levels - 1].key == -1)
			w.levels--;
		else
			step(&w);
	}
	m->entries = w.entries;
	m->entries_n = w.n;
	if (w.status == 0)
		w.status = check_collisions(r, w.entries, w.n);
	return w.status;
}

const struct field_custom manifest_entries_custom = {
    entries_read, manifest_entries_write, entries_schema};

/* "entry" is one of the types; "children" refers back to it. */
void
manifest_entry_defs(struct json_writer *w)
{
	json_put_object(w, "entry");
	json_put_array(w, "oneOf");
	for (unsigned i = 0; i < ENTRY_TYPES; i++) {
		json_write_object(w);
		table_schema_of(&type_tables[i], w);
		json_write_end(w);
	}
	json_write_end(w);
	json_write_end(w);
}
