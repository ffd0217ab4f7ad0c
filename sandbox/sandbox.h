#ifndef SKEP_SANDBOX_SANDBOX_H
#define SKEP_SANDBOX_SANDBOX_H

/*
 * A sandbox is a confined place with a workspace in which commands run.
 *
 * Theory of operation
 *
 * A host makes sandboxes from profiles; where they run is its backend's
 * business (backend.h).  Everything is asynchronous: a start function gives a
 * handle or NULL with *e, its callback is never called before it returns, is
 * called exactly once, and is never called after the handle was cancelled or
 * freed.  A callback may call anything of this header, freeing included.
 *
 * The engine never opens a path inside a workspace.  Files go in and come out
 * by verbs that the sandbox itself carries out, in slices of at most
 * SANDBOX_SLICE bytes; a larger file is several verbs, which are carried out
 * in the order in which they were started, so they may be started all at once
 * up to SANDBOX_OPS_MAX in flight (then FULL: start the rest from a callback).
 *
 * Paths of verbs are relative to the workspace, or absolute below /workspace
 * or below a folder that the profile mounts.  A path that leads outside it, by
 * ".." or by a symbolic link, is DENIED.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/span.h"

struct git_remotes;
struct loop;
struct manifest;
struct profile;
struct sandbox;
struct sandbox_host;
struct secret;
struct zygote;

#define SANDBOX_SLICE (64 * 1024)  /* bytes of a file in one verb */
#define SANDBOX_OPS_MAX 32         /* file verbs in flight, per sandbox */
#define SANDBOX_ARGV_MAX (4 << 20) /* argv, environment and folder */

/* ------------------------------------------------------------------ host */

/* A folder or file of the host, shown at dst in every sandbox of a host. */
struct sandbox_bind {
	const char *src, *dst; /* rules and refusals: mounts.h */
	int read_only;
};

struct sandbox_host_settings {
	unsigned sandboxes_max; /* alive at once; 0: 64 */
	unsigned commands_max;  /* running at once in all; 0: 4 a sandbox */
	unsigned netns_ready;   /* network namespaces kept in stock */
	unsigned cgroups_ready; /* control groups kept in stock */
	unsigned warm;          /* sandboxes kept ready, of each profile */

	/*
	 * A folder of the engine's alone, for layers: what manifests made,
	 * shared by the workspaces that begin with it.  It must exist; NULL:
	 * every workspace is plain.  Kept.
	 */
	const char *layers;

	/* Every profile that sandboxes will be made from; kept. */
	const struct profile *const *profiles;
	unsigned profiles_n;

	/*
	 * This process has no use for a network of its own, so as root it may
	 * make its only sandbox's network namespace by entering it, while the
	 * zygote is busy with the file system.
	 */
	int gives_network;

	/* For a host with one sandbox (`skep exec`); kept. */
	const char *workspace; /* NULL, or a folder that is /workspace; kept */
	const struct sandbox_bind *binds;
	unsigned binds_n;
};

/*
 * A host on this zygote (keeps both, and the profiles).  NULL and *e when a
 * profile asks for what cannot be had here: SANDBOX_UNAVAILABLE.
 */
struct sandbox_host *sandbox_host_new(struct loop *loop, struct zygote *zygote,
    const struct sandbox_host_settings *settings, struct error *e);

/*
 * Kill what lives and give up everything, waiting (bounded) until processes
 * and control groups are gone: for the end of the program.  Frees sandboxes
 * and commands that still exist without calling back.
 */
void sandbox_host_free(struct sandbox_host *host);

/* Sandboxes that exist now, those being made and removed included, but not
 * those that are kept ready for nobody yet. */
unsigned sandbox_host_live(const struct sandbox_host *host);

/* --------------------------------------------------------------- sandbox */

