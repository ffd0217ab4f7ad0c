#ifndef SKEP_CONFIG_MANIFEST_H
#define SKEP_CONFIG_MANIFEST_H

/*
 * A manifest describes what a fresh workspace contains.  It is a description
 * only: sources are not opened here, and paths are checked as text.
 *
 * Entries are flat and in the order of the file, a folder before what is in
 * it.  Paths are normalised: relative, '/' between names, no "." or "..", no
 * doubled or trailing '/'.
 *
 * A source must lie below the folder of the file that names it, or below an
 * extra path grant.  Grants are authority: they count in an agent or manifest
 * file, and are refused in a task line.
 */

#include <stdint.h>

#include "config/secret_ref.h"
#include "config/text_list.h"
#include "engine/base/span.h"

struct arena;
struct complaints;
struct error;
struct profile;
struct table;
struct table_reader;
struct vars;

#define MANIFEST_ROOT "/workspace"

enum entry_type {
#define ENTRY(TYPE, name, doc) ENTRY_##TYPE,
#include "config/entries.def"
	ENTRY_TYPES
};

const char *entry_type_name(enum entry_type type);
int entry_type_is_folder(enum entry_type type);

/* How an archive is written. */
enum archive_format { ARCHIVE_AUTO, ARCHIVE_TAR, ARCHIVE_TAR_GZ, ARCHIVE_ZIP };

const char *archive_format_name(enum archive_format format);

/* How much an archive may hold when nothing else is said. */
#define ARCHIVE_INPUT_BYTES 1073741824.0
#define ARCHIVE_EXTRACTED_BYTES 4294967296.0
#define ARCHIVE_MEMBERS 100000
#define ARCHIVE_MEMBERS_MAX 1000000

struct archive_limits {
	uint64_t input_bytes, extracted_bytes;
	uint64_t members;
};

struct manifest_archive {
	enum archive_format format;
	struct archive_limits limits;
};

/* What of which repository; what may be replaced by ${...} was not yet. */
struct manifest_git {
	const char *host;    /* NAME or NAME:PORT */
	const char *repo;    /* its path at the host, without the first '/' */
	const char *ref;     /* branch, tag or commit; NULL: the default */
	const char *subpath; /* NULL: all of it */
};

struct manifest_entry {
	enum entry_type type;
	const char *path; /* below the root, normalised */
	unsigned depth;   /* folders of this manifest above it */
	const char *description;
	int ephemeral;       /* not part of snapshots */
	const char *group;   /* NULL: none */
	uint32_t mode;       /* permission bits, 0755 by default */
	struct span content; /* FILE: the bytes (base64 already decoded) */
	int is_base64;       /* FILE: was given so; no variables in it */
	const char *src;     /* LOCAL_*, ARCHIVE; NULL: an empty folder */
	const char *folder;  /* absolute: src is relative to it */
	struct manifest_git git;
	struct manifest_archive archive;
	int is_tasks; /* a task line has it, not the agent */
	int at;       /* its key's token, while it is read */
};

/*
 * A variable of the commands' environment.  A secret is given as a reference
 * and only to commands whose whole line fits one of its patterns.
 */
struct manifest_variable {
	const char *name;
	const char *description;
	int ephemeral;
	struct span value;         /* NUL-terminated; of a secret: empty */
	struct secret_ref secret;  /* kind SECRET_NOWHERE: it is none */
	struct text_list commands; /* patterns; of a secret only */
};

/* In the order of path: an outer folder before what lies in it. */
struct manifest_grant {
	const char *path;      /* inside: absolute, not "/" */
	const char *host_path; /* outside; path when it was not given */
	const char *description;
	int read_only;
};

struct manifest_group {
	const char *name;
	struct text_list users;
};

struct manifest {
	const char *file; /* it was read from; for messages */
	const char *root;
	int64_t version;
	const struct manifest_entry *entries;
	unsigned entries_n;
	const struct manifest_variable *environment;
	unsigned environment_n;
	struct text_list users;
	const struct manifest_group *groups;
	unsigned groups_n;
	const struct manifest_grant *grants;
	unsigned grants_n;
	struct text_list command_allowlist; /* remote mounts: advice */
	int has_variables;                  /* a ${...} is in it somewhere */
};

extern const struct table manifest_table;

/*
 * Object v of r's document in r's arena; -1 and complaints.  With
 * r->untrusted grants are refused; without it sources that hold no variable
 * must exist.
 */
int manifest_read(struct table_reader *r, int v, const struct manifest **out);

/* Read a file in arena; NULL and complaints. */
const struct manifest *manifest_load(
    struct arena *arena, const char *path, struct complaints *c);

/*
 * base with the entries, environment, users and groups of more added; an entry of more
 * replaces the one of base at the same path, with what was below it.  Either
 * may be NULL.  NULL and *e (MANIFEST) when both cannot be.
 */
const struct manifest *manifest_merge(struct arena *arena,
    const struct manifest *base, const struct manifest *more, struct error *e);

/*
 * With ${...} replaced in sources and text contents; m itself when it has
 * none.  NULL and *e (MANIFEST) for an unknown name or a source that a value
 * led astray.
 */
const struct manifest *manifest_expand(struct arena *arena,
    const struct manifest *m, const struct vars *vars, struct error *e);

/* Has a manifest, which may be NULL, an entry of this type? */
int manifest_has(const struct manifest *m, enum entry_type type);

/* Does a manifest, which may be NULL, make a user of this name? */
int manifest_has_user(const struct manifest *m, const char *name);

/*
 * p with the grants of m (which may be NULL) as mounts; p itself when there
 * are none, NULL when arena is full.  A profile's identity has its mounts in
 * it, so evidence tells one from the other.
 */
const struct profile *manifest_grants_apply(
    struct arena *arena, const struct manifest *m, const struct profile *p);

/*
 * Where an entry's src is to be opened: *folder (absolute; the entry's own or
 * a grant's) and *below, relative to it ("." when it is the folder itself).
 * Open *below with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS).  -1 and *e
 * (MANIFEST) when it lies outside both.
 */
int manifest_source(struct arena *arena, const struct manifest *m,
    const struct manifest_entry *entry, const char **folder, const char **below,
    struct error *e);

/*
 * Whether a git_repo entry names what may be asked for: 0, or -1, *e
 * (MANIFEST) and the member at fault.  Faults of a subpath are named "empty",
 * "absolute", "windows_path" or "parent_traversal".  What holds a variable is
 * checked once that is replaced.
 */
int manifest_git_check(
    const struct manifest_git *git, const char **member, struct error *e);

/* Can it be nothing but a commit?  7 to 40 hexadecimal digits. */
int manifest_git_is_commit(const char *ref);

/*
 * The one normaliser of workspace paths: '\' becomes '/', "." and empty parts
 * go.  0, or -1 and *e: "manifest path must be relative: X" or "manifest path
 * must not escape root: X".  "" and "." give ".".
 */
int manifest_path(
    struct arena *arena, struct span path, const char **out, struct error *e);

/* Permission bits from "rwxr-x---" or an `ls -l` string; -1: neither. */
int manifest_mode_from_ls(struct span s, uint32_t *mode);

#endif
