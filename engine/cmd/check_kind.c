/*
 * What kind of file is it?  By its name, by the schema it names, or by the
 * members that only one kind has.
 */

#include <string.h>
#include <sys/stat.h>

#include "config/complaint.h"
#include "config/source.h"
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

enum kind
kind_of_file(struct arena *arena, const char *path, struct complaints *c)
{
	enum kind kind;
	struct source s;
	struct stat st;

	if (span_has_suffix(span_of(path), span_of(".jsonl")))
		return KIND_TASKS;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return KIND_AGENT;
	if (source_open(&s, arena, path, c) == -1)
		return KIND_UNKNOWN;
	kind = by_schema(&s.doc);
	if (kind == KIND_UNKNOWN)
		kind = by_members(&s.doc);
	source_release(&s);
	if (kind == KIND_UNKNOWN && c->n == 0)
		complain(c, ERROR_SYNTAX, path, 1, 1,
		    "nothing in it tells what kind of file it is; say --kind, "
		    "or name a \"$schema\"");
	return kind;
}
