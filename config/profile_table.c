/*
 * The table of a profile, with the members that are more than a value.
 */

#include <string.h>

#include "config/manifest.h"
#include "config/profile_private.h"
#include "config/table.h"
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "net/json.h"
#include "net/json_write.h"

/* --- rootfs: "host" or "dir:PATH" --- */

static int
rootfs_read(struct table_reader *r, int v, void *at)
{
	struct profile *p = container_of(at, struct profile, rootfs);
	struct span s;
	const char *text;

	if (table_text(r, v, &text) == -1)
		return -1;
	s = span_of(text);
	if (span_is(s, "host")) {
		p->rootfs = ROOTFS_HOST;
		p->rootfs_path = NULL;
		return 0;
	}
	if (!span_has_prefix(s, span_of("dir:")) || s.n == 4)
		return table_complain(r, v,
		    "unknown root file system; give \"host\" or "
		    "\"dir:PATH\"");
	p->rootfs = ROOTFS_DIR;
	p->rootfs_path = table_path(r, span_slice(s, 4, s.n));
	return p->rootfs_path != NULL ? 0 : -1;
}

static void
rootfs_write(struct json_writer *w, const char *key, const void *at)
{
	const struct profile *p =
	    (const void *)((const char *)at - offsetof(struct profile, rootfs));

	json_write_key(w, key);
	json_write_string_begin(w);
	if (p->rootfs == ROOTFS_DIR) {
		json_write_string_add(w, span_of("dir:"));
		json_write_string_add(w, span_of(p->rootfs_path));
	} else {
		json_write_string_add(w, span_of("host"));
	}
	json_write_string_end(w);
}

static void
rootfs_schema(struct json_writer *w)
{
	json_put_str(w, "type", "string");
	json_put_str(w, "pattern", "^(host|dir:.+)$");
}

static const struct field_custom rootfs_custom = {
    rootfs_read, rootfs_write, rootfs_schema};

/* --- paths below the workspace --- */

static int
below_read(struct table_reader *r, int v, void *at)
{
	struct text_list *out = at;
	const char **paths, *text;
	struct error e;
	unsigned n = 0;
	int status = 0;

	if (json_type(r->doc, v) != JSON_ARRAY)
		return table_complain_type(r, v, "a list of paths");
	paths = arena_alloc(
	    r->arena, ((size_t)json_size(r->doc, v) + 1) * sizeof *paths);
	if (paths == NULL)
		return table_complain(r, v, "out of memory");
	for (int i = json_first(r->doc, v); i != -1;
	     i = json_next(r->doc, v, i)) {
		if (table_text(r, i, &text) == -1)
			status = -1;
		else if (manifest_path(
			     r->arena, span_of(text), &paths[n], &e) == -1)
			status = table_complain(r, i, "%s", e.text);
		else
			n++;
	}
	*out = (struct text_list){paths, n};
	return status;
}

static void
below_write(struct json_writer *w, const char *key, const void *at)
{
	const struct text_list *l = at;

	json_put_array(w, key);
	for (unsigned i = 0; i < l->n; i++)
		json_write_str(w, l->at[i]);
	json_write_end(w);
}

static void
below_schema(struct json_writer *w)
{
	json_put_str(w, "type", "array");
	json_put_object(w, "items");
	json_put_str(w, "type", "string");
	json_write_end(w);
}

static const struct field_custom below_custom = {
    below_read, below_write, below_schema};

/* --- mounts --- */

static int
is_at_or_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 &&
	       (path[n] == '/' || path[n] == '\0');
}

static int
has_dot_dot(const char *path)
{
	struct span rest = span_of(path);

	while (rest.p != NULL)
		if (span_is(span_cut(&rest, '/'), ".."))
			return 1;
	return 0;
}

static int
mount_check(struct table_reader *r, int v, void *at)
{
	const struct profile_mount *m = at;
	const char *ends[] = {m->source, m->destination};

	for (int i = 0; i < 2; i++) {
		const char *path = ends[i];

		if (path[0] != '/')
			return table_complain(r, v, "%s is not absolute", path);
		if (has_dot_dot(path))
			return table_complain(
			    r, v, "%s contains ..; write it out", path);
		if (path[strspn(path, "/")] == '\0' ||
		    is_at_or_below(path, "/proc") ||
		    is_at_or_below(path, "/sys") ||
		    is_at_or_below(path, "/dev"))
			return table_complain(r, v,
			    "%s cannot be mounted; /, /proc, /sys and /dev "
			    "stay as they are",
			    path);
	}
	return 0;
}

static const struct field mount_fields[] = {
    {"source", FIELD_PATH, FIELD_REQUIRED,
	.offset = offsetof(struct profile_mount, source),
	.doc = "a file or folder of the host"},
    {"destination", FIELD_TEXT, FIELD_REQUIRED,
	.offset = offsetof(struct profile_mount, destination),
	.doc = "where it appears inside, absolute"},
    {"writable", FIELD_BOOL, .offset = offsetof(struct profile_mount, writable),
	.doc = "whether it can be written"},
    {.name = NULL},
};