struct sandbox_spec {
	const struct profile *profile;     /* one of the host's */
	const struct manifest *manifest;   /* NULL: an empty workspace; kept
					    until created() */
	const char *run_as;                /* one of the manifest's users, who
					    commands and verbs act as; NULL:
					    the profile's user.  users.h */
	int layered;                       /* where possible: begin on top of a
					    layer instead of with a copy */
	int remembers;                     /* what was there at first, so that
					    changes can be found: changes.h */
	const struct git_remotes *remotes; /* for git_repo entries; likewise */
	const char *label;                 /* a run's id, for traces; copied */
};

struct sandbox_ops {
	/* It is ready (error == NULL), or could not be made: free it. */
	void (*created)(
	    struct sandbox *sb, const struct error *error, void *owner);
	/* It ended under us.  Its commands and verbs were told before. */
	void (*lost)(
	    struct sandbox *sb, const struct error *error, void *owner);
};

/* Keeps ops.  NULL and *e: FULL when sandboxes_max live already. */
struct sandbox *sandbox_create(struct sandbox_host *host,
    const struct sandbox_spec *spec, const struct sandbox_ops *ops, void *owner,
    struct error *e);

/*
 * End it and everything inside, at once.  Its commands and verbs are freed
 * without calling back.  The removal goes on behind the scenes.
 */
void sandbox_destroy(struct sandbox *sb); /* NULL is fine */

/* The same, and say when nothing of it is left.  gone may be NULL. */
typedef void sandbox_gone_fn(void *owner);
void sandbox_destroy_then(
    struct sandbox *sb, sandbox_gone_fn *gone, void *owner);

/*
 * Which step of its making failed ("mount /tmp", "clone"); "" when none did.
 * created() has the same step in its error's text, with the errno.
 */
const char *sandbox_failed_step(const struct sandbox *sb);

/*
 * From now on commands and verbs act as this user (a name or number), where
 * they do not say; NULL: the profile's.  -1 and *e: NOT_FOUND, or
 * SANDBOX_UNAVAILABLE where only root could map it.
 */
int sandbox_act_as(struct sandbox *sb, const char *user, struct error *e);

/* What the git_repo entries of its manifest came to; for results. */
#define SANDBOX_COMMITS_MAX 16
struct sandbox_commit {
	const char *path; /* the manifest's */
	char commit[65];
};
unsigned sandbox_commits(
    const struct sandbox *sb, const struct sandbox_commit **out);

/* What was really built: for results. */
struct sandbox_facts {
	const char *profile;   /* its name */
	const char *digest;    /* "sha256:..." */
	const char *rootfs;    /* "host" or "dir:PATH" */
	const char *network;   /* "none" or "loopback" */
	const char *cgroup;    /* "v1", "v2" or "none" */
	const char *workspace; /* "plain" or "layered" */
	const char *no_layers; /* why this host has none; "" */
	int seccomp;
	int landlock; /* ABI in force; 0: none */
	int user_namespace;
};
void sandbox_facts(const struct sandbox *sb, struct sandbox_facts *out);

/* -------------------------------------------------------------- commands */

enum verdict {
#define VERDICT(NAME, name, doc) VERDICT_##NAME,
#include "sandbox/verdicts.def"
	VERDICTS
};
const char *verdict_name(enum verdict v);

struct exec;

enum exec_stdio {
	EXEC_NULL, /* /dev/null */
	EXEC_PIPE, /* ours: exec_write(), output() or kept */
	EXEC_FD    /* the caller's descriptor, borrowed */
};

enum exec_program {
	EXEC_ARGV,  /* what argv names */
	EXEC_UNPACK /* unpack.h; argv: "unpack", path, format, limits */
};

/* A variable whose value nobody but the command may see. */
struct exec_secret {
	const char *name;
	const struct secret *secret;
};

struct exec_spec {
	enum exec_program program;
	const char *const *argv; /* NULL-terminated; argv[0] by PATH */
	const char *const *env;  /* NAME=VALUE, NULL-terminated, on top of the
				    profile's; may be NULL */
	/*
	 * With secrets everything else in the sandbox is ended before the
	 * command starts and what it leaves behind when it ends, because one
	 * process can read another's environment; nothing can be started
	 * beside it.
	 */
	const struct exec_secret *secrets;
	unsigned secrets_n;
	const char *cwd;  /* NULL: /workspace; relative: below it */
	const char *user; /* NULL: who acts; see sandbox_act_as() */

