#ifndef SKEP_SANDBOX_OUTPUTS_PRIVATE_H
#define SKEP_SANDBOX_OUTPUTS_PRIVATE_H

/* Between outputs.c (the order of things, files) and outputs_archive.c. */

#include "engine/base/loop.h"
#include "sandbox/archive.h"
#include "sandbox/outputs.h"
#include "sandbox/sandbox.h"

#define OUTPUTS_MAGIC 0x5a4d8020
#define AHEAD 4
#define FILES_MAX 10000
#define PART_NAME ".skep-part"

enum place_kind { PLACE_DECLARED, PLACE_FOLDER, PLACE_FILE, PLACE_ARCHIVE };

struct place {
	struct place *next;
	enum place_kind kind;
	const char *path;   /* relative to the workspace, normalised */
	const char *source; /* of an archive: the folder that is in it */
};

struct outputs {
	unsigned magic;
	struct loop *loop;
	struct sandbox *sb;
	struct arena *arena;
	struct list files; /* struct output_file */
	outputs_done_fn *done;
	void *owner;
	struct loop_deferred next;
	struct outputs_limits limits;
	struct place *places;
	struct place *now; /* the one being visited */
	struct file_op *op[AHEAD];
	unsigned flying;
	uint64_t bytes; /* of all files so far */
	int failed;
	struct error error;
	int dir; /* the output folder */

	/* The file being copied. */
	int folder, part; /* where the copy goes, and the copy itself */
	uint64_t asked, written;
	int at_end;
	uint32_t mode;
	struct hash hash;
	struct archive *archive; /* what fills it; NULL: get verbs do */
};

/* It cannot be collected; -1. */
int outputs_fail(struct outputs *o, enum error_code code, int os_errno,
    const char *what, const char *path);

/*
 * A verb failed in the sandbox.  That concerns the run alone: IO and its like
 * become OUTPUT_MISSING, as they would stop the engine.
 */
void outputs_fail_inside(struct outputs *o, const struct error *e);

/* Visit it next: name in folder, or name alone when that is NULL. */
int outputs_push(struct outputs *o, enum place_kind kind, const char *folder,
    struct span name);

/* The copy of what is visited: begin it, and add to it. */
int outputs_start_copy(struct outputs *o);
int outputs_add(struct outputs *o, struct span s);

/* outputs_archive.c */
int outputs_push_archive(struct outputs *o, const char *folder);
int outputs_start_archive(struct outputs *o);

#endif
