#ifndef SKEP_CONFIG_PROFILE_H
#define SKEP_CONFIG_PROFILE_H

/*
 * A profile says what a sandbox may do.  It is data: nothing here acts.
 *
 * The built-in ones are const tables that need no parsing.  A profile file
 * either stands alone (what it leaves out is as in "draft") or `extends`
 * another one, built-in or file; then it can only restrict: lower limits,
 * fewer mounts, more protected paths.  Whatever widens is an error.
 *
 * A profile's identity is the SHA-256 of its canonical form: every effective
 * member except name and description, in the table's order, as JSON without
 * spaces.
 */

#include <stdint.h>

#include "config/text_list.h"
#include "engine/base/hash.h"

struct arena;
struct complaints;
struct error;
struct table;
struct table_reader;

enum profile_network {
	NETWORK_NONE,     /* an empty network namespace */
	NETWORK_LOOPBACK, /* its own 127.0.0.1 and ::1, nothing else */
};

enum profile_rootfs {
	ROOTFS_HOST, /* /usr and the like of the host, a minimal /etc */
	ROOTFS_DIR,  /* the tree at rootfs_path */
};

/* What the host must offer; a profile that lacks it refuses to start. */
enum profile_require {
	REQUIRE_SECCOMP = 1,
	REQUIRE_USER_NAMESPACE = 2,
	REQUIRE_CGROUP = 4,
	REQUIRE_LANDLOCK = 8,
};

struct profile_mount {
	const char *source;      /* absolute, on the host */
	const char *destination; /* absolute, inside */
	int writable;
};

/* 0 means: no ceiling. */
struct profile_limits {
	uint64_t memory_bytes; /* of all processes and tmpfs together */
	uint64_t pids;         /* processes and threads alive at once */
	double cpus;           /* processors' worth of time */
	uint64_t cpu_seconds;  /* of one process */
	uint64_t commands;     /* running at once in one sandbox */
	uint64_t open_files;   /* descriptors of one process */
	uint64_t file_bytes;   /* of one file */
	uint64_t disk_bytes;   /* workspace, /tmp and /dev/shm, each */
	uint64_t disk_inodes;  /* likewise */
	uint64_t output_bytes; /* both streams of one command */
	uint64_t command_ms;   /* wall clock of one command */
	uint64_t run_ms;       /* wall clock of a sandbox's life */
	uint64_t grace_ms;     /* between TERM and KILL */
};

struct profile {
	const char *name;
	const char *description;
	enum profile_rootfs rootfs;
	const char *rootfs_path; /* ROOTFS_DIR: absolute; else NULL */
	const struct profile_mount *mounts;
	unsigned mounts_n;
	struct text_list writable;        /* below the workspace; "." is all */
	struct text_list protected_paths; /* below the workspace, read-only */
	enum profile_network network;
	struct profile_limits limits;
	struct text_list denied_syscalls; /* taken from the allow-list */
	struct text_list environment;     /* names let in from outside */
	const char *user;                 /* name inside */
	int64_t uid;                      /* inside; gid is the same */
	unsigned require;                 /* enum profile_require, or'ed */
};

/* The built-in at i (draft, delivery, privileged, bare), or NULL. */
const struct profile *profile_builtin_at(unsigned i);

/* NULL when there is none of that name. */
const struct profile *profile_builtin(const char *name);

/*
 * A built-in by name, or a file (a name with '/' or ".json", relative to
 * folder, which may be NULL) in arena.  NULL and complaints.
 */
const struct profile *profile_load(struct arena *arena, const char *folder,
    const char *name, struct complaints *c);

/* The profile in this file, whatever its name. */
const struct profile *profile_load_file(
    struct arena *arena, const char *path, struct complaints *c);

/* Object v of r's document (an inline profile) in r's arena; -1, complaints. */
int profile_read(struct table_reader *r, int v, const struct profile **out);

/* The profile named by value v; complaints at its place. */
int profile_read_name(struct table_reader *r, int v, const char *name,
    const struct profile **out);

/* Its kind of file. */
extern const struct table profile_table;

/*
 * 0 when child allows nothing that parent does not; -1 and *e (CONFIG), which
 * names the first member that is wider.
 */
int profile_check_narrower(
    const struct profile *child, const struct profile *parent, struct error *e);

/* "sha256:..." of the canonical form. */
void profile_digest(const struct profile *p, char out[HASH_TEXT_MAX]);

#endif
