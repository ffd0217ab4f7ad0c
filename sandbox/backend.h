#ifndef SKEP_SANDBOX_BACKEND_H
#define SKEP_SANDBOX_BACKEND_H

/*
 * What a backend implements: the inside of sandbox.h, included only by the
 * files of the sandbox module that carry it out and by its tests.
 *
 * sandbox.c owns hosts and sandboxes, exec.c commands, files.c file verbs; a
 * backend embeds struct sandbox_host and struct sandbox in its own and calls
 * the functions at the end of this page when something happened.  Every call
 * into a backend may fail at once with -1 and *e; later failures are reported
 * by those functions.
 */

#include "engine/base/list.h"
#include "engine/base/loop.h"
#include "engine/base/slab.h"
#include "sandbox/exec.h"
#include "sandbox/mounts.h"
#include "sandbox/sandbox.h"
#include "sandbox/users.h"

#define SANDBOX_HOST_MAGIC 0x5a4d8001
#define SANDBOX_MAGIC 0x5a4d8002
#define FILE_OP_MAGIC 0x5a4d8003

enum sandbox_state {
	SANDBOX_MAKING,
	SANDBOX_FILLING, /* the manifest's files go in */
	SANDBOX_READY,
	SANDBOX_LOST,  /* told; waits for sandbox_destroy() */
	SANDBOX_ENDING /* destroyed; the backend still removes it */
};

#define SCRATCH_BYTES (192 * 1024)
#define SANDBOXES_FILLING 4 /* layers at once */

struct backend_ops;

struct sandbox_host {
	unsigned magic;
	const struct backend_ops *backend;
	struct loop *loop;
	struct list sandboxes;  /* all, whatever their state */
	unsigned sandboxes_max; /* without those that fill a layer, */
	unsigned filling;       /* which are these */
	struct layers *layers;  /* NULL: every workspace is plain */
	struct warm *warm;      /* NULL: none is made ahead of time */
	struct slab sandbox_slab, exec_slab, file_slab;
	uint32_t next_id;
	/*
	 * SCRATCH_BYTES each: a message received, a message being built, bytes
	 * of a stream.  Three, because a callback that is given bytes of one
	 * may start what needs another.
	 */
	char *received, *building, *streamed;
};

struct baseline;
struct layer;
struct layer_want;
struct layers;
struct remember;
struct warm;
struct workspace;

struct sandbox {
	unsigned magic;
	enum sandbox_state state;
	struct sandbox_host *host;
	struct list_node link;
	uint32_t id;
	const struct profile *profile;
	const struct manifest *manifest;
	struct users users; /* those of the spec */
	const struct sandbox_ops *ops;
	void *owner;
	struct list execs; /* struct exec */
	struct list files; /* struct file_op, in the order started */
	struct workspace *filling;
	sandbox_gone_fn *gone;
	void *gone_owner;
	struct baseline *before; /* what was in its workspace at first */
	int is_forgetful;        /* it was too much */
	struct remember *remembering;
	/* On top of a layer that others share, or filling one: layers.h. */
	enum mounts_layer layering;
	char layer_name[MOUNTS_LAYER_NAME];
	struct layer *layer; /* held while it is used */
	struct layer_want *wanting;
	int is_begun; /* its backend knows it */
	struct loop_deferred removal;
	struct list_node warm_link;   /* it waits for somebody: warm.h */
	struct loop_deferred handing; /* to who asked for it */
	char label[40];
	char failed_step[156];
	int64_t filled_ns;
	const struct git_remotes *remotes;
	unsigned commits_n;
	struct sandbox_commit commit[SANDBOX_COMMITS_MAX];
};

enum file_verb {
	FILE_PUT,
	FILE_GET,
	FILE_LIST,
	FILE_STAT,
	FILE_MKDIR,
	FILE_REMOVE,
	FILE_RENAME,
	FILE_CHGRP,
	FILE_CHMOD,
	FILE_HASH
};