	enum exec_stdio stdio[3]; /* ignored with tty */
	int fd[3];                /* where stdio[i] == EXEC_FD */
	int stderr_to_stdout;     /* one stream, as 2>&1 */
	int channel; /* a socket as its descriptor 3: exec_take_channel() */

	int tty;                      /* a pseudo-terminal of the sandbox's */
	unsigned short rows, columns; /* 0: 24 x 80 */

	uint64_t timeout_ms; /* 0: the profile's */
	uint64_t grace_ms;   /* between TERM and KILL; 0: 2000 */
	uint64_t output_max; /* both streams, more ends it; 0: the profile's */
	size_t kept_max;     /* of each stream, half head and half tail, when
				ops->output is NULL; 0: LIMIT_OUTPUT_KEPT */
};

struct exec_report {
	enum verdict verdict;
	unsigned limits;   /* 1u << VERDICT_x for every limit that was met */
	int exit;          /* -1 when a signal ended it */
	int signal;        /* 0 when none did */
	int exec_errno;    /* it was never started: exit is 126 or 127 */
	int no_folder;     /* exec_errno is about the folder to run it in */
	int truncated;     /* a stream was longer than what was kept */
	uint64_t bytes[2]; /* written to stdout and stderr, in truth */
	uint64_t wall_us, user_us, system_us;
	uint64_t max_rss_bytes;
	struct error error; /* code NONE, or why it was lost */
};

/* What is kept of a stream: its head, and its tail when there is a gap. */
struct exec_kept {
	struct span head, tail;
	uint64_t omitted; /* bytes between them */
};

struct exec_ops {
	/*
	 * Bytes came on stream 1 or 2 (1 with a tty): how many were taken.
	 * Taking less stops the stream until exec_resume().  NULL: kept.
	 */
	size_t (*output)(
	    struct exec *x, int stream, struct span s, void *owner);
	/* Bytes are kept that were not there before (may be NULL). */
	void (*more)(struct exec *x, int stream, void *owner);
	/* exec_write() has room again, or stdin closed (may be NULL). */
	void (*writable)(struct exec *x, void *owner);
	/* It ended.  What was kept stays until exec_free(). */
	void (*done)(
	    struct exec *x, const struct exec_report *report, void *owner);
};

/*
 * Borrows spec, keeps ops.  NULL and *e: FULL, SANDBOX_LOST, TOO_BIG, or what
 * sandbox_act_as() says.
 */
struct exec *exec_start(struct sandbox *sb, const struct exec_spec *spec,
    const struct exec_ops *ops, void *owner, struct error *e);

/* Bytes queued for its stdin, 0 when full, -1 when closed. */
ptrdiff_t exec_write(struct exec *x, struct span s);
void exec_close_stdin(struct exec *x); /* after what is queued; tty: EOT */

/*
 * The other end of its channel, which the caller closes; non-blocking.  -1:
 * none was asked for, or it was taken, or the backend has none.
 */
int exec_take_channel(struct exec *x);

void exec_resume(struct exec *x, int stream);
void exec_resize(struct exec *x, unsigned short rows, unsigned short columns);

/* To its foreground process group (tty) or its process group. */
void exec_signal(struct exec *x, int signo);

void exec_kept(struct exec *x, int stream, struct exec_kept *out);

/* Give it up; kills it when it still runs.  No callback after this. */
void exec_free(struct exec *x); /* NULL is fine */

/* ------------------------------------------------------------- the files */

struct file_op;

/* Does this absolute path lie in a folder that the profile mounts? */
int sandbox_shows(const struct sandbox *sb, const char *path);

enum file_kind {
	FILE_NONE,
	FILE_REGULAR,
	FILE_DIR,
	FILE_SYMLINK,
	FILE_OTHER /* FIFO, socket, device */
};

