/*
 * What kind of file is it?  By its name, by the schema it names, or by the
 * members that only one kind has; else it is plain JSON.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "config/complaint.h"
#include "config/skill.h"
#include "config/source.h"
#include "engine/base/os.h"
#include "engine/cmd/check_private.h"

static const char *const names[KINDS] = {
    [KIND_UNKNOWN] = "unknown",
    [KIND_AGENT] = "agent",
    [KIND_MANIFEST] = "manifest",
    [KIND_PROFILE] = "profile",
    [KIND_POLICY] = "policy",
    [KIND_TASKS] = "tasks",
    [KIND_SETTINGS] = "settings",
    [KIND_MOCK] = "mock",
    [KIND_SKILL] = "skill",
    [KIND_JSON] = "json",
};

const char *
kind_name(enum kind kind)
{
	return names[kind];
}

enum kind
kind_of_name(const char *name)
{
	for (unsigned i = 0; i < KINDS; i++)
		if (strcmp(names[i], name) == 0)
			return (enum kind)i;
	return KIND_UNKNOWN;
}

/* ".../agent.schema.json" */
static enum kind
by_schema(const struct json_doc *d)
{
	struct span schema = json_inner(d, json_get(d, 0, "$schema")), name;
	static const struct span end = {".schema.json", 12};

	if (!span_has_suffix(schema, end))
		return KIND_UNKNOWN;
	name = span_slice(schema, 0, schema.n - end.n);
	for (unsigned i = 1; i < KINDS; i++) {
		struct span s = span_of(names[i]);

		if (span_has_suffix(name, s) &&
		    (name.n == s.n || name.p[name.n - s.n - 1] == '/'))
			return (enum kind)i;
	}
	return KIND_UNKNOWN;
}

static const struct {
	const char *member;
	enum kind kind;
} signs[] = {
    {"custom_id", KIND_TASKS},
    {"model", KIND_AGENT},
    {"instructions", KIND_AGENT},
    {"tools", KIND_AGENT},
    {"budget", KIND_AGENT},
    {"entries", KIND_MANIFEST},
    {"extra_path_grants", KIND_MANIFEST},
    {"rules", KIND_MOCK},
    {"models", KIND_MOCK},
    {"extends", KIND_PROFILE},
    {"limits", KIND_PROFILE},
    {"rootfs", KIND_PROFILE},
    {"network", KIND_PROFILE},
    {"mounts", KIND_PROFILE},
    {"protected", KIND_PROFILE},
    {"denied_syscalls", KIND_PROFILE},
    {"durability", KIND_SETTINGS},
    {"runs", KIND_SETTINGS},
};

static enum kind
by_members(const struct json_doc *d)
{
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
		if (json_get(d, 0, signs[i].member) != -1)
			return signs[i].kind;
	return KIND_UNKNOWN;
}

/* True when the first line that is not blank is a task. */
static int
begins_with_task(const char *path)
{
	struct span head, line = {NULL, 0};
	struct json_doc d;
	struct error ignored;
	char block[4096];
	ssize_t n = 0;
	int is_task = 0, fd = os->open(path, O_RDONLY | O_CLOEXEC, 0);

	if (fd == -1)
		return 0;
	n = os->read(fd, block, sizeof block);
	os->close(fd);
	head = (struct span){block, n > 0 ? (size_t)n : 0};
	while (head.p != NULL && line.n == 0)
		line = span_trim(span_cut(&head, '\n'));
	json_doc_init(&d);
	if (head.p == NULL && n == sizeof block)
		/* It goes on: its beginning has to do. */
		is_task =
		    span_search(line, span_of("\"custom_id\""), 0) < line.n;
	else if (json_parse(&d, line, 0, &ignored) == 0)
		is_task = json_get(&d, 0, "custom_id") != -1;
	json_doc_release(&d);
	return is_task;
}

/* A folder is a skill's or an agent's. */
static enum kind
kind_of_folder(struct arena *arena, const char *path, struct complaints *c)
{
	const char *file = arena_printf(arena, "%s/agent.json", path);
	struct stat st;

	if (skill_folder_is_one(path))
		return KIND_SKILL;
	if (file != NULL && stat(file, &st) == -1 && errno == ENOENT) {
		complain(c, ERROR_NO_INPUT, file, 0, 0,
		    "is not there, and no " SKILL_FILE " either; give the "
		    "folder of an agent or of a skill, or the files in it");
		return KIND_UNKNOWN;
	}
	return KIND_AGENT;
}

enum kind
kind_of_file(struct arena *arena, const char *path, struct complaints *c)
{
	enum kind kind;
	struct source s;
	struct stat st;

	if (span_has_suffix(span_of(path), span_of(".jsonl")))
		return KIND_TASKS;
	if (stat(path, &st) == -1)
		st.st_mode = 0;
	if (S_ISDIR(st.st_mode))
		return kind_of_folder(arena, path, c);
	if (span_has_suffix(span_of(path), span_of("/" SKILL_FILE)))
		return KIND_SKILL;
	if (S_ISREG(st.st_mode) && begins_with_task(path))
		return KIND_TASKS;
	if (source_open(&s, arena, path, c) == -1)
		return KIND_UNKNOWN;
	kind = by_schema(&s.doc);
	if (kind == KIND_UNKNOWN)
		kind = by_members(&s.doc);
	source_release(&s);
	return kind == KIND_UNKNOWN && c->n == 0 ? KIND_JSON : kind;
}