/* A file verb under way; its request lives only while it is started. */
struct file_op {
	unsigned magic;
	enum file_verb verb;
	struct sandbox *sb;
	struct list_node link;
	uint32_t id;
	file_done_fn *done; /* NULL: cancelled */
	void *owner;
	char path[96]; /* for messages; cut */
};

/* What a backend needs to carry one out; borrowed during ops->file(). */
struct file_request {
	const char *path, *to; /* relative to the workspace, checked */
	unsigned flags;
	uint32_t mode;
	uint64_t offset;
	size_t n;
	struct span bytes;
	struct hash hash;
	gid_t gid;                /* chgrp */
	struct users_identity as; /* who it is done as */
};

struct backend_ops {
	const char *name;
	size_t sandbox_bytes; /* of the struct that embeds struct sandbox */
	/* Can a sandbox of this host have more than one user? */
	int (*has_users)(const struct sandbox_host *host);

	/* Ends with sandbox_made() or sandbox_broke(). */
	int (*create)(struct sandbox *sb, struct error *e);
	/*
	 * Ends with exec_ended().  Borrows spec and the command's ends of its
	 * streams: fd[i], or -1 for the null device; with a tty none is given
	 * and exec_tty_came() brings the master.
	 */
	int (*exec)(struct exec *x, const struct exec_spec *spec,
	    const int fd[3], struct error *e);
	void (*signal)(struct exec *x, int signo, enum exec_reach reach);
	/* Ends with file_op_ended(). */
	int (*file)(
	    struct file_op *op, const struct file_request *r, struct error *e);
	/* The hard way, when signals had no effect; leads to sandbox_broke(). */
	void (*kill)(struct sandbox *sb);
	/* Ends with sandbox_removed(), not before it returns. */
	void (*destroy)(struct sandbox *sb);
	/* Limits met since it was last asked, as bits 1 << VERDICT_x. */
	unsigned (*limits_met)(struct sandbox *sb);
	void (*facts)(const struct sandbox *sb, struct sandbox_facts *out);
	/* Remove everything; waits, bounded.  Frees the host's memory. */
	void (*host_free)(struct sandbox_host *host);
};

/* For a backend's own host_new and host_free. */
int sandbox_host_init(struct sandbox_host *host, struct loop *loop,
    const struct backend_ops *backend,
    const struct sandbox_host_settings *settings, struct error *e);
void sandbox_host_release(struct sandbox_host *host);

/*
 * One whose workspace is a folder below the layers', to be filled by its
 * spec's manifest; beside sandboxes_max.
 */
struct sandbox *sandbox_create_filling(struct sandbox_host *host,
    const struct sandbox_spec *spec, const char *folder,
    const struct sandbox_ops *ops, void *owner, struct error *e);

/* While it is filled: an entry was made from this commit. */
void sandbox_add_commit(
    struct sandbox *sb, const char *path, struct span commit);

/* One for the stock, beside sandboxes_max. */
struct sandbox *sandbox_create_warm(struct sandbox_host *host,
    const struct sandbox_spec *spec, const struct sandbox_ops *ops, void *owner,
    struct error *e);

/* The sandbox stands. */
void sandbox_made(struct sandbox *sb);

/* It could not be made, or ended under us; step may be "". */
void sandbox_broke(
    struct sandbox *sb, const char *step, const struct error *error);

/* Nothing of it is left: frees it. */
void sandbox_removed(struct sandbox *sb);

/* Find by id what an answer belongs to; NULL when it was freed. */
struct exec *sandbox_exec_by_id(struct sandbox *sb, uint32_t id);
struct file_op *sandbox_file_by_id(struct sandbox *sb, uint32_t id);

/* A verb is done, or failed with this errno; frees op. */
void file_op_ended(struct file_op *op, int os_errno, struct file_result *r);

/* All verbs of a sandbox end with this error, or without a word. */
void file_ops_abandon(struct sandbox *sb, const struct error *error);

#endif