struct file_stat {
	enum file_kind kind;
	uint32_t mode; /* permission bits */
	uint64_t size, inode;
	int64_t mtime_ns;
	/*
	 * When its status changed and when it was made, by the sandbox's file
	 * system: commands can set neither.
	 */
	int64_t changed_ns, born_ns;
};

struct file_result {
	const struct error *error; /* NULL: done.  NOT_FOUND, DENIED, IO, ... */
	struct file_stat stat;     /* get, stat, hash */
	struct span bytes;         /* get: the slice; list: see file_entry */
	int at_end;                /* get, hash: end of file; list: the last */
	uint64_t next;             /* list: where to go on; hash: the offset */
	struct hash hash;          /* hash: so far; hash_end() it at_end */
};

typedef void file_done_fn(
    struct file_op *op, const struct file_result *r, void *owner);

enum file_flags {
	FILE_CREATE = 1,     /* put: make it when it is missing */
	FILE_TRUNCATE = 2,   /* put: at most offset bytes remain before */
	FILE_PARENTS = 4,    /* put, mkdir: missing folders too */
	FILE_EXCLUSIVE = 8,  /* put: it must not exist; mkdir: likewise */
	FILE_NOFOLLOW = 16,  /* no symbolic link anywhere in the path */
	FILE_RECURSIVE = 32, /* remove: a folder with what is in it */
	FILE_OURS = 64, /* as the profile's user, and put, mkdir, chgrp, chmod
				also where commands may only read */
	FILE_LINK = 128 /* get: where a symbolic link points to */
};

/* Write s (at most SANDBOX_SLICE, copied) at offset; mode for a new file. */
struct file_op *sandbox_put(struct sandbox *sb, const char *path, uint32_t mode,
    uint64_t offset, unsigned flags, struct span s, file_done_fn *done,
    void *owner, struct error *e);

/* Read up to n bytes (at most SANDBOX_SLICE) at offset. */
struct file_op *sandbox_get(struct sandbox *sb, const char *path,
    uint64_t offset, size_t n, unsigned flags, file_done_fn *done, void *owner,
    struct error *e);

/* Some of a folder's entries; from: 0, then result.next until at_end. */
struct file_op *sandbox_list(struct sandbox *sb, const char *path,
    uint64_t from, unsigned flags, file_done_fn *done, void *owner,
    struct error *e);

/* Cut the next entry off a list result's bytes; 0 when there is none. */
struct file_entry {
	struct span name;
	struct file_stat stat;
};
int file_entry_next(struct span *rest, struct file_entry *out);

struct file_op *sandbox_stat(struct sandbox *sb, const char *path,
    unsigned flags, file_done_fn *done, void *owner, struct error *e);
struct file_op *sandbox_mkdir(struct sandbox *sb, const char *path,
    uint32_t mode, unsigned flags, file_done_fn *done, void *owner,
    struct error *e);
struct file_op *sandbox_remove(struct sandbox *sb, const char *path,
    unsigned flags, file_done_fn *done, void *owner, struct error *e);
struct file_op *sandbox_rename(struct sandbox *sb, const char *from,
    const char *to, file_done_fn *done, void *owner, struct error *e);

/* Give a file or folder to one of the manifest's groups (or a user's own). */
struct file_op *sandbox_chgrp(struct sandbox *sb, const char *path,
    const char *group, unsigned flags, file_done_fn *done, void *owner,
    struct error *e);

/* Permission bits; of a file or folder that can be read. */
struct file_op *sandbox_chmod(struct sandbox *sb, const char *path,
    uint32_t mode, unsigned flags, file_done_fn *done, void *owner,
    struct error *e);

/* SHA-256 of the next slice (at most 4 MiB) of a file; so_far from
 * hash_init(), then from the result until at_end. */
struct file_op *sandbox_hash(struct sandbox *sb, const char *path,
    uint64_t offset, const struct hash *so_far, unsigned flags,
    file_done_fn *done, void *owner, struct error *e);

/* The verb may still be carried out; its callback will not come. */
void file_op_cancel(struct file_op *op);

#endif