static const struct table mount_table = {
    .name = "mount",
    .doc = "A folder or file of the host inside.",
    .bytes = sizeof(struct profile_mount),
    .fields = mount_fields,
    .check = mount_check,
};

/* --- limits --- */

#define COUNT_MAX 1e9
#define SECONDS_MAX 31536000.0 /* a year */

#define LIMIT(name_, type_, member_, max_, doc_)                    \
	{                                                           \
		.name = name_, .type = type_,                       \
		.offset = offsetof(struct profile_limits, member_), \
		.max = max_, .doc = doc_ "; 0: no ceiling"          \
	}

/* What is left out is as in the parent, or in draft. */
static const struct field limits_fields[] = {
    LIMIT("memory", FIELD_SIZE, memory_bytes, 0,
	"bytes of all processes and tmpfs together"),
    LIMIT("pids", FIELD_COUNT, pids, COUNT_MAX,
	"processes and threads alive at once"),
    LIMIT("cpus", FIELD_REAL, cpus, 4096, "processors' worth of time"),
    LIMIT("cpu_seconds", FIELD_COUNT, cpu_seconds, SECONDS_MAX,
	"processor time of one process"),
    LIMIT("commands", FIELD_COUNT, commands, LIMIT_COMMANDS_PER_SANDBOX,
	"commands running at once"),
    LIMIT("files", FIELD_COUNT, open_files, COUNT_MAX,
	"open descriptors of one process"),
    LIMIT("file_size", FIELD_SIZE, file_bytes, 0, "bytes of one file"),
    LIMIT("disk", FIELD_SIZE, disk_bytes, 0,
	"bytes of the workspace, /tmp and /dev/shm, each"),
    LIMIT("inodes", FIELD_COUNT, disk_inodes, COUNT_MAX,
	"files and folders, likewise"),
    LIMIT("output", FIELD_SIZE, output_bytes, 0,
	"bytes that one command may write to its two streams"),
    LIMIT("command_seconds", FIELD_TIME, command_ms, SECONDS_MAX * 1000,
	"wall clock of one command"),
    LIMIT("run_seconds", FIELD_TIME, run_ms, SECONDS_MAX * 1000,
	"wall clock of a sandbox's life"),
    LIMIT(
	"grace_seconds", FIELD_TIME, grace_ms, 600000, "between TERM and KILL"),
    {.name = NULL},
};

const struct table profile_limits_table = {
    .name = "limits",
    .doc = "What commands may use.",
    .bytes = sizeof(struct profile_limits),
    .fields = limits_fields,
};

/* --- the profile --- */

static const char *const network_names[] = {"none", "loopback", NULL};
static const char *const require_names[] = {
    "seccomp", "user_namespace", "cgroup", "landlock", NULL};

#define AT(member) .offset = offsetof(struct profile, member)

static const struct field profile_fields[] = {
    {"$schema", FIELD_NOTHING, .doc = "where an editor finds the schema"},
    {"name", FIELD_TEXT, FIELD_ASIDE, AT(name), .doc = "for people"},
    {"description", FIELD_TEXT, FIELD_ASIDE, AT(description),
	.doc = "for people"},
    {"extends", FIELD_NOTHING,
	.doc = "a built-in profile or a file, which this one restricts"},
    {"rootfs", FIELD_CUSTOM, AT(rootfs), .custom = &rootfs_custom,
	.doc = "host, or dir:PATH; read-only"},
    {"mounts", FIELD_LIST, AT(mounts),
	.offset_n = offsetof(struct profile, mounts_n), .table = &mount_table,
	.doc = "more of the host"},
    {"writable", FIELD_CUSTOM, AT(writable), .custom = &below_custom,
	.doc = "what can be written, below the workspace; \".\" is all"},
    {"protected", FIELD_CUSTOM, AT(protected_paths), .custom = &below_custom,
	.doc = "what stays read-only, below the workspace"},
    {"network", FIELD_CHOICE, AT(network), .names = network_names,
	.doc = "none, or a loopback of its own"},
    {"limits", FIELD_OBJECT, AT(limits), .table = &profile_limits_table,
	.doc = "what commands may use"},
    {"denied_syscalls", FIELD_TEXTS, AT(denied_syscalls),
	.doc = "system calls taken from the allow-list"},
    {"environment", FIELD_TEXTS, AT(environment),
	.doc = "names of the caller's environment that are let in"},
    {"user", FIELD_TEXT, AT(user), .preset_text = "agent",
	.doc = "the user's name inside"},
    {"uid", FIELD_INT, AT(uid), .min = 1, .max = 65533, .preset = 1000,
	.doc = "the user's number inside"},
    {"require", FIELD_FLAGS, AT(require), .names = require_names,
	.doc = "what the host must offer; without it nothing starts"},
    {.name = NULL},
};

const struct table profile_table = {
    .name = "profile",
    .doc = "What a sandbox may do.",
    .bytes = sizeof(struct profile),
    .fields = profile_fields,
};

void
profile_digest(const struct profile *p, char out[HASH_TEXT_MAX])
{
	/* Reading one fails when it has none. */
	CHECK(table_digest(&profile_table, p, out) == 0);
}
