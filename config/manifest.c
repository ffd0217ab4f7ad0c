#include "config/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "config/complaint.h"
#include "config/manifest_private.h"
#include "config/source.h"
#include "config/vars.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/os.h"
#include "net/json_write.h"

/* --- the manifest --- */

static const char *const allowlist[] = {"ls", "find", "stat", "cat", "less",
    "head", "tail", "du", "grep", "rg", "wc", "sort", "cut", "cp", "tee",
    "echo", "mkdir", "rm"};

#define AT(member) .offset = offsetof(struct manifest, member)

static const struct field manifest_fields[] = {
    {"$schema", FIELD_NOTHING, .doc = "where an editor finds the schema"},
    {"version", FIELD_INT, AT(version), .min = 1, .max = 1, .preset = 1,
	.doc = "of this format"},
    {"root", FIELD_TEXT, AT(root), .preset_text = MANIFEST_ROOT,
	.doc = "always /workspace"},
    {"entries", FIELD_CUSTOM, AT(entries), .custom = &manifest_entries_custom,
	.doc = "path to entry"},
    {"environment", FIELD_CUSTOM, FIELD_NULLABLE, AT(environment),
	.custom = &manifest_environment_custom,
	.doc = "variables of every command"},
    {"users", FIELD_CUSTOM, AT(users), .custom = &manifest_users_custom,
	.doc = "users that exist inside"},
    {"groups", FIELD_LIST, AT(groups),
	.offset_n = offsetof(struct manifest, groups_n),
	.table = &manifest_group_table, .doc = "groups that exist inside"},
    {"extra_path_grants", FIELD_LIST, AT(grants),
	.offset_n = offsetof(struct manifest, grants_n),
	.table = &manifest_grant_table,
	.doc = "folders of the host that may be used"},
    {"remote_mount_command_allowlist", FIELD_TEXTS, AT(command_allowlist),
	.doc = "commands the model is told to use on remote mounts"},
    {.name = NULL},
};

static int
manifest_check(struct table_reader *r, int v, void *at)
{
	struct manifest *m = at;
	int grants = json_get(r->doc, v, "extra_path_grants");

	if (strcmp(m->root, MANIFEST_ROOT) != 0)
		return table_complain(r, json_get(r->doc, v, "root"),
		    "the root is always %s", MANIFEST_ROOT);
	return manifest_grants_check(r, grants, m);
}

const struct table manifest_table = {
    .name = "manifest",
    .doc = "What a fresh workspace contains.",
    .bytes = sizeof(struct manifest),
    .fields = manifest_fields,
    .check = manifest_check,
    .defs = manifest_entry_defs,
};

/* --- reading --- */

static int
is_open(const struct manifest_entry *entry)
{
	const char *names[] = {
	    entry->src, entry->git.repo, entry->git.ref, entry->git.subpath};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i] != NULL && vars_occur(span_of(names[i])))
			return 1;
	return entry->type == ENTRY_FILE && !entry->is_base64 &&
	       vars_occur(entry->content);
}

/* Is the source there, and of the kind that the entry names? */
static int
check_source(struct table_reader *r, const struct manifest *m,
    const struct manifest_entry *entry)
{
	int v = json_value(r->doc, entry->at), must_be_dir;
	const char *folder, *below, *path;
	struct stat st;
	struct error e;

	v = json_get(r->doc, v, "src");
	if (manifest_source(r->arena, m, entry, &folder, &below, &e) == -1)
		return table_complain(r, v, "%s", e.text);
	if (r->untrusted)
		return 0;
	path = arena_printf(r->arena, "%s/%s", folder, below);
	if (path == NULL)
		return table_complain(r, v, "out of memory");
	if (stat(path, &st) == -1)
		return table_complain(r, v, "%ssource %s: %s",
		    errno == ENOENT ? "path_not_found: " : "", path,
		    strerror(errno));
	must_be_dir = entry->type == ENTRY_LOCAL_DIR;
	if (must_be_dir ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return table_complain(r, v, "source %s is not a %s", path,
		    must_be_dir ? "folder" : "regular file");
	return 0;
}

int
manifest_read(struct table_reader *r, int v, const struct manifest **out)
{
	struct overrides *overrides = r->overrides;
	struct manifest *m = arena_alloc(r->arena, sizeof *m);
	int status;

	if (m == NULL)
		return table_complain(r, v, "out of memory");
	r->overrides = NULL;
	status = table_read(r, &manifest_table, v, m);
	r->overrides = overrides;
	if (status == -1)
		return -1;
	m->file = r->file;
	if (json_get(r->doc, v, "remote_mount_command_allowlist") == -1)
		m->command_allowlist = (struct text_list){
		    allowlist, sizeof allowlist / sizeof allowlist[0]};
	for (unsigned i = 0; i < m->entries_n; i++) {
		const struct manifest_entry *entry = &m->entries[i];

		m->has_variables |= is_open(entry);
		if (entry->src != NULL && !vars_occur(span_of(entry->src)) &&
		    check_source(r, m, entry) == -1)
			status = -1;
	}
	*out = m;
	return status;
}

const struct manifest *
manifest_load(struct arena *arena, const char *path, struct complaints *c)
{
	struct table_reader r = {.arena = arena, .complaints = c};
	const struct manifest *m = NULL;
	unsigned before = c->n;
	struct source s;

	if (source_open(&s, arena, path, c) == -1)
		return NULL;
	r.file = arena_strndup(arena, path, strlen(path));
	r.folder = s.folder;
	r.doc = &s.doc;
	(void)manifest_read(&r, 0, &m);
	source_release(&s);
	return c->n == before ? m : NULL;
}

int
manifest_has(const struct manifest *m, enum entry_type type)
{
	for (unsigned i = 0; m != NULL && i < m->entries_n; i++)
		if (m->entries[i].type == type)
			return 1;
	return 0;
}
