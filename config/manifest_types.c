/*
 * One entry of a manifest, by the table of its type.
 */

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

static const char *const type_names[] = {
#define ENTRY(TYPE, name, doc) #name,
#include "config/entries.def"
    NULL};

/* "a, b, c", behind a first ", ". */
static const char registered[] =
#define ENTRY(TYPE, name, doc) ", " #name
#include "config/entries.def"
    ;

const char *
entry_type_name(enum entry_type type)
{
	CHECK((unsigned)type < ENTRY_TYPES);
	return type_names[type];
}

int
entry_type_is_folder(enum entry_type type)
{
	return type != ENTRY_FILE && type != ENTRY_LOCAL_FILE;
}

/* --- children, which the walk of manifest_entries.c reads --- */

static int
children_read(struct table_reader *r, int v, void *at)
{
	(void)r;
	(void)v;
	(void)at;
	return 0;
}

void
manifest_entries_schema(struct json_writer *w)
{
	json_put_str(w, "type", "object");
	json_put_object(w, "additionalProperties");
	json_put_str(w, "$ref", "#/$defs/entry");
	json_write_end(w);
}

static const struct field_custom children_custom = {
    children_read, NULL, manifest_entries_schema};

/* --- the types --- */

enum encoding { ENCODING_TEXT, ENCODING_BASE64 };
static const char *const encoding_names[] = {"utf-8", "base64", NULL};

static const char *const format_names[] = {
    "auto", "tar", "tar.gz", "zip", NULL};

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
		    .custom = &manifest_mode_custom,                           \
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

static const struct field git_repo_fields[] = {
    COMMON,
    {"host", FIELD_TEXT, AT(entry.git.host), .preset_text = "github.com",
	.doc = "the server; the agent's git_hosts say how it is reached"},
    {"repo", FIELD_TEXT, FIELD_REQUIRED, AT(entry.git.repo),
	.doc = "the repository at the server, such as owner/name"},
    {"ref", FIELD_TEXT, FIELD_NULLABLE, AT(entry.git.ref),
	.doc = "a branch, a tag or a commit; the server's choice if left out"},
    {"subpath", FIELD_TEXT, FIELD_NULLABLE, AT(entry.git.subpath),
	.doc = "only this folder or file of it"},
    {.name = NULL},
};

#define LIMIT(member) .offset = offsetof(struct archive_limits, member)

static const struct field limit_fields[] = {
    {"input_bytes", FIELD_SIZE, FIELD_NULLABLE, LIMIT(input_bytes),
	.preset = ARCHIVE_INPUT_BYTES, .max = 1e15,
	.doc = "of the archive itself"},
    {"extracted_bytes", FIELD_SIZE, FIELD_NULLABLE, LIMIT(extracted_bytes),
	.preset = ARCHIVE_EXTRACTED_BYTES, .max = 1e15,
	.doc = "of all that comes out"},
    {"members", FIELD_COUNT, FIELD_NULLABLE, LIMIT(members),
	.preset = ARCHIVE_MEMBERS, .min = 1, .max = ARCHIVE_MEMBERS_MAX,
	.doc = "files and folders in it"},
    {.name = NULL},
};

static const struct table limit_table = {
    .name = "archive_limits",
    .doc = "How much an archive may hold; more is refused.",
    .bytes = sizeof(struct archive_limits),
    .fields = limit_fields,
};

static const struct field archive_fields[] = {
    COMMON,
    {"src", FIELD_TEXT, FIELD_REQUIRED, AT(entry.src),
	.doc = "an archive of the host, below the folder of this file"},
    {"format", FIELD_CHOICE, AT(entry.archive.format), .names = format_names,
	.doc = "auto: by its first bytes"},
    {"limits", FIELD_OBJECT, AT(entry.archive.limits), .table = &limit_table,
	.doc = "how much it may hold"},
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
    [ENTRY_GIT_REPO] =
	TABLE("git_repo", git_repo_fields, "A checkout of a repository."),
    [ENTRY_ARCHIVE] = TABLE(
	"archive", archive_fields, "What a tar, tar.gz or zip file holds."),
};

/* --- checks --- */

static int
read_type(struct table_reader *r, int v, enum entry_type *type)
{
	int t = json_get(r->doc, v, "type");
	struct span s;

	if (json_type(r->doc, v) != JSON_OBJECT)
		return table_complain_type(r, v, "an entry: an object");
	if (t == -1)
		return table_complain(r, v,
		    "\"type\" is missing; registered types: %s",
		    registered + 2);
	for (unsigned i = 0; i < ENTRY_TYPES; i++)
		if (json_is(r->doc, t, type_names[i])) {
			*type = (enum entry_type)i;
			return 0;
		}
	if (json_type(r->doc, t) != JSON_STRING)
		return table_complain_type(r, t, "the name of a type");
	s = json_inner(r->doc, t);
	return table_complain(r, t,
	    "Unknown entry type `%.*s`. Registered types: %s",
	    s.n < 64 ? (int)s.n : 64, s.p, registered + 2);
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

static int
check_git(struct table_reader *r, int v, const struct manifest_git *git)
{
	const char *member;
	struct error e;

	if (manifest_git_check(git, &member, &e) == 0)
		return 0;
	v = json_get(r->doc, v, member);
	return table_complain(r, v, "%s", e.text);
}

/* A task may lower the limits of an archive, not raise them. */
static int
check_archive(struct table_reader *r, int v, const struct archive_limits *l)
{
	int at = json_get(r->doc, v, "limits");

	if (l->input_bytes == 0 || l->extracted_bytes == 0)
		return table_complain(r, at, "a limit of 0 lets nothing in");
	if (r->untrusted && (l->input_bytes > ARCHIVE_INPUT_BYTES ||
				l->extracted_bytes > ARCHIVE_EXTRACTED_BYTES ||
				l->members > ARCHIVE_MEMBERS))
		return table_complain(r, at,
		    "a task cannot raise the limits of an archive; that "
		    "stands in the agent or its manifest file");
	return 0;
}

int
manifest_entry_read(struct table_reader *r, int v, struct manifest_entry *out)
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
	w.entry.is_tasks = r->untrusted;
	if (w.is_dir != -1 && w.is_dir != entry_type_is_folder(type))
		return table_complain(r, json_get(r->doc, v, "is_dir"),
		    "does not fit the type; leave it out");
	if (type == ENTRY_FILE && check_content(r, v, &w) == -1)
		return -1;
	if (type == ENTRY_GIT_REPO && check_git(r, v, &w.entry.git) == -1)
		return -1;
	if (type == ENTRY_ARCHIVE &&
	    check_archive(r, v, &w.entry.archive.limits) == -1)
		return -1;
	if (check_src(r, v, &w.entry) == -1)
		return -1;
	*out = w.entry;
	return 0;
}

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

const char *
archive_format_name(enum archive_format format)
{
	CHECK((unsigned)format < sizeof format_names / sizeof format_names[0]);
	return format_names[format];
}
