#ifndef SKEP_SANDBOX_WORKSPACE_PRIVATE_H
#define SKEP_SANDBOX_WORKSPACE_PRIVATE_H

/*
 * What the files of a workspace's filling share: workspace.c (the order of
 * things), workspace_host.c (sources of the host), workspace_program.c (what
 * a program in the sandbox does), workspace_archive.c, workspace_git.c.
 */

#include <sys/stat.h>

#include "config/manifest.h"
#include "engine/base/arena.h"
#include "engine/base/limits.h"
#include "engine/base/loop.h"
#include "sandbox/sandbox.h"
#include "sandbox/workspace.h"

#define WORKSPACE_MAGIC 0x5a4d8010
#define WINDOW (SANDBOX_OPS_MAX / 2)
#define READ_A_TURN (1024 * 1024)
#define DEPTH_MAX 64

struct level {
	int fd;
	off_t next;         /* where to go on reading */
	size_t path_n;      /* of the folder inside */
	struct stat before; /* as it was when it was entered */
};

struct workspace {
	unsigned magic;
	struct sandbox *sb;
	const struct manifest *m;
	workspace_done_fn *done;
	void *owner;
	struct loop_deferred next;
	unsigned entry;  /* the one being put, */
	int started;     /* once the first is */
	int mode_due;    /* and has its mode; */
	int group_due;   /* what is at path belongs to the entry's group */
	unsigned flying; /* verbs under way */
	struct file_op *op[WINDOW];
	unsigned closing; /* folders whose mode comes last, from behind */
	int failed;
	struct error error;
	int64_t last_change_ns;
	struct arena arena;

	int file;           /* source being copied, or -1 */
	struct stat before; /* as it was when it was opened */
	uint32_t mode;
	struct span text; /* content being put; p != NULL */
	uint64_t offset;
	char path[LIMIT_PATH]; /* inside */

	int depth; /* of the local_dir being walked; 0: none */
	struct level level[DEPTH_MAX + 1];

	/* A program at work for the entry; nothing else is started then. */
	struct exec *program;
	size_t (*program_output)(
	    struct exec *x, int stream, struct span s, void *owner);
	void (*program_writable)(struct exec *x, void *owner);
	const struct git_remotes *remotes;
	struct workspace_git *git; /* a fetch under way */
	void (*program_done)(
	    struct workspace *w, const struct exec_report *report);
	char slice[SANDBOX_SLICE];
};

/*
 * The entry at hand cannot be made: "WHAT PATH" and the errno.  Returns -1;
 * when several faults are met the first counts.
 */
int workspace_fail(
    struct workspace *w, int os_errno, const char *what, const char *path);
/* The same with what w->error says already. */
int workspace_fail_as_told(struct workspace *w);

/* Count a verb that was started; -1 when op is NULL. */
int workspace_started(struct workspace *w, struct file_op *op);
int workspace_make_folder(struct workspace *w, const char *path, uint32_t mode);
/* The entry's path has its content; group and mode are due. */
int workspace_set_mode(struct workspace *w, const char *path, uint32_t mode);

/* workspace_host.c: open an entry's source, or begin to copy from it. */
int workspace_open_source(
    struct workspace *w, const struct manifest_entry *entry);
int workspace_local_file(
    struct workspace *w, const struct manifest_entry *entry);
int workspace_local_dir(
    struct workspace *w, const struct manifest_entry *entry);
/* The next entry of the walk, or one folder up. */
int workspace_walk(struct workspace *w);
/* The source that was read is what was opened; closes it. */
int workspace_close_source(struct workspace *w);

/*
 * workspace_program.c: start what spec says as who owns the workspace; done
 * is called when it has ended, its output kept.
 */
int workspace_run(struct workspace *w, struct exec_spec *spec,
    void (*done)(struct workspace *w, const struct exec_report *report));
/* The same, but what it writes goes to output as in struct exec_ops. */
int workspace_run_talking(struct workspace *w, struct exec_spec *spec,
    void (*done)(struct workspace *w, const struct exec_report *report),
    size_t (*output)(struct exec *x, int stream, struct span s, void *owner),
    void (*writable)(struct exec *x, void *owner));
/* What it wrote to stream 1 or 2, as far as it was kept at the head. */
struct span workspace_output(const struct workspace *w, int stream);
/* Say how it ended, when that was not its own doing; -1 then. */
int workspace_check_end(
    struct workspace *w, const struct exec_report *report, const char *what);

/* workspace_archive.c */
int workspace_archive(struct workspace *w, const struct manifest_entry *entry);

/* workspace_git.c */
int workspace_git(struct workspace *w, const struct manifest_entry *entry);
void workspace_git_end(struct workspace *w);
/* The entry at hand was made from this commit. */
void workspace_found_commit(struct workspace *w, struct span commit);

#endif
